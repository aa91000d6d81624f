//! Errors of object stores in words that say what to do.

use std::error::Error as StdError;

use datafusion::error::DataFusionError;
use geoflow_engine::Error;

/// What an error of an object store means for the reader of `url`.
pub fn explain_object_store_error(error: &object_store::Error, url: &str) -> Error {
    use object_store::Error as Store;

    let environment = |message: String, retryable: bool| Error::Environment { message, retryable };
    let chain = chain(error);
    let says = |signs: &[&str]| signs.iter().any(|sign| chain.contains(sign));
    match error {
        Store::NotFound { .. } => Error::Statement(format!("{url} does not exist")),
        Store::AlreadyExists { .. } => Error::Statement(format!("{url} exists already")),
        Store::PermissionDenied { .. } => environment(
            format!(
                "no permission for {url}: the credentials in use may not read it ({})",
                hint(url)
            ),
            false,
        ),
        Store::Unauthenticated { .. } => environment(
            format!("the credentials for {url} were refused ({})", hint(url)),
            false,
        ),
        _ if io_kind(error) == Some(std::io::ErrorKind::PermissionDenied) => {
            environment(format!("no permission to read {url}"), false)
        }
        _ if io_kind(error) == Some(std::io::ErrorKind::StorageFull) => {
            environment(format!("the disk of {url} is full"), false)
        }
        Store::NotSupported { .. } => environment(
            format!(
                "{url} cannot be read: its server does not answer requests for a part of a file. Download the file first"
            ),
            false,
        ),
        // A bucket that is not there is told apart from a key only in the body of the answer.
        _ if says(&["NoSuchBucket", "bucket does not exist", "ContainerNotFound"]) => environment(
            format!("the bucket of {url} does not exist there: check its name and the endpoint"),
            false,
        ),
        // The addresses where clouds hand out the credentials of a machine.
        _ if says(&["169.254.169.254", "169.254.170.2"]) => environment(
            format!(
                "there are no credentials for {url}: none are set, and the metadata service of the cloud gave none ({})",
                hint(url)
            ),
            false,
        ),
        _ if says(&[
            "incorrectly configured region",
            "PermanentRedirect",
            "301 Moved",
        ]) =>
        {
            environment(
                format!("the bucket of {url} is in another region: set AWS_REGION to its region"),
                false,
            )
        }
        _ if says(&[
            "Connection refused",
            "dns error",
            "error trying to connect",
            "Network is unreachable",
        ]) =>
        {
            environment(
                format!(
                    "{url} cannot be reached ({}): check the network and the endpoint",
                    last(error)
                ),
                true,
            )
        }
        // Not "timeout" alone: every error that was retried names its `retry_timeout`.
        _ if says(&["timed out", "deadline has elapsed"]) => environment(
            format!(
                "{url} did not answer in time: try again, or check the network and the endpoint"
            ),
            true,
        ),
        _ if says(&["error sending request"]) => environment(
            format!("{url} cannot be reached: check the network and the endpoint"),
            true,
        ),
        _ => environment(
            format!("{url} cannot be read: {}", without_secrets(&chain)),
            true,
        ),
    }
}

/// The explanation of an error that has an object store at its root, `None` for others.
///
/// `url` names what was read; without it the object's key does.
pub fn explain_datafusion_error(error: &DataFusionError, url: Option<&str>) -> Option<Error> {
    let DataFusionError::ObjectStore(root) = error.find_root() else {
        return None;
    };
    use object_store::Error as Store;
    let key = match root.as_ref() {
        Store::NotFound { path, .. }
        | Store::AlreadyExists { path, .. }
        | Store::PermissionDenied { path, .. }
        | Store::Unauthenticated { path, .. } => path.as_str(),
        _ => "the object store",
    };
    Some(explain_object_store_error(root, url.unwrap_or(key)))
}

