//! How object stores are reached. Keys and tokens come from variables and files alone: a command line is
//! read by everybody on the machine.

use std::time::Duration;

use clap::Args;
use geoflow_sql::object_store::StoreOptions;

/// Options of object storage.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Object storage")]
pub(crate) struct StoreArgs {
    /// Endpoint of an S3 server other than Amazon's, as http://127.0.0.1:8333 [env: AWS_ENDPOINT_URL]
    #[arg(long, global = true, value_name = "URL", value_parser = endpoint)]
    s3_endpoint: Option<String>,

    /// Region of S3 buckets [env: AWS_REGION]
    #[arg(long, global = true, value_name = "REGION")]
    s3_region: Option<String>,

    /// Profile of the AWS tools whose keys, region and endpoint are used [env: AWS_PROFILE]
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        conflicts_with = "s3_anonymous"
    )]
    s3_profile: Option<String>,

    /// Read public S3 buckets without keys
    #[arg(long, global = true)]
    s3_anonymous: bool,

    /// Seconds that an answer of an object store may take [env: GEOFLOW_STORE_TIMEOUT] [default: 30]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    store_timeout: Option<Duration>,

    /// How often a request to an object store is repeated [env: GEOFLOW_STORE_RETRIES] [default: 8]
    #[arg(long, global = true, value_name = "N")]
    store_retries: Option<usize>,
}

impl From<StoreArgs> for StoreOptions {
    fn from(args: StoreArgs) -> Self {
        Self {
            s3_endpoint: args.s3_endpoint,
            s3_region: args.s3_region,
            s3_profile: args.s3_profile,
            s3_anonymous: args.s3_anonymous,
            timeout: args.store_timeout,
            retries: args.store_retries,
        }
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        None | Some("") => Err("it begins with http:// or https://".to_owned()),
        Some(rest) if rest.contains('@') => Err(
            "keys do not belong there: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
        ),
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| "it is a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("it is a number of seconds, greater than zero".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_mean_nothing_are_refused() {
        assert_eq!(endpoint("http://h:1/").as_deref(), Ok("http://h:1"));
        assert!(endpoint("h:1").is_err());
        assert!(endpoint("https://").is_err());
        assert!(endpoint("https://key:secret@h").is_err());
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
