//! Where the records of jobs are.

use std::path::PathBuf;
use std::sync::OnceLock;

use geoflow_k8s::Plan;
use geoflow_k8s::cluster::Cluster;
use geoflow_k8s::job::Job;
use geoflow_k8s::storage::Folder;
use geoflow_sql::object_store::{LazyObjectStoreRegistry, StoreOptions};

use crate::args::{JobsPlace, OneJob};
use crate::error::{Failure, FailureKind, Result, from_engine};

/// Says where the record of a job is that is not in the folder where one would look for it.
const ELSEWHERE: &str = "elsewhere.json";

/// The object stores, by the command line and the environment.
pub(super) fn registry() -> LazyObjectStoreRegistry {
    LazyObjectStoreRegistry::from_env_and(STORES.get().unwrap_or(&StoreOptions::default()))
}

/// What the command line says of object stores: it holds for the whole process.
static STORES: OnceLock<StoreOptions> = OnceLock::new();

/// Remembers what the command line says of object stores.
pub(super) fn set_stores(stores: &StoreOptions) {
    STORES.get_or_init(|| stores.clone());
}

pub(super) fn open(location: &str) -> Result<Folder> {
    Folder::open(&registry(), location).map_err(|e| from_engine(&e))
}

/// The folder for the record of a job that is planned.
pub(super) fn for_plan(place: &JobsPlace, plan: &Plan) -> Result<Folder> {
    if let Some(jobs) = &place.jobs {
        return open(jobs);
    }
    match plan.sink.output.split_once("://") {
        Some((scheme, rest)) if scheme != "file" => {
            let bucket = rest.split('/').next().unwrap_or_default();
            open(&format!("{scheme}://{bucket}/_geoflow/jobs/"))
        }
        _ => local(),
    }
}

/// The folder where jobs are looked for by their ids.
pub(super) fn for_all(place: &JobsPlace) -> Result<Folder> {
    match &place.jobs {
        Some(jobs) => open(jobs),
        None => local(),
    }
}

/// The user's state folder.
fn local() -> Result<Folder> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = match (set("XDG_STATE_HOME"), set("HOME")) {
        (Some(state), _) => PathBuf::from(state).join("geoflow"),
        (None, Some(home)) => PathBuf::from(home).join(".local/state/geoflow"),
        (None, None) => PathBuf::from(".geoflow"),
    };
    let jobs = state.join("jobs");
    let path = jobs.to_str().ok_or_else(|| {
        Failure::environment(format!("\"{}\" is no text: use --jobs", jobs.display()))
    })?;
    open(path)
}

/// Leaves word in the user's state folder of a job whose record is elsewhere, so that its id is enough on this
/// machine. Failing that, the id is not enough, and nothing is lost.
pub(super) async fn remember(place: &JobsPlace, job: &Job) {
    if place.jobs.is_some() || job.folder.folder().is_local() {
        return;
    }
    if let Ok(local) = local() {
        let word = serde_json::json!({ "url": job.folder.folder().url().as_str() });
        let folder = local.folder(&job.record.id);
        if let Err(error) = folder.put(ELSEWHERE, word.to_string()).await {
            tracing::warn!("{error}");
        }
    }
}

/// The folder of a job's record, wherever word of it leads.
pub(super) async fn follow(folder: Folder) -> Result<Folder> {
    let word = folder.get(ELSEWHERE).await.map_err(|e| from_engine(&e))?;
    let word = word.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    match word.as_ref().and_then(|word| word.get("url")?.as_str()) {
        Some(url) => open(url),
        None => Ok(folder),
    }
}

/// A job that was looked for.
pub(super) enum Found {
    /// Its record is there.
    Recorded(Box<Job>),
    /// The cluster knows it, and its record cannot be read from here.
    Unrecorded(Unrecorded),
}

/// A job, as its id alone finds it in a cluster.
pub(super) struct Unrecorded {
    pub(super) id: String,
    pub(super) cluster: Cluster,
    /// Why its record cannot be read.
    pub(super) why: Box<Failure>,
}

/// A job by its id or the folder of its record.
pub(super) async fn find(args: &OneJob) -> Result<Job> {
    match find_anywhere(args).await? {
        Found::Recorded(job) => Ok(*job),
        Found::Unrecorded(job) => Err(job.why.with_hint_if_none(format!(
            "its Jobs are in the cluster: `geoflow job get`, `diagnose`, `logs` and `cancel {}` need no more than these",
            job.id
        ))),
    }
}

/// A job by its id or the folder of its record, or else what the cluster has of it.
pub(super) async fn find_anywhere(args: &OneJob) -> Result<Found> {
    let is_folder = args.job.contains('/');
    let opened = match is_folder {
        true => open_record(open(&args.job)?).await,
        false => match follow(for_all(&args.place)?.folder(&args.job)).await {
            Ok(folder) => open_record(folder).await,
            Err(failure) => Err(failure),
        },
    };
    let failure = match opened {
        Ok(job) => return Ok(Found::Recorded(Box::new(job))),
        Err(failure) => failure,
    };
    if !is_folder && let Some(found) = super::kubernetes::find_by_cluster(args, &failure).await? {
        return Ok(found);
    }
    match failure.kind {
        FailureKind::User if !is_folder => Err(failure.with_hint_if_none(
            "`geoflow job list` shows the jobs there; --jobs names another folder of records",
        )),
        _ => Err(failure),
    }
}

async fn open_record(folder: Folder) -> Result<Job> {
    Job::open(folder).await.map_err(|e| from_engine(&e))
}
