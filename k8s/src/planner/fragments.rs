//! The fragments of a stage, from what the footers say. No I/O: this is the part that must be quick.

use std::collections::{BTreeMap, BTreeSet};

use geoflow_engine::geometry::Bounds;
use geoflow_engine::tiling::HilbertCurve;

use super::cut::CutSet;
use super::index::RectangleIndex;
use super::listing::{Group, Groups};
use super::pack::{Piece, pack};
use super::rules::PruneRule;
use crate::plan::{FileSlice, Fragment, RowRange, ScanSlice};

/// Rectangles that the row groups of a fragment are summed up in, before they are compared with another
/// table's: neighbours along the curve share one.
const MOST_RECTANGLES: usize = 64;

/// A table of which this much would be read is read whole: the list of what is left out would be longer than
/// what it saves.
const NEARLY_ALL: f64 = 0.9;

/// A table below this size is read whole.
const SMALL: u64 = 256 << 10;

/// Nodes of another table's index by which the cost of meeting it is estimated.
const COARSE: usize = 512;

/// What geometry costs, as bytes that take as long as a row without.
const BYTES_A_ROW: f64 = 64.0;

/// All that decides what a fragment reads.
pub(crate) struct Cutting<'a> {
    /// By scan; `None` for those that nothing is known of.
    pub(crate) scans: &'a [Option<Groups>],
    pub(crate) set: &'a CutSet,
    pub(crate) rules: &'a [PruneRule],
    pub(crate) curve: HilbertCurve,
}

/// Cuts the scans of the set into about `count` fragments. At least one, also of no rows.
pub(crate) fn fragments(cutting: &Cutting<'_>, count: usize) -> Vec<Fragment> {
    let targets: Vec<Target> = cutting
        .rules
        .iter()
        .map(|rule| Target::new(cutting, rule))
        .collect();
    let mut costs: Vec<(usize, Vec<usize>, Vec<f64>)> = vec![];
    for &scan in cutting.set {
        let Some(groups) = cutting.scans.get(scan).and_then(Option::as_ref) else {
            continue;
        };
        let order = along_curve(cutting, scan, groups);
        let cost = order
            .iter()
            .map(|&group| cost(cutting, &targets, scan, groups, group));
        let cost = cost.collect();
        costs.push((scan, order, cost));
    }
    let total: f64 = costs.iter().flat_map(|(_, _, costs)| costs).sum();
    let mut fragments = vec![];
    for (scan, order, costs) in &costs {
        let share = costs.iter().sum::<f64>() / total.max(f64::MIN_POSITIVE);
        let own = ((count as f64 * share).round() as usize).clamp(1, count.max(1));
        let Some(groups) = cutting.scans.get(*scan).and_then(Option::as_ref) else {
            continue;
        };
        let sorted: Vec<Group> = order.iter().map(|&i| groups.all[i]).collect();
        for pieces in pack(&sorted, costs, own) {
            let pieces: Vec<Piece> = pieces
                .into_iter()
                .map(|piece| Piece {
                    group: order[piece.group],
                    ..piece
                })
                .collect();
            let id = fragments.len().to_string();
            fragments.push(fragment(cutting, &targets, id, *scan, groups, &pieces));
        }
    }
    if fragments.is_empty() {
        fragments.push(whole("0".into()));
    }
    fragments
}

/// A fragment that reads everything.
pub(crate) fn whole(id: String) -> Fragment {
    Fragment {
        id,
        rows: 0,
        bytes: 0,
        cost: 0.0,
        bounds: None,
        slices: vec![],
    }
}

/// The geometry column that the row groups of a scan are ordered by.
fn ordering_column(cutting: &Cutting<'_>, scan: usize, groups: &Groups) -> Option<String> {
    let joined = cutting.rules.iter().find(|rule| rule.source.scan == scan);
    match joined {
        Some(rule) => Some(rule.source.column.clone()),
        None => groups.bounds.keys().next().cloned(),
    }
}

/// The row groups of a scan in the order of their middles along the curve; those without bounds last.
fn along_curve(cutting: &Cutting<'_>, scan: usize, groups: &Groups) -> Vec<usize> {
    let column = ordering_column(cutting, scan, groups);
    let bounds = column.and_then(|column| groups.bounds.get(&column));
    let place = |i: usize| {
        let bounds = bounds?.get(i).copied().flatten()?;
        (!bounds.is_empty()).then(|| {
            let middle = |a: f64, b: f64| a / 2.0 + b / 2.0;
            let x = middle(bounds.min_x, bounds.max_x);
            cutting.curve.place(x, middle(bounds.min_y, bounds.max_y))
        })
    };
    let mut order: Vec<(u64, usize)> = (0..groups.all.len())
        .map(|i| (place(i).unwrap_or(u64::MAX), i))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, i)| i).collect()
}

