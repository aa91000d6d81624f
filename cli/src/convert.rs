//! `geoflow convert`: one statement from flags, run as `geoflow query` runs it.
//!
//! ```text
//!  IN ──> columns, geometry ──> SELECT ... WHERE ... ──> COPY (...) TO OUT     Parquet, folders, URLs
//!                                                   └──> -o OUT               every other format
//! ```

use geoflow_engine::geoparquet::geometry_columns;

use crate::args::{Bbox, ConvertArgs, Encoding, MaxRows, QueryArgs, Sort};
use crate::error::{Failure, Result, from_datafusion, from_engine};
use crate::printer::Printer;
use crate::query;
use crate::session::Session;
use crate::settings::Settings;

/// Name of the input where it needs a table of its own.
const INPUT: &str = "geoflow_input";

/// Extensions of files that are written by COPY.
const PARQUET: [&str; 3] = ["parquet", "geoparquet", "pq"];

/// Runs the conversion.
pub(crate) async fn run(args: ConvertArgs, settings: &Settings, printer: &Printer) -> Result<()> {
    let Some(output) = args.output.to_str() else {
        return Err(Failure::usage("the name of OUT is no UTF-8"));
    };
    let mut statements = vec![];
    let mut from = quoted(&args.input, '\'');
    if !args.geometry.is_empty() {
        statements.push(format!(
            "CREATE EXTERNAL TABLE {INPUT} STORED AS PARQUET LOCATION {from} OPTIONS (geometry {})",
            quoted(&args.geometry.join(","), '\'')
        ));
        from = INPUT.to_string();
    }
    let geometry = geometry_names(&statements, &from, settings).await?;
    let select = select(&args, &from, &geometry)?;
    let by_copy = is_by_copy(output);
    if by_copy {
        statements.push(copy(&args, &select, output)?);
    } else {
        refuse_parquet_only(&args, output)?;
        statements.push(select);
    }
    tracing::info!("{}", statements.join(";\n"));
    let query = QueryArgs {
        sql: None,
        command: statements,
        file: None,
        output: (!by_copy).then(|| args.output.clone()),
        format: None,
        overwrite: !by_copy && args.overwrite,
        sort: args.sort.filter(|_| !by_copy),
        max_rows: MaxRows(None),
    };
    query::run(query, settings, printer).await
}

/// Parquet, and whatever has no extension: a folder.
fn is_by_copy(output: &str) -> bool {
    let name = output.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((_, extension)) => PARQUET.contains(&extension.to_ascii_lowercase().as_str()),
        None => output != "-",
    }
}

/// Names of the geometry columns of the input, the primary one first.
async fn geometry_names(
    statements: &[String],
    from: &str,
    settings: &Settings,
) -> Result<Vec<String>> {
    let session = Session::new(settings)?;
    let context = session.context();
    for statement in statements {
        context
            .sql(statement)
            .await
            .map_err(|e| from_datafusion(&e))?;
    }
    let frame = context
        .sql(&format!("SELECT * FROM {from}"))
        .await
        .map_err(|e| session.explain_unknown(from_datafusion(&e)))?;
    let schema = frame.schema().as_arrow();
    let columns = geometry_columns(schema).map_err(|e| from_engine(&e))?;
    let names = columns.into_iter().map(|i| schema.field(i).name().clone());
    Ok(names.collect())
}

fn select(args: &ConvertArgs, from: &str, geometry: &[String]) -> Result<String> {
    let needs = |flag: &str| {
        geometry.first().ok_or_else(|| {
            Failure::user(format!(
                "{flag} needs a geometry column, and \"{}\" has none",
                args.input
            ))
            .with_hint("--geometry COLUMN[:CRS] takes a column of WKB for geometry")
        })
    };
    let mut conditions = vec![];
    if let Some(Bbox(sides)) = args.bbox {
        conditions.push(overlaps(needs("--bbox")?, sides));
    }
    if let Some(condition) = &args.condition {
        conditions.push(format!("({condition})"));
    }
    let mut columns = "*".to_string();
    if let Some(crs) = &args.to_crs {
        needs("--to-crs")?;
        let transformed: Vec<String> = geometry
            .iter()
            .map(|name| {
                let name = quoted(name, '"');
                format!("ST_Transform({name}, {}) AS {name}", quoted(crs, '\''))
            })
            .collect();
        columns = format!("* REPLACE ({})", transformed.join(", "));
    }
    let mut select = format!("SELECT {columns} FROM {from}");
    if !conditions.is_empty() {
        select.push_str(&format!(" WHERE {}", conditions.join(" AND ")));
    }
    Ok(match &args.select {
        Some(list) => format!("SELECT {list} FROM ({select}) AS input"),
        None => select,
    })
}

/// A box that crosses the antimeridian is two.
fn overlaps(geometry: &str, [xmin, ymin, xmax, ymax]: [f64; 4]) -> String {
    let name = quoted(geometry, '"');
    let one = |xmin: f64, xmax: f64| {
        format!("ST_Intersects({name}, ST_MakeEnvelope({xmin:?}, {ymin:?}, {xmax:?}, {ymax:?}))")
    };
    match xmin > xmax {
        true => format!("({} OR {})", one(xmin, 180.0), one(-180.0, xmax)),
        false => one(xmin, xmax),
    }
}

