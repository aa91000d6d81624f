//! One of the two layers.

use geoflow_engine::crs::Crs;
use geoflow_engine::geometry::GeometryType;
use geoflow_engine::geoparquet::{covering_columns, geometry_columns};

use crate::error::{Failure, Result, from_datafusion, from_engine};
use crate::place::quoted;
use crate::session::Session;

/// A layer, known by its schema.
pub(crate) struct Layer {
    /// As it was given.
    pub(crate) name: String,
    /// All but coverings of geometries, which hold for one layer's rows and are written anew.
    pub(crate) columns: Vec<String>,
    /// The primary geometry column.
    pub(crate) geometry: String,
    pub(crate) crs: Option<Crs>,
}

impl Layer {
    /// Reads the schema.
    pub(crate) async fn open(session: &Session, name: &str) -> Result<Self> {
        let sql = format!("SELECT * FROM {}", quoted(name, '\''));
        let frame = session
            .context()
            .sql(&sql)
            .await
            .map_err(|e| session.explain_unknown(from_datafusion(&e)))?;
        let schema = frame.schema().as_arrow();
        let geometry = geometry_columns(schema).map_err(|e| from_engine(&e))?;
        let Some(geometry) = geometry.first().map(|i| schema.field(*i)) else {
            return Err(Failure::user(format!(
                "\"{name}\" has no geometry column, and a spatial join needs one of each layer"
            ))
            .with_hint(
                "geoflow convert IN OUT --geometry COLUMN[:CRS] takes a column of WKB for geometry",
            ));
        };
        let ty = GeometryType::from_field(geometry).map_err(|e| from_engine(&e))?;
        let coverings = covering_columns(schema).map_err(|e| from_engine(&e))?;
        let columns = schema.fields().iter().enumerate();
        let columns = columns.filter(|(i, _)| !coverings.contains(i));
        Ok(Layer {
            name: name.to_string(),
            columns: columns.map(|(_, field)| field.name().clone()).collect(),
            geometry: geometry.name().clone(),
            crs: ty.and_then(|ty| ty.crs),
        })
    }

    /// The CRS as people call it.
    pub(crate) fn crs_name(&self) -> String {
        match &self.crs {
            Some(crs) => crs.name(),
            None => "no known CRS".to_string(),
        }
    }
}
