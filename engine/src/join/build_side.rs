//! Which side of a join is collected.

use datafusion::common::{JoinSide, Statistics};

/// What a row of the build side costs beside its bytes: index entry, rectangle, bookkeeping.
const ROW_OVERHEAD: usize = 64;

/// Chooses the side that is estimated to take less memory once collected and indexed. Where only
/// one estimate is known, or none, the left side is taken: it is the smaller one by convention.
pub fn choose_build_side(left: &Statistics, right: &Statistics) -> JoinSide {
    match (build_cost(left), build_cost(right)) {
        (Some(left), Some(right)) if right < left => JoinSide::Right,
        _ => JoinSide::Left,
    }
}

fn build_cost(side: &Statistics) -> Option<usize> {
    let rows = *side.num_rows.get_value()?;
    // Column sizes follow the projection; the total may still be that of the whole file.
    let by_column: Option<usize> = side
        .column_statistics
        .iter()
        .map(|c| c.byte_size.get_value().copied())
        .sum();
    let bytes = by_column
        .or(side.total_byte_size.get_value().copied())
        .unwrap_or(0);
    Some(bytes.saturating_add(rows.saturating_mul(ROW_OVERHEAD)))
}
