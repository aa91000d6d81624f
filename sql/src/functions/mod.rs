//! The `ST_` functions, with the names, argument orders and meaning of PostGIS.
//!
//! ```text
//!  definition   one Function: name, signatures, documentation, evaluation
//!      │
//!  udf ─┼─ planning   return_field: signature, CRS of the arguments, CRS of the result
//!      └─ call       evaluate: constants once, columns by row ──> args (GeometryArg)
//!
//!  constructors  text  accessors  predicates  measures  processing  crs  transform
//! ```
//!
//! NULL in any argument gives NULL. A geometry argument is WKB (`Binary`, `LargeBinary`,
//! `BinaryView`, with or without GeoArrow metadata), a native GeoArrow column, or text, which is
//! read as WKT. Geometries are returned as WKB with the GeoArrow extension type and the CRS that
//! follows from the arguments.

mod accessors;
mod args;
mod call;
mod constructors;
mod crs;
mod definition;
mod measures;
mod planning;
mod predicates;
mod processing;
mod text;
mod transform;
mod udf;
#[cfg(test)]
mod walk_tests;

use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;

pub use definition::{CrsRule, Function, Kind, Parameter, Returns};

/// The definitions of all functions, by family.
pub fn definitions() -> impl Iterator<Item = &'static Function> {
    [
        constructors::FUNCTIONS,
        text::FUNCTIONS,
        accessors::FUNCTIONS,
        predicates::FUNCTIONS,
        measures::FUNCTIONS,
        processing::FUNCTIONS,
        crs::FUNCTIONS,
        transform::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// All functions, for a session.
pub fn all_functions() -> Vec<ScalarUDF> {
    definitions()
        .map(|function| ScalarUDF::new_from_impl(udf::SpatialUdf::new(function)))
        .collect()
}

/// Makes all functions known to a session.
pub fn register(context: &SessionContext) {
    for function in all_functions() {
        context.register_udf(function);
    }
}

/// The definition behind a planned function, `None` if it is none of these.
pub fn definition(function: &ScalarUDF) -> Option<&'static Function> {
    function
        .inner()
        .downcast_ref::<udf::SpatialUdf>()
        .map(udf::SpatialUdf::function)
}
