//! DataFusion's wording made plain.

use super::{Failure, Position};

/// A message that is the user's to mend.
///
/// Known shapes are split into what is wrong and what to do; all others pass as they are.
pub(crate) fn user(message: &str) -> Box<Failure> {
    let message = trim(message);
    if let Some(name) = between(message, "Invalid function '", "'") {
        let failure = Failure::user(format!("unknown function \"{name}\""));
        return match between(message, "Did you mean '", "'") {
            Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
            None => failure,
        };
    }
    if let Some(name) = between(message, "table '", "' not found") {
        // The catalog and schema were filled in by the planner, not written by the user.
        let name = name.strip_prefix("datafusion.public.").unwrap_or(name);
        let mut failure = Failure::user(format!("table \"{name}\" not found"));
        failure.unknown_table = Some(name.to_string());
        return failure;
    }
    Failure::user(message)
}

/// Splits "... at Line: 1, Column: 8", the ending of the parser's messages, from the message.
pub(crate) fn split_position(message: &str) -> (&str, Option<Position>) {
    let Some(start) = message.rfind(" at Line: ") else {
        return (message, None);
    };
    let numbers: Option<Position> = message[start + " at Line: ".len()..]
        .split_once(", Column: ")
        .and_then(|(line, column)| {
            let column = column.trim_end_matches(|c: char| !c.is_ascii_digit());
            Some(Position {
                line: line.trim().parse().ok()?,
                column: column.trim().parse().ok()?,
            })
        });
    match numbers {
        // The parser has no position for the end of the text and says 0.
        Some(Position { line: 0, .. }) => (&message[..start], None),
        Some(position) => (&message[..start], Some(position)),
        None => (message, None),
    }
}

/// Cuts the prefixes by which nested errors name their own type.
pub(crate) fn trim(message: &str) -> &str {
    const PREFIXES: [&str; 14] = [
        "DataFusion error: ",
        "Error during planning: ",
        "Execution error: ",
        "Schema error: ",
        "SQL error: ",
        "External error: ",
        "External: ",
        "Arrow error: ",
        "Parquet error: ",
        "Parquet argument error: ",
        "IO error: ",
        "Invalid or Unsupported Configuration: ",
        "This feature is not implemented: ",
        "sql parser error: ",
    ];
    let mut message = message.trim();
    while let Some(rest) = PREFIXES
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
    {
        message = rest;
    }
    message
}

/// The text between the first `open` and the next `close`.
pub(crate) fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let start = text.find(open)? + open.len();
    let length = text[start..].find(close)?;
    Some(&text[start..start + length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_and_tables() {
        let failure = user("Invalid function 'st_intersect'.\nDid you mean 'st_intersects'?");
        assert_eq!(failure.message, "unknown function \"st_intersect\"");
        assert_eq!(
            failure.hint.as_deref(),
            Some("did you mean `st_intersects`?")
        );
        let failure = user("table 'datafusion.public.citis' not found");
        assert_eq!(failure.unknown_table.as_deref(), Some("citis"));
    }

    #[test]
    fn positions() {
        assert_eq!(
            split_position("Expected: an expression, found: FROM at Line: 1, Column: 8"),
            (
                "Expected: an expression, found: FROM",
                Some(Position { line: 1, column: 8 })
            )
        );
        assert_eq!(
            split_position("found: EOF at Line: 0, Column: 0"),
            ("found: EOF", None)
        );
        assert_eq!(split_position("no place"), ("no place", None));
    }

    #[test]
    fn prefixes() {
        assert_eq!(trim("External error: Parquet error: no magic"), "no magic");
    }
}
