//! What an expression is, where its field does not say it.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};
use datafusion::logical_expr::{
    Case, Cast, Expr, ExprSchemable, TryCast, WindowFunctionDefinition,
};
use datafusion::scalar::ScalarValue;
use geoflow_engine::crs::check_same_crs;

use super::label::Label;

/// The label that the value of an expression should have.
///
/// # Errors
/// Branches of an expression in two different CRS; the least or greatest of geometries.
pub(super) fn label_of(expr: &Expr, schema: &DFSchema) -> Result<Option<Label>> {
    if let Some(label) = Label::of_field(&expr.to_field(schema)?.1)? {
        return Ok(Some(label));
    }
    match expr {
        Expr::Alias(alias) => label_of(&alias.expr, schema),
        Expr::Case(case) => one_of("CASE", &branches(case), schema),
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field })
            if is_coercion(field) =>
        {
            label_of(expr, schema)
        }
        Expr::ScalarFunction(call) => of_call(call, schema),
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            of_rows(func.name(), &params.args, schema)
        }
        Expr::WindowFunction(function) => of_window(function, schema),
        _ => Ok(None),
    }
}

/// A cast that the planner put in between the types that hold WKB. Those of a user are named
/// (see [`super::cast`]).
pub(super) fn is_coercion(target: &arrow::datatypes::Field) -> bool {
    let unnamed = target.name().is_empty() && target.metadata().is_empty();
    let data_type = match crate::functions::list_item(target.data_type()) {
        Some(item) => item.data_type(),
        None => target.data_type(),
    };
    unnamed
        && matches!(
            data_type,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
}

/// The expressions whose values a `CASE` can have.
pub(super) fn branches(case: &Case) -> Vec<&Expr> {
    let then = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    then.chain(case.else_expr.as_deref()).collect()
}

fn of_call(call: &ScalarFunction, schema: &DFSchema) -> Result<Option<Label>> {
    let args: Vec<&Expr> = call.args.iter().collect();
    match (call.func.name(), args.as_slice()) {
        ("coalesce" | "nvl" | "nullif", args) => one_of(call.func.name(), args, schema),
        ("nvl2", [_, values @ ..]) => one_of("nvl2", values, schema),
        (name @ ("greatest" | "least"), args) => match one_of(name, args, schema)? {
            Some(_) => no_order(name),
            None => Ok(None),
        },
        ("make_array", args) => Ok(item(one_of("an array", args, schema)?)),
        ("array_element" | "array_any_value" | "array_pop", [list, ..]) => {
            Ok(label_of(list, schema)?.map(|label| Label {
                list: false,
                ..label
            }))
        }
        (name, [list, ..]) if name.starts_with("array_") => {
            // Functions that return a list of the values of their first argument.
            let is_list = |data_type: &DataType| crate::functions::list_item(data_type).is_some();
            match is_list(&Expr::ScalarFunction(call.clone()).get_type(schema)?) {
                true => Ok(label_of(list, schema)?.filter(|label| label.list)),
                false => Ok(None),
            }
        }
        ("get_field", [value, Expr::Literal(ScalarValue::Utf8(Some(name)), _)]) => {
            match value.to_field(schema)?.1.data_type() {
                DataType::Struct(fields) => match fields.find(name) {
                    Some((_, field)) => Label::of_field(field),
                    None => Ok(None),
                },
                _ => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

fn item(label: Option<Label>) -> Option<Label> {
    label.filter(|label| !label.list).map(|label| Label {
        list: true,
        ..label
    })
}

/// The label of an aggregate that returns values of its rows.
fn of_rows(name: &str, args: &[Expr], schema: &DFSchema) -> Result<Option<Label>> {
    let Some(first) = args.first() else {
        return Ok(None);
    };
    match name {
        "first_value" | "last_value" | "nth_value" | "any_value" | "mode" => {
            label_of(first, schema)
        }
        "array_agg" => Ok(item(label_of(first, schema)?)),
        "min" | "max" => match label_of(first, schema)? {
            Some(_) => no_order(name),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

fn of_window(function: &WindowFunction, schema: &DFSchema) -> Result<Option<Label>> {
    let args = &function.params.args;
    match &function.fun {
        WindowFunctionDefinition::AggregateUDF(aggregate) => {
            of_rows(aggregate.name(), args, schema)
        }
        WindowFunctionDefinition::WindowUDF(window) => match (window.name(), args.as_slice()) {
            ("lag" | "lead", [value, _, default]) => {
                one_of(window.name(), &[value, default], schema)
            }
            ("lag" | "lead" | "first_value" | "last_value" | "nth_value", [value, ..]) => {
                label_of(value, schema)
            }
            _ => Ok(None),
        },
    }
}

fn no_order<T>(name: &str) -> Result<T> {
    plan_err!(
        "{name} of geometries has no meaning: geometries have no order. Take the {name} of a measure, such as ST_Area(geom), \
         or first_value(geom ORDER BY ...); ST_Extent and ST_Union_Agg combine geometries"
    )
}

/// The label of a value that is one of several, which agree.
pub(super) fn one_of(what: &str, values: &[&Expr], schema: &DFSchema) -> Result<Option<Label>> {
    let mut found: Option<(&Expr, Label)> = None;
    for value in values {
        let Some(label) = label_of(value, schema)? else {
            continue;
        };
        match &mut found {
            None => found = Some((value, label)),
            Some((first, known)) => {
                check_same_crs(
                    &first.schema_name().to_string(),
                    known.ty.crs.as_ref(),
                    &value.schema_name().to_string(),
                    label.ty.crs.as_ref(),
                    what,
                )?;
                if known.ty.crs.is_none() {
                    known.ty.crs = label.ty.crs;
                }
            }
        }
    }
    Ok(found.map(|(_, label)| label))
}
