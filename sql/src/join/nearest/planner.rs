//! From the node to the operator.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, JoinSide};
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use geoflow_engine::join::{JoinPredicate, SpatialJoinExec, SpatialOn};

use super::node::NearestJoinNode;

/// DataFusion's planner, told about joins by nearest neighbours.
#[derive(Debug, Default)]
pub struct SpatialQueryPlanner {}

#[async_trait]
impl QueryPlanner for SpatialQueryPlanner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(NearestJoinPlanner {})])
            .create_physical_plan(logical_plan, session)
            .await
    }
}

struct NearestJoinPlanner {}

#[async_trait]
impl ExtensionPlanner for NearestJoinPlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        planning_ctx: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<NearestJoinNode>() else {
            return Ok(None);
        };
        let [left, right] = physical_inputs else {
            return Ok(None);
        };
        let expr = |expr: &Expr, schema: &DFSchema| {
            planner.create_physical_expr(expr, schema, session, planning_ctx)
        };
        let on = SpatialOn::new(
            JoinPredicate::Nearest { k: node.k },
            expr(&node.left_geometry, node.left.schema())?,
            expr(&node.right_geometry, node.right.schema())?,
        );
        let filter = match &node.residual {
            None => None,
            Some(residual) => {
                let (schema, filter) = filter_schema(node, residual)?;
                let condition = expr(residual, &schema)?;
                Some(filter(condition))
            }
        };
        let mut join = SpatialJoinExec::try_new(
            Arc::clone(left),
            in_order(right)?,
            on,
            filter,
            node.join_type,
            JoinSide::Right,
            None,
        )?;
        let ties = node.ties.iter().map(|tie| {
            let options = SortOptions {
                descending: !tie.asc,
                nulls_first: tie.nulls_first,
            };
            let by = expr(&tie.expr, node.right.schema())?;
            Ok(PhysicalSortExpr::new(by, options))
        });
        if let Some(ties) = LexOrdering::new(ties.collect::<Result<Vec<_>>>()?) {
            join = join.with_build_order(ties);
        }
        if let Some(distance) = node.distance_field() {
            join = join.with_distances(distance)?;
        }
        Ok(Some(Arc::new(join)))
    }
}

/// The same rows, always in the same order: of rows at the same distance the first are taken, and partitions of a scan
/// would else read each other's files when they have time.
fn in_order(plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan)
        .transform_down(|node| {
            Ok(match node.with_preserve_order(true) {
                Some(ordered) => Transformed::yes(ordered),
                None => Transformed::no(node),
            })
        })
        .data()
}

type MakeFilter = Box<dyn FnOnce(datafusion::physical_expr::PhysicalExprRef) -> JoinFilter + Send>;

/// The columns that a residual condition needs, as a schema of their own.
fn filter_schema(node: &NearestJoinNode, residual: &Expr) -> Result<(DFSchema, MakeFilter)> {
    let used = residual.column_refs();
    let indices = |schema: &DFSchema| -> Vec<usize> {
        let mut all: Vec<usize> = used
            .iter()
            .filter_map(|column| schema.maybe_index_of_column(column))
            .collect();
        all.sort_unstable();
        all
    };
    let (left, right) = (node.left.schema(), node.right.schema());
    let (left_indices, right_indices) = (indices(left), indices(right));
    let field = |schema: &DFSchema, i: usize| {
        let (qualifier, field) = schema.qualified_field(i);
        (qualifier.cloned(), Arc::clone(field))
    };
    let fields: Vec<_> = left_indices
        .iter()
        .map(|&i| field(left, i))
        .chain(right_indices.iter().map(|&i| field(right, i)))
        .collect();
    let schema = Schema::new(
        fields
            .iter()
            .map(|(_, f)| Arc::clone(f))
            .collect::<Vec<_>>(),
    );
    let filter: MakeFilter = Box::new(move |condition| {
        let columns = JoinFilter::build_column_indices(left_indices, right_indices);
        JoinFilter::new(condition, columns, Arc::new(schema))
    });
    let metadata = left.metadata().clone();
    Ok((DFSchema::new_with_metadata(fields, metadata)?, filter))
}
