//! SQL text cut at its semicolons, so that the statements before the last can be run by every task.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use geoflow_engine::{Error, Result};

/// The statements of a text as they were written; empty ones are left out.
///
/// # Errors
/// [`Error::Statement`] when the text is no SQL, such as for want of a closing quote.
pub fn split_statements(text: &str) -> Result<Vec<String>> {
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|e| Error::Statement(format!("SQL does not parse: {e}")))?;
    let mut lines = vec![0];
    lines.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    // Columns count characters, from one.
    let offset = |line: u64, column: u64| {
        let start = usize::try_from(line).ok()?.checked_sub(1)?;
        let start = lines.get(start).copied()?;
        let column = usize::try_from(column).ok()?.checked_sub(1)?;
        let rest = text.get(start..)?;
        let within = rest.char_indices().nth(column).map(|(at, _)| at);
        Some(start + within.unwrap_or(rest.len()))
    };
    let mut statements = vec![];
    let (mut start, mut any) = (0, false);
    for token in &tokens {
        match &token.token {
            Token::SemiColon => {
                let at = token.span.start;
                let end = offset(at.line, at.column).unwrap_or(text.len());
                if any {
                    statements.push(text.get(start..end).unwrap_or_default().trim().to_owned());
                }
                (start, any) = (end + 1, false);
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => any = true,
        }
    }
    if any {
        statements.push(text.get(start..).unwrap_or_default().trim().to_owned());
    }
    Ok(statements)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_cut() {
        let text = "SET a = ';'; -- one; two\nSELECT 'ä;' AS \"ö;\" /* ; */ FROM t;; ;\n";
        let expected = [
            "SET a = ';'",
            "-- one; two\nSELECT 'ä;' AS \"ö;\" /* ; */ FROM t",
        ];
        assert_eq!(split_statements(text).unwrap(), expected);
        assert_eq!(split_statements("SELECT 1").unwrap(), ["SELECT 1"]);
        assert!(split_statements(" ;-- nothing\n").unwrap().is_empty());
        assert!(split_statements("SELECT 'x").is_err());
    }
}
