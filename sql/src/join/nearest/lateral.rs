//! `LATERAL` subqueries that ask for the nearest rows.
//!
//! ```sql
//! FROM a CROSS JOIN LATERAL (
//!     SELECT b.name, ST_Distance(a.geom, b.geom) AS d FROM b
//!     WHERE b.open AND ST_DWithin(a.geom, b.geom, 500)
//!     ORDER BY ST_Distance(a.geom, b.geom) LIMIT 3) n
//! ```
//!
//! is the join of `a` with `SELECT * FROM b WHERE b.open` on `ST_KNN(a.geom, b.geom, 3)`, less the
//! pairs farther apart than 500, under a projection that computes `d`. DataFusion runs subqueries
//! that refer to outer rows only if it can pull the references up into a join's condition, which
//! it cannot do through a limit; so this comes before its rules.
//!
//! What is asked of the subquery, from the top: projections and aliases, one limit, one order by
//! distance, then by columns of `b` if at all, and below them a plan whose only references to outer rows are limits of that very
//! distance: those hold for a first part of the ordered rows, so it does not matter whether they
//! are applied before or after the nearest are taken. A row whose distance is NULL is no
//! neighbour here.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Expr, Extension, Filter, Join, LogicalPlan, LogicalPlanBuilder, Operator, Projection, SortExpr,
    build_join_schema, col, lit, when,
};

use super::node::NearestJoinNode;

/// The plan for a join with a `LATERAL` subquery that asks for nearest rows; `None` for other joins.
///
/// # Errors
/// For a subquery that is ordered by the distance from an outer row and limited, but asks for more
/// than the nearest rows: nothing else could run it.
pub(super) fn nearest_of_lateral(join: &Join) -> Result<Option<LogicalPlan>> {
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left)
        || !join.on.is_empty()
        || !refers_outside(&join.right)?
    {
        return Ok(None);
    }
    let nearest = match resolve(&join.right)? {
        Some(mut found) => {
            found.set_apart(join)?;
            Nearest::try_new(found, join.left.schema())
        }
        None => None,
    };
    match nearest {
        Some(nearest) => nearest.plan(join).map(Some),
        None if orders_by_distance(&join.right)? => plan_err!(
            "this LATERAL subquery is more than a search for nearest rows, and cannot be planned: it may \
             be SELECT ... FROM b WHERE <conditions on b> ORDER BY ST_Distance(a.geom, b.geom)[, <columns of b>] LIMIT k. \
             Otherwise write the join as FROM a JOIN b ON ST_KNN(a.geom, b.geom, k)"
        ),
        None => Ok(None),
    }
}

/// What a part of the subquery yields, in terms of the plan at its bottom.
struct Resolved {
    /// The part that knows nothing of outer rows.
    base: LogicalPlan,
    /// The columns of the subquery as expressions over the base and outer rows.
    outputs: Vec<Expr>,
    /// Conditions that refer to outer rows.
    conditions: Vec<Expr>,
    order: Option<Expr>,
    /// What decides between rows of one distance.
    ties: Vec<SortExpr>,
    k: Option<usize>,
}

/// Takes the operators of the subquery apart; `None` where there are others than those known here.
fn resolve(plan: &LogicalPlan) -> Result<Option<Resolved>> {
    if !refers_outside(plan)? {
        let outputs = plan.schema().columns().into_iter().map(Expr::Column);
        return Ok(Some(Resolved {
            base: plan.clone(),
            outputs: outputs.collect(),
            conditions: vec![],
            order: None,
            ties: vec![],
            k: None,
        }));
    }
    let [input] = plan.inputs()[..] else {
        return Ok(None);
    };
    let Some(mut below) = resolve(input)? else {
        return Ok(None);
    };
    let schema = input.schema();
    match plan {
        LogicalPlan::Subquery(_) | LogicalPlan::SubqueryAlias(_) => {}
        LogicalPlan::Projection(projection) => {
            below.outputs = projection
                .expr
                .iter()
                .map(|expr| below.expand(expr, schema))
                .collect::<Result<_>>()?;
        }
        LogicalPlan::Filter(filter) if below.order.is_none() && below.k.is_none() => {
            let mut own = vec![];
            for condition in split_conjunction(&filter.predicate) {
                let condition = below.expand(condition, schema)?;
                match condition.contains_outer() {
                    true => below.conditions.push(condition),
                    false => own.push(condition),
                }
            }
            if let Some(own) = conjunction(own) {
                let base = Filter::try_new(own, Arc::new(below.base))?;
                below.base = LogicalPlan::Filter(base);
            }
        }
        LogicalPlan::Sort(sort) if below.order.is_none() && below.k.is_none() => {
            let ([by, ties @ ..], None) = (&sort.expr[..], sort.fetch) else {
                return Ok(None);
            };
            if !by.asc {
                return Ok(None);
            }
            below.order = Some(below.expand(&by.expr, schema)?);
            below.ties = ties
                .iter()
                .map(|tie| Ok(tie.with_expr(below.expand(&tie.expr, schema)?)))
                .collect::<Result<_>>()?;
        }
        LogicalPlan::Limit(limit) if below.order.is_some() && below.k.is_none() => {
            let number = |expr: &Option<Box<Expr>>| match expr.as_deref() {
                Some(Expr::Literal(ScalarValue::Int64(n), _)) => {
                    n.and_then(|n| usize::try_from(n).ok())
                }
                _ => None,
            };
            if limit.skip.is_some() && number(&limit.skip) != Some(0) {
                return Ok(None);
            }
            below.k = number(&limit.fetch);
            if below.k.is_none() {
                return Ok(None);
            }
        }
        _ => return Ok(None),
    }
    Ok(Some(below))
}

