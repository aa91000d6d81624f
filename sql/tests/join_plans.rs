//! Which plans statements get: the operator, its predicate, its join type and the side it builds.
#![expect(clippy::unwrap_used, reason = "a test")]

use datafusion::arrow::util::pretty::pretty_format_batches;
use geoflow_sql::{Session, SessionBuilder};

/// A session with two tables of real data: few large polygons and many points.
async fn session() -> Session {
    let session = SessionBuilder::new().threads(2).build().unwrap();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata");
    for table in ["countries", "cities", "us_counties"] {
        let statement = format!(
            "CREATE EXTERNAL TABLE {table} STORED AS PARQUET LOCATION '{data}/{table}.parquet'"
        );
        session.sql(&statement).await.unwrap();
    }
    session
}

/// The lines of the physical plan that name joins, as `EXPLAIN` prints them.
async fn joins(session: &Session, statement: &str) -> String {
    let explained = session.sql(&format!("EXPLAIN {statement}")).await.unwrap();
    let batches = explained.collect().await.unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let lines = text.lines().filter(|line| line.contains("JoinExec"));
    let lines: Vec<&str> = lines
        .map(|line| line.trim_matches(|c| c == '|' || c == ' '))
        .map(|line| line.strip_prefix("physical_plan").unwrap_or(line))
        .map(|line| line.trim_matches(|c| c == '|' || c == ' '))
        .collect();
    lines.join("\n")
}

macro_rules! assert_joins {
    ($name:literal, $statement:expr) => {
        insta::assert_snapshot!($name, joins(&session().await, $statement).await, $statement);
    };
}

#[tokio::test]
async fn a_join_builds_the_smaller_side_wherever_it_stands() {
    assert_joins!(
        "smaller_side_right",
        "SELECT c.name FROM cities c JOIN countries k ON ST_Within(c.geometry, k.geometry)"
    );
    assert_joins!(
        "smaller_side_left",
        "SELECT c.name FROM countries k JOIN cities c ON ST_Contains(k.geometry, c.geometry)"
    );
}

#[tokio::test]
async fn arguments_may_stand_in_either_order() {
    assert_joins!(
        "flipped_arguments",
        "SELECT c.name FROM cities c JOIN countries k ON ST_Covers(k.geometry, c.geometry)"
    );
}

#[tokio::test]
async fn a_comma_join_with_where_is_a_join() {
    assert_joins!(
        "comma_join",
        "SELECT c.name FROM cities c, countries k
         WHERE ST_Intersects(c.geometry, k.geometry) AND k.name = 'Finland'"
    );
}

#[tokio::test]
async fn exists_and_not_exists_are_semi_and_anti_joins() {
    assert_joins!(
        "exists",
        "SELECT c.name FROM cities c
         WHERE EXISTS (SELECT 1 FROM countries k WHERE ST_Intersects(c.geometry, k.geometry))"
    );
    assert_joins!(
        "not_exists",
        "SELECT c.name FROM cities c
         WHERE NOT EXISTS (SELECT 1 FROM countries k WHERE ST_Intersects(c.geometry, k.geometry))"
    );
}

#[tokio::test]
async fn outer_joins_keep_their_side_and_conditions_travel_inside() {
    assert_joins!(
        "left_join_with_residual",
        "SELECT k.name, c.name FROM countries k LEFT JOIN cities c
         ON ST_Contains(k.geometry, c.geometry) AND length(c.name) > length(k.name)"
    );
    assert_joins!(
        "full_join",
        "SELECT k.name, c.name FROM countries k FULL JOIN cities c ON ST_Touches(k.geometry, c.geometry)"
    );
}

#[tokio::test]
async fn distances_are_found_in_every_form() {
    for condition in [
        "ST_DWithin(c.geometry, k.geometry, 0.5)",
        "ST_Distance(c.geometry, k.geometry) <= 0.5",
        "0.5 >= ST_Distance(k.geometry, c.geometry)",
    ] {
        let statement = format!("SELECT c.name FROM cities c JOIN countries k ON {condition}");
        let plan = joins(&session().await, &statement).await;
        assert!(plan.contains("SpatialJoinExec"), "{condition}: {plan}");
        assert!(!plan.contains("filter="), "{condition}: {plan}");
    }
    assert_joins!(
        "strictly_within_distance",
        "SELECT c.name FROM cities c JOIN countries k ON ST_Distance(c.geometry, k.geometry) < 0.5"
    );
}

#[tokio::test]
async fn an_equality_beside_the_predicate_is_a_residual() {
    assert_joins!(
        "equality_is_residual",
        "SELECT c.name FROM cities c JOIN countries k
         ON c.name = k.name AND ST_Within(c.geometry, k.geometry)"
    );
}

#[tokio::test]
async fn a_second_join_builds_on_its_own_table() {
    assert_joins!(
        "second_join",
        "SELECT count(*) FROM cities c
         JOIN countries k ON ST_Within(c.geometry, k.geometry)
         JOIN us_counties u ON ST_Within(c.geometry, u.geometry)"
    );
}

#[tokio::test]
async fn nearest_neighbours_are_a_join() {
    assert_joins!(
        "nearest",
        "SELECT k.name, c.name FROM us_counties k LEFT JOIN cities c ON ST_KNN(k.geometry, c.geometry, 3)"
    );
}

#[tokio::test]
async fn what_no_index_serves_is_left_alone() {
    assert_joins!(
        "negated",
        "SELECT c.name FROM cities c JOIN countries k ON NOT ST_Intersects(c.geometry, k.geometry)"
    );
}
