//! The session that statements run in.

use std::collections::BTreeSet;

use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use geoflow_sql::SessionBuilder;

use crate::error::{Failure, Result, Unknown, from_datafusion, nearest};
use crate::settings::Settings;
use crate::spilled;

/// A session as the command line asks for it.
pub(crate) struct Session {
    session: geoflow_sql::Session,
}

impl Session {
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        check_temp_dir(settings)?;
        let mut builder = SessionBuilder::new()
            .threads(settings.threads)
            .object_stores(settings.stores.clone());
        if let Some(bytes) = settings.memory_limit {
            builder = builder.memory_limit(bytes);
        }
        if let Some(dir) = &settings.temp_dir {
            builder = builder.temp_dir(dir);
        }
        let session = builder.build().map_err(|e| from_datafusion(&e))?;
        spilled::remember(&session.context().runtime_env().disk_manager);
        // Positions in the SQL for errors of planning, not of parsing alone.
        session
            .context()
            .state_ref()
            .write()
            .config_mut()
            .options_mut()
            .sql_parser
            .collect_spans = true;
        Ok(Session { session })
    }

    pub(crate) fn context(&self) -> &SessionContext {
        self.session.context()
    }

    /// Plans one statement; nothing runs.
    pub(crate) async fn plan(&self, statement: Statement) -> Result<LogicalPlan, DataFusionError> {
        self.session.plan(statement).await
    }

    /// What planning did that the user should know.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.session.take_notices()
    }

    /// Names what may have been meant by a name that stands for nothing.
    pub(crate) fn explain_unknown(&self, failure: Box<Failure>) -> Box<Failure> {
        match failure.unknown.clone() {
            Some(Unknown::Table(name)) => self.explain_table(&name, failure),
            Some(Unknown::Function(name)) => {
                match nearest_function(&name, &self.function_names()) {
                    Some(near) => failure.with_hint_if_none(format!("did you mean `{near}`?")),
                    None if name.to_lowercase().starts_with("st_") => {
                        failure.with_hint_if_none("geoflow functions lists the spatial functions")
                    }
                    None => failure.with_hint_if_none("SHOW FUNCTIONS lists all there are"),
                }
            }
            None => failure,
        }
    }

    fn explain_table(&self, name: &str, mut failure: Box<Failure>) -> Box<Failure> {
        if looks_like_a_path(name) {
            failure.message = format!("\"{name}\" does not exist");
            return match name.contains("://") {
                true => failure,
                false => failure
                    .with_hint_if_none("check the path; it is relative to the current directory"),
            };
        }
        let names = self.table_names();
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => failure.with_hint_if_none(format!("did you mean `{near}`?")),
            None => failure.with_hint_if_none(
                "write a path in single quotes to read a file, as FROM 'cities.parquet', \
                 or CREATE EXTERNAL TABLE first",
            ),
        }
    }

    /// Names of all functions, sorted, so that equally near ones are always found in one order.
    fn function_names(&self) -> BTreeSet<String> {
        let state = self.context().state();
        let scalar = state.scalar_functions().keys();
        let aggregate = state.aggregate_functions().keys();
        scalar
            .chain(aggregate)
            .chain(state.window_functions().keys())
            .cloned()
            .collect()
    }

    fn table_names(&self) -> Vec<String> {
        let catalogs = self.context().state().catalog_list().clone();
        catalogs
            .catalog_names()
            .iter()
            .filter_map(|name| catalogs.catalog(name))
            .flat_map(|catalog| {
                catalog
                    .schema_names()
                    .iter()
                    .filter_map(|name| catalog.schema(name))
                    .flat_map(|schema| schema.table_names())
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// A function of the same family is meant before one that only looks alike.
fn nearest_function<'a>(name: &str, names: &'a BTreeSet<String>) -> Option<&'a str> {
    let family = name
        .split_once('_')
        .map(|(family, _)| format!("{}_", family.to_lowercase()));
    let relatives = names.iter().map(String::as_str).filter(|name| {
        family
            .as_ref()
            .is_some_and(|family| name.starts_with(family))
    });
    nearest(name, relatives).or_else(|| nearest(name, names.iter().map(String::as_str)))
}

fn check_temp_dir(settings: &Settings) -> Result<()> {
    match &settings.temp_dir {
        Some(dir) if !dir.is_dir() => Err(Failure::user(format!(
            "--temp-dir \"{}\" is not a directory",
            dir.display()
        ))),
        _ => Ok(()),
    }
}

fn looks_like_a_path(name: &str) -> bool {
    name.contains(['/', '\\', '*'])
        || name.rsplit_once('.').is_some_and(|(_, extension)| {
            [
                "parquet",
                "geoparquet",
                "csv",
                "json",
                "gpkg",
                "fgb",
                "geojson",
                "shp",
                "arrow",
            ]
            .contains(&extension.to_ascii_lowercase().as_str())
        })
}
