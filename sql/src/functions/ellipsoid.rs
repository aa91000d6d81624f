//! Ellipsoids that SQL names: `SPHEROID["WGS 84",6378137,298.257223563]`.

use datafusion::error::Result;
use geo::{Distance, Geodesic, GeodesicMeasure, LineString, Point};
use geoflow_engine::Error;

use super::call::Call;
use super::definition::{Kind, Parameter, parameter};

pub(super) const SPHEROID: Parameter = parameter("spheroid", Kind::Text);

/// What geodesics are measured on, by the distance of two points in longitude and latitude.
pub(super) struct Ellipsoid {
    distance: Box<dyn Fn(Point<f64>, Point<f64>) -> f64>,
}

impl Ellipsoid {
    /// That of WGS 84.
    pub(super) fn wgs84() -> Self {
        let distance = Box::new(|a, b| Geodesic.distance(a, b));
        Self { distance }
    }

    /// Reads `SPHEROID["a name",semi-major axis in metres,inverse flattening]`.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (keyword, rest) = text.split_at_checked("SPHEROID".len())?;
        let rest = rest.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
        let (_, numbers) = rest.strip_prefix('"')?.split_once('"')?;
        let (axis, flattening) = numbers.trim().strip_prefix(',')?.split_once(',')?;
        let axis: f64 = axis.trim().parse().ok()?;
        let flattening: f64 = flattening.trim().parse().ok()?;
        // A sphere has no inverse flattening: 0 is written for it.
        let possible = axis > 0.0 && axis.is_finite() && (flattening == 0.0 || flattening > 1.0);
        if !keyword.eq_ignore_ascii_case("SPHEROID") || !possible {
            return None;
        }
        // What geo calls the inverse flattening is the flattening.
        let flattening = if flattening == 0.0 {
            0.0
        } else {
            1.0 / flattening
        };
        let measure = GeodesicMeasure::new(axis, flattening);
        let distance = Box::new(move |a, b| measure.distance(a, b));
        Some(Self { distance })
    }

    /// Metres along the geodesic between two places.
    pub(super) fn distance(&self, a: Point<f64>, b: Point<f64>) -> f64 {
        (self.distance)(a, b)
    }

    /// Metres along a line whose edges are geodesics.
    pub(super) fn length(&self, line: &LineString<f64>) -> f64 {
        let edges = line.lines();
        edges
            .map(|edge| self.distance(edge.start_point(), edge.end_point()))
            .sum()
    }
}

/// The ellipsoids that an argument names, that of WGS 84 without it: one is kept for all rows that say the same.
pub(super) struct Ellipsoids<'c> {
    call: &'c Call<'c>,
    text: Option<Box<dyn Fn(usize) -> &'c str + 'c>>,
    last: Option<(&'c str, Ellipsoid)>,
    wgs84: Ellipsoid,
}

impl<'c> Ellipsoids<'c> {
    pub(super) fn new(call: &'c Call<'c>, argument: usize) -> Result<Self> {
        Ok(Self {
            call,
            text: match call.arity() > argument {
                true => Some(Box::new(call.text(argument)?)),
                false => None,
            },
            last: None,
            wgs84: Ellipsoid::wgs84(),
        })
    }

    pub(super) fn of(&mut self, row: usize) -> Result<&Ellipsoid, Error> {
        let Some(text) = &self.text else {
            return Ok(&self.wgs84);
        };
        let text = text(row);
        if self.last.as_ref().is_none_or(|(last, _)| *last != text) {
            let wrong = || {
                self.call.invalid(
                    row,
                    format!(
                        "'{text}' is no spheroid, as SPHEROID[\"WGS 84\",6378137,298.257223563] is one"
                    ),
                )
            };
            self.last = Some((text, Ellipsoid::parse(text).ok_or_else(wrong)?));
        }
        Ok(self.last.as_ref().map_or(&self.wgs84, |(_, last)| last))
    }
}
