//! Whether a file is what its metadata say, and how well it is laid out for its readers.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Schema};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{
    DefaultParquetFileReaderFactory, ParquetFileReaderFactory,
};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::arrow::{ProjectionMask, parquet_to_arrow_schema};
use parquet::basic::{LogicalType, Repetition};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::SchemaDescriptor;

use serde_json::Value;

use super::info::{FileInfo, Pruning, read_info};
use super::metadata::geo_text;
use super::native_types::boxes;
use super::validate_rules::{broken_form, is_ewkb, is_oriented};
use super::write_column::kind_name;
use super::{
    ColumnEncoding, Covering, Edges, GeoColumn, GeoMetadata, display_location, label_geometry,
    read_footer,
};
use crate::geometry::wkb::{WkbCursor, bounds as wkb_bounds};
use crate::geometry::{Bounds, GeometryArray, GeometryType};
use crate::{Error, Result};

/// Something to be said of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the file breaks the standard by it.
    pub level: Level,
    /// What is wrong, and what to do.
    pub message: String,
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The file breaks the standard: readers may fail on it, or give wrong answers.
    Error,
    /// The file is slower or larger than it could be.
    Advice,
}

/// Rows with a mistake of one kind that are told one by one.
const TOLD: usize = 3;

/// Bytes of a file from which on it should be several.
const LARGE: u64 = 2 << 30;

/// Examines a file: its metadata, and with `data` also every geometry against them.
///
/// # Errors
/// [`Error::Environment`] when the file cannot be read. A file that is damaged is a [`Finding`].
pub async fn validate(
    store: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
    data: bool,
) -> Result<Vec<Finding>> {
    let path = display_location(store.as_ref(), &meta.location);
    let info = match read_info(Arc::clone(&store), meta.clone()).await {
        Ok(info) => info,
        Err(Error::Data(what) | Error::Crs(what)) => {
            return Ok(vec![Finding {
                level: Level::Error,
                message: what,
            }]);
        }
        Err(other) => return Err(other),
    };
    let footer = read_footer(&store, &meta, None, None)
        .await
        .map_err(|e| unreadable(&path, &e.to_string()))?;
    let mut findings = Findings::default();
    let geo = GeoMetadata::of_file(&footer, &path)?;
    let Some(geo) = geo.filter(|geo| !geo.version.is_empty()) else {
        findings
            .error("there are no GeoParquet metadata (key \"geo\"): geoflow convert writes them");
        return Ok(findings.0);
    };
    let text = geo_text(&footer).unwrap_or_default();
    let described: Value = serde_json::from_str(text).unwrap_or_default();
    for (name, column) in &geo.columns {
        // Parquet's own types need no description.
        if let Some(described) = described.get("columns").and_then(|all| all.get(name)) {
            for broken in broken_form(name, described) {
                findings.error(broken);
            }
        }
        check_column(&footer, &geo.version, name, column, &mut findings);
    }
    advise(&info, &geo, &mut findings);
    if data {
        check_data(store, meta, &footer, &geo, &path, &mut findings).await?;
    }
    // Errors first; the sort is stable.
    findings
        .0
        .sort_by_key(|finding| finding.level != Level::Error);
    Ok(findings.0)
}

fn unreadable(path: &str, what: &str) -> Error {
    Error::Environment {
        message: format!("{path} cannot be read: {what}"),
        retryable: true,
    }
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, message: impl Into<String>) {
        self.0.push(Finding {
            level: Level::Error,
            message: message.into(),
        });
    }

    fn advice(&mut self, message: impl Into<String>) {
        self.0.push(Finding {
            level: Level::Advice,
            message: message.into(),
        });
    }
}

