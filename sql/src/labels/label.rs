//! The function that restores the label of a geometry and leaves its values alone.

use std::sync::Arc;

use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use geoflow_engine::geometry::GeometryType;

use crate::functions;

/// What an expression is, where its field may not say it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Label {
    /// The geometry.
    pub(super) ty: GeometryType,
    /// Whether it is in a list.
    pub(super) list: bool,
}

impl Label {
    /// The label that a field has.
    pub(super) fn of_field(field: &Field) -> Result<Option<Self>> {
        if let Some(ty) = GeometryType::from_field(field)? {
            return Ok(Some(Label { ty, list: false }));
        }
        let Some(item) = functions::list_item(field.data_type()) else {
            return Ok(None);
        };
        Ok(GeometryType::from_field(item)?.map(|ty| Label { ty, list: true }))
    }

    /// The same field with this label.
    fn put_on(&self, field: Field) -> Field {
        if !self.list {
            return self.ty.apply_to(field);
        }
        let labelled = |item: &FieldRef| Arc::new(self.ty.apply_to(item.as_ref().clone()));
        let data_type = match field.data_type() {
            DataType::List(item) => DataType::List(labelled(item)),
            DataType::LargeList(item) => DataType::LargeList(labelled(item)),
            DataType::FixedSizeList(item, n) => DataType::FixedSizeList(labelled(item), *n),
            other => other.clone(),
        };
        field.with_data_type(data_type)
    }
}

/// The expression with the label; its name stays.
pub(super) fn label(expr: Expr, label: Label) -> Expr {
    let function = ScalarUDF::new_from_impl(LabelFunction {
        label,
        signature: Signature::any(1, Volatility::Immutable),
    });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![expr]))
}

/// Whether the expression is one that [`label`] made.
pub(super) fn is_label(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.inner().is::<LabelFunction>())
}

/// A label around a label is the inner one: the rule has come by before.
pub(super) fn unlabelled_twice(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::ScalarFunction(call) if is_label(expr) => {
            call.args.first().filter(|inner| is_label(inner)).cloned()
        }
        _ => None,
    }
}

#[derive(Debug, Clone)]
struct LabelFunction {
    label: Label,
    signature: Signature,
}

impl PartialEq for LabelFunction {
    fn eq(&self, other: &Self) -> bool {
        self.label == other.label
    }
}

impl Eq for LabelFunction {}

impl std::hash::Hash for LabelFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.label.list.hash(state);
        self.label
            .ty
            .crs
            .as_ref()
            .map(ToString::to_string)
            .hash(state);
    }
}

impl ScalarUDFImpl for LabelFunction {
    /// What plans show: `geometry(CASE WHEN ... END)`.
    fn name(&self) -> &str {
        match self.label.list {
            true => "geometries",
            false => "geometry",
        }
    }

    /// The column keeps the name that it has without the label.
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
        internal_err!("a label is planned by its argument's field")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields {
            [field] => Ok(Arc::new(self.label.put_on(field.as_ref().clone()))),
            _ => internal_err!("a label has one argument"),
        }
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(value) = args.args.into_iter().next() else {
            return internal_err!("a label has one argument");
        };
        let data_type = args.return_field.data_type();
        if value.data_type() == *data_type {
            return Ok(value);
        }
        // The labels of lists are in their type.
        Ok(match value {
            ColumnarValue::Array(array) => ColumnarValue::Array(cast(&array, data_type)?),
            ColumnarValue::Scalar(value) => {
                let array = cast(&value.to_array()?, data_type)?;
                ColumnarValue::Scalar(functions::scalar_value(&array)?)
            }
        })
    }
}
