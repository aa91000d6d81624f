//! The `geo` metadata of a Parquet file, GeoParquet 1.0 to 2.0.
//!
//! <https://geoparquet.org/releases/v1.1.0/>. Unknown keys are passed over, as the standard asks;
//! what is known must have the right type, since a CRS or an encoding read wrongly gives wrong
//! answers and not an error.

use std::collections::BTreeMap;

use parquet::file::metadata::ParquetMetaData;
use serde::Deserialize;
use serde_json::Value;

use crate::crs::Crs;
use crate::{Error, Result};

/// Key of the GeoParquet metadata among the key-value metadata of a Parquet file.
pub const GEO_KEY: &str = "geo";

/// What the `geo` key says of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct GeoMetadata {
    /// Version of the standard, `1.1.0`; empty for a file that has Parquet's own types alone.
    pub version: String,
    /// The geometry column to take where there are several.
    pub primary_column: String,
    /// All geometry columns by name.
    pub columns: BTreeMap<String, GeoColumn>,
}

/// What the `geo` key says of one geometry column.
#[derive(Debug, Clone, PartialEq)]
pub struct GeoColumn {
    /// How values are stored.
    pub encoding: ColumnEncoding,
    /// Types that occur, such as `Point` or `MultiPolygon Z`; empty when the writer did not look.
    pub geometry_types: Vec<String>,
    /// The CRS: `OGC:CRS84` where the file has no `crs`, `None` where it has `null`.
    pub crs: Option<Crs>,
    /// Bounds of all rows: `[xmin, ymin, xmax, ymax]`, or with z `[xmin, ymin, zmin, xmax, ymax,
    /// zmax]`. `xmin > xmax` means that the box crosses the antimeridian.
    pub bbox: Option<Vec<f64>>,
    /// Where the bounds of every row are stored.
    pub covering: Option<Covering>,
    /// How vertices are connected.
    pub edges: Edges,
    /// `counterclockwise` when exterior rings are known to be so wound.
    pub orientation: Option<String>,
}

/// How the values of a geometry column are stored in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the geometry types")]
pub enum ColumnEncoding {
    /// Well-known binary.
    Wkb,
    Point,
    LineString,
    Polygon,
    MultiPoint,
    MultiLineString,
    MultiPolygon,
}

impl ColumnEncoding {
    const ALL: [(&'static str, &'static str, Self); 7] = [
        ("WKB", "geoarrow.wkb", Self::Wkb),
        ("point", "geoarrow.point", Self::Point),
        ("linestring", "geoarrow.linestring", Self::LineString),
        ("polygon", "geoarrow.polygon", Self::Polygon),
        ("multipoint", "geoarrow.multipoint", Self::MultiPoint),
        (
            "multilinestring",
            "geoarrow.multilinestring",
            Self::MultiLineString,
        ),
        ("multipolygon", "geoarrow.multipolygon", Self::MultiPolygon),
    ];

    fn parse(text: &str) -> Option<Self> {
        // "WKB" stands in capitals in the standard, some writers use lower case.
        Self::ALL
            .iter()
            .find(|(name, _, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, _, encoding)| *encoding)
    }

    /// The name in the `geo` metadata.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// The GeoArrow extension type of the same layout.
    pub fn extension_name(self) -> &'static str {
        self.entry().1
    }

    fn entry(self) -> &'static (&'static str, &'static str, Self) {
        // ALL lists every variant; WKB is the answer that needs no case of its own.
        Self::ALL
            .iter()
            .find(|(_, _, encoding)| *encoding == self)
            .unwrap_or(&Self::ALL[0])
    }
}

/// How the vertices of a line or ring are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edges {
    /// By straight lines in the coordinate plane.
    #[default]
    Planar,
    /// By great circles.
    Spherical,
}

/// Paths of the columns that hold the bounds of every row, from the top of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "one path a side")]
pub struct Covering {
    pub xmin: Vec<String>,
    pub ymin: Vec<String>,
    pub xmax: Vec<String>,
    pub ymax: Vec<String>,
}

#[derive(Deserialize)]
struct RawMetadata {
    version: String,
    primary_column: String,
    columns: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct RawColumn {
    encoding: String,
    #[serde(default)]
    geometry_types: Vec<String>,
    #[serde(default, deserialize_with = "present")]
    crs: Option<Value>,
    bbox: Option<Vec<f64>>,
    covering: Option<RawCovering>,
    edges: Option<String>,
    orientation: Option<String>,
}

#[derive(Deserialize)]
struct RawCovering {
    bbox: Option<Covering>,
}

/// Keeps `null` apart from a missing key.
fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(d).map(Some)
}

/// The text of the `geo` key of a file.
pub(super) fn geo_text(footer: &ParquetMetaData) -> Option<&str> {
    let pairs = footer.file_metadata().key_value_metadata()?;
    let pair = pairs.iter().find(|pair| pair.key == GEO_KEY)?;
    pair.value.as_deref()
}