fn hint(url: &str) -> &'static str {
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("s3" | "s3a") => {
            "see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_PROFILE; AWS_SKIP_SIGNATURE=true reads public buckets"
        }
        Some("gs" | "gcs") => {
            "see GOOGLE_APPLICATION_CREDENTIALS; GOOGLE_SKIP_SIGNATURE=true reads public buckets"
        }
        Some("az" | "azure" | "abfs" | "abfss") => {
            "see AZURE_STORAGE_ACCOUNT_KEY; AZURE_SKIP_SIGNATURE=true reads public containers"
        }
        _ => "check access to it",
    }
}

/// The error and its causes, each said once.
fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = inner.source();
    }
    text
}

fn last(error: &object_store::Error) -> String {
    let mut deepest: &dyn StdError = error;
    while let Some(inner) = deepest.source() {
        deepest = inner;
    }
    without_secrets(&deepest.to_string())
}

fn io_kind(error: &object_store::Error) -> Option<std::io::ErrorKind> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = inner.source();
    }
    None
}

/// Cuts the query from URLs in a message, where signatures and tokens stand, and long bodies.
pub(super) fn without_secrets(text: &str) -> String {
    const LIMIT: usize = 400;
    let mut out = String::with_capacity(text.len().min(LIMIT));
    let mut in_query = false;
    let mut before = ' ';
    for c in text.chars().take(LIMIT) {
        // A `?` within a word begins a query, unlike the one of `<?xml`.
        let begins_query = c == '?' && !matches!(before, ' ' | '<');
        before = c;
        match c {
            '?' if begins_query => {
                in_query = true;
                out.push_str("?…");
            }
            ' ' | ')' | '"' | '\'' | '\n' | '>' => {
                in_query = false;
                out.push(c);
            }
            _ if in_query => {}
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: text.into(),
        }
    }

    #[test]
    fn each_error_says_what_to_do() {
        let not_found = object_store::Error::NotFound {
            path: "k".into(),
            source: "404".into(),
        };
        let denied = object_store::Error::PermissionDenied {
            path: "k".into(),
            source: "403".into(),
        };
        for (error, url, expected) in [
            (not_found, "s3://b/k", "s3://b/k does not exist"),
            (denied, "s3://b/k", "AWS_ACCESS_KEY_ID"),
            (
                generic("after 5 retries, retry_timeout: 60s: Connection refused (os error 111)"),
                "s3://b/k",
                "cannot be reached",
            ),
            (
                generic("GET http://169.254.169.254/latest/api/token: 403"),
                "s3://b/k",
                "no credentials for s3://b/k",
            ),
            (
                generic("operation timed out"),
                "gs://b/k",
                "did not answer in time",
            ),
            (
                generic("error sending request for url, max_retries: 3, retry_timeout: 60s"),
                "s3://b/k",
                "cannot be reached",
            ),
            (
                generic("404 Not Found: <Error><Code>NoSuchBucket</Code></Error>"),
                "s3://b/k",
                "the bucket of s3://b/k does not exist",
            ),
            (
                generic(
                    "Received redirect without LOCATION, this normally indicates an incorrectly configured region",
                ),
                "s3://b/k",
                "AWS_REGION",
            ),
        ] {
            let message = explain_object_store_error(&error, url).to_string();
            assert!(
                message.contains(url) && message.contains(expected),
                "{message}"
            );
        }
        let io = object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(std::io::Error::from(std::io::ErrorKind::PermissionDenied)),
        };
        let message = explain_object_store_error(&io, "/data/a.parquet").to_string();
        assert_eq!(message, "no permission to read /data/a.parquet");
    }

    #[test]
    fn signatures_are_not_shown() {
        let text = "GET (https://x.blob/c/k?sv=1&sig=SECRET) failed \"https://y?token=SECRET\"";
        let shown = without_secrets(text);
        assert!(
            !shown.contains("SECRET") && shown.ends_with("failed \"https://y?…\""),
            "{shown}"
        );
        let error = explain_object_store_error(&generic(text), "az://c/k").to_string();
        assert!(!error.contains("SECRET"), "{error}");
    }
}
