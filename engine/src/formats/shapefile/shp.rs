//! The records of a `.shp`, one after another, as its index orders them.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use super::shape::int;
use crate::formats::files::{cannot_open, cannot_read};
use crate::geometry::Bounds;
use crate::{Error, Result};

const HEADER: u64 = 100;
const MAGIC: i32 = 9994;

/// The header of a `.shp` or `.shx`.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// The type of the shapes.
    pub(super) code: i32,
    /// Of all shapes; `None` where the file does not say.
    pub(super) bounds: Option<Bounds>,
}

/// Opens a `.shp` or `.shx`, and reads past its header. The length is that of the file.
pub(super) fn open(path: &Path) -> Result<(BufReader<File>, Header, u64)> {
    let file = File::open(path).map_err(|e| cannot_open(path, &e))?;
    let length = file.metadata().map_err(|e| cannot_read(path, &e))?.len();
    let mut reader = BufReader::with_capacity(1 << 17, file);
    let mut head = [0; HEADER as usize];
    let whole = match reader.read_exact(&mut head) {
        Ok(()) => int(&head, 0).map(i32::swap_bytes) == Some(MAGIC),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(cannot_read(path, &error)),
    };
    let Some(code) = int(&head, 32).filter(|_| whole) else {
        return Err(Error::Data(format!(
            "{} is no Shapefile: it does not begin as one",
            path.display()
        )));
    };
    let number = |at: usize| {
        let bytes: Option<[u8; 8]> = head.get(at..at + 8).and_then(|b| b.try_into().ok());
        bytes.map_or(f64::NAN, f64::from_le_bytes)
    };
    let bounds = Bounds::new(number(36), number(44), number(52), number(60));
    let header = Header {
        code,
        // Zeros stand for nothing in a file without shapes.
        bounds: (length > HEADER && !bounds.is_empty()).then_some(bounds),
    };
    Ok((reader, header, length))
}

/// How many records an index has.
pub(super) fn indexed(path: &Path) -> Result<Option<u64>> {
    match path.is_file() {
        true => open(path).map(|(_, _, length)| Some((length - HEADER) / 8)),
        false => Ok(None),
    }
}

/// Reads one record after another.
pub(super) struct Shapes<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    index: Option<BufReader<File>>,
    position: u64,
    length: u64,
    /// Of the record that has been read, from one.
    pub(super) number: u64,
    /// The record, less its header.
    pub(super) record: Vec<u8>,
}

impl<'a> Shapes<'a> {
    /// In the order of the index where there is one: records that have grown are at the end of the file, and
    /// what was in their place is still there.
    pub(super) fn open(path: &'a Path, index: &Path) -> Result<Self> {
        let (reader, _, length) = open(path)?;
        let index = match index.is_file() {
            true => Some(open(index)?.0),
            false => None,
        };
        Ok(Self {
            path,
            reader,
            index,
            position: HEADER,
            length,
            number: 0,
            record: vec![],
        })
    }

    /// Reads the next record; `false` at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        let at = match &mut self.index {
            Some(index) => {
                let mut entry = [0; 8];
                match index.read_exact(&mut entry) {
                    Ok(()) => {}
                    Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(false),
                    Err(e) => return Err(cannot_read(self.path, &e)),
                }
                // In words of two bytes.
                u64::from(u32::from_be_bytes([entry[0], entry[1], entry[2], entry[3]])) * 2
            }
            None if self.position + 8 > self.length => return Ok(false),
            None => self.position,
        };
        self.number += 1;
        let move_by = i128::from(at) - i128::from(self.position);
        let moved = match i64::try_from(move_by) {
            Ok(0) => Ok(()),
            Ok(by) => self.reader.seek_relative(by),
            Err(_) => self.reader.seek(SeekFrom::Start(at)).map(drop),
        };
        moved.map_err(|e| cannot_read(self.path, &e))?;
        let mut head = [0; 8];
        if at + 8 > self.length || self.reader.read_exact(&mut head).is_err() {
            return Err(self.cut_short());
        }
        let words = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        let bytes = u64::from(words) * 2;
        self.position = at + 8 + bytes;
        if self.position > self.length {
            return Err(self.cut_short());
        }
        // No more than the file has.
        self.record.resize(usize::try_from(bytes).unwrap_or(0), 0);
        let read = self.reader.read_exact(&mut self.record);
        read.map_err(|e| cannot_read(self.path, &e))?;
        Ok(true)
    }

    fn cut_short(&self) -> Error {
        Error::Data(format!(
            "{}, feature {}: the file ends before it does. It was perhaps not copied to its end, or its .shx belongs to another file",
            self.path.display(),
            self.number
        ))
    }
}
