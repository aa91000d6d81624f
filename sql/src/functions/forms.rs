//! WKB in its two forms and two byte orders.

use geoflow_engine::Error;
use geoflow_engine::geometry::wkb::WkbKind;
use geoflow_engine::geometry::{Body, Ordinates, Tree};

use super::call::Call;

/// The order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// Little-endian, `NDR`.
    Little,
    /// Big-endian, `XDR`.
    Big,
}

impl ByteOrder {
    /// Reads `NDR` or `XDR`, in any case.
    pub(super) fn read(call: &Call<'_>, row: usize, text: &str) -> Result<Self, Error> {
        match text.trim().to_ascii_uppercase().as_str() {
            "NDR" => Ok(ByteOrder::Little),
            "XDR" => Ok(ByteOrder::Big),
            _ => Err(call.invalid(
                row,
                format!(
                    "\"{text}\" is no byte order: write 'NDR' (little-endian) or 'XDR' (big-endian)"
                ),
            )),
        }
    }

    fn integer(self, value: u32, out: &mut Vec<u8>) {
        out.extend(match self {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        });
    }

    fn number(self, value: f64, out: &mut Vec<u8>) {
        out.extend(match self {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        });
    }
}

/// How a type says that it has Z, M and an SRID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In thousands, without SRID.
    Iso,
    /// In flags, as PostGIS does; the SRID stands in the outermost header.
    Extended,
}

impl Form {
    /// Appends a geometry with the code of its CRS, 0 if there is none.
    pub(super) fn write(self, tree: &Tree, code: u32, order: ByteOrder, out: &mut Vec<u8>) {
        let dimensions = tree.dimensions;
        out.push(u8::from(order == ByteOrder::Little));
        let (z, m) = (u32::from(dimensions.z), u32::from(dimensions.m));
        let code = match self {
            Form::Iso => 0,
            Form::Extended => code,
        };
        let kind = match self {
            Form::Iso => tree.kind.code() + 1000 * z + 2000 * m,
            Form::Extended => {
                tree.kind.code() | (z << 31) | (m << 30) | (u32::from(code != 0) << 29)
            }
        };
        order.integer(kind, out);
        if code != 0 {
            order.integer(code, out);
        }
        let count = |n: usize, out: &mut Vec<u8>| {
            // What has been read had counts of 32 bits.
            order.integer(u32::try_from(n).unwrap_or(u32::MAX), out);
        };
        let coordinate = |c: &Ordinates, out: &mut Vec<u8>| {
            order.number(c.x, out);
            order.number(c.y, out);
            if dimensions.z {
                order.number(c.z, out);
            }
            if dimensions.m {
                order.number(c.m, out);
            }
        };
        match &tree.body {
            Body::Coords(point) if tree.kind == WkbKind::Point => match point.first() {
                Some(c) => coordinate(c, out),
                None => (0..dimensions.ordinates()).for_each(|_| order.number(f64::NAN, out)),
            },
            Body::Coords(line) => {
                count(line.len(), out);
                line.iter().for_each(|c| coordinate(c, out));
            }
            Body::Rings(rings) => {
                count(rings.len(), out);
                for ring in rings {
                    count(ring.len(), out);
                    ring.iter().for_each(|c| coordinate(c, out));
                }
            }
            Body::Parts(parts) => {
                count(parts.len(), out);
                parts
                    .iter()
                    .for_each(|part| self.write(part, 0, order, out));
            }
        }
    }
}
