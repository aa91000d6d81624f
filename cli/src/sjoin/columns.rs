//! The columns of the result, and their names.

use super::layer::Layer;
use super::{JOIN, TARGET};
use crate::args::{How, SjoinArgs, Suffixes};
use crate::error::{Failure, Result, nearest};
use crate::place::quoted;

/// The columns of both layers as SELECT lists them, with the geometry of the layer whose rows are kept alone: of the
/// target's, or of the other's with `--how right`.
///
/// A name that both have gets a suffix on either side but for the geometry, as in GeoPandas.
pub(super) fn columns(args: &SjoinArgs, target: &Layer, join: &Layer) -> Result<Vec<String>> {
    let right = args.how == How::Right;
    let of_target = without(target, right.then_some(&target.geometry));
    let of_join = of_join(args, join, right)?;
    let kept_geometry = if right {
        &join.geometry
    } else {
        &target.geometry
    };
    let Suffixes([left_suffix, right_suffix]) = &args.suffixes;
    let key = key_of_output(args);
    let mut names: Vec<String> = vec![];
    let mut list = vec![];
    let sides = [
        (TARGET, &of_target, &of_join, left_suffix, !right),
        (JOIN, &of_join, &of_target, right_suffix, right),
    ];
    for (table, own, others, suffix, is_kept) in sides {
        for name in own {
            let column = format!("{table}.{}", quoted(name, '"'));
            let is_geometry = is_kept && *name == kept_geometry;
            let clashes = others.contains(name) && !is_geometry
                || key.is_some_and(|key| name.eq_ignore_ascii_case(key));
            if clashes && !suffix.is_empty() {
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

fn without<'a>(layer: &'a Layer, column: Option<&String>) -> Vec<&'a String> {
    let columns = layer.columns.iter();
    columns.filter(|name| Some(*name) != column).collect()
}

fn of_join<'a>(args: &SjoinArgs, join: &'a Layer, right: bool) -> Result<Vec<&'a String>> {
    let all = without(join, (!right).then_some(&join.geometry));
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
    let mut found: Vec<&String> = wanted.map(find).collect::<Result<_>>()?;
    if right && !found.contains(&&join.geometry) {
        found.push(&join.geometry);
    }
    Ok(found)
}
