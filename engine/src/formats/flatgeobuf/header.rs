//! The beginning of a FlatGeobuf file.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use ::flatgeobuf::{ColumnType, size_prefixed_root_as_header};
use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::crs::Crs;
use crate::formats::files::{cannot_open, cannot_read};
use crate::geometry::Bounds;
use crate::{Error, Result};

/// Bytes that a header may have.
const MOST: usize = 10 << 20;

/// Bytes of a node of the index.
pub(super) const NODE: u64 = 40;

/// What a file says of itself.
#[derive(Debug, Clone)]
pub(super) struct FileHeader {
    /// The type of all geometries by its number in the format, 0 for any.
    pub(super) geometry_type: u8,
    pub(super) has_z: bool,
    pub(super) has_m: bool,
    pub(super) columns: Vec<(u8, Field)>,
    pub(super) crs: Option<Crs>,
    /// 0 where it is not known.
    pub(super) features: u64,
    /// Children of a node, 0 where there is no index.
    pub(super) node_size: u16,
    pub(super) extent: Option<Bounds>,
    /// Where the index begins.
    pub(super) index_at: u64,
    /// Where the features begin.
    pub(super) features_at: u64,
    /// Of the file.
    pub(super) length: u64,
}

/// Opens a file, and reads its header.
pub(super) fn open(path: &Path) -> Result<(BufReader<File>, FileHeader)> {
    let file = File::open(path).map_err(|e| cannot_open(path, &e))?;
    let length = file.metadata().map_err(|e| cannot_read(path, &e))?.len();
    let mut reader = BufReader::with_capacity(1 << 17, file);
    let broken = |what: &str| Error::Data(format!("{}: {what}", path.display()));
    let ended = |e: std::io::Error| match e.kind() {
        ErrorKind::UnexpectedEof => broken("the file ends within its header"),
        _ => cannot_read(path, &e),
    };
    let mut magic = [0; 12];
    if length >= 12 {
        reader.read_exact(&mut magic).map_err(ended)?;
    }
    if !matches!(magic, [b'f', b'g', b'b', _, b'f', b'g', b'b', ..]) {
        return Err(broken("this is no FlatGeobuf: it does not begin with fgb"));
    }
    if magic[3] > ::flatgeobuf::VERSION {
        return Err(broken(&format!(
            "FlatGeobuf of version {} is not supported",
            magic[3]
        )));
    }
    let prefix = [magic[8], magic[9], magic[10], magic[11]];
    let size = u32::from_le_bytes(prefix) as usize;
    if !(8..=MOST).contains(&size) || size as u64 > length - 12 {
        return Err(broken(
            "the header has no length that can be: the file is damaged or cut short",
        ));
    }
    let mut buffer = prefix.to_vec();
    buffer.resize(4 + size, 0);
    reader.read_exact(&mut buffer[4..]).map_err(ended)?;
    let header = size_prefixed_root_as_header(&buffer)
        .map_err(|e| broken(&format!("the header is damaged: {e}")))?;
    let mut columns = vec![];
    for column in header.columns().iter().flatten() {
        let data_type = data_type(column.type_()).ok_or_else(|| {
            broken(&format!(
                "column \"{}\" has a type that is not known",
                column.name()
            ))
        })?;
        // Writers leave out NULL, and declare columns as they like.
        columns.push((column.type_().0, Field::new(column.name(), data_type, true)));
    }
    let crs = match header.crs() {
        None => None,
        Some(crs) => {
            let organisation = crs.org().filter(|org| !org.is_empty()).unwrap_or("EPSG");
            match (crs.code(), crs.code_string()) {
                (0, Some(code)) if !code.is_empty() => {
                    Some(Crs::from_authority_code(&format!("{organisation}:{code}"))?)
                }
                (0, _) => crs.wkt().map(Crs::from_wkt).transpose()?.flatten(),
                (code, _) => Some(Crs::from_authority_code(&format!("{organisation}:{code}"))?),
            }
        }
    };
    let (features, node_size) = (header.features_count(), header.index_node_size());
    let index_at = 12 + size as u64;
    let index = match node_size > 0 && features > 0 {
        true => super::index::nodes(features, node_size).and_then(|n| n.checked_mul(NODE)),
        false => Some(0),
    };
    let features_at = index.and_then(|index| index_at.checked_add(index));
    let features_at = features_at.filter(|at| *at <= length).ok_or_else(|| {
        broken("the file ends within its index: it was perhaps not copied to its end")
    })?;
    let extent = header.envelope().and_then(|envelope| {
        let side = |i: usize| (i < envelope.len()).then(|| envelope.get(i));
        let bounds = Bounds::new(side(0)?, side(1)?, side(2)?, side(3)?);
        (!bounds.is_empty()).then_some(bounds)
    });
    let found = FileHeader {
        geometry_type: header.geometry_type().0,
        has_z: header.has_z(),
        has_m: header.has_m(),
        columns,
        crs,
        features,
        node_size,
        extent,
        index_at,
        features_at,
        length,
    };
    Ok((reader, found))
}

fn data_type(column: ColumnType) -> Option<DataType> {
    Some(match column {
        ColumnType::Byte => DataType::Int8,
        ColumnType::UByte => DataType::UInt8,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Short => DataType::Int16,
        ColumnType::UShort => DataType::UInt16,
        ColumnType::Int => DataType::Int32,
        ColumnType::UInt => DataType::UInt32,
        ColumnType::Long => DataType::Int64,
        ColumnType::ULong => DataType::UInt64,
        ColumnType::Float => DataType::Float32,
        ColumnType::Double => DataType::Float64,
        ColumnType::String | ColumnType::Json => DataType::Utf8,
        ColumnType::DateTime => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        ColumnType::Binary => DataType::Binary,
        _ => return None,
    })
}
