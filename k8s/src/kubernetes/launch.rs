//! How the Jobs of a job are made, kept beside its plan.

use geoflow_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::job::JobFolder;
use crate::manifest::Patch;
use crate::profile::{Profile, Settings, strict};

/// The name of the file in the job's folder.
const NAME: &str = "kubernetes.json";
const VERSION: u32 = 1;

/// The profile and the patch that a job was submitted with. Later stages, follow-ups and a resume
/// from another machine use the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// The namespace, resolved.
    pub namespace: String,
    /// What the Jobs are made from.
    pub settings: Settings,
    /// What is changed in them.
    pub patch: Option<Patch>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Written {
    version: u32,
    namespace: String,
    profile: serde_json::Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patch: Option<serde_json::Value>,
}

impl Launch {
    /// Keeps it in the job's folder, in place of what is there.
    ///
    /// # Errors
    /// [`Error::Environment`] when it cannot be written.
    pub async fn write(&self, folder: &JobFolder) -> Result<()> {
        let broken = |error: serde_json::Error| Error::Internal(error.to_string());
        let written = Written {
            version: VERSION,
            namespace: self.namespace.clone(),
            profile: serde_json::to_value(&self.settings.profile).map_err(broken)?,
            patch: self.patch.as_ref().map(|patch| patch.value().clone()),
        };
        let json = serde_json::to_vec(&written).map_err(broken)?;
        folder.folder().put(NAME, json).await
    }

    /// Reads it back; `None` if the job was never submitted to a cluster.
    ///
    /// # Errors
    /// [`Error::Data`] when it cannot be understood, [`Error::Environment`] when it cannot be read.
    pub async fn read(folder: &JobFolder) -> Result<Option<Launch>> {
        let Some(bytes) = folder.folder().get(NAME).await? else {
            return Ok(None);
        };
        let broken = |why: String| {
            let name = folder.folder().display_object(NAME);
            Error::Data(format!("{name} cannot be understood: {why}"))
        };
        let written: Written =
            serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if written.version != VERSION {
            return Err(broken(format!(
                "it has version {}, this build of geoflow reads {VERSION}",
                written.version
            )));
        }
        let profile: Profile =
            strict(&written.profile).map_err(|error| broken(error.to_string()))?;
        Ok(Some(Launch {
            namespace: written.namespace,
            settings: Settings::resolve(profile)?,
            patch: written
                .patch
                .map(|value| Patch::from_value(value, NAME))
                .transpose()?,
        }))
    }
}
