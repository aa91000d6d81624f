//! What is joined: the predicate and where its arguments come from.

use std::fmt;

use datafusion::common::{JoinSide, ScalarValue};
use datafusion::physical_expr::{PhysicalExpr, PhysicalExprRef};

use crate::predicate::SpatialPredicate;

/// The spatial condition of a join: what must hold between a geometry of each input.
#[derive(Debug, Clone)]
pub struct SpatialOn {
    /// What must hold, the left geometry first.
    pub predicate: JoinPredicate,
    /// A geometry of the left input.
    pub left: PhysicalExprRef,
    /// A geometry of the right input.
    pub right: PhysicalExprRef,
    /// Pairs that satisfy any of these are joined as well. They hold no alternatives of their own, and
    /// neither they nor the condition itself are [`JoinPredicate::Nearest`].
    pub alternatives: Vec<SpatialOn>,
}

/// The condition on two geometries.
#[derive(Debug, Clone)]
pub enum JoinPredicate {
    /// A relation of the OGC; not [`SpatialPredicate::DWithin`], which needs a distance.
    Relation(SpatialPredicate),
    /// Their distance is at most this, in units of the CRS.
    DWithin(JoinDistance),
    /// The right geometry is one of the `k` nearest to the left one, ties in the order of the
    /// right rows. The right side is always the build side.
    Nearest {
        /// How many.
        k: usize,
    },
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
    /// A condition without alternatives.
    pub fn new(predicate: JoinPredicate, left: PhysicalExprRef, right: PhysicalExprRef) -> Self {
        Self {
            predicate,
            left,
            right,
            alternatives: vec![],
        }
    }

    /// This condition or any of `alternatives`.
    #[must_use]
    pub fn or(mut self, alternatives: impl IntoIterator<Item = SpatialOn>) -> Self {
        self.alternatives.extend(alternatives);
        self
    }

    /// The condition itself and its alternatives: a pair is joined that satisfies one of them.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &SpatialOn> {
        std::iter::once(self).chain(&self.alternatives)
    }

    /// The geometry of one input, if all conditions ask for the same.
    pub(super) fn common_geometry(&self, side: JoinSide) -> Option<&PhysicalExprRef> {
        let first = self.geometry(side);
        self.alternatives
            .iter()
            .all(|other| other.geometry(side) == first)
            .then_some(first)
    }

    /// The geometry of one input.
    pub fn geometry(&self, side: JoinSide) -> &PhysicalExprRef {
        match side {
            JoinSide::Left => &self.left,
            _ => &self.right,
        }
    }

    /// The expression of the distance, if it is one of `side`.
    pub(super) fn distance_of(&self, side: JoinSide) -> Option<&PhysicalExprRef> {
        match &self.predicate {
            JoinPredicate::DWithin(JoinDistance::Column(of, expr)) if *of == side => Some(expr),
            _ => None,
        }
    }

    /// Whether two EMPTY geometries satisfy it.
    pub(super) fn joins_empties(&self) -> bool {
        matches!(
            self.predicate,
            JoinPredicate::Relation(SpatialPredicate::Equals)
        )
    }

    /// All expressions.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &PhysicalExprRef> {
        self.conditions().flat_map(|condition| {
            let distance = match &condition.predicate {
                JoinPredicate::DWithin(JoinDistance::Column(_, expr)) => Some(expr),
                _ => None,
            };
            [&condition.left, &condition.right]
                .into_iter()
                .chain(distance)
        })
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
        self.fmt_condition(f)?;
        for alternative in &self.alternatives {
            f.write_str(" OR ")?;
            alternative.fmt_condition(f)?;
        }
        Ok(())
    }
}

impl SpatialOn {
    fn fmt_condition(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sql = |expr: &PhysicalExprRef| fmt_sql(expr.as_ref());
        let (left, right) = (sql(&self.left), sql(&self.right));
        match &self.predicate {
            JoinPredicate::Relation(predicate) => write!(f, "{predicate}({left}, {right})"),
            JoinPredicate::DWithin(distance) => {
                let distance = match distance {
                    JoinDistance::Constant(None) => "NULL".to_string(),
                    JoinDistance::Constant(Some(d)) => d.to_string(),
                    JoinDistance::Column(_, expr) => sql(expr),
                };
                write!(f, "ST_DWithin({left}, {right}, {distance})")
            }
            JoinPredicate::Nearest { k } => write!(f, "ST_KNN({left}, {right}, {k})"),
        }
    }
}

fn fmt_sql(expr: &dyn PhysicalExpr) -> String {
    datafusion::physical_expr_common::physical_expr::fmt_sql(expr).to_string()
}
