//! What a table name means when it is a path or a URL.

use std::path::{Path, PathBuf};

use geoflow_engine::Error;
use glob::Pattern;
use url::Url;

use crate::object_store::{place, without_queries};

/// Schemes of object stores and web servers. The first group can be listed.
const LISTABLE: [&str; 8] = ["s3", "s3a", "gs", "gcs", "az", "azure", "abfs", "abfss"];
const SINGLE: [&str; 2] = ["http", "https"];

const GLOB_CHARS: [char; 3] = ['*', '?', '['];

/// A place where a table may be.
#[derive(Debug)]
pub(super) enum Location {
    /// A local path without glob.
    Path(PathBuf),
    /// One object, or all below a prefix.
    Url(Url),
    /// Files below `base` (a folder, its URL ends with `/`) whose path from there matches.
    Glob { base: Url, pattern: Pattern },
}

impl Location {
    /// Reads `name`. `None` when it is a plain name and no path: then it is a table that does not
    /// exist.
    pub(super) fn parse(name: &str) -> Result<Option<Self>, Error> {
        if let Some((scheme, rest)) = name.split_once("://") {
            return Self::parse_url(name, &scheme.to_ascii_lowercase(), rest).map(Some);
        }
        let path = expand_home(name);
        let path_like = name.contains(['/', '\\', '.', '~']) || name.contains(GLOB_CHARS);
        if path.exists() {
            return Ok((path_like || path.is_dir()).then_some(Self::Path(path)));
        }
        if !path_like {
            return Ok(None);
        }
        match path.to_str().and_then(split_glob) {
            Some((base, pattern)) => {
                let folder = absolute(Path::new(base))?;
                let base = Url::from_directory_path(&folder)
                    .map_err(|()| Error::Statement(format!("\"{name}\" is no path")))?;
                Ok(Some(Self::Glob {
                    base,
                    pattern: parse_pattern(name, pattern)?,
                }))
            }
            None => Ok(Some(Self::Path(path))),
        }
    }

    fn parse_url(name: &str, scheme: &str, rest: &str) -> Result<Self, Error> {
        let bad = |e: url::ParseError| Error::Statement(format!("\"{name}\" is no valid URL: {e}"));
        if scheme == "file" {
            let url = Url::parse(name).map_err(bad)?;
            return match url.to_file_path() {
                Ok(path) => Ok(Self::Path(path)),
                Err(()) => Err(Error::Statement(format!(
                    "\"{name}\" names no local file: write file:///path"
                ))),
            };
        }
        if SINGLE.contains(&scheme) {
            let url = match place(name) {
                Some(place) => return Ok(Self::Url(place)),
                None => Url::parse(name).map_err(bad)?,
            };
            if url.password().is_some() {
                return Err(Error::Statement(format!(
                    "{}: a password in an address would be seen by everybody, and is not taken",
                    without_queries(name)
                )));
            }
            if url.path().ends_with('/') || rest.contains('*') {
                return Err(Error::Statement(format!(
                    "\"{name}\": a web server cannot be listed: name one file"
                )));
            }
            return Ok(Self::Url(url));
        }
        if !LISTABLE.contains(&scheme) {
            return Err(Error::Statement(format!(
                "\"{name}\": \"{scheme}://\" is not supported: use a local path, s3://, gs://, az:// or https://"
            )));
        }
        // Keys are taken as they are written, as the tools of the clouds do: `?` and `#` begin
        // nothing, `%` encodes nothing.
        let (base, pattern) = match split_glob(rest) {
            Some((base, pattern)) => (base, Some(pattern)),
            None => (rest, None),
        };
        let (authority, key) = base.split_once('/').unwrap_or((base, ""));
        let mut url = Url::parse(&format!("{scheme}://{authority}/")).map_err(bad)?;
        url.set_path(&format!("/{}", key.replace('%', "%25")));
        match pattern {
            None => Ok(Self::Url(url)),
            Some(pattern) => Ok(Self::Glob {
                base: url,
                pattern: parse_pattern(name, pattern)?,
            }),
        }
    }
}

fn parse_pattern(name: &str, pattern: &str) -> Result<Pattern, Error> {
    Pattern::new(pattern)
        .map_err(|e| Error::Statement(format!("\"{name}\" is no valid file pattern: {e}")))
}

/// Splits before the first segment with a wildcard: `a/b/*.parquet` into `a/b/` and `*.parquet`.
fn split_glob(path: &str) -> Option<(&str, &str)> {
    let wildcard = path.find(GLOB_CHARS)?;
    let start = path
        .get(..wildcard)?
        .rfind('/')
        .map_or(0, |slash| slash + 1);
    Some(path.split_at(start))
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    std::path::absolute(path).map_err(|e| Error::Environment {
        message: format!("{} cannot be resolved: {e}", path.display()),
        retryable: false,
    })
}

fn expand_home(name: &str) -> PathBuf {
    match (name.strip_prefix('~'), std::env::home_dir()) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with('/') => {
            home.join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(name),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn url(name: &str) -> String {
        match Location::parse(name).unwrap().unwrap() {
            Location::Url(url) => url.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn plain_names_are_tables() {
        assert!(Location::parse("cities").unwrap().is_none());
        assert!(Location::parse("src").unwrap().is_some(), "a folder here");
        assert!(Location::parse("a.parquet").unwrap().is_some());
        assert!(Location::parse("no/such").unwrap().is_some());
    }

    #[test]
    fn keys_are_verbatim() {
        assert_eq!(url("s3://b/a b/c#1.parquet"), "s3://b/a%20b/c%231.parquet");
        assert_eq!(url("s3://b/50%25.parquet"), "s3://b/50%2525.parquet");
        assert_eq!(url("S3://b/x/"), "s3://b/x/");
        assert_eq!(
            url("abfss://c@a.dfs.core.windows.net/x"),
            "abfss://c@a.dfs.core.windows.net/x"
        );
        assert_eq!(url("https://h/a%20b.parquet"), "https://h/a%20b.parquet");
        let signed = url("https://h/a%20b.parquet?sig=SECRET*");
        assert!(signed.ends_with("@h/a%20b.parquet"), "{signed}");
    }

    #[test]
    fn globs_keep_what_stands_before_them() {
        for (name, expected) in [
            ("s3://b/a/x*.parquet", ("s3://b/a/", "x*.parquet")),
            ("s3://b/*/?.parquet", ("s3://b/", "*/?.parquet")),
            (
                "/no such/**/x.parquet",
                ("file:///no%20such/", "**/x.parquet"),
            ),
        ] {
            let Some(Location::Glob { base, pattern }) = Location::parse(name).unwrap() else {
                panic!("{name}");
            };
            assert_eq!((base.as_str(), pattern.as_str()), expected);
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (name, expected) in [
            ("ftp://h/x.parquet", "\"ftp://\" is not supported"),
            ("https://h/dir/", "cannot be listed"),
            ("https://h/*.parquet", "cannot be listed"),
            ("https://me:SECRET@h/x.parquet", "is not taken"),
            ("x/[.parquet", "no valid file pattern"),
        ] {
            let message = Location::parse(name).unwrap_err().to_string();
            assert!(
                message.contains(expected) && !message.contains("SECRET"),
                "{message}"
            );
        }
    }
}
