//! What a command line may say of object stores.

use std::time::Duration;

/// How object stores are reached. What is set here goes before the variables of the environment.
///
/// None of it is a secret: keys and tokens come from variables and files alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreOptions {
    /// The endpoint of S3 requests, with its scheme.
    pub s3_endpoint: Option<String>,
    /// The region of S3 buckets.
    pub s3_region: Option<String>,
    /// The profile of the AWS tools whose keys are used, even where variables hold others.
    pub s3_profile: Option<String>,
    /// S3 requests are not signed.
    pub s3_anonymous: bool,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
    /// How often a request is repeated.
    pub retries: Option<usize>,
}

/// Seconds that an answer may take, as a variable.
pub(super) const TIMEOUT: &str = "GEOFLOW_STORE_TIMEOUT";

/// How often a request is repeated, as a variable.
pub(super) const RETRIES: &str = "GEOFLOW_STORE_RETRIES";

impl StoreOptions {
    /// The same as variables of the environment, for other processes; `None` unsets one.
    pub fn variables(&self) -> Vec<(&'static str, Option<String>)> {
        let mut variables = vec![];
        let mut set = |name, value: Option<String>| {
            if value.is_some() {
                variables.push((name, value));
            }
        };
        set("AWS_ENDPOINT_URL_S3", self.s3_endpoint.clone());
        set("AWS_REGION", self.s3_region.clone());
        set("AWS_PROFILE", self.s3_profile.clone());
        set(
            "AWS_SKIP_SIGNATURE",
            self.s3_anonymous.then(|| "true".to_owned()),
        );
        let seconds = |timeout: Duration| timeout.as_secs_f64().to_string();
        set(TIMEOUT, self.timeout.map(seconds));
        set(RETRIES, self.retries.map(|n| n.to_string()));
        if self.s3_profile.is_some() {
            // Variables with keys would go before the profile.
            for name in [
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                "AWS_SESSION_TOKEN",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
            ] {
                variables.push((name, None));
            }
        }
        variables
    }
}
