//! The scans of a statement: found in its logical plan, and put in place of others.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;

/// A table where a statement reads it.
pub(crate) struct FoundScan {
    pub(crate) name: TableReference,
    pub(crate) table: Arc<dyn TableProvider>,
}

/// The scans of a plan that is not optimized yet, those in subqueries included. The same statement
/// gives them in the same order.
pub(crate) fn find(plan: &LogicalPlan) -> Result<Vec<FoundScan>> {
    let mut found = vec![];
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.push(FoundScan {
                name: scan.table_name.clone(),
                table: source_as_provider(&scan.source)?,
            });
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Puts other tables in the places of scans; `None` leaves one as it is.
pub(crate) fn replace(
    plan: LogicalPlan,
    tables: &[Option<Arc<dyn TableProvider>>],
) -> Result<LogicalPlan> {
    let mut at = 0;
    plan.transform_down_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else {
            return Ok(Transformed::no(node));
        };
        let table = tables.get(at).cloned().flatten();
        at += 1;
        Ok(match table {
            Some(table) => {
                scan.source = provider_as_source(table);
                Transformed::yes(LogicalPlan::TableScan(scan))
            }
            None => Transformed::no(LogicalPlan::TableScan(scan)),
        })
    })
    .data()
}
