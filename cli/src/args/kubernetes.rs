//! Options of `geoflow job` for tasks that run in a cluster. Each is also a key of the
//! `[kubernetes]` table of `geoflow.toml`, and goes before it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use geoflow_k8s::profile::{Claim, Profile, Quantity, Span, Toleration, parse_quantity};

/// Which cluster, and which namespace of it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Kubernetes")]
pub(crate) struct ClusterArgs {
    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,

    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// File with a [kubernetes] table [default: geoflow.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// How tasks run in a cluster.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Kubernetes, --runner kubernetes")]
pub(crate) struct KubernetesArgs {
    /// Image of the tasks, with this version of geoflow in it
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,

    /// Always, IfNotPresent or Never [default: the cluster's]
    #[arg(long, value_name = "POLICY")]
    pub(crate) image_pull_policy: Option<String>,

    /// Secret with credentials of the registry; may be given several times
    #[arg(long, value_name = "SECRET")]
    pub(crate) image_pull_secret: Vec<String>,

    /// Service account of the tasks, for its web identity; its token is not mounted
    #[arg(long, value_name = "NAME")]
    pub(crate) service_account: Option<String>,

    /// Secret whose keys become environment variables, e.g. AWS_ACCESS_KEY_ID; several times
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Vec<String>,

    /// ConfigMap whose keys become environment variables; several times
    #[arg(long, value_name = "CONFIGMAP")]
    pub(crate) config_map: Vec<String>,

    /// Environment variable that is no secret; several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) env: Vec<(String, String)>,

    /// Cores of a task [default: 1]
    #[arg(long, value_name = "CORES", value_parser = quantity)]
    pub(crate) cpu: Option<Quantity>,

    /// Cores that a task may use when the node has them idle [default: as --cpu]
    #[arg(long, value_name = "CORES", value_parser = quantity)]
    pub(crate) cpu_limit: Option<Quantity>,

    /// Memory of a task's pod, e.g. 8Gi [default: 4Gi]
    #[arg(long, value_name = "QUANTITY", value_parser = quantity)]
    pub(crate) pod_memory: Option<Quantity>,

    /// The most memory of fragments that ran out of it [default: four times --pod-memory]
    #[arg(long, value_name = "QUANTITY", value_parser = quantity)]
    pub(crate) pod_memory_cap: Option<Quantity>,

    /// Disk for spilled rows [default: 20Gi]
    #[arg(long, value_name = "QUANTITY", value_parser = quantity)]
    pub(crate) spill: Option<Quantity>,

    /// Extended resource of a task, e.g. nvidia.com/gpu=1; several times
    #[arg(long, value_name = "NAME=QUANTITY", value_parser = named_quantity)]
    pub(crate) resource: Vec<(String, Quantity)>,

    /// PersistentVolumeClaim to mount; several times
    #[arg(long, value_name = "CLAIM:PATH[:ro]", value_parser = claim)]
    pub(crate) volume: Vec<Claim>,

    /// Label that a node must have; several times
    #[arg(long, value_name = "LABEL=VALUE", value_parser = pair)]
    pub(crate) node_selector: Vec<(String, String)>,

    /// Taint that tasks tolerate; several times
    #[arg(long, value_name = "KEY[=VALUE][:EFFECT]", value_parser = toleration)]
    pub(crate) toleration: Vec<Toleration>,

    /// Priority class
    #[arg(long, value_name = "NAME")]
    pub(crate) priority_class: Option<String>,

    /// Runtime class
    #[arg(long, value_name = "NAME")]
    pub(crate) runtime_class: Option<String>,

    /// Label of the Job and its pods; several times
    #[arg(long, value_name = "LABEL=VALUE", value_parser = pair)]
    pub(crate) label: Vec<(String, String)>,

    /// Annotation of the Job and its pods; several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) annotation: Vec<(String, String)>,

    /// Kueue's local queue that admits the Job
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,

    /// Tasks use the node's own network
    #[arg(long)]
    pub(crate) host_network: bool,

    /// Tasks at once [default: 16]
    #[arg(long, value_name = "N")]
    pub(crate) parallelism: Option<i32>,

    /// How often a fragment is tried again in its Job [default: 3]
    #[arg(long, value_name = "N")]
    pub(crate) pod_retries: Option<i32>,

    /// Failed fragments after which the others are not tried any more [default: all are tried]
    #[arg(long, value_name = "N")]
    pub(crate) max_failed: Option<i32>,

    /// How long the Job of a stage may run, e.g. 6h
    #[arg(long, value_name = "TIME")]
    pub(crate) deadline: Option<Span>,

