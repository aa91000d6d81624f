//! What a task sees of disks: spill space, claims, the token of a web identity.

use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, EnvVar, PersistentVolumeClaimVolumeSource, ProjectedVolumeSource,
    ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};

use crate::profile::{Settings, WebIdentity};

/// The only place that a task can write to beside its claims, as its root is read-only.
const SPILL_PATH: &str = "/tmp";
const TOKEN_FOLDER: &str = "/var/run/secrets/geoflow.io/web-identity";

pub(super) fn volumes(settings: &Settings) -> Vec<Volume> {
    let spill = Volume {
        name: "spill".into(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(settings.spill.clone()),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    };
    let mut volumes = vec![spill];
    let claims = &settings.profile.volumes;
    for (i, claim) in claims.iter().enumerate() {
        // Two folders of one claim are one volume.
        if claims[..i].iter().any(|other| other.claim == claim.claim) {
            continue;
        }
        volumes.push(Volume {
            name: volume_name(settings, i),
            persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                claim_name: claim.claim.clone(),
                read_only: None, // each mount says for itself
            }),
            ..Volume::default()
        });
    }
    if let Some(identity) = &settings.profile.web_identity {
        volumes.push(token(identity));
    }
    volumes
}

pub(super) fn mounts(settings: &Settings) -> Vec<VolumeMount> {
    let mut mounts = vec![VolumeMount {
        name: "spill".into(),
        mount_path: SPILL_PATH.into(),
        ..VolumeMount::default()
    }];
    for (i, claim) in settings.profile.volumes.iter().enumerate() {
        mounts.push(VolumeMount {
            name: volume_name(settings, i),
            mount_path: claim.path.clone(),
            sub_path: claim.sub_path.clone(),
            read_only: claim.read_only.then_some(true),
            ..VolumeMount::default()
        });
    }
    if settings.profile.web_identity.is_some() {
        mounts.push(VolumeMount {
            name: "web-identity".into(),
            mount_path: TOKEN_FOLDER.into(),
            read_only: Some(true),
            ..VolumeMount::default()
        });
    }
    mounts
}

/// By number, as the name of a claim may be longer than that of a volume.
fn volume_name(settings: &Settings, i: usize) -> String {
    let claims = &settings.profile.volumes;
    let first = claims
        .iter()
        .position(|other| other.claim == claims[i].claim)
        .unwrap_or(i);
    format!("data-{first}")
}

/// For object storage alone: the audience makes it worthless to the cluster's API.
fn token(identity: &WebIdentity) -> Volume {
    let audience = identity.audience.as_deref().unwrap_or("sts.amazonaws.com");
    Volume {
        name: "web-identity".into(),
        projected: Some(ProjectedVolumeSource {
            sources: Some(vec![VolumeProjection {
                service_account_token: Some(ServiceAccountTokenProjection {
                    audience: Some(audience.into()),
                    expiration_seconds: Some(identity.expiration.map_or(3600, |span| span.seconds)),
                    path: "token".into(),
                }),
                ..VolumeProjection::default()
            }]),
            ..ProjectedVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Where the clients of object storage look for the token.
pub(super) fn web_identity_env(settings: &Settings) -> Vec<EnvVar> {
    let Some(identity) = &settings.profile.web_identity else {
        return Vec::new();
    };
    [
        ("AWS_ROLE_ARN", identity.role_arn.clone()),
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            format!("{TOKEN_FOLDER}/token"),
        ),
    ]
    .map(|(name, value)| EnvVar {
        name: name.into(),
        value: Some(value),
        value_from: None,
    })
    .into()
}
