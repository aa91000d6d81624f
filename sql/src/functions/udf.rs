//! A [`Function`] as DataFusion sees it.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};

use super::call::Call;
use super::definition::Function;
use super::planning;

const SECTION: DocSection = DocSection {
    include: true,
    label: "Spatial Functions",
    description: Some("Functions over geometries, with the names and the meaning of PostGIS"),
};

/// Plans and evaluates one [`Function`].
#[derive(Debug)]
pub(super) struct SpatialUdf {
    function: &'static Function,
    /// In lower case, as SQL folds names.
    name: String,
    aliases: Vec<String>,
    signature: Signature,
    documentation: OnceLock<Documentation>,
}

impl SpatialUdf {
    pub(super) fn new(function: &'static Function) -> Self {
        Self {
            function,
            name: function.name.to_ascii_lowercase(),
            aliases: function
                .aliases
                .iter()
                .map(|alias| alias.to_ascii_lowercase())
                .collect(),
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: OnceLock::new(),
        }
    }

    pub(super) fn function(&self) -> &'static Function {
        self.function
    }
}

// There is one function of each name.
impl PartialEq for SpatialUdf {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for SpatialUdf {}

impl Hash for SpatialUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for SpatialUdf {
    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Leaves every type as it is. A cast here would strip the extension type of a geometry, and
    /// an error here would be wrapped in advice that has no use for these functions;
    /// `return_field_from_args` follows and knows the fields.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        internal_err!("{} is planned by its argument fields", self.name)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        planning::return_field(self.function, &args)
    }

    /// NULL in, NULL out: outer joins under such a filter become inner ones.
    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Call::evaluate(self.function, &args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(self.documentation.get_or_init(|| {
            let function = self.function;
            let (example, value) = function.example;
            let mut signatures = function
                .signature_text()
                .lines()
                .map(String::from)
                .collect::<Vec<_>>()
                .into_iter();
            let mut builder = Documentation::builder(
                SECTION,
                format!(
                    "{} NULL arguments give NULL. {}",
                    function.about, function.empty
                ),
                signatures.next().unwrap_or_default(),
            )
            .with_sql_example(format!("SELECT {example};\n-- {value}"));
            for signature in signatures {
                builder = builder.with_alternative_syntax(signature);
            }
            builder.build()
        }))
    }
}