/// Another table's row groups, as a rule finds them.
struct Target {
    /// In the order of the index; those without bounds are in `unknown`.
    order: Vec<usize>,
    index: RectangleIndex,
    unknown: Vec<usize>,
    /// Bounds and rows of runs of row groups.
    coarse: Vec<(Bounds, f64)>,
    usable: bool,
}

impl Target {
    fn new(cutting: &Cutting<'_>, rule: &PruneRule) -> Self {
        let groups = cutting.scans.get(rule.target.scan).and_then(Option::as_ref);
        let bounds = groups.and_then(|groups| groups.bounds.get(&rule.target.column));
        let (Some(groups), Some(bounds)) = (groups, bounds) else {
            return Self {
                order: vec![],
                index: RectangleIndex::new(vec![]),
                unknown: vec![],
                coarse: vec![],
                usable: false,
            };
        };
        let mut order = along_curve_of(cutting.curve, bounds);
        let unknown: Vec<usize> = (0..bounds.len()).filter(|&i| bounds[i].is_none()).collect();
        order.retain(|&i| bounds[i].is_some());
        let rectangles: Vec<Bounds> = order.iter().filter_map(|&i| bounds[i]).collect();
        let run = rectangles.len().div_ceil(COARSE).max(1);
        let coarse = order
            .chunks(run)
            .map(|chunk| {
                let all = chunk
                    .iter()
                    .filter_map(|&i| bounds[i])
                    .fold(Bounds::EMPTY, |all, b| all.union(&b));
                (all, chunk.iter().map(|&i| groups.all[i].rows as f64).sum())
            })
            .collect();
        Self {
            order,
            index: RectangleIndex::new(rectangles),
            unknown,
            coarse,
            usable: true,
        }
    }

    /// The row groups that overlap one of the rectangles, ascending.
    fn overlapping(&self, rectangles: &[Bounds], distance: f64) -> Vec<usize> {
        let mut hit = vec![false; self.order.len()];
        let mut count = 0;
        for rectangle in rectangles {
            self.index.overlaps(&rectangle.expand(distance), &mut |i| {
                count += usize::from(!hit[i]);
                hit[i] = true;
            });
            if count == hit.len() {
                break;
            }
        }
        let mut found: Vec<usize> = (0..hit.len())
            .filter(|&i| hit[i])
            .map(|i| self.order[i])
            .chain(self.unknown.iter().copied())
            .collect();
        found.sort_unstable();
        found
    }

    /// Rows expected to be met within some bounds.
    fn expected_rows(&self, bounds: &Bounds, distance: f64) -> f64 {
        let bounds = bounds.expand(distance);
        let share = |(whole, rows): &(Bounds, f64)| {
            if !whole.intersects(&bounds) {
                return 0.0;
            }
            let side = |a0: f64, a1: f64, b0: f64, b1: f64| match a1 - a0 > 0.0 {
                true => ((a1.min(b1) - a0.max(b0)) / (a1 - a0)).clamp(0.0, 1.0),
                false => 1.0,
            };
            rows * side(whole.min_x, whole.max_x, bounds.min_x, bounds.max_x)
                * side(whole.min_y, whole.max_y, bounds.min_y, bounds.max_y)
        };
        self.coarse.iter().map(share).sum()
    }
}

fn along_curve_of(curve: HilbertCurve, bounds: &[Option<Bounds>]) -> Vec<usize> {
    let mut order: Vec<(u64, usize)> = bounds
        .iter()
        .enumerate()
        .map(|(i, bounds)| {
            let place = bounds
                .filter(|b| !b.is_empty())
                .map(|b| curve.place(b.min_x / 2.0 + b.max_x / 2.0, b.min_y / 2.0 + b.max_y / 2.0));
            (place.unwrap_or(u64::MAX), i)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, i)| i).collect()
}

/// What a row group costs: its rows, its geometry, and the rows of other tables that it is expected to
/// meet.
fn cost(
    cutting: &Cutting<'_>,
    targets: &[Target],
    scan: usize,
    groups: &Groups,
    group: usize,
) -> f64 {
    let of = &groups.all[group];
    let mut cost = of.rows as f64 + of.geometry_bytes as f64 / BYTES_A_ROW;
    for (rule, target) in cutting.rules.iter().zip(targets) {
        let bounds = groups.bounds.get(&rule.source.column);
        if rule.source.scan == scan
            && target.usable
            && let Some(bounds) = bounds.and_then(|bounds| bounds.get(group).copied().flatten())
        {
            let met = target.expected_rows(&bounds, rule.distance);
            // Every row group of a fragment may meet the same rows, which are read once.
            cost += met.min(of.rows as f64);
        }
    }
    cost
}

