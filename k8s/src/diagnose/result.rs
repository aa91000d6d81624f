//! A job that succeeded and has no rows.

use super::{Cause, Finding, Severity};

/// One input of a job whose result is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct EmptySide {
    /// Its name in the statement.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// `[min_x, min_y, max_x, max_y]` of its geometries; `None` without one, or when not known.
    pub bounds: Option<[f64; 4]>,
    /// Its coordinate reference system, as a person calls it.
    pub crs: Option<String>,
}

/// Why a result may be empty: the inputs with their bounds, and whether they meet at all.
pub fn diagnose_empty(sides: &[EmptySide]) -> Finding {
    let evidence = sides.iter().map(describe).collect();
    let empty = sides.iter().find(|side| side.rows == 0);
    let apart = sides.iter().enumerate().find_map(|(i, a)| {
        let apart =
            |b: &&EmptySide| matches!((a.bounds, b.bounds), (Some(a), Some(b)) if disjoint(a, b));
        sides[i + 1..].iter().find(apart).map(|b| (a, b))
    });
    let (explanation, remedy) = if let Some(side) = empty {
        (
            format!("{} has no rows", side.table),
            "check its path and its filters".to_string(),
        )
    } else if let Some((a, b)) = apart {
        let degrees = [a, b].map(|side| side.bounds.is_some_and(looks_like_degrees));
        let remedy = if degrees[0] != degrees[1] {
            "one looks like degrees, the other like metres: the CRS of one of them is wrong or missing. Set it with \
             ST_SetSRID, then bring both into one with ST_Transform"
        } else if a
            .bounds
            .zip(b.bounds)
            .is_some_and(|(a, b)| !disjoint(swapped(a), b))
        {
            "with x and y exchanged they would meet: use ST_FlipCoordinates on one of them"
        } else {
            "check that these are the inputs that were meant"
        };
        (
            format!(
                "{} and {} do not meet: their bounds are apart",
                a.table, b.table
            ),
            remedy.to_string(),
        )
    } else {
        (
            "the inputs meet, and no row fulfils the conditions".to_string(),
            "try the statement on a few rows with `geoflow query`, one condition less at a time"
                .to_string(),
        )
    };
    Finding {
        severity: Severity::Noted,
        cause: Cause::EmptyResult,
        fragments: Vec::new(),
        explanation,
        remedy,
        evidence,
        more_evidence: 0,
    }
}

fn describe(side: &EmptySide) -> String {
    let bounds = match side.bounds {
        Some([x0, y0, x1, y1]) => format!("x {x0} to {x1}, y {y0} to {y1}"),
        None => "no bounds known".to_string(),
    };
    let crs = side.crs.as_deref().unwrap_or("no CRS");
    format!("{}: {} rows, {bounds}, {crs}", side.table, side.rows)
}

fn disjoint(a: [f64; 4], b: [f64; 4]) -> bool {
    a[2] < b[0] || b[2] < a[0] || a[3] < b[1] || b[3] < a[1]
}

fn looks_like_degrees(bounds: [f64; 4]) -> bool {
    bounds[0] >= -180.0 && bounds[2] <= 360.0 && bounds[1] >= -90.0 && bounds[3] <= 90.0
}

fn swapped([x0, y0, x1, y1]: [f64; 4]) -> [f64; 4] {
    [y0, x0, y1, x1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::render;

    fn side(table: &str, bounds: [f64; 4], crs: &str) -> EmptySide {
        EmptySide {
            table: table.into(),
            rows: 10,
            bounds: Some(bounds),
            crs: Some(crs.into()),
        }
    }

    #[test]
    fn inputs_that_do_not_meet() {
        let zones = side("zones", [24.5, 60.0, 25.5, 60.5], "EPSG:4326");
        let metres = side(
            "trips",
            [380_000.0, 6_660_000.0, 400_000.0, 6_690_000.0],
            "EPSG:3067",
        );
        let swapped = side("trips", [60.1, 24.6, 60.3, 25.1], "EPSG:4326");
        let near = side("trips", [24.6, 60.1, 25.0, 60.2], "EPSG:4326");
        let none = EmptySide {
            rows: 0,
            bounds: None,
            crs: None,
            ..near.clone()
        };
        let mut text = String::new();
        for other in [metres, swapped, near, none] {
            text.push_str(&render(&[diagnose_empty(&[other, zones.clone()])]));
        }
        insta::assert_snapshot!(text);
    }
}