/// What the footer alone shows of a geometry column.
fn check_column(
    footer: &ParquetMetaData,
    version: &str,
    name: &str,
    column: &GeoColumn,
    findings: &mut Findings,
) {
    let schema = footer.file_metadata().schema_descr();
    let root = schema.root_schema().get_fields();
    let field = root.iter().find(|field| field.name() == name);
    if let Some(field) = field
        && field.get_basic_info().has_repetition()
        && field.get_basic_info().repetition() == Repetition::REPEATED
    {
        findings.error(format!(
            "column \"{name}\" is repeated: a row must have one geometry"
        ));
    }
    let native = schema.columns().iter().any(|leaf| {
        leaf.path().parts() == [name]
            && matches!(
                leaf.logical_type_ref(),
                Some(LogicalType::Geometry(_) | LogicalType::Geography(_))
            )
    });
    let two = version.starts_with('2');
    if two && !native {
        findings.error(format!(
            "column \"{name}\" has not Parquet's type GEOMETRY or GEOGRAPHY, which version {version} asks for"
        ));
    }
    if two && column.encoding != ColumnEncoding::Wkb {
        findings.error(format!(
            "column \"{name}\" is encoded as {}, and version {version} knows WKB alone",
            column.encoding.name()
        ));
    }
    if version.starts_with("1.0") && column.encoding != ColumnEncoding::Wkb {
        findings.error(format!(
            "column \"{name}\" is encoded as {}, and version {version} knows WKB alone",
            column.encoding.name()
        ));
    }
    if column.encoding != ColumnEncoding::Wkb {
        check_coordinates(schema, name, findings);
    }
    let mut seen = BTreeSet::new();
    for ty in &column.geometry_types {
        if !is_type_name(ty, two) {
            findings.error(format!(
                "column \"{name}\": \"{ty}\" is no geometry type of version {version}"
            ));
        }
        if !seen.insert(ty) {
            findings.error(format!(
                "column \"{name}\" names the geometry type \"{ty}\" twice"
            ));
        }
    }
    if let Some(orientation) = &column.orientation
        && orientation != "counterclockwise"
    {
        findings.error(format!(
            "column \"{name}\": the orientation \"{orientation}\" is not \"counterclockwise\", the only one there is"
        ));
    }
    if let Some(bbox) = &column.bbox {
        let upper = bbox.len() / 2;
        let y_turned = bbox[1] > bbox[upper + 1];
        if y_turned || bbox.iter().any(|v| !v.is_finite()) {
            findings.error(format!("column \"{name}\": the bbox {bbox:?} is no box"));
        }
    }
    if let Some(covering) = &column.covering {
        check_covering(footer, name, covering, findings);
    }
}

/// That the coordinates of a GeoArrow encoding are x, y and perhaps z, each a column of its own.
fn check_coordinates(schema: &SchemaDescriptor, name: &str, findings: &mut Findings) {
    let leaves = schema.columns().iter().map(|leaf| leaf.path().parts());
    let of_column = leaves.filter(|path| path.first().is_some_and(|root| root == name));
    let ordinates: Vec<&str> = of_column
        .filter_map(|path| path.last())
        .map(String::as_str)
        .collect();
    if ordinates.contains(&"m") {
        findings.error(format!(
            "column \"{name}\" has coordinates with M, for which GeoParquet has no GeoArrow encoding: store it as WKB"
        ));
    } else if !(ordinates.contains(&"x") && ordinates.contains(&"y")) {
        findings.error(format!(
            "column \"{name}\" has coordinates that are not columns x and y of numbers, as the encodings of GeoParquet are"
        ));
    }
}

fn is_type_name(text: &str, measured: bool) -> bool {
    let (kind, ordinates) = text.split_once(' ').unwrap_or((text, ""));
    let known = (1..=7).any(|code| kind_name(code) == kind);
    let fits = match ordinates {
        "" => !text.ends_with(' '),
        "Z" => true,
        "M" | "ZM" => measured,
        _ => false,
    };
    known && fits
}

