//! FlatGeobuf: features in the order of a Hilbert curve, after an index of their boxes.
//!
//! <https://flatgeobuf.org>
//!
//! ```text
//!  rows ──> features, as they come ──> a file beside ─────────┐ in order
//!       └─> boxes ──at the end, sorted──> | magic | header | index | features |
//! ```

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use flatbuffers::FlatBufferBuilder;
use flatgeobuf::packed_r_tree::{NodeItem, PackedRTree};
use flatgeobuf::{Column, ColumnArgs, ColumnType, CrsArgs, GeometryType, Header, HeaderArgs};

use super::attributes::{Attribute, Kind, attributes};
use super::flatgeobuf_feature::{FeatureBuilder, geometry_type};
use super::geometry::only_geometry;
use super::staged::cannot_write;
use super::{GeometryColumn, RowWriter};
use crate::geometry::wkb::WkbKind;
use crate::geometry::wkb_writer::Dimensions;
use crate::geometry::{Bounds, Tree};
use crate::tiling::HilbertCurve;
use crate::{Error, Result};

/// Version 3.0 of the format.
const MAGIC: [u8; 8] = [b'f', b'g', b'b', 3, b'f', b'g', b'b', 0];

/// Children of a node of the index.
const NODE_SIZE: u16 = 16;

/// Writes rows as features.
pub(super) struct FlatGeobufWriter {
    path: PathBuf,
    spool_path: PathBuf,
    spool: BufWriter<File>,
    layer: String,
    geometry: GeometryColumn,
    attributes: Vec<Attribute>,
    builder: FeatureBuilder<'static>,
    features: Vec<Place>,
    end: u64,
    kinds: Vec<WkbKind>,
    dimensions: Option<Dimensions>,
    bounds: Bounds,
}

/// A feature in the file beside.
struct Place {
    at: u64,
    length: u32,
    bounds: Bounds,
}

impl FlatGeobufWriter {
    /// Makes the file `path`.
    pub(super) fn create(path: &Path, schema: &Schema, layer: &str) -> Result<Self> {
        let Some(geometry) = only_geometry(schema, "FlatGeobuf")? else {
            return Err(Error::Statement(
                "FlatGeobuf needs a geometry column, and the rows have none: make one with ST_Point(x, y), or write .csv"
                    .to_owned(),
            ));
        };
        let attributes = attributes(schema, Some(geometry.index), "FlatGeobuf")?;
        if u16::try_from(attributes.len()).is_err() {
            return Err(Error::Statement(format!(
                "FlatGeobuf holds 65,535 columns, the rows have {}",
                attributes.len()
            )));
        }
        let spool_path = path.with_extension("features");
        let spool = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&spool_path)
            .map_err(|e| cannot_write(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            spool_path,
            spool: BufWriter::with_capacity(1 << 18, spool),
            layer: layer.to_owned(),
            geometry,
            attributes,
            builder: FeatureBuilder::new(),
            features: vec![],
            end: 0,
            kinds: vec![],
            dimensions: None,
            bounds: Bounds::EMPTY,
        })
    }

    /// Takes a look at a geometry. All of a file have the same dimensions.
    fn see(&mut self, tree: &Tree, row: usize) -> Result<()> {
        if !self.kinds.contains(&tree.kind) {
            self.kinds.push(tree.kind);
        }
        let first = *self.dimensions.get_or_insert(tree.dimensions);
        if first == tree.dimensions {
            return Ok(());
        }
        let name = |d: Dimensions| match (d.z, d.m) {
            (false, false) => "XY",
            (true, false) => "XYZ",
            (false, true) => "XYM",
            (true, true) => "XYZM",
        };
        Err(self.geometry.invalid(
            row,
            &format!(
                "it is {}, and those before are {}: all geometries of a FlatGeobuf have the same dimensions. \
                 ST_Force2D({column}) or ST_Force3D({column}) brings them in line",
                name(tree.dimensions),
                name(first),
                column = self.geometry.name
            ),
        ))
    }

    fn header(&self) -> Vec<u8> {
        let mut buffer = FlatBufferBuilder::new();
        let columns: Vec<_> = self
            .attributes
            .iter()
            .map(|attribute| {
                let name = buffer.create_string(&attribute.name);
                Column::create(
                    &mut buffer,
                    &ColumnArgs {
                        name: Some(name),
                        type_: column_type(attribute.kind),
                        nullable: attribute.nullable,
                        ..ColumnArgs::default()
                    },
                )
            })
            .collect();
        let columns = Some(buffer.create_vector(&columns));
        let envelope = (!self.bounds.is_empty()).then(|| {
            let b = &self.bounds;
            buffer.create_vector(&[b.min_x, b.min_y, b.max_x, b.max_y])
        });
        let name = Some(buffer.create_string(&self.layer));
        let crs = self.crs(&mut buffer);
        let dimensions = self.dimensions.unwrap_or_default();
        let header = Header::create(
            &mut buffer,
            &HeaderArgs {
                name,
                envelope,
                geometry_type: match self.kinds.as_slice() {
                    [only] => geometry_type(*only),
                    _ => GeometryType::Unknown,
                },
                has_z: dimensions.z,
                has_m: dimensions.m,
                columns,
                features_count: self.features.len() as u64,
                index_node_size: if self.features.is_empty() {
                    0
                } else {
                    NODE_SIZE
                },
                crs,
                ..HeaderArgs::default()
            },
        );
        buffer.finish_size_prefixed(header, None);
        buffer.finished_data().to_vec()
    }

    fn crs<'a>(
        &self,
        buffer: &mut FlatBufferBuilder<'a>,
    ) -> Option<flatbuffers::WIPOffset<flatgeobuf::Crs<'a>>> {
        let crs = self.geometry.ty.crs.as_ref()?;
        let code = match crs.is_lon_lat() {
            true => "EPSG:4326".to_owned(),
            false => crs.authority_code()?,
        };
        let (org, code) = code.split_once(':')?;
        let org = Some(buffer.create_string(org));
        let wkt = crs.to_wkt1().map(|wkt| buffer.create_string(wkt));
        let number: Option<i32> = code.parse().ok();
        let code_string = match number {
            Some(_) => None,
            None => Some(buffer.create_string(code)),
        };
        Some(flatgeobuf::Crs::create(
            buffer,
            &CrsArgs {
                org,
                code: number.unwrap_or(0),
                wkt,
                code_string,
                ..CrsArgs::default()
            },
        ))
    }

    /// Puts everything into its place.
    fn assemble(&mut self) -> std::io::Result<()> {
        self.spool.flush()?;
        let mut out = BufWriter::with_capacity(1 << 18, File::create(&self.path)?);
        out.write_all(&MAGIC)?;
        out.write_all(&self.header())?;
        // What has no place is found by no search, and comes last.
        let curve = HilbertCurve::over(self.geometry.ty.crs.as_ref());
        self.features.sort_by_cached_key(|feature| {
            let b = &feature.bounds;
            let place = (!b.is_empty()).then(|| {
                curve.place(
                    f64::midpoint(b.min_x, b.max_x),
                    f64::midpoint(b.min_y, b.max_y),
                )
            });
            (place.is_none(), place, feature.at)
        });
        if !self.features.is_empty() {
            let mut offset = 0;
            let nodes: Vec<NodeItem> = self
                .features
                .iter()
                .map(|feature| {
                    let b = &feature.bounds;
                    let mut node = match b.is_empty() {
                        true => NodeItem::create(offset),
                        false => NodeItem::bounds(b.min_x, b.min_y, b.max_x, b.max_y),
                    };
                    node.offset = offset;
                    offset += u64::from(feature.length);
                    node
                })
                .collect();
            let b = &self.bounds;
            let extent = NodeItem::bounds(b.min_x, b.min_y, b.max_x, b.max_y);
            let tree = PackedRTree::build(&nodes, &extent, NODE_SIZE)
                .map_err(|e| std::io::Error::other(e.to_string()))?;
            tree.stream_write(&mut out)?;
        }
        let mut spool = BufReader::new(self.spool.get_ref());
        let mut feature = vec![];
        for place in &self.features {
            spool.seek(SeekFrom::Start(place.at))?;
            feature.resize(place.length as usize, 0);
            spool.read_exact(&mut feature)?;
            out.write_all(&feature)?;
        }
        out.flush()?;
        std::fs::remove_file(&self.spool_path)
    }
}

