//! The pod of a task, under the restricted Pod Security profile.
//!
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapEnvSource, Container, EnvFromSource, EnvVar, LocalObjectReference,
    PodSecurityContext, PodSpec, ResourceRequirements, SeccompProfile, SecretEnvSource,
    SecurityContext, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::volumes::{mounts, volumes, web_identity_env};
use super::{JOB_LABEL, StageJob};
use crate::profile::{Settings, memory_quantity};

/// Name of the container that runs the task.
pub const CONTAINER: &str = "task";

pub(super) fn pod(stage: &StageJob, settings: &Settings) -> PodSpec {
    let profile = &settings.profile;
    PodSpec {
        restart_policy: Some("Never".into()),
        automount_service_account_token: Some(false),
        // Else every Service of the namespace becomes a handful of variables.
        enable_service_links: Some(false),
        service_account_name: profile.service_account.clone(),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(settings.user),
            run_as_group: Some(settings.user),
            fs_group: Some(settings.user),
            fs_group_change_policy: Some("OnRootMismatch".into()),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".into(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        termination_grace_period_seconds: Some(settings.grace_period.seconds),
        host_network: profile.host_network.filter(|host| *host),
        image_pull_secrets: some(
            profile
                .image_pull_secrets
                .iter()
                .map(|name| LocalObjectReference { name: name.clone() })
                .collect(),
        ),
        node_selector: (!profile.node_selector.is_empty()).then(|| profile.node_selector.clone()),
        tolerations: some(profile.tolerations.clone()),
        affinity: profile.affinity.clone(),
        topology_spread_constraints: some(topology_spread(stage, settings)),
        priority_class_name: profile.priority_class.clone(),
        runtime_class_name: profile.runtime_class.clone(),
        volumes: Some(volumes(settings)),
        containers: vec![container(stage, settings)],
        ..PodSpec::default()
    }
}

fn container(stage: &StageJob, settings: &Settings) -> Container {
    let profile = &settings.profile;
    Container {
        name: CONTAINER.into(),
        image: Some(settings.image.clone()),
        image_pull_policy: profile.image_pull_policy.clone(),
        args: Some(stage.args.clone()),
        env: some(environment(settings)),
        env_from: some(environment_sources(settings)),
        resources: Some(resources(stage, settings)),
        volume_mounts: Some(mounts(settings)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".into()]),
                add: None,
            }),
            ..SecurityContext::default()
        }),
        // The last lines of a failed task stay readable in its status when its log is gone.
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..Container::default()
    }
}

fn environment(settings: &Settings) -> Vec<EnvVar> {
    let mut environment: Vec<EnvVar> = settings
        .profile
        .env
        .iter()
        .map(|(name, value)| EnvVar {
            name: name.clone(),
            value: Some(value.clone()),
            value_from: None,
        })
        .collect();
    environment.extend(web_identity_env(settings));
    environment
}

fn environment_sources(settings: &Settings) -> Vec<EnvFromSource> {
    let config_maps = settings
        .profile
        .config_maps
        .iter()
        .map(|name| EnvFromSource {
            config_map_ref: Some(ConfigMapEnvSource {
                name: name.clone(),
                optional: None,
            }),
            ..EnvFromSource::default()
        });
    let secrets = settings.profile.secrets.iter().map(|name| EnvFromSource {
        secret_ref: Some(SecretEnvSource {
            name: name.clone(),
            optional: None,
        }),
        ..EnvFromSource::default()
    });
    config_maps.chain(secrets).collect()
}

/// Memory that is requested is memory that is there: a task that outgrows it dies alone, and
/// never because of its neighbours. A core limit equal to the request makes runs comparable and
/// tells the task how many threads to start.
fn resources(stage: &StageJob, settings: &Settings) -> ResourceRequirements {
    let memory = memory_quantity(stage.memory.unwrap_or(settings.memory));
    let extended = &settings.profile.resources;
    let with = |cpu: &Quantity| {
        let mut map: BTreeMap<String, Quantity> = extended.clone();
        map.insert("cpu".into(), cpu.clone());
        map.insert("memory".into(), memory.clone());
        Some(map)
    };
    ResourceRequirements {
        requests: with(&settings.cpu),
        limits: with(&settings.cpu_limit),
        claims: None,
    }
}

fn topology_spread(stage: &StageJob, settings: &Settings) -> Vec<TopologySpreadConstraint> {
    let ours = LabelSelector {
        match_labels: Some([(JOB_LABEL.to_string(), stage.job.clone())].into()),
        match_expressions: None,
    };
    let mut constraints = settings.profile.topology_spread.clone();
    for constraint in &mut constraints {
        constraint
            .label_selector
            .get_or_insert_with(|| ours.clone());
    }
    constraints
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
