//! A [`Function`] as DataFusion sees it: window functions.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    Documentation, PartitionEvaluator, ReturnFieldArgs, Signature, WindowUDFImpl,
};

use super::definition::{Evaluate, Function};
use super::planning;
use super::udf::Face;

/// Plans and evaluates one window [`Function`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct SpatialUdwf {
    face: Face,
}

impl SpatialUdwf {
    /// The function, if it is a window function.
    pub(super) fn new(function: &'static Function) -> Option<Self> {
        matches!(function.evaluate, Evaluate::Window(_)).then(|| Self {
            face: Face::new(function),
        })
    }

    pub(super) fn function(&self) -> &'static Function {
        self.face.function
    }
}

impl WindowUDFImpl for SpatialUdwf {
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

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let arg_fields = args.input_fields();
        let field = planning::return_field(
            self.function(),
            &ReturnFieldArgs {
                arg_fields,
                scalar_arguments: &vec![None; arg_fields.len()],
            },
        )?;
        Ok(field.as_ref().clone().with_name(args.name()).into())
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        match self.face.function.evaluate {
            Evaluate::Window(evaluator) => evaluator(args),
            _ => internal_err!("{} is no window function", self.face.name),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(self.face.documentation())
    }
}
