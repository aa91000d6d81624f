//! Finding the spatial predicate among the conditions of a join.
//!
//! ```text
//!  ST_Intersects(a, b) AND x < y                    index ST_Intersects, filter x < y
//!  ST_Distance(a, b) < 5                            index ST_DWithin, filter the same once more
//!  ST_Relate(a, b, 'T********')                     index ST_Intersects, filter the same once more
//!  ST_Intersects(a, b) OR ST_DWithin(a, c, 5)       one index for each, every pair once
//!  ST_Intersects(a, b) OR x < y                     nothing that an index could serve
//! ```

use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinSide, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::utils::{collect_columns, conjunction, split_conjunction};
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use geoflow_engine::geometry::GeometryType;
use geoflow_engine::join::{JoinDistance, JoinPredicate, SpatialOn};
use geoflow_engine::predicate::{MatrixPattern, SpatialPredicate};

/// A join filter, taken apart.
pub(super) struct SpatialFilter {
    /// The predicate that candidates are found by.
    pub on: SpatialOn,
    /// All other conditions.
    pub residual: Option<JoinFilter>,
}

/// Takes the first condition of `filter` that an index can serve, one without alternatives before
/// others; `None` if there is none.
pub(super) fn split(filter: &JoinFilter) -> Result<Option<SpatialFilter>> {
    let conjuncts = split_conjunction(filter.expression());
    let mut best: Option<(usize, Found)> = None;
    for (i, conjunct) in conjuncts.iter().enumerate() {
        let Some(found) = spatial_conjunct(conjunct, filter)? else {
            continue;
        };
        let alternatives = |found: &Found| found.on.alternatives.len();
        if best
            .as_ref()
            .is_none_or(|(_, best)| alternatives(&found) < alternatives(best))
        {
            best = Some((i, found));
        }
    }
    let Some((chosen, Found { on, exact })) = best else {
        return Ok(None);
    };
    let residual: Vec<PhysicalExprRef> = conjuncts
        .into_iter()
        .enumerate()
        .filter(|(i, _)| !(exact && *i == chosen))
        .map(|(_, conjunct)| Arc::clone(conjunct))
        .collect();
    Ok(Some(SpatialFilter {
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
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Operator::Or => disjunction(expr, filter),
            Operator::And => {
                // Within a disjunction: the index serves one part, all of it is decided once more.
                for part in [binary.left(), binary.right()] {
                    if let Some(Found { on, .. }) = spatial_conjunct(part, filter)? {
                        return Ok(Some(Found { on, exact: false }));
                    }
                }
                Ok(None)
            }
            _ => distance_comparison(binary, filter),
        };
    }
    let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>() else {
        return Ok(None);
    };
    if let ([a, b, pattern], "st_relate") = (call.args(), call.fun().name()) {
        if !implies_intersection(pattern) {
            return Ok(None);
        }
        let intersects = JoinPredicate::Relation(SpatialPredicate::Intersects);
        let on = pair(intersects, a, b, filter)?;
        return Ok(on.map(|on| Found { on, exact: false }));
    }
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

/// Conditions joined by OR, if an index can serve each of them.
fn disjunction(expr: &PhysicalExprRef, filter: &JoinFilter) -> Result<Option<Found>> {
    let mut conditions: Vec<SpatialOn> = vec![];
    let mut exact = true;
    for disjunct in split_disjunction(expr) {
        let Some(found) = spatial_conjunct(disjunct, filter)? else {
            return Ok(None);
        };
        exact &= found.exact;
        let SpatialOn { alternatives, .. } = &found.on;
        let alternatives = alternatives.clone();
        for condition in std::iter::once(found.on).chain(alternatives) {
            let condition = SpatialOn::new(condition.predicate, condition.left, condition.right);
            if conditions.iter().any(|other| implies(&condition, other)) {
                continue;
            }
            conditions.retain(|other| !implies(other, &condition));
            conditions.push(condition);
        }
    }
    let mut conditions = conditions.into_iter();
    let on = conditions.next().map(|first| first.or(conditions));
    Ok(on.map(|on| Found { on, exact }))
}

fn split_disjunction(expr: &PhysicalExprRef) -> Vec<&PhysicalExprRef> {
    match expr.downcast_ref::<BinaryExpr>() {
        Some(binary) if *binary.op() == Operator::Or => {
            let mut all = split_disjunction(binary.left());
            all.extend(split_disjunction(binary.right()));
            all
        }
        _ => vec![expr],
    }
}

/// Whether every pair that satisfies `a` satisfies `b`, so that `a OR b` is `b`.
fn implies(a: &SpatialOn, b: &SpatialOn) -> bool {
    use SpatialPredicate::{Contains, CoveredBy, Covers, DWithin, Equals, Intersects, Within};
    if !(a.left.eq(&b.left) && a.right.eq(&b.right)) {
        return false;
    }
    match (&a.predicate, &b.predicate) {
        (JoinPredicate::Relation(a), JoinPredicate::Relation(b)) => {
            a == b
                || matches!((a, b), (Contains, Covers) | (Within, CoveredBy))
                // Two EMPTY geometries are equal and do not intersect.
                || (*b == Intersects && !matches!(a, Equals | DWithin))
        }
        (
            JoinPredicate::Relation(a),
            JoinPredicate::DWithin(JoinDistance::Constant(Some(reach))),
        ) => *a != Equals && *reach >= 0.0,
        (
            JoinPredicate::DWithin(JoinDistance::Constant(Some(a))),
            JoinPredicate::DWithin(JoinDistance::Constant(Some(b))),
        ) => a <= b,
        _ => false,
    }
}

/// Whether geometries that satisfy this constant pattern of a DE-9IM matrix share a point.
fn implies_intersection(pattern: &PhysicalExprRef) -> bool {
    let pattern = pattern.downcast_ref::<Literal>().and_then(|literal| {
        match literal.value().cast_to(&DataType::Utf8) {
            Ok(ScalarValue::Utf8(pattern)) => pattern,
            _ => None,
        }
    });
    // A broken pattern is for the function to complain of.
    pattern.is_some_and(|pattern| {
        MatrixPattern::from_str(&pattern).is_ok_and(|pattern| pattern.implies_intersection())
    })
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
    Ok(Some(SpatialOn::new(
        predicate,
        to_input(left, filter)?,
        to_input(right, filter)?,
    )))
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
