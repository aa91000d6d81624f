//! The operators of PostGIS, as far as SQL's parser knows them.

use datafusion::common::{DFSchema, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use geoflow_engine::geometry::GeometryType;

use crate::functions;

/// Plans operators that have a geometry on one side at least:
///
/// | operator | is |
/// |---|---|
/// | `a && b` | the boxes of a and b share a point |
/// | `a ~ b` | the box of a contains that of b |
/// | `a @ b` | the box of a is within that of b |
/// | `a ~= b` | the boxes are the same |
/// | `a <-> b` | the distance of a and b |
#[derive(Debug, Default)]
pub(crate) struct SpatialOperators {}

impl ExprPlanner for SpatialOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{
            AndGt, AndLt, AndLtPipe, At, LtDashGt, LtLtPipe, PGBitwiseShiftLeft,
            PGBitwiseShiftRight, PGOverlap, PGRegexMatch, PipeAndGt, PipeGtGt, TildeEq,
        };
        let boxes = match expr.op {
            PGOverlap => Some("ST_Intersects"),
            PGRegexMatch => Some("ST_Covers"),
            At => Some("ST_CoveredBy"),
            TildeEq => Some("ST_Equals"),
            LtDashGt | AndLt | AndGt | AndLtPipe | PipeAndGt | LtLtPipe | PipeGtGt
            | PGBitwiseShiftLeft | PGBitwiseShiftRight => None,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        if !(is_geometry(&expr.left, schema)? || is_geometry(&expr.right, schema)?) {
            return Ok(PlannerResult::Original(expr));
        }
        let RawBinaryExpr { op, left, right } = expr;
        Ok(PlannerResult::Planned(match boxes {
            Some(relation) => call(
                relation,
                vec![
                    call("ST_Envelope", vec![left])?,
                    call("ST_Envelope", vec![right])?,
                ],
            )?,
            None if op == LtDashGt => call("ST_Distance", vec![left, right])?,
            None => {
                return plan_err!(
                    "the operator {op} is not there for geometries: compare ST_XMin, ST_XMax, ST_YMin and ST_YMax"
                );
            }
        }))
    }
}

fn is_geometry(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(GeometryType::from_field(&expr.to_field(schema)?.1)?.is_some())
}

fn call(name: &str, args: Vec<Expr>) -> Result<Expr> {
    match functions::scalar_function(name) {
        Some(function) => Ok(function.call(args)),
        None => plan_err!("{name} is not available"),
    }
}
