//! Amazon S3 and what speaks its protocol.

use std::sync::Arc;

use geoflow_engine::Error;
use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use url::{Host, Url};

use super::aws_profile::Profile;
use super::variables::Variables;
use super::{Patience, bucket, not_built, probe};

/// A pair that is only whole together.
const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// Endpoints in the order of their precedence.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];

pub(super) fn build(
    url: &Url,
    variables: &Variables,
    patience: &Patience,
) -> Result<Arc<dyn ObjectStore>, Error> {
    let bucket = bucket(url)?;
    let endpoint = ENDPOINTS.iter().find_map(|name| variables.get(name));
    // Client options first: AWS_ALLOW_HTTP, AWS_TIMEOUT and the like may change them.
    let mut builder = AmazonS3Builder::new()
        .with_client_options(patience.client_options())
        .with_retry(patience.retry());
    for (key, value) in variables.options("AWS_") {
        if let Ok(key) = key.parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    builder = builder.with_bucket_name(bucket);
    // AWS_REGION goes before AWS_DEFAULT_REGION, as in the AWS tools.
    if let Some(region) = variables.get("AWS_REGION") {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = endpoint {
        if !endpoint.contains("://") {
            return Err(Error::Environment {
                message: format!(
                    "{url} cannot be opened: the endpoint \"{endpoint}\" has no scheme: write http://... or https://..."
                ),
                retryable: false,
            });
        }
        let endpoint = match variables.is_true("AWS_VIRTUAL_HOSTED_STYLE_REQUEST") {
            true => virtual_host(endpoint, bucket),
            false => endpoint.to_owned(),
        };
        // Who names a plain endpoint means it: a server of one's own, often on this machine.
        if endpoint.starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
        // The key that goes before the other one.
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
    }
    let profile = super::aws_profile::profile(variables)?;
    let by_profile = profile.as_ref().is_some_and(Profile::has_credentials);
    if !by_profile || variables.any(&KEYS) {
        check_credentials(url, variables)?;
    }
    if let Some(profile) = profile {
        builder = profile.apply(builder, variables);
    }
    builder
        .build()
        .map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        .map_err(|e| not_built(url, &e))
}

/// The endpoint with the bucket before its host, where it has a name and not the bucket's already.
fn virtual_host(endpoint: &str, bucket: &str) -> String {
    let named = Url::parse(endpoint).ok().and_then(|mut url| {
        let host = match url.host()? {
            Host::Domain(host) if !host.starts_with(&format!("{bucket}.")) => host.to_owned(),
            _ => return None,
        };
        url.set_host(Some(&format!("{bucket}.{host}"))).ok()?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    });
    named.unwrap_or_else(|| endpoint.to_owned())
}

fn check_credentials(url: &Url, variables: &Variables) -> Result<(), Error> {
    let missing = |what: &str| Error::Environment {
        message: format!("{url} cannot be opened: {what}"),
        retryable: false,
    };
    let has = |name: &str| variables.get(name).is_some();
    if variables.is_true("AWS_SKIP_SIGNATURE") {
        return Ok(());
    }
    match (has("AWS_ACCESS_KEY_ID"), has("AWS_SECRET_ACCESS_KEY")) {
        (true, true) => return Ok(()),
        (true, false) => {
            return Err(missing(
                "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not",
            ));
        }
        (false, true) => {
            return Err(missing(
                "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not",
            ));
        }
        (false, false) => {}
    }
    let role = (has("AWS_WEB_IDENTITY_TOKEN_FILE") && has("AWS_ROLE_ARN"))
        || variables.any(&[
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_METADATA_ENDPOINT",
        ]);
    if role {
        return Ok(());
    }
    if !variables.is_true("AWS_EC2_METADATA_DISABLED") && probe::has_metadata_service() {
        return Ok(());
    }
    Err(missing(
        "there are no AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --s3-profile, \
         or --s3-anonymous for a public bucket (for a server of your own, --s3-endpoint as well)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_before_hosts() {
        for (endpoint, expected) in [
            ("http://s3.lab:80/", "http://b.s3.lab"),
            ("https://s3.lab:8443", "https://b.s3.lab:8443"),
            ("https://b.s3.lab", "https://b.s3.lab"),
            ("http://127.0.0.1:8333", "http://127.0.0.1:8333"),
        ] {
            assert_eq!(virtual_host(endpoint, "b"), expected);
        }
    }
}
