//! Environment variables, taken once, so that tests can bring their own.

use std::collections::HashMap;
use std::path::PathBuf;

/// A set of environment variables. It holds secrets and therefore has no `Debug`.
pub(super) struct Variables(HashMap<String, String>);

impl Variables {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// The value of a variable; an empty one counts as not set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    pub(super) fn any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.get(name).is_some())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| {
            matches!(
                value.to_ascii_lowercase().as_str(),
                "1" | "true" | "on" | "yes" | "y"
            )
        })
    }

    /// These and others, which are taken where these say nothing.
    pub(super) fn or(&self, others: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut all = self.0.clone();
        for (name, value) in others {
            if self.get(name).is_none() {
                all.insert(name.to_owned(), value);
            }
        }
        Self(all)
    }

    /// All variables of a prefix, in lower case as object_store names its options.
    pub(super) fn options(&self, prefix: &str) -> impl Iterator<Item = (String, &str)> {
        let mut options: Vec<(String, &str)> = self
            .0
            .iter()
            .filter(|(key, value)| key.starts_with(prefix) && !value.is_empty())
            .map(|(key, value)| (key.to_ascii_lowercase(), value.as_str()))
            .collect();
        // Where two names mean one option, the choice does not depend on chance.
        options.sort();
        options.into_iter()
    }

    pub(super) fn home(&self) -> Option<PathBuf> {
        self.get("HOME")
            .or_else(|| self.get("USERPROFILE"))
            .map(PathBuf::from)
    }
}
