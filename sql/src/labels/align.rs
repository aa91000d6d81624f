//! Two coordinate reference systems in one operation: refused, aligned or let be, as
//! `geoflow.crs_mismatch` says.

use std::sync::Arc;

use datafusion::common::plan_err;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, lit};
use geoflow_engine::crs::{Crs, check_same_crs};
use geoflow_engine::options::CrsMismatch;

use super::label::Label;
use super::rule::Context;
use crate::functions;
use crate::join::ST_KNN;

/// Looks at the geometries of one call or comparison.
pub(super) fn rewrite(expr: Expr, context: &Context<'_>) -> Result<Transformed<Expr>> {
    match expr {
        Expr::ScalarFunction(call) => {
            let what = match functions::definition(&call.func) {
                Some(function) => function.name,
                None if call.func.name() == ST_KNN => "ST_KNN",
                None => return Ok(Transformed::no(Expr::ScalarFunction(call))),
            };
            let aligned = all(call.args, what, context)?;
            let func = call.func;
            Ok(aligned.update_data(|args| Expr::ScalarFunction(ScalarFunction { func, args })))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.supports_propagation() => {
            let operands = vec![*left, *right];
            let aligned = all(operands, &format!("the comparison {op}"), context)?;
            aligned.transform_data(|operands| match <[Expr; 2]>::try_from(operands) {
                Ok([left, right]) => Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr {
                    left: Box::new(left),
                    op,
                    right: Box::new(right),
                }))),
                Err(_) => datafusion::common::internal_err!("a comparison has two operands"),
            })
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The same for the equalities that a join is made by, as those of `INTERSECT`.
pub(super) fn equalities(plan: LogicalPlan, context: &Context<'_>) -> Result<LogicalPlan> {
    let LogicalPlan::Join(mut join) = plan else {
        return Ok(plan);
    };
    let on = std::mem::take(&mut join.on);
    for (left, right) in on {
        let aligned = all(vec![left, right], "the comparison =", context)?;
        if let Ok([left, right]) = <[Expr; 2]>::try_from(aligned.data) {
            join.on.push((left, right));
        }
    }
    Ok(LogicalPlan::Join(join))
}

/// Brings all geometries of an operation into the CRS of the first that has one.
fn all(exprs: Vec<Expr>, what: &str, context: &Context<'_>) -> Result<Transformed<Vec<Expr>>> {
    if exprs.len() < 2 {
        return Ok(Transformed::no(exprs));
    }
    let mut first: Option<(String, Crs)> = None;
    let mut changed = false;
    let mut aligned = Vec::with_capacity(exprs.len());
    for expr in exprs {
        let field = expr.to_field(context.schema)?.1;
        let Some(crs) = Label::of_field(&field)?.and_then(|label| label.ty.crs) else {
            aligned.push(expr);
            continue;
        };
        let Some((first_name, first_crs)) = &first else {
            first = Some((name_of(&expr), crs));
            aligned.push(expr);
            continue;
        };
        let names = (first_name.as_str(), name_of(&expr));
        let names = (names.0, names.1.as_str());
        let one = one(expr, Some(&crs), names, Some(first_crs), what, context)?;
        changed |= one.transformed;
        aligned.push(one.data);
    }
    Ok(Transformed::new_transformed(aligned, changed))
}

/// Brings one geometry into a CRS. The names are of what the CRS is of, and of the expression.
pub(super) fn one(
    expr: Expr,
    crs: Option<&Crs>,
    (first_name, name): (&str, &str),
    target: Option<&Crs>,
    what: &str,
    context: &Context<'_>,
) -> Result<Transformed<Expr>> {
    let (Some(crs), Some(target)) = (crs, target) else {
        return Ok(Transformed::no(expr));
    };
    if crs.same_as(target) {
        return Ok(Transformed::no(expr));
    }
    match context.on_mismatch {
        CrsMismatch::Ignore => Ok(Transformed::no(expr)),
        CrsMismatch::Error => {
            check_same_crs(first_name, Some(target), name, Some(crs), what)?;
            Ok(Transformed::no(expr))
        }
        CrsMismatch::Transform => {
            let Some(code) = target.authority_code() else {
                return plan_err!(
                    "{what}: {name} is in {crs} and cannot be transformed to the CRS of {first_name}, {target}, which has no code"
                );
            };
            context.notices.push(format!(
                "{what}: {name} is transformed from {crs} to {target}, the CRS of {first_name} (geoflow.crs_mismatch = transform)"
            ));
            Ok(Transformed::yes(call(
                "ST_Transform",
                vec![expr, lit(code)],
            )?))
        }
    }
}

/// A call of one of our own functions.
pub(super) fn call(name: &str, args: Vec<Expr>) -> Result<Expr> {
    match functions::scalar_function(name) {
        Some(function) => Ok(Expr::ScalarFunction(ScalarFunction::new_udf(
            Arc::new(function),
            args,
        ))),
        None => plan_err!("{name} is not available"),
    }
}

/// What messages call an expression: `r.geometry` for a column.
fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Column(column) => column.flat_name(),
        Expr::ScalarFunction(call) if super::label::is_label(expr) => {
            call.args.first().map(name_of).unwrap_or_default()
        }
        other => other.schema_name().to_string(),
    }
}
