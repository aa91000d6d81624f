//! Holds functions to PostGIS' answers, which `tests/postgis/generate.py` asked for: exact text and
//! booleans, numbers within 1e-9, geometries as sets of points within 1e-9 of their extent.
//!
//! Where they differ on purpose, `DIFFERENCES` says why.
#![expect(clippy::unwrap_used, reason = "tests")]

mod postgis;

use std::collections::HashMap;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use geoflow_sql::functions::{Peer, definitions};
use geoflow_sql::{Session, SessionBuilder};

use postgis::differences::difference;
use postgis::same::{near_points, same_points};

const ANSWERS: &str = include_str!("data/postgis_functions.tsv");

/// Two inputs as WKT, NULL as `None`.
type Pair = (Option<String>, Option<String>);

struct Asked {
    kind: String,
    expression: String,
    inputs: Vec<Pair>,
    answers: Vec<String>,
}

fn asked() -> Vec<Asked> {
    let mut sets: HashMap<String, Vec<Pair>> = HashMap::new();
    let mut all: Vec<Asked> = vec![];
    let mut set = String::new();
    for line in ANSWERS.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let text = |i: usize| Some(fields[i].to_string()).filter(|text| !text.is_empty());
        match (fields[0], all.last_mut()) {
            ("set", None) => {
                set = fields[1].to_string();
                sets.insert(set.clone(), vec![]);
            }
            ("ask", _) => all.push(Asked {
                kind: fields[1].into(),
                // Behind the arrow stands what geoflow calls it.
                expression: fields[3].split(" => ").last().unwrap().into(),
                inputs: sets[fields[2]].clone(),
                answers: vec![],
            }),
            (_, None) => sets.get_mut(&set).unwrap().push((text(0), text(1))),
            (_, Some(last)) => last.answers.push(line.to_string()),
        }
    }
    for asked in &all {
        assert_eq!(
            asked.inputs.len(),
            asked.answers.len(),
            "{}",
            asked.expression
        );
    }
    all
}

/// The values of an expression for some inputs, as text; `\N` for NULL.
async fn ours(
    session: &Session,
    asked: &Asked,
    inputs: &[(Option<String>, Option<String>)],
) -> Result<Vec<String>, String> {
    let quoted = |text: &Option<String>| match text {
        Some(text) => format!("'{text}'"),
        None => "NULL::varchar".into(),
    };
    let rows: Vec<String> = inputs
        .iter()
        .enumerate()
        .map(|(i, (a, b))| format!("({i}, {}, {})", quoted(a), quoted(b)))
        .collect();
    let expression = match asked.kind.as_str() {
        "geometry" | "near" => format!("ST_AsText({})", asked.expression),
        _ => asked.expression.clone(),
    };
    let statement = format!(
        "SELECT {expression} AS v FROM (SELECT i, ST_GeomFromText(a) AS a, ST_GeomFromText(b) AS b \
         FROM (VALUES {}) AS t(i, a, b)) ORDER BY i",
        rows.join(", ")
    );
    let frame = session.sql(&statement).await.map_err(|e| e.to_string())?;
    let batches = frame.collect().await.map_err(|e| e.to_string())?;
    let mut values = vec![];
    for batch in batches {
        let column = cast(batch.column(0), &DataType::Utf8).map_err(|e| e.to_string())?;
        let column = column.as_string::<i32>();
        values.extend((0..column.len()).map(|row| match column.is_null(row) {
            true => "\\N".to_string(),
            false => column.value(row).to_string(),
        }));
    }
    Ok(values)
}

fn agree(kind: &str, ours: &str, theirs: &str) -> bool {
    if ours == theirs {
        return true;
    }
    match kind {
        "number" => match (ours.parse::<f64>(), theirs.parse::<f64>()) {
            (Ok(x), Ok(y)) => (x - y).abs() <= 1e-9 * x.abs().max(y.abs()).max(1e-6),
            _ => false,
        },
        "geometry" => ours != "\\N" && theirs != "\\N" && same_points(ours, theirs),
        "near" => ours != "\\N" && theirs != "\\N" && near_points(ours, theirs),
        _ => false,
    }
}

#[tokio::test]
async fn postgis_agrees() {
    // GEOFLOW_CASES is a part of the expression: one function at a time.
    let wanted = std::env::var("GEOFLOW_CASES").unwrap_or_default();
    let session = SessionBuilder::new().threads(1).build().unwrap();
    let mut wrong: Vec<String> = vec![];
    let mut used: HashMap<&'static str, usize> = HashMap::new();
    let mut compared = 0;
    for asked in asked().iter().filter(|a| a.expression.contains(&wanted)) {
        let all = ours(&session, asked, &asked.inputs).await;
        for (i, theirs) in asked.answers.iter().enumerate() {
            let ours = match &all {
                Ok(values) => Ok(values[i].clone()),
                // An error in one row is an error of the statement: each row by itself.
                Err(_) => ours(&session, asked, &asked.inputs[i..=i])
                    .await
                    .map(|values| values[0].clone()),
            };
            // Where PostGIS has an error, an answer is allowed.
            let fine = match &ours {
                _ if theirs == "ERROR" => true,
                Ok(ours) => agree(&asked.kind, ours, theirs),
                Err(_) => false,
            };
            compared += 1;
            if fine {
                continue;
            }
            let (a, b) = &asked.inputs[i];
            let text = |g: &Option<String>| g.clone().unwrap_or("NULL".into());
            let (a, b) = (text(a), text(b));
            match difference(&asked.expression, &a, &b, theirs) {
                Some(reason) => *used.entry(reason).or_default() += 1,
                None => wrong.push(format!(
                    "{}\n  a {a}\n  b {b}\n  ours   {}\n  theirs {theirs}",
                    asked.expression,
                    ours.unwrap_or_else(|e| format!("error: {e}")),
                )),
            }
        }
    }
    assert!(compared > 0);
    // Some of each expression.
    let mut shown: HashMap<&str, usize> = HashMap::new();
    let few: Vec<&str> = wrong
        .iter()
        .filter(|text| {
            let shown = shown.entry(text.lines().next().unwrap()).or_default();
            *shown += 1;
            *shown <= 3
        })
        .map(String::as_str)
        .collect();
    let few = few.join("\n");
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ, beside those expected ({used:?}):\n{few}",
        wrong.len()
    );
}

/// What PostGIS is not asked about.
const UNASKED: [(&str, &str); 1] = [(
    "ST_ClusterKMeans",
    "which groups there are depends on the centres that are tried first",
)];

#[test]
fn postgis_is_asked_about_every_function_that_it_has() {
    let asked: Vec<String> = asked()
        .iter()
        .map(|asked| asked.expression.to_ascii_lowercase())
        .collect();
    for function in definitions().filter(|f| Peer::PostGis.name_of(f).is_some()) {
        let calls: Vec<String> = function
            .names()
            .map(|name| format!("{}(", name.to_ascii_lowercase()))
            .collect();
        let found = asked
            .iter()
            .any(|expression| calls.iter().any(|call| expression.contains(call)));
        let left_out = UNASKED.iter().any(|(name, _)| *name == function.name);
        assert!(found != left_out, "{}", function.name);
    }
}
