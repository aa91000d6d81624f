//! Finding the spatial predicate among the conditions of a join.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::JoinSide;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::utils::{collect_columns, conjunction, split_conjunction};
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use geoflow_engine::geometry::GeometryType;
use geoflow_engine::join::{JoinDistance, JoinPredicate, SpatialOn};
use geoflow_engine::predicate::SpatialPredicate;

/// A join filter, taken apart.
pub(super) struct SpatialFilter {
    /// The predicate that candidates are found by.
    pub on: SpatialOn,
    /// All other conditions.
    pub residual: Option<JoinFilter>,
}

/// Takes the first condition of `filter` that an index can serve; `None` if there is none.
pub(super) fn split(filter: &JoinFilter) -> Result<Option<SpatialFilter>> {
    let mut residual: Vec<PhysicalExprRef> = vec![];
    let mut on = None;
    for conjunct in split_conjunction(filter.expression()) {
        if on.is_none()
            && let Some(found) = spatial_conjunct(conjunct, filter)?
        {
            on = Some(found.on);
            if found.exact {
                continue;
            }
        }
        residual.push(Arc::clone(conjunct));
    }
    Ok(on.map(|on| SpatialFilter {
        on,
        residual: (!residual.is_empty()).then(|| {
            JoinFilter::new(
                conjunction(residual),
                filter.column_indices().to_vec(),
                Arc::clone(filter.schema()),
            )
        }),
    }))
}

struct Found {
    on: SpatialOn,
    /// Whether `on` says all that the condition says.
    exact: bool,
}

fn spatial_conjunct(expr: &PhysicalExprRef, filter: &JoinFilter) -> Result<Option<Found>> {
    if let Some(comparison) = expr.downcast_ref::<BinaryExpr>() {
        return distance_comparison(comparison, filter);
    }
    let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>() else {
        return Ok(None);
    };
    let Some(predicate) = SpatialPredicate::from_function_name(call.fun().name()) else {
        return Ok(None);
    };
    let on = match (call.args(), predicate) {
        ([a, b, d], SpatialPredicate::DWithin) => within_distance(a, b, d, filter)?,
        ([a, b], relation) if relation != SpatialPredicate::DWithin => {
            pair(JoinPredicate::Relation(relation), a, b, filter)?
        }
        _ => None,
    };
    Ok(on.map(|on| Found { on, exact: true }))
}

/// `ST_Distance(a, b) <= d` is `ST_DWithin(a, b, d)`; `<` is decided once more by the residual.
fn distance_comparison(comparison: &BinaryExpr, filter: &JoinFilter) -> Result<Option<Found>> {
    let (call, limit, exact) = match comparison.op() {
        Operator::LtEq => (comparison.left(), comparison.right(), true),
        Operator::Lt => (comparison.left(), comparison.right(), false),
        Operator::GtEq => (comparison.right(), comparison.left(), true),
        Operator::Gt => (comparison.right(), comparison.left(), false),
        _ => return Ok(None),
    };
    let Some(call) = call.downcast_ref::<ScalarFunctionExpr>() else {
        return Ok(None);
    };
    let ([a, b], "st_distance") = (call.args(), call.fun().name()) else {
        return Ok(None);
    };
    let on = within_distance(a, b, limit, filter)?;
    Ok(on.map(|on| Found { on, exact }))
}

fn within_distance(
    a: &PhysicalExprRef,
    b: &PhysicalExprRef,
    distance: &PhysicalExprRef,
    filter: &JoinFilter,
) -> Result<Option<SpatialOn>> {
    match join_distance(distance, filter)? {
        Some(distance) => pair(JoinPredicate::DWithin(distance), a, b, filter),
        None => Ok(None),
    }
}

/// The predicate over one geometry of each side, or `None` where the arguments mix the sides.
fn pair(
    predicate: JoinPredicate,
    a: &PhysicalExprRef,
    b: &PhysicalExprRef,
    filter: &JoinFilter,
) -> Result<Option<SpatialOn>> {
    if !(is_geometry(a, filter.schema())? && is_geometry(b, filter.schema())?) {
        return Ok(None);
    }
    let (predicate, left, right) = match (side_of(a, filter), side_of(b, filter)) {
        (Some(JoinSide::Left), Some(JoinSide::Right)) => (predicate, a, b),
        (Some(JoinSide::Right), Some(JoinSide::Left)) => (flip(predicate), b, a),
        _ => return Ok(None),
    };
    Ok(Some(SpatialOn {
        predicate,
        left: to_input(left, filter)?,
        right: to_input(right, filter)?,
    }))
}

fn flip(predicate: JoinPredicate) -> JoinPredicate {
    match predicate {
        JoinPredicate::Relation(relation) => JoinPredicate::Relation(relation.flip()),
        symmetric => symmetric,
    }
}

fn join_distance(expr: &PhysicalExprRef, filter: &JoinFilter) -> Result<Option<JoinDistance>> {
    if let Some(literal) = expr.downcast_ref::<Literal>() {
        return Ok(JoinDistance::from_literal(literal.value()));
    }
    if !expr.data_type(filter.schema())?.is_numeric() {
        return Ok(None);
    }
    match side_of(expr, filter) {
        Some(side) => Ok(Some(JoinDistance::Column(side, to_input(expr, filter)?))),
        None => Ok(None),
    }
}

fn is_geometry(expr: &PhysicalExprRef, schema: &Schema) -> Result<bool> {
    let field = expr.return_field(schema)?;
    Ok(GeometryType::from_field(&field)?.is_some()
        || matches!(
            field.data_type(),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        ))
}

/// The one side that all columns of an expression are of.
fn side_of(expr: &PhysicalExprRef, filter: &JoinFilter) -> Option<JoinSide> {
    let columns = collect_columns(expr);
    let mut sides = columns
        .iter()
        .map(|column| filter.column_indices().get(column.index()).map(|c| c.side));
    let first = sides.next()??;
    sides.all(|side| side == Some(first)).then_some(first)
}

/// Rewrites an expression over the filter's columns to one over the columns of its input.
fn to_input(expr: &PhysicalExprRef, filter: &JoinFilter) -> Result<PhysicalExprRef> {
    Arc::clone(expr)
        .transform(|node| {
            let Some(column) = node.downcast_ref::<Column>() else {
                return Ok(Transformed::no(node));
            };
            let Some(ColumnIndex { index, .. }) = filter.column_indices().get(column.index())
            else {
                return Ok(Transformed::no(node));
            };
            let moved: PhysicalExprRef = Arc::new(Column::new(column.name(), *index));
            Ok(Transformed::yes(moved))
        })
        .map(|transformed| transformed.data)
}
