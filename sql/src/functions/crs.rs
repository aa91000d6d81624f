//! The CRS of a column: asking for it, and setting the label.

use arrow::array::ArrayRef;
use datafusion::error::Result;
use geoflow_engine::crs::Crs;
use geoflow_engine::geometry::wkb_to_iso;

use super::call::Call;
use super::definition::{
    CrsRule, Evaluate::Scalar, Function, GEOM, Kind, Returns, SRID, parameter,
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_SRID",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Integer,
        about: "The EPSG code of the CRS; 4326 for OGC:CRS84; 0 if the CRS is unknown or has no EPSG code (ST_CRS tells these apart).",
        empty: "EMPTY has the CRS of its column.",
        examples: &[("ST_SRID(ST_Point(1, 2, 3067))", "3067")],
        evaluate: Scalar(|call| {
            let code = call.geometry(0)?.crs().map_or(0, epsg_code);
            call.integers(|_| Ok(Some(code)))
        }),
    },
    Function {
        name: "ST_CRS",
        aliases: &[],
        signatures: &[&[GEOM]],
        returns: Returns::Text,
        about: "The CRS as authority and code, or its name if it has no code; an empty text if it is unknown.",
        empty: "EMPTY has the CRS of its column.",
        examples: &[("ST_CRS(ST_Point(1, 2, 3067))", "EPSG:3067")],
        evaluate: Scalar(|call| {
            let name = call.geometry(0)?.crs().map(Crs::name).unwrap_or_default();
            call.texts(|_, out| {
                out.push_str(&name);
                Ok(())
            })
        }),
    },
    Function {
        name: "ST_SetSRID",
        aliases: &[],
        signatures: &[&[GEOM, SRID]],
        returns: Returns::Geometry(CrsRule::Argument(1)),
        about: "The same coordinates, labelled with the CRS of an EPSG code (0: unknown). ST_Transform changes coordinates.",
        empty: "EMPTY is labelled too.",
        examples: &[("ST_CRS(ST_SetSRID(ST_Point(1, 2), 3067))", "EPSG:3067")],
        evaluate: Scalar(relabel),
    },
    Function {
        name: "ST_SetCRS",
        aliases: &[],
        signatures: &[&[GEOM, parameter("crs", Kind::Text)]],
        returns: Returns::Geometry(CrsRule::Argument(1)),
        about: "The same coordinates, labelled with the CRS of an authority and code, such as 'EPSG:3067'. ST_Transform changes coordinates.",
        empty: "EMPTY is labelled too.",
        examples: &[("ST_SRID(ST_SetCRS(ST_Point(1, 2), 'OGC:CRS84'))", "4326")],
        evaluate: Scalar(relabel),
    },
];

pub(super) fn epsg_code(crs: &Crs) -> i32 {
    if crs.is_lon_lat() {
        return 4326;
    }
    crs.authority_code()
        .and_then(|code| code.strip_prefix("EPSG:")?.parse().ok())
        .unwrap_or(0)
}

fn relabel(call: &Call<'_>) -> Result<ArrayRef> {
    let geometry = call.geometry(0)?;
    call.binaries(|row, out| {
        wkb_to_iso(geometry.wkb(row)?, out).map_err(|e| geometry.invalid(row, e))?;
        Ok(true)
    })
}
