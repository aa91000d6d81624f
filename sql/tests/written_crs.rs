//! The CRS in the GeoParquet files that statements write, whatever a geometry has come through.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use geoflow_sql::Session;

const QUERIES: &[&str] = &[
    "SELECT geom AS g FROM t",
    "SELECT CASE WHEN id = 1 THEN geom END AS g FROM t",
    "SELECT COALESCE(geom, ST_Point(0, 0, 3067)) AS g FROM t",
    "SELECT NULLIF(geom, ST_Point(0, 0, 3067)) AS g FROM t",
    "SELECT geom AS g FROM t GROUP BY geom",
    "SELECT g FROM (SELECT geom AS g, count(*) FROM t GROUP BY ALL)",
    "SELECT DISTINCT geom AS g FROM t",
    "SELECT DISTINCT ON (id) geom AS g FROM t ORDER BY id",
    "SELECT geom AS g FROM t ORDER BY geom",
    "SELECT geom AS g FROM t UNION SELECT ST_Point(5, 5, 3067)",
    "SELECT geom AS g FROM t UNION ALL SELECT NULL",
    "SELECT NULL AS g UNION ALL SELECT geom FROM t",
    "SELECT geom AS g FROM t EXCEPT SELECT ST_Point(5, 5, 3067)",
    "SELECT geom AS g FROM t INTERSECT SELECT geom FROM t",
    "WITH c AS (SELECT geom AS g FROM t) SELECT g FROM c",
    "WITH RECURSIVE r AS (SELECT 1 AS n, ST_Point(0, 0, 3067) AS g UNION ALL SELECT n + 1, g FROM r WHERE n < 3) SELECT g FROM r",
    "SELECT g FROM v",
    "SELECT lag(geom) OVER (ORDER BY id) AS g FROM t",
    "SELECT first_value(geom) OVER (PARTITION BY id) AS g FROM t",
    "SELECT first_value(geom ORDER BY id) AS g FROM t",
    "SELECT unnest(array_agg(geom)) AS g FROM t",
    "SELECT (array_agg(geom))[1] AS g FROM t",
    "SELECT (SELECT geom FROM t WHERE id = 1) AS g",
    "SELECT column1 AS g FROM (VALUES (ST_Point(1, 2, 3067)), (NULL))",
    "SELECT l.g FROM t, LATERAL (SELECT u.geom AS g FROM t u WHERE u.id = t.id) l",
    "SELECT u.geom AS g FROM t LEFT JOIN t u ON t.id = u.id + 1",
    "SELECT b.geom AS g FROM t a JOIN t b ON ST_Intersects(a.geom, b.geom)",
    "SELECT g FROM made",
    "SELECT 'POINT(1 2)'::geometry(Point, 3067) AS g",
    "SELECT ST_Transform(ST_Point(24, 60, 4326), 3067) AS g",
    "SELECT ST_Collect(geom) AS g FROM t",
];

#[tokio::test]
async fn every_way_to_a_file_keeps_the_crs() {
    let session = Session::try_new().unwrap();
    let run = async |sql: &str| match session.sql(sql).await {
        Ok(frame) => frame
            .collect()
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}")),
        Err(e) => panic!("{sql}: {e}"),
    };
    for sql in [
        "CREATE TABLE t AS SELECT * FROM (VALUES (1, ST_Point(1, 2, 3067)), (2, NULL), (3, ST_Point(3, 4, 3067))) v(id, geom)",
        "CREATE VIEW v AS SELECT CASE WHEN id < 3 THEN geom END AS g FROM t",
        "CREATE TABLE made AS SELECT CASE WHEN id < 3 THEN geom END AS g FROM t",
        "INSERT INTO made VALUES (ST_Point(8, 8, 3067))",
    ] {
        run(sql).await;
    }
    let folder = tempfile::tempdir().unwrap();
    for (i, query) in QUERIES.iter().enumerate() {
        let path = folder.path().join(format!("{i}.parquet"));
        run(&format!("COPY ({query}) TO '{}'", path.display())).await;
        let described = session
            .sql(&format!("SELECT * FROM '{}'", path.display()))
            .await;
        let frame = described.unwrap_or_else(|e| panic!("{query}: {e}"));
        let field = frame.schema().field(0).clone();
        let ty = geoflow_engine::geometry::GeometryType::from_field(&field).unwrap();
        let crs = ty.and_then(|ty| ty.crs).map(|crs| crs.name());
        assert_eq!(crs.as_deref(), Some("EPSG:3067"), "{query}");
        assert!(frame.count().await.unwrap() > 0, "{query}");
    }
}
