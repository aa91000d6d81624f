//! The Jobs and pods of one job, kept up to date.
//!
//! A watch ends when the server says so (after some minutes, when it restarts) and its place in the
//! stream may be forgotten (410 Gone). The first goes on from the last version seen, the second
//! lists everything again; neither is an error.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use geoflow_engine::Result;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::watch::Bookmark;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::Cluster;
use super::jobs::list_all;
use crate::manifest::job_selector;

/// The server ends a watch after so many seconds.
const WATCH_SECONDS: u32 = 290;
/// How often in a row the API server may be out of reach: some two minutes.
const FAILURES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// A Job.
    Jobs,
    /// A pod.
    Pods,
}

/// All Jobs and pods with the label of one job.
#[derive(Debug)]
pub struct Watch {
    jobs: Store<Job>,
    pods: Store<Pod>,
}

impl Watch {
    /// Lists what is there.
    ///
    /// # Errors
    /// When the cluster refuses or cannot be reached.
    pub async fn start(cluster: &Cluster, job: &str) -> Result<Watch> {
        let selector = job_selector(job);
        let mut jobs = Store::new(cluster, cluster.jobs_api(), &selector, "Jobs");
        let mut pods = Store::new(cluster, cluster.pods_api(), &selector, "pods");
        jobs.list().await?;
        pods.list().await?;
        Ok(Watch { jobs, pods })
    }

    /// The Jobs, by name.
    pub fn jobs(&self) -> &BTreeMap<String, Job> {
        &self.jobs.objects
    }

    /// The pods, by name. One that failed and was deleted stays, as its end is still of interest.
    pub fn pods(&self) -> &BTreeMap<String, Pod> {
        &self.pods.objects
    }

    /// Adds a Job that was just created, before the watch tells of it.
    pub fn remember(&mut self, job: Job) {
        let name = job.metadata.name.clone().unwrap_or_default();
        self.jobs.objects.entry(name).or_insert(job);
    }

    /// Waits for the next change.
    ///
    /// # Errors
    /// When the cluster refuses, or could not be reached for two minutes.
    pub async fn changed(&mut self) -> Result<Watched> {
        tokio::select! {
            result = self.jobs.changed() => result.map(|()| Watched::Jobs),
            result = self.pods.changed() => result.map(|()| Watched::Pods),
        }
    }
}

type Events<K> = BoxStream<'static, kube::Result<WatchEvent<K>>>;

/// The objects of one kind.
struct Store<K> {
    cluster: Cluster,
    api: Api<K>,
    selector: String,
    what: &'static str,
    objects: BTreeMap<String, K>,
    /// Where the next watch goes on; empty when everything must be listed again.
    version: String,
    events: Option<Events<K>>,
    failures: u32,
}