    /// How long a Job stays in the cluster when its results are recorded [default: 1d]
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<Span>,

    /// Strategic merge patch of the Job, for what there is no option for; JSON or YAML
    #[arg(long, value_name = "FILE")]
    pub(crate) patch: Option<PathBuf>,

    /// Show the Job instead of running it: client makes it here, server asks the cluster
    #[arg(
        long,
        value_enum,
        value_name = "WHERE",
        num_args = 0..=1,
        default_missing_value = "client"
    )]
    pub(crate) dry_run: Option<DryRun>,
}

/// Who makes the Job that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// geoflow alone; no cluster is needed
    Client,
    /// The cluster, with its defaults and after its admission; nothing is created
    Server,
}

impl KubernetesArgs {
    /// What the options say, as a profile.
    pub(crate) fn profile(&self) -> Profile {
        let args = self.clone();
        Profile {
            image: args.image,
            image_pull_policy: args.image_pull_policy,
            image_pull_secrets: args.image_pull_secret,
            service_account: args.service_account,
            secrets: args.secret,
            config_maps: args.config_map,
            env: args.env.into_iter().collect(),
            cpu: args.cpu,
            cpu_limit: args.cpu_limit,
            memory: args.pod_memory,
            memory_cap: args.pod_memory_cap,
            spill: args.spill,
            resources: args.resource.into_iter().collect(),
            volumes: args.volume,
            node_selector: args.node_selector.into_iter().collect(),
            tolerations: args.toleration,
            priority_class: args.priority_class,
            runtime_class: args.runtime_class,
            labels: args.label.into_iter().collect(),
            annotations: args.annotation.into_iter().collect(),
            queue: args.queue,
            host_network: args.host_network.then_some(true),
            parallelism: args.parallelism,
            retries: args.pod_retries,
            max_failed: args.max_failed,
            deadline: args.deadline,
            ttl: args.ttl,
            patch: args.patch,
            ..Profile::default()
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err(format!("\"{text}\" is no NAME=VALUE")),
    }
}

fn quantity(text: &str) -> Result<Quantity, String> {
    match parse_quantity(text) {
        Some(_) => Ok(Quantity(text.to_string())),
        None => Err(format!(
            "\"{text}\" is no quantity of Kubernetes: write 500m, 2, 8Gi or the like"
        )),
    }
}

fn named_quantity(text: &str) -> Result<(String, Quantity), String> {
    let (name, value) = pair(text)?;
    Ok((name, quantity(&value)?))
}

fn claim(text: &str) -> Result<Claim, String> {
    let (mount, read_only) = match text.strip_suffix(":ro") {
        Some(mount) => (mount, true),
        None => (text, false),
    };
    match mount.split_once(':') {
        Some((claim, path)) if !claim.is_empty() && path.starts_with('/') => Ok(Claim {
            claim: claim.to_string(),
            path: path.to_string(),
            sub_path: None,
            read_only,
        }),
        _ => Err(format!("\"{text}\" is no CLAIM:PATH, as gis-data:/data")),
    }
}

fn toleration(text: &str) -> Result<Toleration, String> {
    let (taint, effect) = match text.rsplit_once(':') {
        Some((taint, effect)) => (taint, Some(effect.to_string())),
        None => (text, None),
    };
    let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    if effect
        .as_deref()
        .is_some_and(|effect| !known.contains(&effect))
        || taint.is_empty()
    {
        return Err(format!(
            "\"{text}\" is no KEY[=VALUE][:EFFECT], with an effect of {}",
            known.join(", ")
        ));
    }
    let (key, value) = match taint.split_once('=') {
        Some((key, value)) => (key, Some(value.to_string())),
        None => (taint, None),
    };
    Ok(Toleration {
        key: Some(key.to_string()),
        operator: Some(if value.is_some() { "Equal" } else { "Exists" }.to_string()),
        value,
        effect,
        toleration_seconds: None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn shorthands_are_read() {
        let volume = claim("gis-data:/data:ro").unwrap();
        assert_eq!((volume.path.as_str(), volume.read_only), ("/data", true));
        assert!(claim("gis-data").is_err() && claim("a:b").is_err());
        let taint = toleration("dedicated=gis:NoSchedule").unwrap();
        assert_eq!(taint.operator.as_deref(), Some("Equal"));
        assert_eq!(taint.effect.as_deref(), Some("NoSchedule"));
        assert_eq!(
            toleration("spot").unwrap().operator.as_deref(),
            Some("Exists")
        );
        assert!(toleration("a:Sometimes").is_err());
        assert!(quantity("8GB").is_err() && named_quantity("gpu").is_err());
    }
}
