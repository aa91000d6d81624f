//! Files that are read from their beginning to their end, as a table.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::scan::FeatureScanExec;
use super::source::FeatureSource;
use super::views::viewed_schema;
use crate::Error;

/// One [`FeatureSource`] or several of one schema, as a table. Memory holds the few batches that are under
/// way.
#[derive(Debug)]
pub struct FeatureTable {
    sources: Vec<Arc<dyn FeatureSource>>,
    schema: SchemaRef,
}

impl FeatureTable {
    /// A table of what `source` reads.
    pub fn new(source: Arc<dyn FeatureSource>) -> Self {
        Self {
            schema: viewed_schema(source.schema()),
            sources: vec![source],
        }
    }

    /// A table of what several sources read, one after another. Their columns must have the same names and
    /// types, geometries the same CRS.
    ///
    /// # Errors
    /// [`Error::Data`] that names the two that differ, and the column.
    pub fn of_all(sources: Vec<Arc<dyn FeatureSource>>) -> crate::Result<Self> {
        let Some(first) = sources.first() else {
            return Err(Error::Internal("a table of no source".into()));
        };
        for other in &sources {
            if let Some(what) = difference(first.schema(), other.schema()) {
                return Err(Error::Data(format!(
                    "{} and {} cannot be one table: {what}",
                    first.name(),
                    other.name()
                )));
            }
        }
        Ok(Self {
            schema: viewed_schema(first.schema()),
            sources,
        })
    }
}

/// How two schemas differ.
fn difference(a: &Schema, b: &Schema) -> Option<String> {
    if a.fields().len() != b.fields().len() {
        return Some(format!(
            "they have {} and {} columns",
            a.fields().len(),
            b.fields().len()
        ));
    }
    let differ = |(a, b): &(_, _)| a != b;
    let (a, b): (&Arc<_>, &Arc<_>) = a.fields().iter().zip(b.fields()).find(differ)?;
    Some(if a.name() != b.name() {
        format!(
            "column \"{}\" of the one is \"{}\" in the other",
            a.name(),
            b.name()
        )
    } else if a.data_type() != b.data_type() {
        format!(
            "column \"{}\" is {} in the one and {} in the other",
            a.name(),
            a.data_type(),
            b.data_type()
        )
    } else if a.is_nullable() != b.is_nullable() {
        format!("column \"{}\" may be NULL in one of them only", a.name())
    } else {
        format!("column \"{}\" is in another CRS in each", a.name())
    })
}

#[async_trait]
impl TableProvider for FeatureTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = (0..self.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or(all);
        let partitions = session.config().target_partitions();
        let scan = FeatureScanExec::try_new(self.sources.clone(), projection, limit, partitions)?;
        Ok(Arc::new(scan))
    }
}
