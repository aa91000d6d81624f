//! Reads the profile from `geoflow.toml`.

use geoflow_engine::{Error, Result, nearest};
use serde::Deserialize;
use toml::Spanned;

use super::{Profile, strict};

/// Tables of the file.
const TABLES: [&str; 1] = ["kubernetes"];

impl Profile {
    /// Reads the `[kubernetes]` table; a file without one is an empty profile. `name` is the
    /// file's, for messages.
    ///
    /// # Errors
    /// No TOML; a key that is not known, with the nearest one that is; a value of another type.
    pub fn from_toml(text: &str, name: &str) -> Result<Profile> {
        let wrong = |message: String| Error::Statement(format!("{name}: {message}"));
        let file: toml::Table = toml::from_str(text)
            .map_err(|error| wrong(error.to_string().trim_end().to_string()))?;
        for key in file.keys() {
            if TABLES.contains(&key.as_str()) {
                continue;
            }
            let advice = match nearest(key, TABLES) {
                Some(near) => format!("did you mean [{near}]?"),
                None => format!("it may have [{}]", TABLES.join("], [")),
            };
            return Err(wrong(format!("unknown table [{key}]; {advice}")));
        }
        let Some(table) = file.get("kubernetes") else {
            return Ok(Profile::default());
        };
        let value =
            serde_json::to_value(table).map_err(|error| wrong(format!("[kubernetes]: {error}")))?;
        strict(&value).map_err(|error| {
            let line = line_of(text, &error.path, &error.message);
            let line = line
                .map(|line| format!("line {line}, "))
                .unwrap_or_default();
            let path = match error.path.as_str() {
                "" => String::new(),
                path => format!(", {path}"),
            };
            wrong(format!("{line}[kubernetes]{path}: {}", error.message))
        })
    }
}

/// The line of the key that an error is about, counted from one.
fn line_of(text: &str, path: &str, message: &str) -> Option<usize> {
    #[derive(Deserialize)]
    struct File {
        kubernetes: std::collections::BTreeMap<Spanned<String>, toml::Value>,
    }
    let file: File = toml::from_str(text).ok()?;
    let key = match path.split(['.', '[']).next() {
        Some("") | None => message.split('"').nth(1)?,
        Some(key) => key,
    };
    let (key, _) = file
        .kubernetes
        .iter()
        .find(|(name, _)| name.get_ref() == key)?;
    let before = text.get(..key.span().start)?;
    Some(before.matches('\n').count() + 1)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const FULL: &str = include_str!("../../testdata/profile-full.toml");

    #[test]
    fn every_key_is_read() {
        let profile = Profile::from_toml(FULL, "geoflow.toml").unwrap();
        assert_eq!(profile.volumes[0].path, "/data");
        assert_eq!(profile.ttl.unwrap().seconds, 3600);
        assert!(profile.affinity.unwrap().node_affinity.is_some());
        assert_eq!(profile.resources["nvidia.com/gpu"].0, "1");
    }

    #[test]
    fn mistakes_are_named_with_line_and_remedy() {
        let mut answers = String::new();
        for text in [
            "[kubernetes]\nimage = \"a\"\nnode_selector = {}",
            "[kubernetes]\nmemroy = \"8Gi\"",
            "[kubernetes]\nfrobnicate = 1",
            "[kubernets]\nimage = \"a\"",
            "[kubernetes]\nimage = 3",
            "[kubernetes]\n\nttl = \"soon\"",
            "[kubernetes]\ntolerations = [{ kye = \"a\" }]",
            "[kubernetes]\nvolumes = [{ clam = \"a\" }]",
            "[kubernetes\n",
        ] {
            let error = Profile::from_toml(text, "geoflow.toml").unwrap_err();
            answers.push_str(&format!("{error}\n--\n"));
        }
        insta::assert_snapshot!(answers);
    }

    #[test]
    fn a_file_without_the_table_is_an_empty_profile() {
        assert_eq!(Profile::from_toml("", "x").unwrap(), Profile::default());
    }
}
