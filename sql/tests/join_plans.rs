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

/// A distance that the join has measured is a column of it, whichever way it is asked for; geometries are not gathered.
#[tokio::test]
async fn distances_of_the_nearest_are_a_column() {
    assert_joins!(
        "nearest_distance",
        "SELECT k.name, avg(ST_Distance(c.geometry, k.geometry)) FROM us_counties k \
         JOIN cities c ON ST_KNN(k.geometry, c.geometry, 3) \
         WHERE ST_Distance(k.geometry, c.geometry) > 0 GROUP BY k.name"
    );
    // Of other geometries it is not.
    assert_joins!(
        "nearest_other_distance",
        "SELECT k.name, ST_Distance(ST_Centroid(k.geometry), c.geometry) FROM us_counties k \
         JOIN cities c ON ST_KNN(k.geometry, c.geometry, 3)"
    );
}

#[tokio::test]
async fn what_no_index_serves_is_left_alone() {
    assert_joins!(
        "negated",
        "SELECT c.name FROM cities c JOIN countries k ON NOT ST_Intersects(c.geometry, k.geometry)"
    );
}

#[tokio::test]
async fn conditions_joined_by_or_are_one_join() {
    assert_joins!(
        "or_of_two_columns",
        "SELECT count(*) FROM us_counties a JOIN us_counties b
         ON ST_Equals(a.geometry, b.geometry) OR ST_Touches(ST_Centroid(a.geometry), b.geometry)"
    );
    assert_joins!(
        "or_with_equality_inside",
        "SELECT count(*) FROM cities c JOIN countries k
         ON (ST_Within(c.geometry, k.geometry) AND c.name < k.name) OR ST_DWithin(c.geometry, k.geometry, 0.1)"
    );
}

#[tokio::test]
async fn what_another_condition_implies_is_left_out() {
    for (condition, on) in [
        (
            "ST_Intersects(c.geometry, k.geometry) OR ST_DWithin(c.geometry, k.geometry, 0.5)",
            "on=ST_DWithin(geometry, geometry, 0.5)",
        ),
        (
            "ST_Within(c.geometry, k.geometry) OR ST_CoveredBy(c.geometry, k.geometry) OR ST_Touches(k.geometry, c.geometry)",
            " OR ",
        ),
        (
            "ST_DWithin(c.geometry, k.geometry, 1) OR ST_Distance(c.geometry, k.geometry) <= 2",
            ", 2)",
        ),
    ] {
        let statement = format!("SELECT c.name FROM cities c JOIN countries k ON {condition}");
        let plan = joins(&session().await, &statement).await;
        assert!(plan.contains("SpatialJoinExec"), "{condition}: {plan}");
        assert!(plan.contains(on), "{condition}: {plan}");
        assert!(!plan.contains("ST_Within"), "{condition}: {plan}");
        assert!(!plan.contains("filter="), "{condition}: {plan}");
    }
}

#[tokio::test]
async fn an_or_that_no_index_serves_is_a_filter() {
    for condition in [
        "ST_Within(c.geometry, k.geometry) OR c.name = k.name",
        "ST_Within(c.geometry, k.geometry) OR NOT ST_DWithin(c.geometry, k.geometry, 1)",
        "NOT (ST_Within(c.geometry, k.geometry) OR ST_DWithin(c.geometry, k.geometry, 1))",
    ] {
        let statement = format!("SELECT c.name FROM cities c JOIN countries k ON {condition}");
        let plan = joins(&session().await, &statement).await;
        assert!(plan.contains("NestedLoopJoinExec"), "{condition}: {plan}");
        assert!(plan.contains("filter="), "{condition}: {plan}");
    }
}

#[tokio::test]
async fn relate_goes_through_the_index_where_its_pattern_implies_a_shared_point() {
    assert_joins!(
        "relate",
        "SELECT c.name FROM cities c JOIN countries k ON ST_Relate(k.geometry, c.geometry, 'T*****FF*')"
    );
    let statement = "SELECT c.name FROM cities c JOIN countries k ON ST_Relate(k.geometry, c.geometry, 'FF*FF****')";
    let plan = joins(&session().await, statement).await;
    assert!(plan.contains("NestedLoopJoinExec"), "{plan}");
}

