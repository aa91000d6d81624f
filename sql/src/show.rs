//! `DESCRIBE` and `SHOW TABLES`, told of geometry and without what is there by itself.

use arrow::datatypes::Fields;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast;
use geoflow_engine::geometry::{Encoding, GeometryType};

const TABLES: &str = "SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables \
     WHERE table_schema <> 'information_schema' ORDER BY table_catalog, table_schema, table_name";

/// Leaves the tables of the information schema out of `SHOW TABLES`.
pub(crate) fn rewrite(statement: &mut Statement) -> Result<()> {
    let Statement::Statement(inner) = statement else {
        return Ok(());
    };
    let ast::Statement::ShowTables { show_options, .. } = inner.as_ref() else {
        return Ok(());
    };
    // A filter is refused further on, where the message is.
    if show_options.filter_position.is_none()
        && show_options.show_in.is_none()
        && let Some(tables) = DFParser::parse_sql(TABLES)?.pop_front()
    {
        *statement = tables;
    }
    Ok(())
}

/// A row for each column; a geometry has its CRS in its type.
pub(crate) fn describe(fields: &Fields) -> Result<LogicalPlan> {
    let mut rows = Vec::with_capacity(fields.len());
    for field in fields {
        let data_type = match GeometryType::from_field(field)? {
            Some(ty) => geometry(&ty),
            None => field.data_type().to_string(),
        };
        let nullable = if field.is_nullable() { "YES" } else { "NO" };
        rows.push(vec![
            lit(field.name().as_str()),
            lit(data_type),
            lit(nullable),
        ]);
    }
    let empty = rows.is_empty();
    if empty {
        rows.push(vec![lit(ScalarValue::Utf8(None)); 3]);
    }
    let plan = LogicalPlanBuilder::values(rows)?.project([
        col("column1").alias("column_name"),
        col("column2").alias("data_type"),
        col("column3").alias("is_nullable"),
    ])?;
    match empty {
        true => plan.limit(0, Some(0))?.build(),
        false => plan.build(),
    }
}

/// `geometry(EPSG:3067)`, `geometry(Point, EPSG:3067)` for a layout of points.
fn geometry(ty: &GeometryType) -> String {
    let layout = match &ty.encoding {
        Encoding::Wkb => None,
        Encoding::Native(native) => Some(
            format!("{native:?}")
                .split(['(', ' '])
                .next()
                .unwrap_or_default()
                .to_owned(),
        ),
    };
    let crs = ty.crs.as_ref().map(ToString::to_string);
    let within: Vec<String> = layout.into_iter().chain(crs).collect();
    match within.is_empty() {
        true => "geometry".to_owned(),
        false => format!("geometry({})", within.join(", ")),
    }
}
