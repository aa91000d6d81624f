//! `docs/functions.md`.

use std::collections::HashMap;
use std::fmt::Write;

use super::peers::{Peer, postgis_names};
use crate::functions::{Function, definitions, families};

const INTRODUCTION: &str = "\
# Functions

Generated from the definitions in the code by `geoflow functions --format markdown`; every example
is run as a test.

A `geometry` argument is a geometry column, WKB in a binary column, or text, which is read as WKT. An
argument may be given by its name: `ST_DWithin(a, b, distance => 5)`. Arguments of the wrong number or type are
an error that shows the signatures. Names are found in any case. Two geometries of different, known coordinate reference
systems in one call are an error, unless `geoflow.crs_mismatch` says otherwise.

";

/// The reference as Markdown.
pub fn markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    for (heading, functions) in families() {
        let links: Vec<String> = functions
            .iter()
            .map(|f| format!("[{}](#{})", f.name, f.name.to_ascii_lowercase()))
            .collect();
        push(
            &mut out,
            format_args!("- {heading}: {}\n", links.join(", ")),
        );
    }
    push(
        &mut out,
        format_args!("- [Functions of PostGIS](#functions-of-postgis), here and not here\n"),
    );
    for (heading, functions) in families() {
        push(&mut out, format_args!("\n## {heading}\n"));
        for function in functions {
            section(function, &mut out);
        }
    }
    postgis(&mut out);
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = out.write_fmt(text);
}

fn section(function: &Function, out: &mut String) {
    push(out, format_args!("\n### {}\n\n", function.name));
    push(
        out,
        format_args!("```sql\n{}\n```\n\n", function.signature_text()),
    );
    push(out, format_args!("{}\n\n", function.about));
    push(
        out,
        format_args!("- NULL and EMPTY: {} {}\n", function.null(), function.empty),
    );
    let crs = function.crs();
    if !crs.is_empty() {
        push(out, format_args!("- CRS: {crs}\n"));
    }
    if !function.aliases.is_empty() {
        push(
            out,
            format_args!("- Also called {}.\n", function.aliases.join(", ")),
        );
    }
    let elsewhere: Vec<String> = Peer::ALL
        .into_iter()
        .filter_map(|peer| {
            let name = peer.name_of(function)?;
            Some(match name == function.name {
                true => peer.name().to_owned(),
                false => format!("{} ({name})", peer.name()),
            })
        })
        .collect();
    push(
        out,
        format_args!(
            "- Also in: {}\n\n",
            match elsewhere.is_empty() {
                true => "no other of PostGIS, SedonaDB and DuckDB".to_owned(),
                false => elsewhere.join(", "),
            }
        ),
    );
    for (example, value) in function.examples {
        push(
            out,
            format_args!(
                "```sql\nSELECT {example};\n-- {}\n```\n",
                value.replace('\n', "\n-- ")
            ),
        );
    }
}

/// The functions of PostGIS, those that are here and those that are not.
fn postgis(out: &mut String) {
    let here: HashMap<String, &Function> = definitions()
        .flat_map(|function| {
            function
                .names()
                .map(move |name| (name.to_ascii_lowercase(), function))
        })
        .collect();
    let (there, missing): (Vec<&str>, Vec<&str>) =
        postgis_names().partition(|name| here.contains_key(&name.to_ascii_lowercase()));
    push(
        out,
        format_args!(
            "\n## Functions of PostGIS\n\n\
             Of the {} functions of PostGIS 3.3 over vector geometries, {} are here. A name in brackets is geoflow's \
             spelling of the same function.\n\n| here | not here |\n|---|---|\n",
            there.len() + missing.len(),
            there.len(),
        ),
    );
    let mut letters: Vec<char> = postgis_names().filter_map(initial).collect();
    letters.sort_unstable();
    letters.dedup();
    for letter in letters {
        let of_letter = |names: &[&str]| -> String {
            let cells: Vec<String> = names
                .iter()
                .filter(|name| initial(name) == Some(letter))
                .map(|name| match here.get(&name.to_ascii_lowercase()) {
                    Some(f) if !f.name.eq_ignore_ascii_case(name) => format!("{name} ({})", f.name),
                    Some(f) => f.name.to_owned(),
                    None => (*name).to_owned(),
                })
                .collect();
            cells.join(", ")
        };
        push(
            out,
            format_args!("| {} | {} |\n", of_letter(&there), of_letter(&missing)),
        );
    }
    let only_here: Vec<&str> = definitions()
        .filter(|f| Peer::PostGis.name_of(f).is_none())
        .map(|f| f.name)
        .collect();
    push(
        out,
        format_args!("\nHere and not in PostGIS: {}.\n", only_here.join(", ")),
    );
}

/// The first letter, behind `ST_` if that is there.
fn initial(name: &str) -> Option<char> {
    let name = name.strip_prefix("ST_").unwrap_or(name);
    name.chars().next().map(|c| c.to_ascii_uppercase())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// `UPDATE_DOCS=1 cargo test --workspace --lib the_reference_is_current` writes the file.
    #[test]
    fn the_reference_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/functions.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs")).unwrap();
            std::fs::write(path, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == markdown(),
            "docs/functions.md is stale: run UPDATE_DOCS=1 cargo test --workspace --lib the_reference_is_current"
        );
    }

    #[test]
    fn other_systems_are_named() {
        let find = |name: &str| definitions().find(|f| f.name == name).unwrap();
        assert_eq!(Peer::PostGis.name_of(find("ST_Within")), Some("ST_Within"));
        assert_eq!(Peer::DuckDb.name_of(find("ST_CRS")), Some("ST_CRS"));
        assert_eq!(Peer::PostGis.name_of(find("ST_KNN")), None);
    }
}
