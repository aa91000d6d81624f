//! The line of SQL that an error is about.

use geoflow_sql::object_store::without_queries;

/// A place in SQL text; both count from one, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A line of SQL with a place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// Where the SQL came from: a file, an argument.
    pub(crate) origin: String,
    pub(crate) position: Position,
    /// The line, cut around the place when it is very long, tabs as single spaces.
    pub(crate) line: String,
    /// Characters before the place in `line`.
    pub(crate) indent: usize,
}

/// Characters of a long line that are shown on either side of the place.
const REACH: usize = 60;

impl Excerpt {
    /// The line around `position`, or `None` when the text has no such line.
    pub(crate) fn new(origin: &str, sql: &str, position: Position) -> Option<Self> {
        let line = sql.lines().nth(position.line.checked_sub(1)?)?;
        let column = position.column.saturating_sub(1);
        let before: String = line.chars().take(column).collect();
        let chars: Vec<char> = without_queries(line)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let place = without_queries(&before).chars().count().min(chars.len());
        let start = place.saturating_sub(REACH);
        let end = (place + REACH).min(chars.len());
        let mut shown = String::new();
        let mut indent = place - start;
        if start > 0 {
            shown.push('…');
            indent += 1;
        }
        shown.extend(&chars[start..end]);
        if end < chars.len() {
            shown.push('…');
        }
        Some(Excerpt {
            origin: origin.to_string(),
            position,
            line: shown,
            indent,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn long_lines_are_cut_on_both_sides() {
        let sql = format!("SELECT 1,\n{}X{}", "a".repeat(500), "b".repeat(500));
        let excerpt = Excerpt::new(
            "-c",
            &sql,
            Position {
                line: 2,
                column: 501,
            },
        )
        .unwrap();
        assert_eq!(excerpt.line.chars().nth(excerpt.indent), Some('X'));
        assert!(excerpt.line.chars().count() < 130);
    }

    #[test]
    fn a_place_past_the_end_is_the_end() {
        let excerpt = Excerpt::new(
            "-c",
            "SELECT",
            Position {
                line: 1,
                column: 99,
            },
        )
        .unwrap();
        assert_eq!(excerpt.indent, 6);
        assert!(Excerpt::new("-c", "SELECT", Position { line: 7, column: 1 }).is_none());
    }
}
