//! Functions in FROM that read files: `read_csv('a.csv', delim := ';')`, `ST_Read('a.gpkg', layer := 'roads')`.
//!
//! A table function of DataFusion cannot wait for a file to be opened, and has no arguments by name. So the
//! text of the call becomes the name of the table, which is opened like a path.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, TableFactor, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use geoflow_engine::formats::FeatureFormat;
use geoflow_engine::{Error, Result};

use crate::object_store::{hide, place};
use crate::syntax;

/// What a function reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reader {
    Parquet,
    Csv,
    Arrow,
    Features(FeatureFormat),
    /// Any of them, by the extension.
    Any,
}

/// Names of functions, those of DuckDB among them.
const FUNCTIONS: [(&str, Reader); 13] = [
    ("read_parquet", Reader::Parquet),
    ("parquet_scan", Reader::Parquet),
    ("read_csv", Reader::Csv),
    ("read_csv_auto", Reader::Csv),
    ("read_arrow", Reader::Arrow),
    ("read_geojson", Reader::Features(FeatureFormat::GeoJson)),
    ("read_gpkg", Reader::Features(FeatureFormat::GeoPackage)),
    (
        "read_geopackage",
        Reader::Features(FeatureFormat::GeoPackage),
    ),
    ("read_shapefile", Reader::Features(FeatureFormat::Shapefile)),
    ("read_shp", Reader::Features(FeatureFormat::Shapefile)),
    (
        "read_flatgeobuf",
        Reader::Features(FeatureFormat::FlatGeobuf),
    ),
    ("read_fgb", Reader::Features(FeatureFormat::FlatGeobuf)),
    ("st_read", Reader::Any),
];

fn function(name: &str) -> Option<(&'static str, Reader)> {
    let mut all = FUNCTIONS.into_iter();
    all.find(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// Takes the queries out of addresses of web servers: `'https://host/a.parquet?sig=s3cr3t'` becomes
/// `'https://host/a.parquet?...'`, by which the address is found again.
pub(crate) fn hide_queries(statement: &mut Statement) {
    if let Statement::CreateExternalTable(create) = statement {
        for location in &mut create.locations {
            if let Some(place) = place(location) {
                *location = place.into();
            }
        }
    }
    syntax::visit(statement, &mut Hider);
}

struct Hider;

impl VisitorMut for Hider {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        if let [ObjectNamePart::Identifier(name)] = relation.0.as_mut_slice()
            && let Some(shown) = hide(&name.value)
        {
            name.value = shown;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            args: Some(given), ..
        } = factor
        {
            for argument in &mut given.args {
                let _ = argument.visit(&mut PathHider);
            }
        }
        ControlFlow::Continue(())
    }
}

/// The same in the arguments of functions that read files.
struct PathHider;

impl VisitorMut for PathHider {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Value::SingleQuotedString(text) = &mut value.value
            && let Some(shown) = hide(text)
        {
            *text = shown;
        }
        ControlFlow::Continue(())
    }
}

/// Makes each call of such a function in FROM the name of a table.
pub(crate) fn name_calls(statement: &mut Statement) {
    syntax::visit(statement, &mut Namer);
}

struct Namer;

impl VisitorMut for Namer {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args, .. } = factor
            && let Some(given) = args
            && let [ObjectNamePart::Identifier(function_name)] = name.0.as_slice()
            && let Some((function, _)) = function(&function_name.value)
        {
            let arguments: Vec<String> = given.args.iter().map(|arg| arg.to_string()).collect();
            let call = format!("{function}({})", arguments.join(", "));
            *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::with_quote(
                '"', call,
            ))]);
            *args = None;
        }
        ControlFlow::Continue(())
    }
}

/// A call of such a function.
#[derive(Debug, PartialEq)]
pub(super) struct Call {
    pub(super) function: &'static str,
    pub(super) reader: Reader,
    pub(super) paths: Vec<String>,
    options: Vec<(String, String)>,
}

