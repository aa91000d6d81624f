//! Where the rows of one SELECT go, as flags say it.
//!
//! ```text
//!  SELECT ... ──> COPY (...) TO OUT     GeoParquet, folders, GeoPackage and the like, URLs
//!            └──> -o OUT               text and Arrow on this machine, standard output
//! ```

use std::ffi::{OsStr, OsString};

use geoflow_engine::formats::write::FileFormat;

use crate::args::{Encoding, MaxRows, PlaceArgs, QueryArgs, Sort};
use crate::error::{Failure, Result};
use crate::printer::Printer;
use crate::query;
use crate::settings::Settings;

/// Extensions of files that are written by COPY.
const PARQUET: [&str; 3] = ["parquet", "geoparquet", "pq"];

/// Where rows go.
pub(crate) struct Place<'a> {
    output: &'a str,
    args: &'a PlaceArgs,
    way: Way,
}

/// How they get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// COPY, into one file or many.
    Parquet,
    /// COPY, into one file.
    File(FileFormat),
    /// The output of a query.
    Query,
}

impl Way {
    fn of(output: &str) -> Self {
        let name = output.rsplit('/').next().unwrap_or_default();
        let Some((_, extension)) = name.rsplit_once('.') else {
            // Whatever has no extension is a folder.
            return if output == "-" {
                Way::Query
            } else {
                Way::Parquet
            };
        };
        if PARQUET.contains(&extension.to_ascii_lowercase().as_str()) {
            return Way::Parquet;
        }
        match FileFormat::of_extension(extension) {
            Some(format) if output.contains("://") || !format.is_stream() => Way::File(format),
            _ => Way::Query,
        }
    }
}

impl<'a> Place<'a> {
    /// Checks the flags against the format that the name says.
    pub(crate) fn new(output: &'a OsStr, args: &'a PlaceArgs) -> Result<Self> {
        let Some(output) = output.to_str() else {
            return Err(Failure::usage("the name of OUT is no UTF-8"));
        };
        let place = Place {
            output,
            args,
            way: Way::of(output),
        };
        place.refuse_flags()?;
        Ok(place)
    }

    /// The arguments of a query that runs `statements` and writes the rows of `select`.
    fn write(&self, mut statements: Vec<String>, select: &str) -> QueryArgs {
        let by_copy = self.way != Way::Query;
        statements.push(match by_copy {
            true => self.copy(select),
            false => select.to_string(),
        });
        tracing::info!("{}", statements.join(";\n"));
        QueryArgs {
            sql: None,
            command: statements,
            file: None,
            output: (!by_copy).then(|| OsString::from(self.output)),
            format: None,
            overwrite: !by_copy && self.args.overwrite,
            sort: self.args.sort.filter(|_| !by_copy),
            max_rows: MaxRows(None),
        }
    }

    /// Runs such a query. Returns how many rows were written.
    pub(crate) async fn run(
        &self,
        statements: Vec<String>,
        select: &str,
        settings: &Settings,
        printer: &Printer,
    ) -> Result<u64> {
        let query = self.write(statements, select);
        let hint = "--overwrite replaces them, --append adds to them";
        query::run(query, settings, printer)
            .await
            .map_err(|failure| in_flags(failure, hint))
    }

    /// The statement that writes one or more files.
    pub(crate) fn copy(&self, select: &str) -> String {
        let args = self.args;
        let mut options: Vec<(&str, String)> = vec![];
        let mut partition: Vec<String> = vec![];
        for part in &args.partition {
            let part = part.trim();
            let grid = part.split(':').next().unwrap_or_default();
            if part.contains(':') && ["h3", "quadkey", "kd"].contains(&grid) {
                options.push(("cells", part.to_string()));
            } else {
                partition.push(quoted(part, '"'));
            }
        }
        if args.sort == Some(Sort::Hilbert) {
            options.push(("sort_by", "hilbert".to_string()));
        }
        if let Some(layer) = &args.layer {
            options.push(("layer", layer.clone()));
        }
        if let Some(rows) = args.row_group_rows {
            options.push(("row_group_rows", rows.to_string()));
        }
        if let Some(size) = &args.max_file_size {
            options.push(("max_file_size", size.clone()));
        }
        if let Some(version) = &args.geoparquet_version {
            options.push(("geoparquet_version", version.clone()));
        }
        if let Some(encoding) = args.encoding {
            let encoding = match encoding {
                Encoding::Wkb => "wkb",
                Encoding::Geoarrow => "geoarrow",
            };
            options.push(("encoding", encoding.to_string()));
        }
        if let Some(codec) = &args.compression {
            options.push(("compression", codec.clone()));
        }
        match (args.overwrite, args.append) {
            (true, _) => options.push(("if_exists", "overwrite".to_string())),
            (_, true) => options.push(("if_exists", "append".to_string())),
            _ => {}
        }
        let to = match partition.is_empty() && !options.iter().any(|(name, _)| *name == "cells") {
            true => self.output.to_string(),
            // Partitions go into a folder whatever its name.
            false => format!("{}/", self.output.trim_end_matches('/')),
        };
        let format = match self.way {
            Way::File(format) => format.extension().to_ascii_uppercase(),
            _ => "PARQUET".to_string(),
        };
        let mut copy = format!(
            "COPY ({select}) TO {} STORED AS {format}",
            quoted(&to, '\'')
        );
        if !partition.is_empty() {
            copy.push_str(&format!(" PARTITIONED BY ({})", partition.join(", ")));
        }
        if !options.is_empty() {
            let options: Vec<String> = options
                .iter()
                .map(|(name, value)| format!("{name} {}", quoted(value, '\'')))
                .collect();
            copy.push_str(&format!(" OPTIONS ({})", options.join(", ")));
        }
        copy
    }

