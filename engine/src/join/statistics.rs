//! How many rows a spatial join is expected to yield.

use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, JoinType, Statistics};

/// Estimates the output of a join from its inputs, so that a join above it can choose its own
/// build side.
///
/// Without a model of how the two inputs overlap, a row of the larger side is taken to have one
/// partner, which is exact for points in a partition of the plane; a row of the left side has `neighbours`, if it has
/// the nearest for partners. Sizes follow from the mean row sizes of the inputs.
pub(super) fn estimate(
    left: &Statistics,
    right: &Statistics,
    join_type: JoinType,
    neighbours: Option<usize>,
) -> Statistics {
    let rows = |s: &Statistics| s.num_rows.get_value().copied();
    let (l, r) = (rows(left), rows(right));
    let both = l.zip(r).map(|(l, r)| match neighbours {
        Some(k) => l.saturating_mul(k.min(r)),
        None => l.max(r),
    });
    let num_rows = match join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => both,
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => l,
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => r,
    };

    let left_columns = scaled(left, num_rows);
    let right_columns = scaled(right, num_rows);
    let mark = ColumnStatistics::new_unknown();
    let (column_statistics, sides): (Vec<_>, &[&Statistics]) = match join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            (left_columns.chain(right_columns).collect(), &[left, right])
        }
        JoinType::LeftSemi | JoinType::LeftAnti => (left_columns.collect(), &[left]),
        JoinType::RightSemi | JoinType::RightAnti => (right_columns.collect(), &[right]),
        JoinType::LeftMark => (left_columns.chain([mark]).collect(), &[left]),
        JoinType::RightMark => (right_columns.chain([mark]).collect(), &[right]),
    };
    let total_byte_size = num_rows.and_then(|n| {
        sides
            .iter()
            .map(|side| {
                let bytes = *side.total_byte_size.get_value()? as f64;
                Some(bytes / (rows(side)?.max(1) as f64) * n as f64)
            })
            .sum::<Option<f64>>()
    });
    Statistics {
        num_rows: inexact(num_rows),
        total_byte_size: inexact(total_byte_size.map(|bytes| bytes as usize)),
        column_statistics,
    }
}

fn inexact(value: Option<usize>) -> Precision<usize> {
    value.map_or(Precision::Absent, Precision::Inexact)
}

/// Column sizes for another number of rows; minima and maxima still bound the values.
fn scaled(side: &Statistics, to: Option<usize>) -> impl Iterator<Item = ColumnStatistics> + '_ {
    let factor = match (to, side.num_rows.get_value()) {
        (Some(to), Some(&from)) if from > 0 => Some(to as f64 / from as f64),
        _ => None,
    };
    side.column_statistics.iter().map(move |column| {
        let bytes = column.byte_size.get_value().copied();
        ColumnStatistics {
            null_count: Precision::Absent,
            sum_value: Precision::Absent,
            distinct_count: column.distinct_count.to_inexact(),
            max_value: column.max_value.clone().to_inexact(),
            min_value: column.min_value.clone().to_inexact(),
            byte_size: inexact(bytes.zip(factor).map(|(b, f)| (b as f64 * f) as usize)),
        }
    })
}
