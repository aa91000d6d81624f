//! Joins over the real layers of `testdata/`, whose answers GeoPandas gave (`testdata/scripts/`).

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The repository's root, where the statements' relative paths hold.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn query(sql: &str) -> Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_geoflow"))
        .args(["query", "--format", "csv", sql])
        .current_dir(root())
        .output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {message}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn committed(answer: &str) -> Result<String> {
    Ok(fs::read_to_string(
        root().join("testdata/expected").join(answer),
    )?)
}

/// Row by row, so that a failure shows one line and not thousands.
fn assert_same_rows(found: &str, expected: &str) {
    for (place, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", place + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "rows");
}

fn check(answer: &str, sql: &str) -> Result<()> {
    assert_same_rows(&query(sql)?, &committed(answer)?);
    Ok(())
}

#[test]
fn cities_within_countries() -> Result<()> {
    check(
        "cities_within_countries.csv",
        "SELECT n.name, count(*) AS cities \
         FROM 'testdata/cities.parquet' c JOIN 'testdata/countries.parquet' n ON ST_Within(c.geometry, n.geometry) \
         GROUP BY n.name ORDER BY n.name",
    )
}

#[test]
fn points_within_buildings() -> Result<()> {
    check(
        "points_within_buildings.csv",
        "SELECT b.osm_way_id, count(*) AS points \
         FROM 'testdata/helsinki_points.parquet' p, 'testdata/helsinki_buildings.parquet' b \
         WHERE ST_Within(p.geometry, b.geometry) AND b.osm_way_id IS NOT NULL \
         GROUP BY b.osm_way_id ORDER BY b.osm_way_id",
    )
}

#[test]
fn roads_intersecting_buildings() -> Result<()> {
    check(
        "roads_intersecting_buildings.csv",
        "SELECT r.osm_id AS road, b.osm_way_id AS building \
         FROM 'testdata/helsinki_roads.parquet' r \
         JOIN 'testdata/helsinki_buildings.parquet' b ON ST_Intersects(r.geometry, b.geometry) \
         WHERE b.osm_way_id IS NOT NULL ORDER BY road, building",
    )
}

#[test]
fn counties_touching_counties() -> Result<()> {
    let found = query(
        "SELECT a.id, count(*) AS neighbours \
         FROM 'testdata/us_counties.parquet' a \
         JOIN 'testdata/us_counties.parquet' b ON ST_Touches(a.geometry, b.geometry) \
         GROUP BY a.id ORDER BY a.id",
    )?;
    // Where an invalid polygon may be concerned, engines differ: those rows do not count.
    let expected = committed("counties_touching_counties.csv")?;
    let sure = expected
        .lines()
        .filter_map(|line| line.strip_suffix(",true"))
        .collect::<Vec<_>>();
    assert_eq!(sure.len(), 2988);
    let ids = sure
        .iter()
        .filter_map(|row| row.split(',').next())
        .collect::<HashSet<_>>();
    let found = found
        .lines()
        .filter(|row| row.split(',').next().is_some_and(|id| ids.contains(id)))
        .collect::<Vec<_>>();
    assert_same_rows(&found.join("\n"), &sure.join("\n"));
    Ok(())
}