    /// What the format has no place for.
    fn refuse_flags(&self) -> Result<()> {
        let args = self.args;
        let refused = |flag: &str, whose: &str| {
            Err(Failure::usage(format!(
                "{flag} is for {whose}, and \"{}\" is another format",
                self.output
            )))
        };
        let layers = [FileFormat::GeoPackage, FileFormat::FlatGeobuf].map(Way::File);
        if args.layer.is_some() && !layers.contains(&self.way) {
            return refused("--layer", "GeoPackage and FlatGeobuf");
        }
        if self.way == Way::Parquet {
            return Ok(());
        }
        if args.append && self.way != Way::File(FileFormat::GeoPackage) {
            return refused("--append", "folders of GeoParquet and for GeoPackage");
        }
        let given = [
            ("--partition", !args.partition.is_empty()),
            ("--row-group-rows", args.row_group_rows.is_some()),
            ("--max-file-size", args.max_file_size.is_some()),
            ("--geoparquet-version", args.geoparquet_version.is_some()),
            ("--encoding", args.encoding.is_some()),
            ("--compression", args.compression.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => refused(flag, "GeoParquet"),
            None => Ok(()),
        }
    }
}

/// What a failure says of options of COPY, said of flags; `hint` is for files of a folder.
pub(crate) fn in_flags(mut failure: Box<Failure>, hint: &str) -> Box<Failure> {
    let Some((message, _)) = failure.message.split_once(" exists already: ") else {
        return match failure
            .message
            .split_once(": OPTIONS (if_exists 'overwrite')")
        {
            Some((message, _)) => {
                failure.message = message.to_string();
                failure.with_hint(hint)
            }
            None => failure,
        };
    };
    failure.message = format!("{message} exists already");
    failure.with_hint("--overwrite replaces it")
}

/// A name or text as SQL writes it.
pub(crate) fn quoted(text: &str, quote: char) -> String {
    let doubled: String = [quote, quote].iter().collect();
    format!("{quote}{}{quote}", text.replace(quote, &doubled))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn ways() {
        for (output, expected) in [
            ("a.parquet", Way::Parquet),
            ("s3://b/x/", Way::Parquet),
            ("dir", Way::Parquet),
            ("a.GPKG", Way::File(FileFormat::GeoPackage)),
            ("a.shp", Way::File(FileFormat::Shapefile)),
            ("s3://b/a.geojson", Way::File(FileFormat::GeoJson)),
            ("a.geojson", Way::Query),
            ("a.csv", Way::Query),
            ("-", Way::Query),
        ] {
            assert_eq!(Way::of(output), expected, "{output}");
        }
    }

    #[test]
    fn layers_are_added_to_geopackages() {
        let args = PlaceArgs {
            layer: Some("it's".to_string()),
            append: true,
            ..PlaceArgs::default()
        };
        let place = |output| Place::new(OsStr::new(output), &args);
        assert_eq!(
            place("a.gpkg").unwrap().copy("SELECT 1"),
            "COPY (SELECT 1) TO 'a.gpkg' STORED AS GPKG OPTIONS (layer 'it''s', if_exists 'append')"
        );
        for output in ["a.fgb", "a.parquet", "a.csv"] {
            assert!(place(output).is_err(), "{output}");
        }
    }
}
