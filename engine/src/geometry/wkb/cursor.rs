//! Checked reads over one value.

use geo_types::Coord;

use super::{WkbError, WkbHeader, WkbKind};
use crate::geometry::Bounds;

/// A cursor over one value. All reads are checked.
#[derive(Debug, Clone)]
pub struct WkbCursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A run of coordinates as it stands in the value.
#[derive(Debug, Clone, Copy)]
pub struct CoordRun<'a> {
    bytes: &'a [u8],
    at: usize,
    stride: usize,
    little_endian: bool,
}

impl<'a> CoordRun<'a> {
    /// The coordinates of a little-endian two-dimensional line, after its header and count.
    pub(super) fn of_line(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 9,
            stride: 16,
            little_endian: true,
        }
    }

    /// How many coordinates there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.stride
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// x and y of every coordinate, unchecked for NaN.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64)> + use<'a> {
        let little_endian = self.little_endian;
        self.bytes.chunks_exact(self.stride).map(move |chunk| {
            (
                ordinate(chunk, 0, little_endian),
                ordinate(chunk, 1, little_endian),
            )
        })
    }

    /// All ordinates of every coordinate: two, three or four values a time, in file order.
    pub fn ordinates(&self) -> impl Iterator<Item = [f64; 4]> + 'a {
        let (little_endian, n) = (self.little_endian, self.stride / 8);
        self.bytes.chunks_exact(self.stride).map(move |chunk| {
            let mut all = [f64::NAN; 4];
            for (i, slot) in all.iter_mut().enumerate().take(n) {
                *slot = ordinate(chunk, i, little_endian);
            }
            all
        })
    }

    /// Whether x and y of every coordinate are finite.
    pub(crate) fn is_finite(&self) -> bool {
        // One more in the exponent of infinity and NaN, whose bits are all set, carries into the sign.
        const EXPONENT: u64 = 0x7ff << 52;
        let carry = |v: f64| (v.to_bits() & EXPONENT).wrapping_add(1 << 52);
        let odd = match (self.stride, self.little_endian) {
            // The most common layout gets a loop of its own, which needs no shuffling of ordinates.
            (16, true) => self
                .bytes
                .chunks_exact(8)
                .fold(0, |odd, chunk| odd | carry(ordinate(chunk, 0, true))),
            _ => self.iter().fold(0, |odd, (x, y)| odd | carry(x) | carry(y)),
        };
        odd >> 63 == 0
    }

    /// Grows `bounds` to hold every coordinate.
    ///
    /// # Errors
    /// Coordinates that are not finite.
    pub(crate) fn add_to(&self, bounds: &mut Bounds) -> Result<(), WkbError> {
        if !self.is_finite() {
            return self.finite().map(|_| ());
        }
        // As `Bounds::add` without its care for NaN, which is twice as fast.
        let mut all = *bounds;
        let mut add = |x: f64, y: f64| {
            all.min_x = if x < all.min_x { x } else { all.min_x };
            all.min_y = if y < all.min_y { y } else { all.min_y };
            all.max_x = if x > all.max_x { x } else { all.max_x };
            all.max_y = if y > all.max_y { y } else { all.max_y };
        };
        match (self.stride, self.little_endian) {
            (16, true) => self
                .bytes
                .chunks_exact(16)
                .for_each(|chunk| add(ordinate(chunk, 0, true), ordinate(chunk, 1, true))),
            _ => self.iter().for_each(|(x, y)| add(x, y)),
        }
        *bounds = all;
        Ok(())
    }

    pub(crate) fn finite(&self) -> Result<impl Iterator<Item = Coord<f64>> + use<'a>, WkbError> {
        match self
            .iter()
            .position(|(x, y)| !(x.is_finite() && y.is_finite()))
        {
            Some(i) => Err(self.not_finite(i)),
            None => Ok(self.iter().map(|(x, y)| Coord { x, y })),
        }
    }

    /// Appends all coordinates.
    pub(crate) fn append_to(&self, out: &mut Vec<Coord<f64>>) -> Result<(), WkbError> {
        let start = out.len();
        match (self.stride, self.little_endian) {
            // By far the most common layout gets a loop of its own: no more than a copy.
            (16, true) => out.extend(self.bytes.chunks_exact(16).map(|chunk| Coord {
                x: ordinate(chunk, 0, true),
                y: ordinate(chunk, 1, true),
            })),
            _ => out.extend(self.iter().map(|(x, y)| Coord { x, y })),
        }
        // Zero times a finite number is zero, times any other NaN.
        let odd = out[start..]
            .iter()
            .fold(0.0, |odd, c| odd + (c.x * 0.0 + c.y * 0.0));
        if odd == 0.0 {
            return Ok(());
        }
        let at = out[start..]
            .iter()
            .position(|c| !(c.x.is_finite() && c.y.is_finite()));
        Err(self.not_finite(at.unwrap_or_default()))
    }

    fn not_finite(&self, i: usize) -> WkbError {
        let (x, y) = self.iter().nth(i).unwrap_or((f64::NAN, f64::NAN));
        WkbError::NotFinite {
            at: self.at + i * self.stride,
            x,
            y,
        }
    }
}

