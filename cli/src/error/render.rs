//! A failure as text and as JSON.

use serde_json::json;

use super::{Failure, FailureKind};

const REPORT: &str = "this is a bug in geoflow: please report it with the statement, \
    the output of `geoflow --version` and, if you can, the data";

/// For people: `error: ...`, the place in the SQL, `hint: ...`.
pub(crate) fn to_text(failure: &Failure, color: bool) -> String {
    let paint = |style: &str, text: &str| match color {
        true => format!("\x1b[{style}m{text}\x1b[0m"),
        false => text.to_string(),
    };
    if failure.kind == FailureKind::Interrupted {
        return format!("{}\n", failure.message);
    }
    let mut text = format!("{} {}\n", paint("1;31", "error:"), failure.message);
    if let Some(excerpt) = &failure.excerpt {
        let number = excerpt.position.line.to_string();
        let margin = " ".repeat(number.len());
        let bar = paint("1;34", "|");
        text.push_str(&format!(
            "{margin}{} {}, line {}, column {}\n{margin} {bar}\n{} {bar} {}\n{margin} {bar} {}{}\n",
            paint("1;34", "-->"),
            excerpt.origin,
            excerpt.position.line,
            excerpt.position.column,
            paint("1;34", &number),
            excerpt.line,
            " ".repeat(excerpt.indent),
            paint("1;31", "^"),
        ));
    }
    if let Some(hint) = hint(failure) {
        text.push_str(&format!("{} {hint}\n", paint("1;36", "hint:")));
    }
    text
}

/// For programs: one line.
pub(crate) fn to_json(failure: &Failure) -> String {
    let mut error = json!({
        "kind": failure.kind.name(),
        "message": failure.message,
        "code": failure.kind.status().code(),
    });
    if let Some(hint) = hint(failure) {
        error["hint"] = json!(hint);
    }
    if let Some(excerpt) = &failure.excerpt {
        error["source"] = json!(excerpt.origin);
        error["line"] = json!(excerpt.position.line);
        error["column"] = json!(excerpt.position.column);
    }
    format!("{}\n", json!({ "error": error }))
}

fn hint(failure: &Failure) -> Option<&str> {
    match (failure.kind, failure.hint.as_deref()) {
        (FailureKind::Bug, None) => Some(REPORT),
        (_, hint) => hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Excerpt, Position};

    #[test]
    fn the_caret_stands_under_the_place() {
        let mut failure = Failure::user("expected an expression, found FROM");
        failure.excerpt = Excerpt::new(
            "the SQL argument",
            "SELECT FROM x",
            Position { line: 1, column: 8 },
        );
        insta::assert_snapshot!(to_text(&failure, false), @r"
        error: expected an expression, found FROM
         --> the SQL argument, line 1, column 8
          |
        1 | SELECT FROM x
          |        ^
        ");
        insta::assert_snapshot!(to_json(&failure), @r#"{"error":{"code":1,"column":8,"kind":"user","line":1,"message":"expected an expression, found FROM","source":"the SQL argument"}}"#);
    }
}
