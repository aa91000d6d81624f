//! Row groups along a curve, packed into fragments of equal cost.
//!
//! ```text
//!  row groups in Hilbert order:   |  a  | b |   c (hot)   | d |e|  f  |
//!                                 |  a  | b |c1|c2|c3|c4|c5| d |e|  f  |   too large: row ranges
//!  fragments of equal cost:       |    0    |     1    |     2     |  3 |
//! ```

use super::listing::Group;

/// Fragments of which no row group is split are at most this much larger than others.
const LARGEST_SHARE: f64 = 0.5;

/// Into how many pieces of a fragment's size a row group is split that is larger.
const PIECES: f64 = 4.0;

/// Rows of a row group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Piece {
    /// Index of the row group in the order that was given.
    pub(crate) group: usize,
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) cost: f64,
}

/// Packs row groups, given in their order along the curve with their costs, into at most `fragments`
/// fragments; fewer if there are fewer rows. No fragment is empty.
pub(crate) fn pack(groups: &[Group], costs: &[f64], fragments: usize) -> Vec<Vec<Piece>> {
    let total: f64 = costs.iter().sum();
    let target = total / fragments.max(1) as f64;
    let mut packed: Vec<Vec<Piece>> = vec![vec![]; fragments.max(1)];
    let mut before = 0.0;
    for (group, &cost) in costs.iter().enumerate() {
        let rows = groups.get(group).map_or(0, |group| group.rows);
        for piece in split(group, rows, cost, target) {
            let middle = before + piece.cost / 2.0;
            before += piece.cost;
            let at = match target > 0.0 {
                true => (middle / target) as usize,
                false => 0,
            };
            let last = packed.len() - 1;
            push(&mut packed[at.min(last)], piece);
        }
    }
    packed.retain(|fragment| !fragment.is_empty());
    packed
}

fn split(group: usize, rows: u64, cost: f64, target: f64) -> Vec<Piece> {
    let pieces = match cost > target * LARGEST_SHARE && target > 0.0 {
        true => ((cost * PIECES / target).ceil() as u64).min(rows.max(1)),
        false => 1,
    };
    let pieces = pieces.max(1);
    (0..pieces)
        .map(|i| {
            let first = mul_div(rows, i, pieces);
            Piece {
                group,
                first,
                count: mul_div(rows, i + 1, pieces) - first,
                cost: cost / pieces as f64,
            }
        })
        .collect()
}

fn mul_div(a: u64, b: u64, c: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) / u128::from(c.max(1))).unwrap_or(u64::MAX)
}

/// Pieces of one row group that follow each other are one.
fn push(fragment: &mut Vec<Piece>, piece: Piece) {
    match fragment.last_mut() {
        Some(last) if last.group == piece.group && last.first + last.count == piece.first => {
            last.count += piece.count;
            last.cost += piece.cost;
        }
        _ => fragment.push(piece),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(rows: &[u64]) -> Vec<Group> {
        let group = |(i, &rows): (usize, &u64)| Group {
            file: 0,
            group: i as u32,
            rows,
            bytes: rows * 10,
            geometry_bytes: 0,
        };
        rows.iter().enumerate().map(group).collect()
    }

    #[test]
    fn every_row_is_in_one_fragment() {
        for (rows, fragments) in [
            (vec![100, 200, 5, 0, 1, 10_000], 4),
            (vec![1], 37),
            (vec![3, 3], 4),
            (vec![10; 1000], 37),
            (vec![0, 0], 3),
            (vec![1_000_000], 1),
        ] {
            let groups = groups(&rows);
            let costs: Vec<f64> = rows.iter().map(|&r| r as f64).collect();
            let packed = pack(&groups, &costs, fragments);
            let mut at = vec![0; rows.len()];
            for piece in packed.iter().flatten() {
                assert_eq!(at[piece.group], piece.first, "{rows:?}");
                at[piece.group] += piece.count;
            }
            assert_eq!(at, rows);
            assert!(packed.len() <= fragments);
        }
    }

    #[test]
    fn fragments_cost_about_the_same() {
        let rows: Vec<u64> = (0..500).map(|i| 10 + i % 17 * 30).collect();
        let mut costs: Vec<f64> = rows.iter().map(|&r| r as f64).collect();
        costs[250] *= 400.0;
        let packed = pack(&groups(&rows), &costs, 20);
        assert_eq!(packed.len(), 20);
        let cost = |fragment: &Vec<Piece>| fragment.iter().map(|p| p.cost).sum::<f64>();
        let mean = packed.iter().map(cost).sum::<f64>() / 20.0;
        let most = packed.iter().map(cost).fold(0.0, f64::max);
        assert!(most / mean < 1.3, "{most} {mean}");
    }
}
