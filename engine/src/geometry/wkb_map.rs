//! A value with every coordinate mapped, Z and M among them, and ordinates added or dropped.

use super::wkb::{CoordRun, MAX_DEPTH, WkbCursor, WkbError, WkbHeader, WkbKind};
use super::wkb_writer::{Dimensions, write_count, write_header, write_ordinates};

/// A coordinate with all its ordinates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ordinates {
    /// x
    pub x: f64,
    /// y
    pub y: f64,
    /// z, or what stands for it where there is none.
    pub z: f64,
    /// m, or what stands for it where there is none.
    pub m: f64,
}

impl Ordinates {
    /// Reads what stands in a value of these dimensions, z and m of `absent` where there is none.
    pub fn read(raw: [f64; 4], header: &WkbHeader, absent: Ordinates) -> Self {
        let [x, y, third, fourth] = raw;
        let (z, m) = match (header.has_z, header.has_m) {
            (true, true) => (third, fourth),
            (true, false) => (third, absent.m),
            (false, true) => (absent.z, third),
            (false, false) => (absent.z, absent.m),
        };
        Ordinates { x, y, z, m }
    }

    /// Appends as many ordinates as these dimensions have.
    pub fn write(self, dimensions: Dimensions, out: &mut Vec<u8>) {
        write_ordinates(&[self.x, self.y], out);
        if dimensions.z {
            write_ordinates(&[self.z], out);
        }
        if dimensions.m {
            write_ordinates(&[self.m], out);
        }
    }
}

/// Appends a value with these dimensions, as ISO WKB; `z` and `m` stand where it has none.
///
/// # Errors
/// Anything malformed.
pub fn wkb_with_dimensions(
    bytes: &[u8],
    dimensions: Dimensions,
    z: f64,
    m: f64,
    out: &mut Vec<u8>,
) -> Result<(), WkbError> {
    map_ordinates(bytes, Some(dimensions), (z, m), |c| c, out)
}

/// Appends a value with every coordinate mapped, as ISO WKB, with its own dimensions or others.
/// Where it has no z or m, those of `absent` are given to `map` and stand in the result. POINT EMPTY is not
/// mapped.
///
/// # Errors
/// Anything malformed.
pub fn map_ordinates(
    bytes: &[u8],
    dimensions: Option<Dimensions>,
    absent: (f64, f64),
    mut map: impl FnMut(Ordinates) -> Ordinates,
    out: &mut Vec<u8>,
) -> Result<(), WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    let dimensions = dimensions.unwrap_or(Dimensions {
        z: header.has_z,
        m: header.has_m,
    });
    let absent = Ordinates {
        x: 0.0,
        y: 0.0,
        z: absent.0,
        m: absent.1,
    };
    let mut target = Target {
        dimensions,
        absent,
        map: &mut map,
        out,
    };
    target.body(&mut cursor, &header, 0)?;
    cursor.end()
}

struct Target<'a> {
    dimensions: Dimensions,
    absent: Ordinates,
    map: &'a mut dyn FnMut(Ordinates) -> Ordinates,
    out: &'a mut Vec<u8>,
}

impl Target<'_> {
    fn body(
        &mut self,
        cursor: &mut WkbCursor<'_>,
        header: &WkbHeader,
        depth: usize,
    ) -> Result<(), WkbError> {
        if depth > MAX_DEPTH {
            return Err(WkbError::Depth);
        }
        write_header(header.kind, self.dimensions, self.out);
        match header.kind {
            WkbKind::Point => {
                let run = cursor.coord(header)?;
                match run.iter().all(|(x, y)| x.is_nan() && y.is_nan()) {
                    true => {
                        let nothing = [f64::NAN; 4];
                        write_ordinates(&nothing[..self.dimensions.ordinates()], self.out);
                    }
                    false => self.run(run, header),
                }
            }
            WkbKind::LineString => self.line(cursor, header)?,
            WkbKind::Polygon => {
                let rings = cursor.count(header, 4)?;
                write_count(rings, self.out);
                for _ in 0..rings {
                    self.line(cursor, header)?;
                }
            }
            _ => {
                let parts = cursor.count(header, 9)?;
                write_count(parts, self.out);
                for _ in 0..parts {
                    let part = cursor.part_header(header)?;
                    self.body(cursor, &part, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, cursor: &mut WkbCursor<'_>, header: &WkbHeader) -> Result<(), WkbError> {
        let run = cursor.coords(header)?;
        write_count(run.len(), self.out);
        self.run(run, header);
        Ok(())
    }

    fn run(&mut self, run: CoordRun<'_>, header: &WkbHeader) {
        for raw in run.ordinates() {
            let mapped = (self.map)(Ordinates::read(raw, header, self.absent));
            mapped.write(self.dimensions, self.out);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{wkb_to_wkt, wkt_to_wkb};
    use super::*;

    fn with(text: &str, dimensions: Dimensions) -> String {
        let (mut bytes, mut out, mut back) = (vec![], vec![], String::new());
        wkt_to_wkb(text, &mut bytes).unwrap();
        wkb_with_dimensions(&bytes, dimensions, 7.0, 8.0, &mut out).unwrap();
        wkb_to_wkt(&out, &mut back).unwrap();
        back
    }

    #[test]
    fn ordinates_are_added_and_dropped() {
        assert_eq!(
            with("POINT M (1 2 3)", Dimensions::XYZM),
            "POINT ZM (1 2 7 3)"
        );
        assert_eq!(
            with("POINT ZM (1 2 3 4)", Dimensions::XYM),
            "POINT M (1 2 4)"
        );
        assert_eq!(
            with(
                "GEOMETRYCOLLECTION(POINT EMPTY,LINESTRING(1 2,3 4))",
                Dimensions::XYZ
            ),
            "GEOMETRYCOLLECTION Z (POINT Z EMPTY,LINESTRING Z (1 2 7,3 4 7))"
        );
    }
}