fn check_covering(
    footer: &ParquetMetaData,
    name: &str,
    covering: &Covering,
    findings: &mut Findings,
) {
    use parquet::basic::Type;

    let schema = footer.file_metadata().schema_descr();
    let mut roots = BTreeSet::new();
    for (side, path) in ["xmin", "ymin", "xmax", "ymax"]
        .iter()
        .zip(covering.paths())
    {
        let shown = path.join(".");
        roots.extend(path.first());
        if path.len() != 2 || path.last().map(String::as_str) != Some(*side) {
            findings.error(format!(
                "the covering of \"{name}\" has {side} at \"{shown}\", which is not a field {side} of a column"
            ));
        }
        let leaf = schema
            .columns()
            .iter()
            .find(|leaf| leaf.path().parts() == path);
        match leaf.map(|leaf| leaf.physical_type()) {
            None => findings.error(format!(
                "the covering of \"{name}\" names a column \"{shown}\" that is not in the file"
            )),
            Some(Type::DOUBLE | Type::FLOAT) => {}
            Some(other) => findings.error(format!(
                "the covering of \"{name}\" names \"{shown}\", which holds {other} and no numbers"
            )),
        }
    }
    if roots.len() > 1 {
        findings.error(format!(
            "the covering of \"{name}\" has its sides in several columns"
        ));
    }
}

/// What makes files small and quick to read.
fn advise(info: &FileInfo, geo: &GeoMetadata, findings: &mut Findings) {
    if info.compression.iter().any(|codec| codec != "ZSTD") {
        findings.advice(format!(
            "compressed as {}: zstd makes files smaller at about the same speed",
            info.compression.join(" and ")
        ));
    }
    if info.size > LARGE {
        findings.advice(
            "the file is larger than 2 GiB: several of 200 MB to 1 GB can be skipped whole, geoflow convert IN DIR/ cuts it",
        );
    }
    let largest = info.row_groups.iter().map(|group| group.rows).max();
    if let Some(rows) = largest.filter(|rows| *rows > 250_000) {
        findings.advice(format!(
            "a row group has {rows} rows: with 10,000 to 200,000, readers skip more"
        ));
    }
    let tiny = info.row_groups.len() > 8 && info.rows / (info.row_groups.len() as u64) < 2_000;
    if tiny {
        findings.advice(
            "row groups have fewer than 2,000 rows on average: larger ones take fewer requests",
        );
    }
    let Some(info) = &info.geo else { return };
    for column in &info.columns {
        let name = &column.name;
        match column.pruning {
            Pruning::NoCovering => findings.advice(format!(
                "column \"{name}\" has no bbox covering: readers cannot skip anything"
            )),
            Pruning::NoStatistics => findings.advice(format!(
                "column \"{name}\": the columns of the covering have no statistics, so that readers cannot skip anything"
            )),
            Pruning::Possible { overlap } if overlap > 0.5 && column.row_group_bounds.len() > 3 => {
                findings.advice(format!(
                    "column \"{name}\": a row group spans {:.0} % of the extent on average: sort the rows with geoflow convert --sort hilbert",
                    overlap * 100.0
                ));
            }
            Pruning::Possible { .. } | Pruning::SingleRowGroup => {}
        }
        if column.column.bbox.is_none() {
            findings.advice(format!(
                "column \"{name}\" has no bbox of the whole file: readers of many files cannot skip it"
            ));
        }
        if column.column.geometry_types.is_empty() {
            findings.advice(format!(
                "column \"{name}\" does not list its geometry types"
            ));
        }
        let described = geo.columns.get(name);
        if described.is_some_and(|column| column.crs.is_none()) {
            findings.advice(format!(
                "column \"{name}\" has no CRS: nobody knows where it lies"
            ));
        }
    }
}

/// Every geometry against what the metadata say of all.
async fn check_data(
    store: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
    footer: &ParquetMetaData,
    geo: &GeoMetadata,
    path: &str,
    findings: &mut Findings,
) -> Result<()> {
    let file = footer.file_metadata();
    let plain = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())
        .map_err(|e| Error::Data(format!("{path}: its schema cannot be read: {e}")))?;
    let schema = label_geometry(&plain, geo, path, true)?;
    let mut wanted: Vec<usize> = vec![];
    for (name, column) in &geo.columns {
        let covering = column.covering.as_ref().and_then(|c| c.xmin.first());
        wanted.extend(schema.index_of(name));
        wanted.extend(covering.and_then(|name| schema.index_of(name).ok()));
    }
    let failed = |e: parquet::errors::ParquetError| unreadable(path, &e.to_string());
    let metrics = ExecutionPlanMetricsSet::new();
    let reader: Box<dyn AsyncFileReader> = DefaultParquetFileReaderFactory::new(store)
        .create_reader(0, PartitionedFile::from(meta), None, &metrics)
        .map_err(|e| unreadable(path, &e.strip_backtrace()))?;
    let options = ArrowReaderOptions::new();
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options)
        .await
        .map_err(failed)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let mut batches = builder.with_projection(mask).build().map_err(failed)?;
    let mut checks: Vec<ColumnCheck<'_>> = geo
        .columns
        .iter()
        .map(|(name, column)| ColumnCheck::new(name, column))
        .collect();
    let mut first_row = 1;
    while let Some(batch) = batches.try_next().await.map_err(failed)? {
        for check in &mut checks {
            check.batch(&batch, &schema, first_row)?;
        }
        first_row += batch.num_rows() as u64;
    }
    for check in checks {
        check.finish(findings);
    }
    Ok(())
}

