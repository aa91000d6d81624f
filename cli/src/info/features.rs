//! What files of other formats than Parquet hold.

use std::path::{Path, PathBuf};

use geoflow_engine::formats::{FeatureFormat, LayerInfo, layers};
use geoflow_sql::object_store::hide;
use indicatif::{BinaryBytes, HumanCount};
use serde_json::{Value, json};

use super::{json as as_json, text};
use crate::error::{Result, from_datafusion, from_engine};
use crate::session::Session;

/// Extensions of texts and of Arrow, whose tables the session makes.
const LISTED: [(&str, &str); 6] = [
    ("csv", "CSV"),
    ("tsv", "TSV"),
    ("arrow", "Arrow IPC"),
    ("arrows", "Arrow IPC"),
    ("ipc", "Arrow IPC"),
    ("feather", "Feather"),
];

/// A file of another format than Parquet.
pub(super) struct OtherFile {
    name: String,
    format: &'static str,
    /// On this machine.
    bytes: Option<u64>,
    layers: Vec<LayerInfo>,
}

/// The files of other formats behind one argument; `None` where they are Parquet.
pub(super) async fn describe(path: &str, session: &Session) -> Result<Option<Vec<OtherFile>>> {
    let local = Path::new(path);
    if let Some((file, format, layer)) = feature_file(local) {
        let layers = layers(&file, format, layer.as_deref()).map_err(|e| from_engine(&e))?;
        return Ok(Some(vec![OtherFile {
            name: path.to_owned(),
            format: format.name(),
            bytes: size(&file),
            layers,
        }]));
    }
    let hidden = hide(path);
    let shown = hidden.as_deref().unwrap_or(path);
    let without_query = shown.split("?...").next().unwrap_or(shown);
    let extension = Path::new(without_query)
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    let known = LISTED
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(extension));
    let Some((_, format)) = known else {
        return Ok(None);
    };
    let sql = format!("SELECT * FROM '{}'", path.replace('\'', "''"));
    let explained = |e| from_datafusion(&e);
    let frame = session.context().sql(&sql).await.map_err(explained)?;
    let schema = frame.schema().as_arrow().clone().into();
    let rows = frame.count().await.map_err(explained)?;
    let layer = LayerInfo {
        name: None,
        schema,
        rows: Some(rows as u64),
        geometry_types: vec![],
        extent: None,
        has_index: false,
    };
    Ok(Some(vec![OtherFile {
        name: shown.to_owned(),
        format,
        bytes: size(local),
        layers: vec![layer],
    }]))
}

/// The file, its format and the layer of `a.gpkg` or `a.gpkg/roads`.
fn feature_file(path: &Path) -> Option<(PathBuf, FeatureFormat, Option<String>)> {
    if path.is_file() {
        return Some((path.to_owned(), FeatureFormat::of_path(path)?, None));
    }
    let parent = path.parent().filter(|parent| parent.is_file())?;
    let layer = path.file_name()?.to_str()?.to_owned();
    match FeatureFormat::of_path(parent)? {
        FeatureFormat::GeoPackage => {
            Some((parent.to_owned(), FeatureFormat::GeoPackage, Some(layer)))
        }
        _ => None,
    }
}

/// Bytes of a file on this machine.
fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|metadata| metadata.len())
}

impl OtherFile {
    /// A description for people.
    pub(super) fn text(&self) -> Result<String> {
        let mut out = format!("{}\n", self.name);
        let bytes = self
            .bytes
            .map_or(String::new(), |bytes| format!(", {}", BinaryBytes(bytes)));
        line(&mut out, "format", &format!("{}{bytes}", self.format));
        for layer in &self.layers {
            if let Some(name) = &layer.name {
                line(&mut out, "layer", name);
            }
            let rows = layer.rows.map(|rows| HumanCount(rows).to_string());
            line(
                &mut out,
                "rows",
                &rows.unwrap_or_else(|| "not counted".into()),
            );
            if let Some((name, ty)) = layer.geometry().map_err(|e| from_engine(&e))? {
                let types = match layer.geometry_types.is_empty() {
                    true => "types not listed".to_owned(),
                    false => layer.geometry_types.join(", "),
                };
                line(&mut out, "geometry", &format!("{name}: {types}"));
                let crs = ty.crs.map_or("unknown".to_owned(), |crs| crs.name());
                line(&mut out, "  CRS", &crs);
                let extent = layer.extent.as_ref().map(text::bounds);
                line(
                    &mut out,
                    "  bounds",
                    &extent.unwrap_or_else(|| "not known".into()),
                );
                let index = if layer.has_index { "yes" } else { "none" };
                line(&mut out, "  index", index);
            }
            text::columns(&layer.schema, &mut out);
        }
        Ok(out)
    }

    /// A description for programs.
    pub(super) fn json(&self) -> Result<Value> {
        let layers = self.layers.iter().map(|layer| {
            let geometry = layer.geometry().map_err(|e| from_engine(&e))?;
            let geometry = geometry.map(|(name, ty)| {
                json!({
                    "name": name,
                    "geometry_types": layer.geometry_types,
                    "crs": ty.crs.as_ref().map(|crs| crs.name()),
                    "projjson": ty.crs.as_ref().and_then(|crs| crs.projjson()),
                    "bounds": layer.extent.as_ref().map(as_json::bounds),
                    "index": layer.has_index,
                })
            });
            Ok(json!({
                "name": layer.name,
                "rows": layer.rows,
                "geometry": geometry,
                "columns": as_json::columns(&layer.schema),
            }))
        });
        Ok(json!({
            "path": self.name,
            "bytes": self.bytes,
            "format": self.format,
            "layers": layers.collect::<Result<Vec<_>>>()?,
        }))
    }
}

fn line(out: &mut String, label: &str, text: &str) {
    out.push_str(&format!("  {label:<12}{text}\n"));
}
