//! The settings of a session: `SET geoflow.join.build_side = 'left'`.
//!
//! They travel with DataFusion's own [`ConfigOptions`], so optimizer rules, functions and operators
//! all reach them: [`GeoflowOptions::of`] takes what a rule is given, [`GeoflowOptions::of_task`]
//! what an operator is given. `SHOW ALL` and `information_schema.df_settings` list them with their
//! documentation, which is the documentation of the fields here.
//!
//! To add a setting, add a field with a doc comment and a default. A setting of a few words is an
//! [`option_enum!`], a number of bytes a [`ByteLimit`], a part of a whole a [`Fraction`].

mod choice;
mod invalid;
mod join;
mod size;

use std::any::Any;
use std::fmt::Display;
use std::sync::LazyLock;

use datafusion::common::config::{
    ConfigEntry, ConfigExtension, ConfigField, ConfigOptions, ExtensionOptions, Visit,
};
use datafusion::common::config_namespace;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;

pub use choice::{CrsMismatch, OnInvalid};
pub use invalid::{InvalidCounter, InvalidSeen};
pub use join::{Approximation, BuildSideChoice, JoinOptions, JoinStrategy, Switch};
pub use size::{ByteLimit, Fraction};

config_namespace! {
    /// All settings under `geoflow`.
    pub struct GeoflowOptions {
        /// What becomes of a row whose geometry is invalid (undecodable, or with coordinates that
        /// are not finite): `error` ends the statement and names the row, `null` takes the geometry
        /// for NULL, `skip` leaves the row out of joins as if it were not there. Rows taken for NULL or left out are
        /// counted.
        pub on_invalid: OnInvalid, default = OnInvalid::Error

        /// What happens when geometries of two known, different coordinate reference systems meet
        /// in one function, join or union: `error` refuses the statement, `transform` brings
        /// the right side into the system of the left and says so, `ignore` compares their coordinates as they are.
        pub crs_mismatch: CrsMismatch, default = CrsMismatch::Error

        /// How spatial joins are planned and run.
        pub join: JoinOptions, default = JoinOptions::default()

        /// How rows are put in order.
        pub sort: SortOptions, default = SortOptions::default()

        /// What operators put on disk when memory does not suffice.
        pub spill: SpillOptions, default = SpillOptions::default()

        /// Counts the invalid geometries that were no errors. Not listed with the settings.
        pub invalid_seen: InvalidCounter, default = InvalidCounter::default()
    }
}

config_namespace! {
    /// Settings under `geoflow.sort`.
    pub struct SortOptions {
        /// Whether all threads together sort the rows of a whole result; otherwise each sorts a part, and one merges.
        pub parallel: bool, default = true
    }
}

config_namespace! {
    /// Settings under `geoflow.spill`.
    pub struct SpillOptions {
        /// Most bytes that one spatial join may hold on disk at a time, as '20GB'; 'unlimited' for no
        /// limit but the disk's own.
        pub max_size: ByteLimit, default = ByteLimit::UNLIMITED
    }
}

impl GeoflowOptions {
    /// The settings of a session, or the defaults where a session knows none.
    pub fn of(config: &ConfigOptions) -> &GeoflowOptions {
        static DEFAULT: LazyLock<GeoflowOptions> = LazyLock::new(GeoflowOptions::default);
        config
            .extensions
            .get::<GeoflowOptions>()
            .unwrap_or(&DEFAULT)
    }

    /// The settings that an operator runs under.
    pub fn of_task(context: &TaskContext) -> &GeoflowOptions {
        Self::of(context.session_config().options())
    }
}

impl ConfigExtension for GeoflowOptions {
    const PREFIX: &'static str = "geoflow";
}

