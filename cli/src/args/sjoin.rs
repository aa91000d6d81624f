//! `geoflow sjoin`.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};

use super::place::PlaceArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  geoflow sjoin buildings.gpkg zones.gpkg -o buildings_in_zones.parquet
  geoflow sjoin points.parquet zones.parquet --how left --predicate within -o joined.gpkg
  geoflow sjoin trips/ zones.parquet --how semi -o trips_in_zones/ --partition h3:5
  geoflow sjoin houses.gpkg/detached stops.gpkg --nearest 1 --distance 500 --distance-column metres -o near.parquet

Every row of OUT has the columns and the geometry of TARGET, then the columns of JOIN but for its
geometry; with --how right the geometry is that of JOIN. When the two layers differ in their CRS,
JOIN is transformed into that of TARGET, which is that of OUT. The smaller layer is held in an
index, the other is streamed.";

/// Arguments of `geoflow sjoin`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SjoinArgs {
    /// The layer that others are joined to: a file, a folder, a pattern, a URL, or a layer as a.gpkg/roads
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,

    /// The layer that is looked up
    #[arg(value_name = "JOIN")]
    pub(crate) join: String,

    /// What to write: a file, a folder or a URL
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: OsString,

    /// Which rows are in OUT
    #[arg(long, value_enum, value_name = "HOW", default_value_t)]
    pub(crate) how: How,

    /// How a geometry of TARGET relates to one of JOIN [default: intersects, dwithin with --distance]
    #[arg(long, value_enum, value_name = "PREDICATE", conflicts_with = "nearest")]
    pub(crate) predicate: Option<JoinPredicate>,

    /// Greatest distance, in the unit of the CRS of TARGET
    #[arg(long, value_name = "DISTANCE")]
    pub(crate) distance: Option<f64>,

    /// Join each row of TARGET with the K nearest of JOIN (the other way round with --how right)
    #[arg(long, value_name = "K")]
    pub(crate) nearest: Option<NonZeroUsize>,

    /// Add the distance between the two geometries as a column of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) distance_column: Option<String>,

    /// Only these columns of JOIN
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) join_columns: Option<Vec<String>>,

    /// Ends of the names of columns that both layers have: name_left, name_right
    #[arg(long, value_name = "LEFT,RIGHT", default_value = "left,right")]
    pub(crate) suffixes: Suffixes,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Which rows are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum How {
    /// One for each match
    #[default]
    Inner,
    /// One for each match, and those of TARGET without a match once
    Left,
    /// One for each match, and those of JOIN without a match once, with the geometry of JOIN
    Right,
    /// Those of TARGET with a match, once, with the columns of TARGET alone
    Semi,
    /// Those of TARGET without a match, with the columns of TARGET alone
    Anti,
}

/// How two geometries relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum JoinPredicate {
    Intersects,
    Contains,
    Within,
    Covers,
    #[value(alias = "coveredby", alias = "covered-by", name = "covered_by")]
    CoveredBy,
    Touches,
    Crosses,
    Overlaps,
    Equals,
    /// No further apart than --distance
    Dwithin,
}

/// Ends of names, of the target and of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Suffixes(pub(crate) [String; 2]);

impl std::str::FromStr for Suffixes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(',') {
            Some((left, right)) if left == right => {
                Err("the two must differ, or names would still clash".to_string())
            }
            Some((left, right)) if !right.contains(',') => Ok(Suffixes([
                left.trim().to_string(),
                right.trim().to_string(),
            ])),
            _ => Err("give two, as left,right; one of them may be empty".to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn suffixes() {
        let parsed: Suffixes = "l, r".parse().unwrap();
        assert_eq!(parsed.0, ["l", "r"]);
        assert_eq!(",r".parse::<Suffixes>().unwrap().0, ["", "r"]);
        for wrong in ["", "left", "a,b,c", "a,a"] {
            assert!(wrong.parse::<Suffixes>().is_err(), "{wrong}");
        }
    }
}
