//! Where the parts of a job's record lie.

use geoflow_engine::{Error, Result};

use super::record::{JobRecord, RECORD_VERSION};
use crate::plan::{Plan, StageKind};
use crate::storage::Folder;
use crate::task::{AttemptReport, TaskManifest};

/// The folder of a job.
#[derive(Debug, Clone)]
pub struct JobFolder {
    folder: Folder,
}

impl JobFolder {
    /// The job whose record is, or will be, in `folder`.
    pub fn new(folder: Folder) -> Self {
        Self { folder }
    }

    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The name of the plan, or of the `n`-th plan of fragments that were cut finer.
    pub fn plan_name(follow_up: Option<usize>) -> String {
        match follow_up {
            None => "plan.json".into(),
            Some(n) => format!("plans/{n}.json"),
        }
    }

    /// The name of the manifest of a fragment.
    pub fn manifest_name(stage: StageKind, fragment: &str) -> String {
        format!("manifests/{}/{fragment}.json", stage.name())
    }

    /// The name of the report of an attempt that failed.
    pub fn attempt_name(stage: StageKind, fragment: &str, attempt: &str) -> String {
        format!("attempts/{}/{fragment}-{attempt}.json", stage.name())
    }

    /// The name of what a task of the local runner said.
    pub fn log_name(stage: StageKind, fragment: &str, attempt: &str) -> String {
        format!("logs/{}/{fragment}-{attempt}.jsonl", stage.name())
    }

    /// The record, if there is one.
    ///
    /// # Errors
    /// [`Error::Statement`] when another version of geoflow wrote it, [`Error::Data`] when it cannot be
    /// understood, [`Error::Environment`] when it cannot be read.
    pub async fn record(&self) -> Result<Option<JobRecord>> {
        const NAME: &str = "job.json";
        let Some(bytes) = self.folder.get(NAME).await? else {
            return Ok(None);
        };
        let record: JobRecord = self.parse(NAME, &bytes)?;
        if record.version != RECORD_VERSION {
            return Err(Error::Statement(format!(
                "{} has version {}, this build of geoflow reads version {RECORD_VERSION}: use the geoflow {} that submitted the job",
                self.folder.display_object(NAME),
                record.version,
                record.geoflow
            )));
        }
        Ok(Some(record))
    }

    /// The plan, checked against the record.
    ///
    /// # Errors
    /// [`Error::Statement`] when it is not there or not the one that was submitted.
    pub async fn plan(&self, record: &JobRecord) -> Result<Plan> {
        let name = Self::plan_name(None);
        let shown = self.folder.display_object(&name);
        let bytes = self.folder.get(&name).await?;
        let bytes = bytes.ok_or_else(|| Error::Statement(format!("{shown} does not exist")))?;
        Plan::from_json_checked(&String::from_utf8_lossy(&bytes), &record.plan_sha256)
            .map_err(|e| Error::Statement(format!("{shown}: {e}")))
    }

    /// All manifests.
    ///
    /// # Errors
    /// [`Error::Data`] when one cannot be understood, [`Error::Environment`] when they cannot be read.
    pub async fn manifests(&self) -> Result<Vec<TaskManifest>> {
        self.all("manifests").await
    }

    /// The reports of all attempts that failed.
    ///
    /// # Errors
    /// As [`JobFolder::manifests`].
    pub async fn attempts(&self) -> Result<Vec<AttemptReport>> {
        self.all("attempts").await
    }

    async fn all<T: serde::de::DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>> {
        let folder = self.folder.folder(kind);
        let files = folder.get_all().await?;
        let parse =
            |(name, bytes): &(String, bytes::Bytes)| self.parse(&format!("{kind}/{name}"), bytes);
        files.iter().map(parse).collect()
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, name: &str, bytes: &[u8]) -> Result<T> {
        serde_json::from_slice(bytes).map_err(|e| {
            Error::Data(format!(
                "{} cannot be understood: {e}",
                self.folder.display_object(name)
            ))
        })
    }
}
