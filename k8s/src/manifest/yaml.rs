//! Manifests as text.

use geoflow_engine::{Error, Result};
use serde::Serialize;

/// YAML that `kubectl apply -f -` takes.
///
/// # Errors
/// Only if the object cannot be serialized, which is a bug.
pub fn to_yaml<T: Serialize>(object: &T) -> Result<String> {
    serde_saphyr::to_string(object).map_err(|error| Error::Internal(error.to_string()))
}