struct ColumnCheck<'a> {
    name: &'a str,
    column: &'a GeoColumn,
    boxes: Option<Vec<Bounds>>,
    types: BTreeSet<String>,
    /// By kind of mistake: how often, and where first.
    invalid: Told,
    ewkb: Told,
    turned: Told,
    outside: Told,
    uncovered: Told,
}

#[derive(Default)]
struct Told {
    count: u64,
    examples: Vec<String>,
}

impl Told {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < TOLD {
            self.examples.push(example());
        }
    }

    fn finish(self, what: &str, findings: &mut Findings) {
        if self.count > 0 {
            let examples = self.examples.join(", ");
            let more = if self.count > TOLD as u64 {
                ", …"
            } else {
                ""
            };
            findings.error(format!("{what}: {} rows ({examples}{more})", self.count));
        }
    }
}

impl<'a> ColumnCheck<'a> {
    fn new(name: &'a str, column: &'a GeoColumn) -> Self {
        let straight = column.edges == Edges::Planar || column.only_points();
        Self {
            name,
            column,
            boxes: column.bbox_xy().and_then(|bbox| boxes(bbox, straight)),
            types: BTreeSet::new(),
            invalid: Told::default(),
            ewkb: Told::default(),
            turned: Told::default(),
            outside: Told::default(),
            uncovered: Told::default(),
        }
    }

    fn batch(&mut self, batch: &RecordBatch, schema: &Schema, first_row: u64) -> Result<()> {
        let Some(array) = batch.column_by_name(self.name) else {
            return Ok(());
        };
        let Some(ty) = GeometryType::from_field(
            schema
                .field_with_name(self.name)
                .map_err(|e| Error::Internal(e.to_string()))?,
        )?
        else {
            return Ok(());
        };
        let geometry = GeometryArray::try_new(array, &ty)?;
        let native = self.column.encoding != ColumnEncoding::Wkb;
        let geometry = if native { geometry.to_wkb()? } else { geometry };
        // The area within spherical edges is not told by that within straight ones.
        let oriented = self.column.orientation.is_some() && self.column.edges == Edges::Planar;
        for row in 0..geometry.len() {
            let number = first_row + row as u64;
            let Some(bytes) = geometry.wkb(row) else {
                continue;
            };
            let header = WkbCursor::new(bytes).header();
            let (header, bounds) = match (header, wkb_bounds(bytes)) {
                (Ok(header), Ok(bounds)) => (header, bounds),
                (Err(e), _) | (_, Err(e)) => {
                    self.invalid.add(|| format!("row {number}: {e}"));
                    continue;
                }
            };
            if !native {
                let ordinates = match (header.has_z, header.has_m) {
                    (false, false) => "",
                    (true, false) => " Z",
                    (false, true) => " M",
                    (true, true) => " ZM",
                };
                let name = format!("{}{ordinates}", kind_name(header.kind.code()));
                self.types.insert(name);
            }
            if !native && is_ewkb(bytes) {
                self.ewkb.add(|| format!("row {number}"));
            }
            if bounds.is_empty() {
                continue;
            }
            if oriented && matches!(is_oriented(bytes), Ok(false)) {
                self.turned.add(|| format!("row {number}"));
            }
            let inside = |boxes: &Vec<Bounds>| boxes.iter().any(|b| b.intersects(&bounds));
            let alone = self.boxes.as_ref().is_some_and(|b| b.len() == 1);
            let contained =
                |boxes: &Vec<Bounds>| !alone || boxes.iter().all(|b| b.contains(&bounds));
            if self
                .boxes
                .as_ref()
                .is_some_and(|b| !inside(b) || !contained(b))
            {
                self.outside.add(|| format!("row {number}"));
            }
            let covered = match self.covering(batch, row) {
                None => true,
                Some(None) => false,
                // A box over the antimeridian is taken at its word.
                Some(Some(b)) => b.min_x > b.max_x || b.expand(0.0).contains(&bounds),
            };
            if !covered {
                self.uncovered.add(|| format!("row {number}"));
            }
        }
        Ok(())
    }

