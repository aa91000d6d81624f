//! Conditions on the bounds themselves, written by hand: `bbox.xmin < 10 AND bbox.xmax > 5`.
//!
//! DataFusion prunes by the statistics of columns, but not of the fields of a struct.

use std::fmt;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Column, Literal};
use datafusion::physical_expr::utils::split_conjunction;
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};
use parquet::schema::types::SchemaDescriptor;

/// A field of a struct must lie between two numbers, both included.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FieldRange {
    path: Vec<String>,
    min: f64,
    max: f64,
}

impl FieldRange {
    /// The ranges that a predicate, whose columns are those of the table, demands of fields.
    ///
    /// Statistics leave NaN out of account, and NaN counts as greater than every number. So `>` is taken
    /// only beside a `<` on a field of the same column: a box of NaN passes the one and not the other.
    pub(super) fn all(predicate: &PhysicalExprRef) -> Vec<Self> {
        let conjuncts = split_conjunction(predicate);
        let ranges: Vec<Self> = conjuncts.into_iter().filter_map(Self::parse).collect();
        let bounded: Vec<String> = ranges
            .iter()
            .filter(|range| range.max.is_finite())
            .filter_map(|range| range.path.first().cloned())
            .collect();
        let safe = ranges.into_iter().filter(|range| {
            let root = range.path.first();
            root.is_some_and(|root| bounded.contains(root))
        });
        safe.collect()
    }

    fn parse(conjunct: &PhysicalExprRef) -> Option<Self> {
        let comparison = conjunct.downcast_ref::<BinaryExpr>()?;
        let (op, left, right) = (comparison.op(), comparison.left(), comparison.right());
        let (path, op, number) = match (field(left), field(right)) {
            (Some(path), None) => (path, *op, number(right)?),
            (None, Some(path)) => (path, op.swap()?, number(left)?),
            _ => return None,
        };
        let (min, max) = match op {
            Operator::Lt | Operator::LtEq => (f64::NEG_INFINITY, number),
            Operator::Gt | Operator::GtEq => (number, f64::INFINITY),
            Operator::Eq => (number, number),
            _ => return None,
        };
        Some(Self { path, min, max })
    }

    /// The leaf column of a file that holds the field.
    pub(super) fn leaf(&self, schema: &SchemaDescriptor) -> Option<usize> {
        let mut leaves = schema.columns().iter();
        leaves.position(|leaf| leaf.path().parts() == self.path && leaf.max_rep_level() == 0)
    }

    /// Whether values between `min` and `max` may lie in the range.
    pub(super) fn may_hold(&self, min: f64, max: f64) -> bool {
        min <= self.max && max >= self.min
    }
}

impl fmt::Display for FieldRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.join(".");
        if self.min == self.max {
            write!(f, "{path} = {}", self.min)
        } else if self.min == f64::NEG_INFINITY {
            write!(f, "{path} <= {}", self.max)
        } else {
            write!(f, "{path} >= {}", self.min)
        }
    }
}

/// The path of `get_field(column, 'a', ...)`.
fn field(expr: &PhysicalExprRef) -> Option<Vec<String>> {
    // A single precision number is the same number in double precision.
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return match cast.cast_type() {
            DataType::Float64 => field(cast.expr()),
            _ => None,
        };
    }
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let (root, names) = call.args().split_first()?;
    if call.fun().name() != "get_field" || names.is_empty() {
        return None;
    }
    let mut path = vec![root.downcast_ref::<Column>()?.name().to_owned()];
    for name in names {
        let name = name.downcast_ref::<Literal>()?.value().try_as_str()??;
        path.push(name.to_owned());
    }
    Some(path)
}

/// A finite number of either precision.
fn number(expr: &PhysicalExprRef) -> Option<f64> {
    match expr.downcast_ref::<Literal>()?.value() {
        ScalarValue::Float64(Some(v)) => Some(*v),
        ScalarValue::Float32(Some(v)) => Some(f64::from(*v)),
        _ => None,
    }
    .filter(|v| v.is_finite())
}