fn fragment(
    cutting: &Cutting<'_>,
    targets: &[Target],
    id: String,
    scan: usize,
    groups: &Groups,
    pieces: &[Piece],
) -> Fragment {
    let mut selected: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    selected.insert(scan, pieces.iter().map(|piece| piece.group).collect());
    // In the order of the curve, so that neighbours share a rectangle.
    let in_order: Vec<usize> = pieces.iter().map(|piece| piece.group).collect();
    for (rule, target) in cutting.rules.iter().zip(targets) {
        let source = rule.source.scan;
        let read: Vec<usize> = match (source == scan, selected.get(&source)) {
            (true, _) => in_order.clone(),
            (false, Some(some)) => some.iter().copied().collect(),
            (false, None) => continue,
        };
        let of = cutting.scans.get(source).and_then(Option::as_ref);
        let bounds = of.and_then(|groups| groups.bounds.get(&rule.source.column));
        let (Some(bounds), true) = (bounds, target.usable) else {
            continue;
        };
        let known: Option<Vec<Bounds>> = read.iter().map(|&i| bounds[i]).collect();
        let Some(known) = known else { continue };
        let found = target.overlapping(&summed_up(&known), rule.distance);
        let entry = selected.entry(rule.target.scan);
        entry
            .and_modify(|some| some.retain(|i| found.binary_search(i).is_ok()))
            .or_insert_with(|| found.into_iter().collect());
    }

    let mut slices = vec![];
    let mut bytes = 0;
    for (at, groups) in cutting.scans.iter().enumerate() {
        let Some(groups) = groups else { continue };
        if at == scan {
            let read = pieces.iter().map(|piece| piece_bytes(groups, piece));
            bytes += read.sum::<u64>();
            slices.push(slice_of_pieces(at, groups, pieces));
        } else if cutting.set.contains(&at) {
            slices.push(ScanSlice {
                scan: at,
                files: vec![],
            });
        } else if let Some(some) = selected.get(&at) {
            let read: u64 = some.iter().map(|&i| groups.all[i].bytes).sum();
            let all = groups.bytes();
            if all < SMALL || read as f64 > all as f64 * NEARLY_ALL {
                bytes += all;
            } else {
                bytes += read;
                slices.push(slice_of_groups(at, groups, some));
            }
        } else {
            bytes += groups.bytes();
        }
    }
    let bounds = ordering_column(cutting, scan, groups).and_then(|column| {
        let bounds = groups.bounds.get(&column)?;
        let mut all = Bounds::EMPTY;
        for piece in pieces {
            all = all.union(bounds.get(piece.group)?.as_ref()?);
        }
        (!all.is_empty()).then_some([all.min_x, all.min_y, all.max_x, all.max_y])
    });
    Fragment {
        id,
        rows: pieces.iter().map(|piece| piece.count).sum(),
        bytes,
        cost: pieces.iter().map(|piece| piece.cost).sum(),
        bounds: bounds.filter(|bounds| bounds.iter().all(|v| v.is_finite())),
        slices,
    }
}

/// At most [`MOST_RECTANGLES`] that hold all of these.
fn summed_up(rectangles: &[Bounds]) -> Vec<Bounds> {
    let run = rectangles.len().div_ceil(MOST_RECTANGLES).max(1);
    let union = |run: &[Bounds]| run.iter().fold(Bounds::EMPTY, |all, b| all.union(b));
    rectangles.chunks(run).map(union).collect()
}

fn piece_bytes(groups: &Groups, piece: &Piece) -> u64 {
    let group = &groups.all[piece.group];
    let share = piece.count as f64 / group.rows.max(1) as f64;
    (group.bytes as f64 * share) as u64
}

fn slice_of_pieces(scan: usize, groups: &Groups, pieces: &[Piece]) -> ScanSlice {
    let mut sorted: Vec<&Piece> = pieces.iter().collect();
    sorted.sort_by_key(|piece| {
        let group = &groups.all[piece.group];
        (group.file, group.group, piece.first)
    });
    let mut files: Vec<FileSlice> = vec![];
    for piece in sorted {
        let group = &groups.all[piece.group];
        add_group(&mut files, group);
        if piece.count < group.rows
            && let Some(file) = files.last_mut()
        {
            file.rows.push(RowRange {
                row_group: group.group,
                first: piece.first,
                count: piece.count,
                of: group.rows,
            });
        }
    }
    ScanSlice { scan, files }
}

fn slice_of_groups(scan: usize, groups: &Groups, some: &BTreeSet<usize>) -> ScanSlice {
    let mut files = vec![];
    for &i in some {
        add_group(&mut files, &groups.all[i]);
    }
    ScanSlice { scan, files }
}

fn add_group(files: &mut Vec<FileSlice>, group: &Group) {
    let file = group.file as usize;
    match files.last_mut() {
        Some(last) if last.file == file => {
            let groups = last.row_groups.get_or_insert_default();
            if groups.last() != Some(&group.group) {
                groups.push(group.group);
            }
        }
        _ => files.push(FileSlice {
            file,
            row_groups: Some(vec![group.group]),
            rows: vec![],
        }),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
#[path = "fragments_tests.rs"]
mod tests;
