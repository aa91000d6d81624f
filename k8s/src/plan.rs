//! The plan of a job, as versioned JSON.

use serde::{Deserialize, Serialize};

/// The version of the plans that this build writes and reads.
pub const PLAN_VERSION: u32 = 1;

/// A statement, cut into fragments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_VERSION`] of the build that wrote it.
    pub version: u32,
    /// The statement; every task plans it again, over the slices of its fragment.
    pub statement: String,
    /// The fragments; a task runs the one of its index.
    pub fragments: Vec<Fragment>,
}

/// What one task reads. Every row of the preserved side is in exactly one fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fragment {
    /// The tables that are not read whole.
    pub tables: Vec<TableSlice>,
}

/// The part of a table that a fragment reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSlice {
    /// Its name in the statement.
    pub table: String,
    /// The parts of its files.
    pub files: Vec<FileSlice>,
}

/// The part of a Parquet file that a fragment reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSlice {
    /// Path or URL.
    pub path: String,
    /// Row groups, ascending.
    pub row_groups: Vec<u32>,
}

/// Why a text is no plan for this build.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is not JSON of the expected form; the message says where.
    #[error("the plan cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another build wrote it.
    #[error(
        "the plan has version {found}, this build of geoflow runs version {PLAN_VERSION}: use the same image for the driver and its tasks"
    )]
    Version {
        /// The version in the plan.
        found: u64,
    },
    /// Its parts contradict each other.
    #[error("fragment {fragment}: {reason}")]
    Inconsistent {
        /// Index of the fragment.
        fragment: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl Plan {
    /// Reads and checks a plan.
    ///
    /// # Errors
    /// [`PlanError::Version`] before anything else, as another version may have another form;
    /// then [`PlanError::Malformed`] and [`PlanError::Inconsistent`].
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        if let Some(found) = version.filter(|found| *found != u64::from(PLAN_VERSION)) {
            return Err(PlanError::Version { found });
        }
        let plan: Self = serde_json::from_value(value)?;
        plan.check()?;
        Ok(plan)
    }

    /// The plan as JSON.
    ///
    /// # Errors
    /// [`PlanError::Inconsistent`], so that no task is sent what it will refuse.
    pub fn to_json(&self) -> Result<String, PlanError> {
        self.check()?;
        Ok(serde_json::to_string_pretty(self)?)
    }

    fn check(&self) -> Result<(), PlanError> {
        for (fragment, slices) in self.fragments.iter().enumerate() {
            for file in slices.tables.iter().flat_map(|table| &table.files) {
                if !file.row_groups.is_sorted_by(|a, b| a < b) {
                    return Err(PlanError::Inconsistent {
                        fragment,
                        reason: format!(
                            "the row groups of {} are not ascending, or one is there twice",
                            file.path
                        ),
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn plan(row_groups: Vec<u32>) -> Plan {
        Plan {
            version: PLAN_VERSION,
            statement: "COPY (SELECT 1) TO 'out.parquet'".into(),
            fragments: vec![Fragment {
                tables: vec![TableSlice {
                    table: "trips".into(),
                    files: vec![FileSlice {
                        path: "s3://bucket/trips.parquet".into(),
                        row_groups,
                    }],
                }],
            }],
        }
    }

    #[test]
    fn round_trips() {
        let plan = plan(vec![0, 2, 5]);
        assert_eq!(Plan::from_json(&plan.to_json().unwrap()).unwrap(), plan);
    }

    #[test]
    fn another_version_is_refused_whatever_its_form() {
        let error = Plan::from_json(r#"{"version": 2, "stages": []}"#).unwrap_err();
        assert!(matches!(error, PlanError::Version { found: 2 }), "{error}");
    }

    #[test]
    fn a_row_group_that_is_there_twice_is_refused() {
        assert!(matches!(
            plan(vec![1, 1]).to_json(),
            Err(PlanError::Inconsistent { fragment: 0, .. })
        ));
    }

    #[test]
    fn a_field_that_nobody_knows_is_refused() {
        let text = r#"{"version": 1, "statement": "", "fragments": [], "retries": 3}"#;
        assert!(matches!(
            Plan::from_json(text),
            Err(PlanError::Malformed(_))
        ));
    }
}
