//! A local file that appears complete or not at all.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::FileFormat;
use crate::unfinished::Unfinished;
use crate::{Error, Result};

/// Files beside a Shapefile or a GeoPackage that say something of their contents.
const INDEXES: [&str; 4] = ["qix", "sbn", "sbx", "qpj"];

/// A file in the making, with the files that belong to it, in a folder of its own beside its place.
///
/// ```text
///  .roads.shp.a1b2c3.tmp/roads.{dbf,shx,prj,cpg,shp} ──commit──> roads.dbf ... , at last roads.shp
/// ```
///
/// Dropped without [`StagedFile::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct StagedFile {
    folder: TempDir,
    target: PathBuf,
    format: FileFormat,
    _unfinished: Unfinished,
}

impl StagedFile {
    /// Prepares a place for `target`. It is looked at, so that what cannot be written is refused
    /// before any work is done for it.
    ///
    /// # Errors
    /// [`Error::Statement`] when there is something at `target` that is not to be replaced,
    /// [`Error::Environment`] when its folder cannot be written to.
    pub fn new(target: &Path, format: FileFormat, overwrite: bool) -> Result<Self> {
        let shown = target.display().to_string();
        if target.is_dir() {
            return Err(Error::Statement(format!(
                "{shown} is a folder: name a file, as '{}/name.{}'",
                shown.trim_end_matches('/'),
                format.extension()
            )));
        }
        // A symbolic link keeps pointing at the file that is replaced.
        let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
        for file in parts(&target, format) {
            if !overwrite && file.exists() {
                return Err(exists(&file));
            }
        }
        refuse_open(&target, format)?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        if !parent.is_dir() {
            return Err(Error::Statement(format!(
                "{shown} cannot be written: the folder {} does not exist",
                parent.display()
            )));
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let folder = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(".tmp")
            .tempdir_in(parent)
            .map_err(|e| cannot_write(&target, &e))?;
        Ok(Self {
            _unfinished: Unfinished::new(folder.path(), shown),
            folder,
            target,
            format,
        })
    }

    /// The file to write.
    pub fn path(&self) -> PathBuf {
        self.folder
            .path()
            .join(self.target.file_name().unwrap_or_default())
    }

    /// The same error, of the file that is going to be.
    pub fn named(&self, error: Error) -> Error {
        let own = self.path().display().to_string();
        error.reworded(|text| text.replace(&own, &self.target.display().to_string()))
    }

    /// Where it is going to be.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file, and those that belong to it, their names. Returns their bytes.
    ///
    /// # Errors
    /// [`Error::Statement`] when something has come in the meantime and `overwrite` is false;
    /// [`Error::Environment`] when the disk says so.
    pub fn commit(self, overwrite: bool) -> Result<u64> {
        refuse_open(&self.target, self.format)?;
        let failed = |e: io::Error| cannot_write(&self.target, &e);
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.folder.path())
            .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect())
            .map_err(failed)?;
        // The one that readers look for comes last.
        files.sort_by_key(|file| file.file_name() == self.target.file_name());
        let mut bytes = 0;
        for file in &files {
            // A name must never stand for a file whose bytes a power cut has lost.
            let open = File::open(file).map_err(failed)?;
            open.sync_all().map_err(failed)?;
            bytes += open.metadata().map_err(failed)?.len();
        }
        if overwrite && self.format == FileFormat::Shapefile {
            for index in INDEXES {
                drop(std::fs::remove_file(self.target.with_extension(index)));
            }
        }
        for file in &files {
            let name = file.file_name().unwrap_or_default();
            let to = self.target.with_file_name(name);
            place(file, &to, overwrite)?;
        }
        Ok(bytes)
    }
}

/// All files of an output.
fn parts(target: &Path, format: FileFormat) -> Vec<PathBuf> {
    let others: &[&str] = match format {
        FileFormat::Shapefile => &["shx", "dbf", "prj", "cpg"],
        _ => &[],
    };
    let others = others
        .iter()
        .map(|extension| target.with_extension(extension));
    [target.to_owned()].into_iter().chain(others).collect()
}

/// A database whose write-ahead log is there is open in another program.
fn refuse_open(target: &Path, format: FileFormat) -> Result<()> {
    if format != FileFormat::GeoPackage {
        return Ok(());
    }
    let mut log = target.as_os_str().to_owned();
    log.push("-wal");
    match Path::new(&log).exists() {
        true => Err(Error::Environment {
            message: format!(
                "{} is open in another program, such as QGIS: there is a {}. Close it there",
                target.display(),
                Path::new(&log).display()
            ),
            retryable: true,
        }),
        false => Ok(()),
    }
}

fn place(from: &Path, to: &Path, overwrite: bool) -> Result<()> {
    if overwrite {
        return std::fs::rename(from, to).map_err(|e| cannot_write(to, &e));
    }
    // A link is refused where there is a file; not all file systems have links.
    match std::fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(exists(to)),
        Err(_) if to.exists() => Err(exists(to)),
        Err(_) => std::fs::rename(from, to).map_err(|e| cannot_write(to, &e)),
    }
}

fn exists(path: &Path) -> Error {
    Error::Statement(format!(
        "{} exists already: --overwrite, or OPTIONS (overwrite 'true'), replaces it",
        path.display()
    ))
}

/// What the disk says of a file that is written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Error {
    let shown = path.display();
    Error::Environment {
        message: match error.kind() {
            io::ErrorKind::StorageFull => {
                format!("{shown} could not be written: the disk is full. Make room and write again")
            }
            _ => format!("{shown} could not be written: {error}"),
        },
        retryable: false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn complete_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.shp");
        let staged = StagedFile::new(&target, FileFormat::Shapefile, false).unwrap();
        std::fs::write(staged.path(), "12").unwrap();
        std::fs::write(staged.path().with_extension("dbf"), "345").unwrap();
        drop(staged);
        assert!(names(folder.path()).is_empty());

        let staged = StagedFile::new(&target, FileFormat::Shapefile, false).unwrap();
        std::fs::write(staged.path(), "12").unwrap();
        std::fs::write(staged.path().with_extension("dbf"), "345").unwrap();
        assert_eq!(staged.commit(false).unwrap(), 5);
        assert_eq!(names(folder.path()), ["a.dbf", "a.shp"]);
    }

    #[test]
    fn what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.shp");
        std::fs::write(target.with_extension("dbf"), "mine").unwrap();
        let new = |overwrite| StagedFile::new(&target, FileFormat::Shapefile, overwrite);
        assert!(new(false).unwrap_err().to_string().contains("a.dbf exists"));
        // Something comes while rows are written.
        let staged = new(true).unwrap();
        std::fs::write(staged.path(), "12").unwrap();
        std::fs::write(&target, "theirs").unwrap();
        assert!(staged.commit(false).is_err());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "theirs");
        assert_eq!(names(folder.path()), ["a.dbf", "a.shp"]);
    }

    #[test]
    fn an_open_database_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.gpkg");
        std::fs::write(folder.path().join("a.gpkg-wal"), "").unwrap();
        let error = StagedFile::new(&target, FileFormat::GeoPackage, true).unwrap_err();
        assert!(
            error.to_string().contains("open in another program"),
            "{error}"
        );
    }
}
