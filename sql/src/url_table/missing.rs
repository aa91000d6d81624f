//! What to say when there is nothing at a path.

use std::path::Path;

use datafusion::common::utils::datafusion_strsim::levenshtein;
use geoflow_engine::Error;

/// The error for a local path that does not exist: with a file of a similar name, or the folder
/// that is missing.
pub(super) fn missing_path(path: &Path) -> Error {
    let shown = path.display();
    let (Some(name), Some(parent)) = (path.file_name(), parent(path)) else {
        return Error::Statement(format!("{shown} does not exist"));
    };
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Error::Statement(format!(
            "{shown} does not exist: there is no folder {}",
            first_missing(parent).display()
        ));
    };
    let name = name.to_string_lossy().to_lowercase();
    let closest = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .map(|other| (distance(&name, &other.to_lowercase()), other))
        .min();
    match closest {
        // A third of the letters may differ, else the names have nothing to do with each other.
        Some((distance, other)) if distance * 3 <= name.chars().count() => {
            Error::Statement(format!(
                "{shown} does not exist. Is {} meant?",
                path.with_file_name(other).display()
            ))
        }
        _ => Error::Statement(format!("{shown} does not exist")),
    }
}

/// Letters that differ; a forgotten or another extension counts as one.
fn distance(wanted: &str, other: &str) -> usize {
    let stem = |name: &str| {
        name.rsplit_once('.')
            .map_or(name.to_owned(), |(stem, _)| stem.to_owned())
    };
    let by_stem = usize::from(wanted != other) + levenshtein(&stem(wanted), &stem(other));
    levenshtein(wanted, other).min(by_stem)
}

fn parent(path: &Path) -> Option<&Path> {
    path.parent().map(|parent| {
        if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        }
    })
}

fn first_missing(folder: &Path) -> &Path {
    folder
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.exists())
        .last()
        .unwrap_or(folder)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_offered() {
        let dir = tempfile::TempDir::new().unwrap();
        for name in ["cities.parquet", "countries.parquet"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let said = |name: &str| missing_path(&dir.path().join(name)).to_string();
        assert!(
            said("citys.parquet").ends_with("cities.parquet meant?"),
            "{}",
            said("citys.parquet")
        );
        assert!(said("Cities.geoparquet").ends_with("cities.parquet meant?"));
        assert!(said("country.parquet").contains("countries.parquet"));
        assert!(said("buildings.parquet").ends_with("buildings.parquet does not exist"));
        assert!(said("no/such/x.parquet").ends_with(&format!("{}/no", dir.path().display())));
    }
}
