//! A folder in object storage or on the local disk, where conditional writes settle races.

use std::sync::Arc;

use bytes::Bytes;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::{StreamExt, TryStreamExt};
use geoflow_engine::{Error, Result};
use geoflow_sql::object_store::explain_object_store_error;
use object_store::path::{Path, PathPart};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use url::Url;

/// A folder of objects.
#[derive(Debug, Clone)]
pub struct Folder {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Ends with `/`.
    url: Url,
}

/// What became of a write that must not replace anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// It is there, and it is ours; perhaps since an earlier attempt whose answer was lost.
    Ours,
    /// Something else is there, with these contents.
    Theirs(Bytes),
}

impl Folder {
    /// The folder at a URL or a local path, which need not exist.
    ///
    /// # Errors
    /// [`Error::Statement`] when `location` is neither, [`Error::Environment`] when its store cannot
    /// be used.
    pub fn open(registry: &dyn ObjectStoreRegistry, location: &str) -> Result<Self> {
        let mut url = folder_url(location)?;
        url.set_query(None);
        url.set_fragment(None);
        let store = registry.get_store(&url).map_err(|e| plain(e, location))?;
        let prefix = Path::from_url_path(url.path())
            .map_err(|e| Error::Statement(format!("\"{location}\" is no folder: {e}")))?;
        Ok(Self { store, prefix, url })
    }

