//! `geoflow sjoin`: the spatial join of two layers as one statement, run as `geoflow query` runs it.
//!
//! ```text
//!  TARGET ─┐ columns, geometry, CRS                    ┌──> COPY (...) TO OUT
//!          ├──> SELECT ... JOIN ... ON ST_...(...) ────┤
//!  JOIN ───┘ (of ST_Transform where the CRS differ)    └──> -o OUT
//!                                                            no row: why?
//! ```

mod columns;
mod empty;
mod layer;

use geoflow_engine::crs::Transform;

use crate::allocator;
use crate::args::{How, JoinPredicate, SjoinArgs};
use crate::error::{Failure, Result};
use crate::place::{Place, quoted};
use crate::printer::Printer;
use crate::program_text;
use crate::session::Session;
use crate::settings::Settings;
use columns::columns;
use layer::Layer;

/// What the statement calls the two layers.
const TARGET: &str = "\"target\"";
const JOIN: &str = "\"other\"";

/// Runs the join.
pub(crate) async fn run(args: SjoinArgs, settings: &Settings, printer: &Printer) -> Result<()> {
    check(&args)?;
    let place = Place::new(&args.output, &args.place)?;
    allocator::stay_small();
    let session = Session::new(settings)?;
    let target = Layer::open(&session, &args.target).await?;
    let join = Layer::open(&session, &args.join).await?;
    let aligned = align(&target, &join)?;
    if let Some(notice) = &aligned.notice {
        printer.note(notice);
    }
    if let Some(distance) = args.distance
        && target.crs.as_ref().is_some_and(|crs| crs.is_geographic())
    {
        printer.note(&format!(
            "note: --distance {distance} is in degrees, the unit of {}",
            target.crs_name()
        ));
    }
    let select = statement(&args, &target, &join, &aligned)?;
    program_text::let_go();
    let rows = place.run(vec![], &select, settings, printer).await?;
    if rows == 0 {
        let why = empty::explain(&session, &args, &target, &join, aligned.code.as_deref()).await?;
        printer.note(&why);
    }
    Ok(())
}

/// What contradicts itself, before anything is opened.
fn check(args: &SjoinArgs) -> Result<()> {
    let without_pairs = matches!(args.how, How::Semi | How::Anti);
    let how = match args.how {
        How::Semi => "semi",
        _ => "anti",
    };
    if let Some(distance) = args.distance
        && !(distance >= 0.0 && distance.is_finite())
    {
        return Err(Failure::usage(format!(
            "--distance {distance}: a distance is a number that is not negative"
        )));
    }
    match (args.predicate, args.distance) {
        (Some(JoinPredicate::Dwithin), None) => {
            return Err(Failure::usage("--predicate dwithin needs --distance"));
        }
        (Some(predicate), Some(_)) if predicate != JoinPredicate::Dwithin => {
            return Err(Failure::usage(
                "--distance goes with --predicate dwithin, or with --nearest",
            ));
        }
        _ => {}
    }
    if without_pairs && args.nearest.is_some() {
        return Err(Failure::usage(format!(
            "--nearest finds pairs, and --how {how} has the rows of TARGET alone"
        ))
        .with_hint("--how inner, left or right; or --how semi --distance D"));
    }
    let pairs_only = [
        ("--distance-column", args.distance_column.is_some()),
        ("--join-columns", args.join_columns.is_some()),
    ];
    match pairs_only.iter().find(|(_, given)| *given) {
        Some((flag, _)) if without_pairs => Err(Failure::usage(format!(
            "{flag} is about pairs, and --how {how} has the rows of TARGET alone"
        ))),
        _ => Ok(()),
    }
}

/// How the join layer comes into the CRS of the target.
struct Aligned {
    /// What it is transformed into, if it is.
    code: Option<String>,
    notice: Option<String>,
}

