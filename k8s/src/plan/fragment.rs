//! What one task reads.

use serde::{Deserialize, Serialize};

/// Fragments that do not wait for each other. All of a stage are done before the next begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// What its fragments write.
    pub kind: StageKind,
    /// A task runs the one of its index.
    pub fragments: Vec<Fragment>,
}

/// What the fragments of a stage write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// Parts of the output.
    Parts,
    /// Partial states (of aggregates, sorts, limits), kept beside the plan for the last stage.
    States,
    /// Parts of the output, from all states.
    Final,
}

impl StageKind {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parts => "parts",
            Self::States => "states",
            Self::Final => "final",
        }
    }
}

/// What one task reads. Every row of a scan that is cut is in exactly one fragment of its stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fragment {
    /// Its name within the job: `7`, and `7.0`, `7.1` for what it was cut into.
    pub id: String,
    /// Rows of the scans that are cut.
    pub rows: u64,
    /// Compressed bytes of all that it reads.
    pub bytes: u64,
    /// Estimated cost, in units that only compare fragments of one job.
    pub cost: f64,
    /// `[min_x, min_y, max_x, max_y]` of the rows of the scan that is cut, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[f64; 4]>,
    /// The scans that are not read whole.
    pub slices: Vec<ScanSlice>,
}

impl Fragment {
    /// What it reads of a scan; `None` for all of it.
    pub fn slice(&self, scan: usize) -> Option<&ScanSlice> {
        self.slices.iter().find(|slice| slice.scan == scan)
    }
}

/// The part of a scan that a fragment reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScanSlice {
    /// Index in the plan's scans.
    pub scan: usize,
    /// The parts of its files; a file that is not named is not read.
    pub files: Vec<FileSlice>,
}

/// The part of a Parquet file that a fragment reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSlice {
    /// Index in the files of the table.
    pub file: usize,
    /// Row groups, ascending; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_groups: Option<Vec<u32>>,
    /// The rows wanted of row groups that are not read whole, by row group and row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowRange>,
}

/// Rows of a row group. The row group is one of [`FileSlice::row_groups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowRange {
    /// The row group.
    pub row_group: u32,
    /// The first row, counted from zero within the row group.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// How many rows the row group has.
    pub of: u64,
}
