//! `geoflow functions`: the reference of the `ST_` functions, from their definitions.

mod json;
mod text;

use geoflow_sql::functions::{Function, definitions, markdown};

use crate::args::{FunctionsArgs, FunctionsFormat};
use crate::error::{Failure, Result, nearest};
use crate::printer::Printer;

/// Prints all functions, or one.
pub(crate) fn run(args: &FunctionsArgs, printer: &Printer) -> Result<()> {
    let wanted = args.name.as_deref().map(find).transpose()?;
    printer.data(&match (args.format, wanted) {
        (FunctionsFormat::Table, None) => text::table(definitions()),
        (FunctionsFormat::Table, Some(found)) => {
            let found: Vec<String> = found.into_iter().map(text::describe).collect();
            found.join("\n\n")
        }
        (FunctionsFormat::Json, None) => json::describe(definitions()),
        (FunctionsFormat::Json, Some(found)) => json::describe(found.into_iter()),
        (FunctionsFormat::Markdown, None) => markdown(),
        (FunctionsFormat::Markdown, Some(_)) => {
            return Err(Failure::usage(
                "--format markdown writes the whole reference, without a name",
            ));
        }
    })
}

/// The functions of a name: `ST_Union` is an aggregate, and a function of two geometries.
fn find(name: &str) -> Result<Vec<&'static Function>> {
    // People leave the prefix out.
    let is_called = |called: &str| {
        called.eq_ignore_ascii_case(name)
            || called
                .get(3..)
                .is_some_and(|rest| rest.eq_ignore_ascii_case(name))
    };
    let found: Vec<_> = definitions().filter(|f| f.names().any(is_called)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let failure = Failure::user(format!("there is no spatial function \"{name}\""));
    Err(match nearest(name, definitions().flat_map(Function::names)) {
        Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
        None => failure.with_hint(
            "geoflow functions lists the spatial functions, SHOW FUNCTIONS in a query all others",
        ),
    })
}
