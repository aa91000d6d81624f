//! DataFusion's wording made plain.

use super::{Failure, Position, Unknown};

/// A message that is the user's to mend.
///
/// Known shapes are split into what is wrong and what to do; all others pass as they are.
pub(crate) fn user(message: &str) -> Box<Failure> {
    let message = trim(message);
    if let Some(name) = between(message, "Invalid function '", "'") {
        let mut failure = Failure::user(format!("unknown function \"{name}\""));
        // DataFusion's own suggestion depends on the order of a hash table.
        failure.unknown = Some(Unknown::Function(name.to_string()));
        return failure;
    }
    if let Some(name) = between(message, "table '", "' not found") {
        // The catalog and schema were filled in by the planner, not written by the user.
        let name = name.strip_prefix("datafusion.public.").unwrap_or(name);
        let mut failure = Failure::user(format!("table \"{name}\" not found"));
        failure.unknown = Some(Unknown::Table(name.to_string()));
        return failure;
    }
    if let Some(place) = between(message, "No files found at ", ". Cannot infer") {
        let path = place.strip_prefix("file://").unwrap_or(place);
        return Failure::user(format!("\"{path}\" does not exist"));
    }
    if message.starts_with("Format not explicitly set") {
        return Failure::user(
            "the format of the output is not known: write STORED AS PARQUET, GPKG, FGB, SHP, GEOJSON, GEOJSONSEQ, CSV, ARROW or JSON",
        );
    }
    match message {
        "Divide by zero error" => Failure::user("division by zero"),
        _ => Failure::user(lower_first(message)),
    }
}

/// Starts a message in lower case, as all of ours do, unless its first word is a name.
pub(super) fn lower_first(message: &str) -> String {
    const NAMES: [&str; 3] = ["Parquet", "Arrow", "Utf8"];
    let word = message.split(' ').next().unwrap_or_default();
    let mut chars = message.chars();
    let is_plain_word = word.chars().skip(1).all(|c| c.is_ascii_lowercase()) && word.len() > 1;
    match chars.next() {
        Some(first) if is_plain_word && !NAMES.contains(&word) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => message.to_string(),
    }
}

/// What ran out, without the list of all who hold a share.
pub(super) fn exhausted(message: &str) -> String {
    match message.rsplit_once("\nError: ") {
        Some((_, cause)) => format!("out of memory: {}", lower_first(trim(cause))),
        None => trim(message).to_string(),
    }
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
    const PREFIXES: [&str; 20] = [
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
        "Cast error: ",
        "Compute error: ",
        "Parser error: ",
        "Csv error: ",
        "Json error: ",
        "Invalid argument error: ",
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
        let name = "st_intersect".to_string();
        assert_eq!(failure.unknown, Some(Unknown::Function(name)));
        let failure = user("table 'datafusion.public.citis' not found");
        assert_eq!(failure.unknown, Some(Unknown::Table("citis".to_string())));
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
