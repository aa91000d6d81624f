//! `geoflow convert`: one statement from flags, run as `geoflow query` runs it.
//!
//! ```text
//!  IN ──> columns, geometry ──> SELECT ... WHERE ... ──> COPY (...) TO OUT     Parquet, folders, URLs
//!                                                   └──> -o OUT               every other format
//! ```

use geoflow_engine::geoparquet::geometry_columns;

use crate::args::{Bbox, ConvertArgs};
use crate::error::{Failure, Result, from_datafusion, from_engine};
use crate::place::{Place, quoted};
use crate::printer::Printer;
use crate::session::Session;
use crate::settings::Settings;

/// Name of the input where it needs a table of its own.
const INPUT: &str = "geoflow_input";

/// Runs the conversion.
pub(crate) async fn run(args: ConvertArgs, settings: &Settings, printer: &Printer) -> Result<()> {
    let place = Place::new(&args.output, &args.place)?;
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
    place.run(statements, &select, settings, printer).await?;
    Ok(())
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
            Place::new(&args.output, &args.place).unwrap().copy(&select),
            "COPY (SELECT a, geom FROM (SELECT * REPLACE (ST_Transform(\"geom\", 'EPSG:3067') AS \"geom\") \
             FROM 'it''s.parquet' WHERE ST_Intersects(\"geom\", ST_MakeEnvelope(-1.0, 2.0, 3.0, 4.0)) AND (a > 1)) AS input) \
             TO 'out/' STORED AS PARQUET PARTITIONED BY (\"a\") \
             OPTIONS (cells 'h3:4', sort_by 'hilbert', if_exists 'overwrite')"
        );
    }

    #[test]
    fn a_box_over_the_antimeridian_is_two() {
        let condition = overlaps("g", [170.0, -10.0, -170.0, 10.0]);
        assert!(condition.contains("ST_MakeEnvelope(170.0, -10.0, 180.0, 10.0)"));
        assert!(condition.contains(" OR ") && condition.contains("(-180.0, -10.0, -170.0, 10.0)"));
    }
}
