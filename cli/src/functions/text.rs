//! The reference for people.

use std::fmt::Write;

use geoflow_sql::functions::{Function, Peer};

/// A line for each function: name, kind and the beginning of what it does.
pub(super) fn table(functions: impl Iterator<Item = &'static Function>) -> String {
    let mut functions: Vec<&Function> = functions.collect();
    functions.sort_by_key(|function| function.name.to_lowercase());
    let width = |of: fn(&Function) -> &str| {
        let widths = functions.iter().map(|function| of(function).len());
        widths.max().unwrap_or(0)
    };
    let (name, kind) = (width(|f| f.name), width(Function::kind));
    let mut out = String::new();
    for function in functions {
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "{:name$}  {:kind$}  {}",
            function.name,
            function.kind(),
            first_sentence(function.about),
        );
    }
    out
}

fn first_sentence(text: &str) -> &str {
    let end = [". ", ": ", "; "]
        .iter()
        .filter_map(|stop| text.find(stop))
        .min()
        .unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// One function in full.
pub(super) fn describe(function: &Function) -> String {
    let mut out = function.signature_text();
    out.push_str("\n\n");
    wrap(function.about, "", &mut out);
    out.push('\n');
    let mut item = |label: &str, text: &str| {
        if !text.is_empty() {
            wrap(text, &format!("{label:9} "), &mut out);
        }
    };
    item("NULL", function.null());
    item("EMPTY", function.empty);
    item("CRS", &function.crs());
    item("aliases", &function.aliases.join(", "));
    let elsewhere: Vec<String> = Peer::ALL
        .into_iter()
        .map(|peer| match peer.name_of(function) {
            Some(name) if name == function.name => peer.name().to_owned(),
            Some(name) => format!("{} ({name})", peer.name()),
            None => format!("not in {}", peer.name()),
        })
        .collect();
    item("elsewhere", &elsewhere.join(", "));
    for (example, value) in function.examples {
        let _ = write!(
            out,
            "\nSELECT {example};\n-- {}\n",
            value.replace('\n', "\n-- ")
        );
    }
    out
}

/// Appends text in lines of a readable width: the label before the first, blanks before the rest.
fn wrap(text: &str, label: &str, out: &mut String) {
    const WIDTH: usize = 100;
    let mut line = label.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(label.len());
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(&line);
    out.push('\n');
}
