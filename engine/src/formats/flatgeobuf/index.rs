//! The packed R-tree: which features overlap what is wanted.
//!
//! The levels lie one after another, root first; the nodes of a level without gaps. A node that is no leaf
//! tells the number of its first child.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use super::header::{FileHeader, NODE};
use crate::formats::files::cannot_read;
use crate::formats::source::Within;
use crate::geometry::Bounds;
use crate::{Error, Result};

/// The nodes of each level, leaves first. `None` for a tree that cannot be.
fn levels(features: u64, node_size: u16) -> Option<Vec<Range<u64>>> {
    if features == 0 || node_size < 2 {
        return None;
    }
    let mut sizes = vec![features];
    let mut n = features;
    while n > 1 {
        n = n.div_ceil(u64::from(node_size));
        sizes.push(n);
    }
    // Of one feature there is a root all the same.
    if features == 1 {
        sizes.push(1);
    }
    let mut end = sizes.iter().try_fold(0_u64, |all, n| all.checked_add(*n))?;
    let mut levels = vec![];
    for size in sizes {
        levels.push(end - size..end);
        end -= size;
    }
    Some(levels)
}

/// How many nodes a tree has.
pub(super) fn nodes(features: u64, node_size: u16) -> Option<u64> {
    levels(features, node_size)?
        .first()
        .map(|leaves| leaves.end)
}

/// The places of the features, from the first one, whose bounds meet `within`; in their order.
pub(super) fn search(
    reader: &mut BufReader<File>,
    path: &Path,
    header: &FileHeader,
    within: &Within,
) -> Result<Vec<u64>> {
    let damaged = || Error::Data(format!("{}: the spatial index is damaged", path.display()));
    let levels = levels(header.features, header.node_size).ok_or_else(damaged)?;
    let mut found = vec![];
    let mut queue = VecDeque::from([(0_u64, levels.len() - 1)]);
    let mut buffer = vec![];
    while let Some((first, level)) = queue.pop_front() {
        let bounds = levels.get(level).ok_or_else(damaged)?;
        if !bounds.contains(&first) {
            return Err(damaged());
        }
        let end = (first + u64::from(header.node_size)).min(bounds.end);
        buffer.resize(usize::try_from((end - first) * NODE).unwrap_or(0), 0);
        reader
            .seek(SeekFrom::Start(header.index_at + first * NODE))
            .and_then(|_| reader.read_exact(&mut buffer))
            .map_err(|e| cannot_read(path, &e))?;
        for node in buffer.chunks_exact(NODE as usize) {
            let word = |at: usize| {
                let bytes = node.get(at..at + 8).and_then(|b| b.try_into().ok());
                u64::from_le_bytes(bytes.unwrap_or_default())
            };
            let side = |at: usize| f64::from_bits(word(at));
            if !within.may_hold(&Bounds::new(side(0), side(8), side(16), side(24))) {
                continue;
            }
            match level.checked_sub(1) {
                None => found.push(word(32)),
                Some(below) => queue.push_back((word(32), below)),
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ::flatgeobuf::packed_r_tree::PackedRTree;

    use super::*;

    #[test]
    fn as_many_nodes_as_the_format_has() {
        for features in [1, 2, 15, 16, 17, 256, 257, 100_000] {
            let bytes = PackedRTree::index_size(usize::try_from(features).unwrap(), 16);
            assert_eq!(
                nodes(features, 16).unwrap() * NODE,
                bytes as u64,
                "{features}"
            );
        }
        assert_eq!(nodes(10, 1), None);
        assert_eq!(nodes(u64::MAX, 2), None);
    }
}
