//! `LATERAL` subqueries that read no table: `FROM t, LATERAL (SELECT unnest(t.list) AS item)`, or
//! `FROM t, LATERAL (SELECT ST_Centroid(t.geom) AS middle)`.
//!
//! ```text
//!  Join                                     Projection: t.*, unnested AS u.item
//!    t                                        Unnest
//!    SubqueryAlias: u                  ──>      Projection: t.*, t.list
//!      Projection, Unnest, Projection             t
//!        (outer_ref(t.list))
//!          EmptyRelation: one row
//! ```
//!
//! The subquery is evaluated over the rows of the left side. DataFusion's own rule gets no reference out of an
//! `Unnest`, nor out of a `Projection`.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{
    Column, JoinType, NullHandling, RecursionUnnestOption, ScalarValue, UnnestOptions,
};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// Evaluates such subqueries over the rows of the left side.
#[derive(Debug, Default)]
pub(crate) struct LateralRows {}

impl OptimizerRule for LateralRows {
    fn name(&self) -> &str {
        "lateral_rows"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(join) = &plan else {
            return Ok(Transformed::no(plan));
        };
        Ok(match over_left(join)? {
            Some(rewritten) => Transformed::yes(rewritten),
            None => Transformed::no(plan),
        })
    }
}

fn over_left(join: &Join) -> Result<Option<LogicalPlan>> {
    let always = matches!(
        &join.filter,
        None | Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _))
    );
    let kept = match join.join_type {
        JoinType::Inner => false,
        JoinType::Left if always => true,
        _ => return Ok(None),
    };
    if !join.on.is_empty() || !(unnests(&join.right) || computes(&join.right)?) {
        return Ok(None);
    }
    let mut lift = Lift {
        left: join.left.schema().columns(),
        kept,
        names: 0,
    };
    let Some(lifted) = lift.plan(&join.right, &join.left)? else {
        return Ok(None);
    };
    let names = join.right.schema().columns();
    let outputs = lifted.outputs.into_iter().zip(names);
    let outputs = outputs.map(|(expr, name)| expr.alias_qualified(name.relation, name.name));
    let left = lift.left.into_iter().map(Expr::Column);
    let mut plan = LogicalPlanBuilder::from(lifted.plan).project(left.chain(outputs))?;
    if let Some(condition) = join.filter.as_ref().filter(|_| !always) {
        plan = plan.filter(condition.clone())?;
    }
    plan.build().map(Some)
}

/// Whether a plan unnests something, and reads no table.
fn unnests(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Unnest(_) => true,
        LogicalPlan::Subquery(subquery) => unnests(&subquery.subquery),
        _ => match plan.inputs().as_slice() {
            [input] => unnests(input),
            _ => false,
        },
    }
}

/// Whether a plan computes one row of rows outside of it. What refers to none is computed once, not for every row.
fn computes(plan: &LogicalPlan) -> Result<bool> {
    let (mut refers, mut tables) = (false, false);
    plan.apply(|node| {
        refers |= node.contains_outer_reference();
        tables |= node.inputs().is_empty()
            && !matches!(node, LogicalPlan::EmptyRelation(empty) if empty.produce_one_row);
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(refers && !tables)
}

/// What a part of the subquery is over the rows of the left side.
struct Lifted {
    plan: LogicalPlan,
    /// Its columns, as expressions over the plan.
    outputs: Vec<Expr>,
}

struct Lift {
    left: Vec<Column>,
    /// Whether rows of the left side stay where the subquery has none.
    kept: bool,
    /// Of columns so far.
    names: usize,
}

impl Lift {
    /// `None` for what is not known here.
    fn plan(&mut self, plan: &LogicalPlan, left: &LogicalPlan) -> Result<Option<Lifted>> {
        let input = match plan {
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
                return Ok(Some(Lifted {
                    plan: left.clone(),
                    outputs: vec![],
                }));
            }
            LogicalPlan::Subquery(subquery) => subquery.subquery.as_ref(),
            LogicalPlan::SubqueryAlias(alias) => alias.input.as_ref(),
            LogicalPlan::Projection(projection) => projection.input.as_ref(),
            LogicalPlan::Filter(filter) if !self.kept => filter.input.as_ref(),
            LogicalPlan::Unnest(unnest) if unnest.struct_type_columns.is_empty() => {
                unnest.input.as_ref()
            }
            _ => return Ok(None),
        };
        let Some(below) = self.plan(input, left)? else {
            return Ok(None);
        };
        let over = |expr: &Expr| {
            expr.clone().transform_up(|expr| {
                Ok(match expr {
                    Expr::OuterReferenceColumn(_, column) => Transformed::yes(Expr::Column(column)),
                    Expr::Column(column) => {
                        let at = input.schema().index_of_column(&column)?;
                        Transformed::yes(below.outputs[at].clone())
                    }
                    other => Transformed::no(other),
                })
            })
        };
        match plan {
            LogicalPlan::Projection(projection) => {
                let outputs = projection.expr.iter();
                let outputs = outputs.map(|expr| Ok(over(expr)?.data.unalias()));
                let outputs = outputs.collect::<Result<_>>()?;
                let plan = below.plan;
                Ok(Some(Lifted { plan, outputs }))
            }
            LogicalPlan::Filter(filter) => {
                let condition = over(&filter.predicate)?.data;
                let plan = LogicalPlanBuilder::from(below.plan).filter(condition)?;
                Ok(Some(Lifted {
                    plan: plan.build()?,
                    outputs: below.outputs,
                }))
            }
            LogicalPlan::Unnest(unnest) => {
                let inputs: Vec<Column> = below.outputs.iter().map(|_| self.name()).collect();
                let values = below.outputs.into_iter().zip(&inputs);
                let values = values.map(|(expr, column)| expr.alias(&column.name));
                let left = self.left.iter().cloned().map(Expr::Column);
                let plan = LogicalPlanBuilder::from(below.plan).project(left.chain(values))?;
                let lists: Vec<RecursionUnnestOption> = unnest
                    .list_type_columns
                    .iter()
                    .map(|(at, list)| RecursionUnnestOption {
                        input_column: inputs[*at].clone(),
                        output_column: self.name(),
                        depth: list.depth,
                    })
                    .collect();
                let outputs = unnest
                    .schema
                    .columns()
                    .into_iter()
                    .zip(&unnest.dependency_indices);
                let outputs = outputs.map(|(output, at)| {
                    let of_list = unnest.list_type_columns.iter().zip(&lists);
                    let mut of_list = of_list.filter(|((of, list), _)| {
                        of == at && list.output_column.name == output.name
                    });
                    let column = of_list
                        .next()
                        .map_or(&inputs[*at], |(_, list)| &list.output_column);
                    Expr::Column(column.clone())
                });
                let outputs = outputs.collect();
                let mut columns: Vec<Column> =
                    lists.iter().map(|l| l.input_column.clone()).collect();
                columns.dedup();
                let options = UnnestOptions {
                    null_handling: match self.kept {
                        true => NullHandling::PreserveAndExpandEmpty,
                        false => unnest.options.null_handling,
                    },
                    recursions: lists,
                };
                let plan = plan
                    .unnest_columns_with_options(columns, options)?
                    .build()?;
                Ok(Some(Lifted { plan, outputs }))
            }
            _ => Ok(Some(below)),
        }
    }

    /// A name that no column has.
    fn name(&mut self) -> Column {
        self.names += 1;
        Column::new_unqualified(format!("__lateral_{}", self.names))
    }
}