/// The plan of a statement after some settings.
async fn plan_with(settings: &[&str], statement: &str) -> String {
    let session = session().await;
    for setting in settings {
        session.sql(&format!("SET {setting}")).await.unwrap();
    }
    let explained = session.sql(&format!("EXPLAIN {statement}")).await.unwrap();
    let batches = explained.collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

#[tokio::test]
async fn the_build_side_can_be_set() {
    let statement =
        "SELECT c.name FROM cities c JOIN countries k ON ST_Within(c.geometry, k.geometry)";
    for (setting, side) in [("auto", "right"), ("left", "left"), ("right", "right")] {
        let plan = plan_with(
            &[&format!("geoflow.join.build_side = {setting}")],
            statement,
        )
        .await;
        assert!(plan.contains(&format!("build={side}")), "{setting}: {plan}");
    }
}

#[tokio::test]
async fn hash_or_index_can_be_set_and_the_plan_says_why() {
    let statement = "SELECT c.name FROM cities c JOIN countries k
                     ON c.name = k.name AND ST_Within(c.geometry, k.geometry)";
    let plan = plan_with(&["geoflow.join.strategy = hash"], statement).await;
    assert!(plan.contains("HashJoinExec"), "{plan}");
    assert!(plan.contains("SpatialStrategy: hash (as set)"), "{plan}");
    assert!(!plan.contains("SpatialJoinExec"), "{plan}");
    let plan = plan_with(&["geoflow.join.strategy = index"], statement).await;
    assert!(plan.contains("strategy=index (as set)"), "{plan}");
    let plan = plan_with(&["geoflow.join.strategy = auto"], statement).await;
    assert!(
        plan.contains("strategy=index (distinct keys unknown)"),
        "{plan}"
    );
}

#[tokio::test]
async fn statistics_of_the_key_decide_between_hash_and_index() {
    // Ranges of whole numbers: one key a row, and one key for a thousand rows.
    for (key, strategy) in [
        ("value", "SpatialStrategy: hash (about 5.0e3 pairs by key)"),
        ("value % 5", "strategy=index (distinct keys unknown)"),
    ] {
        let session = session().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.parquet");
        let path = path.display();
        session
            .sql(&format!(
                "COPY (SELECT {key} AS key, ST_Point(value, value) AS geometry
                 FROM generate_series(1, 5000)) TO '{path}'"
            ))
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        let statement = format!(
            "EXPLAIN SELECT count(*) FROM '{path}' a JOIN '{path}' b
             ON a.key = b.key AND ST_Intersects(a.geometry, b.geometry)"
        );
        let batches = session
            .sql(&statement)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        let plan = pretty_format_batches(&batches).unwrap().to_string();
        let strategy = strategy.replace("distinct keys unknown", "about 5.0e6 pairs by key");
        assert!(plan.contains(&strategy), "{key}: {plan}");
    }
}

#[tokio::test]
async fn the_dynamic_filter_can_be_turned_off() {
    let statement =
        "SELECT c.name FROM cities c JOIN countries k ON ST_Within(c.geometry, k.geometry)";
    let with = plan_with(&[], statement).await;
    let without = plan_with(&["geoflow.join.dynamic_filter = off"], statement).await;
    assert!(with.contains("the build side"), "{with}");
    assert!(!without.contains("the build side"), "{without}");
}

#[tokio::test]
async fn lateral_subqueries_by_distance_are_joins_of_nearest_neighbours() {
    assert_joins!(
        "lateral",
        "SELECT k.name, n.name FROM us_counties k LEFT JOIN LATERAL (
           SELECT c.name FROM cities c WHERE c.name <> 'Paris' AND ST_DWithin(k.geometry, c.geometry, 2)
           ORDER BY ST_Distance(c.geometry, k.geometry) LIMIT 3) n ON true"
    );
    let statement = "SELECT k.name, n.name FROM us_counties k CROSS JOIN LATERAL (
           SELECT c.name FROM cities c ORDER BY ST_Distance(c.geometry, k.geometry) LIMIT 3) n";
    let session = session().await;
    session
        .sql("SET geoflow.join.lateral_nearest = off")
        .await
        .unwrap();
    let refused = session.sql(statement).await.unwrap().collect().await;
    assert!(refused.is_err(), "DataFusion plans it by itself by now");
}

/// Neighbours of a row stand together: what is grouped by a key of such rows needs no table of all groups. That of a key
/// which many share, or of the other side, does.
#[tokio::test]
async fn nearest_neighbours_are_aggregated_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let session = session().await;
    let numbered = folder.path().join("numbered.parquet");
    let statements = [
        format!(
            "COPY (SELECT row_number() OVER (ORDER BY id) AS nr, nr % 5 AS few, geometry
                   FROM (SELECT *, row_number() OVER (ORDER BY id) AS nr FROM us_counties))
             TO '{}'",
            numbered.display()
        ),
        format!(
            "CREATE EXTERNAL TABLE numbered STORED AS PARQUET LOCATION '{}'",
            numbered.display()
        ),
    ];
    for statement in statements {
        session
            .sql(&statement)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
    }
    let statement = |key: &str| {
        format!(
            "SELECT {key} AS key, count(*), avg(ST_Distance(n.geometry, c.geometry)) AS far FROM numbered n
             JOIN cities c ON ST_KNN(n.geometry, c.geometry, 4) GROUP BY {key} ORDER BY far, key LIMIT 20"
        )
    };
    let mut answers = vec![];
    for (key, expected) in [
        ("nr", true),
        ("nr + 0", false),
        ("few", false),
        ("c.name", false),
    ] {
        let explain = session.sql(&format!("EXPLAIN {}", statement(key))).await;
        let plan = explain.unwrap().collect().await.unwrap();
        let plan = pretty_format_batches(&plan).unwrap().to_string();
        let found = plan.contains("ClusteredAggregateExec: mode=Partial");
        assert_eq!(found, expected, "{key}: {plan}");
        let answer = session.sql(&statement(key)).await.unwrap();
        let answer = answer.collect().await.unwrap();
        answers.push(pretty_format_batches(&answer).unwrap().to_string());
    }
    assert_eq!(answers[0], answers[1]);
}
