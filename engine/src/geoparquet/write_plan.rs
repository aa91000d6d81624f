//! From the schema of a result to the columns of a GeoParquet file.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use serde_json::Value;

use geoarrow_schema::GeoArrowType;

use super::schema::{EXTENSION_METADATA, EXTENSION_NAME};
use super::{GeometryEncoding, WriteOptions};
use crate::geometry::{Encoding, GeometryType};
use crate::{Error, Result};

/// Where each column of the file comes from.
///
/// ```text
///  result   id | geometry | bbox            | name      geometry: WKB or native
///              │     │    └ dropped, stale  │
///              v     v                      v
///  file     id | geometry | bbox            | name      geometry: WKB
///                             xmin ymin xmax ymax, computed anew
/// ```
#[derive(Debug)]
pub(super) struct WritePlan {
    /// The columns of the file; geometry as WKB without extension type.
    pub(super) schema: SchemaRef,
    pub(super) sources: Vec<Source>,
    /// In the order of the file.
    pub(super) geometry: Vec<Arc<PlannedGeometry>>,
    /// The one of them that is the primary column, none in plain Parquet.
    pub(super) primary: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The input column as it is.
    Copy(usize),
    /// The input column as it is stored.
    Geometry { input: usize, geometry: usize },
    /// The bounds of a geometry column.
    Covering { geometry: usize },
}

/// A geometry column to be written.
#[derive(Debug)]
pub(super) struct PlannedGeometry {
    pub(super) name: String,
    /// The column with the bounds of every row.
    pub(super) covering: String,
    /// What comes in.
    pub(super) ty: GeometryType,
    /// What is stored.
    pub(super) stored: Stored,
    /// PROJJSON, `null` for an unknown CRS.
    pub(super) crs: Value,
}

/// How a geometry column is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stored {
    Wkb,
    /// As separate coordinates of one type.
    Native(GeoArrowType),
    /// As separate coordinates of the type that the first rows turn out to have.
    Undecided,
}

impl WritePlan {
    /// The plan for rows of `input`. `found` are the types that WKB columns turned out to have, by the
    /// order of the geometry columns; without it they are [`Stored::Undecided`] for GeoArrow encodings.
    ///
    /// # Errors
    /// [`Error::Statement`] for two columns of one name and for options that the standard has not,
    /// [`Error::Crs`] for a CRS whose definition is not known, [`Error::Data`] for broken extension
    /// metadata.
    pub(super) fn new(
        input: &Schema,
        options: &WriteOptions,
        found: Option<&[GeoArrowType]>,
    ) -> Result<Self> {
        options.check()?;
        check_names(input)?;
        let mut types = Vec::with_capacity(input.fields().len());
        for field in input.fields() {
            types.push(GeometryType::from_field(field)?);
        }
        let primary_input = primary(input, &types);
        let stale = stale_coverings(input, &types, primary_input);
        let mut taken: HashSet<String> = input
            .fields()
            .iter()
            .enumerate()
            .filter(|(i, _)| !stale.iter().any(|(_, covering)| covering == i))
            .map(|(_, field)| field.name().clone())
            .collect();

        let mut geometry = Vec::new();
        let mut primary = None;
        for (i, (field, ty)) in input.fields().iter().zip(&types).enumerate() {
            let Some(ty) = ty else { continue };
            if Some(i) == primary_input {
                primary = Some(geometry.len());
            }
            // Version 1.0 knows no covering, but forbids none: its readers skip by it all the same.
            let covering = covering_name(field.name(), Some(i) == primary_input, &mut taken);
            let found = found.and_then(|found| found.get(geometry.len()));
            geometry.push(Arc::new(PlannedGeometry {
                name: field.name().clone(),
                covering,
                ty: ty.clone(),
                stored: stored(field.name(), ty, options.encoding, found)?,
                crs: crs_to_write(field.name(), ty)?,
            }));
        }

        let mut fields: Vec<FieldRef> = Vec::new();
        let mut sources = Vec::new();
        let mut uncovered: Vec<usize> = Vec::new();
        let mut next = 0;
        for (i, (field, ty)) in input.fields().iter().zip(&types).enumerate() {
            if let Some((geometry_input, _)) = stale.iter().find(|(_, covering)| *covering == i) {
                let at = position_of_geometry(&types, *geometry_input);
                fields.push(Arc::new(covering_field(&geometry[at].covering)));
                sources.push(Source::Covering { geometry: at });
            } else if let Some(ty) = ty {
                fields.push(Arc::new(stored_field(field, ty, &geometry[next].stored)));
                sources.push(Source::Geometry {
                    input: i,
                    geometry: next,
                });
                if !stale.iter().any(|(geometry_input, _)| *geometry_input == i) {
                    uncovered.push(next);
                }
                next += 1;
            } else {
                fields.push(Arc::clone(field));
                sources.push(Source::Copy(i));
            }
        }
        for at in uncovered {
            fields.push(Arc::new(covering_field(&geometry[at].covering)));
            sources.push(Source::Covering { geometry: at });
        }
        Ok(Self {
            // Metadata of the schema belong to the file that was read (`geo`, `pandas`).
            schema: Arc::new(Schema::new(fields)),
            sources,
            geometry,
            primary,
        })
    }