impl Call {
    /// Reads the name of a table; `None` where it is no call.
    pub(super) fn parse(name: &str) -> Result<Option<Self>> {
        let Some((function, reader)) = name.split_once('(').and_then(|(f, _)| function(f)) else {
            return Ok(None);
        };
        let wrong = |what: String| Error::Statement(format!("{function}: {what}"));
        let parsed = Parser::new(&GenericDialect)
            .try_with_sql(name)
            .and_then(|mut parser| parser.parse_expr());
        let Ok(Expr::Function(ast::Function {
            args: FunctionArguments::List(FunctionArgumentList { args, .. }),
            ..
        })) = parsed
        else {
            return Ok(None);
        };
        let mut call = Self {
            function,
            reader,
            paths: vec![],
            options: vec![],
        };
        for (at, argument) in args.into_iter().enumerate() {
            match argument {
                FunctionArg::Named { name, arg, .. } => call.option(&name, &arg)?,
                FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp {
                    left,
                    op: BinaryOperator::Eq,
                    right,
                })) => {
                    let Expr::Identifier(name) = *left else {
                        return Err(wrong(format!(
                            "expected the name of an option, found {left}"
                        )));
                    };
                    call.option(&name, &FunctionArgExpr::Expr(*right))?;
                }
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if at == 0 => {
                    call.paths = paths(&expr).ok_or_else(|| {
                        wrong(format!("expected a path or a list of paths, found {expr}"))
                    })?;
                }
                other => {
                    return Err(wrong(format!(
                        "expected an option by its name, as name := value, found {other}"
                    )));
                }
            }
        }
        match call.paths.is_empty() {
            false => Ok(Some(call)),
            true => Err(wrong("expected a path, as in 'places.geojson'".into())),
        }
    }

    fn option(&mut self, name: &Ident, value: &FunctionArgExpr) -> Result<()> {
        let FunctionArgExpr::Expr(Expr::Value(value)) = value else {
            return Err(Error::Statement(format!(
                "{}: expected a value for {name}, found {value}",
                self.function
            )));
        };
        let value = match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            Value::Null => return Ok(()),
            other => other.to_string(),
        };
        self.options.push((name.value.to_ascii_lowercase(), value));
        Ok(())
    }

    /// Takes the value of an option, by any of its names.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<String> {
        let at = self
            .options
            .iter()
            .position(|(name, _)| names.contains(&name.as_str()))?;
        Some(self.options.remove(at).1)
    }

    /// As [`Call::take`], for a value that is not a text.
    pub(super) fn take_parsed<T: std::str::FromStr>(
        &mut self,
        names: &[&str],
        wanted: &str,
    ) -> Result<Option<T>> {
        let Some(text) = self.take(names) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            Error::Statement(format!(
                "{}: {} must be {wanted}, not '{text}'",
                self.function,
                names.first().copied().unwrap_or_default()
            ))
        })
    }

    /// That no option is left.
    ///
    /// # Errors
    /// [`Error::Statement`] with the options that there are.
    pub(super) fn no_more(&self, known: &[&str]) -> Result<()> {
        let Some((name, _)) = self.options.first() else {
            return Ok(());
        };
        let known = match known {
            [] => "it has none".to_owned(),
            known => format!("it has {}", known.join(", ")),
        };
        Err(Error::Statement(format!(
            "{} has no option {name}, or it is given twice: {known}",
            self.function
        )))
    }
}

/// A text, or a list of them.
fn paths(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(path) => Some(vec![path.clone()]),
            _ => None,
        },
        Expr::Array(list) => {
            let paths = list.elem.iter().map(paths).collect::<Option<Vec<_>>>()?;
            Some(paths.concat())
        }
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use datafusion::sql::parser::DFParserBuilder;

    use super::*;

    fn parsed(sql: &str) -> Statement {
        let mut statements = DFParserBuilder::new(sql)
            .build()
            .unwrap()
            .parse_statements()
            .unwrap();
        statements.pop_front().unwrap()
    }

    fn named(sql: &str) -> String {
        let mut statement = parsed(sql);
        name_calls(&mut statement);
        statement.to_string()
    }

    #[test]
    fn calls_become_names() {
        let sql = named(
            "SELECT * FROM read_GPKG('a''b.gpkg', layer := 'x') r JOIN generate_series(1, 2) ON true",
        );
        assert!(
            sql.contains(
                "FROM \"read_gpkg('a''b.gpkg', layer := 'x')\" r JOIN generate_series(1, 2)"
            ),
            "{sql}"
        );
        assert!(named("EXPLAIN SELECT 1 FROM st_read('x')").contains("\"st_read('x')\""));
    }

    #[test]
    fn queries_of_addresses_are_hidden() {
        for sql in [
            "SELECT * FROM 'https://c.example/a.parquet?sig=SECRET' a",
            "EXPLAIN SELECT 1 WHERE EXISTS (SELECT 1 FROM read_csv(['https://c.example/a.csv?sig=SECRET'], delim := ';'))",
            "DESCRIBE 'https://c.example/a.parquet?sig=SECRET'",
            "CREATE VIEW v AS SELECT * FROM \"https://c.example/a.parquet?sig=SECRET\"",
            "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'https://c.example/a.csv?sig=SECRET'",
        ] {
            let mut statement = parsed(sql);
            hide_queries(&mut statement);
            name_calls(&mut statement);
            let hidden = format!("{statement:?}");
            assert!(
                hidden.contains("c.example/a.") && !hidden.contains("SECRET"),
                "{hidden}"
            );
        }
    }

    #[test]
    fn arguments_in_every_notation() {
        for text in [
            "read_csv(['a.csv', 'b.csv'], delim := ';', header => true, x = 'lon')",
            "read_csv(['a.csv', 'b.csv'], header := true, x => 'lon', sep := ';')",
        ] {
            let mut call = Call::parse(text).unwrap().unwrap();
            assert_eq!((call.reader, call.paths.len()), (Reader::Csv, 2));
            assert_eq!(call.take(&["delim", "sep"]).unwrap(), ";");
            assert_eq!(
                call.take_parsed(&["header"], "true or false").unwrap(),
                Some(true)
            );
            assert!(
                call.no_more(&["x"])
                    .unwrap_err()
                    .to_string()
                    .contains("it has x")
            );
            assert_eq!(call.take(&["x"]).unwrap(), "lon");
            call.no_more(&[]).unwrap();
        }
        assert!(Call::parse("places.csv").unwrap().is_none());
        assert!(Call::parse("read_csv(1)").is_err());
        assert!(Call::parse("read_csv()").is_err());
        assert!(Call::parse("read_csv('a', 'b')").is_err());
    }
}
