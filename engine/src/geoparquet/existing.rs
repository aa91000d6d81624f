//! Files that are there before an output is written.

use datafusion::datasource::physical_plan::FileSinkConfig;
use datafusion::logical_expr::dml::InsertOp;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use super::display_location;
use super::output_options::Existing;
use crate::store::explain_object_store_error;
use crate::{Error, Result};

impl Existing {
    /// What becomes of files that are there, where a statement asks for this. Tables grow; `COPY` has no table.
    pub(crate) fn for_sink(self, config: &FileSinkConfig) -> Self {
        let is_table = !config.file_group.is_empty();
        match (config.insert_op, self) {
            (InsertOp::Overwrite, _) => Self::Overwrite,
            (_, Self::Refuse) if is_table => Self::Append,
            (_, asked) => asked,
        }
    }
}

/// A place where files are to be.
pub(crate) struct Target<'a> {
    pub(crate) store: &'a dyn ObjectStore,
    /// A file, or a folder.
    pub(crate) base: &'a Path,
    pub(crate) folder: bool,
    /// The extension of the files of a folder, without a dot.
    pub(crate) extension: &'a str,
    /// What messages call it.
    pub(crate) shown: &'a str,
}

impl Target<'_> {
    /// The files to remove when the new ones are there, and the one that a new one takes the place of.
    ///
    /// # Errors
    /// [`Error::Statement`] where files are there that are not to be replaced.
    pub(crate) async fn check(
        &self,
        existing: Existing,
    ) -> Result<(Vec<Path>, Option<ObjectMeta>)> {
        let shown = self.shown;
        if !self.folder {
            return match (self.store.head(self.base).await, existing) {
                (Err(object_store::Error::NotFound { .. }), _) => Ok((vec![], None)),
                (Ok(before), Existing::Overwrite) => Ok((vec![], Some(before))),
                (Ok(_), Existing::Refuse) => Err(Error::Statement(format!(
                    "{shown} exists already: OPTIONS (overwrite 'true') replaces it"
                ))),
                (Ok(_), Existing::Append) => Err(Error::Statement(format!(
                    "{shown} is a file and cannot grow: append to a folder, '{}/'",
                    shown.trim_end_matches(&format!(".{}", self.extension))
                ))),
                (Err(error), _) => Err(explain_object_store_error(&error, shown)),
            };
        }
        if existing == Existing::Append {
            return Ok((vec![], None));
        }
        let suffix = format!(".{}", self.extension);
        let mut listed = self.store.list(Some(self.base));
        let mut found = vec![];
        let explain = |error| explain_object_store_error(&error, shown);
        while let Some(object) = listed.try_next().await.map_err(explain)? {
            if object.location.as_ref().ends_with(&suffix) {
                found.push(object.location);
                if existing == Existing::Refuse {
                    break;
                }
            }
        }
        match (existing, found.first()) {
            (Existing::Refuse, Some(file)) => Err(Error::Statement(format!(
                "{shown} has files already, such as {}: OPTIONS (if_exists 'overwrite') replaces them, \
                 (if_exists 'append') adds to them",
                display_location(self.store, file)
            ))),
            _ => Ok((found, None)),
        }
    }

    /// Removes what the new files replace.
    ///
    /// # Errors
    /// [`Error::Environment`] with the first file that could not be removed.
    pub(crate) async fn remove(&self, replaced: &[Path]) -> Result<()> {
        for path in replaced {
            match self.store.delete(path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => {
                    let file = display_location(self.store, path);
                    return Err(Error::Environment {
                        message: format!(
                            "{} is written, but {file} from before could not be removed, so that both are there now: {error}",
                            self.shown
                        ),
                        retryable: false,
                    });
                }
            }
        }
        Ok(())
    }
}
