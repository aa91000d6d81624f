//! SQL over vector geodata: DataFusion with geometry columns, `ST_` functions and spatial joins.
//!
//! ```no_run
//! # async fn example() -> datafusion::error::Result<()> {
//! let session = geoflow_sql::SessionBuilder::new().build()?;
//! let cities = session.sql("SELECT name FROM 'testdata/cities.parquet' LIMIT 3").await?;
//! cities.show().await?;
//! # Ok(())
//! # }
//! ```

mod dialect;
pub mod functions;
mod headings;
mod idioms;
mod insert;
pub mod join;
pub mod labels;
mod list_aggregates;
pub mod object_store;
mod operators;
mod session;
mod sets_of_rows;
mod show;
mod sort;
mod split;
mod stars;
mod struct_fields;
mod syntax;
pub mod url_table;

pub use dialect::dialect;
pub use insert::statement_to_plan;
pub use session::{Session, SessionBuilder, parse};
pub use stars::expand as expand_stars;