impl GeoMetadata {
    /// Reads the `geo` key of a footer; `None` for a Parquet file without one.
    ///
    /// # Errors
    /// As [`GeoMetadata::parse`].
    pub fn from_footer(footer: &ParquetMetaData, file: &str) -> Result<Option<Self>> {
        geo_text(footer)
            .map(|text| Self::parse(text, file))
            .transpose()
    }

    /// Reads the JSON text of the `geo` key of `file`, which is named in errors.
    ///
    /// # Errors
    /// [`Error::Data`] for broken JSON, wrong types, an unsupported version or encoding, and a
    /// primary column that is not described.
    pub fn parse(text: &str, file: &str) -> Result<Self> {
        let broken = |what: String| {
            Error::Data(format!(
                "{file}: broken GeoParquet metadata (key \"{GEO_KEY}\"): {what}. Write the file anew with a GeoParquet writer"
            ))
        };
        let value: Value =
            serde_json::from_str(text).map_err(|e| broken(format!("no valid JSON: {e}")))?;
        if !value.is_object() {
            return Err(broken("no JSON object".to_owned()));
        }
        // The version comes first: older metadata have other keys, and naming the missing one
        // would mislead.
        if let Some(version) = value.get("version").and_then(Value::as_str) {
            check_version(version, file)?;
        }
        let raw: RawMetadata = serde_json::from_value(value).map_err(|e| broken(e.to_string()))?;
        let mut columns = BTreeMap::new();
        for (name, value) in raw.columns {
            let column = GeoColumn::parse(value, file, &name)
                .map_err(|what| broken(format!("column \"{name}\": {what}")))?;
            columns.insert(name, column);
        }
        if !columns.contains_key(&raw.primary_column) {
            return Err(broken(format!(
                "the primary column \"{}\" is not described under \"columns\"",
                raw.primary_column
            )));
        }
        Ok(Self {
            version: raw.version,
            primary_column: raw.primary_column,
            columns,
        })
    }
}

fn check_version(version: &str, file: &str) -> Result<()> {
    match version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok())
    {
        Some(1 | 2) => Ok(()),
        Some(0) => Err(Error::Data(format!(
            "{file}: GeoParquet {version} is a draft of the standard that is not supported: write the file anew as GeoParquet 1.1"
        ))),
        _ => Err(Error::Data(format!(
            "{file}: GeoParquet version \"{version}\" is not supported: write the file anew as GeoParquet 1.1"
        ))),
    }
}

impl GeoColumn {
    fn parse(value: Value, file: &str, name: &str) -> Result<Self, String> {
        let raw: RawColumn = serde_json::from_value(value).map_err(|e| e.to_string())?;
        let encoding = ColumnEncoding::parse(&raw.encoding).ok_or_else(|| {
            let known: Vec<&str> = ColumnEncoding::ALL
                .iter()
                .map(|(name, _, _)| *name)
                .collect();
            format!(
                "the encoding \"{}\" is none of {}",
                raw.encoding,
                known.join(", ")
            )
        })?;
        let crs = match raw.crs {
            None => Some(Crs::lon_lat()),
            Some(Value::Null) => None,
            // Not by the standard, but what is meant is certain.
            Some(Value::String(code)) => {
                Some(Crs::from_authority_code(&code).map_err(|e| e.to_string())?)
            }
            Some(json) => Some(Crs::from_projjson(json).map_err(|e| e.to_string())?),
        };
        if let Some(bbox) = &raw.bbox
            && !matches!(bbox.len(), 4 | 6)
        {
            return Err(format!("\"bbox\" has {} numbers, not 4 or 6", bbox.len()));
        }
        let edges = match raw.edges.as_deref() {
            None | Some("planar") => Edges::Planar,
            // On the sphere or on the spheroid, by one algorithm or another: not straight.
            Some("spherical" | "vincenty" | "thomas" | "andoyer" | "karney") => Edges::Spherical,
            Some(other) => {
                return Err(format!(
                    "\"edges\" is \"{other}\", neither planar nor spherical"
                ));
            }
        };
        let covering = raw.covering.and_then(|covering| covering.bbox);
        if let Some(covering) = &covering
            && covering.paths().iter().any(|path| path.is_empty())
        {
            return Err(format!(
                "the covering of \"{name}\" in {file} names an empty path"
            ));
        }
        Ok(Self {
            encoding,
            geometry_types: raw.geometry_types,
            crs,
            bbox: raw.bbox,
            covering,
            edges,
            orientation: raw.orientation,
        })
    }

    /// `[xmin, ymin, xmax, ymax]` of the file, z left out.
    pub fn bbox_xy(&self) -> Option<[f64; 4]> {
        match self.bbox.as_deref()? {
            [x0, y0, x1, y1] | [x0, y0, _, x1, y1, _] => Some([*x0, *y0, *x1, *y1]),
            _ => None,
        }
    }

    /// Whether only points can occur: their edges do not matter.
    pub fn only_points(&self) -> bool {
        matches!(
            self.encoding,
            ColumnEncoding::Point | ColumnEncoding::MultiPoint
        ) || (!self.geometry_types.is_empty()
            && self
                .geometry_types
                .iter()
                .all(|ty| matches!(ty.split(' ').next(), Some("Point" | "MultiPoint"))))
    }
}

