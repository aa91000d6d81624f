//! Casts to and from geometry: `'POINT(1 2)'::geometry`, `geom::bytea`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::logical_expr::{Case, Cast, Expr, ExprSchemable, TryCast};
use datafusion::sql::sqlparser::ast::DataType as SqlType;
use geoflow_engine::crs::{Crs, check_same_crs};
use geoflow_engine::geometry::GeometryType;

use super::align::call;
use super::find::{branches, label_of};
use super::label::{Label, label};

/// The name of the target field by which a cast that a user wrote is told from one that the
/// planner put in.
const BYTES: &str = "bytea";

/// Reads the SQL types `geometry`, `geometry(Point, 4326)` and those of bytes.
#[derive(Debug, Default)]
pub struct GeometryTypes {}

impl TypePlanner for GeometryTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        match sql_type {
            SqlType::Bytea | SqlType::Blob(_) | SqlType::Binary(_) | SqlType::Varbinary(_) => {
                Ok(Some(Arc::new(Field::new(BYTES, DataType::Binary, true))))
            }
            SqlType::Custom(name, modifiers) => {
                let name = name.to_string();
                match name.trim_matches('"').to_ascii_lowercase().as_str() {
                    "geometry" | "public.geometry" => {
                        let crs = crs_of(modifiers)?;
                        let field = Field::new("geometry", DataType::BinaryView, true);
                        Ok(Some(Arc::new(GeometryType::wkb(crs).apply_to(field))))
                    }
                    "geography" | "public.geography" => plan_err!(
                        "there is no type geography: geometries are computed in the plane. ST_DistanceSphere, ST_DistanceSpheroid, \
                         ST_AreaSpheroid and ST_LengthSpheroid measure on the earth, ST_Transform leads to a CRS in metres"
                    ),
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }
}

/// The SRID of `geometry(Point, 4326)`. The type of geometry is not held to.
fn crs_of(modifiers: &[String]) -> Result<Option<Crs>> {
    match modifiers {
        [] | [_] => Ok(None),
        [_, srid] => match srid.trim().parse::<u32>() {
            Ok(0) => Ok(None),
            Ok(code) => Ok(Some(Crs::from_authority_code(&format!("EPSG:{code}"))?)),
            Err(_) => plan_err!("{srid} is no SRID: write geometry(Point, 4326)"),
        },
        _ => plan_err!("the type is written geometry, geometry(Point) or geometry(Point, 4326)"),
    }
}

/// Settles a cast to or from a geometry, and text where its fellows are geometries.
pub(super) fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Cast(Cast { expr, field }) => match settle(&expr, &field, schema)? {
            Some(settled) => Ok(Transformed::yes(settled)),
            None => Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
        },
        Expr::TryCast(TryCast { expr, field }) => {
            if GeometryType::from_field(&field)?.is_some() {
                return plan_err!(
                    "TRY_CAST does not lead to geometry: write CAST, or ST_GeomFromText"
                );
            }
            Ok(Transformed::no(Expr::TryCast(TryCast { expr, field })))
        }
        Expr::Case(case) => text_branches(case, schema),
        // Of all types, nvl would make text.
        Expr::ScalarFunction(call) if call.func.name() == "nvl" => {
            let mut geometry = false;
            for arg in &call.args {
                geometry |= label_of(arg, schema)?.is_some();
            }
            Ok(match geometry {
                true => Transformed::yes(datafusion::functions::core::expr_fn::coalesce(call.args)),
                false => Transformed::no(Expr::ScalarFunction(call)),
            })
        }
        other => Ok(Transformed::no(other)),
    }
}