    /// The stored bounds of a row, `Some(None)` for NULL; single precision is taken as rounded to the
    /// nearest. `None` without a covering.
    fn covering(&self, batch: &RecordBatch, row: usize) -> Option<Option<Bounds>> {
        let covering = self.column.covering.as_ref()?;
        let structs = batch
            .column_by_name(covering.xmin.first()?)?
            .as_struct_opt()?;
        let side = |path: &[String], outward: f32| -> Option<f64> {
            let array = structs.column_by_name(path.get(1)?)?;
            match array.data_type() {
                DataType::Float64 => Some(array.as_primitive::<Float64Type>().value(row)),
                DataType::Float32 => {
                    let value = array.as_primitive::<Float32Type>().value(row);
                    let rounded = if outward < 0.0 {
                        value.next_down()
                    } else {
                        value.next_up()
                    };
                    Some(f64::from(rounded))
                }
                _ => None,
            }
        };
        if structs.is_null(row) {
            return Some(None);
        }
        let [xmin, ymin, xmax, ymax] = covering.paths();
        let (xmin, ymin) = (side(xmin, -1.0)?, side(ymin, -1.0)?);
        Some(Some(Bounds::new(
            xmin,
            ymin,
            side(xmax, 1.0)?,
            side(ymax, 1.0)?,
        )))
    }

    fn finish(self, findings: &mut Findings) {
        let name = self.name;
        self.invalid.finish(
            &format!("column \"{name}\" has geometries that cannot be read"),
            findings,
        );
        self.ewkb.finish(
            &format!(
                "column \"{name}\" has geometries in EWKB, which is not the ISO WKB of the standard"
            ),
            findings,
        );
        self.turned.finish(
            &format!(
                "column \"{name}\" has rings that turn the other way than its orientation says"
            ),
            findings,
        );
        self.outside.finish(
            &format!("column \"{name}\" has geometries outside the bbox of the file"),
            findings,
        );
        self.uncovered.finish(
            &format!("column \"{name}\" has geometries outside their covering"),
            findings,
        );
        let listed = &self.column.geometry_types;
        if listed.is_empty() {
            return;
        }
        let unlisted: Vec<&str> = self
            .types
            .iter()
            .filter(|ty| !listed.contains(ty))
            .map(String::as_str)
            .collect();
        if !unlisted.is_empty() {
            findings.error(format!(
                "column \"{name}\" has geometries of types that its metadata do not list: {}",
                unlisted.join(", ")
            ));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use parquet::schema::parser::parse_message_type;

    use super::*;

    #[test]
    fn coordinates_of_geoarrow() {
        let found = |group: &str| {
            let message = format!("message schema {{ optional group geometry {{ {group} }} }}");
            let schema = parse_message_type(&message).unwrap();
            let mut findings = Findings::default();
            check_coordinates(
                &SchemaDescriptor::new(Arc::new(schema)),
                "geometry",
                &mut findings,
            );
            findings
                .0
                .into_iter()
                .map(|finding| finding.message)
                .collect::<String>()
        };
        let xyz = "required double x; required double y; required double z;";
        assert_eq!(found(xyz), "");
        let list = "repeated group list { required group element { required double x; required double y; } }";
        assert_eq!(found(list), "");
        assert!(
            found("required double x; required double y; required double m;").contains("with M")
        );
        let interleaved = "repeated group list { required double element; }";
        assert!(found(interleaved).contains("not columns x and y"));
    }
}
