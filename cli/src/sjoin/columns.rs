//! The columns of the result, and their names.

use super::layer::Layer;
use super::{JOIN, TARGET};
use crate::args::{SjoinArgs, Suffixes};
use crate::error::{Failure, Result, nearest};
use crate::place::quoted;

/// The columns of both layers as SELECT lists them: the target's, then the other's without its geometry.
///
/// A name that both have gets a suffix on either side, as in GeoPandas.
pub(super) fn columns(args: &SjoinArgs, target: &Layer, join: &Layer) -> Result<Vec<String>> {
    let of_join = of_join(args, join)?;
    let Suffixes([left, right]) = &args.suffixes;
    let clashes = |name: &str, others: &[&String]| others.iter().any(|other| *other == name);
    let of_target: Vec<&String> = target.columns.iter().collect();
    let key = key_of_output(args);
    let mut names: Vec<String> = vec![];
    let mut list = vec![];
    let sides = [
        (TARGET, &of_target, &of_join, left),
        (JOIN, &of_join, &of_target, right),
    ];
    for (table, own, others, suffix) in sides {
        for name in own {
            let column = format!("{table}.{}", quoted(name, '"'));
            let suffixed =
                clashes(name, others) || key.is_some_and(|key| name.eq_ignore_ascii_case(key));
            if suffixed && !suffix.is_empty() {
                let new = format!("{name}_{suffix}");
                list.push(format!("{column} AS {}", quoted(&new, '"')));
                names.push(new);
            } else {
                list.push(column);
                names.push((*name).clone());
            }
        }
    }
    names.extend(args.distance_column.clone());
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return Err(
                Failure::user(format!("the result would have two columns \"{name}\"")).with_hint(
                    "--suffixes LEFT,RIGHT gives other names, --join-columns leaves columns out",
                ),
            );
        }
    }
    Ok(list)
}

/// The name that stands for the key of the output: a row of the target may come more than once.
fn key_of_output(args: &SjoinArgs) -> Option<&'static str> {
    let output = args.output.to_string_lossy().to_lowercase();
    output.ends_with(".gpkg").then_some("fid")
}

fn of_join<'a>(args: &SjoinArgs, join: &'a Layer) -> Result<Vec<&'a String>> {
    let all: Vec<&String> = join
        .columns
        .iter()
        .filter(|name| **name != join.geometry)
        .collect();
    let Some(wanted) = &args.join_columns else {
        return Ok(all);
    };
    let find = |wanted: &String| {
        let found = all.iter().find(|name| name.as_str() == wanted.trim());
        found.copied().ok_or_else(|| {
            let failure = Failure::user(format!(
                "--join-columns: \"{}\" has no column \"{}\"",
                join.name,
                wanted.trim()
            ));
            match nearest(wanted, all.iter().map(|name| name.as_str())) {
                Some(near) => failure.with_hint(format!("did you mean `{near}`?")),
                None => failure,
            }
        })
    };
    // Nothing at all, for the geometry of the target as often as it matches.
    let wanted = wanted.iter().filter(|name| !name.trim().is_empty());
    wanted.map(find).collect()
}
