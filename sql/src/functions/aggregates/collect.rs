//! `ST_Collect`: the geometries of a group as parts of one.

use geoflow_engine::Error;
use geoflow_engine::geometry::wkb::{POINT_LEN, WkbCursor, WkbKind, point_xy};
use geoflow_engine::geometry::wkb_with_dimensions;
use geoflow_engine::geometry::wkb_writer::{
    Dimensions, patch_count, write_count, write_header, write_point,
};

use super::parts::Part;
use super::{Finish, aggregation};
use crate::functions::definition::{CrsRule, Evaluate, Function, GEOM, Returns};

pub(super) const COLLECT: Function = Function {
    name: "ST_Collect",
    aliases: &["ST_Collect_Agg", "ST_MemCollect"],
    signatures: &[&[GEOM]],
    returns: Returns::Geometry(CrsRule::Arguments),
    about: "The geometries of a group as the parts of one: a multi geometry of points, lines or polygons alone, a collection of anything else. Nothing is merged. Z or M that only some have is 0 in the others.",
    empty: "NULL is left out; no geometries give NULL. EMPTY stays a part.",
    examples: &[(
        "ST_AsText(ST_Collect(ST_Point(x, 0) ORDER BY x)) FROM (VALUES (1), (2)) AS t(x)",
        "MULTIPOINT((1 0),(2 0))",
    )],
    evaluate: Evaluate::Aggregate(aggregation::<Collect>()),
};

/// Writes a geometry of these parts.
pub(in crate::functions) fn collect(
    parts: &mut dyn Iterator<Item = Part<'_>>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    // Points are by far the most frequent: they are written as they come, until something else does.
    let start = out.len();
    write_header(WkbKind::MultiPoint, Dimensions::XY, out);
    let count = write_count(0, out);
    let mut n = 0;
    let mut odd = None;
    for part in &mut *parts {
        match part {
            Part::Point(x, y) => {
                write_point(x, y, out);
                n += 1;
            }
            other => {
                odd = Some(other);
                break;
            }
        }
    }
    let Some(odd) = odd else {
        patch_count(count, n, out);
        return Ok(());
    };
    let points = out.split_off(count + 4);
    out.truncate(start);
    let points = points
        .chunks_exact(POINT_LEN)
        .filter_map(point_xy)
        .map(|(x, y)| Part::Point(x, y));
    let all: Vec<Part<'_>> = points.chain([odd]).chain(parts).collect();
    mixed(&all, out)
}

fn mixed(parts: &[Part<'_>], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut dimensions = Dimensions::XY;
    let mut kinds = [false; 8];
    for part in parts {
        let (kind, has_z, has_m) = match part {
            Part::Point(..) => (WkbKind::Point, false, false),
            Part::Wkb(bytes) => {
                let header = WkbCursor::new(bytes)
                    .header()
                    .map_err(|e| Error::Internal(e.to_string()))?;
                (header.kind, header.has_z, header.has_m)
            }
        };
        dimensions.z |= has_z;
        dimensions.m |= has_m;
        kinds[kind.code() as usize] = true;
    }
    let kind = match (kinds.iter().filter(|seen| **seen).count(), &kinds) {
        (1, [_, true, ..]) => WkbKind::MultiPoint,
        (1, [_, _, true, ..]) => WkbKind::MultiLineString,
        (1, [_, _, _, true, ..]) => WkbKind::MultiPolygon,
        _ => WkbKind::GeometryCollection,
    };
    write_header(kind, dimensions, out);
    write_count(parts.len(), out);
    let mut bytes = vec![];
    for part in parts {
        bytes.clear();
        part.write(&mut bytes);
        wkb_with_dimensions(&bytes, dimensions, 0.0, 0.0, out)
            .map_err(|e| Error::Internal(e.to_string()))?;
    }
    Ok(())
}

struct Collect;

impl Finish for Collect {
    const NAME: &'static str = "ST_Collect";
    const FOLDABLE: bool = false;

    fn write(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
        collect(parts, out)
    }
}