fn settle(expr: &Expr, target: &Field, schema: &DFSchema) -> Result<Option<Expr>> {
    let source = expr.to_field(schema)?.1;
    match (
        GeometryType::from_field(&source)?,
        GeometryType::from_field(target)?,
    ) {
        (Some(from), Some(to)) => {
            check_same_crs(
                source.name(),
                from.crs.as_ref(),
                "the type",
                to.crs.as_ref(),
                "a cast, which changes no coordinates,",
            )?;
            let crs = from.crs.or(to.crs);
            let list = false;
            let ty = GeometryType {
                encoding: from.encoding,
                crs,
            };
            Ok(Some(label(expr.clone(), Label { ty, list })))
        }
        (None, Some(to)) => to_geometry(expr, &source, to).map(Some),
        (Some(_), None) if target.name() == BYTES => {
            let bytes = call("ST_AsBinary", vec![expr.clone()])?;
            Ok(Some(Expr::Cast(Cast::new(
                Box::new(bytes),
                target.data_type().clone(),
            ))))
        }
        (Some(_), None) if is_text(target.data_type()) => plan_err!(
            "a geometry ({}) is no text: ST_AsText gives its WKT, encode(ST_AsBinary(geom), 'hex') its WKB, \
             and ST_GeomFromText makes a geometry of text",
            source.name()
        ),
        _ => Ok(None),
    }
}

fn to_geometry(expr: &Expr, source: &Field, to: GeometryType) -> Result<Expr> {
    let labelled = |expr: Expr, to: GeometryType| {
        let list = false;
        label(expr, Label { ty: to, list })
    };
    match source.data_type() {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            Ok(labelled(expr.clone(), to))
        }
        DataType::Null => {
            let null = Cast::new(Box::new(expr.clone()), DataType::BinaryView);
            Ok(labelled(Expr::Cast(null), to))
        }
        data_type if is_text(data_type) => {
            let geometry = from_text(expr)?;
            let from = label_of(&geometry, &DFSchema::empty()).ok().flatten();
            check_same_crs(
                "the text",
                from.and_then(|label| label.ty.crs).as_ref(),
                "the type",
                to.crs.as_ref(),
                "a cast, which changes no coordinates,",
            )?;
            match to.crs {
                Some(_) => Ok(labelled(geometry, to)),
                None => Ok(geometry),
            }
        }
        other => plan_err!("{other} cannot be cast to geometry: text as WKT and bytes as WKB can"),
    }
}

/// A geometry from text: a constant in any of the forms that PostGIS takes, a column of WKT.
fn from_text(expr: &Expr) -> Result<Expr> {
    let constant = match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::trim_start),
        _ => None,
    };
    let is_hex = |text: &str| {
        text.len() >= 10 && text.starts_with('0') && text.chars().all(|c| c.is_ascii_hexdigit())
    };
    match constant {
        Some(text) if text.starts_with('{') => call("ST_GeomFromGeoJSON", vec![expr.clone()]),
        Some(text)
            if text
                .get(..5)
                .is_some_and(|tag| tag.eq_ignore_ascii_case("SRID=")) =>
        {
            call("ST_GeomFromEWKT", vec![expr.clone()])
        }
        Some(text) if is_hex(text) => call("ST_GeomFromHEXEWKB", vec![expr.clone()]),
        _ => call("ST_GeomFromText", vec![expr.clone()]),
    }
}

/// `CASE WHEN a THEN geom ELSE 'POINT EMPTY' END`: the text is a geometry, as in PostGIS.
fn text_branches(case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut geometry = false;
    let mut text = false;
    for branch in branches(&case) {
        geometry |= label_of(branch, schema)?.is_some_and(|label| !label.list);
        text |= is_text(&branch.get_type(schema)?);
    }
    if !(geometry && text) {
        return Ok(Transformed::no(Expr::Case(case)));
    }
    let as_geometry = |expr: Box<Expr>| -> Result<Box<Expr>> {
        match is_text(&expr.get_type(schema)?) {
            true => from_text(&expr).map(Box::new),
            false => Ok(expr),
        }
    };
    let when_then_expr = case
        .when_then_expr
        .into_iter()
        .map(|(when, then)| Ok((when, as_geometry(then)?)))
        .collect::<Result<Vec<_>>>()?;
    let else_expr = case.else_expr.map(as_geometry).transpose()?;
    Ok(Transformed::yes(Expr::Case(Case {
        expr: case.expr,
        when_then_expr,
        else_expr,
    })))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}
