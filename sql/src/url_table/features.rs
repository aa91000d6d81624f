//! Files of other formats than Parquet, on this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use geoflow_engine::Result;
use geoflow_engine::formats::{FeatureFormat, FeatureTable, OpenOptions, open};
use glob::{MatchOptions, Pattern};
use url::Url;

use super::location::Location;

/// The table of what is read feature by feature, `None` for any other place. A layer of a GeoPackage is
/// named like a file within: `a.gpkg/roads`. `format` is that of files whatever they are called.
pub(super) fn table(
    location: &Location,
    format: Option<FeatureFormat>,
    options: &OpenOptions,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let mut options = options.clone();
    let files = match location {
        Location::Path(path) => match (format_of(path, format), path.parent()) {
            (Some(format), _) => vec![(path.clone(), format)],
            (None, Some(parent)) => match format_of(parent, None) {
                Some(FeatureFormat::GeoPackage) => {
                    let layer = path.file_name().map(|name| name.to_string_lossy());
                    options.layer = layer.map(|name| name.into_owned());
                    vec![(parent.to_owned(), FeatureFormat::GeoPackage)]
                }
                _ => return Ok(None),
            },
            (None, None) => return Ok(None),
        },
        Location::Glob { base, pattern } => matching(base, pattern, format),
        Location::Url(_) => return Ok(None),
    };
    if files.is_empty() {
        return Ok(None);
    }
    let sources = files
        .iter()
        .map(|(path, format)| open(path, *format, &options))
        .collect::<Result<Vec<_>>>()?;
    Ok(Some(Arc::new(FeatureTable::of_all(sources)?)))
}

/// The format of a file that is there.
fn format_of(path: &Path, given: Option<FeatureFormat>) -> Option<FeatureFormat> {
    given
        .or_else(|| FeatureFormat::of_path(path))
        .filter(|_| path.is_file())
}

/// The files below a local folder that match, if all of them are read feature by feature.
fn matching(
    base: &Url,
    pattern: &Pattern,
    given: Option<FeatureFormat>,
) -> Vec<(PathBuf, FeatureFormat)> {
    let options = MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..Default::default()
    };
    let Some(folder) = base.to_file_path().ok() else {
        return vec![];
    };
    let escaped = Pattern::escape(&folder.to_string_lossy());
    let whole = format!("{}/{}", escaped.trim_end_matches('/'), pattern.as_str());
    let Ok(paths) = glob::glob_with(&whole, options) else {
        return vec![];
    };
    let files = paths.flatten().filter(|path| path.is_file());
    let formats = files.map(|path| {
        let format = format_of(&path, given)?;
        Some((path, format))
    });
    formats.collect::<Option<Vec<_>>>().unwrap_or_default()
}
