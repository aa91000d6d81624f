//! What is joined: the predicate and where its arguments come from.

use std::fmt;

use datafusion::common::{JoinSide, ScalarValue};
use datafusion::physical_expr::{PhysicalExpr, PhysicalExprRef};

use crate::predicate::SpatialPredicate;

/// The spatial predicate of a join: `predicate(left, right [, distance])`.
#[derive(Debug, Clone)]
pub struct SpatialOn {
    /// The predicate, its left argument first.
    pub predicate: SpatialPredicate,
    /// A geometry of the left input.
    pub left: PhysicalExprRef,
    /// A geometry of the right input.
    pub right: PhysicalExprRef,
    /// The distance of [`SpatialPredicate::DWithin`], in units of the CRS.
    pub distance: Option<JoinDistance>,
}

/// Where the distance of a join comes from.
#[derive(Debug, Clone)]
pub enum JoinDistance {
    /// The same for all pairs; `None` is NULL, and no pair is within it.
    Constant(Option<f64>),
    /// An expression over one input, of type `Float64`.
    Column(JoinSide, PhysicalExprRef),
}

impl SpatialOn {
    /// The geometry of one input.
    pub fn geometry(&self, side: JoinSide) -> &PhysicalExprRef {
        match side {
            JoinSide::Left => &self.left,
            _ => &self.right,
        }
    }

    /// All expressions.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &PhysicalExprRef> {
        let distance = match &self.distance {
            Some(JoinDistance::Column(_, expr)) => Some(expr),
            _ => None,
        };
        [&self.left, &self.right].into_iter().chain(distance)
    }
}

impl JoinDistance {
    /// A constant distance from a literal of any numeric type.
    pub fn from_literal(value: &ScalarValue) -> Option<Self> {
        match value.cast_to(&arrow::datatypes::DataType::Float64) {
            Ok(ScalarValue::Float64(distance)) => Some(Self::Constant(distance)),
            _ => None,
        }
    }
}

impl fmt::Display for SpatialOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sql = |expr: &PhysicalExprRef| fmt_sql(expr.as_ref());
        write!(
            f,
            "{}({}, {}",
            self.predicate,
            sql(&self.left),
            sql(&self.right)
        )?;
        match &self.distance {
            None => {}
            Some(JoinDistance::Constant(None)) => write!(f, ", NULL")?,
            Some(JoinDistance::Constant(Some(d))) => write!(f, ", {d}")?,
            Some(JoinDistance::Column(_, expr)) => write!(f, ", {}", sql(expr))?,
        }
        write!(f, ")")
    }
}

fn fmt_sql(expr: &dyn PhysicalExpr) -> String {
    datafusion::physical_expr_common::physical_expr::fmt_sql(expr).to_string()
}
