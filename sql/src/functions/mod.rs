//! The `ST_` functions, with the names, argument orders and meaning of PostGIS.
//!
//! ```text
//!  definition   one Function: name, signatures, documentation, evaluation
//!      │
//!      ├─ planning   return_field: signature, CRS of the arguments, CRS of the result
//!  udf ┼─ call       evaluate: constants once, columns by row ──> args (GeometryArg)
//!      └─ reference  DataFusion's documentation, `geoflow functions`, docs/functions.md
//!
//!  udaf, udwf   the same face for aggregates and window functions
//!
//!  constructors  text  accessors  predicates  measures  processing  crs  transform  ...
//! ```
//!
//! NULL in any argument gives NULL, unless the definition says otherwise. A geometry argument is
//! WKB (`Binary`, `LargeBinary`, `BinaryView`, with or without GeoArrow metadata), a native
//! GeoArrow column, or text, which is read as WKT. Geometries are returned as WKB with the
//! GeoArrow extension type and the CRS that follows from the arguments.

mod a5;
mod accessors;
mod aggregates;
mod areas;
mod args;
mod axes;
mod call;
mod cells;
mod clusters;
mod constructors;
mod coordinates;
mod covers;
mod crs;
mod definition;
mod distances;
mod dumps;
mod ellipsoid;
mod extended;
mod forms;
mod grids;
mod hulls;
mod lenient;
mod linear;
mod linework;
mod lists;
mod matrices;
mod measures;
mod mvt;
#[cfg(test)]
mod native_tests;
mod nearest;
mod overlay;
mod pieces;
mod planning;
mod predicates;
mod processing;
mod reference;
mod relate;
mod shared_names;
mod simplification;
mod space;
mod spheroid;
mod structure;
mod text;
mod transform;
mod trees;
mod triangulations;
mod typed;
mod udaf;
mod udf;
mod udwf;
mod vertices;
#[cfg(test)]
mod walk_tests;

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::prelude::SessionContext;

pub use definition::{CrsRule, Function, Kind, Parameter, Returns};
pub use reference::{Peer, markdown};

pub(crate) use call::scalar_value;
use definition::Evaluate;
pub(crate) use lenient::lenient;
pub(crate) use planning::list_item;

/// The definitions of all functions, by the heading of their family.
pub fn families() -> impl Iterator<Item = (&'static str, &'static [Function])> {
    [
        ("Geometries from coordinates", constructors::FUNCTIONS),
        ("Text and bytes", text::FUNCTIONS),
        ("Text and bytes with an SRID", extended::FUNCTIONS),
        ("Text and bytes of one type", typed::FUNCTIONS),
        ("What a geometry is made of", accessors::FUNCTIONS),
        ("Points, rings and parts", pieces::FUNCTIONS),
        ("Parts as lists", dumps::FUNCTIONS),
        ("Relations of two geometries", predicates::FUNCTIONS),
        ("Matrices of two geometries", relate::FUNCTIONS),
        ("Stricter relations", matrices::FUNCTIONS),
        ("Nearest neighbours", nearest::FUNCTIONS),
        ("Measures", measures::FUNCTIONS),
        ("Distances", distances::FUNCTIONS),
        ("Distances in space", space::FUNCTIONS),
        ("On the Earth", spheroid::FUNCTIONS),
        ("Geometries from geometries", processing::FUNCTIONS),
        ("Buffers and validity", areas::FUNCTIONS),
        ("Hulls and circles", hulls::FUNCTIONS),
        ("Other coordinates", coordinates::FUNCTIONS),
        ("Other axes and measures", axes::FUNCTIONS),
        ("Other vertices and parts", structure::FUNCTIONS),
        ("Single vertices", vertices::FUNCTIONS),
        ("Fewer vertices", simplification::FUNCTIONS),
        ("Along lines", linear::FUNCTIONS),
        ("Set operations", overlay::FUNCTIONS),
        ("Linework and areas", linework::FUNCTIONS),
        ("Triangles and pieces", triangulations::FUNCTIONS),
        ("Grids", grids::FUNCTIONS),
        ("Vector tiles", mvt::FUNCTIONS),
        ("Aggregates", aggregates::FUNCTIONS),
        ("Clusters", clusters::FUNCTIONS),
        ("Cells", cells::FUNCTIONS),
        ("Cells of H3 that cover", covers::FUNCTIONS),
        ("Cells of A5", a5::FUNCTIONS),
        ("Coordinate reference systems", crs::FUNCTIONS),
        ("Coordinates into another system", transform::FUNCTIONS),
    ]
    .into_iter()
}