    /// Whether rows must be seen before it is known how they are stored.
    pub(super) fn is_undecided(&self) -> bool {
        self.geometry
            .iter()
            .any(|geometry| geometry.stored == Stored::Undecided)
    }

    /// The schema that is stored for Arrow readers: views as what they view, since many readers
    /// do not know them yet.
    pub(super) fn portable_schema(&self) -> Schema {
        Schema::new(
            self.schema
                .fields()
                .iter()
                .map(portable_field)
                .collect::<Vec<FieldRef>>(),
        )
    }
}

fn check_names(input: &Schema) -> Result<()> {
    let mut seen = HashSet::new();
    for field in input.fields() {
        if !seen.insert(field.name()) {
            return Err(Error::Statement(format!(
                "the result has two columns called \"{}\", a Parquet file cannot: give one another name with AS",
                field.name()
            )));
        }
    }
    Ok(())
}

/// The geometry columns of a schema: first the one that a file written from it has as its primary column,
/// then the others in their order.
///
/// # Errors
/// [`Error::Data`] for broken extension metadata.
pub fn geometry_columns(input: &Schema) -> Result<Vec<usize>> {
    let types = input
        .fields()
        .iter()
        .map(|field| GeometryType::from_field(field))
        .collect::<Result<Vec<_>>>()?;
    let primary = primary(input, &types);
    let others = (0..types.len()).filter(|i| types[*i].is_some() && Some(*i) != primary);
    Ok(primary.into_iter().chain(others).collect())
}

/// The struct columns that look like the coverings of geometry columns: what a file written from the rows
/// computes again.
///
/// # Errors
/// [`Error::Data`] for broken extension metadata.
pub fn covering_columns(input: &Schema) -> Result<Vec<usize>> {
    let types = input
        .fields()
        .iter()
        .map(|field| GeometryType::from_field(field))
        .collect::<Result<Vec<_>>>()?;
    let pairs = stale_coverings(input, &types, primary(input, &types));
    Ok(pairs.into_iter().map(|(_, covering)| covering).collect())
}

/// The geometry column named as is usual, else the first.
fn primary(input: &Schema, types: &[Option<GeometryType>]) -> Option<usize> {
    let is_geometry = |i: &usize| types.get(*i).is_some_and(Option::is_some);
    ["geometry", "geom"]
        .iter()
        .filter_map(|name| input.index_of(name).ok())
        .find(is_geometry)
        .or_else(|| (0..types.len()).find(is_geometry))
}

