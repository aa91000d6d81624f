//! Azure Blob Storage.

use std::sync::Arc;

use geoflow_engine::Error;
use object_store::ObjectStore;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use url::Url;

use super::variables::Variables;
use super::{Patience, bucket, not_built, probe};

pub(super) fn build(
    url: &Url,
    variables: &Variables,
    patience: &Patience,
) -> Result<Arc<dyn ObjectStore>, Error> {
    let host = bucket(url)?;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_client_options(patience.client_options())
        .with_retry(patience.retry());
    for (key, value) in variables.options("AZURE_") {
        if let Ok(key) = key.parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    // abfss://container@account.dfs.core.windows.net names the account, az://container does not.
    let account_in_url = !url.username().is_empty();
    builder = if account_in_url {
        builder.with_url(&url[..url::Position::BeforePath])
    } else {
        builder.with_container_name(host)
    };
    check_credentials(url, variables, account_in_url)?;
    builder
        .build()
        .map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        .map_err(|e| not_built(url, &e))
}

fn check_credentials(url: &Url, variables: &Variables, account_in_url: bool) -> Result<(), Error> {
    let fail = |what: &str| Error::Environment {
        message: format!("{url} cannot be opened: {what}"),
        retryable: false,
    };
    if variables.is_true("AZURE_STORAGE_USE_EMULATOR") {
        return Ok(());
    }
    if !account_in_url && variables.get("AZURE_STORAGE_ACCOUNT_NAME").is_none() {
        return Err(fail(
            "AZURE_STORAGE_ACCOUNT_NAME is not set. Set it and AZURE_STORAGE_ACCOUNT_KEY (or AZURE_STORAGE_SAS_TOKEN), \
             or AZURE_SKIP_SIGNATURE=true for a public container",
        ));
    }
    let known = variables.is_true("AZURE_SKIP_SIGNATURE")
        || variables.is_true("AZURE_USE_AZURE_CLI")
        || variables.any(&[
            "AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_ACCESS_KEY",
            "AZURE_STORAGE_MASTER_KEY",
            "AZURE_STORAGE_SAS_KEY",
            "AZURE_STORAGE_SAS_TOKEN",
            "AZURE_STORAGE_TOKEN",
            "AZURE_STORAGE_CLIENT_SECRET",
            "AZURE_CLIENT_SECRET",
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_MSI_ENDPOINT",
            "AZURE_IDENTITY_ENDPOINT",
            "AZURE_FABRIC_SESSION_TOKEN",
        ]);
    if known || probe::has_metadata_service() {
        return Ok(());
    }
    Err(fail(
        "there are no Azure credentials. Set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, \
         AZURE_USE_AZURE_CLI=true after `az login`, or AZURE_SKIP_SIGNATURE=true for a public container",
    ))
}
