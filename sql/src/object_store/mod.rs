//! Object stores, made when a URL first needs one.
//!
//! ```text
//!  s3://bucket/key ──> scheme and authority ──> known?  ──yes──> the store
//!                                                 │no
//!                     AWS_*, GOOGLE_*, AZURE_* ───┴──> built, kept
//! ```
//!
//! Credentials, regions and endpoints come from the standard environment variables, and what is no secret
//! from [`StoreOptions`] as well. Secrets are never shown: neither in messages nor by `Debug`. Queries of addresses,
//! in which signatures stand, are taken out before a statement is planned ([`hide`]).

mod aws;
mod aws_profile;
mod azure;
mod gcs;
mod hidden;
mod options;
mod probe;
mod variables;
mod web;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreRegistry;
use geoflow_engine::Error;
use geoflow_engine::store::{SteadyStore, without_secrets};
use object_store::local::LocalFileSystem;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use parking_lot::RwLock;
use url::Url;

pub use geoflow_engine::store::{explain_datafusion_error, explain_object_store_error};
pub(crate) use hidden::alone;
pub use hidden::{hide, place, without_queries};
pub use options::StoreOptions;
use variables::Variables;
pub(crate) use web::gives_no_parts;

/// Makes object stores for `s3`, `s3a`, `gs`, `gcs`, `az`, `azure`, `abfs`, `abfss`, `http` and
/// `https` URLs on first use, one per bucket, container or host, and knows the local files.
pub struct LazyObjectStoreRegistry {
    stores: RwLock<HashMap<String, Arc<dyn ObjectStore>>>,
    variables: Variables,
}

impl LazyObjectStoreRegistry {
    /// Takes credentials and endpoints from the environment of the process, as it is now.
    pub fn from_env() -> Self {
        Self::from_env_and(&StoreOptions::default())
    }

    /// As [`LazyObjectStoreRegistry::from_env`], but `options` go before the environment.
    pub fn from_env_and(options: &StoreOptions) -> Self {
        let mut variables: HashMap<String, String> = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        for (name, value) in options.variables() {
            match value {
                Some(value) => variables.insert(name.to_owned(), value),
                None => variables.remove(name),
            };
        }
        Self::with_variables(variables)
    }

    /// Takes credentials and endpoints from the given variables instead.
    pub fn with_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let local: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new());
        Self {
            stores: RwLock::new(HashMap::from([("file://".to_owned(), local)])),
            variables: Variables::new(variables),
        }
    }

    fn build(&self, url: &Url) -> Result<Arc<dyn ObjectStore>, Error> {
        let patience = Patience::of(&self.variables)?;
        let store = match url.scheme() {
            "s3" | "s3a" => aws::build(url, &self.variables, &patience),
            "gs" | "gcs" => gcs::build(url, &self.variables, &patience),
            "az" | "azure" | "abfs" | "abfss" => azure::build(url, &self.variables, &patience),
            "http" | "https" => return web::build(url, &patience),
            other => Err(Error::Statement(format!(
                "{url}: \"{other}://\" is not supported: use a local path, s3://, gs://, az:// or https://"
            ))),
        }?;
        Ok(Arc::new(SteadyStore::new(store)))
    }
}

impl fmt::Debug for LazyObjectStoreRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys: Vec<String> = self.stores.read().keys().cloned().collect();
        keys.sort();
        f.debug_struct("LazyObjectStoreRegistry")
            .field("stores", &keys)
            .finish_non_exhaustive()
    }
}

impl ObjectStoreRegistry for LazyObjectStoreRegistry {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.stores.write().insert(key(url), store)
    }

    fn deregister_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        self.stores.write().remove(&key(url)).ok_or_else(|| {
            Error::Statement(format!("no object store is registered for {url}")).into()
        })
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        let key = key(url);
        if let Some(store) = self.stores.read().get(&key) {
            return Ok(Arc::clone(store));
        }
        let store = self.build(url)?;
        // Another thread may have been faster; all take the same one.
        let mut stores = self.stores.write();
        Ok(Arc::clone(stores.entry(key).or_insert(store)))
    }
}

/// Scheme and authority: what tells one store from another.
fn key(url: &Url) -> String {
    url[..url::Position::BeforePath].to_ascii_lowercase()
}

/// How long a server is waited for.
struct Patience {
    timeout: Duration,
    retries: usize,
}

impl Patience {
    /// As the variables say. A person waits for the answer: without them an endpoint that is not there is
    /// told in seconds.
    fn of(variables: &Variables) -> Result<Self, Error> {
        let wrong = |name: &str, value: &str, wanted: &str| {
            Error::Statement(format!("{name} is \"{value}\", it must be {wanted}"))
        };
        let timeout = match variables.get(options::TIMEOUT) {
            None => Duration::from_secs(30),
            Some(value) => value
                .parse()
                .ok()
                .filter(|seconds| *seconds > 0.0)
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                .ok_or_else(|| wrong(options::TIMEOUT, value, "a number of seconds"))?,
        };
        let retries = match variables.get(options::RETRIES) {
            None => 8,
            Some(value) => value
                .parse()
                .map_err(|_| wrong(options::RETRIES, value, "a whole number"))?,
        };
        Ok(Self { timeout, retries })
    }