/// Pairs of a geometry column and the struct column that looks like its covering.
fn stale_coverings(
    input: &Schema,
    types: &[Option<GeometryType>],
    primary: Option<usize>,
) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (i, field) in input.fields().iter().enumerate() {
        if types[i].is_none() {
            continue;
        }
        let own = format!("{}_bbox", field.name());
        let mut candidates = vec![own.as_str()];
        if Some(i) == primary {
            candidates.insert(0, "bbox");
        }
        let found = candidates
            .iter()
            .filter_map(|name| input.index_of(name).ok())
            .find(|at| is_covering(input.field(*at)));
        if let Some(covering) = found {
            pairs.push((i, covering));
        }
    }
    pairs
}

fn is_covering(field: &Field) -> bool {
    let DataType::Struct(sides) = field.data_type() else {
        return false;
    };
    let has = |name: &str| sides.iter().any(|side| side.name() == name);
    ["xmin", "ymin", "xmax", "ymax"]
        .iter()
        .all(|name| has(name))
        && sides.iter().all(|side| {
            matches!(side.data_type(), DataType::Float64 | DataType::Float32)
                && matches!(
                    side.name().as_str(),
                    "xmin" | "ymin" | "zmin" | "xmax" | "ymax" | "zmax"
                )
        })
}

fn covering_name(geometry: &str, primary: bool, taken: &mut HashSet<String>) -> String {
    let mut candidates = Vec::new();
    if primary {
        candidates.push("bbox".to_owned());
    }
    candidates.push(format!("{geometry}_bbox"));
    let name = candidates
        .into_iter()
        .chain((2..).map(|n| format!("{geometry}_bbox_{n}")))
        .find(|name| !taken.contains(name))
        // The sequence has no end, and `taken` has one.
        .unwrap_or_default();
    taken.insert(name.clone());
    name
}

fn position_of_geometry(types: &[Option<GeometryType>], input: usize) -> usize {
    types[..input].iter().flatten().count()
}

fn stored(
    name: &str,
    ty: &GeometryType,
    encoding: GeometryEncoding,
    found: Option<&GeoArrowType>,
) -> Result<Stored> {
    if encoding == GeometryEncoding::Wkb {
        return Ok(Stored::Wkb);
    }
    match (&ty.encoding, found) {
        (_, Some(found)) => Ok(Stored::Native(separated(found))),
        (Encoding::Wkb, None) => Ok(Stored::Undecided),
        (Encoding::Native(GeoArrowType::Geometry(_) | GeoArrowType::GeometryCollection(_)), _) => {
            Err(Error::Statement(format!(
                "column \"{name}\" may hold geometries of several types, for which GeoParquet has no GeoArrow encoding: write it with the encoding wkb"
            )))
        }
        (Encoding::Native(native), None) => Ok(Stored::Native(separated(native))),
    }
}

/// The standard knows `x` and `y` as columns of their own alone.
fn separated(native: &GeoArrowType) -> GeoArrowType {
    native
        .clone()
        .with_coord_type(geoarrow_schema::CoordType::Separated)
        .with_metadata(Default::default())
}

/// WKB keeps its storage. The extension type goes: in GeoParquet 1.1 the `geo` metadata say it.
/// Always nullable, as the covering is (NULL for EMPTY) and the standard asks them to be alike.
fn stored_field(field: &Field, ty: &GeometryType, stored: &Stored) -> Field {
    let data_type = match (stored, &ty.encoding) {
        (Stored::Native(native), _) => native.to_data_type(),
        (_, Encoding::Wkb) => field.data_type().clone(),
        (_, Encoding::Native(_)) => DataType::Binary,
    };
    let mut plain = field.clone().with_data_type(data_type).with_nullable(true);
    let metadata = plain.metadata_mut();
    metadata.remove(EXTENSION_NAME);
    metadata.remove(EXTENSION_METADATA);
    plain
}

pub(super) fn covering_sides() -> Fields {
    ["xmin", "ymin", "xmax", "ymax"]
        .iter()
        .map(|side| Field::new(*side, DataType::Float32, true))
        .collect()
}

fn covering_field(name: &str) -> Field {
    Field::new(name, DataType::Struct(covering_sides()), true)
}

