//! Errors of object stores in words that say what to do.

use std::error::Error as StdError;

use datafusion::error::DataFusionError;

use crate::Error;

/// What an error of an object store means for who reads or writes `url`.
pub fn explain_object_store_error(error: &object_store::Error, url: &str) -> Error {
    use object_store::Error as Store;

    let environment = |message: String, retryable: bool| Error::Environment { message, retryable };
    let chain = chain(error);
    let says = |signs: &[&str]| signs.iter().any(|sign| chain.contains(sign));
    match error {
        Store::NotFound { .. } if !says(&["NoSuchBucket", "ContainerNotFound"]) => {
            Error::Statement(format!("{url} does not exist"))
        }
        Store::AlreadyExists { .. } => Error::Statement(format!("{url} exists already")),
        Store::InvalidPath { .. } => {
            Error::Statement(format!("{url} is no path of an object: {error}"))
        }
        _ if io_kind(error) == Some(std::io::ErrorKind::PermissionDenied) => environment(
            format!("no permission for {url}: the rights of the file or its folder forbid it"),
            false,
        ),
        _ if io_kind(error) == Some(std::io::ErrorKind::StorageFull) => environment(
            format!("the disk of {url} is full: make room and try again"),
            false,
        ),
        _ if matches!(error, Store::NotSupported { .. })
            || says(&[
                "Range request not supported",
                "Received non-partial response",
            ]) =>
        {
            environment(
                format!(
                    "{url} cannot be read: its server does not answer requests for a part of a file. Download the file first"
                ),
                false,
            )
        }
        // The codes of S3 go before the status: 400 and 403 stand for many things.
        _ if says(&["ExpiredToken", "TokenRefreshRequired", "token has expired"]) => environment(
            format!(
                "the credentials for {url} have expired: get new ones ({})",
                hint(url)
            ),
            false,
        ),
        _ if says(&["RequestTimeTooSkewed"]) => environment(
            format!(
                "the server of {url} refuses the request because the clock of this machine is wrong"
            ),
            false,
        ),
        _ if says(&["AuthorizationHeaderMalformed"]) && chain.contains("region") => environment(
            match between(&chain, "<Region>", "</Region>") {
                Some(region) => format!(
                    "the bucket of {url} is in the region {region}: set AWS_REGION, or give --s3-region {region}"
                ),
                None => format!(
                    "the bucket of {url} is in another region: set AWS_REGION, or give --s3-region"
                ),
            },
            false,
        ),
        _ if says(&[
            "incorrectly configured region",
            "PermanentRedirect",
            "301 Moved",
        ]) =>
        {
            environment(
                format!(
                    "the bucket of {url} is in another region: set AWS_REGION, or give --s3-region"
                ),
                false,
            )
        }
        // The addresses where clouds hand out the credentials of a machine.
        _ if says(&["169.254.169.254", "169.254.170.2"]) => environment(
            format!(
                "there are no credentials for {url}: none are set, and the metadata service of the cloud gave none ({})",
                hint(url)
            ),
            false,
        ),
        _ if url.contains("?...")
            && (matches!(
                error,
                Store::PermissionDenied { .. } | Store::Unauthenticated { .. }
            ) || says(&["400 Bad Request"])) =>
        {
            environment(
                format!(
                    "no permission for {url}: the signature may have expired, or be for another file or server{}. Ask for a new address",
                    said(&chain)
                ),
                false,
            )
        }
        // A listing that is refused comes as a generic error.
        _ if matches!(error, Store::PermissionDenied { .. }) || says(&["403 Forbidden"]) => {
            environment(
                format!(
                    "no permission for {url}: the credentials in use may not read or write it, or are wrong{} ({})",
                    said(&chain),
                    hint(url)
                ),
                false,
            )
        }
        _ if matches!(error, Store::Unauthenticated { .. }) || says(&["401 Unauthorized"]) => {
            environment(
                format!(
                    "the credentials for {url} were refused{} ({})",
                    said(&chain),
                    hint(url)
                ),
                false,
            )
        }
        // A bucket that is not there is told apart from a key only in the body of the answer.
        _ if says(&["NoSuchBucket", "bucket does not exist", "ContainerNotFound"]) => environment(
            format!(
                "the {} of {url} does not exist there: check its name and the endpoint",
                holder(url)
            ),
            false,
        ),
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
        _ if says(&[
            "SlowDown",
            "503 Service Unavailable",
            "429 Too Many Requests",
        ]) =>
        {
            environment(
                format!(
                    "the server of {url} is busy and refused the request{}{}: try again later",
                    tries(&chain),
                    said(&chain)
                ),
                true,
            )
        }
        _ if says(&[
            "500 Internal Server Error",
            "502 Bad Gateway",
            "504 Gateway Timeout",
            "InternalError",
        ]) =>
        {
            environment(
                format!(
                    "the server of {url} failed{}{}: try again later",
                    tries(&chain),
                    said(&chain)
                ),
                true,
            )
        }
        // Not "timeout" alone: every error that was retried names its `retry_timeout`.
        _ if says(&["timed out", "deadline has elapsed"]) => environment(
            format!(
                "{url} did not answer in time{}: try again with a longer --store-timeout, or check the network and the endpoint",
                tries(&chain)
            ),
            true,
        ),
        _ if says(&[
            "Connection reset",
            "connection closed",
            "broke off",
            "response body",
            "BrokenPipe",
            "Broken pipe",
        ]) =>
        {
            environment(
                format!(
                    "the connection to {url} broke{}: try again, or check the network",
                    tries(&chain)
                ),
                true,
            )
        }
        _ if says(&["InvalidContentType"]) => environment(
            format!("{url} cannot be reached: its server speaks http://, not https://"),
            false,
        ),
        _ if says(&["error sending request"]) => environment(
            format!(
                "{url} cannot be reached{}: check the network and the endpoint",
                tries(&chain)
            ),
            true,
        ),
        _ if says(&["400 Bad Request"]) => environment(
            format!(
                "the server of {url} refused the request{}: check the credentials, which may have expired, the region and the endpoint",
                said(&chain)
            ),
            false,
        ),
        // Objects and buckets that are not there are told before: whoever answers so is another server.
        _ if says(&[
            "404 Not Found",
            "405 Method Not Allowed",
            "501 Not Implemented",
        ]) =>
        {
            environment(
                format!(
                    "what answers at the endpoint of {url} is no such store, or has no such {}: check the endpoint and its port",
                    holder(url)
                ),
                false,
            )
        }
        _ => environment(format!("{url}: {}", without_secrets(&chain)), true),
    }
}

