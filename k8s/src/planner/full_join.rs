//! A FULL JOIN preserves both sides, so that neither can be dealt out. Taken apart, each of its halves can be.
//!
//! ```text
//!  l FULL JOIN r ON c   =   l LEFT JOIN r ON c
//!                           UNION ALL  NULLs, and the rows of r that no row of l meets
//! ```

use std::sync::Arc;

use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection, Union};

/// Takes the FULL JOINs of a statement apart whose inputs may be read twice.
pub(crate) fn apart(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join)
            if join.join_type == JoinType::Full && gives_the_same_twice(&join)? =>
        {
            Ok(Transformed::yes(halves(&join)?))
        }
        other => Ok(Transformed::no(other)),
    })
}

/// Whether both halves see the same rows: nothing below depends on chance or on the order of rows.
fn gives_the_same_twice(join: &Join) -> Result<bool> {
    let mut same = true;
    for input in [&join.left, &join.right] {
        input.apply_with_subqueries(|node| {
            let known = matches!(
                node,
                LogicalPlan::TableScan(_)
                    | LogicalPlan::SubqueryAlias(_)
                    | LogicalPlan::Subquery(_)
                    | LogicalPlan::Projection(_)
                    | LogicalPlan::Filter(_)
                    | LogicalPlan::Join(_)
                    | LogicalPlan::Union(_)
                    | LogicalPlan::Values(_)
                    | LogicalPlan::EmptyRelation(_)
            );
            same = same && known && node.expressions().iter().all(|expr| !expr.is_volatile());
            Ok(match same {
                true => TreeNodeRecursion::Continue,
                false => TreeNodeRecursion::Stop,
            })
        })?;
    }
    let on = join.on.iter().flat_map(|(left, right)| [left, right]);
    let conditions = on.chain(&join.filter);
    Ok(same && conditions.into_iter().all(|expr| !expr.is_volatile()))
}

fn halves(join: &Join) -> Result<LogicalPlan> {
    let half = |join_type| {
        let half = Join::try_new(
            Arc::clone(&join.left),
            Arc::clone(&join.right),
            join.on.clone(),
            join.filter.clone(),
            join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        );
        half.map(LogicalPlan::Join)
    };
    let fields = || join.schema.iter().enumerate();
    // Names of their own, as those of the two sides may be the same.
    let name = |i: usize| format!("__full_join_{i}");
    let column = |i: usize, (table, field): (Option<&_>, &_)| {
        Expr::Column(Column::from((table, field))).alias(name(i))
    };
    let left = fields().map(|(i, field)| column(i, field)).collect();
    let left = Projection::try_new(left, Arc::new(half(JoinType::Left)?))?;

    let of_left = join.left.schema().fields().len();
    let right = fields().map(|(i, (table, field))| match i < of_left {
        true => {
            let null = ScalarValue::try_from(field.data_type())?;
            // Its label says that it is a geometry.
            let label = Some(FieldMetadata::from(field.metadata()));
            Ok(Expr::Literal(null, label).alias(name(i)))
        }
        false => Ok(column(i, (table, field))),
    });
    let right = right.collect::<Result<Vec<_>>>()?;
    let right = Projection::try_new(right, Arc::new(half(JoinType::RightAnti)?))?;

    let both = Union::try_new(vec![
        Arc::new(LogicalPlan::Projection(left)),
        Arc::new(LogicalPlan::Projection(right)),
    ])?;
    let named = fields().map(|(i, (table, field))| {
        let column = Expr::Column(Column::new_unqualified(name(i)));
        column.alias_qualified(table.cloned(), field.name())
    });
    let named = Projection::try_new(named.collect(), Arc::new(LogicalPlan::Union(both)))?;
    Ok(LogicalPlan::Projection(named))
}
