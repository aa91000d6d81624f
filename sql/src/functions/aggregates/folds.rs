//! Aggregates whose result can stand for the geometries that it was made of.

use geo::Geometry;
use geoflow_engine::Error;
use geoflow_engine::geometry::Bounds;
use geoflow_engine::geometry::wkb;
use geoflow_engine::geometry::wkb_writer::{write_geometry, write_point, write_rectangle};
use geoflow_engine::overlay::{Operation, overlay, union_all};
use geoflow_engine::processing::hull_geometry;

use super::parts::Part;
use super::{Finish, aggregation};
use crate::functions::definition::{CrsRule, Evaluate, Function, GEOM, Returns};

pub(super) const UNION: Function = Function {
    name: "ST_Union",
    aliases: &["ST_Union_Agg", "ST_MemUnion", "ST_MemUnion_Agg"],
    signatures: &[&[GEOM]],
    returns: Returns::Geometry(CrsRule::Arguments),
    about: "What lies in any geometry of a group: polygons are merged, lines cut where they meet, points made unique. Z and M are dropped.",
    empty: "NULL is left out; no geometries give NULL. EMPTY adds nothing.",
    examples: &[(
        "ST_AsText(ST_Union(ST_Point(x, 0))) FROM (VALUES (1), (2), (1)) AS t(x)",
        "MULTIPOINT((1 0),(2 0))",
    )],
    evaluate: Evaluate::Aggregate(aggregation::<Union>()),
};

pub(super) const INTERSECTION: Function = Function {
    name: "ST_Intersection_Agg",
    aliases: &[],
    signatures: &[&[GEOM]],
    returns: Returns::Geometry(CrsRule::Arguments),
    about: "What all geometries of a group share. Z and M are dropped.",
    empty: "NULL is left out; no geometries give NULL. With EMPTY nothing is shared.",
    examples: &[(
        "ST_AsText(ST_Intersection_Agg(ST_MakeEnvelope(x, 0, 9, 9))) FROM (VALUES (1), (2)) AS t(x)",
        "POLYGON((2 0,2 9,9 9,9 0,2 0))",
    )],
    evaluate: Evaluate::Aggregate(aggregation::<Intersection>()),
};

pub(super) const CONVEX_HULL: Function = Function {
    name: "ST_ConvexHull_Agg",
    aliases: &[],
    signatures: &[&[GEOM]],
    returns: Returns::Geometry(CrsRule::Arguments),
    about: "The convex hull of all geometries of a group, as ST_ConvexHull(ST_Collect(geom)) in less memory.",
    empty: "NULL is left out; no geometries give NULL. EMPTY alone gives GEOMETRYCOLLECTION EMPTY.",
    examples: &[(
        "ST_AsText(ST_ConvexHull_Agg(ST_Point(x, x))) FROM (VALUES (0), (1), (2)) AS t(x)",
        "LINESTRING(0 0,2 2)",
    )],
    evaluate: Evaluate::Aggregate(aggregation::<ConvexHull>()),
};

pub(super) const EXTENT: Function = Function {
    name: "ST_Extent",
    aliases: &["ST_Envelope_Agg", "ST_Extent_Agg"],
    signatures: &[&[GEOM]],
    returns: Returns::Geometry(CrsRule::Arguments),
    about: "The bounding box of all geometries of a group as a polygon, which has no area where they are all on a line or in a point.",
    empty: "NULL and EMPTY are left out; nothing else gives NULL.",
    examples: &[(
        "ST_AsText(ST_Extent(ST_Point(x, 2 * x))) FROM (VALUES (0), (1)) AS t(x)",
        "POLYGON((0 0,0 2,1 2,1 0,0 0))",
    )],
    evaluate: Evaluate::Aggregate(aggregation::<Extent>()),
};

pub(super) fn decode(part: Part<'_>) -> Result<Geometry<f64>, Error> {
    Ok(match part {
        Part::Point(x, y) => Geometry::Point((x, y).into()),
        Part::Wkb(bytes) => wkb::decode(bytes).map_err(|e| Error::Internal(e.to_string()))?,
    })
}

fn write(geometry: &Geometry<f64>, out: &mut Vec<u8>) {
    match geometry {
        Geometry::MultiPoint(points) if points.0.is_empty() => {
            write_point(f64::NAN, f64::NAN, out);
        }
        other => write_geometry(other, out),
    }
}

fn union(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
    let all = parts.map(decode).collect::<Result<Vec<_>, Error>>()?;
    if let Some(all) = union_all(&all) {
        write(&all, out);
    }
    Ok(())
}

fn intersection(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut shared: Option<Geometry<f64>> = None;
    for part in parts {
        let next = decode(part)?;
        shared = Some(match shared {
            None => next,
            Some(shared) => overlay(&shared, &next, Operation::Intersection),
        });
    }
    if let Some(shared) = shared {
        write(&shared, out);
    }
    Ok(())
}

fn convex_hull(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut points = vec![];
    for part in parts {
        match part {
            Part::Point(x, y) => points.push(geo::Coord { x, y }),
            Part::Wkb(bytes) => wkb::append_coords(bytes, &mut points)
                .map_err(|e| Error::Internal(e.to_string()))?,
        }
    }
    write_geometry(&hull_geometry(&mut points), out);
    Ok(())
}

fn extent(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut all = Bounds::EMPTY;
    for part in parts {
        match part {
            Part::Point(x, y) => all.add(x, y),
            Part::Wkb(bytes) => {
                let one = wkb::bounds(bytes).map_err(|e| Error::Internal(e.to_string()))?;
                all = all.union(&one);
            }
        }
    }
    // Nothing written is NULL.
    if !all.is_empty() {
        let corner = |x, y| geo::Coord { x, y };
        write_rectangle(
            corner(all.min_x, all.min_y),
            corner(all.max_x, all.max_y),
            out,
        );
    }
    Ok(())
}

struct Union;

impl Finish for Union {
    const NAME: &'static str = "ST_Union";
    const FOLDABLE: bool = true;

    fn write(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
        union(parts, out)
    }
}

struct Intersection;

impl Finish for Intersection {
    const NAME: &'static str = "ST_Intersection_Agg";
    const FOLDABLE: bool = true;

    fn write(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
        intersection(parts, out)
    }
}

struct ConvexHull;

impl Finish for ConvexHull {
    const NAME: &'static str = "ST_ConvexHull_Agg";
    const FOLDABLE: bool = true;

    fn write(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
        convex_hull(parts, out)
    }
}

struct Extent;

impl Finish for Extent {
    const NAME: &'static str = "ST_Extent";
    const FOLDABLE: bool = true;

    fn write(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
        extent(parts, out)
    }
}
