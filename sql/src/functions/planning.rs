//! What is decided when a call is planned: its signature, its CRS, the field it returns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::ReturnFieldArgs;
use geoflow_engine::Error;
use geoflow_engine::crs::{Crs, Transform};
use geoflow_engine::geometry::GeometryType;

use super::definition::{CrsRule, Function, Kind, Parameter, Returns};
use super::extended::{bytes_of, split_srid, srid_of};

/// The field that a call returns: lists and structs have labelled geometries within.
///
/// # Errors
/// Arguments that fit no signature (the message shows them all), a CRS that is no constant or not
/// understood.
pub(super) fn return_field(function: &Function, args: &ReturnFieldArgs<'_>) -> Result<FieldRef> {
    let parameters = matching_signature(function, args.arg_fields)?;
    let crs = common_crs(parameters, args.arg_fields)?;
    let crs = match function.returns.crs_rule() {
        None => None,
        Some(CrsRule::Arguments) => crs,
        Some(CrsRule::LonLat) => Some(Crs::lon_lat()),
        Some(CrsRule::WebMercator) => match parameters.iter().any(|p| p.kind == Kind::Geometry) {
            true => crs,
            false => Some(Crs::from_authority_code("EPSG:3857")?),
        },
        Some(CrsRule::OfValue) if parameters.len() > 1 => {
            crs_argument(function, parameters, args, 1)?
        }
        Some(CrsRule::OfValue) => crs_of_value(args.scalar_arguments.first().copied().flatten())?,
        Some(CrsRule::Unknown) => None,
        Some(CrsRule::Transformed) => transformed(function, parameters, args, crs)?,
        Some(CrsRule::Argument(i)) => crs_argument(function, parameters, args, i)?,
    };
    let name = function.name.to_ascii_lowercase();
    let returns = function.returns.with(parameters.len());
    Ok(Arc::new(field(&name, &returns, crs.as_ref())))
}

/// A field of what a function returns, all of whose geometries are in one CRS.
pub(super) fn field(name: &str, returns: &Returns, crs: Option<&Crs>) -> Field {
    let data_type = match returns {
        Returns::Boolean | Returns::Relation => DataType::Boolean,
        Returns::Number => DataType::Float64,
        Returns::Integer => DataType::Int32,
        Returns::BigInt => DataType::Int64,
        Returns::Text => DataType::Utf8View,
        Returns::Binary | Returns::Geometry(_) => DataType::BinaryView,
        Returns::List(item) => {
            DataType::List(Arc::new(field(Field::LIST_FIELD_DEFAULT_NAME, item, crs)))
        }
        Returns::Struct(parts) | Returns::Table(parts) => DataType::Struct(
            parts
                .iter()
                .map(|(name, part)| field(name, part, crs))
                .collect(),
        ),
    };
    let field = Field::new(name, data_type, true);
    match returns {
        Returns::Geometry(_) => GeometryType::wkb(crs.cloned()).apply_to(field),
        _ => field,
    }
}

/// The first signature that the argument types fit.
pub(super) fn matching_signature(
    function: &Function,
    fields: &[FieldRef],
) -> Result<&'static [Parameter]> {
    // Broken extension metadata would otherwise read as a wrong type.
    for field in fields {
        GeometryType::from_field(field)?;
    }
    let fits = |parameters: &&&'static [Parameter]| {
        parameters.len() == fields.len()
            && parameters
                .iter()
                .zip(fields)
                .all(|(parameter, field)| takes(parameter.kind, field))
    };
    if let Some(parameters) = function.signatures.iter().find(fits) {
        return Ok(parameters);
    }
    let given: Vec<String> = fields.iter().map(|field| describe(field)).collect();
    let lines = function.signature_text();
    let plural = match function.signatures.len() {
        1 => "",
        _ => "s",
    };
    plan_err!(
        "{}({}): these arguments fit no signature of the function. It has the signature{plural}\n  {}",
        function.name,
        given.join(", "),
        lines.replace('\n', "\n  ")
    )
}

/// The type of a geometry argument, `None` for text (WKT) and NULL.
pub(super) fn geometry_type(field: &Field) -> Result<Option<GeometryType>, Error> {
    if let Some(ty) = GeometryType::from_field(field)? {
        return Ok(Some(ty));
    }
    Ok(match field.data_type() {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            Some(GeometryType::wkb(None))
        }
        _ => None,
    })
}

