//! A Shapefile: geometries, their index, and a table.
//!
//! ```text
//!  rows ──> .shp | header | number, length, shape | ...
//!       ├─> .shx | header | where, length | ...
//!       └─> .dbf   .prj   .cpg
//! ```

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::geometry::only_geometry;
use super::shapefile_dbf::Dbf;
use super::shapefile_shape::{Family, Range, Ranges, write_shape};
use super::staged::cannot_write;
use super::{GeometryColumn, RowWriter};
use crate::geometry::Tree;
use crate::geometry::wkb_writer::Dimensions;
use crate::{Error, Result};

/// A file of a Shapefile ends before this many bytes.
pub(super) const LIMIT: u64 = 1 << 31;

/// Bytes of the headers of `.shp` and `.shx`.
const HEADER: u64 = 100;

/// Writes rows as shapes.
pub(super) struct ShapefileWriter {
    path: PathBuf,
    shapes: BufWriter<File>,
    index: BufWriter<File>,
    table: Dbf,
    geometry: GeometryColumn,
    family: Option<(Family, Dimensions)>,
    ranges: Ranges,
    rows: i32,
    end: u64,
}

impl ShapefileWriter {
    /// Makes the file `path` and those beside it.
    pub(super) fn create(path: &Path, schema: &Schema) -> Result<Self> {
        let Some(geometry) = only_geometry(schema, "a Shapefile")? else {
            return Err(Error::Statement(
                "a Shapefile needs a geometry column, and the rows have none: make one with ST_Point(x, y), or write .csv"
                    .to_owned(),
            ));
        };
        let failed = |e: std::io::Error| cannot_write(path, &e);
        let table = Dbf::create(&path.with_extension("dbf"), schema, geometry.index)?;
        if let Some(crs) = &geometry.ty.crs {
            let Some(wkt) = crs.to_wkt1() else {
                return Err(Error::Crs(format!(
                    "a Shapefile describes its CRS as WKT, which geoflow does not know of {crs}, the CRS of \"{0}\": \
                     write ST_Transform({0}, 'EPSG:...')",
                    geometry.name
                )));
            };
            std::fs::write(path.with_extension("prj"), plain_wkt(wkt)).map_err(failed)?;
        }
        std::fs::write(path.with_extension("cpg"), "UTF-8").map_err(failed)?;
        let create = |extension: &str| -> std::io::Result<BufWriter<File>> {
            let mut file = BufWriter::new(File::create(path.with_extension(extension))?);
            file.write_all(&[0; HEADER as usize])?;
            Ok(file)
        };
        Ok(Self {
            shapes: create("shp").map_err(failed)?,
            index: create("shx").map_err(failed)?,
            path: path.to_owned(),
            table,
            geometry,
            family: None,
            ranges: [Range::NONE; 4],
            rows: 0,
            end: HEADER,
        })
    }

    /// What all shapes of the file are, as the first one tells.
    fn family(&mut self, tree: &Tree, row: usize) -> Result<Family> {
        let wrong = |what: &str| Err(self.geometry.invalid(row, what));
        let Some(family) = Family::of(tree.kind) else {
            return wrong(
                "a Shapefile holds no collections: take their parts with ST_CollectionExtract, or write a GeoPackage",
            );
        };
        if tree.is_empty() {
            return wrong(
                "it is EMPTY, which a Shapefile cannot tell from NULL: leave such rows out with NOT ST_IsEmpty, or write a GeoPackage",
            );
        }
        let own = (family, tree.dimensions);
        let first = *self.family.get_or_insert(own);
        if first.0 != own.0 {
            return wrong(&format!(
                "it is a {}, and a Shapefile holds one type of geometry, those before are of another: \
                 write one file for each with WHERE ST_GeometryType(...) = ..., or a GeoPackage",
                tree.kind.name()
            ));
        }
        if first.1 != own.1 {
            return wrong(
                "it has other dimensions than those before, and all of a Shapefile have the same: \
                 bring them in line with ST_Force2D or ST_Force3D",
            );
        }
        Ok(family)
    }

