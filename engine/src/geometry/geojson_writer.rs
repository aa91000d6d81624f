//! GeoJSON geometry objects from well-known binary (RFC 7946).

use super::number::write_number;
use super::wkb::{CoordRun, MAX_DEPTH, WkbCursor, WkbError, WkbHeader, WkbKind};

/// In which direction rings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingOrder {
    /// As they are stored, which is what PostGIS' ST_AsGeoJSON does.
    AsStored,
    /// Exterior rings counterclockwise, holes clockwise, as RFC 7946 asks of files.
    RightHand,
}

/// Appends the geometry object of a value. M is dropped, as the RFC knows no fourth ordinate, and
/// so is a Z that is no number. What has been appended before an error is unspecified.
///
/// # Errors
/// Anything malformed, and x or y that is not finite.
pub fn wkb_to_geojson(bytes: &[u8], rings: RingOrder, out: &mut String) -> Result<(), WkbError> {
    let mut cursor = WkbCursor::new(bytes);
    let header = cursor.header()?;
    Writer { out, rings }.geometry(&mut cursor, &header, 0)?;
    cursor.end()
}

struct Writer<'a> {
    out: &'a mut String,
    rings: RingOrder,
}

impl Writer<'_> {
    fn geometry(
        &mut self,
        cursor: &mut WkbCursor<'_>,
        header: &WkbHeader,
        depth: usize,
    ) -> Result<(), WkbError> {
        self.out.push_str("{\"type\":\"");
        self.out.push_str(header.kind.name());
        self.out.push_str(match header.kind {
            WkbKind::GeometryCollection => "\",\"geometries\":",
            _ => "\",\"coordinates\":",
        });
        self.body(cursor, header, depth)?;
        self.out.push('}');
        Ok(())
    }

    fn body(
        &mut self,
        cursor: &mut WkbCursor<'_>,
        header: &WkbHeader,
        depth: usize,
    ) -> Result<(), WkbError> {
        if depth > MAX_DEPTH {
            return Err(WkbError::Depth);
        }
        match header.kind {
            WkbKind::Point => {
                let at = cursor.position();
                let run = cursor.coord(header)?;
                if run.iter().all(|(x, y)| x.is_nan() && y.is_nan()) {
                    self.out.push_str("[]");
                    return Ok(());
                }
                for point in read(run, header, at)? {
                    self.position(&point);
                }
                Ok(())
            }
            WkbKind::LineString => {
                let line = line(cursor, header)?;
                self.positions(&line);
                Ok(())
            }
            WkbKind::Polygon => {
                let rings = cursor.count(header, 4)?;
                self.list(rings, |writer, i| {
                    let mut ring = line(cursor, header)?;
                    let area = doubled_area(&ring);
                    if writer.rings == RingOrder::RightHand
                        && area != 0.0
                        && (area > 0.0) != (i == 0)
                    {
                        ring.reverse();
                    }
                    writer.positions(&ring);
                    Ok(())
                })
            }
            kind => {
                let parts = cursor.count(header, 9)?;
                self.list(parts, |writer, _| {
                    let part = cursor.part_header(header)?;
                    match kind {
                        WkbKind::GeometryCollection => writer.geometry(cursor, &part, depth + 1),
                        _ => writer.body(cursor, &part, depth + 1),
                    }
                })
            }
        }
    }

    fn list(
        &mut self,
        n: usize,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), WkbError>,
    ) -> Result<(), WkbError> {
        self.out.push('[');
        for i in 0..n {
            if i > 0 {
                self.out.push(',');
            }
            item(self, i)?;
        }
        self.out.push(']');
        Ok(())
    }

    fn positions(&mut self, points: &[[f64; 3]]) {
        self.out.push('[');
        for (i, point) in points.iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            self.position(point);
        }
        self.out.push(']');
    }

    fn position(&mut self, [x, y, z]: &[f64; 3]) {
        self.out.push('[');
        write_number(*x, self.out);
        self.out.push(',');
        write_number(*y, self.out);
        if z.is_finite() {
            self.out.push(',');
            write_number(*z, self.out);
        }
        self.out.push(']');
    }
}

