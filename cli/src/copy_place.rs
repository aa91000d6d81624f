//! `geoflow query -o` where `COPY` writes: URLs of object stores, and folders.

use datafusion::sql::parser::{CopyToSource, CopyToStatement, Statement as SqlStatement};
use datafusion::sql::sqlparser::ast::{self, Value};

use crate::args::{QueryArgs, Sort};
use crate::error::{Failure, Result};
use crate::output::Format;
use crate::statement::{Statement, Yield};

/// An output that is a URL, or a folder (its name ends with `/`).
#[derive(Debug)]
pub(crate) struct CopyPlace {
    target: String,
    stored_as: String,
    options: Vec<(String, Value)>,
}

impl CopyPlace {
    /// `None` for standard output and for a file on this machine.
    pub(crate) fn of(args: &QueryArgs) -> Result<Option<Self>> {
        let output = args.output.as_ref().and_then(|output| output.to_str());
        let Some(target) = output.filter(|name| name.contains("://") || name.ends_with('/')) else {
            return Ok(None);
        };
        if target.starts_with("http://") || target.starts_with("https://") {
            return Err(Failure::usage(format!(
                "cannot write \"{target}\": web servers are read only"
            ))
            .with_hint("s3://, gs:// and az:// can be written to"));
        }
        let name = target.rsplit('/').next().unwrap_or_default();
        let format = match (args.format, name.contains('.')) {
            // A name without extension is that of a folder.
            (None, false) => Format::Parquet,
            (flag, _) => Format::choose(flag, Some(name.as_ref()), false)?,
        };
        if format == Format::Table {
            return Err(Failure::usage(format!(
                "a table cannot be written to \"{target}\""
            )));
        }
        let mut options = vec![];
        let mut option = |name: &str, value: &str| {
            options.push((name.to_owned(), Value::SingleQuotedString(value.to_owned())));
        };
        if args.overwrite {
            option("if_exists", "overwrite");
        }
        if args.sort == Some(Sort::Hilbert) {
            option("sort_by", "hilbert");
        }
        let stored_as = match (format.file(), format) {
            (Some(file), _) => file.extension().to_ascii_uppercase(),
            (None, Format::Ndjson) => "JSON".to_owned(),
            (None, Format::Json) => {
                return Err(Failure::usage(format!(
                    "one JSON array cannot be written to \"{target}\""
                ))
                .with_hint("--format ndjson writes an object a line"));
            }
            (None, _) => "PARQUET".to_owned(),
        };
        Ok(Some(Self {
            target: target.to_owned(),
            stored_as,
            options,
        }))
    }

    /// Makes the statement that returns rows one that writes them.
    pub(crate) fn take_result(&self, statements: &mut [Statement]) -> Result<()> {
        for statement in statements.iter_mut().filter(|s| s.yields.is_result()) {
            let query = match &statement.sql {
                SqlStatement::Statement(inner) => match inner.as_ref() {
                    ast::Statement::Query(query) => query.clone(),
                    _ => return Err(self.no_query()),
                },
                _ => return Err(self.no_query()),
            };
            statement.sql = SqlStatement::CopyTo(CopyToStatement {
                source: CopyToSource::Query(query),
                target: self.target.clone(),
                partitioned_by: vec![],
                stored_as: Some(self.stored_as.clone()),
                options: self.options.clone(),
            });
            statement.yields = Yield::Count;
        }
        Ok(())
    }

    fn no_query(&self) -> Box<Failure> {
        Failure::usage(format!(
            "only the rows of a SELECT can be written to \"{}\"",
            self.target
        ))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn place(flags: &[&str]) -> Result<Option<CopyPlace>> {
        let words = ["geoflow", "query", "SELECT 1"].iter().chain(flags);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Query(args) => CopyPlace::of(&args),
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn urls_and_folders_are_written_by_copy() {
        for (flags, expected) in [
            (&["-o", "s3://b/a.parquet"][..], "PARQUET"),
            (&["-o", "s3://b/out"], "PARQUET"),
            (&["-o", "out/"], "PARQUET"),
            (&["-o", "gs://b/a.gpkg"], "GPKG"),
            (&["-o", "s3://b/a", "--format", "geojson"], "GEOJSON"),
            (&["-o", "s3://b/a.ndjson"], "JSON"),
        ] {
            let place = place(flags).unwrap().unwrap();
            assert_eq!(place.stored_as, expected, "{flags:?}");
        }
        for flags in [&[][..], &["-o", "-"], &["-o", "a.parquet"]] {
            assert!(place(flags).unwrap().is_none(), "{flags:?}");
        }
        for flags in [
            &["-o", "https://host/a.csv"][..],
            &["-o", "s3://b/a.xls"],
            &["-o", "s3://b/a.json"],
            &["-o", "out/", "--format", "table"],
        ] {
            assert!(place(flags).is_err(), "{flags:?}");
        }
    }
}
