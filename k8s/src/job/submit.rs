//! A job comes to be: planned, its output taken, its record written.

use chrono::Utc;
use datafusion::execution::object_store::ObjectStoreRegistry;
use geoflow_engine::{Error, Result};
use geoflow_sql::Session;

use super::{JobFolder, JobRecord, RECORD_VERSION, RunnerKind};
use crate::commit::{check_free, claim};
use crate::plan::{Plan, sha256_hex};
use crate::planner::Planned;
use crate::storage::{Created, Folder};
use crate::task::attempt_id;

/// A job with its record.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its folder.
    pub folder: JobFolder,
    /// Its record.
    pub record: JobRecord,
    /// Its plan.
    pub plan: Plan,
}

/// A new id: the time of its making, and something that no other job has.
pub fn new_job_id() -> String {
    format!(
        "{}-{}",
        Utc::now().format("%Y%m%d-%H%M%S"),
        &attempt_id()[..4]
    )
}

/// Writes the record of a job below `root`. Nothing runs yet.
///
/// # Errors
/// [`Error::Statement`] when the output exists, and [`Error::Environment`] when
/// nothing can be written there or below `root`. Then nothing is left behind.
pub async fn submit(
    session: &Session,
    planned: Planned,
    runner: RunnerKind,
    root: &Folder,
) -> Result<Job> {
    let Planned { plan, estimate } = planned;
    let registry = &session.context().runtime_env().object_store_registry;
    let output = Folder::open(registry.as_ref(), &plan.sink.output)?;
    if !plan.sink.append {
        check_free(&output).await?;
    }
    let text = plan.to_json().map_err(|e| Error::Internal(e.to_string()))?;
    let record = JobRecord {
        version: RECORD_VERSION,
        geoflow: env!("CARGO_PKG_VERSION").into(),
        id: plan.job.clone(),
        created: Utc::now().to_rfc3339(),
        runner,
        statement: plan.statement.clone(),
        output: plan.sink.output.clone(),
        plan_sha256: sha256_hex(text.as_bytes()),
        stages: plan
            .stages
            .iter()
            .map(|stage| (stage.kind, stage.fragments.len()))
            .collect(),
        input_rows: plan.tables.iter().map(|table| table.rows()).sum(),
        input_bytes: estimate.stages.first().map_or(0, |stage| stage.bytes),
    };
    let folder = root.folder(&plan.job);
    write_new(&folder, &JobFolder::plan_name(None), text).await?;
    let json = serde_json::to_string_pretty(&record).map_err(|e| Error::Internal(e.to_string()))?;
    write_new(&folder, "job.json", json).await?;
    if let Err(error) = claim(&output, &plan, &folder.display()).await {
        folder.delete("job.json").await?;
        folder.delete(&JobFolder::plan_name(None)).await?;
        return Err(error);
    }
    let folder = JobFolder::new(folder);
    Ok(Job {
        folder,
        record,
        plan,
    })
}

async fn write_new(folder: &Folder, name: &str, text: String) -> Result<()> {
    match folder.create(name, text).await? {
        Created::Ours => Ok(()),
        Created::Theirs(_) => Err(Error::Statement(format!(
            "{} exists already: there is a job of this name",
            folder.display_object(name)
        ))),
    }
}

impl Job {
    /// The job whose record is in a folder.
    ///
    /// # Errors
    /// [`Error::Statement`] when there is none, or it was written by another version.
    pub async fn open(folder: Folder) -> Result<Self> {
        let shown = folder.display();
        let folder = JobFolder::new(folder);
        let record = folder
            .record()
            .await?
            .ok_or_else(|| Error::Statement(format!("there is no job in {shown}")))?;
        let plan = folder.plan(&record).await?;
        Ok(Self {
            folder,
            record,
            plan,
        })
    }

    /// The folder that it writes to.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub fn output(&self, registry: &dyn ObjectStoreRegistry) -> Result<Folder> {
        Folder::open(registry, &self.plan.sink.output)
    }

    /// Takes the output for the job, as [`submit`] does: whoever has submitted it may have been killed before that.
    ///
    /// # Errors
    /// As [`claim`].
    pub async fn claim(&self, registry: &dyn ObjectStoreRegistry) -> Result<()> {
        let record = self.folder.folder().display();
        claim(&self.output(registry)?, &self.plan, &record).await
    }

    /// Asks whoever runs it to stop. What is done stays, and the job can be resumed.
    ///
    /// # Errors
    /// [`Error::Environment`] when the record cannot be written.
    pub async fn cancel(&self) -> Result<()> {
        let at = serde_json::json!({ "at": Utc::now().to_rfc3339() });
        self.folder
            .folder()
            .put("cancelled.json", at.to_string())
            .await
    }

    /// Takes a cancellation back.
    ///
    /// # Errors
    /// [`Error::Environment`] when the record cannot be written.
    pub async fn uncancel(&self) -> Result<()> {
        self.folder.folder().delete("cancelled.json").await
    }
}