fn line(cursor: &mut WkbCursor<'_>, header: &WkbHeader) -> Result<Vec<[f64; 3]>, WkbError> {
    // The coordinates follow their count.
    let at = cursor.position() + 4;
    read(cursor.coords(header)?, header, at)
}

/// The coordinates of a run, NaN for a Z that is not there. As many as there are bytes for: the
/// cursor has compared.
fn read(run: CoordRun<'_>, header: &WkbHeader, at: usize) -> Result<Vec<[f64; 3]>, WkbError> {
    run.ordinates()
        .enumerate()
        .map(|(i, [x, y, z, _])| {
            if x.is_finite() && y.is_finite() {
                Ok([x, y, if header.has_z { z } else { f64::NAN }])
            } else {
                let at = at + i * header.ordinates() * 8;
                Err(WkbError::NotFinite { at, x, y })
            }
        })
        .collect()
}

/// Twice the signed area, positive for counterclockwise; relative to the first vertex, which
/// keeps digits for small rings far from the origin.
fn doubled_area(ring: &[[f64; 3]]) -> f64 {
    let Some([x0, y0, _]) = ring.first() else {
        return 0.0;
    };
    ring.windows(2)
        .map(|pair| (pair[0][0] - x0) * (pair[1][1] - y0) - (pair[1][0] - x0) * (pair[0][1] - y0))
        .sum()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn polygon(rings: &[&[(f64, f64)]]) -> Vec<u8> {
        let mut wkb = vec![1, 3, 0, 0, 0];
        wkb.extend((rings.len() as u32).to_le_bytes());
        for ring in rings {
            wkb.extend((ring.len() as u32).to_le_bytes());
            wkb.extend(
                ring.iter()
                    .flat_map(|(x, y)| [x.to_le_bytes(), y.to_le_bytes()].concat()),
            );
        }
        wkb
    }

    fn point(code: [u8; 4], values: &[f64]) -> Vec<u8> {
        let mut wkb = vec![1];
        wkb.extend(code);
        wkb.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        wkb
    }

    fn text(wkb: &[u8], rings: RingOrder) -> String {
        let mut out = String::new();
        wkb_to_geojson(wkb, rings, &mut out).unwrap();
        out
    }

    #[test]
    fn rings_follow_the_right_hand_where_asked() {
        let clockwise = [(0.0, 0.0), (0.0, 9.0), (9.0, 9.0), (9.0, 0.0), (0.0, 0.0)];
        let counter = [(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 1.0)];
        let wkb = polygon(&[&clockwise, &counter]);
        assert_eq!(
            text(&wkb, RingOrder::RightHand),
            "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[9,0],[9,9],[0,9],[0,0]],\
             [[1,1],[2,2],[2,1],[1,1]]]}"
        );
        assert_eq!(
            text(&wkb, RingOrder::AsStored),
            "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[0,9],[9,9],[9,0],[0,0]],\
             [[1,1],[2,1],[2,2],[1,1]]]}"
        );
    }

    #[test]
    fn z_stays_and_m_goes() {
        let point = |code, values: &[f64]| text(&point(code, values), RingOrder::AsStored);
        assert_eq!(
            point([0xb9, 0x0b, 0, 0], &[1.0, 2.0, 3.0, 4.0]),
            "{\"type\":\"Point\",\"coordinates\":[1,2,3]}"
        );
        assert_eq!(
            point([0xd1, 7, 0, 0], &[1.0, 2.0, 3.0]),
            "{\"type\":\"Point\",\"coordinates\":[1,2]}"
        );
    }

    #[test]
    fn empty_and_broken() {
        assert_eq!(
            text(&polygon(&[]), RingOrder::RightHand),
            "{\"type\":\"Polygon\",\"coordinates\":[]}"
        );
        let nan = polygon(&[&[(0.0, f64::NAN)]]);
        let mut out = String::new();
        assert_eq!(
            wkb_to_geojson(&nan, RingOrder::AsStored, &mut out).map_err(|e| e.to_string()),
            Err("the coordinate at byte 13 is (0, NaN): coordinates must be finite numbers".into())
        );
    }
}