impl ExtensionOptions for GeoflowOptions {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let full = format!("{}.{key}", Self::PREFIX);
        let names: Vec<String> = self.entries().into_iter().map(|entry| entry.key).collect();
        if !names.contains(&full) {
            return Err(DataFusionError::Configuration(format!(
                "{full} is no setting; there are {}",
                names.join(", ")
            )));
        }
        ConfigField::set(self, key, value).map_err(|error| {
            let reason = match error.find_root() {
                DataFusionError::Configuration(reason) => reason.clone(),
                other => other.to_string(),
            };
            DataFusionError::Configuration(format!("{full}: {reason}"))
        })
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let mut entries = Entries(vec![]);
        self.visit(&mut entries, Self::PREFIX, "");
        entries.0
    }
}

struct Entries(Vec<ConfigEntry>);

impl Entries {
    fn push(&mut self, key: &str, value: Option<String>, description: &'static str) {
        self.0.push(ConfigEntry {
            key: key.to_string(),
            value,
            description,
        });
    }
}

impl Visit for Entries {
    fn some<V: Display>(&mut self, key: &str, value: V, description: &'static str) {
        self.push(key, Some(value.to_string()), description);
    }

    fn none(&mut self, key: &str, description: &'static str) {
        self.push(key, None, description);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn config() -> ConfigOptions {
        let mut config = ConfigOptions::new();
        config.extensions.insert(GeoflowOptions::default());
        config
    }

    #[test]
    fn settings_are_typed_and_nested() {
        let mut config = config();
        config.set("geoflow.on_invalid", "SKIP").unwrap();
        config.set("geoflow.join.build_side", "right").unwrap();
        config.set("geoflow.spill.max_size", "2GB").unwrap();
        let options = GeoflowOptions::of(&config);
        assert_eq!(options.on_invalid, OnInvalid::Skip);
        assert_eq!(options.join.build_side, BuildSideChoice::Right);
        assert_eq!(options.spill.max_size.bytes(), Some(2_000_000_000));
    }

    #[test]
    fn a_session_that_knows_none_has_the_defaults() {
        let config = ConfigOptions::new();
        assert_eq!(GeoflowOptions::of(&config), &GeoflowOptions::default());
    }

    #[test]
    fn wrong_values_name_the_right_ones() {
        let mut config = config();
        let mut error = |key: &str, value: &str| {
            let error = config.set(key, value).unwrap_err();
            error.strip_backtrace()
        };
        assert_eq!(
            error("geoflow.join.build_side", "up"),
            "Invalid or Unsupported Configuration: geoflow.join.build_side: 'up' is not one of auto, left, right"
        );
        assert_eq!(
            error("geoflow.spill.max_size", "big"),
            "Invalid or Unsupported Configuration: geoflow.spill.max_size: 'big' is no size: write a \
             number of bytes with a unit, as '512MB' or '4GiB', or 'unlimited'"
        );
        assert_eq!(
            error("geoflow.join.grid_memory_share", "1.5"),
            "Invalid or Unsupported Configuration: geoflow.join.grid_memory_share: '1.5' is no number from 0 to 1"
        );
        assert_eq!(
            error("geoflow.join.dynamic_filter", "maybe"),
            "Invalid or Unsupported Configuration: geoflow.join.dynamic_filter: 'maybe' is not one of off, on"
        );
        let message = error("geoflow.join.bild_side", "left");
        assert!(
            message
                .contains("geoflow.join.bild_side is no setting; there are geoflow.on_invalid, "),
            "{message}"
        );
    }

    #[test]
    fn every_setting_is_documented_and_reads_what_it_shows() {
        let mut config = config();
        let entries: Vec<ConfigEntry> = config
            .entries()
            .into_iter()
            .filter(|entry| entry.key.starts_with("geoflow."))
            .collect();
        assert!(entries.len() >= 8, "{entries:?}");
        for entry in entries {
            assert!(entry.description.len() > 20, "{}", entry.key);
            if let Some(value) = entry.value {
                config.set(&entry.key, &value).unwrap();
            }
        }
        assert_eq!(GeoflowOptions::of(&config), &GeoflowOptions::default());
    }
}