    /// The folder of that name in this one.
    #[must_use]
    pub fn folder(&self, name: &str) -> Self {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(name.split('/')).push("");
        }
        let mut prefix = self.prefix.clone();
        for part in name.split('/').filter(|part| !part.is_empty()) {
            prefix = prefix.join(part);
        }
        Self {
            store: Arc::clone(&self.store),
            prefix,
            url,
        }
    }

    /// Its URL, which ends with `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its URL, or the path of a local folder: what a person calls it.
    pub fn display(&self) -> String {
        display_url(&self.url)
    }

    /// What a person calls the object of that name.
    pub fn display_object(&self, name: &str) -> String {
        format!("{}{name}", self.display())
    }

    /// The URL of the object of that name.
    pub fn object_url(&self, name: &str) -> String {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(name.split('/'));
        }
        url.into()
    }

    /// The store that it lies in.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Where the object of that name lies in the store.
    pub fn path(&self, name: &str) -> Path {
        // Names come from listings as well, where what must be encoded is encoded already.
        let encoded = |part| PathPart::parse(part).unwrap_or_else(|_| PathPart::from(part));
        name.split('/')
            .filter(|part| !part.is_empty())
            .fold(self.prefix.clone(), |path, part| path.join(encoded(part)))
    }

    /// Whether it is a folder of the local file system.
    pub fn is_local(&self) -> bool {
        self.url.scheme() == "file"
    }

    /// The name of an object of the folder, by its place in the store.
    pub(crate) fn name_of(&self, path: &Path) -> String {
        match path.prefix_match(&self.prefix) {
            Some(parts) => {
                let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
                parts.join("/")
            }
            None => path.to_string(),
        }
    }

    /// The contents of an object; `None` if it is not there.
    ///
    /// # Errors
    /// [`Error::Environment`] when it cannot be read.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        let read = async { self.store.get(&self.path(name)).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain(&error, name)),
        }
    }

    /// Writes an object, in place of one that is there.
    ///
    /// # Errors
    /// [`Error::Environment`] when it cannot be written.
    pub async fn put(&self, name: &str, contents: impl Into<Bytes>) -> Result<()> {
        let payload = PutPayload::from_bytes(contents.into());
        let put = self.store.put(&self.path(name), payload).await;
        put.map(drop).map_err(|error| self.explain(&error, name))
    }

    /// Writes an object if there is none of that name: of all that try, one succeeds.
    ///
    /// A request that timed out may have been carried out. What is there then is read back and
    /// compared, so contents must be unique to their writer.
    ///
    /// # Errors
    /// [`Error::Environment`] when it cannot be written; it may be there all the same.
    pub async fn create(&self, name: &str, contents: impl Into<Bytes>) -> Result<Created> {
        let contents: Bytes = contents.into();
        let options = PutOptions::from(PutMode::Create);
        let payload = PutPayload::from_bytes(contents.clone());
        let put = self
            .store
            .put_opts(&self.path(name), payload, options)
            .await;
        let error = match put {
            Ok(_) => return Ok(Created::Ours),
            Err(error) => error,
        };
        let taken = matches!(
            error,
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }
        );
        match self.get(name).await {
            Ok(Some(there)) if there == contents => Ok(Created::Ours),
            Ok(Some(there)) => Ok(Created::Theirs(there)),
            // Whoever took the name has given it up again.
            Ok(None) if taken => Err(Error::Environment {
                message: format!(
                    "{} was written and deleted by another process meanwhile",
                    self.display_object(name)
                ),
                retryable: true,
            }),
            Ok(None) => Err(self.explain(&error, name)),
            Err(_) if !taken => Err(self.explain(&error, name)),
            Err(error) => Err(error),
        }
    }

    /// Deletes an object, if it is there.
    ///
    /// # Errors
    /// [`Error::Environment`] when it cannot be deleted.
    pub async fn delete(&self, name: &str) -> Result<()> {
        match self.store.delete(&self.path(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain(&error, name)),
        }
    }

    /// All objects below the folder, by their names in it, in order.
    ///
    /// # Errors
    /// [`Error::Environment`] when it cannot be listed.
    pub async fn list(&self) -> Result<Vec<(String, ObjectMeta)>> {
        let listed: std::result::Result<Vec<ObjectMeta>, _> =
            self.store.list(Some(&self.prefix)).try_collect().await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(object_store::Error::NotFound { .. }) => vec![],
            Err(error) => return Err(self.explain(&error, "")),
        };
        let mut named: Vec<(String, ObjectMeta)> = listed
            .into_iter()
            .filter(|meta| meta.location.prefix_matches(&self.prefix))
            .map(|meta| (self.name_of(&meta.location), meta))
            .collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(named)
    }

    /// The names of the folders in it, in order.
    ///
    /// # Errors
    /// [`Error::Environment`] when it cannot be listed.
    pub async fn folders(&self) -> Result<Vec<String>> {
        let listed = match self.store.list_with_delimiter(Some(&self.prefix)).await {
            Ok(listed) => listed,
            Err(object_store::Error::NotFound { .. }) => return Ok(vec![]),
            Err(error) => return Err(self.explain(&error, "")),
        };
        let mut names: Vec<String> = listed
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename().map(str::to_owned))
            .collect();
        names.sort();
        Ok(names)
    }

    /// The contents of all objects below the folder, by their names, in order.
    ///
    /// # Errors
    /// [`Error::Environment`] when it cannot be listed or read.
    pub async fn get_all(&self) -> Result<Vec<(String, Bytes)>> {
        const AT_ONCE: usize = 32;
        let names = self.list().await?.into_iter().map(|(name, _)| name);
        let reads: Vec<_> = names.map(|name| self.get_named(name)).collect();
        let read = futures::stream::iter(reads)
            .buffered(AT_ONCE)
            .try_collect::<Vec<_>>();
        Ok(read.await?.into_iter().flatten().collect())
    }

    async fn get_named(&self, name: String) -> Result<Option<(String, Bytes)>> {
        let contents = self.get(&name).await?;
        Ok(contents.map(|contents| (name, contents)))
    }

    fn explain(&self, error: &object_store::Error, name: &str) -> Error {
        match explain_object_store_error(error, &self.display_object(name)) {
            // Of a folder that we chose, "does not exist" means the bucket.
            Error::Statement(message) => Error::Environment {
                message,
                retryable: false,
            },
            other => other,
        }
    }
}