    fn record(&mut self, shape: &[u8]) -> Result<()> {
        let failed = |e: std::io::Error| cannot_write(&self.path, &e);
        let words = |bytes: u64| (bytes / 2) as u32;
        if self.end + 8 + shape.len() as u64 >= LIMIT {
            return Err(Error::Data(format!(
                "row {} of the result goes beyond the 2 GB where a Shapefile ends: write a GeoPackage or GeoParquet",
                self.geometry.row_number(0)
            )));
        }
        self.rows += 1;
        let length = words(shape.len() as u64).to_be_bytes();
        let entry = [words(self.end).to_be_bytes(), length].concat();
        let head = [self.rows.to_be_bytes(), length].concat();
        self.index.write_all(&entry).map_err(failed)?;
        self.shapes.write_all(&head).map_err(failed)?;
        self.shapes.write_all(shape).map_err(failed)?;
        self.end += 8 + shape.len() as u64;
        Ok(())
    }

    fn header(&self, bytes: u64) -> Vec<u8> {
        let mut header = vec![];
        header.extend(9994_i32.to_be_bytes());
        header.resize(24, 0);
        header.extend(((bytes / 2) as u32).to_be_bytes());
        header.extend(1000_i32.to_le_bytes());
        let code = self
            .family
            .map_or(0, |(family, dimensions)| family.code(dimensions));
        header.extend(code.to_le_bytes());
        let [x, y, mut z, mut m] = self.ranges;
        let dimensions = self
            .family
            .map_or(Dimensions::XY, |(_, dimensions)| dimensions);
        if !dimensions.z {
            z = Range::NONE;
        }
        if !dimensions.m {
            m = Range::NONE;
        }
        for side in [x.0, y.0, x.1, y.1, z.0, z.1, m.0, m.1] {
            let side = if side.is_finite() { side } else { 0.0 };
            header.extend(side.to_le_bytes());
        }
        header
    }
}

impl RowWriter for ShapefileWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let geometries = self.geometry.wkb(batch)?;
        let mut shape = vec![];
        for row in 0..batch.num_rows() {
            shape.clear();
            match geometries.wkb(row) {
                None => shape.extend(0_i32.to_le_bytes()),
                Some(wkb) => {
                    let tree =
                        Tree::read(wkb).map_err(|e| self.geometry.invalid(row, &e.to_string()))?;
                    let family = self.family(&tree, row)?;
                    let ranges = write_shape(&tree, family, &mut shape);
                    for (all, own) in self.ranges.iter_mut().zip(ranges) {
                        all.add(own);
                    }
                }
            }
            self.record(&shape)?;
        }
        self.geometry.passed(batch.num_rows());
        self.table.write(batch)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let headers = [
            self.header(self.end),
            self.header(HEADER + 8 * self.rows as u64),
        ];
        let path = self.path.clone();
        for (file, header) in [&mut self.shapes, &mut self.index].into_iter().zip(headers) {
            file.rewind()
                .and_then(|()| file.write_all(&header))
                .and_then(|()| file.flush())
                .map_err(|e| cannot_write(&path, &e))?;
        }
        self.table.finish()
    }
}

/// WKT without what a .prj does not have: axes, whose order is always east, north; and datum shifts.
fn plain_wkt(wkt: &str) -> String {
    let mut plain = wkt.to_owned();
    for node in [",AXIS[", ",TOWGS84["] {
        while let Some(start) = plain.find(node) {
            let Some(length) = plain[start..].find(']') else {
                break;
            };
            plain.replace_range(start..=start + length, "");
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projections_without_axes() {
        let wkt = r#"PROJCS["x",GEOGCS["y",TOWGS84[0,0,0,0,0,0,0],UNIT["d",1]],AXIS["E",EAST],AXIS["N",NORTH]]"#;
        assert_eq!(plain_wkt(wkt), r#"PROJCS["x",GEOGCS["y",UNIT["d",1]]]"#);
    }
}
