//! The folder that a job writes to, before it does.

use geoflow_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use super::success::read_success;
use crate::plan::Plan;
use crate::storage::{Created, Folder};

/// Says to which job an output belongs that is not committed.
pub(super) const CLAIM: &str = "_JOB";

#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    job: String,
    record: String,
}

/// Refuses a folder with anything in it.
///
/// # Errors
/// [`Error::Statement`] that says what is there, [`Error::Environment`] when that cannot be found out.
pub async fn check_free(output: &Folder) -> Result<()> {
    let there = output.list().await?;
    let Some((first, _)) = there.first() else {
        return Ok(());
    };
    let shown = output.display();
    if there.iter().any(|(name, _)| name == CLAIM) {
        return Err(belongs(output, output.get(CLAIM).await?.as_deref()));
    }
    let what = match there.iter().any(|(name, _)| name == "_SUCCESS") {
        true => "the output of a job that is done".to_owned(),
        false => format!("{} files, {first} among them", there.len()),
    };
    Err(Error::Statement(format!(
        "{shown} exists already ({what}): write to another folder, or delete this one first"
    )))
}

/// Takes the output for a job that is to be run, so that no other writes to it meanwhile. Done again, as by those
/// who resume, it changes nothing.
///
/// # Errors
/// [`Error::Statement`] when another job has it, [`Error::Data`] when another was committed there,
/// [`Error::Environment`] when it cannot be written to.
pub async fn claim(output: &Folder, plan: &Plan, record: &str) -> Result<()> {
    if plan.sink.append || read_success(output, plan).await?.is_some() {
        return Ok(());
    }
    let claim = Claim {
        job: plan.job.clone(),
        record: record.to_owned(),
    };
    let json = serde_json::to_vec(&claim).map_err(|e| Error::Internal(e.to_string()))?;
    match output.create(CLAIM, json).await? {
        Created::Ours => {}
        Created::Theirs(there) => return Err(belongs(output, Some(&there))),
    }
    // Another job may have come to its end since the folder was found free.
    match read_success(output, plan).await {
        Ok(_) => Ok(()),
        Err(error) => {
            release(output).await?;
            Err(error)
        }
    }
}

fn belongs(output: &Folder, claim: Option<&[u8]>) -> Error {
    let shown = output.display();
    let claim = claim.and_then(|bytes| serde_json::from_slice::<Claim>(bytes).ok());
    match claim {
        Some(Claim { job, record }) => Error::Statement(format!(
            "{shown} belongs to the job {job}, which is not done (its record is {record}): `geoflow job resume {job}` goes on with it; or delete the folder, or write to another one"
        )),
        None => Error::Statement(format!(
            "{shown} belongs to another job: write to another folder, or delete this one first"
        )),
    }
}

/// Gives the folder free of jobs again.
pub(super) async fn release(output: &Folder) -> Result<()> {
    output.delete(CLAIM).await
}