/// The URL of a folder that is given as a URL or a local path.
pub(crate) fn folder_url(location: &str) -> Result<Url> {
    let bad = |why: String| Error::Statement(format!("\"{location}\" is no folder: {why}"));
    let mut url = if location.contains("://") {
        Url::parse(location).map_err(|e| bad(e.to_string()))?
    } else if location.is_empty() {
        return Err(bad("its name is empty".into()));
    } else {
        let path = std::path::absolute(location).map_err(|e| bad(e.to_string()))?;
        let url = Url::from_directory_path(&path).map_err(|()| bad("it is no path".into()))?;
        // Parsed once more, `..` is resolved.
        Url::parse(url.as_str()).map_err(|e| bad(e.to_string()))?
    };
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// A URL, or the path of a local file.
pub(crate) fn display_url(url: &Url) -> String {
    match url.to_file_path() {
        Ok(path) => {
            let path = path.display().to_string();
            match url.path().ends_with('/') && !path.ends_with('/') {
                true => format!("{path}/"),
                false => path,
            }
        }
        Err(()) => url.to_string(),
    }
}

/// An error of DataFusion as one of ours.
pub(crate) fn plain(error: datafusion::error::DataFusionError, what: &str) -> Error {
    use datafusion::error::DataFusionError;

    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => Error::Environment {
                message: format!("{what}: {other}"),
                retryable: false,
            },
        },
        other => Error::Environment {
            message: format!("{what}: {}", other.strip_backtrace()),
            retryable: false,
        },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use geoflow_sql::object_store::LazyObjectStoreRegistry;

    use super::*;

    fn temporary() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let registry = LazyObjectStoreRegistry::with_variables([]);
        let folder = Folder::open(&registry, dir.path().to_str().unwrap()).unwrap();
        (dir, folder)
    }

    #[tokio::test]
    async fn one_writer_wins() {
        let (_dir, folder) = temporary();
        let mut won = 0;
        let tries = (0..20).map(|i| {
            let folder = folder.clone();
            tokio::spawn(async move { folder.create("a/b.json", format!("{i}")).await.unwrap() })
        });
        for tried in futures::future::join_all(tries).await {
            won += usize::from(tried.unwrap() == Created::Ours);
        }
        assert_eq!(won, 1);
        let there = folder.get("a/b.json").await.unwrap().unwrap();
        // The same contents again are ours.
        assert_eq!(
            folder.create("a/b.json", there).await.unwrap(),
            Created::Ours
        );
        let other = folder.create("a/b.json", "other").await.unwrap();
        assert!(matches!(other, Created::Theirs(_)));
    }

    #[tokio::test]
    async fn names_are_those_within_the_folder() {
        let (_dir, folder) = temporary();
        assert!(folder.list().await.unwrap().is_empty());
        assert_eq!(folder.get("none").await.unwrap(), None);
        folder.put("x y/b.json", "1").await.unwrap();
        folder.put("a.json", "2").await.unwrap();
        let names: Vec<String> = folder
            .list()
            .await
            .unwrap()
            .into_iter()
            .map(|(n, _)| n)
            .collect();
        assert_eq!(names, ["a.json", "x y/b.json"]);
        assert_eq!(folder.folders().await.unwrap(), ["x y"]);
        let inner = folder.folder("x y");
        assert_eq!(inner.get("b.json").await.unwrap().unwrap(), "1");
        assert!(inner.display().ends_with("/x y/"), "{}", inner.display());
        inner.delete("b.json").await.unwrap();
        inner.delete("b.json").await.unwrap();
        assert_eq!(
            folder.get_all().await.unwrap(),
            [("a.json".to_owned(), "2".into())]
        );
    }

    #[test]
    fn places_that_are_none() {
        let registry = LazyObjectStoreRegistry::with_variables([]);
        for (place, words) in [("", "empty"), ("ftp://host/x", "not supported")] {
            let error = Folder::open(&registry, place).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
