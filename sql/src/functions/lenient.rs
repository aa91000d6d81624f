//! Geometries of which the invalid ones are NULL: what aggregates are given, which know no settings.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, WindowFunctionDefinition,
};
use geoflow_engine::geometry::InvalidPolicy;
use geoflow_engine::options::GeoflowOptions;

use super::call::without_invalid;
use super::definition::{Function, Kind};
use super::{udaf, udwf};

/// Gives aggregates and window functions over geometries NULL for those that are invalid. `None` for
/// any other expression, and one that has been changed already.
pub(crate) fn lenient(expr: &Expr) -> Option<Expr> {
    let (function, args): (&Function, &[Expr]) = match expr {
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            let udaf = func.inner().downcast_ref::<udaf::SpatialUdaf>()?;
            (udaf.function(), &params.args)
        }
        Expr::WindowFunction(call) => match &call.fun {
            WindowFunctionDefinition::AggregateUDF(func) => {
                let udaf = func.inner().downcast_ref::<udaf::SpatialUdaf>()?;
                (udaf.function(), &call.params.args)
            }
            WindowFunctionDefinition::WindowUDF(func) => {
                let udwf = func.inner().downcast_ref::<udwf::SpatialUdwf>()?;
                (udwf.function(), &call.params.args)
            }
        },
        _ => return None,
    };
    let takes_geometry = |signature: &&[super::Parameter]| {
        let first = signature.first();
        first.is_some_and(|first| first.kind == Kind::Geometry)
    };
    let first = args.first().filter(|first| !is_lenient(first))?;
    if !function.signatures.iter().any(takes_geometry) {
        return None;
    }
    let first = ScalarUDF::new_from_impl(Lenient::new(function)).call(vec![first.clone()]);
    let args = std::iter::once(first).chain(args[1..].iter().cloned());
    let args = args.collect();
    let mut changed = expr.clone();
    match &mut changed {
        Expr::AggregateFunction(call) => call.params.args = args,
        Expr::WindowFunction(call) => call.params.args = args,
        _ => return None,
    }
    Some(changed)
}

fn is_lenient(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.inner().is::<Lenient>())
}

#[derive(Debug)]
struct Lenient {
    /// Of whose argument messages speak.
    function: &'static Function,
    signature: Signature,
}

impl Lenient {
    fn new(function: &'static Function) -> Self {
        Self {
            function,
            signature: Signature::any(1, Volatility::Immutable),
        }
    }
}

impl PartialEq for Lenient {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Lenient {}

impl std::hash::Hash for Lenient {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for Lenient {
    /// What plans show: `valid_or_null(geom)`.
    fn name(&self) -> &str {
        "valid_or_null"
    }

    /// The aggregate keeps the name that it has without this.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(match args {
            [only] => only.schema_name().to_string(),
            _ => self.name().to_owned(),
        })
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        internal_err!("it is planned by its argument's field")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [field] => Ok(field.as_ref().clone().with_nullable(true).into()),
            _ => internal_err!("it has one argument"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (Some(value), Some(field)) = (args.args.first(), args.arg_fields.first()) else {
            return internal_err!("it has one argument");
        };
        let policy = InvalidPolicy::new(GeoflowOptions::of(&args.config_options));
        let ColumnarValue::Array(values) = value else {
            return Ok(value.clone());
        };
        // Text stays text here.
        match super::planning::geometry_type(field)? {
            Some(_) => Ok(ColumnarValue::Array(without_invalid(
                self.function,
                values,
                field,
                &policy,
            )?)),
            None => Ok(value.clone()),
        }
    }
}
