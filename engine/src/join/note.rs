//! A note in the plan above a join that is not ours.

use std::fmt;
use std::sync::Arc;

use datafusion::physical_plan::DisplayFormatType;

use crate::through::Through;

/// Says why the join below finds its pairs the way it does.
#[derive(Debug)]
pub struct StrategyNote(Arc<str>);

impl StrategyNote {
    /// A note of a strategy.
    pub fn new(strategy: impl Into<Arc<str>>) -> Self {
        Self(strategy.into())
    }
}

impl Through for StrategyNote {
    fn name(&self) -> &'static str {
        "SpatialStrategy"
    }

    fn describe(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::TreeRender => writeln!(f, "strategy={}", self.0),
            _ => write!(f, "SpatialStrategy: {}", self.0),
        }
    }
}
