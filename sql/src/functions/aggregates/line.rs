//! `ST_MakeLine` over the points of a group.

use geoflow_engine::Error;
use geoflow_engine::geometry::Ordinates;
use geoflow_engine::geometry::wkb::{WkbCursor, WkbKind, for_each_run};
use geoflow_engine::geometry::wkb_writer::{Dimensions, write_count, write_header};

use super::parts::Part;
use super::{Finish, aggregation};
use crate::functions::definition::{CrsRule, Evaluate, Function, GEOM, Returns};

pub(super) const MAKE_LINE: Function = Function {
    name: "ST_MakeLine",
    aliases: &["ST_MakeLine_Agg"],
    signatures: &[&[GEOM]],
    returns: Returns::Geometry(CrsRule::Arguments),
    about: "The line through the points, multipoints and lines of a group, in the order that ORDER BY says.",
    empty: "NULL is left out; no geometries give NULL. EMPTY adds no coordinates; fewer than two give LINESTRING EMPTY.",
    examples: &[(
        "ST_AsText(ST_MakeLine(ST_Point(x, 0) ORDER BY x DESC)) FROM (VALUES (1), (2)) AS t(x)",
        "LINESTRING(2 0,1 0)",
    )],
    evaluate: Evaluate::Aggregate(aggregation::<MakeLine>()),
};

/// Writes the line through the coordinates of these parts.
pub(in crate::functions) fn make_line(
    parts: &mut dyn Iterator<Item = Part<'_>>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let internal = |e: geoflow_engine::geometry::wkb::WkbError| Error::Internal(e.to_string());
    let mut dimensions = Dimensions::XY;
    let mut coords: Vec<Ordinates> = vec![];
    let absent = Ordinates {
        x: 0.0,
        y: 0.0,
        z: 0.0,
        m: 0.0,
    };
    for part in parts {
        match part {
            Part::Point(x, y) => coords.push(Ordinates { x, y, ..absent }),
            Part::Wkb(bytes) => {
                let header = WkbCursor::new(bytes).header().map_err(internal)?;
                if !matches!(
                    header.kind,
                    WkbKind::Point | WkbKind::MultiPoint | WkbKind::LineString
                ) {
                    return Err(Error::Data(format!(
                        "ST_MakeLine: a line is made of points, multipoints and lines, not of a {}",
                        header.kind.tag()
                    )));
                }
                dimensions.z |= header.has_z;
                dimensions.m |= header.has_m;
                for_each_run(bytes, |header, run| {
                    let all = run
                        .ordinates()
                        .filter(|c| !(c[0].is_nan() && c[1].is_nan()));
                    coords.extend(all.map(|raw| Ordinates::read(raw, header, absent)));
                    Ok(())
                })
                .map_err(internal)?;
            }
        }
    }
    if coords.len() < 2 {
        coords.clear();
    }
    write_header(WkbKind::LineString, dimensions, out);
    write_count(coords.len(), out);
    coords.iter().for_each(|c| c.write(dimensions, out));
    Ok(())
}

struct MakeLine;

impl Finish for MakeLine {
    const NAME: &'static str = "ST_MakeLine";
    const FOLDABLE: bool = false;

    fn write(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
        make_line(parts, out)
    }
}