/// The explanation of an error that has an object store at its root, `None` for others.
///
/// `url` names what was read; without it the object's key or the address of the request does.
pub fn explain_datafusion_error(error: &DataFusionError, url: Option<&str>) -> Option<Error> {
    let DataFusionError::ObjectStore(root) = error.find_root() else {
        return None;
    };
    Some(match url {
        Some(url) => explain_object_store_error(root, url),
        None => explain_unnamed(root),
    })
}

/// What an error of an object store means where nobody knows what was read or written: it is called
/// by what the error says of it.
pub fn explain_unnamed(error: &object_store::Error) -> Error {
    use object_store::Error as Store;
    let name = match error {
        Store::NotFound { path, .. }
        | Store::AlreadyExists { path, .. }
        | Store::Precondition { path, .. }
        | Store::PermissionDenied { path, .. }
        | Store::Unauthenticated { path, .. } => path.clone(),
        _ => {
            let chain = chain(error);
            let start = chain.find("http://").or_else(|| chain.find("https://"));
            let address = start.and_then(|start| chain[start..].split([' ', '?', ')', '"']).next());
            address.unwrap_or("the object store").to_owned()
        }
    };
    explain_object_store_error(error, &name)
}

/// What a store keeps its objects in, as its users call it.
fn holder(url: &str) -> &'static str {
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("az" | "azure" | "abfs" | "abfss") => "container",
        _ => "bucket",
    }
}

