//! Files of web servers, which are read only.
//!
//! A store asks by HEAD how large a file is. A web server may refuse that (an address that is signed for GET
//! is answered with 403), leave the size out, or say it of a file of which it gives no parts. So the first byte is
//! asked for instead: what the answer says of its place in the file is the size, and that the server gives parts.
//!
//! ```text
//!  HEAD /a.parquet ──> GET /a.parquet?sig=...   Range: bytes=0-0
//!                        206, bytes 0-0/1234      the size, as an answer to HEAD
//!                        416, bytes */0           an empty file
//!                        200                      no parts: the file must be copied as a whole
//! ```

use std::error::Error as StdError;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use geoflow_engine::Error;
use geoflow_engine::store::SteadyStore;
use http::header::{
    CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED, RANGE,
};
use http::{Method, StatusCode, Uri};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService, ReqwestConnector,
};
use object_store::http::HttpBuilder;
use object_store::{ClientOptions, ObjectStore};
use url::Url;

use super::hidden::{self, Address};
use super::{Patience, not_built};

/// The store of a host, or of the one file of an address with a query.
pub(super) fn build(url: &Url, patience: &Patience) -> Result<Arc<dyn ObjectStore>, Error> {
    let address = hidden::of_store(url);
    let origin = match &address {
        Some(address) => &address.whole[..url::Position::BeforePath],
        None => &url[..url::Position::BeforePath],
    };
    let name = match &address {
        Some(address) => format!("WebFile({})", address.shown),
        None => format!("Web({origin})"),
    };
    let mut hasher = DefaultHasher::new();
    origin.hash(&mut hasher);
    let connector = WebConnector {
        tag: format!("{:x}-{}", hasher.finish(), url.username()),
        address: address.as_deref().and_then(Replaced::of),
    };
    let store = HttpBuilder::new()
        .with_url(origin)
        .with_client_options(patience.client_options().with_allow_http(true))
        .with_retry(patience.retry())
        .with_http_connector(connector)
        .build()
        .map_err(|e| not_built(url, &e))?;
    Ok(Arc::new(SteadyStore::named(Arc::new(store), name)))
}

/// Whether an error says that a web server gives no parts of a file.
pub(crate) fn gives_no_parts(error: &object_store::Error) -> bool {
    if matches!(error, object_store::Error::NotSupported { .. }) {
        return true;
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<NoParts>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

#[derive(Debug)]
struct NoParts;

impl fmt::Display for NoParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Range request not supported")
    }
}

impl StdError for NoParts {}

/// What a request becomes before it is sent. It may hold a secret, which `Debug` leaves out.
#[derive(Clone)]
struct Replaced {
    /// The path of the file, as the client writes it.
    path: String,
    /// What is sent for it, letter by letter as it was signed.
    whole: Uri,
    /// What other files beside it are asked for with.
    query: String,
}

impl Replaced {
    fn of(address: &Address) -> Option<Self> {
        let location = object_store::path::Path::from_url_path(address.place.path()).ok()?;
        let mut asked = address.whole.clone();
        asked.set_path("");
        asked.path_segments_mut().ok()?.extend(location.parts());
        Some(Self {
            path: asked.path().to_owned(),
            whole: address.whole.as_str().parse().ok()?,
            query: address.whole.query().unwrap_or_default().to_owned(),
        })
    }

    fn apply(&self, uri: &Uri) -> Result<Uri, http::Error> {
        if uri.path() == self.path {
            return Ok(self.whole.clone());
        }
        let mut parts = uri.clone().into_parts();
        let asked = match self.query.as_str() {
            "" => uri.path().to_owned(),
            query => format!("{}?{query}", uri.path()),
        };
        parts.path_and_query = Some(asked.parse()?);
        Ok(Uri::from_parts(parts)?)
    }
}

impl fmt::Debug for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replaced")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct WebConnector {
    tag: String,
    address: Option<Replaced>,
}

impl HttpConnector for WebConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(WebService {
            client: ReqwestConnector::default().connect(options)?,
            tag: self.tag.clone(),
            address: self.address.clone(),
        }))
    }
}

#[derive(Debug)]
struct WebService {
    client: HttpClient,
    /// Tells files of this server from those of others.
    tag: String,
    address: Option<Replaced>,
}