fn align(target: &Layer, join: &Layer) -> Result<Aligned> {
    let plain = |notice: Option<String>| Aligned { code: None, notice };
    let (target_crs, join_crs) = match (&target.crs, &join.crs) {
        (Some(target), Some(join)) => (target, join),
        (None, None) => return Ok(plain(None)),
        (known, _) => {
            let (without, with) = match known {
                Some(_) => (join, target),
                None => (target, join),
            };
            return Ok(plain(Some(format!(
                "note: {} does not say its CRS: its coordinates are taken to be in {}, the CRS of {}",
                without.name,
                with.crs_name(),
                with.name
            ))));
        }
    };
    if target_crs.same_as(join_crs) {
        return Ok(plain(None));
    }
    let Some(code) = target_crs.authority_code() else {
        return Err(Failure::user(format!(
            "{} is in {join_crs} and cannot be transformed into the CRS of {}, {target_crs}, which has no code",
            join.name, target.name
        ))
        .with_hint("convert TARGET first: geoflow convert TARGET OUT --to-crs EPSG:..."));
    };
    let mut notice = format!(
        "note: {} is transformed from {join_crs} into {target_crs}, the CRS of {}",
        join.name, target.name
    );
    // What cannot be transformed is an error when the statement is planned.
    let transform = Transform::try_new(join_crs, target_crs).ok();
    if let Some(metres) = transform.and_then(|transform| transform.metres()) {
        notice.push_str(&format!(", which without a grid is good to {metres} m"));
    }
    Ok(Aligned {
        code: Some(code),
        notice: Some(notice),
    })
}

/// The statement of the join.
fn statement(args: &SjoinArgs, target: &Layer, join: &Layer, aligned: &Aligned) -> Result<String> {
    let geometries = [(TARGET, target), (JOIN, join)]
        .map(|(table, layer)| format!("{table}.{}", quoted(&layer.geometry, '"')));
    let both = geometries.join(", ");
    let mut tables = [
        format!("{} AS {TARGET}", quoted(&target.name, '\'')),
        format!("{} AS {JOIN}", aligned_table(join, aligned)),
    ];
    let mut kept_first = geometries;
    if args.how == How::Right {
        tables.reverse();
        kept_first.reverse();
    }
    let nearest = |k| format!("ST_KNN({}, {k})", kept_first.join(", "));
    let condition = match (args.nearest, args.distance) {
        (Some(k), None) => nearest(k),
        (Some(k), Some(d)) => format!("{} AND ST_DWithin({both}, {d:?})", nearest(k)),
        (None, Some(d)) => format!("ST_DWithin({both}, {d:?})"),
        (None, None) => format!("{}({both})", function(args.predicate)),
    };
    let kind = match args.how {
        How::Inner => "JOIN",
        How::Left | How::Right => "LEFT JOIN",
        How::Semi => "LEFT SEMI JOIN",
        How::Anti => "LEFT ANTI JOIN",
    };
    let mut list = match args.how {
        How::Inner | How::Left | How::Right => columns(args, target, join)?,
        How::Semi | How::Anti => vec![format!("{TARGET}.*")],
    };
    if let Some(name) = &args.distance_column {
        list.push(format!("ST_Distance({both}) AS {}", quoted(name, '"')));
    }
    let [kept, other] = tables;
    Ok(format!(
        "SELECT {} FROM {kept} {kind} {other} ON {condition}",
        list.join(", "),
    ))
}

/// The join layer, with its geometry as the target's CRS has it: transformed before the join, whose index
/// then holds no other.
fn aligned_table(join: &Layer, aligned: &Aligned) -> String {
    let table = quoted(&join.name, '\'');
    let Some(code) = &aligned.code else {
        return table;
    };
    let columns = join.columns.iter().map(|name| {
        let column = quoted(name, '"');
        match *name == join.geometry {
            true => format!("ST_Transform({column}, {}) AS {column}", quoted(code, '\'')),
            false => column,
        }
    });
    let columns: Vec<String> = columns.collect();
    format!("(SELECT {} FROM {table})", columns.join(", "))
}

