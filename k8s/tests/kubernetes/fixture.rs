//! A job of four fragments, ready to be run.

use std::sync::Arc;
use std::time::Duration;

use geoflow_engine::Result;
use geoflow_k8s::cluster::Cluster;
use geoflow_k8s::job::JobFolder;
use geoflow_k8s::kubernetes::{Driver, Ended, Launch, Progress, Report, Split};
use geoflow_k8s::plan::{Fragment, Plan, Sink, Stage, StageKind, sha256_hex};
use geoflow_k8s::profile::{Profile, Settings};
use geoflow_k8s::storage::Folder;
use geoflow_sql::object_store::LazyObjectStoreRegistry;

use crate::mock::MockServer;

/// Longer than any of these runs takes.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Fixture {
    pub(crate) folder: JobFolder,
    pub(crate) plan: Plan,
    pub(crate) launch: Launch,
    pub(crate) server: MockServer,
    pub(crate) cluster: Cluster,
    sha256: String,
    _dir: tempfile::TempDir,
}

/// What a run said, and how it ended.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) ended: Result<Ended>,
    pub(crate) progress: Vec<Progress>,
    pub(crate) notes: Vec<String>,
}

impl Told {
    pub(crate) fn last(&self) -> &Progress {
        self.progress.last().unwrap()
    }
}

impl Fixture {
    /// A job whose Jobs go through these recordings.
    pub(crate) async fn new(recordings: &[&str]) -> Fixture {
        Fixture::with(recordings, "", &[(StageKind::Parts, 4)]).await
    }

    pub(crate) async fn with(
        recordings: &[&str],
        profile: &str,
        stages: &[(StageKind, usize)],
    ) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let registry = LazyObjectStoreRegistry::with_variables([]);
        let location = dir.path().join("trips");
        let folder = Folder::open(&registry, location.to_str().unwrap()).unwrap();
        let folder = JobFolder::new(folder);
        let plan = plan(stages);
        let json = plan.to_json().unwrap();
        let sha256 = sha256_hex(json.as_bytes());
        folder.folder().put("plan.json", json).await.unwrap();
        let toml = format!("[kubernetes]\nimage = \"geoflow:test\"\n{profile}");
        let profile = Profile::from_toml(&toml, "geoflow.toml").unwrap();
        let launch = Launch {
            namespace: "geoflow".into(),
            settings: Settings::resolve(profile).unwrap(),
            patch: None,
        };
        let (server, cluster) = MockServer::start(&folder, recordings);
        Fixture {
            folder,
            plan,
            launch,
            server,
            cluster,
            sha256,
            _dir: dir,
        }
    }

    pub(crate) fn driver(&self, split: Option<Arc<Split>>) -> Driver<'_> {
        Driver {
            cluster: &self.cluster,
            folder: &self.folder,
            plan: &self.plan,
            plan_sha256: &self.sha256,
            launch: &self.launch,
            split,
        }
    }

    pub(crate) async fn run(&self) -> Told {
        self.run_with(None).await
    }

    pub(crate) async fn run_with(&self, split: Option<Arc<Split>>) -> Told {
        let (mut progress, mut notes) = (Vec::new(), Vec::new());
        let mut report = |report: Report| match report {
            Report::Progress(of_stage) => progress.push(of_stage),
            Report::Note(note) => notes.push(note),
        };
        let driver = self.driver(split);
        let ended = tokio::time::timeout(LONG, driver.run(&mut report)).await;
        Told {
            ended: ended.unwrap(),
            progress,
            notes,
        }
    }

    /// What a run says until something is said that is waited for.
    pub(crate) async fn run_until(&self, enough: impl Fn(&Progress) -> bool) -> Progress {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        let mut report = |report: Report| {
            if let Report::Progress(progress) = report {
                let _ = send.send(progress);
            }
        };
        let driver = self.driver(None);
        let run = driver.run(&mut report);
        let told = async {
            while let Some(progress) = receive.recv().await {
                if enough(&progress) {
                    return progress;
                }
            }
            panic!("it was never said");
        };
        tokio::pin!(told);
        tokio::select! {
            // It may end at once: what it said is there all the same.
            _ = run => tokio::time::timeout(LONG, told).await.unwrap(),
            progress = &mut told => progress,
            () = tokio::time::sleep(LONG) => panic!("too long"),
        }
    }
}

fn plan(stages: &[(StageKind, usize)]) -> Plan {
    let fragment = |id: usize| Fragment {
        id: id.to_string(),
        rows: 1000,
        bytes: 1 << 20,
        cost: 1.0,
        bounds: None,
        slices: Vec::new(),
    };
    Plan {
        version: geoflow_k8s::PLAN_VERSION,
        job: "trips".into(),
        setup: Vec::new(),
        statement: "COPY (SELECT 1) TO 's3://bucket/out/'".into(),
        full_joins_apart: false,
        sink: Sink {
            output: "s3://bucket/out/".into(),
            append: false,
            partition_by: Vec::new(),
            options: [].into(),
        },
        tables: Vec::new(),
        scans: Vec::new(),
        cut: Vec::new(),
        stages: stages
            .iter()
            .map(|(kind, fragments)| Stage {
                kind: *kind,
                fragments: (0..*fragments).map(fragment).collect(),
            })
            .collect(),
    }
}