fn crs_to_write(column: &str, ty: &GeometryType) -> Result<Value> {
    match &ty.crs {
        None => Ok(Value::Null),
        Some(crs) => crs.to_projjson_for_writing().ok_or_else(|| {
            Error::Crs(format!(
                "column \"{column}\" is in {crs}, and GeoParquet wants its whole definition (PROJJSON), which is not known here: \
                 only OGC:CRS84, EPSG:4326 and what comes with a file can be written"
            ))
        }),
    }
}

fn portable_field(field: &FieldRef) -> FieldRef {
    let portable = portable_type(field.data_type());
    if portable == *field.data_type() {
        Arc::clone(field)
    } else {
        Arc::new(field.as_ref().clone().with_data_type(portable))
    }
}

fn portable_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(portable_field(item)),
        DataType::LargeList(item) => DataType::LargeList(portable_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(portable_field).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::crs::Crs;

    fn geometry(name: &str) -> Field {
        GeometryType::wkb(Some(Crs::lon_lat())).to_field(name, false)
    }

    fn id(name: &str) -> Field {
        Field::new(name, DataType::Int64, false)
    }

    fn names(fields: Vec<Field>) -> Vec<String> {
        let plan = plan(fields).unwrap();
        plan.schema
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect()
    }

    fn plan(fields: Vec<Field>) -> Result<WritePlan> {
        WritePlan::new(&Schema::new(fields), &WriteOptions::default(), None)
    }

    #[test]
    fn a_covering_is_added() {
        assert_eq!(
            names(vec![id("id"), geometry("geom")]),
            ["id", "geom", "bbox"]
        );
        assert_eq!(
            names(vec![geometry("shape"), geometry("geometry")]),
            ["shape", "geometry", "shape_bbox", "bbox"]
        );
    }

    #[test]
    fn a_stale_covering_is_replaced_in_its_place() {
        let fields = vec![geometry("geom"), covering_field("bbox"), id("id")];
        assert_eq!(names(fields), ["geom", "bbox", "id"]);
        let fields = vec![covering_field("geom_bbox"), geometry("geom")];
        let plan = plan(fields).unwrap();
        assert_eq!(plan.sources[0], Source::Covering { geometry: 0 });
        assert_eq!(plan.sources.len(), 2);
    }

    #[test]
    fn other_columns_called_bbox_stay() {
        assert_eq!(
            names(vec![id("bbox"), geometry("geom")]),
            ["bbox", "geom", "geom_bbox"]
        );
        assert_eq!(
            names(vec![id("bbox"), id("geom_bbox"), geometry("geom")]),
            ["bbox", "geom_bbox", "geom", "geom_bbox_2"]
        );
        // Without a geometry column it is nobody's covering.
        assert_eq!(
            names(vec![id("id"), covering_field("bbox")]),
            ["id", "bbox"]
        );
    }

    #[test]
    fn the_stored_schema_has_no_extension_types_and_no_views() {
        let view = geometry("geom").with_data_type(DataType::BinaryView);
        let text = Field::new("name", DataType::Utf8View, true);
        let plan = plan(vec![view, text]).unwrap();
        assert_eq!(plan.schema.field(0).data_type(), &DataType::BinaryView);
        assert!(plan.schema.field(0).metadata().is_empty());
        assert!(plan.schema.field(0).is_nullable());
        let stored = plan.portable_schema();
        assert_eq!(stored.field(0).data_type(), &DataType::Binary);
        assert_eq!(stored.field(1).data_type(), &DataType::Utf8);
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let message = plan(vec![id("a"), id("a")]).unwrap_err().to_string();
        assert!(message.contains("two columns called \"a\""), "{message}");
        // The standard wants PROJJSON, and there is none for a code that nobody knows.
        let unknown = Crs::from_authority_code("EPSG:999999").unwrap();
        let field = GeometryType::wkb(Some(unknown)).to_field("geom", true);
        let error = plan(vec![field]).unwrap_err();
        assert!(
            matches!(error, Error::Crs(_)) && error.to_string().contains("EPSG:999999"),
            "{error}"
        );
    }
}