#[async_trait]
impl HttpService for WebService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut asked, body) = request.into_parts();
        if let Some(address) = &self.address {
            let uri = address.apply(&asked.uri);
            asked.uri = uri.map_err(|e| HttpError::new(HttpErrorKind::Unknown, e))?;
        }
        let is_head = asked.method == Method::HEAD;
        if is_head {
            asked.method = Method::GET;
            asked
                .headers
                .insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        }
        let body = match is_head {
            true => HttpRequestBody::empty(),
            false => body,
        };
        let request = HttpRequest::from_parts(asked, body);
        let mut answer = self.client.execute(request).await?;
        if is_head {
            answer = size(answer)?;
        }
        let headers = answer.headers_mut();
        if !headers.contains_key(ETAG) {
            self.tag(headers);
        }
        if !headers.contains_key(CONTENT_LENGTH) {
            // The client wants it; what is read is what comes.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            headers.remove(ETAG);
        }
        Ok(answer)
    }
}

impl WebService {
    /// Gives a file without ETag one: what is kept of files, such as footers, is kept by path, time and tag, and
    /// another server, or another query, may have another file of the same path.
    fn tag(&self, headers: &mut HeaderMap) {
        let modified = headers
            .get(LAST_MODIFIED)
            .and_then(|modified| modified.to_str().ok())
            .unwrap_or_default();
        let tag: String = format!("{}-{modified}", self.tag)
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
            headers.insert(ETAG, tag);
        }
    }
}

/// The answer to HEAD, made of the one to a request for the first byte.
fn size(mut answer: HttpResponse) -> Result<HttpResponse, HttpError> {
    let place = answer.headers().get(CONTENT_RANGE);
    let total = place
        .and_then(|place| place.to_str().ok()?.rsplit_once('/'))
        .and_then(|(_, total)| total.trim().parse::<u64>().ok());
    let is_empty = || {
        let length = answer.headers().get(CONTENT_LENGTH);
        length.is_some_and(|length| length.as_bytes() == b"0")
    };
    let size = match (answer.status(), total) {
        (StatusCode::PARTIAL_CONTENT, Some(total)) => total,
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(0) | None) => 0,
        (StatusCode::OK, _) if is_empty() => 0,
        (status, _) if status.is_success() => {
            return Err(HttpError::new(HttpErrorKind::Unknown, NoParts));
        }
        _ => return Ok(answer),
    };
    *answer.status_mut() = StatusCode::OK;
    *answer.body_mut() = HttpResponseBody::from(Vec::new());
    answer.headers_mut().remove(CONTENT_RANGE);
    answer.headers_mut().insert(CONTENT_LENGTH, size.into());
    Ok(answer)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> HttpResponse {
        let mut answer = http::Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        answer.body(HttpResponseBody::from(vec![1])).unwrap()
    }

    #[test]
    fn the_first_byte_tells_the_size() {
        for (status, headers, expected) in [
            (206, vec![("content-range", "bytes 0-0/77")], Some("77")),
            (206, vec![("content-range", "bytes 0-0/*")], None),
            (416, vec![("content-range", "bytes */0")], Some("0")),
            (416, vec![], Some("0")),
            (200, vec![("content-length", "0")], Some("0")),
            (200, vec![("content-length", "77")], None),
            (200, vec![], None),
        ] {
            let found = size(answer(status, &headers)).ok();
            let found = found.map(|found| {
                assert_eq!(found.status(), 200);
                found.headers()[CONTENT_LENGTH].to_str().unwrap().to_owned()
            });
            assert_eq!(found.as_deref(), expected, "{status} {headers:?}");
        }
        assert_eq!(size(answer(403, &[])).unwrap().status(), 403);
    }

    #[test]
    fn an_address_is_sent_as_it_was_signed() {
        let place = hidden::place("https://h.example/a%2Bb//c.shp?sig=x%2F").unwrap();
        let address = hidden::of_store(&place).unwrap();
        let replaced = Replaced::of(&address).unwrap();
        let sent = |path: &str| {
            let uri = format!("https://h.example{path}").parse().unwrap();
            replaced.apply(&uri).unwrap().to_string()
        };
        assert_eq!(
            sent(&replaced.path),
            "https://h.example/a%2Bb//c.shp?sig=x%2F"
        );
        assert_eq!(sent("/a/c.dbf"), "https://h.example/a/c.dbf?sig=x%2F");
        assert!(!format!("{replaced:?}").contains("sig"));
    }
}