#[inline]
pub(super) fn ordinate(chunk: &[u8], i: usize, little_endian: bool) -> f64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&chunk[i * 8..i * 8 + 8]);
    if little_endian {
        f64::from_le_bytes(eight)
    } else {
        f64::from_be_bytes(eight)
    }
}

impl<'a> WkbCursor<'a> {
    /// A cursor at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next read.
    pub fn position(&self) -> usize {
        self.at
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8], WkbError> {
        let left = self.bytes.len() - self.at;
        if n > left as u64 {
            return Err(WkbError::Truncated {
                at: self.at,
                needed: n - left as u64,
                left,
            });
        }
        let start = self.at;
        self.at += n as usize;
        Ok(&self.bytes[start..self.at])
    }

    fn u32(&mut self, little_endian: bool) -> Result<u32, WkbError> {
        let mut four = [0; 4];
        four.copy_from_slice(self.take(4)?);
        Ok(if little_endian {
            u32::from_le_bytes(four)
        } else {
            u32::from_be_bytes(four)
        })
    }

    /// Reads byte order, type and SRID.
    pub fn header(&mut self) -> Result<WkbHeader, WkbError> {
        let at = self.at;
        let little_endian = match self.take(1)? {
            [0] => false,
            [1] => true,
            other => {
                return Err(WkbError::ByteOrder {
                    at,
                    found: other.first().copied().unwrap_or_default(),
                });
            }
        };
        let at = self.at;
        let raw = self.u32(little_endian)?;
        let code = raw & 0x1fff_ffff;
        let (thousands, base) = (code / 1000, code % 1000);
        let kind = match WkbKind::from_code(base) {
            Some(kind) if thousands <= 3 => kind,
            _ => return Err(WkbError::Type { at, code: raw }),
        };
        let srid = match raw & 0x2000_0000 {
            0 => None,
            _ => Some(self.u32(little_endian)?),
        };
        Ok(WkbHeader {
            kind,
            has_z: raw & 0x8000_0000 != 0 || thousands & 1 == 1,
            has_m: raw & 0x4000_0000 != 0 || thousands & 2 == 2,
            srid,
            little_endian,
        })
    }

    /// Reads the header of a part of `parent` and holds it to the parent's type.
    pub fn part_header(&mut self, parent: &WkbHeader) -> Result<WkbHeader, WkbError> {
        let at = self.at;
        let header = self.header()?;
        match parent.kind.part() {
            Some(expected) if expected != header.kind => Err(WkbError::Part {
                at,
                found: header.kind.code(),
                expected: expected.code(),
            }),
            _ => Ok(header),
        }
    }

    /// Reads a count of things that take at least `least` bytes each.
    pub fn count(&mut self, header: &WkbHeader, least: usize) -> Result<usize, WkbError> {
        let n = self.u32(header.little_endian)?;
        let left = self.bytes.len() - self.at;
        let needed = u64::from(n) * least as u64;
        if needed > left as u64 {
            return Err(WkbError::Truncated {
                at: self.at,
                needed: needed - left as u64,
                left,
            });
        }
        Ok(n as usize)
    }

    /// Reads the one coordinate of a point.
    pub fn coord(&mut self, header: &WkbHeader) -> Result<CoordRun<'a>, WkbError> {
        self.run(header, 1)
    }

    /// Reads a counted run of coordinates: a line or a ring.
    pub fn coords(&mut self, header: &WkbHeader) -> Result<CoordRun<'a>, WkbError> {
        let n = self.count(header, header.ordinates() * 8)?;
        self.run(header, n)
    }

    fn run(&mut self, header: &WkbHeader, n: usize) -> Result<CoordRun<'a>, WkbError> {
        let stride = header.ordinates() * 8;
        let at = self.at;
        Ok(CoordRun {
            bytes: self.take(n as u64 * stride as u64)?,
            at,
            stride,
            little_endian: header.little_endian,
        })
    }

    /// Fails where bytes are left over.
    pub fn end(&self) -> Result<(), WkbError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            left => Err(WkbError::Trailing { at: self.at, left }),
        }
    }
}
