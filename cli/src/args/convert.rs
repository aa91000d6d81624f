//! `geoflow convert`.

use std::ffi::OsString;

use clap::Args;

use super::place::PlaceArgs;

pub(crate) const EXAMPLES: &str = "\
Examples:
  geoflow convert roads.gpkg roads.parquet --sort hilbert
  geoflow convert buildings.parquet helsinki.geojson --bbox 24.8,60.1,25.2,60.3
  geoflow convert trips.parquet s3://bucket/trips/ --geometry pickup:OGC:CRS84 --sort hilbert --partition h3:3
  geoflow convert parcels.parquet parcels.gpkg --to-crs EPSG:3067 --where \"area > 100\"

OUT is one file, or a folder (a name without extension, or one that ends with /), which takes several
files. Its extension says the format. A file appears complete or not at all.";

/// Arguments of `geoflow convert`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConvertArgs {
    /// What to read: a file, a folder, a pattern or a URL
    #[arg(value_name = "IN")]
    pub(crate) input: String,

    /// What to write: a file, a folder or a URL
    #[arg(value_name = "OUT")]
    pub(crate) output: OsString,

    /// Only what meets this box, in the CRS of the input; XMIN > XMAX crosses the antimeridian
    #[arg(long, value_name = "XMIN,YMIN,XMAX,YMAX", allow_hyphen_values = true)]
    pub(crate) bbox: Option<Bbox>,

    /// Columns and expressions of the output, as in SELECT [default: all columns]
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) select: Option<String>,

    /// Only rows of which this SQL condition is true
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,

    /// Transform geometries into this CRS, as EPSG:3067
    #[arg(long, value_name = "CRS")]
    pub(crate) to_crs: Option<String>,

    /// Take a column of WKB for geometry where the file does not say so; may be given several times
    #[arg(long, value_name = "COLUMN[:CRS]")]
    pub(crate) geometry: Vec<String>,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// A box: least and greatest x and y.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bbox(pub(crate) [f64; 4]);

impl std::str::FromStr for Bbox {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<f64> = text
            .split(',')
            .map(|number| number.trim().parse().ok().filter(|n: &f64| n.is_finite()))
            .collect::<Option<_>>()
            .unwrap_or_default();
        match <[f64; 4]>::try_from(numbers) {
            Ok([_, ymin, _, ymax]) if ymin > ymax => Err(format!(
                "the least y is {ymin}, greater than the greatest, {ymax}"
            )),
            Ok(sides) => Ok(Bbox(sides)),
            Err(_) => Err("a box is four numbers: XMIN,YMIN,XMAX,YMAX".to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn boxes() {
        assert_eq!("1,-2, 3 ,4.5".parse(), Ok(Bbox([1.0, -2.0, 3.0, 4.5])));
        assert_eq!("170,0,-170,1".parse(), Ok(Bbox([170.0, 0.0, -170.0, 1.0])));
        for text in ["", "1,2,3", "1,2,3,x", "1,2,3,inf", "1,2,3,4,5"] {
            assert!(
                text.parse::<Bbox>().unwrap_err().contains("four numbers"),
                "{text}"
            );
        }
        assert!("1,5,3,4".parse::<Bbox>().unwrap_err().contains("least y"));
    }
}