fn function(predicate: Option<JoinPredicate>) -> &'static str {
    match predicate.unwrap_or(JoinPredicate::Intersects) {
        JoinPredicate::Intersects => "ST_Intersects",
        JoinPredicate::Contains => "ST_Contains",
        JoinPredicate::Within => "ST_Within",
        JoinPredicate::Covers => "ST_Covers",
        JoinPredicate::CoveredBy => "ST_CoveredBy",
        JoinPredicate::Touches => "ST_Touches",
        JoinPredicate::Crosses => "ST_Crosses",
        JoinPredicate::Overlaps => "ST_Overlaps",
        JoinPredicate::Equals => "ST_Equals",
        JoinPredicate::Dwithin => "ST_DWithin",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use clap::Parser;
    use geoflow_engine::crs::Crs;

    use super::*;
    use crate::args::{Cli, Command};

    fn parsed(flags: &[&str]) -> SjoinArgs {
        let words = [
            "geoflow",
            "sjoin",
            "a's.gpkg",
            "b.parquet",
            "-o",
            "o.parquet",
        ];
        match Cli::try_parse_from(words.iter().chain(flags))
            .unwrap()
            .command
        {
            Command::Sjoin(args) => *args,
            other => unreachable!("{other:?}"),
        }
    }

    fn layer(name: &str, columns: &[&str], crs: Option<&str>) -> Layer {
        Layer {
            name: name.to_string(),
            columns: columns.iter().map(|c| (*c).to_string()).collect(),
            geometry: "geom".to_string(),
            crs: crs.map(|crs| Crs::from_authority_code(crs).unwrap()),
        }
    }

    fn sql(flags: &[&str]) -> Result<String> {
        let args = parsed(flags);
        check(&args)?;
        let target = layer("a's.gpkg", &["id", "name", "geom"], Some("EPSG:3067"));
        let join = layer("b.parquet", &["name", "geom", "k"], Some("EPSG:4326"));
        let aligned = align(&target, &join)?;
        statement(&args, &target, &join, &aligned)
    }

    #[test]
    fn flags_become_one_statement() {
        assert_eq!(
            sql(&[]).unwrap(),
            "SELECT \"target\".\"id\", \"target\".\"name\" AS \"name_left\", \"target\".\"geom\", \
             \"other\".\"name\" AS \"name_right\", \"other\".\"k\" \
             FROM 'a''s.gpkg' AS \"target\" JOIN \
             (SELECT \"name\", ST_Transform(\"geom\", 'EPSG:3067') AS \"geom\", \"k\" FROM 'b.parquet') AS \"other\" \
             ON ST_Intersects(\"target\".\"geom\", \"other\".\"geom\")"
        );
        let nearest = [
            "--nearest=2",
            "--distance=5",
            "--how=left",
            "--join-columns=k",
            "--distance-column=d",
            "--suffixes=,b",
        ];
        assert_eq!(
            sql(&nearest).unwrap(),
            "SELECT \"target\".\"id\", \"target\".\"name\", \"target\".\"geom\", \"other\".\"k\", \
             ST_Distance(\"target\".\"geom\", \"other\".\"geom\") AS \"d\" \
             FROM 'a''s.gpkg' AS \"target\" LEFT JOIN \
             (SELECT \"name\", ST_Transform(\"geom\", 'EPSG:3067') AS \"geom\", \"k\" FROM 'b.parquet') AS \"other\" \
             ON ST_KNN(\"target\".\"geom\", \"other\".\"geom\", 2) \
             AND ST_DWithin(\"target\".\"geom\", \"other\".\"geom\", 5.0)"
        );
        assert_eq!(
            sql(&["--how=right", "--nearest=1", "--join-columns=k"]).unwrap(),
            "SELECT \"target\".\"id\", \"target\".\"name\", \"other\".\"k\", \"other\".\"geom\" \
             FROM (SELECT \"name\", ST_Transform(\"geom\", 'EPSG:3067') AS \"geom\", \"k\" FROM 'b.parquet') AS \"other\" \
             LEFT JOIN 'a''s.gpkg' AS \"target\" ON ST_KNN(\"other\".\"geom\", \"target\".\"geom\", 1)"
        );
        assert!(
            sql(&["--how=anti"])
                .unwrap()
                .starts_with("SELECT \"target\".* FROM")
        );
    }

    #[test]
    fn contradictions() {
        for flags in [
            &["--predicate=dwithin"][..],
            &["--predicate=within", "--distance=3"],
            &["--distance=-1"],
            &["--distance=NaN"],
            &["--how=semi", "--nearest=1"],
            &["--how=anti", "--distance-column=d"],
        ] {
            assert!(sql(flags).is_err(), "{flags:?}");
        }
    }
}