impl<K> std::fmt::Debug for Store<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("what", &self.what)
            .field("objects", &self.objects.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl<K> Store<K>
where
    K: Kept + Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    fn new(cluster: &Cluster, api: Api<K>, selector: &str, what: &'static str) -> Self {
        Store {
            cluster: cluster.clone(),
            api,
            selector: selector.to_string(),
            what,
            objects: BTreeMap::new(),
            version: String::new(),
            events: None,
            failures: 0,
        }
    }

    async fn list(&mut self) -> Result<()> {
        let listed = list_all(&self.api, ListParams::default().labels(&self.selector)).await;
        let (objects, version) = self
            .cluster
            .explain(&format!("list {}", self.what), listed)?;
        // What a deletion left behind stays; the rest is as it is now.
        self.objects.retain(|_, object| object.is_remembered());
        for object in objects {
            self.insert(object);
        }
        self.version = version;
        self.events = None;
        Ok(())
    }

    /// Waits until the objects are others than before.
    async fn changed(&mut self) -> Result<()> {
        loop {
            let Some(events) = &mut self.events else {
                if self.reopen().await? {
                    return Ok(());
                }
                continue;
            };
            match events.next().await {
                Some(Ok(event)) => {
                    self.failures = 0;
                    if self.take(event) {
                        return Ok(());
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(what = self.what, %error, "the watch broke");
                    self.events = None;
                    self.pause(error).await?;
                }
                None => self.events = None,
            }
        }
    }

    /// Opens the watch; true when everything was listed anew instead.
    async fn reopen(&mut self) -> Result<bool> {
        if self.version.is_empty() {
            return match self.list().await {
                Ok(()) => Ok(true),
                Err(geoflow_engine::Error::Environment {
                    retryable: true, ..
                }) if self.failures < FAILURES => {
                    self.failures += 1;
                    tokio::time::sleep(pause(self.failures)).await;
                    Ok(false)
                }
                Err(error) => Err(error),
            };
        }
        let parameters = WatchParams::default()
            .labels(&self.selector)
            .timeout(WATCH_SECONDS);
        match self.api.watch(&parameters, &self.version).await {
            Ok(events) => self.events = Some(boxed(events)),
            Err(kube::Error::Api(status)) if status.code == 410 => self.version.clear(),
            Err(error) => self.pause(error).await?,
        }
        Ok(false)
    }

    /// Whether the objects changed.
    fn take(&mut self, event: WatchEvent<K>) -> bool {
        match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                self.insert(object);
                true
            }
            WatchEvent::Deleted(mut object) => {
                self.see_version(&object);
                let name = object.meta().name.clone().unwrap_or_default();
                if object.remember() {
                    self.objects.insert(name, object);
                } else {
                    self.objects.remove(&name);
                }
                true
            }
            WatchEvent::Bookmark(Bookmark { metadata, .. }) => {
                self.version = metadata.resource_version;
                false
            }
            WatchEvent::Error(status) => {
                tracing::debug!(what = self.what, %status, "the watch ends");
                self.events = None;
                // Gone, or anything else that this place in the stream may be to blame for.
                self.version.clear();
                false
            }
        }
    }

    fn insert(&mut self, mut object: K) {
        self.see_version(&object);
        object.meta_mut().managed_fields = None;
        let name = object.meta().name.clone().unwrap_or_default();
        self.objects.insert(name, object);
    }

    fn see_version(&mut self, object: &K) {
        if let Some(version) = &object.meta().resource_version {
            self.version.clone_from(version);
        }
    }

    /// Waits before the next try; gives up after too many, and at once when the server refuses.
    async fn pause(&mut self, error: kube::Error) -> Result<()> {
        self.failures += 1;
        let refused = matches!(&error, kube::Error::Api(status) if (400..500).contains(&status.code)
            && !matches!(status.code, 408 | 409 | 410 | 429));
        if refused || self.failures > FAILURES {
            return self
                .cluster
                .explain(&format!("watch {}", self.what), Err(error));
        }
        tokio::time::sleep(pause(self.failures)).await;
        Ok(())
    }
}

fn boxed<K: Send + 'static>(
    events: impl Stream<Item = kube::Result<WatchEvent<K>>> + Send + 'static,
) -> Events<K> {
    events.boxed()
}

fn pause(failures: u32) -> Duration {
    (FIRST_PAUSE * 2u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST_PAUSE)
}

/// What of an object outlives its deletion.
trait Kept {
    /// Whether it was deleted and is remembered.
    fn is_remembered(&self) -> bool;
    /// Marks it as remembered if its end is worth it.
    fn remember(&mut self) -> bool;
}

impl Kept for Job {
    fn is_remembered(&self) -> bool {
        false
    }

    fn remember(&mut self) -> bool {
        false
    }
}

/// Marks a pod that is there no more.
const DELETED: &str = "geoflow.io/deleted";

impl Kept for Pod {
    fn is_remembered(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations.is_some_and(|annotations| annotations.contains_key(DELETED))
    }

    fn remember(&mut self) -> bool {
        let phase = self.status.as_ref().and_then(|s| s.phase.as_deref());
        if phase != Some("Failed") {
            return false;
        }
        let annotations = self.metadata.annotations.get_or_insert_default();
        annotations.insert(DELETED.to_string(), String::new());
        true
    }
}
