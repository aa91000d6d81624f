//! The logical node.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::common::{Column, DFSchemaRef, JoinType, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore, build_join_schema};

/// `left JOIN right ON ST_KNN(left_geometry, right_geometry, k) AND residual`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct NearestJoinNode {
    pub left: Arc<LogicalPlan>,
    pub right: Arc<LogicalPlan>,
    pub left_geometry: Expr,
    pub right_geometry: Expr,
    pub k: usize,
    /// What must hold of a row and one of its nearest, beside.
    pub residual: Option<Expr>,
    /// Inner or left.
    pub join_type: JoinType,
    pub schema: DFSchemaRef,
}

impl NearestJoinNode {
    /// How many columns the left input has.
    fn left_width(&self) -> usize {
        self.left.schema().fields().len()
    }
}

impl PartialOrd for NearestJoinNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (
            &self.left,
            &self.right,
            &self.left_geometry,
            &self.right_geometry,
            self.k,
        )
            .partial_cmp(&(
                &other.left,
                &other.right,
                &other.left_geometry,
                &other.right_geometry,
                other.k,
            ))
    }
}

impl UserDefinedLogicalNodeCore for NearestJoinNode {
    fn name(&self) -> &str {
        "NearestJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        [self.left_geometry.clone(), self.right_geometry.clone()]
            .into_iter()
            .chain(self.residual.clone())
            .collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = (&self.left_geometry, &self.right_geometry);
        write!(
            f,
            "NearestJoin: {} on ST_KNN({left}, {right}, {})",
            self.join_type, self.k
        )?;
        match &self.residual {
            Some(residual) => write!(f, ", filter={residual}"),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (mut exprs, mut inputs) = (exprs.into_iter(), inputs.into_iter());
        let (Some(left_geometry), Some(right_geometry), Some(left), Some(right)) =
            (exprs.next(), exprs.next(), inputs.next(), inputs.next())
        else {
            return plan_err!("NearestJoin has two inputs and two geometries");
        };
        let schema = build_join_schema(left.schema(), right.schema(), &self.join_type)?;
        Ok(Self {
            left: Arc::new(left),
            right: Arc::new(right),
            left_geometry,
            right_geometry,
            k: self.k,
            residual: exprs.next(),
            join_type: self.join_type,
            schema: Arc::new(schema),
        })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.left_width();
        let expressions = self.expressions();
        let used: Vec<&Column> = expressions.iter().flat_map(Expr::column_refs).collect();
        let wanted = |plan: &LogicalPlan, outputs: Vec<usize>| {
            let own = used
                .iter()
                .filter_map(|column| plan.schema().maybe_index_of_column(column));
            let mut all: Vec<usize> = outputs.into_iter().chain(own).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (left, right): (Vec<usize>, Vec<usize>) =
            output_columns.iter().partition(|&&i| i < width);
        Some(vec![
            wanted(&self.left, left),
            wanted(&self.right, right.into_iter().map(|i| i - width).collect()),
        ])
    }
}
