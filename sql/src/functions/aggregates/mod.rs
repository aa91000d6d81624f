//! Aggregates over geometries: `ST_Collect`, `ST_Union`, `ST_Extent` and their like.
//!
//! ```text
//!  batches ──> parts (columns of points, bytes of WKB, by group) ──> finish ──> one geometry a group
//!                │          ▲
//!                └─ packed ─┘   partial states, from task to task
//! ```
//!
//! All gather the geometries of a group and make one of them at the end. Where a result can stand for
//! what it was made of, a large state is folded on the way. The state is accounted in the memory
//! pool. Sort keys of `ORDER BY` travel with the geometries, so that partial states need no order.

mod collect;
mod folds;
mod gather;
mod line;
mod parts;
mod polygonize;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, GroupsAccumulator};
use geoflow_engine::Error;

pub(super) use collect::collect;
pub(super) use parts::Part;

use super::definition::{Aggregation, Function};
use gather::{Gather, GatherOne};

pub(super) const FUNCTIONS: &[Function] = &[
    collect::COLLECT,
    folds::UNION,
    folds::INTERSECTION,
    folds::CONVEX_HULL,
    folds::EXTENT,
    line::MAKE_LINE,
    polygonize::POLYGONIZE,
];

/// What becomes of the geometries of a group.
trait Finish {
    /// The name for messages.
    const NAME: &'static str;
    /// Whether a result can stand for the geometries that it was made of, so that a large state
    /// is made smaller.
    const FOLDABLE: bool;
    /// Appends the result of at least one geometry; nothing written is NULL.
    fn write(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error>;
}

/// The aggregation that gathers geometries and ends with `F`.
const fn aggregation<F: Finish + 'static>() -> Aggregation {
    Aggregation {
        state,
        accumulator: |args| Ok(Box::new(GatherOne(gather::<F>(&args)?)) as Box<dyn Accumulator>),
        groups: Some(|args| Ok(Box::new(gather::<F>(&args)?) as Box<dyn GroupsAccumulator>)),
        order: AggregateOrderSensitivity::SoftRequirement,
    }
}

fn state(args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
    let name = format_state_name(args.name, "parts");
    Ok(vec![Arc::new(Field::new(
        name,
        DataType::LargeBinary,
        true,
    ))])
}

fn gather<F: Finish>(args: &AccumulatorArgs<'_>) -> Result<Gather<F>> {
    let Some(field) = args.expr_fields.first() else {
        return internal_err!("{} has no argument", F::NAME);
    };
    let sort_field = |by: &datafusion::physical_expr::PhysicalSortExpr| {
        let data_type = by.expr.data_type(args.schema)?;
        Ok(SortField::new_with_options(data_type, by.options))
    };
    let order = match args.order_bys {
        [] => None,
        by => {
            let fields = by.iter().map(sort_field).collect::<Result<Vec<_>>>()?;
            Some(RowConverter::new(fields)?)
        }
    };
    Ok(Gather::new(Arc::clone(field), args.is_distinct, order))
}
