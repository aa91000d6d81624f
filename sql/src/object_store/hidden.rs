//! Addresses of web servers with a query, in which signatures stand: `https://host/a.parquet?X-Amz-Signature=...`.
//!
//! ```text
//!  'https://host/a.parquet?sig=s3cr3t'     as it is written
//!   │ hide()                               before a statement is planned
//!  'https://host/a.parquet?...'            its name in plans, messages and logs
//!   │ place()                              when the table is opened
//!  https://address-0@host/a.parquet        its URL, and by scheme and authority its store
//!   │ of_store()                           when the store is made
//!  the whole address                       what the web server is asked for
//! ```
//!
//! The whole address is known to the process alone, by its number.

use std::borrow::Cow;
use std::sync::Arc;

use parking_lot::RwLock;
use url::Url;

/// What stands in place of what is hidden.
const DOTS: &str = "...";

/// The user in URLs of hidden addresses, before the number.
const USER: &str = "address-";

static KNOWN: RwLock<Vec<Arc<Address>>> = RwLock::new(vec![]);

/// An address that has a store of its own. It may hold a secret and therefore has no `Debug`.
pub(super) struct Address {
    /// With the query.
    pub(super) whole: Url,
    /// Without.
    pub(super) shown: String,
    /// The URL that stands for it here.
    pub(super) place: Url,
}

/// The name by which an address may be shown, and found again by [`place`]. `None` of what is no address of a
/// web server or has no query.
pub fn hide(name: &str) -> Option<String> {
    find(name).map(|address| address.shown.clone())
}

/// The URL of an address with a query, as it is written or as it is shown.
pub fn place(name: &str) -> Option<Url> {
    find(name).map(|address| address.place.clone())
}

/// A URL of the address `url` whose store nobody else shares.
pub(crate) fn alone(url: &Url) -> Option<Url> {
    match number(url) {
        Some(_) => Some(url.clone()),
        None => Some(add(url.clone(), None)?.place.clone()),
    }
}

/// The address that a URL made here stands for.
pub(super) fn of_store(url: &Url) -> Option<Arc<Address>> {
    KNOWN.read().get(number(url)?).cloned()
}

fn number(url: &Url) -> Option<usize> {
    url.username().strip_prefix(USER)?.parse().ok()
}

fn find(name: &str) -> Option<Arc<Address>> {
    let (scheme, _) = name.split_once("://")?;
    if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return None;
    }
    let known = |address: &&Arc<Address>| address.shown == name && name.contains(DOTS);
    if let Some(address) = KNOWN.read().iter().find(known) {
        return Some(Arc::clone(address));
    }
    let mut whole = Url::parse(name).ok()?;
    whole.set_fragment(None);
    whole.query().filter(|query| !query.is_empty())?;
    add(whole, Some(DOTS))
}

/// `dots`: what is shown of the query.
fn add(whole: Url, dots: Option<&str>) -> Option<Arc<Address>> {
    let mut known = KNOWN.write();
    if let Some(address) = known.iter().find(|address| address.whole == whole) {
        return Some(Arc::clone(address));
    }
    let path = &whole[..url::Position::AfterPath];
    let shown = match dots {
        None => path.to_owned(),
        Some(dots) => {
            // Two addresses may differ in nothing but the query.
            let same = |shown: &String| known.iter().any(|address| address.shown == *shown);
            let first = format!("{path}?{dots}");
            let others = (2..).map(|nth| format!("{path}?{dots}{nth}"));
            std::iter::once(first).chain(others).find(|s| !same(s))?
        }
    };
    let mut place = whole.clone();
    place.set_query(None);
    place.set_username(&format!("{USER}{}", known.len())).ok()?;
    // Keys have no empty parts. Sent is the address as it is.
    let parts = whole.path().split('/').filter(|part| !part.is_empty());
    let mut parts: Vec<&str> = parts.collect();
    if whole.path().ends_with('/') {
        // A path that would be taken for a folder, which a web server does not list.
        parts.push("index");
    }
    place.set_path(&parts.join("/"));
    let address = Arc::new(Address {
        whole,
        shown,
        place,
    });
    known.push(Arc::clone(&address));
    Some(address)
}

/// A text for people without the queries of addresses and the passwords in them: the last defence, for texts that others made.
pub fn without_queries(text: &str) -> Cow<'_, str> {
    const SCHEME: &str = "://";
    if !text.contains(SCHEME) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SCHEME) {
        let (before, after) = rest.split_at(at + SCHEME.len());
        out.push_str(before);
        rest = after;
        if !before.trim_end_matches(SCHEME).ends_with("http")
            && !before.trim_end_matches(SCHEME).ends_with("https")
        {
            continue;
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | '<' | '>' | '\\');
        let (address, others) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        out.push_str(&bare(address));
        rest = others;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// An address, after its scheme, without what is hidden.
fn bare(address: &str) -> String {
    let (path, query) = match address.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (address, None),
    };
    let host_end = path.find('/').unwrap_or(path.len());
    let (authority, path) = path.split_at(host_end);
    let mut bare = match authority.rsplit_once('@') {
        Some((user, host)) if user.starts_with(USER) => host.to_owned(),
        Some((_, host)) => format!("{DOTS}@{host}"),
        None => authority.to_owned(),
    };
    bare.push_str(path);
    match query {
        None => {}
        // Shown so already, perhaps with a sign of the sentence behind it.
        Some(query) if query.starts_with(DOTS) || query.starts_with('…') => {
            bare.push('?');
            bare.push_str(query);
        }
        Some(_) => {
            bare.push('?');
            bare.push_str(DOTS);
        }
    }
    bare
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_by_the_name_that_is_shown() {
        let shown = hide("https://h.example/x/a.parquet?sig=one").unwrap();
        assert_eq!(shown, "https://h.example/x/a.parquet?...");
        assert_eq!(hide(&shown).unwrap(), shown);
        let other = hide("https://h.example/x/a.parquet?sig=two").unwrap();
        assert_eq!(other, "https://h.example/x/a.parquet?...2");
        assert_eq!(
            hide("https://h.example/x/a.parquet?sig=one").unwrap(),
            shown
        );
        let place = place(&shown).unwrap();
        assert_eq!(place.path(), "/x/a.parquet");
        assert!(place.query().is_none());
        assert_eq!(of_store(&place).unwrap().whole.query(), Some("sig=one"));
        let folder = super::place("https://h.example/get/?id=1").unwrap();
        assert_eq!(folder.path(), "/get/index");
        for plain in [
            "https://h.example/a.parquet",
            "https://h.example/a.parquet?",
            "s3://b/?.parquet",
            "a.parquet?x",
        ] {
            assert!(hide(plain).is_none(), "{plain}");
        }
    }

    #[test]
    fn texts_lose_their_queries() {
        for (text, expected) in [
            ("no address", "no address"),
            (
                "GET 'https://h/a?x=(1)&y' and s3://b/?.parquet",
                "GET 'https://h/a?...' and s3://b/?.parquet",
            ),
            ("https://h/a?...: gone", "https://h/a?...: gone"),
            (
                "{\"u\":\"http://h:1/a?s=1\"}",
                "{\"u\":\"http://h:1/a?...\"}",
            ),
            ("https://me:pass@h/a", "https://...@h/a"),
            ("https://address-7@h/a.parquet is", "https://h/a.parquet is"),
            ("https://h?s", "https://h?..."),
        ] {
            assert_eq!(without_queries(text), expected);
        }
    }
}
