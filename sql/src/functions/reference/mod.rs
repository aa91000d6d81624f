//! The reference of the functions: DataFusion's own documentation, `docs/functions.md`, and what
//! other systems call them.

mod markdown;
mod peers;

pub use markdown::markdown;
pub use peers::Peer;

use datafusion::logical_expr::{DocSection, Documentation};

use super::definition::Function;

const SECTION: DocSection = DocSection {
    include: true,
    label: "Spatial Functions",
    description: Some("Functions over geometries, with the names and the meaning of PostGIS"),
};

/// What `information_schema.routines` and `SHOW FUNCTIONS` tell.
pub(super) fn documentation(function: &Function) -> Documentation {
    let text = [function.about, function.null(), function.empty];
    let text = text.join(" ") + " " + &function.crs();
    let signatures = function.signature_text();
    let mut signatures = signatures.lines();
    let mut builder = Documentation::builder(
        SECTION,
        text.trim_end(),
        signatures.next().unwrap_or_default(),
    );
    let examples: Vec<String> = function
        .examples
        .iter()
        .map(|(example, value)| format!("SELECT {example};\n-- {}", value.replace('\n', "\n-- ")))
        .collect();
    builder = builder.with_sql_example(examples.join("\n"));
    for signature in signatures {
        builder = builder.with_alternative_syntax(signature);
    }
    builder.build()
}
