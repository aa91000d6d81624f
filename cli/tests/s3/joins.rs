//! What a join reads of a spatially sorted file: no more than what overlaps its other side.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use geoflow_engine::geometry::GeometryType;
use geoflow_engine::geoparquet::{GeoParquetWriter, WriteOptions};

use crate::proxy::Proxy;
use crate::server::{ACCESS_KEY, Result, SECRET_KEY, Server};
use crate::{answer, query};

const ROWS: usize = 200_000;
const ROW_GROUP: usize = 4_000;

/// `rows` points from x = 0 to 100 in this order, with a payload.
pub(crate) fn write_points(path: &Path, rows: usize) -> Result<()> {
    let point = |i: usize| {
        let mut wkb = vec![1, 1, 0, 0, 0];
        wkb.extend((i as f64 * 100.0 / rows as f64).to_le_bytes());
        wkb.extend((i as f64 * 7.31).sin().abs().to_le_bytes());
        wkb
    };
    let schema = Arc::new(Schema::new(vec![
        Field::new("payload", DataType::Float64, false),
        GeometryType::wkb(None).to_field("geometry", false),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from_iter_values(
            (0..rows).map(|i| (i as f64).sin()),
        )),
        Arc::new(BinaryArray::from_iter_values((0..rows).map(point))),
    ];
    let options = WriteOptions {
        row_group_rows: ROW_GROUP,
        ..WriteOptions::default()
    };
    let file = std::fs::File::create(path)?;
    let mut writer = GeoParquetWriter::try_new_with_options(file, &schema, &options)?;
    writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    writer.finish()?;
    Ok(())
}

/// A server with the points, and a proxy before it.
struct Lab {
    _server: Server,
    proxy: Proxy,
    local: String,
}

const REMOTE: &str = "s3://layers/points.parquet";

impl Lab {
    async fn start(folder: &Path) -> Result<Self> {
        let server = Server::start().await?;
        let file = folder.join("points.parquet");
        write_points(&file, ROWS)?;
        server.upload(&file, "layers", "points.parquet").await?;
        Ok(Self {
            proxy: Proxy::start(server.port()).await?,
            _server: server,
            local: file.display().to_string(),
        })
    }

    /// The answer to a statement over the remote points, and the bytes that it took.
    async fn ask(&self, sql: &str) -> Result<(String, u64)> {
        self.proxy.take();
        let endpoint = self.proxy.endpoint();
        let sql = sql.replace("POINTS", &format!("'{REMOTE}'"));
        // The proxy lives on this runtime and must not be kept waiting.
        let output: Output = tokio::task::spawn_blocking(move || {
            let environment = [
                ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ];
            query(&sql, &environment).map_err(|e| e.to_string())
        })
        .await??;
        Ok((answer(&output)?, self.proxy.take()))
    }

    /// The answer over the same file on this machine.
    fn local(&self, sql: &str) -> Result<String> {
        answer(&query(
            &sql.replace("POINTS", &format!("'{}'", self.local)),
            &[],
        )?)
    }
}

/// Two small areas far apart; the names are unsorted on purpose.
const ZONES: &str = "(SELECT name, ST_MakeEnvelope(x, 0, x + 1, 2) AS geometry
                      FROM (VALUES ('b', 70), ('a', 30)) v(name, x))";

fn join(kind: &str, zones: &str) -> String {
    format!(
        "SELECT count(*) AS n, round(sum(p.payload), 9) AS s FROM POINTS p {kind} JOIN {zones} z ON ST_Intersects(p.geometry, z.geometry)"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_reads_what_overlaps_and_nothing_for_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let lab = Lab::start(folder.path()).await?;
    let (_, whole) = lab
        .ask("SELECT sum(payload), sum(ST_X(geometry)) FROM POINTS")
        .await?;
    let (_, planning) = lab.ask("EXPLAIN SELECT payload FROM POINTS").await?;

    // 2 of 100 of the rows overlap; row groups and their covering come on top.
    let sql = join("", ZONES);
    let (found, bytes) = lab.ask(&sql).await?;
    assert_eq!(found, lab.local(&sql)?);
    assert!(found.contains("\n4002,"), "{found}");
    assert!(
        bytes < planning + (whole - planning) / 10,
        "{bytes} bytes for the join, {planning} to plan, {whole} for all rows"
    );

    // It is the filter of the join that does it.
    let unfiltered = format!("SET geoflow.join.dynamic_filter = off; {sql}");
    let (same, bytes) = lab.ask(&unfiltered).await?;
    assert_eq!(same, found);
    assert!(
        bytes > whole / 2,
        "{bytes} bytes for the join without its filter, {whole} for all rows"
    );

    // A build side without rows, and one that lies elsewhere.
    let nowhere = format!("(SELECT * FROM {ZONES} y WHERE name = 'c')");
    let elsewhere = "(SELECT 'd' AS name, ST_MakeEnvelope(500, 0, 501, 2) AS geometry)".to_owned();
    for zones in [nowhere, elsewhere] {
        for kind in ["", "RIGHT", "LEFT SEMI"] {
            let (_, bytes) = lab.ask(&join(kind, &zones)).await?;
            assert!(
                bytes <= planning + planning / 4,
                "{bytes} bytes for a {kind} join with {zones}, {planning} to plan"
            );
        }
    }
    Ok(())
}