impl Resolved {
    /// An expression over the columns of `schema`, in terms of the base.
    fn expand(&self, expr: &Expr, schema: &DFSchema) -> Result<Expr> {
        expr.clone()
            .unalias()
            .transform(|node| {
                let Expr::Column(column) = &node else {
                    return Ok(Transformed::no(node));
                };
                let at = schema.index_of_column(column)?;
                Ok(match self.outputs.get(at) {
                    Some(output) => Transformed::yes(output.clone()),
                    None => Transformed::no(node),
                })
            })
            .data()
    }
}

/// The column that is TRUE in every row of the base, and NULL where a left join finds none.
const FOUND: &str = "__nearest";

impl Resolved {
    /// Gives the columns of the base names of their own where those of the left side are the same. In a
    /// left join, what the subquery computes is NULL for a row without neighbours, whatever it is
    /// computed from: a column of the base tells.
    fn set_apart(&mut self, join: &Join) -> Result<()> {
        let computed = |expr: &Expr| !matches!(expr, Expr::Column(_));
        let marked = join.join_type == JoinType::Left && self.outputs.iter().any(computed);
        let old = Arc::clone(self.base.schema());
        let clash = build_join_schema(join.left.schema(), &old, &join.join_type).is_err();
        if !marked && !clash {
            return Ok(());
        }
        let new: Vec<Column> = match clash {
            true => (0..old.fields().len())
                .map(|i| Column::new_unqualified(format!("{FOUND}_{i}")))
                .collect(),
            false => old.columns(),
        };
        let columns = old.columns().into_iter().zip(&new);
        let mut exprs: Vec<Expr> = columns
            .map(|(old, new)| match &old == new {
                true => Expr::Column(old),
                false => Expr::Column(old).alias(&new.name),
            })
            .collect();
        if marked {
            exprs.push(lit(true).alias(FOUND));
        }
        let renamed = |expr: &Expr| -> Result<Expr> {
            expr.clone()
                .transform(|node| {
                    let Expr::Column(column) = &node else {
                        return Ok(Transformed::no(node));
                    };
                    let at = old.index_of_column(column)?;
                    Ok(Transformed::yes(Expr::Column(new[at].clone())))
                })
                .data()
        };
        for expr in self
            .order
            .iter_mut()
            .chain(self.ties.iter_mut().map(|tie| &mut tie.expr))
            .chain(&mut self.conditions)
            .chain(&mut self.outputs)
        {
            *expr = renamed(expr)?;
        }
        if marked {
            for expr in self.outputs.iter_mut().filter(|expr| computed(expr)) {
                *expr = when(col(FOUND), expr.clone()).end()?;
            }
        }
        self.base = LogicalPlanBuilder::from(self.base.clone())
            .project(exprs)?
            .build()?;
        Ok(())
    }
}

/// A search for nearest rows, with expressions over the left input and the base.
struct Nearest {
    base: LogicalPlan,
    outputs: Vec<Expr>,
    left_geometry: Expr,
    right_geometry: Expr,
    /// Conditions on the distance.
    limits: Vec<Expr>,
    /// What decides between rows of one distance.
    ties: Vec<SortExpr>,
    k: usize,
}

impl Nearest {
    fn try_new(found: Resolved, left: &DFSchema) -> Option<Self> {
        let (k, order) = (found.k?, found.order?);
        let [a, b] = distance_arguments(&order)?;
        let (outer, inner) = match (a.contains_outer(), b.contains_outer()) {
            (true, false) => (a, b),
            (false, true) => (b, a),
            _ => return None,
        };
        if !outer.column_refs().is_empty() || inner.column_refs().is_empty() {
            return None;
        }
        let limits_distance = |condition: &Expr| {
            distance_limit(condition).is_some_and(|([x, y], limit)| {
                ((x == a && y == b) || (x == b && y == a)) && limit.column_refs().is_empty()
            })
        };
        let of_outer = |tie: &SortExpr| tie.expr.contains_outer();
        if !found.conditions.iter().all(limits_distance) || found.ties.iter().any(of_outer) {
            return None;
        }
        let of_left = |expr: &Expr| to_left(expr, left);
        Some(Self {
            left_geometry: of_left(outer)?,
            right_geometry: inner.clone(),
            limits: found
                .conditions
                .iter()
                .map(of_left)
                .collect::<Option<_>>()?,
            outputs: found.outputs.iter().map(of_left).collect::<Option<_>>()?,
            base: found.base,
            ties: found.ties,
            k,
        })
    }