fn takes(kind: Kind, field: &Field) -> bool {
    let data_type = match field.data_type() {
        DataType::Null => return true,
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    match kind {
        Kind::Geometry => is_text(data_type) || matches!(geometry_type(field), Ok(Some(_))),
        Kind::Geometries => list_item(data_type).is_some_and(|item| takes(Kind::Geometry, item)),
        Kind::Boolean => data_type == &DataType::Boolean,
        Kind::Number => data_type.is_numeric(),
        Kind::Integer => data_type.is_integer(),
        Kind::Text => is_text(data_type),
        Kind::Binary => matches!(
            data_type,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        ),
    }
}

/// The field of a list's values.
pub(crate) fn list_item(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item)
        }
        _ => None,
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// What a person calls the type of an argument.
fn describe(field: &Field) -> String {
    match (geometry_type(field), field.data_type()) {
        (_, DataType::Null) => "NULL".into(),
        (Ok(Some(_)), _) => "geometry".into(),
        (_, data_type) if is_text(data_type) => "text".into(),
        (_, data_type) if data_type.is_integer() => "integer".into(),
        (_, data_type) if data_type.is_numeric() => "number".into(),
        (_, DataType::Struct(_)) => "struct".into(),
        (_, data_type) if let Some(item) = list_item(data_type) => format!("{}[]", describe(item)),
        (_, data_type) => data_type.to_string().to_ascii_lowercase(),
    }
}

/// The CRS that all geometry arguments share: the first that is known. The settings that say what
/// becomes of two are not known here, so that [`crate::labels`] sees to it.
fn common_crs(parameters: &[Parameter], fields: &[FieldRef]) -> Result<Option<Crs>> {
    for (parameter, field) in parameters.iter().zip(fields) {
        let ty = match parameter.kind {
            Kind::Geometry => geometry_type(field)?,
            Kind::Geometries => match list_item(field.data_type()) {
                Some(item) => geometry_type(item)?,
                None => None,
            },
            _ => None,
        };
        if let Some(crs) = ty.and_then(|ty| ty.crs) {
            return Ok(Some(crs));
        }
    }
    Ok(None)
}

/// The CRS that a constant argument names.
fn crs_argument(
    function: &Function,
    parameters: &[Parameter],
    args: &ReturnFieldArgs<'_>,
    i: usize,
) -> Result<Option<Crs>> {
    let Some(parameter) = parameters.get(i) else {
        return Ok(None);
    };
    let Some(value) = args.scalar_arguments.get(i).copied().flatten() else {
        return plan_err!(
            "the argument \"{}\" of {} must be a constant: a column of geometries has one CRS",
            parameter.name,
            function.name
        );
    };
    crs_constant(value)
}

/// The CRS of the SRID that a constant carries, as EWKT, EWKB, or EWKB in hexadecimal digits.
fn crs_of_value(value: Option<&ScalarValue>) -> Result<Option<Crs>> {
    let srid = match value {
        Some(
            ScalarValue::Binary(bytes)
            | ScalarValue::LargeBinary(bytes)
            | ScalarValue::BinaryView(bytes),
        ) => bytes.as_deref().map_or(0, srid_of),
        Some(value) => match value.try_as_str().flatten() {
            Some(text) => match bytes_of(text) {
                Some(bytes) => srid_of(&bytes),
                None => split_srid(text).map_or(0, |(srid, _)| srid),
            },
            None => 0,
        },
        None => 0,
    };
    crs_constant(&ScalarValue::from(i64::from(srid)))
}

/// The CRS that a transformation leads to, which must be possible.
fn transformed(
    function: &Function,
    parameters: &[Parameter],
    args: &ReturnFieldArgs<'_>,
    column: Option<Crs>,
) -> Result<Option<Crs>> {
    let is_null = |field: &FieldRef| field.data_type() == &DataType::Null;
    if args.arg_fields.iter().any(is_null) {
        return Ok(None);
    }
    let named = |i: usize| -> Result<Crs> {
        match crs_argument(function, parameters, args, i)? {
            Some(crs) => Ok(crs),
            None => plan_err!(
                "{} needs a CRS such as 'EPSG:3857' to go from and to",
                function.name
            ),
        }
    };
    let target = named(parameters.len() - 1)?;
    let source = match parameters.len() {
        2 => column,
        _ => Some(named(1)?),
    };
    let Some(source) = source else {
        let name = args.arg_fields.first().map_or("geom", |field| field.name());
        return plan_err!(
            "the CRS of {name} is unknown, so it cannot be transformed to {0}: give both, as in {1}({name}, 'EPSG:4326', '{0}')",
            target.name(),
            function.name
        );
    };
    Transform::try_new(&source, &target)?;
    Ok(Some(target))
}

/// The CRS of a constant: an EPSG code as a number or text, or an authority and a code.
pub(super) fn crs_constant(value: &ScalarValue) -> Result<Option<Crs>> {
    if value.is_null() {
        return Ok(None);
    }
    let code = match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(code))) => code,
        _ => {
            let text = value.to_string();
            return Ok(Some(Crs::from_authority_code(&text)?));
        }
    };
    match code {
        0 => Ok(None),
        1.. => Ok(Some(Crs::from_authority_code(&format!("EPSG:{code}"))?)),
        _ => plan_err!("{code} is no EPSG code: they are positive, and 0 means unknown"),
    }
}
