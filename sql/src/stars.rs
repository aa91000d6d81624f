//! `(ST_Dump(geom)).*`, which the parser does not read: the parts by their names.

use std::borrow::Cow;

use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::functions;

/// The statement with `(ST_Dump(geom)).path, (ST_Dump(geom)).geom` in place of `(ST_Dump(geom)).*`. Text that is no
/// SQL is left to the parser, which says where it is wrong.
pub fn expand<'a>(dialect: &dyn Dialect, text: &'a str) -> Cow<'a, str> {
    // Few statements have one.
    let has_star = text
        .match_indices(')')
        .any(|(at, _)| text[at + 1..].trim_start().starts_with('.'));
    if !has_star || !text.contains('*') {
        return Cow::Borrowed(text);
    }
    // Text in quotes stays as it is written.
    let tokens = Tokenizer::new(dialect, text)
        .with_unescape(false)
        .tokenize();
    let Ok(tokens) = tokens else {
        return Cow::Borrowed(text);
    };
    let mut out: Vec<String> = vec![];
    // Where brackets open, in `out`.
    let mut open: Vec<usize> = vec![];
    // The brackets that have been closed last.
    let mut closed: Option<(usize, usize)> = None;
    let mut changed = false;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if let (Some((start, end)), Token::Period) = (closed, token)
            && out[end..].iter().all(|token| token.trim().is_empty())
            && let Some((behind, Token::Mul)) = next(&tokens, at + 1)
            && let Some(parts) = parts_of(&out[start..end])
        {
            let value = out[start..end].concat();
            let all: Vec<String> = parts.iter().map(|part| format!("{value}.{part}")).collect();
            out.truncate(start);
            out.push(all.join(", "));
            changed = true;
            at = behind + 1;
            continue;
        }
        match token {
            Token::LParen => open.push(out.len()),
            Token::RParen => closed = open.pop().map(|start| (start, out.len() + 1)),
            _ => {}
        }
        out.push(token.to_string());
        at += 1;
    }
    match changed {
        true => Cow::Owned(out.concat()),
        false => Cow::Borrowed(text),
    }
}

/// The next token that is no blank, and its place.
fn next(tokens: &[Token], from: usize) -> Option<(usize, &Token)> {
    let mut rest = tokens.iter().enumerate().skip(from);
    rest.find(|(_, token)| !matches!(token, Token::Whitespace(_)))
}

/// The parts of the values in the list that `(f(...))` returns; `None` for anything else in brackets.
fn parts_of(brackets: &[String]) -> Option<Vec<&'static str>> {
    let mut words = brackets
        .iter()
        .map(|word| word.trim())
        .filter(|word| !word.is_empty());
    let (open, name, call) = (words.next()?, words.next()?, words.next()?);
    if open != "(" || call != "(" {
        return None;
    }
    functions::list_parts(name).filter(|parts| !parts.is_empty())
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;

    use super::*;

    #[test]
    fn stars_are_the_parts() {
        let read = |text: &str| expand(&GenericDialect {}, text).into_owned();
        assert_eq!(
            read("SELECT id, (ST_Dump(ST_GeomFromText('it''s (a) .*'))) . * FROM t"),
            "SELECT id, (ST_Dump(ST_GeomFromText('it''s (a) .*'))).path, \
             (ST_Dump(ST_GeomFromText('it''s (a) .*'))).geom FROM t"
        );
        for same in [
            "SELECT t.*, (a).b * 2 FROM t",
            "SELECT (f(x)).* FROM t",
            "SELECT 2 * (1 + 2).5",
            "SELECT '",
            "SELECT (ST_Dump(g)).geom, count(*) FROM t",
        ] {
            assert_eq!(read(same), same);
        }
    }
}
