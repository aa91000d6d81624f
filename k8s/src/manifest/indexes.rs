//! Sets of indexes as Kubernetes writes them: `0-3,7`.

use geoflow_engine::{Error, Result};

/// More indexes than this are in no Job and no plan.
const MOST: usize = 10_000_000;

/// Writes ascending indexes as ranges; two neighbours are written `1,2`, as Kubernetes does.
pub fn format_indexes(indexes: &[u32]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < indexes.len() {
        let mut end = at;
        while indexes.get(end + 1).copied() == indexes[end].checked_add(1)
            && end + 1 < indexes.len()
        {
            end += 1;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&indexes[at].to_string());
        if end > at {
            text.push(if end == at + 1 { ',' } else { '-' });
            text.push_str(&indexes[end].to_string());
        }
        at = end + 1;
    }
    text
}

/// Reads ranges; the empty text is no index.
///
/// # Errors
/// Something that is no number or range, ranges out of order, or more than ten million indexes.
pub fn parse_indexes(text: &str) -> Result<Vec<u32>> {
    let bad = |part: &str| {
        Error::Statement(format!(
            "\"{part}\" is no range of indexes: write ascending numbers and ranges, such as 0-3,7"
        ))
    };
    let mut indexes: Vec<u32> = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: u32 = first.trim().parse().map_err(|_| bad(part))?;
        let last: u32 = last.trim().parse().map_err(|_| bad(part))?;
        let ascending = indexes.last().is_none_or(|before| *before < first);
        if last < first || !ascending || (last - first) as usize >= MOST - indexes.len() {
            return Err(bad(part));
        }
        indexes.extend(first..=last);
    }
    Ok(indexes)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_kubernetes_writes_them() {
        for (indexes, text) in [
            (vec![], ""),
            (vec![0], "0"),
            (vec![0, 1], "0,1"),
            (vec![0, 1, 2, 3], "0-3"),
            (vec![0, 1, 3], "0,1,3"),
            (vec![2, 3, 4, 9, u32::MAX], "2-4,9,4294967295"),
        ] {
            assert_eq!(format_indexes(&indexes), text);
            assert_eq!(parse_indexes(text).unwrap(), indexes);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["a", "3-1", "1,1", "2,1", "-1", "1-", ",", "0-4294967295"] {
            assert!(parse_indexes(text).is_err(), "{text}");
        }
    }
}
