//! Where the SQL comes from.

use std::ffi::OsStr;
use std::io::{IsTerminal, Read};

use crate::args::QueryArgs;
use crate::error::{Excerpt, Failure, Result, from_io};

/// SQL text and the name of its origin, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlText {
    pub(crate) origin: String,
    pub(crate) text: String,
}

impl SqlText {
    /// Shows the line of this text that a failure points at.
    pub(crate) fn locate(&self, mut failure: Box<Failure>) -> Box<Failure> {
        if failure.excerpt.is_none() {
            failure.excerpt = failure
                .position
                .and_then(|position| Excerpt::new(&self.origin, &self.text, position));
        }
        failure
    }
}

/// Reads the SQL that the arguments name: an argument, `-c`, `-f`, or a pipe.
pub(crate) fn read(args: &QueryArgs) -> Result<Vec<SqlText>> {
    read_from(args.sql.as_deref(), &args.command, args.file.as_deref())
}

/// Reads an argument, else the values of `-c`, else a file, else standard input.
pub(crate) fn read_from(
    sql: Option<&str>,
    commands: &[String],
    file: Option<&OsStr>,
) -> Result<Vec<SqlText>> {
    let mut texts = read_raw(sql, commands, file)?;
    for text in &mut texts {
        // The byte order mark that some editors write is no SQL.
        if text.text.starts_with('\u{feff}') {
            text.text.remove(0);
        }
    }
    Ok(texts)
}

fn read_raw(sql: Option<&str>, commands: &[String], file: Option<&OsStr>) -> Result<Vec<SqlText>> {
    if let Some(sql) = sql {
        return Ok(vec![SqlText {
            origin: "SQL argument".to_string(),
            text: sql.to_owned(),
        }]);
    }
    if !commands.is_empty() {
        let only = commands.len() == 1;
        return Ok(commands
            .iter()
            .enumerate()
            .map(|(i, sql)| SqlText {
                origin: if only {
                    "-c".to_string()
                } else {
                    format!("-c number {}", i + 1)
                },
                text: sql.clone(),
            })
            .collect());
    }
    match file {
        Some(file) if file != "-" => {
            let shown = file.to_string_lossy();
            let text = std::fs::read_to_string(file)
                .map_err(|error| from_io(&format!("cannot read \"{shown}\""), &error))?;
            Ok(vec![SqlText {
                origin: shown.into_owned(),
                text,
            }])
        }
        file => {
            if file.is_none() && std::io::stdin().is_terminal() {
                return Err(Failure::usage("no SQL given")
                    .with_hint("geoflow query \"SELECT ...\", or -f FILE, or pipe SQL into it"));
            }
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| from_io("cannot read SQL from standard input", &error))?;
            Ok(vec![SqlText {
                origin: "standard input".to_string(),
                text,
            }])
        }
    }
}
