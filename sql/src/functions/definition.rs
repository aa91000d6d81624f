//! What a function is: one definition from which planning, evaluation, messages and reference
//! documentation all come.

use std::fmt;

use arrow::array::ArrayRef;
use datafusion::error::Result;

use super::call::Call;

/// An `ST_` function.
#[derive(Debug)]
pub struct Function {
    /// The PostGIS spelling: `ST_Within`. SQL finds it in any case.
    pub name: &'static str,
    /// Names that other systems give it.
    pub aliases: &'static [&'static str],
    /// Its argument lists, one or more.
    pub signatures: &'static [&'static [Parameter]],
    /// What it returns.
    pub returns: Returns,
    /// What it does, in a sentence or two.
    pub about: &'static str,
    /// What it makes of EMPTY geometries. NULL in any argument gives NULL, always.
    pub empty: &'static str,
    /// An expression and the text of its value.
    pub example: (&'static str, &'static str),
    /// Its values for a batch: one for a call with constants alone.
    pub(super) evaluate: fn(&Call<'_>) -> Result<ArrayRef>,
}

/// An argument.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// What the reference calls it.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
}

/// What an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// WKB, native GeoArrow, or text as WKT.
    Geometry,
    /// Any number, taken as a 64-bit float.
    Number,
    /// A whole number.
    Integer,
    /// Text.
    Text,
    /// Bytes.
    Binary,
}

/// What a function returns.
#[derive(Debug, Clone, Copy)]
pub enum Returns {
    /// `BOOLEAN`
    Boolean,
    /// `DOUBLE`
    Number,
    /// `INT`
    Integer,
    /// Text.
    Text,
    /// Bytes without the label of a geometry.
    Binary,
    /// A geometry as WKB, in the CRS that the rule names.
    Geometry(CrsRule),
}

/// Which CRS a resulting geometry has.
#[derive(Debug, Clone, Copy)]
pub enum CrsRule {
    /// That of the arguments, which agree; unknown if none is known.
    Arguments,
    /// The code in this argument, a constant: a number is an EPSG code (0: unknown), text an
    /// authority and a code. Unknown if the argument is not given.
    Argument(usize),
    /// Longitude and latitude on WGS 84.
    LonLat,
    /// The code in the last argument, a constant; the coordinates are transformed to it from the
    /// code in the argument before it, or from the CRS of the column.
    Transformed,
}

pub(super) const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind }
}

/// A geometry argument named `geom`.
pub(super) const GEOM: Parameter = parameter("geom", Kind::Geometry);
/// The first of two geometries.
pub(super) const A: Parameter = parameter("a", Kind::Geometry);
/// The second of two geometries.
pub(super) const B: Parameter = parameter("b", Kind::Geometry);
/// An EPSG code.
pub(super) const SRID: Parameter = parameter("srid", Kind::Integer);

impl Function {
    /// The signatures as the reference writes them, one a line:
    /// `ST_DWithin(a geometry, b geometry, distance number) -> boolean`.
    pub fn signature_text(&self) -> String {
        let mut text = String::new();
        for (i, parameters) in self.signatures.iter().enumerate() {
            if i > 0 {
                text.push('\n');
            }
            text.push_str(self.name);
            text.push('(');
            for (i, parameter) in parameters.iter().enumerate() {
                if i > 0 {
                    text.push_str(", ");
                }
                text.push_str(&format!("{} {}", parameter.name, parameter.kind));
            }
            text.push_str(&format!(") -> {}", self.returns));
        }
        text
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Geometry => "geometry",
            Kind::Number => "number",
            Kind::Integer => "integer",
            Kind::Text => "text",
            Kind::Binary => "binary",
        })
    }
}

impl fmt::Display for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Returns::Boolean => "boolean",
            Returns::Number => "number",
            Returns::Integer => "integer",
            Returns::Text => "text",
            Returns::Binary => "binary",
            Returns::Geometry(_) => "geometry",
        })
    }
}
