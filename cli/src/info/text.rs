//! A description for people.

use arrow::datatypes::{DataType, Field, Schema};
use geoflow_engine::geometry::Bounds;
use geoflow_engine::geoparquet::{FileInfo, GeometryColumnInfo, Pruning};
use indicatif::{BinaryBytes, HumanCount};

/// Row groups listed one by one.
const LISTED_ROW_GROUPS: usize = 10;

pub(super) fn describe(name: &str, info: &FileInfo, all_row_groups: bool) -> String {
    let mut out = format!("{name}\n");
    let mut say = |label: &str, text: &str| {
        out.push_str(format!("  {label:<12}{text}").trim_end());
        out.push('\n');
    };
    say("format", &format(info));
    if let Some(writer) = &info.created_by {
        say("written by", writer);
    }
    say("rows", &rows(info));
    for column in info.geo.iter().flat_map(|geo| &geo.columns) {
        say("geometry", &geometry(info, column));
        say(
            "  CRS",
            &column
                .column
                .crs
                .as_ref()
                .map_or("unknown".to_string(), |crs| crs.name()),
        );
        say(
            "  bounds",
            &column
                .bounds()
                .map_or("not known".to_string(), |b| bounds(&b)),
        );
        say("  pruning", &pruning(column));
    }
    columns(&info.schema, &mut out);
    row_groups(info, all_row_groups, &mut out);
    out
}

/// The columns, one a line.
pub(super) fn columns(schema: &Schema, out: &mut String) {
    out.push_str("  columns\n");
    let width = schema
        .fields()
        .iter()
        .map(|field| field.name().chars().count());
    let width = width.max().unwrap_or(0);
    for field in schema.fields() {
        let optional = if field.is_nullable() {
            ""
        } else {
            ", not null"
        };
        out.push_str(&format!(
            "    {:<width$}  {}{optional}\n",
            field.name(),
            labelled_type(field)
        ));
    }
}

fn format(info: &FileInfo) -> String {
    let kind = match &info.geo {
        Some(geo) if geo.version.is_empty() => {
            "Parquet with geometry types of its own, without GeoParquet metadata".to_string()
        }
        Some(geo) => format!("GeoParquet {}", geo.version),
        None => "Parquet without geometry metadata".to_string(),
    };
    let codecs = match info.compression.is_empty() {
        true => String::new(),
        false => format!(", {}", info.compression.join(" and ")),
    };
    format!("{kind}{codecs}, {}", BinaryBytes(info.size))
}

fn rows(info: &FileInfo) -> String {
    let groups = info.row_groups.len();
    format!(
        "{} in {groups} row group{}",
        HumanCount(info.rows),
        if groups == 1 { "" } else { "s" }
    )
}

fn geometry(info: &FileInfo, column: &GeometryColumnInfo) -> String {
    let primary = match &info.geo {
        Some(geo) if geo.columns.len() > 1 && geo.primary_column == column.name => " (primary)",
        _ => "",
    };
    let types = match column.column.geometry_types.is_empty() {
        true => "types not listed".to_string(),
        false => column.column.geometry_types.join(", "),
    };
    format!(
        "{}{primary}: {types}, stored as {}",
        column.name,
        column.column.encoding.name()
    )
}

pub(super) fn bounds(bounds: &Bounds) -> String {
    format!(
        "x {} to {}, y {} to {}",
        bounds.min_x, bounds.max_x, bounds.min_y, bounds.max_y
    )
}

fn pruning(column: &GeometryColumnInfo) -> String {
    match column.pruning {
        Pruning::Possible { overlap } => {
            format!(
                "yes: a row group spans {:.0} % of the extent on average",
                overlap * 100.0
            )
        }
        Pruning::SingleRowGroup => "no: there is only one row group".to_string(),
        Pruning::NoCovering => "no: there is no bbox covering column".to_string(),
        Pruning::NoStatistics => "no: the bbox columns have no statistics".to_string(),
    }
}

fn row_groups(info: &FileInfo, all: bool, out: &mut String) {
    if info.row_groups.len() < 2 && !all {
        return;
    }
    let listed = if all { usize::MAX } else { LISTED_ROW_GROUPS };
    out.push_str("  row groups\n");
    for (i, group) in info.row_groups.iter().take(listed).enumerate() {
        out.push_str(&format!(
            "    {i:<4}{:>12} rows {:>12}  {}\n",
            HumanCount(group.rows).to_string(),
            BinaryBytes(group.compressed_bytes).to_string(),
            group
                .bounds
                .as_ref()
                .map_or("bounds not known".to_string(), bounds),
        ));
    }
    if info.row_groups.len() > listed {
        let more = info.row_groups.len() - listed;
        out.push_str(&format!("    and {more} more (--row-groups lists all)\n"));
    }
}

/// The geometry type stands before what stores it.
fn labelled_type(field: &Field) -> String {
    let stored = type_name(field.data_type());
    match field.extension_type_name() {
        Some(extension) => format!("{extension}, {stored}"),
        None => stored,
    }
}

/// Arrow's names, without the noise of its nested fields.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Struct(fields) => {
            let inner: Vec<String> = fields
                .iter()
                .map(|field| format!("{} {}", field.name(), type_name(field.data_type())))
                .collect();
            format!("Struct({})", inner.join(", "))
        }
        DataType::List(field) | DataType::LargeList(field) => {
            format!("List({})", type_name(field.data_type()))
        }
        DataType::FixedSizeList(field, n) => {
            format!("List of {n}({})", type_name(field.data_type()))
        }
        other => other.to_string(),
    }
}
