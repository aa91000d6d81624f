//! An API server for Jobs, pods and events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream;
use geoflow_k8s::cluster::Cluster;
use geoflow_k8s::job::JobFolder;
use geoflow_k8s::manifest::parse_indexes;
use geoflow_k8s::plan::{Plan, StageKind};
use geoflow_k8s::task::{Outcome, Part, TaskManifest, TaskStatistics};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::played::{Change, changes};

/// An answer, whole or as a stream.
type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// Rows that every task writes.
pub(crate) const ROWS: u64 = 1000;

/// An answer in place of the usual one, once.
pub(crate) struct Fault {
    pub(crate) method: Method,
    /// Parts of the path and query, separated by spaces.
    pub(crate) parts: &'static str,
    pub(crate) answer: Value,
}

#[derive(Default)]
struct State {
    changes: Vec<Change>,
    /// The newest version that a client has seen.
    seen: u64,
    /// What the next Jobs go through.
    recordings: VecDeque<String>,
    faults: Vec<Fault>,
    /// After so many changes a watch ends.
    watch_ends_after: Option<usize>,
    events: Vec<Value>,
    created: Vec<Value>,
    patched: Vec<(String, Value)>,
    requests: Vec<String>,
    done: BTreeSet<(String, String)>,
}

/// The server; clones are the same one.
#[derive(Clone)]
pub(crate) struct MockServer {
    state: Arc<Mutex<State>>,
    more: Arc<Notify>,
    folder: JobFolder,
}

impl MockServer {
    /// A server whose Jobs go through these recordings, one after the other.
    pub(crate) fn start(folder: &JobFolder, recordings: &[&str]) -> (MockServer, Cluster) {
        let server = MockServer {
            state: Arc::new(Mutex::new(State {
                recordings: recordings.iter().map(|name| name.to_string()).collect(),
                ..State::default()
            })),
            more: Arc::new(Notify::new()),
            folder: folder.clone(),
        };
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Answer>();
        handle.allow(u64::MAX);
        let listening = server.clone();
        tokio::spawn(async move {
            while let Some((request, respond)) = handle.next_request().await {
                let server = listening.clone();
                tokio::spawn(async move { respond.send_response(server.answer(request).await) });
            }
        });
        let client = kube::Client::new(service, "geoflow");
        (server, Cluster::with_client(client, "geoflow"))
    }

    pub(crate) fn fault(&self, method: Method, parts: &'static str, answer: Value) {
        let fault = Fault {
            method,
            parts,
            answer,
        };
        self.lock().faults.push(fault);
    }

    /// Faults that nobody has met yet.
    pub(crate) fn faults_left(&self) -> usize {
        self.lock().faults.len()
    }

    pub(crate) fn end_watches_after(&self, changes: usize) {
        self.lock().watch_ends_after = Some(changes);
    }

    /// The bodies that Jobs were created from.
    pub(crate) fn created(&self) -> Vec<Value> {
        self.lock().created.clone()
    }

    pub(crate) fn patched(&self) -> Vec<(String, Value)> {
        self.lock().patched.clone()
    }

    /// How often something with all these parts was asked.
    pub(crate) fn asked(&self, what: &str) -> usize {
        let state = self.lock();
        state
            .requests
            .iter()
            .filter(|request| has(request, what))
            .count()
    }

