//! Google Cloud Storage.

use std::sync::Arc;

use async_trait::async_trait;
use geoflow_engine::Error;
use http::header::AUTHORIZATION;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientOptions, ObjectStore, StaticCredentialProvider};
use url::Url;

use super::variables::Variables;
use super::{Patience, bucket, not_built, probe};

/// Where `gcloud auth application-default login` puts its credentials, under the home folder.
const DEFAULT_CREDENTIALS: &str = ".config/gcloud/application_default_credentials.json";

/// Variables that name the file of a service account.
const CREDENTIALS: [&str; 3] = [
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_APPLICATION_CREDENTIALS",
];

pub(super) fn build(
    url: &Url,
    variables: &Variables,
    patience: &Patience,
) -> Result<Arc<dyn ObjectStore>, Error> {
    let bucket = bucket(url)?;
    let variables = &variables.or(emulator(variables));
    // Who names a plain endpoint means it: a server of one's own, often on this machine.
    let plain = variables
        .get("GOOGLE_BASE_URL")
        .is_some_and(|base| base.starts_with("http://"));
    let client = match plain {
        true => patience.client_options().with_allow_http(true),
        false => patience.client_options(),
    };
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_client_options(client)
        .with_retry(patience.retry());
    for (key, value) in variables.options("GOOGLE_") {
        if let Ok(key) = key.parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    check_credentials(url, variables)?;
    if variables.is_true("GOOGLE_SKIP_SIGNATURE") {
        // Without any the client asks for those of the machine as soon as it writes.
        let bearer = String::new();
        let none = StaticCredentialProvider::new(GcpCredential { bearer });
        builder = builder
            .with_credentials(Arc::new(none))
            .with_http_connector(Unsigned);
    }
    builder
        .with_bucket_name(bucket)
        .build()
        .map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
        .map_err(|e| not_built(url, &e))
}

/// Sends requests without the header for credentials, which the client fills with nothing.
#[derive(Debug)]
struct Unsigned;

impl HttpConnector for Unsigned {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(UnsignedService(client)))
    }
}

#[derive(Debug)]
struct UnsignedService(HttpClient);

#[async_trait]
impl HttpService for UnsignedService {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        request.headers_mut().remove(AUTHORIZATION);
        self.0.execute(request).await
    }
}

/// The server that stands for Google's, as its own clients take it, mostly without credentials.
fn emulator(variables: &Variables) -> Vec<(&'static str, String)> {
    let Some(host) = variables.get("STORAGE_EMULATOR_HOST") else {
        return vec![];
    };
    let base = match host.contains("://") {
        true => host.trim_end_matches('/').to_owned(),
        false => format!("http://{host}"),
    };
    let mut found = vec![("GOOGLE_BASE_URL", base)];
    if !variables.any(&CREDENTIALS) {
        found.push(("GOOGLE_SKIP_SIGNATURE", "true".to_owned()));
    }
    found
}

fn check_credentials(url: &Url, variables: &Variables) -> Result<(), Error> {
    let fail = |what: String| Error::Environment {
        message: format!("{url} cannot be opened: {what}"),
        retryable: false,
    };
    if variables.is_true("GOOGLE_SKIP_SIGNATURE") {
        return Ok(());
    }
    for name in CREDENTIALS {
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
