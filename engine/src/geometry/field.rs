//! What a geometry column is: its encoding and CRS, as its Arrow field tells.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use geoarrow_schema::GeoArrowType;

use crate::crs::Crs;
use crate::{Error, Result};

const EXTENSION_NAME: &str = "ARROW:extension:name";
const EXTENSION_METADATA: &str = "ARROW:extension:metadata";
const WKB: &str = "geoarrow.wkb";

/// How the geometries of a column are laid out.
#[derive(Debug, Clone, PartialEq)]
pub enum Encoding {
    /// Well-known binary in `Binary`, `LargeBinary` or `BinaryView`.
    Wkb,
    /// A native GeoArrow layout: points, lines, polygons, their multis.
    Native(GeoArrowType),
}

/// The type of a geometry column.
#[derive(Debug, Clone, PartialEq)]
pub struct GeometryType {
    /// How its values are laid out.
    pub encoding: Encoding,
    /// Its coordinate reference system, `None` when unknown.
    pub crs: Option<Crs>,
}

impl GeometryType {
    /// WKB in the given CRS.
    pub fn wkb(crs: Option<Crs>) -> Self {
        Self {
            encoding: Encoding::Wkb,
            crs,
        }
    }

    /// Reads the GeoArrow extension type of a field; `None` for a field that holds no geometry.
    ///
    /// # Errors
    /// [`Error::Data`] naming the column when its extension metadata are broken or its storage
    /// type does not fit its extension name.
    pub fn from_field(field: &Field) -> Result<Option<Self>> {
        let Some(name) = field.metadata().get(EXTENSION_NAME) else {
            return Ok(None);
        };
        if !name.starts_with("geoarrow.") {
            return Ok(None);
        }
        let metadata = field.metadata().get(EXTENSION_METADATA);
        let crs = Crs::from_extension_metadata(metadata.map(String::as_str))
            .map_err(|e| Error::Data(format!("column \"{}\": {e}", field.name())))?;
        if name == WKB {
            return match field.data_type() {
                // A column of NULL alone has no bytes yet: a plan gives it some later.
                DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::Null => Ok(Some(Self::wkb(crs))),
                other => Err(Error::Data(format!(
                    "column \"{}\" is labelled {WKB} but holds {other}",
                    field.name()
                ))),
            };
        }
        // The layout alone matters here: the CRS has been read, and GeoArrowType would refuse
        // metadata that it does not know.
        let mut bare = field.clone();
        bare.metadata_mut().remove(EXTENSION_METADATA);
        match GeoArrowType::from_extension_field(&bare) {
            Ok(Some(
                native @ (GeoArrowType::Point(_)
                | GeoArrowType::LineString(_)
                | GeoArrowType::Polygon(_)
                | GeoArrowType::MultiPoint(_)
                | GeoArrowType::MultiLineString(_)
                | GeoArrowType::MultiPolygon(_)
                | GeoArrowType::GeometryCollection(_)
                | GeoArrowType::Geometry(_)),
            )) => Ok(Some(Self {
                encoding: Encoding::Native(native),
                crs,
            })),
            Ok(_) => Ok(None),
            Err(e) => Err(Error::Data(format!(
                "column \"{}\" is labelled {name} but does not have its layout: {e}",
                field.name()
            ))),
        }
    }

    /// A new field of this type; WKB as `Binary`.
    pub fn to_field(&self, name: &str, nullable: bool) -> Field {
        let data_type = match &self.encoding {
            Encoding::Wkb => DataType::Binary,
            Encoding::Native(native) => native.to_data_type(),
        };
        self.apply_to(Field::new(name, data_type, nullable))
    }

    /// The same field, labelled with this type. Its storage type is kept.
    pub fn apply_to(&self, mut field: Field) -> Field {
        let name = match &self.encoding {
            Encoding::Wkb => WKB.to_string(),
            Encoding::Native(native) => native
                .to_field("", true)
                .metadata()
                .get(EXTENSION_NAME)
                .cloned()
                .unwrap_or_default(),
        };
        let metadata = field.metadata_mut();
        metadata.insert(EXTENSION_NAME.into(), name);
        metadata.insert(
            EXTENSION_METADATA.into(),
            Crs::to_extension_metadata(self.crs.as_ref()),
        );
        field
    }

    /// The field that geoarrow's array constructors expect for this type.
    pub(super) fn bare_native_field(native: &GeoArrowType) -> Arc<Field> {
        Arc::new(native.to_field("", true))
    }
}