fn copy(args: &ConvertArgs, select: &str, output: &str) -> Result<String> {
    let mut options: Vec<(&str, String)> = vec![];
    let mut partition: Vec<String> = vec![];
    for part in &args.partition {
        let part = part.trim();
        let grid = part.split(':').next().unwrap_or_default();
        if part.contains(':') && ["h3", "quadkey"].contains(&grid) {
            options.push(("cells", part.to_string()));
        } else {
            partition.push(quoted(part, '"'));
        }
    }
    if args.sort == Some(Sort::Hilbert) {
        options.push(("sort_by", "hilbert".to_string()));
    }
    if let Some(rows) = args.row_group_rows {
        options.push(("row_group_rows", rows.to_string()));
    }
    if let Some(size) = &args.max_file_size {
        options.push(("max_file_size", size.clone()));
    }
    if let Some(version) = &args.geoparquet_version {
        options.push(("geoparquet_version", version.clone()));
    }
    if let Some(encoding) = args.encoding {
        let encoding = match encoding {
            Encoding::Wkb => "wkb",
            Encoding::Geoarrow => "geoarrow",
        };
        options.push(("encoding", encoding.to_string()));
    }
    if let Some(codec) = &args.compression {
        options.push(("compression", codec.clone()));
    }
    match (args.overwrite, args.append) {
        (true, _) => options.push(("if_exists", "overwrite".to_string())),
        (_, true) => options.push(("if_exists", "append".to_string())),
        _ => {}
    }
    let to = match partition.is_empty() && !options.iter().any(|(name, _)| *name == "cells") {
        true => output.to_string(),
        // Partitions go into a folder whatever its name.
        false => format!("{}/", output.trim_end_matches('/')),
    };
    let mut copy = format!("COPY ({select}) TO {} STORED AS PARQUET", quoted(&to, '\''));
    if !partition.is_empty() {
        copy.push_str(&format!(" PARTITIONED BY ({})", partition.join(", ")));
    }
    if !options.is_empty() {
        let options: Vec<String> = options
            .iter()
            .map(|(name, value)| format!("{name} {}", quoted(value, '\'')))
            .collect();
        copy.push_str(&format!(" OPTIONS ({})", options.join(", ")));
    }
    Ok(copy)
}

/// What other formats have no place for.
fn refuse_parquet_only(args: &ConvertArgs, output: &str) -> Result<()> {
    let given = [
        ("--partition", !args.partition.is_empty()),
        ("--row-group-rows", args.row_group_rows.is_some()),
        ("--max-file-size", args.max_file_size.is_some()),
        ("--geoparquet-version", args.geoparquet_version.is_some()),
        ("--encoding", args.encoding.is_some()),
        ("--compression", args.compression.is_some()),
        ("--append", args.append),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => Err(Failure::usage(format!(
            "{flag} is for GeoParquet, and \"{output}\" is another format"
        ))),
        None => Ok(()),
    }
}

/// A name or text as SQL writes it.
fn quoted(text: &str, quote: char) -> String {
    let doubled: String = [quote, quote].iter().collect();
    format!("{quote}{}{quote}", text.replace(quote, &doubled))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn parsed(flags: &[&str]) -> ConvertArgs {
        let words = ["geoflow", "convert"].iter().chain(flags);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Convert(args) => *args,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn flags_become_one_statement() {
        let args = parsed(&[
            "it's.parquet",
            "out",
            "--bbox=-1,2,3,4",
            "--where",
            "a > 1",
            "--select",
            "a, geom",
            "--to-crs",
            "EPSG:3067",
            "--partition",
            "a,h3:4",
            "--sort",
            "hilbert",
            "--overwrite",
        ]);
        let select = select(&args, "'it''s.parquet'", &["geom".to_string()]).unwrap();
        assert_eq!(
            copy(&args, &select, "out").unwrap(),
            "COPY (SELECT a, geom FROM (SELECT * REPLACE (ST_Transform(\"geom\", 'EPSG:3067') AS \"geom\") \
             FROM 'it''s.parquet' WHERE ST_Intersects(\"geom\", ST_MakeEnvelope(-1.0, 2.0, 3.0, 4.0)) AND (a > 1)) AS input) \
             TO 'out/' STORED AS PARQUET PARTITIONED BY (\"a\") \
             OPTIONS (cells 'h3:4', sort_by 'hilbert', if_exists 'overwrite')"
        );
    }

    #[test]
    fn what_goes_by_copy() {
        for (output, expected) in [
            ("a.parquet", true),
            ("s3://b/x/", true),
            ("dir", true),
            ("a.geojson", false),
            ("a.csv", false),
            ("-", false),
        ] {
            assert_eq!(is_by_copy(output), expected, "{output}");
        }
    }

    #[test]
    fn a_box_over_the_antimeridian_is_two() {
        let condition = overlaps("g", [170.0, -10.0, -170.0, 10.0]);
        assert!(condition.contains("ST_MakeEnvelope(170.0, -10.0, 180.0, 10.0)"));
        assert!(condition.contains(" OR ") && condition.contains("(-180.0, -10.0, -170.0, 10.0)"));
    }
}
