//! Rows in ranges of their numbers, so that each range can be sorted on its own.

/// A row in a sort: its number, and where it is. Entries order by the number, then by the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry(u128);

impl Entry {
    pub(super) fn new(number: u64, batch: u32, row: u32) -> Self {
        Self(u128::from(number) << 64 | u128::from(batch) << 32 | u128::from(row))
    }

    /// The number that the row is sorted by first.
    pub(super) fn number(self) -> u64 {
        (self.0 >> 64) as u64
    }

    /// The batch and the row in it.
    pub(super) fn place(self) -> (usize, usize) {
        ((self.0 >> 32) as u32 as usize, self.0 as u32 as usize)
    }
}

/// Numbers looked at for each range.
const SAMPLES: usize = 64;

/// The lowest numbers of all ranges but the first, so that `ranges` of them hold about as many rows each.
pub(super) fn splitters<'a>(
    batches: impl Iterator<Item = &'a [u64]> + Clone,
    ranges: usize,
) -> Vec<u64> {
    let rows: usize = batches.clone().map(<[u64]>::len).sum();
    let step = (rows / (ranges * SAMPLES)).max(1);
    let mut sample: Vec<u64> = Vec::with_capacity(rows / step + 1);
    for numbers in batches {
        sample.extend(numbers.iter().step_by(step));
    }
    sample.sort_unstable();
    let quantile = |range: usize| sample.get(range * sample.len() / ranges).copied();
    let mut splitters: Vec<u64> = (1..ranges).filter_map(quantile).collect();
    splitters.dedup();
    splitters
}

/// The rows of one batch, each to its range.
pub(super) fn scatter(numbers: &[u64], batch: u32, splitters: &[u64], ranges: &mut [Vec<Entry>]) {
    for (row, &number) in (0..).zip(numbers) {
        let range = splitters.partition_point(|splitter| *splitter <= number);
        if let Some(range) = ranges.get_mut(range) {
            range.push(Entry::new(number, batch, row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_holds_its_row() {
        let entry = Entry::new(u64::MAX - 3, u32::MAX, 7);
        assert_eq!(entry.number(), u64::MAX - 3);
        assert_eq!(entry.place(), (u32::MAX as usize, 7));
        assert!(entry < Entry::new(u64::MAX - 2, 0, 0));
    }

    #[test]
    fn ranges_hold_all_rows_and_about_as_many() {
        let batches: Vec<Vec<u64>> = (0..50_u64)
            .map(|batch| {
                (0..999)
                    .map(|row| (batch * 999 + row) * 7919 % 49_951)
                    .collect()
            })
            .collect();
        let splitters = splitters(batches.iter().map(Vec::as_slice), 8);
        assert_eq!(splitters.len(), 7);
        let mut ranges = vec![Vec::new(); 8];
        for (index, numbers) in (0..).zip(&batches) {
            scatter(numbers, index, &splitters, &mut ranges);
        }
        let sizes: Vec<usize> = ranges.iter().map(Vec::len).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 50 * 999);
        assert!(
            sizes.iter().all(|size| (4000..9000).contains(size)),
            "{sizes:?}"
        );
        let greatest = ranges.iter().map(|range| range.iter().max());
        assert!(greatest.is_sorted());
    }

    #[test]
    fn rows_of_one_number_are_in_one_range() {
        let numbers = vec![5; 1000];
        let splitters = splitters([numbers.as_slice()].into_iter(), 4);
        assert_eq!(splitters, [5]);
        let mut ranges = vec![Vec::new(); 2];
        scatter(&numbers, 0, &splitters, &mut ranges);
        assert_eq!(ranges.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1000]);
    }
}
