//! Why a join has no rows: the two layers' CRS and bounds.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use geoflow_engine::geometry::Bounds;

use super::layer::Layer;
use super::{JOIN, TARGET};
use crate::args::{How, SjoinArgs};
use crate::error::{Result, from_datafusion};
use crate::place::quoted;
use crate::session::Session;

/// What can be said of a result without rows.
pub(super) async fn explain(
    session: &Session,
    args: &SjoinArgs,
    target: &Layer,
    join: &Layer,
    transformed: Option<&str>,
) -> Result<String> {
    if args.how == How::Anti {
        return Ok(format!(
            "note: every row of {} has a match in {}",
            target.name, join.name
        ));
    }
    let target_geometry = format!("{TARGET}.{}", quoted(&target.geometry, '"'));
    let plain = format!("{JOIN}.{}", quoted(&join.geometry, '"'));
    let join_geometry = match transformed {
        Some(code) => format!("ST_Transform({plain}, {})", quoted(code, '\'')),
        None => plain.clone(),
    };
    let a = Extent::of(session, target, TARGET, &target_geometry).await?;
    let b = Extent::of(session, join, JOIN, &join_geometry).await?;
    let mut lines = vec!["note: no row of the two layers matches".to_string()];
    lines.push(a.line(target, &target.crs_name()));
    if plain != join_geometry {
        let own = Extent::of(session, join, JOIN, &plain).await?;
        lines.push(own.line(join, &join.crs_name()));
        lines.push(b.line(join, &format!("in {}", target.crs_name())));
    } else {
        lines.push(b.line(join, &join.crs_name()));
    }
    lines.push(format!("  {}", verdict(args, (target, &a), (join, &b))));
    Ok(lines.join("\n"))
}

/// The rows of a layer and the bounds of their geometries.
struct Extent {
    rows: i64,
    bounds: Option<Bounds>,
}

impl Extent {
    async fn of(session: &Session, layer: &Layer, table: &str, geometry: &str) -> Result<Self> {
        let sql = format!(
            "SELECT n, ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e) \
             FROM (SELECT count(*) AS n, ST_Extent({geometry}) AS e FROM {} AS {table})",
            quoted(&layer.name, '\'')
        );
        let read = async {
            let frame = session.context().sql(&sql).await?;
            frame.collect().await
        };
        let batches = read.await.map_err(|e| from_datafusion(&e))?;
        let mut extent = Extent {
            rows: 0,
            bounds: None,
        };
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            let counts = batch
                .column(0)
                .as_primitive_opt::<arrow::datatypes::Int64Type>();
            extent.rows = counts.map_or(0, |counts| counts.value(0));
            let side = |i: usize| {
                let sides = batch.column(i).as_primitive_opt::<Float64Type>()?;
                sides.is_valid(0).then(|| sides.value(0))
            };
            if let (Some(x0), Some(y0), Some(x1), Some(y1)) = (side(1), side(2), side(3), side(4)) {
                extent.bounds = Some(Bounds::new(x0, y0, x1, y1));
            }
        }
        Ok(extent)
    }

    fn line(&self, layer: &Layer, crs: &str) -> String {
        let bounds = match &self.bounds {
            Some(b) => format!(
                "x {} to {}, y {} to {}",
                short(b.min_x),
                short(b.max_x),
                short(b.min_y),
                short(b.max_y)
            ),
            None => "no geometry that is not NULL or EMPTY".to_string(),
        };
        let rows = if self.rows == 1 { "row" } else { "rows" };
        format!("  {}: {} {rows}, {crs}, {bounds}", layer.name, self.rows)
    }
}

/// Seven digits after the point are a centimetre in degrees.
fn short(value: f64) -> String {
    let text = format!("{value:.7}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn verdict(
    args: &SjoinArgs,
    (target, a): (&Layer, &Extent),
    (join, b): (&Layer, &Extent),
) -> String {
    for (layer, extent) in [(target, a), (join, b)] {
        if extent.rows == 0 {
            return format!("{} has no rows", layer.name);
        }
        if extent.bounds.is_none() {
            return format!("{} has no geometries to match", layer.name);
        }
    }
    let (Some(a), Some(b)) = (&a.bounds, &b.bounds) else {
        return String::new();
    };
    let reach = args.distance.unwrap_or(0.0);
    if a.expand(reach).intersects(b) {
        let what = match (args.distance, args.predicate) {
            (Some(distance), _) => format!("no two geometries are within {distance} of each other"),
            (None, Some(_)) => "no two geometries relate as --predicate asks".to_string(),
            (None, None) => "no two geometries meet".to_string(),
        };
        return format!("their bounds overlap, but {what}");
    }
    let mut text = "their bounds do not overlap".to_string();
    for (layer, bounds) in [(target, a), (join, b)] {
        let projected = layer.crs.as_ref().is_some_and(|crs| !crs.is_geographic());
        if projected && looks_like_degrees(bounds) {
            text.push_str(&format!(
                ": the coordinates of {} look like degrees, not like {}",
                layer.name,
                layer.crs_name()
            ));
        } else if !projected && layer.crs.is_some() && !looks_like_degrees(bounds) {
            text.push_str(&format!(
                ": the coordinates of {} are no degrees, which {} has",
                layer.name,
                layer.crs_name()
            ));
        }
    }
    text
}

fn looks_like_degrees(b: &Bounds) -> bool {
    b.min_x >= -180.0 && b.max_x <= 180.0 && b.min_y >= -90.0 && b.max_y <= 90.0
}
