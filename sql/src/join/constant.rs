//! Finding the constant rectangles outside of which a filter lets nothing through.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::utils::split_conjunction;
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};
use geoflow_engine::geometry::{Bounds, GeometryArray, GeometryType};
use geoflow_engine::predicate::SpatialPredicate;

/// Computed distances of geometries that are just too far may be rounded to the limit.
const ROUNDING: f64 = 1.0 + 1e-12;

/// A geometry column, and the rectangles that a row must overlap to pass.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Within {
    pub column: usize,
    pub rectangles: Vec<Bounds>,
}

/// What each condition of a filter over `schema` says, where it compares a column with a constant
/// geometry.
pub(super) fn rectangles(filter: &PhysicalExprRef, schema: &Schema) -> Result<Vec<Within>> {
    let mut found = vec![];
    for conjunct in split_conjunction(filter) {
        found.extend(condition(conjunct, schema)?);
    }
    Ok(found)
}

fn condition(expr: &PhysicalExprRef, schema: &Schema) -> Result<Option<Within>> {
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Operator::Or => either(binary.left(), binary.right(), schema),
            Operator::And => Ok(match condition(binary.left(), schema)? {
                Some(within) => Some(within),
                None => condition(binary.right(), schema)?,
            }),
            Operator::LtEq | Operator::Lt => within(binary.left(), binary.right(), schema),
            Operator::GtEq | Operator::Gt => within(binary.right(), binary.left(), schema),
            _ => Ok(None),
        };
    }
    let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>() else {
        return Ok(None);
    };
    match (
        call.args(),
        SpatialPredicate::from_function_name(call.fun().name()),
    ) {
        ([a, b, d], Some(SpatialPredicate::DWithin)) => near(a, b, Some(d), schema),
        ([_, _], Some(SpatialPredicate::DWithin)) => Ok(None),
        ([a, b], Some(relation)) => {
            let found = near(a, b, None, schema)?;
            // Two EMPTY geometries are equal, wherever they are.
            Ok(found.filter(|within| {
                relation != SpatialPredicate::Equals || !within.rectangles.is_empty()
            }))
        }
        _ => Ok(None),
    }
}

/// A row passes that overlaps what one or the other asks for, if both ask of the same column.
fn either(a: &PhysicalExprRef, b: &PhysicalExprRef, schema: &Schema) -> Result<Option<Within>> {
    let (Some(mut a), Some(b)) = (condition(a, schema)?, condition(b, schema)?) else {
        return Ok(None);
    };
    a.rectangles.extend(b.rectangles);
    Ok((a.column == b.column).then_some(a))
}

/// `ST_Distance(a, b) <= limit`
fn within(
    call: &PhysicalExprRef,
    limit: &PhysicalExprRef,
    schema: &Schema,
) -> Result<Option<Within>> {
    let Some(call) = call.downcast_ref::<ScalarFunctionExpr>() else {
        return Ok(None);
    };
    match (call.args(), call.fun().name()) {
        ([a, b], "st_distance") => near(a, b, Some(limit), schema),
        _ => Ok(None),
    }
}

fn near(
    a: &PhysicalExprRef,
    b: &PhysicalExprRef,
    distance: Option<&PhysicalExprRef>,
    schema: &Schema,
) -> Result<Option<Within>> {
    let (column, constant) = match (column(a), column(b)) {
        (Some(column), None) => (column, b),
        (None, Some(column)) => (column, a),
        _ => return Ok(None),
    };
    let reach = match distance {
        None => 0.0,
        Some(distance) => match constant_distance(distance) {
            Some(distance) => distance * ROUNDING,
            None => return Ok(None),
        },
    };
    let Some(bounds) = constant_bounds(constant, schema)? else {
        return Ok(None);
    };
    let rectangles = match bounds.is_empty() {
        true => vec![],
        false if reach > 0.0 => vec![bounds.expand(reach)],
        false => vec![bounds],
    };
    Ok(Some(Within {
        column: column.index(),
        rectangles,
    }))
}

/// A column, or its envelope, which has the same bounds: so `&&` is planned.
fn column(expr: &PhysicalExprRef) -> Option<&Column> {
    if let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>()
        && let ("st_envelope", [inner]) = (call.fun().name(), call.args())
    {
        return inner.downcast_ref::<Column>();
    }
    expr.downcast_ref::<Column>()
}

/// A distance that is a finite number and not negative.
fn constant_distance(expr: &PhysicalExprRef) -> Option<f64> {
    let value = expr.downcast_ref::<Literal>()?.value();
    match value.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(distance)) => distance.filter(|d| d.is_finite() && *d >= 0.0),
        _ => None,
    }
}

/// The bounds of a constant; `None` for NULL, for what is no geometry, and for a broken one, which
/// the filter will complain of.
fn constant_bounds(expr: &PhysicalExprRef, schema: &Schema) -> Result<Option<Bounds>> {
    let Some(literal) = expr.downcast_ref::<Literal>() else {
        return Ok(None);
    };
    if literal.value().is_null() {
        return Ok(None);
    }
    let array: ArrayRef = literal.value().to_array()?;
    let field = expr.return_field(schema)?;
    let ty = match GeometryType::from_field(&field)? {
        Some(ty) => ty,
        None if is_binary(array.data_type()) => GeometryType::wkb(None),
        None => return Ok(None),
    };
    let bounds = GeometryArray::try_new(&array, &ty).and_then(|view| view.bounds(0));
    Ok(bounds.ok())
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}
