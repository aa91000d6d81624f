//! Azure Blob Storage.

use std::sync::Arc;

use chrono::{DateTime, Utc};
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
    let variables = &variables.or(other_names(variables));
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
    // Who names a plain endpoint means it: a server of one's own, often on this machine.
    let endpoints = ["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"];
    let plain = endpoints.iter().find_map(|name| variables.get(name));
    if plain.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        builder = builder.with_allow_http(true);
    }
    builder
        .build()
        .map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        .map_err(|e| not_built(url, &e))
}

/// What other tools of Azure take, under the names that are used here: the connection string among them.
fn other_names(variables: &Variables) -> Vec<(&'static str, String)> {
    let mut found = vec![];
    for (other, name) in [
        ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"),
        ("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"),
    ] {
        if let Some(value) = variables.get(other) {
            found.push((name, value.to_owned()));
        }
    }
    let text = variables
        .get("AZURE_STORAGE_CONNECTION_STRING")
        .unwrap_or_default();
    let part = |wanted: &str| {
        let mut parts = text.split(';').filter_map(|part| part.split_once('='));
        let (_, value) = parts.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    };
    let account = part("AccountName");
    let endpoint = part("BlobEndpoint").or_else(|| {
        let suffix = part("EndpointSuffix").filter(|suffix| suffix != "core.windows.net")?;
        let scheme = part("DefaultEndpointsProtocol").unwrap_or_else(|| "https".to_owned());
        Some(format!("{scheme}://{}.blob.{suffix}", account.as_ref()?))
    });
    // An endpoint and a signature are enough: the account is the first part of its host.
    let of_endpoint = || {
        let url = Url::parse(endpoint.as_deref()?).ok()?;
        Some(url.host_str()?.split('.').next()?.to_owned())
    };
    let account = account.or_else(of_endpoint);
    let endpoint = endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    for (name, value) in [
        ("AZURE_STORAGE_ACCOUNT_NAME", account),
        ("AZURE_STORAGE_ACCOUNT_KEY", part("AccountKey")),
        ("AZURE_STORAGE_SAS_TOKEN", part("SharedAccessSignature")),
        ("AZURE_STORAGE_ENDPOINT", endpoint),
        ("AZURE_STORAGE_USE_EMULATOR", part("UseDevelopmentStorage")),
    ] {
        found.extend(value.map(|value| (name, value)));
    }
    found
}

/// When a signature expires, as it says itself.
fn expires(token: &str) -> Option<DateTime<Utc>> {
    let mut pairs = url::form_urlencoded::parse(token.trim_start_matches('?').as_bytes());
    let (_, expires) = pairs.find(|(name, _)| name == "se")?;
    let expires = DateTime::parse_from_rfc3339(&expires).ok()?;
    Some(expires.to_utc())
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
    if let Some(token) = variables.get("AZURE_STORAGE_SAS_TOKEN")
        && variables.get("AZURE_STORAGE_ACCOUNT_KEY").is_none()
        && let Some(expired) = expires(token).filter(|expires| *expires < Utc::now())
    {
        return Err(fail(&format!(
            "the token in AZURE_STORAGE_SAS_TOKEN has expired, on {}. Get a new one",
            expired.format("%Y-%m-%d %H:%M UTC")
        )));
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Variables {
        let owned = variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let variables = Variables::new(owned);
        variables.or(other_names(&variables))
    }

    #[test]
    fn names_of_other_tools() {
        let string = |text| read(&[("AZURE_STORAGE_CONNECTION_STRING", text)]);
        let found = string(
            "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5PQ==;EndpointSuffix=core.chinacloudapi.cn",
        );
        for (name, expected) in [
            ("AZURE_STORAGE_ACCOUNT_NAME", "acc"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "a2V5PQ=="),
            (
                "AZURE_STORAGE_ENDPOINT",
                "https://acc.blob.core.chinacloudapi.cn",
            ),
        ] {
            assert_eq!(found.get(name), Some(expected), "{name}");
        }
        let found = string(
            "BlobEndpoint=https://lab.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x%3D",
        );
        assert_eq!(found.get("AZURE_STORAGE_ACCOUNT_NAME"), Some("lab"));
        assert_eq!(found.get("AZURE_STORAGE_SAS_TOKEN"), Some("sv=1&sig=x%3D"));
        assert!(string("UseDevelopmentStorage=true").is_true("AZURE_STORAGE_USE_EMULATOR"));
        let both = read(&[
            ("AZURE_STORAGE_ACCOUNT", "other"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "own"),
        ]);
        assert_eq!(both.get("AZURE_STORAGE_ACCOUNT_NAME"), Some("own"));
    }

    #[test]
    fn a_signature_says_when_it_expires() {
        let found = expires("?sv=1&se=2024-05-01T10%3A00%3A00Z&sig=x").unwrap();
        assert_eq!(found.to_rfc3339(), "2024-05-01T10:00:00+00:00");
        assert!(expires("sv=1").is_none() && expires("se=soon").is_none());
    }
}
