//! What a function is: one definition from which planning, evaluation, messages and reference
//! documentation all come.

use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::FieldRef;
use datafusion::catalog::TableFunctionImpl;
use datafusion::error::Result;
use datafusion::logical_expr::function::{
    AccumulatorArgs, PartitionEvaluatorArgs, StateFieldsArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, GroupsAccumulator, PartitionEvaluator};

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
    /// What it makes of EMPTY geometries. What it makes of NULL is in [`Function::null`].
    pub empty: &'static str,
    /// Expressions and the text of their values, one or more. What stands after `SELECT`: for an
    /// aggregate with its `FROM`. Rows are lines, columns are separated by `, `.
    pub examples: &'static [(&'static str, &'static str)],
    /// How its values come about.
    pub(super) evaluate: Evaluate,
}

/// How the values of a function come about.
#[derive(Debug)]
pub(super) enum Evaluate {
    /// Values for a batch: one for a call with constants alone. NULL in any argument gives NULL,
    /// and the function is not asked for that row.
    Scalar(fn(&Call<'_>) -> Result<ArrayRef>),
    /// The same for a function that makes something of NULL, which the text says. It asks
    /// [`Call::is_null`] before it takes a value.
    ScalarOfNull(&'static str, fn(&Call<'_>) -> Result<ArrayRef>),
    /// One value for many rows.
    Aggregate(Aggregation),
    /// A value for each row that depends on the rows of its window.
    Window(fn(PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>>),
    /// A table, in `FROM`.
    Table(fn() -> Arc<dyn TableFunctionImpl>),
    /// A condition of a join, which is planned and never evaluated.
    JoinCondition,
}

/// Makes the accumulator of many groups.
pub(super) type MakeGroups = fn(AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>>;

/// How rows become one value. States and values are geometries as `BinaryView` if the
/// function [`Returns::Geometry`].
#[derive(Debug)]
pub(super) struct Aggregation {
    /// The fields of a partial state, which can be merged with others.
    pub(super) state: fn(StateFieldsArgs<'_>) -> Result<Vec<FieldRef>>,
    /// For one group.
    pub(super) accumulator: fn(AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>>,
    /// For many groups at once.
    pub(super) groups: Option<MakeGroups>,
    /// Whether the order of rows (`ORDER BY` within the call) matters.
    pub(super) order: AggregateOrderSensitivity,
}

/// An argument.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// What the reference calls it, and SQL in `name => value`.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
}

/// What an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// WKB, native GeoArrow, or text as WKT.
    Geometry,
    /// A list of geometries, as `array_agg` and `[a, b]` make it.
    Geometries,
    /// Any number, taken as a 64-bit float.
    Number,
    /// A whole number.
    Integer,
    /// Text.
    Text,
    /// Bytes.
    Binary,
    /// TRUE or FALSE.
    Boolean,
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
    /// `BIGINT`, for the identifiers of cells.
    BigInt,
    /// Text.
    Text,
    /// Text for two arguments, `BOOLEAN` for three.
    Relation,
    /// Bytes without the label of a geometry.
    Binary,
    /// A geometry as WKB, in the CRS that the rule names.
    Geometry(CrsRule),
    /// A list of values.
    List(&'static Returns),
    /// A value of named parts, which are never NULL by themselves unless they say so.
    Struct(&'static [(&'static str, Returns)]),
    /// Rows with these columns, of a table function.
    Table(&'static [(&'static str, Returns)]),
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
    /// That of the bounds that are an argument, else Web Mercator, `EPSG:3857`.
    WebMercator,
    /// That of the SRID within the first argument if that is a constant, else the EPSG code in the second, a
    /// constant (0: unknown).
    OfValue,
    /// None that is known.
    Unknown,
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
/// A list of geometries.
pub(super) const GEOMS: Parameter = parameter("geoms", Kind::Geometries);
/// An EPSG code.
pub(super) const SRID: Parameter = parameter("srid", Kind::Integer);

impl Function {
    /// The signatures as the reference writes them, one a line:
    /// `ST_DWithin(a geometry, b geometry, distance number) -> boolean`.
    pub fn signature_text(&self) -> String {
        let line = |parameters: &&[Parameter]| {
            let parameters: Vec<String> = parameters
                .iter()
                .map(|parameter| format!("{} {}", parameter.name, parameter.kind))
                .collect();
            format!(
                "{}({}) -> {}",
                self.name,
                parameters.join(", "),
                self.returns.with(parameters.len())
            )
        };
        self.signatures
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// What it makes of NULL.
    pub fn null(&self) -> &'static str {
        match self.evaluate {
            Evaluate::Scalar(_) => "NULL in any argument gives NULL.",
            Evaluate::ScalarOfNull(null, _) => null,
            Evaluate::Aggregate(_) => {
                "Rows that are NULL are passed over; the value of none is NULL."
            }
            Evaluate::Window(_) => "A row that is NULL is in no group: its value is NULL.",
            Evaluate::Table(_) => "NULL is an error: the arguments are constants.",
            Evaluate::JoinCondition => {
                "A row whose geometry is NULL has no neighbours and is none."
            }
        }
    }

