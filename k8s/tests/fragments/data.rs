//! Random tables in files of small row groups.

use std::fmt::Write;
use std::path::Path;

use geoflow_sql::SessionBuilder;
use rand::Rng;
use rand::rngs::StdRng;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Writes `l.parquet` (points), `r.parquet` (squares) and `names.parquet` (no geometry).
pub(crate) async fn write_tables(dir: &Path, rng: &mut StdRng) -> Result<()> {
    let (l, r) = (rng.random_range(1..400), rng.random_range(1..120));
    let sorted = rng.random_bool(0.5);
    let mut points: Vec<(f64, f64)> = (0..l)
        .map(|_| (rng.random_range(0.0..100.0), rng.random_range(0.0..100.0)))
        .collect();
    if sorted {
        points.sort_by(|a, b| (a.0 / 20.0).floor().total_cmp(&(b.0 / 20.0).floor()));
    }
    let mut rows = String::new();
    for (id, (x, y)) in points.iter().enumerate() {
        let text = match rng.random_range(0..25) {
            0 => "NULL".to_owned(),
            1 => "'POINT EMPTY'".to_owned(),
            _ => format!("'POINT({x} {y})'"),
        };
        let k = id % 5;
        let _ = write!(
            rows,
            "{}({id}, {k}, {text})",
            if id > 0 { ", " } else { "" }
        );
    }
    write(dir, "l", &rows, rng).await?;

    let mut rows = String::new();
    for id in 0..r {
        let (x, y) = (rng.random_range(0.0..100.0), rng.random_range(0.0..100.0));
        let s = rng.random_range(0.1..15.0);
        let (x2, y2) = (x + s, y + s);
        let text = match rng.random_range(0..25) {
            0 => "NULL".to_owned(),
            1 => "'POLYGON EMPTY'".to_owned(),
            _ => format!("'POLYGON(({x} {y}, {x2} {y}, {x2} {y2}, {x} {y2}, {x} {y}))'"),
        };
        let k = id % 3;
        let _ = write!(
            rows,
            "{}({id}, {k}, {text})",
            if id > 0 { ", " } else { "" }
        );
    }
    write(dir, "r", &rows, rng).await?;

    let session = SessionBuilder::new().threads(1).build()?;
    let sql = format!(
        "COPY (SELECT column1 AS k, column2 AS name FROM (VALUES (0, 'zero'), (1, 'one'), (2, NULL), (7, 'seven'))) TO '{}' \
         OPTIONS ('if_exists' 'overwrite')",
        dir.join("names.parquet").display()
    );
    session.sql(&sql).await?.collect().await?;
    Ok(())
}

async fn write(dir: &Path, name: &str, rows: &str, rng: &mut StdRng) -> Result<()> {
    let session = SessionBuilder::new().threads(1).build()?;
    let group = rng.random_range(5..80);
    let sql = format!(
        "COPY (SELECT column1 AS id, column2 AS k, ST_GeomFromText(CAST(column3 AS VARCHAR)) AS geometry FROM (VALUES {rows})) \
         TO '{}' OPTIONS ('format.max_row_group_size' '{group}', 'if_exists' 'overwrite')",
        dir.join(format!("{name}.parquet")).display()
    );
    session.sql(&sql).await?.collect().await?;
    Ok(())
}