    fn plan(self, join: &Join) -> Result<LogicalPlan> {
        let left_width = join.left.schema().fields().len();
        let columns = join.schema.columns();
        let on = match &join.filter {
            None | Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _)) => None,
            Some(on) => Some(self.over_inputs(on, &join.schema, left_width)?),
        };
        let residual = conjunction(self.limits.into_iter().chain(on));
        let schema = build_join_schema(join.left.schema(), self.base.schema(), &join.join_type)?;
        let node = Arc::new(NearestJoinNode {
            left: Arc::clone(&join.left),
            right: Arc::new(self.base),
            left_geometry: self.left_geometry,
            right_geometry: self.right_geometry,
            k: self.k,
            residual,
            ties: self.ties,
            join_type: join.join_type,
            distance: None,
            schema: Arc::new(schema),
        });
        let lefts = columns[..left_width].iter().cloned().map(Expr::Column);
        let outputs = columns[left_width..].iter().zip(self.outputs);
        let rights = outputs.map(|(column, expr)| match &expr {
            Expr::Column(same) if same == column => expr,
            _ => expr.alias_qualified(column.relation.clone(), column.name.clone()),
        });
        let projection = Projection::try_new(
            lefts.chain(rights).collect(),
            Arc::new(LogicalPlan::Extension(Extension { node })),
        )?;
        Ok(LogicalPlan::Projection(projection))
    }

    /// The condition of the join, which is over the columns of the subquery, in terms of the inputs.
    fn over_inputs(&self, on: &Expr, schema: &DFSchema, left_width: usize) -> Result<Expr> {
        on.clone()
            .transform(|node| {
                let Expr::Column(column) = &node else {
                    return Ok(Transformed::no(node));
                };
                let at = schema.index_of_column(column)?;
                Ok(match at.checked_sub(left_width) {
                    Some(at) => Transformed::yes(self.outputs[at].clone()),
                    None => Transformed::no(node),
                })
            })
            .data()
    }
}

/// Turns references to outer rows into columns of the left side; `None` if one refers farther out.
fn to_left(expr: &Expr, left: &DFSchema) -> Option<Expr> {
    let mut all = true;
    let moved = expr.clone().transform(|node| match node {
        Expr::OuterReferenceColumn(_, column) => {
            all &= left.has_column(&column);
            Ok(Transformed::yes(Expr::Column(column)))
        }
        other => Ok(Transformed::no(other)),
    });
    moved.data().ok().filter(|_| all)
}

/// The arguments of `ST_Distance(a, b)`.
fn distance_arguments(expr: &Expr) -> Option<[&Expr; 2]> {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == "st_distance" => match &call.args[..] {
            [a, b] => Some([a, b]),
            _ => None,
        },
        _ => None,
    }
}

/// The geometries of `ST_DWithin(a, b, limit)` or `ST_Distance(a, b) <= limit` or `<`, and the limit.
fn distance_limit(condition: &Expr) -> Option<([&Expr; 2], &Expr)> {
    match condition {
        Expr::ScalarFunction(call) if call.func.name() == "st_dwithin" => match &call.args[..] {
            [a, b, limit] => Some(([a, b], limit)),
            _ => None,
        },
        Expr::BinaryExpr(comparison) => {
            let (distance, limit) = match comparison.op {
                Operator::LtEq | Operator::Lt => (&comparison.left, &comparison.right),
                Operator::GtEq | Operator::Gt => (&comparison.right, &comparison.left),
                _ => return None,
            };
            Some((distance_arguments(distance)?, limit))
        }
        _ => None,
    }
}

/// Whether a plan refers to rows outside of it.
fn refers_outside(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= node.contains_outer_reference();
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// Whether a limit in the plan takes the first rows by their distance from an outer row.
fn orders_by_distance(plan: &LogicalPlan) -> Result<bool> {
    let (mut limited, mut ordered) = (false, false);
    plan.apply(|node| {
        limited |= matches!(node, LogicalPlan::Limit(_));
        if let LogicalPlan::Sort(sort) = node {
            ordered |= sort
                .expr
                .iter()
                .any(|by| distance_arguments(&by.expr).is_some() || by.expr.contains_outer());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(limited && ordered)
}
