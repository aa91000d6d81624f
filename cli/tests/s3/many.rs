//! Tables of many files: what is asked of the server, and how often.

use crate::joins::write_points;
use crate::proxy::Proxy;
use crate::server::{ACCESS_KEY, Result, SECRET_KEY, Server};
use crate::{answer, query};

const FILES: usize = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_footer_is_fetched_once_in_a_session() -> Result<()> {
    let server = Server::start().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("points.parquet");
    write_points(&file, 50)?;
    for i in 0..FILES {
        let key = format!("many/part-{i}.parquet");
        server.upload(&file, "layers", &key).await?;
    }
    let proxy = Proxy::start(server.port()).await?;
    // Nothing overlaps: by footers alone.
    let once = "SELECT count(*) AS n, sum(payload) AS s FROM 's3://layers/many/' \
                WHERE ST_Intersects(geometry, ST_MakeEnvelope(500, 0, 501, 1))";
    let thrice = format!("{once}; {once}; {once}");
    let endpoint = proxy.endpoint();
    let output = tokio::task::spawn_blocking(move || {
        let environment = [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ];
        query(&thrice, &environment).map_err(|e| e.to_string())
    });
    let output = output.await??;
    assert!(answer(&output)?.contains("0,"));
    let requests = proxy.requests();
    let footers = requests
        .iter()
        .filter(|r| r.method == "GET" && r.target.contains("part-"))
        .count();
    assert_eq!(footers, FILES, "{} requests", requests.len());
    // Each statement lists anew, so that it sees files that were added.
    assert!(requests.len() <= FILES + 9, "{} requests", requests.len());
    Ok(())
}