fn hint(url: &str) -> &'static str {
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("s3" | "s3a") => {
            "see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and --s3-profile; --s3-anonymous reads public buckets"
        }
        Some("gs" | "gcs") => {
            "see GOOGLE_APPLICATION_CREDENTIALS; GOOGLE_SKIP_SIGNATURE=true reads public buckets"
        }
        Some("az" | "azure" | "abfs" | "abfss") => {
            "see AZURE_STORAGE_ACCOUNT_KEY and AZURE_STORAGE_SAS_TOKEN; AZURE_SKIP_SIGNATURE=true reads public containers"
        }
        _ => "check the credentials in the AWS_*, GOOGLE_* or AZURE_* variables and their rights",
    }
}

/// What the server says in the body of its answer.
fn said(chain: &str) -> String {
    let code = between(chain, "<Code>", "</Code>");
    let message = between(chain, "<Message>", "</Message>");
    match (code, message) {
        (Some(code), Some(message)) => {
            // Azure has the numbers of requests on the lines below.
            let message = message.trim().lines().next().unwrap_or_default();
            let message = without_secrets(message);
            format!(", it says {code}: {}", message.trim_end_matches('.'))
        }
        (Some(code), None) => format!(", it says {code}"),
        _ => String::new(),
    }
}

/// How often the client has tried.
fn tries(chain: &str) -> String {
    let retries = between(chain, "after ", " retries").and_then(|n| n.parse::<usize>().ok());
    retries.map_or_else(String::new, |n| format!(" {} times", n + 1))
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let start = text.find(open)? + open.len();
    let length = text.get(start..)?.find(close)?;
    text.get(start..start + length)
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
pub fn without_secrets(text: &str) -> String {
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
                out.push_str("?...");
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
                generic("400 Bad Request: <Error><Code>ExpiredToken</Code></Error>"),
                "s3://b/k",
                "have expired",
            ),
            (
                generic(
                    "400 Bad Request: <Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message><Region>eu-west-1</Region></Error>",
                ),
                "s3://b/k",
                "--s3-region eu-west-1",
            ),
            (
                generic(
                    "after 8 retries, max_retries: 8, retry_timeout: 60s - 503 Service Unavailable: <Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
                ),
                "s3://b/k",
                "refused the request 9 times, it says SlowDown: Please reduce your request rate:",
            ),
            (
                generic("Error getting list response body: error decoding response body"),
                "s3://b/k/",
                "broke",
            ),
            (generic("400 Bad Request"), "s3://b/k", "may have expired"),
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
                generic(
                    "403 Forbidden: <Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
                ),
                "s3://b/k/",
                "no permission for s3://b/k/: the credentials in use may not read or write it, or are wrong, it says AccessDenied",
            ),
            (
                generic("404 Not Found: {\"error\":\"volume id open not found\"}"),
                "s3://b/k",
                "check the endpoint and its port",
            ),
            (
                generic(
                    "403 Forbidden: <Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
                ),
                "s3://b/k",
                "it says AccessDenied: Request has expired",
            ),
            (
                object_store::Error::PermissionDenied {
                    path: "k".into(),
                    source: "403".into(),
                },
                "https://h/k?...",
                "the signature may have expired",
            ),
            (
                generic("404: ContainerNotFound"),
                "az://c/k",
                "the container of az://c/k does not exist",
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
        assert_eq!(
            message,
            "no permission for /data/a.parquet: the rights of the file or its folder forbid it"
        );
    }

    #[test]
    fn signatures_are_not_shown() {
        let text = "GET (https://x.blob/c/k?sv=1&sig=SECRET) failed \"https://y?token=SECRET\"";
        let shown = without_secrets(text);
        assert!(
            !shown.contains("SECRET") && shown.ends_with("failed \"https://y?...\""),
            "{shown}"
        );
        let error = explain_object_store_error(&generic(text), "az://c/k").to_string();
        assert!(!error.contains("SECRET"), "{error}");
        let unnamed = explain_unnamed(&generic("GET https://h/b/k?sig=SECRET timed out"));
        assert!(
            unnamed
                .to_string()
                .starts_with("https://h/b/k did not answer in time"),
            "{unnamed}"
        );
    }
}
