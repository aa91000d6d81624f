//! Where and how tasks run in a cluster: the `[kubernetes]` table of `geoflow.toml`.
//!
//! ```text
//!  geoflow.toml --\
//!                  >-- Profile (what was said) --> Settings (checked, with defaults) --> Job
//!  flags ---------/
//! ```
//!
//! Keys of geoflow's own are in kebab case; what Kubernetes defines (tolerations, affinity,
//! topology spread) is written as Kubernetes writes it. No key is passed over.

mod quantity;
mod read;
mod settings;
mod span;
mod strict;

pub use quantity::{bytes_of, memory_quantity, parse_quantity};
pub use settings::Settings;
pub use span::Span;

pub use k8s_openapi::api::core::v1::Toleration;
pub use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
pub use strict::{StrictError, strict};

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::{Affinity, TopologySpreadConstraint};
use serde::{Deserialize, Serialize};

/// What was said about the cluster. Nothing is checked yet, and what was not said is empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Profile {
    /// Context of the kubeconfig; else its current one.
    pub context: Option<String>,
    /// Namespace; else that of the context.
    pub namespace: Option<String>,
    /// Image of the tasks, with this same version of geoflow in it.
    pub image: Option<String>,
    /// `Always`, `IfNotPresent` or `Never`; else the cluster's default.
    pub image_pull_policy: Option<String>,
    /// Secrets with the registry's credentials.
    pub image_pull_secrets: Vec<String>,
    /// Service account of the tasks, whose web identity they have. Its Kubernetes token is never
    /// mounted.
    pub service_account: Option<String>,
    /// A web identity that no webhook of the cluster provides.
    pub web_identity: Option<WebIdentity>,
    /// Secrets whose keys become environment variables, such as `AWS_ACCESS_KEY_ID`.
    pub secrets: Vec<String>,
    /// ConfigMaps whose keys become environment variables.
    pub config_maps: Vec<String>,
    /// Environment variables that are no secret, such as `AWS_REGION`.
    pub env: BTreeMap<String, String>,
    /// Cores of a task.
    pub cpu: Option<Quantity>,
    /// Cores that a task may use if the node has them idle; else the same as `cpu`.
    pub cpu_limit: Option<Quantity>,
    /// Memory of a task, request and limit alike.
    pub memory: Option<Quantity>,
    /// The most memory that fragments are given that ran out of it.
    pub memory_cap: Option<Quantity>,
    /// Disk that a task may fill with spilled rows.
    pub spill: Option<Quantity>,
    /// Devices and other extended resources, such as `nvidia.com/gpu`.
    pub resources: BTreeMap<String, Quantity>,
    /// Claims to mount.
    pub volumes: Vec<Claim>,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that are tolerated.
    pub tolerations: Vec<Toleration>,
    /// Affinity to nodes and pods.
    pub affinity: Option<Affinity>,
    /// How tasks are spread; a constraint without a selector means the tasks of the same job.
    pub topology_spread: Vec<TopologySpreadConstraint>,
    /// Priority class.
    pub priority_class: Option<String>,
    /// Runtime class.
    pub runtime_class: Option<String>,
    /// Labels of the Job and its pods.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Job and its pods.
    pub annotations: BTreeMap<String, String>,
    /// Kueue's local queue that admits the Job.
    pub queue: Option<String>,
    /// Whether tasks use the node's own network.
    pub host_network: Option<bool>,
    /// User and group that a task runs as.
    pub user: Option<i64>,
    /// Tasks at once.
    pub parallelism: Option<i32>,
    /// How often a fragment is tried again.
    pub retries: Option<i32>,
    /// Failed fragments after which the rest is not tried any more; else all are tried.
    pub max_failed: Option<i32>,
    /// How long the Job of a stage may run.
    pub deadline: Option<Span>,
    /// How long a Job stays in the cluster once its results are recorded.
    pub ttl: Option<Span>,
    /// How long a task may take to stop.
    pub grace_period: Option<Span>,
    /// File with a strategic merge patch of the Job, JSON or YAML.
    pub patch: Option<PathBuf>,
}

/// A PersistentVolumeClaim, mounted into tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Claim {
    /// Name of the claim, in the namespace of the tasks.
    pub claim: String,
    /// Where it is mounted.
    pub path: String,
    /// Folder of the volume that is mounted; else its root.
    pub sub_path: Option<String>,
    /// Whether tasks only read it.
    pub read_only: bool,
}

/// A projected token of the service account, exchanged for credentials of object storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct WebIdentity {
    /// Role to assume.
    pub role_arn: String,
    /// Audience of the token; else `sts.amazonaws.com`.
    pub audience: Option<String>,
    /// How long a token is valid; else an hour.
    pub expiration: Option<Span>,
}

impl Profile {
    /// This profile, with what `flags` say in place of what it says. Maps and lists of names add
    /// up; of a map, the flags' values win.
    #[must_use]
    pub fn overlaid(mut self, flags: Profile) -> Profile {
        macro_rules! replace {
            ($($field:ident)*) => { $( if flags.$field.is_some() { self.$field = flags.$field; } )* };
        }
        macro_rules! extend {
            ($($field:ident)*) => { $( self.$field.extend(flags.$field); )* };
        }
        macro_rules! add {
            ($($field:ident)*) => { $( for item in flags.$field {
                if !self.$field.contains(&item) { self.$field.push(item); }
            } )* };
        }
        replace! {
            context namespace image image_pull_policy service_account web_identity cpu cpu_limit
            memory memory_cap spill affinity priority_class runtime_class queue host_network user
            parallelism retries max_failed deadline ttl grace_period patch
        }
        extend! { env resources node_selector labels annotations }
        add! { image_pull_secrets secrets config_maps volumes tolerations topology_spread }
        self
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn flags_win_and_add() {
        let file = Profile::from_toml(
            "[kubernetes]\nimage = \"a\"\nsecrets = [\"s3\"]\nlabels = {team = \"gis\", tier = \"1\"}",
            "geoflow.toml",
        )
        .unwrap();
        let flags = Profile {
            image: Some("b".into()),
            secrets: vec!["s3".into(), "more".into()],
            labels: [("tier".to_string(), "2".to_string())].into(),
            ..Profile::default()
        };
        let both = file.overlaid(flags);
        assert_eq!(both.image.as_deref(), Some("b"));
        assert_eq!(both.secrets, ["s3", "more"]);
        assert_eq!(both.labels["team"], "gis");
        assert_eq!(both.labels["tier"], "2");
    }
}
