//! Google Cloud Storage.

use std::sync::Arc;

use geoflow_engine::Error;
use object_store::ObjectStore;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use url::Url;

use super::variables::Variables;
use super::{Patience, bucket, not_built, probe};

/// Where `gcloud auth application-default login` puts its credentials, under the home folder.
const DEFAULT_CREDENTIALS: &str = ".config/gcloud/application_default_credentials.json";

pub(super) fn build(
    url: &Url,
    variables: &Variables,
    patience: &Patience,
) -> Result<Arc<dyn ObjectStore>, Error> {
    let bucket = bucket(url)?;
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_client_options(patience.client_options())
        .with_retry(patience.retry());
    for (key, value) in variables.options("GOOGLE_") {
        if let Ok(key) = key.parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(base) = variables.get("GOOGLE_BASE_URL")
        && base.starts_with("http://")
    {
        builder = builder.with_client_options(patience.client_options().with_allow_http(true));
    }
    check_credentials(url, variables)?;
    builder
        .with_bucket_name(bucket)
        .build()
        .map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        .map_err(|e| not_built(url, &e))
}

fn check_credentials(url: &Url, variables: &Variables) -> Result<(), Error> {
    let fail = |what: String| Error::Environment {
        message: format!("{url} cannot be opened: {what}"),
        retryable: false,
    };
    if variables.is_true("GOOGLE_SKIP_SIGNATURE") {
        return Ok(());
    }
    for name in [
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ] {
        if let Some(path) = variables.get(name) {
            return if std::path::Path::new(path).is_file() {
                Ok(())
            } else {
                Err(fail(format!(
                    "{name} names the file {path}, which does not exist"
                )))
            };
        }
    }
    let login = variables
        .home()
        .is_some_and(|home| home.join(DEFAULT_CREDENTIALS).is_file());
    if login
        || variables.get("GOOGLE_SERVICE_ACCOUNT_KEY").is_some()
        || probe::has_metadata_service()
    {
        return Ok(());
    }
    Err(fail(
        "there are no Google Cloud credentials. Set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account, \
         run `gcloud auth application-default login`, or set GOOGLE_SKIP_SIGNATURE=true for a public bucket"
            .to_owned(),
    ))
}
