//! What geoflow asks of object stores beyond what they give: reads that outlive a bad network
//! ([`SteadyStore`]), and errors in words that say what to do ([`explain_object_store_error`]).

mod explain;
pub(crate) mod held;
mod steady;
pub(crate) mod upload;

pub use explain::{
    explain_datafusion_error, explain_object_store_error, explain_unnamed, without_secrets,
};
pub use steady::SteadyStore;
