//! One of the two systems of a transformation: from its coordinates to places on its ellipsoid, and back.

use proj4rs::Proj;
use proj4rs::transform::{Transform as Coordinates, TransformClosure, transform};

use super::Crs;
use super::definition::Definition;
use super::projection::Projection;
use crate::{Error, Result};

/// A system. Places are longitudes from Greenwich and latitudes, in radians.
#[derive(Debug)]
pub(super) enum Side {
    /// Degrees from Greenwich.
    Degrees,
    Projected(Projection),
    /// All others.
    Proj4rs {
        proj: Box<Both>,
        degrees: bool,
    },
}

/// A system of proj4rs, and longitude and latitude on its ellipsoid.
#[derive(Debug)]
pub(super) struct Both {
    system: Proj,
    places: Proj,
}

impl Side {
    /// # Errors
    /// [`Error::Crs`] for axes, units and projections that are not supported.
    pub(super) fn of(definition: &Definition, crs: &Crs) -> Result<Self> {
        let refuse = |why: &str| {
            Err(Error::Crs(format!(
                "ST_Transform does not support {}: {why}",
                crs.name()
            )))
        };
        let degrees = definition.is_geographic();
        if definition.get("axis").is_some_and(|axis| axis != "enu") {
            return refuse("its axes do not point east and north");
        }
        if degrees && !definition.wkt.contains("UNIT[\"degree\"") {
            return refuse("its unit is not the degree");
        }
        if definition.get("proj") == Some("geocent") {
            return refuse("its coordinates are three-dimensional");
        }
        if degrees && definition.get("pm").is_none() {
            return Ok(Self::Degrees);
        }
        if let Some(projection) = Projection::of(definition) {
            return Ok(Self::Projected(projection));
        }
        let system = Proj::from_proj_string(&definition.without_datum());
        let places = Proj::from_proj_string(&definition.longitude_latitude());
        match (system, places) {
            (Ok(system), Ok(places)) => Ok(Self::Proj4rs {
                proj: Box::new(Both { system, places }),
                degrees,
            }),
            (Err(e), _) | (_, Err(e)) => refuse(&format!("its projection is not available ({e})")),
        }
    }

    /// Whether coordinates are places but for the unit.
    pub(super) fn is_degrees(&self) -> bool {
        matches!(self, Self::Degrees)
    }

    /// The places of coordinates.
    pub(super) fn to_places(&self, x: &mut [f64], y: &mut [f64]) -> Result<(), String> {
        if let Self::Degrees | Self::Proj4rs { degrees: true, .. } = self {
            if let Some(y) = y.iter().find(|y| y.abs() > 90.0) {
                return Err(format!(
                    "the latitude {y} lies beyond the poles (the order is longitude, latitude)"
                ));
            }
            each(x, y, |x, y| (x.to_radians(), y.to_radians()));
        }
        match self {
            Self::Degrees => {}
            Self::Projected(projection) => each(x, y, |x, y| projection.inverse(x, y)),
            Self::Proj4rs { proj, .. } => by_proj4rs(&proj.system, &proj.places, x, y)?,
        }
        Ok(())
    }

    /// The coordinates of places.
    pub(super) fn of_places(&self, x: &mut [f64], y: &mut [f64]) -> Result<(), String> {
        match self {
            Self::Degrees => {}
            Self::Projected(projection) => each(x, y, |x, y| projection.forward(x, y)),
            Self::Proj4rs { proj, .. } => by_proj4rs(&proj.places, &proj.system, x, y)?,
        }
        if let Self::Degrees | Self::Proj4rs { degrees: true, .. } = self {
            each(x, y, |x, y| (x.to_degrees(), y.to_degrees()));
        }
        Ok(())
    }
}

fn each(x: &mut [f64], y: &mut [f64], f: impl Fn(f64, f64) -> (f64, f64)) {
    for (x, y) in x.iter_mut().zip(y.iter_mut()) {
        (*x, *y) = f(*x, *y);
    }
}

fn by_proj4rs(from: &Proj, to: &Proj, x: &mut [f64], y: &mut [f64]) -> Result<(), String> {
    transform(from, to, &mut Slices { x, y })
        .map_err(|e| format!("the coordinates have no image in the target system: {e}"))
}

struct Slices<'a> {
    x: &'a mut [f64],
    y: &'a mut [f64],
}

impl Coordinates for Slices<'_> {
    fn transform_coordinates<F: TransformClosure>(
        &mut self,
        f: &mut F,
    ) -> proj4rs::errors::Result<()> {
        for (x, y) in self.x.iter_mut().zip(self.y.iter_mut()) {
            (*x, *y, _) = f(*x, *y, 0.0)?;
        }
        Ok(())
    }
}
