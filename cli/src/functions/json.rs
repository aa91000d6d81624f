//! The reference for programs.

use geoflow_sql::functions::{Function, Peer};
use serde_json::{Map, Value, json};

/// One array, an object for each function.
pub(super) fn describe(functions: impl Iterator<Item = &'static Function>) -> String {
    let functions: Vec<Value> = functions.map(object).collect();
    // A value of strings and lists always serializes.
    let text = serde_json::to_string_pretty(&functions).unwrap_or_default();
    format!("{text}\n")
}

fn object(function: &Function) -> Value {
    let signatures = function.signature_text();
    let examples: Vec<Value> = function
        .examples
        .iter()
        .map(|(example, value)| json!({"sql": format!("SELECT {example}"), "result": value}))
        .collect();
    let elsewhere: Map<String, Value> = Peer::ALL
        .into_iter()
        .map(|peer| (peer.name().to_lowercase(), peer.name_of(function).into()))
        .collect();
    json!({
        "name": function.name,
        "aliases": function.aliases,
        "kind": function.kind(),
        "signatures": signatures.lines().collect::<Vec<_>>(),
        "about": function.about,
        "null": function.null(),
        "empty": function.empty,
        "crs": function.crs(),
        "elsewhere": elsewhere,
        "examples": examples,
    })
}
