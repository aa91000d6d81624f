//! `ST_KNN` as a name in SQL. It is planned as a join and never called.

use arrow::datatypes::DataType;
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::ST_KNN;

/// The function `ST_KNN(a, b [, k [, use_spheroid]])`.
pub fn nearest_function() -> ScalarUDF {
    ScalarUDF::new_from_impl(NearestFunction {
        signature: signature(),
    })
}

/// Any types, which the rule looks at; arguments may be given by name.
fn signature() -> Signature {
    let signature = Signature::user_defined(Volatility::Immutable);
    let names = vec!["a", "b", "k", "use_spheroid"];
    signature
        .clone()
        .with_parameter_names(names)
        .unwrap_or(signature)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NearestFunction {
    signature: Signature,
}

impl ScalarUDFImpl for NearestFunction {
    fn name(&self) -> &str {
        ST_KNN
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.len() {
            2..=4 => Ok(DataType::Boolean),
            n => plan_err!(
                "ST_KNN takes two geometries, the number of neighbours and use_spheroid, not {n} arguments"
            ),
        }
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        plan_err!(
            "ST_KNN is a condition of a join: write FROM a JOIN b ON ST_KNN(a.geometry, b.geometry, k)"
        )
    }
}