impl Covering {
    /// The four paths in the order xmin, ymin, xmax, ymax.
    pub fn paths(&self) -> [&[String]; 4] {
        [&self.xmin, &self.ymin, &self.xmax, &self.ymax]
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn metadata(column: Value) -> Result<GeoMetadata> {
        let text = json!({"version": "1.1.0", "primary_column": "g", "columns": {"g": column}});
        GeoMetadata::parse(&text.to_string(), "dir/a.parquet")
    }

    fn column(column: Value) -> GeoColumn {
        metadata(column).unwrap().columns.remove("g").unwrap()
    }

    #[test]
    fn crs_missing_null_and_given() {
        let crs = |value: Value| column(value).crs.map(|crs| crs.name());
        assert_eq!(
            crs(json!({"encoding": "WKB", "geometry_types": []})).as_deref(),
            Some("OGC:CRS84")
        );
        assert_eq!(crs(json!({"encoding": "WKB", "crs": null})), None);
        assert_eq!(
            crs(json!({"encoding": "WKB", "crs": {"name": "x", "id": {"authority": "EPSG", "code": 3067}}})).as_deref(),
            Some("EPSG:3067")
        );
    }

    #[test]
    fn everything_known_and_unknown_keys() {
        let read = column(json!({
            "encoding": "multipolygon", "geometry_types": ["MultiPolygon Z"],
            "bbox": [1, 2, 3, 4.5, 5, 6], "edges": "planar", "orientation": "counterclockwise",
            "epoch": 2021.5, "future": {"a": 1},
            "covering": {"bbox": {"xmin": ["b", "xmin"], "ymin": ["b", "ymin"], "xmax": ["b", "xmax"],
                "ymax": ["b", "ymax"], "zmin": ["b", "zmin"]}, "other": 1},
        }));
        assert_eq!(read.encoding, ColumnEncoding::MultiPolygon);
        assert_eq!(read.encoding.extension_name(), "geoarrow.multipolygon");
        assert_eq!(read.bbox_xy(), Some([1.0, 2.0, 4.5, 5.0]));
        assert_eq!(read.covering.unwrap().xmax, ["b", "xmax"]);
        assert_eq!(read.orientation.as_deref(), Some("counterclockwise"));
    }

    #[test]
    fn points_have_no_edges() {
        assert!(column(json!({"encoding": "point"})).only_points());
        assert!(
            column(json!({"encoding": "WKB", "geometry_types": ["Point", "MultiPoint Z"]}))
                .only_points()
        );
        assert!(
            !column(json!({"encoding": "WKB", "geometry_types": ["Point", "LineString"]}))
                .only_points()
        );
        assert!(
            !column(json!({"encoding": "WKB"})).only_points(),
            "the writer did not look"
        );
    }

    #[test]
    fn broken_metadata_name_file_and_column() {
        for value in [
            json!({}),
            json!("WKB"),
            json!({"encoding": 1}),
            json!({"encoding": "WKT"}),
            json!({"encoding": "WKB", "geometry_types": "Point"}),
            json!({"encoding": "WKB", "crs": 4326}),
            json!({"encoding": "WKB", "crs": "GEOGCS[...]"}),
            json!({"encoding": "WKB", "bbox": [1, 2, 3]}),
            json!({"encoding": "WKB", "bbox": "all"}),
            json!({"encoding": "WKB", "edges": "curved"}),
            json!({"encoding": "WKB", "covering": {"bbox": {"xmin": ["b", "xmin"]}}}),
            json!({"encoding": "WKB", "covering": {"bbox": {"xmin": [], "ymin": [], "xmax": [], "ymax": []}}}),
        ] {
            let message = metadata(value.clone()).unwrap_err().to_string();
            assert!(
                message.starts_with("dir/a.parquet: broken"),
                "{value}: {message}"
            );
            assert!(message.contains("\"g\""), "{value}: {message}");
        }
    }

    #[test]
    fn broken_files() {
        for (text, expected) in [
            ("{", "no valid JSON"),
            ("[]", "no JSON object"),
            ("{}", "missing field `version`"),
            (
                r#"{"version": "1.0.0", "primary_column": "g", "columns": {}}"#,
                "primary column \"g\"",
            ),
            (r#"{"version": "0.4.0", "geometry": 1}"#, "0.4.0 is a draft"),
            (r#"{"version": "3.0.0"}"#, "\"3.0.0\" is not supported"),
            (r#"{"version": "one"}"#, "\"one\" is not supported"),
            (
                r#"{"version": 1, "primary_column": "g", "columns": {}}"#,
                "invalid type: integer",
            ),
        ] {
            let message = GeoMetadata::parse(text, "a.parquet")
                .unwrap_err()
                .to_string();
            assert!(
                message.starts_with("a.parquet: ") && message.contains(expected),
                "{text}: {message}"
            );
        }
        assert!(GeoMetadata::parse(r#"{"version": "1.0.0-beta.1", "primary_column": "g", "columns": {"g": {"encoding": "WKB"}}}"#, "").is_ok());
    }
}