    /// A Job that somebody else made.
    pub(crate) fn add_job(&self, job: Value) {
        let mut state = self.lock();
        let version = next_version(&state);
        state.changes.push(Change {
            version,
            resource: "jobs",
            kind: "ADDED".into(),
            object: job,
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let target = parts.uri.path_and_query().unwrap().to_string();
        self.lock()
            .requests
            .push(format!("{} {target}", parts.method));
        if let Some(answer) = self.take_fault(&parts.method, &target) {
            let code = answer["code"].as_u64().unwrap() as u16;
            return respond(StatusCode::from_u16(code).unwrap(), &answer);
        }
        let path = parts.uri.path();
        let resource = ["jobs", "pods", "events"]
            .into_iter()
            .find(|resource| path.contains(&format!("/namespaces/geoflow/{resource}")))
            .unwrap_or_else(|| panic!("{target}"));
        let name = path.split(&format!("/{resource}/")).nth(1);
        match (parts.method, name) {
            (Method::POST, None) => self.create(&body, target.contains("dryRun=All")),
            (Method::PATCH, Some(name)) => self.patch(name, &body),
            (Method::GET, Some(name)) => match self.now(resource).get(name) {
                Some(object) => respond(StatusCode::OK, object),
                None => respond(StatusCode::NOT_FOUND, &recorded_error("not-found")),
            },
            (Method::GET, None) if target.contains("watch=true") => {
                let from = query(&target, "resourceVersion").parse().unwrap();
                self.watch(if resource == "jobs" { "jobs" } else { "pods" }, from)
            }
            (Method::GET, None) if resource == "events" => {
                let events = self.lock().events.clone();
                respond(StatusCode::OK, &list("Event", "v1", events, 1))
            }
            (Method::GET, None) => {
                let objects = self.now(resource).into_values().collect();
                let version = self.lock().seen;
                let (kind, api) = match resource {
                    "jobs" => ("Job", "batch/v1"),
                    _ => ("Pod", "v1"),
                };
                respond(StatusCode::OK, &list(kind, api, objects, version))
            }
            (method, _) => panic!("{method} {target}"),
        }
    }

    fn take_fault(&self, method: &Method, target: &str) -> Option<Value> {
        let mut state = self.lock();
        let faults = &mut state.faults;
        let found = faults
            .iter()
            .position(|fault| fault.method == *method && has(target, fault.parts))?;
        Some(faults.remove(found).answer)
    }

    /// The objects as of the newest version that a client has seen.
    fn now(&self, resource: &str) -> BTreeMap<String, Value> {
        let mut state = self.lock();
        // What was created is there at once.
        let first = state
            .changes
            .iter()
            .find(|c| c.resource == "jobs")
            .map(|c| c.version);
        state.seen = state.seen.max(first.unwrap_or(0));
        let mut objects = BTreeMap::new();
        for change in &state.changes {
            if change.resource != resource || change.version > state.seen {
                continue;
            }
            match change.kind.as_str() {
                "ERROR" => None,
                "DELETED" => objects.remove(change.name()),
                _ => objects.insert(change.name().to_string(), change.object.clone()),
            };
        }
        objects
    }

    fn create(&self, body: &[u8], dry_run: bool) -> Answer {
        let mut created: Value = serde_json::from_slice(body).unwrap();
        created["metadata"]["uid"] = json!("0");
        let mut state = self.lock();
        let name = created["metadata"]["name"].clone();
        if state.changes.iter().any(|change| name == change.name()) {
            return respond(StatusCode::CONFLICT, &recorded_error("already-exists"));
        }
        if dry_run {
            return respond(StatusCode::CREATED, &created);
        }
        let recording = state.recordings.pop_front().unwrap();
        let version = next_version(&state);
        let played = changes(&recording, &created, version);
        let first = played[0].object.clone();
        state.seen = version; // a list that comes now has it
        state.changes.extend(played);
        state.created.push(created);
        drop(state);
        self.more.notify_waiters();
        respond(StatusCode::CREATED, &first)
    }

    fn patch(&self, name: &str, body: &[u8]) -> Answer {
        let patch: Value = serde_json::from_slice(body).unwrap();
        let mut state = self.lock();
        state.patched.push((name.to_string(), patch.clone()));
        let last = state.changes.iter().rfind(|change| change.name() == name);
        let mut object = last.unwrap().object.clone();
        for (key, value) in patch["spec"].as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        respond(StatusCode::OK, &object)
    }

    fn watch(&self, resource: &'static str, from: u64) -> Answer {
        let limit = self.lock().watch_ends_after.unwrap_or(usize::MAX);
        let server = self.clone();
        let lines = stream::unfold((from, 0), move |(from, sent)| {
            let server = server.clone();
            async move {
                if sent == limit {
                    return None;
                }
                let change = server.next_change(resource, from).await;
                let line = format!(
                    "{}\n",
                    json!({"type": change.kind, "object": change.object})
                );
                let frame = http_body::Frame::data(Bytes::from(line));
                Some((Ok::<_, std::io::Error>(frame), (change.version, sent + 1)))
            }
        });
        let body = StreamBody::new(lines).boxed_unsync();
        Response::builder().body(body).unwrap()
    }

    async fn next_change(&self, resource: &str, from: u64) -> Change {
        loop {
            let more = self.more.notified();
            let next = {
                let mut state = self.lock();
                let next = state
                    .changes
                    .iter()
                    .find(|change| change.resource == resource && change.version > from)
                    .cloned();
                if let Some(change) = &next {
                    state.seen = state.seen.max(change.version);
                }
                next
            };
            match next {
                Some(change) => {
                    self.do_tasks(&change).await;
                    return change;
                }
                None => more.await,
            }
        }
    }

    /// Writes the manifests of the indexes that a change of a Job calls complete.
    async fn do_tasks(&self, change: &Change) {
        let Some(completed) = change.object["status"]["completedIndexes"].as_str() else {
            return;
        };
        let annotations = &change.object["metadata"]["annotations"];
        let url = annotations["geoflow.io/plan"].as_str().unwrap();
        let folder = self.folder.folder();
        let name = url.strip_prefix(folder.url().as_str()).unwrap();
        let json = folder.get(name).await.unwrap().unwrap();
        let plan = Plan::from_json(std::str::from_utf8(&json).unwrap()).unwrap();
        let stage = change.object["metadata"]["labels"]["geoflow.io/stage"]
            .as_str()
            .unwrap();
        let stage = &plan.stages[stage.parse::<usize>().unwrap()];
        for index in parse_indexes(completed).unwrap() {
            let fragment = &stage.fragments[index as usize].id;
            let key = (stage.kind.name().to_string(), fragment.clone());
            if self.lock().done.insert(key) {
                write_manifest(&self.folder, stage.kind, fragment).await;
            }
        }
    }
}

pub(crate) async fn write_manifest(folder: &JobFolder, stage: StageKind, fragment: &str) {
    let manifest = TaskManifest {
        version: geoflow_k8s::PLAN_VERSION,
        job: "trips".into(),
        stage,
        fragment: fragment.into(),
        attempt: format!("{fragment}-a"),
        outcome: Outcome::Written(vec![Part {
            file: format!("part-{fragment}-a.parquet"),
            rows: ROWS,
            bytes: 10 * ROWS,
            bounds: None,
            sha256: "0".repeat(64),
        }]),
        statistics: Some(TaskStatistics::default()),
        warnings: Vec::new(),
    };
    let name = JobFolder::manifest_name(stage, fragment);
    let json = serde_json::to_vec(&manifest).unwrap();
    folder.folder().put(&name, json).await.unwrap();
}

fn has(target: &str, parts: &str) -> bool {
    parts.split(' ').all(|part| target.contains(part))
}

fn next_version(state: &State) -> u64 {
    state
        .changes
        .iter()
        .map(|change| change.version)
        .max()
        .unwrap_or(0)
        .max(state.seen)
        + 1
}

fn list(kind: &str, api: &str, items: Vec<Value>, version: u64) -> Value {
    json!({
        "kind": format!("{kind}List"), "apiVersion": api,
        "metadata": {"resourceVersion": version.to_string()}, "items": items,
    })
}

fn respond(status: StatusCode, body: &Value) -> Answer {
    let body = Full::from(serde_json::to_vec(body).unwrap());
    let body = body.map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(status).body(body).unwrap()
}

/// A Status that a real server answered.
pub(crate) fn recorded_error(name: &str) -> Value {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/clusters/v1.35/errors"
    );
    serde_json::from_str(&std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap())
        .unwrap()
}

/// A Status of that code.
pub(crate) fn status(code: u16, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code,
    })
}

fn query(target: &str, key: &str) -> String {
    let mut pairs = target
        .split(['?', '&'])
        .filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == key).unwrap().1.to_string()
}
