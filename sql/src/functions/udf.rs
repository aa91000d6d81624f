//! A [`Function`] as DataFusion sees it: scalar functions.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
    Volatility,
};

use super::call::Call;
use super::definition::{Evaluate, Function};
use super::{planning, reference};

/// What all of DataFusion's kinds of functions are made of.
#[derive(Debug)]
pub(super) struct Face {
    pub(super) function: &'static Function,
    /// In lower case, as SQL folds names.
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) signature: Signature,
    documentation: OnceLock<Documentation>,
}

impl Face {
    pub(super) fn new(function: &'static Function) -> Self {
        // The arity of a user-defined signature is not known, so `with_parameter_names` would
        // refuse; what is resolved by name is checked as if it had been written in order.
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(function.parameter_names());
        Self {
            function,
            name: function.name.to_ascii_lowercase(),
            aliases: function
                .aliases
                .iter()
                .map(|alias| alias.to_ascii_lowercase())
                .collect(),
            signature,
            documentation: OnceLock::new(),
        }
    }

    pub(super) fn documentation(&self) -> &Documentation {
        self.documentation
            .get_or_init(|| reference::documentation(self.function))
    }
}

// There is one function of each name.
impl PartialEq for Face {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Face {}

impl Hash for Face {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// Plans and evaluates one scalar [`Function`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct SpatialUdf {
    face: Face,
}

impl SpatialUdf {
    /// The function, if it is a scalar one.
    pub(super) fn new(function: &'static Function) -> Option<Self> {
        matches!(
            function.evaluate,
            Evaluate::Scalar(_) | Evaluate::ScalarOfNull(..)
        )
        .then(|| Self {
            face: Face::new(function),
        })
    }

    pub(super) fn function(&self) -> &'static Function {
        self.face.function
    }
}

impl ScalarUDFImpl for SpatialUdf {
    fn name(&self) -> &str {
        &self.face.name
    }

    fn aliases(&self) -> &[String] {
        &self.face.aliases
    }

    fn signature(&self) -> &Signature {
        &self.face.signature
    }

    /// Leaves every type as it is. A cast here would strip the extension type of a geometry, and
    /// an error here would be wrapped in advice that has no use for these functions;
    /// `return_field_from_args` follows and knows the fields.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        internal_err!("{} is planned by its argument fields", self.face.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        planning::return_field(self.function(), &args)
    }

    /// NULL in, NULL out: outer joins under such a filter become inner ones.
    fn is_strict(&self) -> bool {
        matches!(self.function().evaluate, Evaluate::Scalar(_))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Call::evaluate(self.function(), &args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(self.face.documentation())
    }
}
