//! What pairs must satisfy beside the spatial predicate.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use datafusion::common::JoinSide;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
};
use datafusion::physical_plan::joins::utils::JoinFilter;

use super::on::{JoinPredicate, SpatialOn};
use super::probe::Pairs;

/// So many candidates are asked before it is decided which comes first, residual or geometry.
const SAMPLE: usize = 1 << 14;

/// A residual condition.
#[derive(Clone)]
pub(super) struct Residual {
    filter: JoinFilter,
    build_side: JoinSide,
    /// It costs less than a look at two geometries, cannot fail, and may be asked of any candidate.
    may_go_first: bool,
}

/// How many candidates have been asked, and how many satisfied it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    all: usize,
    kept: usize,
}

/// A residual, and the batches that pairs are rows of.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub residual: &'a Residual,
    pub build: &'a RecordBatch,
    pub probe: &'a RecordBatch,
}

impl Beside<'_> {
    /// Drops the pairs that do not satisfy it; NULL does not.
    pub(super) fn apply(&self, pairs: &mut Pairs, asked: &mut Asked) -> Result<()> {
        self.residual.apply(self.build, self.probe, pairs, asked)
    }
}

impl Residual {
    pub(super) fn new(filter: JoinFilter, on: &SpatialOn, build_side: JoinSide) -> Result<Self> {
        // Which rows are the nearest does not depend on the residual.
        let nearest = matches!(on.predicate, JoinPredicate::Nearest { .. });
        let may_go_first = !nearest && is_comparison(filter.expression())?;
        Ok(Self {
            filter,
            build_side,
            may_go_first,
        })
    }

    /// Whether candidates are asked before geometries are looked at: as long as that rids of some.
    pub(super) fn goes_first(&self, asked: &Asked) -> bool {
        self.may_go_first && (asked.all < SAMPLE || asked.kept < asked.all / 8 * 7)
    }

    /// Drops the pairs that do not satisfy it; NULL does not.
    pub(super) fn apply(
        &self,
        build: &RecordBatch,
        probe: &RecordBatch,
        pairs: &mut Pairs,
        asked: &mut Asked,
    ) -> Result<()> {
        let all = pairs.len();
        if all == 0 {
            return Ok(());
        }
        let build_rows = UInt32Array::from(pairs.build.clone());
        let probe_rows = UInt32Array::from(pairs.probe.clone());
        let mut arrays = Vec::with_capacity(self.filter.column_indices().len());
        for column in self.filter.column_indices() {
            arrays.push(if column.side == self.build_side {
                take(build.column(column.index), &build_rows, None)?
            } else {
                take(probe.column(column.index), &probe_rows, None)?
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(all));
        let schema = Arc::clone(self.filter.schema());
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options)?;
        let keep = self.filter.expression().evaluate(&batch)?;
        let keep = keep.into_array(all)?;
        if keep.null_count() == keep.len() {
            pairs.clear();
        } else {
            pairs.retain(keep.as_boolean());
        }
        asked.all += all;
        asked.kept += pairs.len();
        Ok(())
    }
}

/// Whether an expression does nothing but compare columns and constants.
fn is_comparison(expr: &PhysicalExprRef) -> Result<bool> {
    let mut found = true;
    expr.apply(|expr| {
        found &= match expr.downcast_ref::<BinaryExpr>() {
            Some(binary) => matches!(
                binary.op(),
                Operator::Eq
                    | Operator::NotEq
                    | Operator::Lt
                    | Operator::LtEq
                    | Operator::Gt
                    | Operator::GtEq
                    | Operator::IsDistinctFrom
                    | Operator::IsNotDistinctFrom
                    | Operator::And
                    | Operator::Or
            ),
            None => {
                expr.downcast_ref::<Column>().is_some()
                    || expr.downcast_ref::<Literal>().is_some()
                    || expr.downcast_ref::<NotExpr>().is_some()
                    || expr.downcast_ref::<IsNullExpr>().is_some()
                    || expr.downcast_ref::<IsNotNullExpr>().is_some()
            }
        };
        Ok(match found {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    })?;
    Ok(found)
}