    fn retry(&self) -> RetryConfig {
        RetryConfig {
            max_retries: self.retries,
            // An answer that never came may be waited for once more, and again.
            retry_timeout: Duration::from_secs(120).max(self.timeout * 4),
            ..Default::default()
        }
    }

    fn client_options(&self) -> ClientOptions {
        ClientOptions::new()
            .with_connect_timeout(Duration::from_secs(5).min(self.timeout))
            .with_timeout(self.timeout)
    }
}

/// The bucket or container of a URL.
fn bucket(url: &Url) -> Result<&str, Error> {
    url.host_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| {
            Error::Statement(format!(
                "{url} names no bucket: write {}://bucket/path",
                url.scheme()
            ))
        })
}

fn not_built(url: &Url, error: &object_store::Error) -> Error {
    Error::Environment {
        message: format!(
            "{url} cannot be opened: {}",
            without_secrets(&error.to_string())
        ),
        retryable: false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn registry(variables: &[(&str, &str)]) -> LazyObjectStoreRegistry {
        LazyObjectStoreRegistry::with_variables(
            variables
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    fn get(registry: &LazyObjectStoreRegistry, url: &str) -> Result<Arc<dyn ObjectStore>> {
        registry.get_store(&Url::parse(url).unwrap())
    }

    const KEYS: [(&str, &str); 2] = [
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "verysecret"),
    ];

    #[test]
    fn one_store_a_bucket() {
        let registry = registry(&KEYS);
        let a = get(&registry, "s3://a/x.parquet").unwrap();
        assert!(Arc::ptr_eq(
            &a,
            &get(&registry, "s3://a/other/y.parquet").unwrap()
        ));
        assert!(!Arc::ptr_eq(&a, &get(&registry, "s3://b/").unwrap()));
        assert!(get(&registry, "file:///tmp/x").is_ok());
        assert!(get(&registry, "https://example.com/x.parquet").is_ok());
        let shown = format!("{registry:?}");
        assert!(
            shown.contains("s3://a") && !shown.contains("verysecret"),
            "{shown}"
        );
    }

    #[test]
    fn an_endpoint_may_be_plain_http() {
        let mut variables = KEYS.to_vec();
        variables.push(("AWS_ENDPOINT_URL", "http://127.0.0.1:1"));
        let store = get(&registry(&variables), "s3://data/").unwrap();
        assert_eq!(store.to_string(), "AmazonS3(data)");
    }

    #[test]
    fn what_is_missing_is_named() {
        // The look-up of an instance role is off, so that the test asks no network.
        let off = ("AWS_EC2_METADATA_DISABLED", "true");
        for (variables, url, expected) in [
            (vec![off], "s3://data/x", "AWS_ACCESS_KEY_ID"),
            (vec![off, KEYS[0]], "s3://data/x", "AWS_SECRET_ACCESS_KEY"),
            (
                vec![("GOOGLE_SERVICE_ACCOUNT", "/does/not/exist.json")],
                "gs://data/x",
                "/does/not/exist.json",
            ),
            (vec![], "az://data/x", "AZURE_STORAGE_ACCOUNT_NAME"),
            (vec![], "s3:///x", "names no bucket"),
            (vec![], "ftp://host/x", "\"ftp://\" is not supported"),
        ] {
            let error = get(&registry(&variables), url).unwrap_err().to_string();
            assert!(error.contains(url) && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn options_go_before_the_environment() {
        let options = StoreOptions {
            s3_profile: Some("lab".into()),
            timeout: Some(Duration::from_millis(1500)),
            ..StoreOptions::default()
        };
        let variables = options.variables();
        assert!(variables.contains(&("AWS_PROFILE", Some("lab".into()))));
        assert!(variables.contains(&("AWS_ACCESS_KEY_ID", None)));
        assert!(variables.contains(&("GEOFLOW_STORE_TIMEOUT", Some("1.5".into()))));
        for (value, ok) in [
            ("1.5", true),
            ("0", false),
            ("soon", false),
            ("1e99", false),
        ] {
            let mut variables = KEYS.to_vec();
            variables.push(("GEOFLOW_STORE_TIMEOUT", value));
            let store = get(&registry(&variables), "s3://a/");
            assert_eq!(store.is_ok(), ok, "{value}");
        }
    }

    #[test]
    fn public_data_need_no_credentials() {
        assert!(get(&registry(&[("AWS_SKIP_SIGNATURE", "true")]), "s3://data/x").is_ok());
        assert!(
            get(
                &registry(&[("GOOGLE_SKIP_SIGNATURE", "true")]),
                "gs://data/x"
            )
            .is_ok()
        );
        let azure = [
            ("AZURE_STORAGE_ACCOUNT_NAME", "acc"),
            ("AZURE_SKIP_SIGNATURE", "true"),
        ];
        for url in ["az://data/x", "abfss://data@acc.dfs.core.windows.net/x"] {
            assert!(get(&registry(&azure), url).is_ok(), "{url}");
        }
    }
}