    /// Which CRS the arguments may have, and which the result has.
    pub fn crs(&self) -> String {
        let geometries = |parameters: &&&[Parameter]| {
            let of_geometries =
                |p: &&Parameter| matches!(p.kind, Kind::Geometry | Kind::Geometries);
            parameters.iter().filter(of_geometries).count() > 1
        };
        let mut rules = vec![];
        if self.signatures.iter().any(|p| geometries(&p)) {
            rules.push("The geometries are in one CRS, or it is an error.".to_owned());
        }
        if let Some(rule) = self.returns.crs_rule() {
            rules.push(match rule {
                CrsRule::Arguments => "The result has the CRS of the arguments.".into(),
                CrsRule::Argument(i) => match self.signatures.iter().find_map(|p| p.get(i)) {
                    Some(p) => format!(
                        "The result has the CRS in the argument `{}`, a constant; unknown without it.",
                        p.name
                    ),
                    None => "The CRS of the result is unknown.".into(),
                },
                CrsRule::LonLat => "The result is in OGC:CRS84.".into(),
                CrsRule::WebMercator => "The result is in EPSG:3857, or in the CRS of `bounds`.".into(),
                CrsRule::OfValue => "The result has the CRS of the SRID in a constant, or in the argument `srid`, a constant.".into(),
                CrsRule::Unknown => "The CRS of the result is unknown.".into(),
                CrsRule::Transformed => {
                    "The result has the CRS in the last argument, a constant.".into()
                }
            });
        }
        rules.join(" ")
    }

    /// What kind of function it is, in a word or two.
    pub fn kind(&self) -> &'static str {
        match self.evaluate {
            Evaluate::Scalar(_) | Evaluate::ScalarOfNull(..) => "scalar",
            Evaluate::Aggregate(_) => "aggregate",
            Evaluate::Window(_) => "window",
            Evaluate::Table(_) => "table",
            Evaluate::JoinCondition => "join condition",
        }
    }

    /// Its name and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The parameters that SQL may name: those of the longest argument list.
    pub(super) fn parameter_names(&self) -> Vec<String> {
        self.signatures
            .iter()
            .max_by_key(|parameters| parameters.len())
            .into_iter()
            .flat_map(|parameters| parameters.iter())
            .map(|parameter| parameter.name.to_owned())
            .collect()
    }
}

impl Returns {
    /// The rule of the geometries within.
    pub(super) fn crs_rule(&self) -> Option<CrsRule> {
        match self {
            Returns::Geometry(rule) => Some(*rule),
            Returns::List(item) => item.crs_rule(),
            Returns::Struct(parts) | Returns::Table(parts) => {
                parts.iter().find_map(|(_, part)| part.crs_rule())
            }
            _ => None,
        }
    }
}

impl Returns {
    /// What a call with so many arguments returns.
    pub(super) fn with(self, arguments: usize) -> Self {
        match self {
            Returns::Relation if arguments == 2 => Returns::Text,
            Returns::Relation => Returns::Boolean,
            other => other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Geometry => "geometry",
            Kind::Geometries => "geometry[]",
            Kind::Number => "number",
            Kind::Integer => "integer",
            Kind::Text => "text",
            Kind::Binary => "binary",
            Kind::Boolean => "boolean",
        })
    }
}

impl fmt::Display for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = |f: &mut fmt::Formatter<'_>, parts: &[(&str, Returns)]| {
            for (i, (name, part)) in parts.iter().enumerate() {
                let gap = if i == 0 { "" } else { ", " };
                write!(f, "{gap}{name} {part}")?;
            }
            f.write_str(")")
        };
        match self {
            Returns::Boolean => f.write_str("boolean"),
            Returns::Number => f.write_str("number"),
            Returns::Integer => f.write_str("integer"),
            Returns::BigInt => f.write_str("bigint"),
            Returns::Text => f.write_str("text"),
            Returns::Relation => f.write_str("text or boolean"),
            Returns::Binary => f.write_str("binary"),
            Returns::Geometry(_) => f.write_str("geometry"),
            Returns::List(item) => write!(f, "{item}[]"),
            Returns::Struct(all) => {
                f.write_str("struct(")?;
                parts(f, all)
            }
            Returns::Table(all) => {
                f.write_str("table(")?;
                parts(f, all)
            }
        }
    }
}
