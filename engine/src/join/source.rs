//! The geometry of one input of a join, and where it comes from.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not, or};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;

use super::build::geometry_type;
use crate::Error;
use crate::geometry::{GeometryType, InvalidPolicy};

/// Files that are named before the others are only counted.
const NAMED: usize = 3;

/// The geometry of one input, and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct GeometrySource {
    pub expr: PhysicalExprRef,
    pub ty: GeometryType,
    /// What messages call it.
    pub name: Arc<str>,
    /// The files that the input reads.
    files: Option<Arc<str>>,
}

impl GeometrySource {
    /// The source of `expr` over the rows of `plan`.
    pub(super) fn try_new(expr: &PhysicalExprRef, plan: &Arc<dyn ExecutionPlan>) -> Result<Self> {
        let name = match expr.downcast_ref::<Column>() {
            Some(column) => column.name().into(),
            None => expr.to_string().into(),
        };
        Ok(Self {
            ty: geometry_type(expr, &plan.schema())?,
            expr: Arc::clone(expr),
            name,
            files: files_of(plan),
        })
    }

    pub(super) fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        self.expr.evaluate(batch)?.into_array(batch.num_rows())
    }

    /// The rows that are to be taken for NULL.
    pub(super) fn find_nulled(
        &self,
        array: &ArrayRef,
        policy: &InvalidPolicy,
    ) -> Result<Option<BooleanArray>> {
        match policy.skips() {
            // They have been left out.
            true => Ok(None),
            false => Ok(policy.find(array, &self.ty, &self.name)?),
        }
    }

    /// Names the column that an invalid geometry stands in, the files it may come from, and what can be
    /// done.
    pub(super) fn named(&self, error: Error) -> DataFusionError {
        let error = match error {
            Error::Geometry { .. } => {
                let files = match &self.files {
                    Some(files) => format!(" (read from {files})"),
                    None => String::new(),
                };
                let named = error.in_column(&self.name);
                Error::Data(format!(
                    "{named}{files}. SET geoflow.on_invalid = 'null' or 'skip' goes on without such rows"
                ))
            }
            other => other,
        };
        error.into()
    }
}

/// Leaves out the rows that have an invalid geometry, if that is what the policy asks for.
pub(super) fn skip_invalid<'a>(
    batch: RecordBatch,
    sources: impl Iterator<Item = &'a GeometrySource>,
    policy: &InvalidPolicy,
) -> Result<RecordBatch> {
    if !policy.skips() {
        return Ok(batch);
    }
    let mut invalid: Option<BooleanArray> = None;
    for source in sources {
        let found = policy.find(&source.evaluate(&batch)?, &source.ty, &source.name)?;
        invalid = match (invalid, found) {
            (Some(a), Some(b)) => Some(or(&a, &b)?),
            (a, b) => a.or(b),
        };
    }
    Ok(match invalid {
        Some(invalid) => filter_record_batch(&batch, &not(&invalid)?)?,
        None => batch,
    })
}

/// The files that `plan` reads, as a message says it: `cities.parquet`, or `a.parquet, b.parquet,
/// c.parquet or 5 more`. `None` where it reads none.
fn files_of(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<str>> {
    let mut files = vec![];
    gather(plan, &mut files);
    files.sort();
    files.dedup();
    let more = files.len().saturating_sub(NAMED);
    files.truncate(NAMED);
    let mut text = match files.is_empty() {
        true => return None,
        false => files.join(", "),
    };
    if more > 0 {
        text.push_str(&format!(" or {more} more"));
    }
    Some(text.into())
}

fn gather(plan: &Arc<dyn ExecutionPlan>, files: &mut Vec<String>) {
    if let Some(scan) = plan.downcast_ref::<DataSourceExec>()
        && let Some(config) = scan.data_source().downcast_ref::<FileScanConfig>()
    {
        let groups = config.file_groups.iter();
        let all = groups.flat_map(|group| group.files());
        files.extend(all.map(|file| file.object_meta.location.to_string()));
    }
    for child in plan.children() {
        gather(child, files);
    }
}