/// The definitions of all functions.
pub fn definitions() -> impl Iterator<Item = &'static Function> {
    families().flat_map(|(_, functions)| functions)
}

/// All scalar functions, for a session.
pub fn all_functions() -> Vec<ScalarUDF> {
    definitions()
        .filter_map(udf::SpatialUdf::new)
        .map(ScalarUDF::new_from_impl)
        .collect()
}

/// A scalar function by its name, in any case.
pub(crate) fn scalar_function(name: &str) -> Option<ScalarUDF> {
    definitions()
        .filter(|function| function.name.eq_ignore_ascii_case(name))
        .find_map(udf::SpatialUdf::new)
        .map(ScalarUDF::new_from_impl)
}

/// Whether a table function has this name, in any case.
pub(crate) fn is_table(name: &str) -> bool {
    named(name).any(|function| matches!(function.evaluate, Evaluate::Table(_)))
}

/// Whether a function of this name, in any case, returns a list of structs: PostGIS has a set of rows
/// there.
pub(crate) fn is_dump(name: &str) -> bool {
    named(name).any(|function| matches!(function.returns, Returns::List(Returns::Struct(_))))
}

/// The names of the parts of the values in the list that a function of this name, in any case, returns: none if they
/// have no parts. `None` if it returns no list.
pub(crate) fn list_parts(name: &str) -> Option<Vec<&'static str>> {
    named(name).find_map(|function| match function.returns {
        Returns::List(Returns::Struct(parts)) => {
            Some(parts.iter().map(|(name, _)| *name).collect())
        }
        Returns::List(_) => Some(vec![]),
        _ => None,
    })
}

/// The function that reads a text with an SRID; `None` for a text without one.
pub(crate) fn reader_with_srid(text: &str) -> Option<&'static str> {
    if text.get(..5)?.eq_ignore_ascii_case("SRID=") {
        return Some("st_geomfromewkt");
    }
    let bytes = extended::bytes_of(text)?;
    (extended::srid_of(&bytes) != 0).then_some("st_geomfromhexewkb")
}

/// The functions of a name, in any case.
fn named(name: &str) -> impl Iterator<Item = &'static Function> {
    definitions().filter(move |function| function.names().any(|n| n.eq_ignore_ascii_case(name)))
}

/// Whether an aggregate is one of these.
pub(crate) fn is_spatial_aggregate(aggregate: &AggregateUDF) -> bool {
    aggregate.inner().is::<udaf::SpatialUdaf>()
}

/// Makes all functions known to a session. Join conditions come with the rule that plans them.
///
/// # Errors
/// When the session takes no planner of expressions.
pub fn register(context: &SessionContext) -> Result<()> {
    let aggregate_too = |function: &ScalarUDF| {
        let is_aggregate = |f: &&Function| matches!(f.evaluate, Evaluate::Aggregate(_));
        definitions()
            .filter(is_aggregate)
            .any(|aggregate| aggregate.name.eq_ignore_ascii_case(function.name()))
    };
    let (shared, own): (Vec<_>, Vec<_>) = all_functions().into_iter().partition(aggregate_too);
    for function in own {
        context.register_udf(function);
    }
    let functions = shared.into_iter().map(Arc::new).collect();
    let planner = Arc::new(shared_names::SharedNames { functions });
    context.state_ref().write().register_expr_planner(planner)?;
    for function in definitions() {
        if let Some(aggregate) = udaf::SpatialUdaf::new(function) {
            context.register_udaf(AggregateUDF::new_from_impl(aggregate));
        }
        if let Some(window) = udwf::SpatialUdwf::new(function) {
            context.register_udwf(WindowUDF::new_from_impl(window));
        }
        if let Evaluate::Table(table) = function.evaluate {
            for name in function.names() {
                context.register_udtf(&name.to_ascii_lowercase(), table());
            }
        }
    }
    Ok(())
}

/// The definition behind a planned function, `None` if it is none of these.
pub fn definition(function: &ScalarUDF) -> Option<&'static Function> {
    function
        .inner()
        .downcast_ref::<udf::SpatialUdf>()
        .map(udf::SpatialUdf::function)
}
