//! SpatialBench's queries as they are written for other engines, over rows enough for an answer
//! to each. Engines agree.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use geoflow_sql::{Session, SessionBuilder};

const QUERIES: [&str; 13] = [
    "q01", "q02", "q03", "q04", "q05", "q06", "q07", "q08", "q09", "q10", "q11", "q12_2025",
    "q12_2026",
];

/// Around Sedona, Arizona, where the queries look.
const TABLES: [&str; 4] = [
    "CREATE TABLE trip AS
     SELECT value AS t_tripkey,
            value % 5 AS t_custkey,
            CAST(value * 7 % 31 AS DECIMAL(15, 5)) AS t_fare,
            CAST(value * 3 % 17 AS DECIMAL(15, 5)) AS t_tip,
            CAST(value * 11 % 41 AS DECIMAL(15, 5)) AS t_totalamount,
            CAST(value % 13 AS DECIMAL(15, 5)) AS t_distance,
            to_timestamp(1700000000 + value * 40000) AS t_pickuptime,
            to_timestamp(1700000000 + value * 40000 + value % 60 * 60) AS t_dropofftime,
            ST_AsBinary(ST_Point(-111.761 + (value * 37 % 100 - 50) / 100.0, 34.8697 + (value * 53 % 100 - 50) / 100.0)) AS t_pickuploc,
            ST_AsBinary(ST_Point(-111.761 + (value * 41 % 100 - 50) / 100.0, 34.8697 + (value * 59 % 100 - 50) / 100.0)) AS t_dropoffloc
     FROM generate_series(1, 300)",
    "CREATE TABLE customer AS
     SELECT value AS c_custkey, 'Customer ' || value AS c_name FROM generate_series(0, 4)",
    "CREATE TABLE zone AS
     SELECT value AS z_zonekey,
            CASE value WHEN 3 THEN 'Coconino County' ELSE 'Zone ' || value END AS z_name,
            ST_AsBinary(ST_MakeEnvelope(-112.3 + value * 0.1, 34.45 + value * 0.05, -111.9 + value * 0.1, 34.85 + value * 0.05)) AS z_boundary
     FROM generate_series(0, 40)",
    "CREATE TABLE building AS
     SELECT value AS b_buildingkey,
            'Building ' || value AS b_name,
            ST_AsBinary(ST_MakeEnvelope(
                -112 + value * 0.005, 34.6 + value * 0.004, -111.993 + value * 0.005, 34.607 + value * 0.004)) AS b_boundary
     FROM generate_series(1, 100)",
];

async fn session() -> Session {
    let session = SessionBuilder::new().threads(2).build().unwrap();
    for table in TABLES {
        let frame = session.sql(table).await.unwrap();
        frame.collect().await.unwrap();
    }
    session
}

fn query(engine: &str, name: &str) -> String {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../benchmarks/spatialbench/queries");
    std::fs::read_to_string(folder.join(engine).join(format!("{name}.sql"))).unwrap()
}

/// The rows as text, numbers to eight digits: sums may be of another order.
async fn answer(session: &Session, sql: &str) -> Result<Vec<String>, String> {
    let run = async { session.sql(sql).await?.collect().await };
    let batches = run.await.map_err(|e| e.strip_backtrace())?;
    Ok(batches.iter().flat_map(rows).collect())
}

fn rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let formatters: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            let cells: Vec<String> = formatters
                .iter()
                .map(|formatter| {
                    let text = formatter.value(row).to_string();
                    match text.parse::<f64>() {
                        Ok(number) if text.contains(['.', 'e']) => format!("{number:.8}"),
                        _ => text,
                    }
                })
                .collect();
            cells.join(" | ")
        })
        .collect()
}

#[tokio::test]
async fn queries_for_sedonadb_run_unchanged_and_those_for_duckdb_agree() {
    let session = session().await;
    for name in QUERIES {
        let sedonadb = answer(&session, &query("sedonadb", name))
            .await
            .unwrap_or_else(|e| panic!("{name} for SedonaDB: {e}"));
        assert!(!sedonadb.is_empty(), "{name} has no answer");
        for engine in ["duckdb", "geoflow"] {
            let other = answer(&session, &query(engine, name))
                .await
                .unwrap_or_else(|e| panic!("{name} for {engine}: {e}"));
            assert_eq!(other, sedonadb, "{name} for {engine}");
        }
    }
}

/// DuckDB has no join by nearest neighbours: its Q12 sorts all buildings for every trip.
#[tokio::test]
async fn the_neighbours_of_duckdbs_lateral_join_come_from_the_index() {
    let session = session().await;
    for name in ["q12_2025", "q12_2026"] {
        let explain = format!("EXPLAIN {}", query("duckdb", name));
        let plan = answer(&session, &explain).await.unwrap().join("\n");
        assert!(plan.contains("SpatialJoinExec"), "{plan}");
        assert!(plan.contains("ties=[b_buildingkey@"), "{plan}");
    }
}
