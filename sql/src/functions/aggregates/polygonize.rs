//! `ST_Polygonize`: what the lines of a group bound.

use geo::Geometry;
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb_writer::write_geometry;
use geoflow_engine::overlay::polygonize;

use super::folds::decode;
use super::parts::Part;
use super::{Finish, aggregation};
use crate::functions::definition::{CrsRule, Evaluate, Function, GEOM, Returns};

pub(super) const POLYGONIZE: Function = Function {
    name: "ST_Polygonize",
    aliases: &["ST_Polygonize_Agg"],
    signatures: &[&[GEOM]],
    returns: Returns::Geometry(CrsRule::Arguments),
    about: "The polygons that the lines and rings of a group bound, as a collection. Lines are cut where they cross first (PostGIS asks for lines that are cut already). Z and M are dropped.",
    empty: "NULL is left out; no geometries give NULL. Lines that bound nothing give GEOMETRYCOLLECTION EMPTY.",
    examples: &[(
        "ST_AsText(ST_Polygonize(line)) FROM (VALUES ('LINESTRING(0 0,4 0,4 4)'), ('LINESTRING(4 4,0 0)')) AS t(line)",
        "GEOMETRYCOLLECTION(POLYGON((0 0,4 4,4 0,0 0)))",
    )],
    evaluate: Evaluate::Aggregate(aggregation::<Polygonize>()),
};

struct Polygonize;

impl Finish for Polygonize {
    const NAME: &'static str = "ST_Polygonize";
    const FOLDABLE: bool = false;

    fn write(parts: &mut dyn Iterator<Item = Part<'_>>, out: &mut Vec<u8>) -> Result<(), Error> {
        let all = parts.map(decode).collect::<Result<Vec<_>, Error>>()?;
        let faces: Vec<Geometry<f64>> = polygonize(&all)
            .into_iter()
            .map(Geometry::Polygon)
            .collect();
        write_geometry(&Geometry::GeometryCollection(faces.into()), out);
        Ok(())
    }
}
