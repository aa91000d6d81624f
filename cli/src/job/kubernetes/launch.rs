//! From options and `geoflow.toml` to what Jobs are made from.

use std::path::{Path, PathBuf};

use geoflow_k8s::cluster::Cluster;
use geoflow_k8s::job::{Job, JobFolder};
use geoflow_k8s::kubernetes::Launch;
use geoflow_k8s::manifest::Patch;
use geoflow_k8s::profile::{Profile, Settings};

use crate::args::{ClusterArgs, KubernetesArgs};
use crate::error::{Failure, Result, from_engine, from_io};

const CONFIG: &str = "geoflow.toml";

/// The profile of the file, with the options before it.
fn profile(cluster: &ClusterArgs, args: &KubernetesArgs) -> Result<Profile> {
    let file = match &cluster.config {
        Some(path) => Some(path.clone()),
        None => Some(PathBuf::from(CONFIG)).filter(|path| path.exists()),
    };
    let said = match &file {
        None => Profile::default(),
        Some(path) => {
            let mut profile = Profile::from_toml(&read(path)?, &path.display().to_string())
                .map_err(|e| from_engine(&e))?;
            // A patch is named as seen from the file that names it.
            if let (Some(patch), Some(folder)) = (&profile.patch, path.parent()) {
                profile.patch = Some(folder.join(patch));
            }
            profile
        }
    };
    let mut flags = args.profile();
    flags.context.clone_from(&cluster.context);
    flags.namespace.clone_from(&cluster.namespace);
    Ok(said.overlaid(flags))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map_err(|error| from_io(&format!("cannot read {}", path.display()), &error))
}

/// What the Jobs are made from; nothing is asked of the cluster.
pub(super) fn launch(cluster: &ClusterArgs, args: &KubernetesArgs) -> Result<Launch> {
    let profile = profile(cluster, args)?;
    let patch = match &profile.patch {
        None => None,
        Some(path) => {
            let name = path.display().to_string();
            Some(Patch::read(&read(path)?, &name).map_err(|e| from_engine(&e))?)
        }
    };
    let namespace = profile.namespace.clone().unwrap_or_default();
    let settings = Settings::resolve(profile).map_err(|e| from_engine(&e))?;
    Ok(Launch {
        namespace,
        settings,
        patch,
    })
}

/// The cluster of a job: as the options say, else as it was submitted to.
pub(super) async fn connect(args: &ClusterArgs, launch: Option<&Launch>) -> Result<Cluster> {
    let said = launch.map(|launch| &launch.settings.profile);
    let context = args
        .context
        .as_deref()
        .or_else(|| said.and_then(|profile| profile.context.as_deref()));
    let namespace = args
        .namespace
        .as_deref()
        .or_else(|| launch.map(|launch| launch.namespace.as_str()))
        .filter(|namespace| !namespace.is_empty());
    Cluster::connect(context, namespace)
        .await
        .map_err(|e| from_engine(&e))
}

/// The cluster that one looks into for jobs: as the options say, else as `geoflow.toml` does.
pub(super) async fn connect_to_look(args: &ClusterArgs) -> Result<Cluster> {
    let profile = profile(args, &KubernetesArgs::default())?;
    Cluster::connect(profile.context.as_deref(), profile.namespace.as_deref())
        .await
        .map_err(|e| from_engine(&e))
}

/// What a job was submitted with, and its cluster.
pub(super) async fn cluster_of(job: &Job, args: &ClusterArgs) -> Result<(Launch, Cluster)> {
    let launch = launched(&job.folder).await?;
    let cluster = connect(args, Some(&launch)).await?;
    Ok((launch, cluster))
}

async fn launched(folder: &JobFolder) -> Result<Launch> {
    let launch = Launch::read(folder).await.map_err(|e| from_engine(&e))?;
    launch.ok_or_else(|| {
        Failure::user(format!(
            "{} has no kubernetes.json: the job never got as far as the cluster",
            folder.folder().display()
        ))
        .with_hint("submit it again")
    })
}

/// Pods see object storage and their claims, and nothing of this machine.
pub(super) fn check_places(job: &JobFolder, output: &str, launch: &Launch) -> Result<()> {
    // A patch may mount what a profile cannot.
    if launch.patch.is_some() {
        return Ok(());
    }
    let volumes = &launch.settings.profile.volumes;
    let record = job.folder().url().to_string();
    for (what, url, remedy) in [
        ("the record of the job", record.as_str(), "--jobs"),
        ("the output", output, "-o"),
    ] {
        let Some(path) = url.strip_prefix("file://") else {
            continue;
        };
        let mounted = volumes
            .iter()
            .any(|volume| Path::new(path).starts_with(&volume.path));
        if !mounted {
            return Err(Failure::user(format!(
                "{what} would be in {path}, which pods do not see"
            ))
            .with_hint(format!(
                "give a place in object storage with {remedy}, or one in a claim that is mounted at the same path here \
                 and with --volume CLAIM:PATH there"
            )));
        }
    }
    Ok(())
}
