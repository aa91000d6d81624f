#![expect(clippy::unwrap_used, reason = "tests")]

use arrow::util::pretty::pretty_format_batches;

use crate::SessionBuilder;

const POINTS: &str = "(VALUES (1, 'POINT(0 0)'), (2, 'POINT(5 5)'), (1, 'POINT(4 0)'), (1, NULL), \
     (1, 'POINT(0 4)'), (1, 'POINT(1 1)'), (3, NULL), (1, 'POINT(0 0)')) AS t(k, g)";

async fn value(statement: &str) -> String {
    let session = SessionBuilder::new()
        .threads(3)
        .batch_size(2)
        .build()
        .unwrap();
    let batches = session
        .sql(statement)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let rows = text.lines().skip(3).filter(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches(['|', ' ']).to_string())
        .collect::<Vec<_>>()
        .join("; ")
        .trim_end()
        .to_string()
}

#[tokio::test]
async fn groups_filter_distinct_and_null() {
    let collect =
        |what: &str| format!("SELECT ST_AsText({what}) FROM {POINTS} GROUP BY k ORDER BY k");
    assert_eq!(
        value(&collect("ST_Collect(g ORDER BY ST_X(g), ST_Y(g))")).await,
        "MULTIPOINT((0 0),(0 0),(0 4),(1 1),(4 0)); MULTIPOINT((5 5));"
    );
    assert_eq!(
        value(&collect("ST_Collect(DISTINCT g ORDER BY g)")).await,
        "MULTIPOINT((0 0),(0 4),(1 1),(4 0)); MULTIPOINT((5 5));"
    );
    assert_eq!(
        value(&collect("ST_ConvexHull_Agg(g) FILTER (WHERE k > 1)")).await,
        "; POINT(5 5);"
    );
    assert_eq!(
        value(&collect("ST_ConvexHull(ST_Collect(g))")).await,
        "POLYGON((0 0,0 4,4 0,0 0)); POINT(5 5);"
    );
    assert_eq!(
        value(&collect("ST_ConvexHull_Agg(g)")).await,
        "POLYGON((0 0,0 4,4 0,0 0)); POINT(5 5);"
    );
    assert_eq!(
        value(&collect("ST_Extent(g)")).await,
        "POLYGON((0 0,0 4,4 4,4 0,0 0)); POLYGON((5 5,5 5,5 5,5 5,5 5));"
    );
}

#[tokio::test]
async fn without_groups_and_in_windows() {
    let over = |what: &str| format!("SELECT ST_AsText({what}) FROM {POINTS}");
    assert_eq!(
        value(&over("ST_Union(g)")).await,
        "MULTIPOINT((0 0),(0 4),(1 1),(4 0),(5 5))"
    );
    assert_eq!(
        value(&over(
            "ST_MakeLine(g ORDER BY k DESC, ST_X(g) DESC, ST_Y(g))"
        ))
        .await,
        "LINESTRING(5 5,4 0,1 1,0 0,0 0,0 4)"
    );
    assert_eq!(value(&over("ST_Collect(g) FILTER (WHERE k > 9)")).await, "");
    assert_eq!(
        value(&format!(
            "SELECT ST_NPoints(ST_Collect(g) OVER (PARTITION BY k ORDER BY ST_X(g) NULLS LAST)) FROM {POINTS} WHERE k = 1 ORDER BY 1"
        ))
        .await,
        "3; 3; 3; 4; 5; 5"
    );
}

#[tokio::test]
async fn functions_of_the_same_name() {
    assert_eq!(
        value("SELECT ST_AsText(ST_Union('POINT(0 0)', 'POINT(1 1)'))").await,
        "MULTIPOINT((0 0),(1 1))"
    );
    assert_eq!(
        value("SELECT ST_AsText(ST_Collect('POINT(0 0)', 'LINESTRING(1 1,2 2)'))").await,
        "GEOMETRYCOLLECTION(POINT(0 0),LINESTRING(1 1,2 2))"
    );
}

#[tokio::test]
async fn mixed_types_and_dimensions() {
    assert_eq!(
        value(
            "SELECT ST_AsText(ST_Collect(g ORDER BY k)) FROM (VALUES (1, 'POINT(0 0)'), (2, 'LINESTRING Z (1 1 1,2 2 2)')) AS t(k, g)"
        )
        .await,
        "GEOMETRYCOLLECTION Z (POINT Z (0 0 0),LINESTRING Z (1 1 1,2 2 2))"
    );
}

#[tokio::test]
async fn a_limit_is_an_error_that_names_the_pool() {
    let session = SessionBuilder::new()
        .threads(1)
        .memory_limit(4 << 20)
        .build()
        .unwrap();
    let error = session
        .sql("SELECT ST_NPoints(ST_Collect(ST_Point(value, 0))) FROM generate_series(1, 2000000)")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("Resources exhausted"), "{error}");
}