impl RowWriter for FlatGeobufWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = self
            .attributes
            .iter()
            .map(|attribute| attribute.values(batch))
            .collect::<Result<Vec<_>>>()?;
        let geometries = self.geometry.wkb(batch)?;
        let mut feature = vec![];
        for row in 0..batch.num_rows() {
            for (i, (attribute, values)) in self.attributes.iter().zip(&columns).enumerate() {
                self.builder
                    .property(i as u16, attribute.kind, values, row)
                    .map_err(|e| {
                        let row = self.geometry.row_number(row);
                        Error::Data(format!(
                            "column \"{}\", row {row} of the result: {e}",
                            attribute.name
                        ))
                    })?;
            }
            let mut bounds = Bounds::EMPTY;
            let tree = match geometries.wkb(row) {
                None => None,
                Some(wkb) => {
                    let wrong = |e: crate::geometry::wkb::WkbError| {
                        self.geometry.invalid(row, &e.to_string())
                    };
                    bounds = crate::geometry::wkb::bounds(wkb).map_err(wrong)?;
                    Some(Tree::read(wkb).map_err(wrong)?)
                }
            };
            if let Some(tree) = &tree {
                self.see(tree, row)?;
                self.bounds = self.bounds.union(&bounds);
            }
            self.builder.finish(tree.as_ref(), &mut feature);
            let length = u32::try_from(feature.len())
                .map_err(|_| self.geometry.invalid(row, "a feature holds up to 4 GB"))?;
            self.spool
                .write_all(&feature)
                .map_err(|e| cannot_write(&self.path, &e))?;
            self.features.push(Place {
                at: self.end,
                length,
                bounds,
            });
            self.end += u64::from(length);
        }
        self.geometry.passed(batch.num_rows());
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.assemble().map_err(|e| cannot_write(&self.path, &e))
    }

    fn memory_size(&self) -> usize {
        // At the end come the nodes of the index, and a copy of them in it.
        self.features.len() * (size_of::<Place>() + 2 * size_of::<NodeItem>())
    }
}

fn column_type(kind: Kind) -> ColumnType {
    match kind {
        Kind::Boolean => ColumnType::Bool,
        Kind::Integer(8) => ColumnType::Byte,
        Kind::Integer(16) => ColumnType::Short,
        Kind::Integer(32) => ColumnType::Int,
        Kind::Integer(_) => ColumnType::Long,
        Kind::Single => ColumnType::Float,
        Kind::Double => ColumnType::Double,
        Kind::Text => ColumnType::String,
        Kind::Bytes => ColumnType::Binary,
        Kind::Date | Kind::Timestamp { .. } => ColumnType::DateTime,
    }
}
