use std::collections::BTreeMap;

use super::super::trace::ScanColumn;
use super::*;
use crate::plan::sha256_hex;

/// A table of `count` row groups: squares along a line of cells, or all over the place.
fn table(count: usize, sorted: bool) -> Groups {
    let side = (count as f64).sqrt().ceil();
    let all = (0..count)
        .map(|i| Group {
            file: (i / 100) as u32,
            group: (i % 100) as u32,
            rows: 50_000 + (i % 7) as u64 * 1000,
            bytes: 1 << 20,
            geometry_bytes: 1 << 20,
        })
        .collect();
    let bounds = (0..count)
        .map(|i| {
            let (x, y) = (i as f64 % side, (i as f64 / side).floor());
            Some(match sorted {
                true => {
                    let scale = 300.0 / side;
                    let (x, y) = (x * scale - 150.0, y * scale - 150.0);
                    Bounds::new(x, y, x + scale * 1.2, y + scale * 1.2)
                }
                false => Bounds::new(-150.0, -150.0, 150.0 - x / side, 150.0 - y / side),
            })
        })
        .collect();
    Groups {
        all,
        bounds: BTreeMap::from([("geometry".to_owned(), bounds)]),
    }
}

/// Two tables, the first of which is dealt out, and the second met within a distance.
struct Tables {
    scans: [Option<Groups>; 2],
    set: CutSet,
    rules: [PruneRule; 1],
}

impl Tables {
    fn new(first: Groups, second: Groups) -> Self {
        let column = |scan| ScanColumn {
            scan,
            column: "geometry".into(),
        };
        Self {
            scans: [Some(first), Some(second)],
            set: CutSet::from([0]),
            rules: [PruneRule {
                target: column(1),
                source: column(0),
                distance: 0.01,
            }],
        }
    }

    fn cut(&self, count: usize) -> Vec<Fragment> {
        let cutting = Cutting {
            scans: &self.scans,
            set: &self.set,
            rules: &self.rules,
            curve: HilbertCurve::over(None),
        };
        fragments(&cutting, count)
    }
}

#[test]
fn many_row_groups_are_packed_evenly() {
    for sorted in [true, false] {
        let tables = Tables::new(table(16_000, sorted), table(4_000, sorted));
        let found = tables.cut(200);
        let json = serde_json::to_vec(&found).unwrap_or_default();
        assert!(!sha256_hex(&json).is_empty());

        assert_eq!(found.len(), 200);
        let rows: u64 = found.iter().map(|fragment| fragment.rows).sum();
        let all = tables.scans[0]
            .as_ref()
            .map_or(0, |g| g.all.iter().map(|g| g.rows).sum());
        assert_eq!(rows, all);
        let read: u64 = found.iter().map(|fragment| fragment.bytes).sum();
        let twice = 2 * 20_000 * (1 << 20);
        assert_eq!(read < twice, sorted, "{read}");
        let most = found.iter().map(|f| f.cost).fold(0.0, f64::max);
        let mean = found.iter().map(|f| f.cost).sum::<f64>() / 200.0;
        assert!(most / mean < 1.3, "{most} {mean}");
    }
    let peak = crate::task::process_memory(None).map_or(0, |(_, peak)| peak);
    assert!(peak < 1 << 30, "{peak}");
}

/// Within memory, also where nothing is sorted. `GEOFLOW_ROW_GROUPS=100000` and a release build show that so many take
/// seconds.
#[test]
#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn many_row_groups() {
    let groups = std::env::var("GEOFLOW_ROW_GROUPS").map_or(4_000, |n| n.parse().unwrap());
    for (sorted, count) in [(true, groups / 50), (false, groups / 50), (true, groups)] {
        let started = std::time::Instant::now();
        let tables = Tables::new(table(groups, sorted), table(groups, sorted));
        let found = tables.cut(count);
        let json = serde_json::to_vec(&found).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        let peak = crate::task::process_memory(None).map_or(0, |(_, peak)| peak);
        println!(
            "sorted {sorted}: {} fragments, {} MB of JSON, {seconds:.2} s, {} MB",
            found.len(),
            json.len() >> 20,
            peak >> 20
        );
        assert!(found.len() == count && peak < 1 << 30);
        assert!(cfg!(debug_assertions) || seconds < 10.0, "{seconds}");
    }
}

/// What a fragment reads of the other table holds all that can meet its rows.
#[test]
fn what_overlaps_is_read() {
    let tables = Tables::new(table(500, true), table(300, true));
    let bounds = |scan: usize, file: usize, group: u32| {
        let groups = tables.scans[scan].as_ref().map(|g| &g.bounds["geometry"]);
        groups
            .and_then(|b| b[file * 100 + group as usize])
            .unwrap_or(Bounds::EMPTY)
    };
    let found = tables.cut(37);
    let mut skipped = 0;
    for fragment in &found {
        let of = |scan: usize| fragment.slices.iter().find(|slice| slice.scan == scan);
        let (own, other) = (of(0).unwrap(), of(1).unwrap());
        let read = |file: usize, group: u32| {
            other.files.iter().any(|slice| {
                slice.file == file
                    && slice
                        .row_groups
                        .as_ref()
                        .is_some_and(|groups| groups.contains(&group))
            })
        };
        for slice in &own.files {
            for &group in slice.row_groups.iter().flatten() {
                let mine = bounds(0, slice.file, group).expand(0.01);
                for i in 0..300 {
                    let (file, group) = (i / 100, (i % 100) as u32);
                    if mine.intersects(&bounds(1, file, group)) {
                        assert!(read(file, group), "{fragment:?} misses {file} {group}");
                    } else {
                        skipped += usize::from(!read(file, group));
                    }
                }
            }
        }
    }
    assert!(skipped > 1000, "{skipped}");
}
