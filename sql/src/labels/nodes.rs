//! Nodes of a plan whose schema drops labels whatever their expressions say.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result;
use datafusion::logical_expr::dml::WriteOp;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Union};
use geoflow_engine::crs::check_same_crs;
use geoflow_engine::geometry::GeometryType;

use super::align;
use super::find::{label_of, one_of};
use super::label::{Label, label};
use super::rule::Context;

/// Puts a projection with the missing labels above a node, or below a union.
pub(super) fn restore(
    plan: LogicalPlan,
    context: &Context<'_>,
) -> Result<Transformed<LogicalPlan>> {
    let labels = match &plan {
        LogicalPlan::Aggregate(aggregate) => {
            let groups = plan.schema().fields().len() - aggregate.aggr_expr.len();
            let mut labels = vec![None; groups];
            for expr in &aggregate.aggr_expr {
                labels.push(label_of(expr, context.schema)?);
            }
            labels
        }
        LogicalPlan::Window(window) => {
            let passed = window.input.schema().fields().len();
            let mut labels = vec![None; passed];
            for expr in &window.window_expr {
                labels.push(label_of(expr, context.schema)?);
            }
            labels
        }
        LogicalPlan::Values(values) => {
            let empty = DFSchema::empty();
            let column = |i: usize| {
                let cells: Vec<&Expr> = values.values.iter().filter_map(|row| row.get(i)).collect();
                one_of("a column of VALUES", &cells, &empty)
            };
            (0..plan.schema().fields().len())
                .map(column)
                .collect::<Result<Vec<_>>>()?
        }
        LogicalPlan::Unnest(unnest) => unnested(unnest)?,
        LogicalPlan::Union(_) => return union(plan, context),
        LogicalPlan::Dml(dml) if matches!(dml.op, WriteOp::Insert(_)) => {
            return insert(plan, context);
        }
        _ => return Ok(Transformed::no(plan)),
    };
    above(plan, labels)
}

/// A projection that labels those columns which should have a label and have none.
fn above(plan: LogicalPlan, labels: Vec<Option<Label>>) -> Result<Transformed<LogicalPlan>> {
    let mut missing = false;
    let mut columns = vec![];
    for ((relation, field), wanted) in plan.schema().iter().zip(labels) {
        let column = Expr::Column(Column::new(relation.cloned(), field.name()));
        columns.push(match wanted {
            Some(wanted) if Label::of_field(field)?.is_none() => {
                missing = true;
                label(column, wanted).alias_qualified(relation.cloned(), field.name())
            }
            _ => column,
        });
    }
    if !missing {
        return Ok(Transformed::no(plan));
    }
    let projection = Projection::try_new(columns, Arc::new(plan))?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

/// The items of lists, and the members of structs.
fn unnested(unnest: &datafusion::logical_expr::Unnest) -> Result<Vec<Option<Label>>> {
    let input = unnest.input.schema();
    let mut members = std::collections::HashMap::<usize, usize>::new();
    unnest
        .dependency_indices
        .iter()
        .map(|&i| {
            let field = input.field(i);
            if unnest.struct_type_columns.contains(&i) {
                let member = members.entry(i).or_default();
                *member += 1;
                return match field.data_type() {
                    DataType::Struct(fields) => match fields.get(*member - 1) {
                        Some(field) => Label::of_field(field),
                        None => Ok(None),
                    },
                    _ => Ok(None),
                };
            }
            let is_list = unnest
                .list_type_columns
                .iter()
                .any(|(index, _)| *index == i);
            Ok(Label::of_field(field)?
                .filter(|label| label.list == is_list)
                .map(|label| Label {
                    list: false,
                    ..label
                }))
        })
        .collect()
}

/// Gives all inputs of a union the label of the first that has one.
fn union(plan: LogicalPlan, context: &Context<'_>) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Union(Union { inputs, .. }) = &plan else {
        return Ok(Transformed::no(plan));
    };
    let width = plan.schema().fields().len();
    let mut targets: Vec<Option<(String, GeometryType)>> = vec![None; width];
    for input in inputs {
        for (field, target) in input.schema().fields().iter().zip(&mut targets) {
            let Some(ty) = GeometryType::from_field(field)? else {
                continue;
            };
            match target {
                None => *target = Some((field.name().clone(), ty)),
                Some((_, known)) if known.crs.is_none() => known.crs = ty.crs,
                Some(_) => {}
            }
        }
    }
    if targets.iter().all(Option::is_none) {
        return Ok(Transformed::no(plan));
    }
    let mut changed = false;
    let mut all = Vec::with_capacity(inputs.len());
    for (n, input) in inputs.iter().enumerate() {
        let mut columns = Vec::with_capacity(width);
        let mut differs = false;
        for ((relation, field), target) in input.schema().iter().zip(&targets) {
            let column = Expr::Column(Column::new(relation.cloned(), field.name()));
            let Some((name, target)) = target else {
                columns.push(column);
                continue;
            };
            let own = GeometryType::from_field(field)?;
            let crs = own.as_ref().and_then(|ty| ty.crs.as_ref());
            let query = format!("{} of query {}", field.name(), n + 1);
            let names = (name.as_str(), query.as_str());
            let aligned = align::one(column, crs, names, target.crs.as_ref(), "UNION", context)?;
            let same = own.as_ref() == Some(target) && !aligned.transformed;
            // NULL becomes bytes when types are coerced, and then comes by here again.
            let storage_fits = own.is_some()
                || matches!(
                    field.data_type(),
                    DataType::Binary | DataType::LargeBinary | DataType::BinaryView
                );
            if same || !storage_fits {
                columns.push(aligned.data);
                continue;
            }
            differs = true;
            let wanted = Label {
                ty: GeometryType {
                    encoding: own.map_or_else(|| target.encoding.clone(), |ty| ty.encoding),
                    crs: target.crs.clone(),
                },
                list: false,
            };
            let labelled = match aligned.transformed {
                true => aligned.data,
                false => label(aligned.data, wanted),
            };
            columns.push(labelled.alias_qualified(relation.cloned(), field.name()));
        }
        changed |= differs;
        all.push(match differs {
            true => Arc::new(LogicalPlan::Projection(Projection::try_new(
                columns,
                Arc::clone(input),
            )?)),
            false => Arc::clone(input),
        });
    }
    match changed {
        true => {
            let union = LogicalPlan::Union(Union::try_new_with_loose_types(all)?);
            Ok(Transformed::yes(union))
        }
        false => Ok(Transformed::no(plan)),
    }
}

/// Rows go into a table whose column says what they are.
fn insert(plan: LogicalPlan, context: &Context<'_>) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Dml(dml) = &plan else {
        return Ok(Transformed::no(plan));
    };
    let target = dml.target.schema();
    for (column, value) in target.fields().iter().zip(dml.input.schema().fields()) {
        let (Some(column_type), Some(value_type)) = (
            GeometryType::from_field(column)?,
            GeometryType::from_field(value)?,
        ) else {
            continue;
        };
        if context.on_mismatch == geoflow_engine::options::CrsMismatch::Ignore {
            continue;
        }
        check_same_crs(
            &format!("{}.{}", dml.table_name.table(), column.name()),
            column_type.crs.as_ref(),
            value.name(),
            value_type.crs.as_ref(),
            "INSERT",
        )?;
    }
    Ok(Transformed::no(plan))
}
