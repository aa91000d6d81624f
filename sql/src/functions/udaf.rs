//! A [`Function`] as DataFusion sees it: aggregates.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, ReturnFieldArgs, Signature,
};

use super::definition::{Aggregation, Evaluate, Function};
use super::planning;
use super::udf::Face;

/// Plans and evaluates one aggregate [`Function`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct SpatialUdaf {
    face: Face,
}

impl SpatialUdaf {
    /// The function, if it is an aggregate.
    pub(super) fn new(function: &'static Function) -> Option<Self> {
        matches!(function.evaluate, Evaluate::Aggregate(_)).then(|| Self {
            face: Face::new(function),
        })
    }

    pub(super) fn function(&self) -> &'static Function {
        self.face.function
    }

    fn aggregation(&self) -> Result<&'static Aggregation> {
        match &self.face.function.evaluate {
            Evaluate::Aggregate(aggregation) => Ok(aggregation),
            _ => internal_err!("{} is no aggregate", self.face.name),
        }
    }
}

impl AggregateUDFImpl for SpatialUdaf {
    fn name(&self) -> &str {
        &self.face.name
    }

    fn aliases(&self) -> &[String] {
        &self.face.aliases
    }

    fn signature(&self) -> &Signature {
        &self.face.signature
    }

    /// Leaves every type as it is: a cast would strip the extension type of a geometry.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        internal_err!("{} is planned by its argument fields", self.face.name)
    }

    fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
        planning::return_field(
            self.function(),
            &ReturnFieldArgs {
                arg_fields,
                scalar_arguments: &vec![None; arg_fields.len()],
            },
        )
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        (self.aggregation()?.accumulator)(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        (self.aggregation()?.state)(args)
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        self.aggregation().is_ok_and(|a| a.groups.is_some())
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match self.aggregation()?.groups {
            Some(groups) => groups(args),
            None => internal_err!("{} has no accumulator for groups", self.face.name),
        }
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        match &self.face.function.evaluate {
            Evaluate::Aggregate(aggregation) => aggregation.order,
            _ => AggregateOrderSensitivity::Insensitive,
        }
    }

    /// Nothing is gained by an input in order.
    fn with_beneficial_ordering(
        self: Arc<Self>,
        _beneficial_ordering: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(self.face.documentation())
    }
}
