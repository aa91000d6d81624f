//! Rows are left out while they are decoded, where that pays.

use super::*;

/// Polygons of many corners all over the world in no order, so that no row group and no page can be
/// left out; here and there NULL and EMPTY.
pub(crate) fn rings(rows: usize, corners: u32) -> RecordBatch {
    let ring = |i: usize| {
        let (x, y) = (
            (i * 7919 % 3599) as f64 / 10.0 - 180.0,
            (i * 104_729 % 1799) as f64 / 10.0 - 90.0,
        );
        let mut wkb = vec![1, 3, 0, 0, 0, 1, 0, 0, 0];
        wkb.extend((corners + 1).to_le_bytes());
        for corner in 0..=corners {
            let corner = corner % corners;
            let angle = f64::from(corner) / f64::from(corners) * std::f64::consts::TAU;
            // Ragged, so that it does not compress.
            let radius = 0.05 + 0.05 * (i as f64 * 0.37 + f64::from(corner) * 0.71).sin().abs();
            wkb.extend((x + angle.cos() * radius).to_le_bytes());
            wkb.extend((y + angle.sin() * radius).to_le_bytes());
        }
        wkb
    };
    let geometries = (0..rows).map(|i| match i % 97 {
        5 => None,
        6 => Some(vec![1, 3, 0, 0, 0, 0, 0, 0, 0]),
        _ => Some(ring(i)),
    });
    batch(geometries.collect())
}

/// A count among the metrics of the scan of the rings.
fn metric(plan: &str, name: &str) -> u64 {
    let shown: Vec<&str> = plan.split(&format!("{name}=")).skip(1).collect();
    let number = |text: &&str| -> u64 {
        let end = text.find([',', ']', ' ']).unwrap();
        text[..end].parse().unwrap()
    };
    shown.iter().map(number).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boxes_are_asked_before_heavy_geometries() {
    let lab = Lab::empty();
    lab.table("rings", &rings(900, 200), 300).await;
    lab.squares(
        "squares",
        vec![
            Some(square(10.0, 2.0, 20.0)),
            Some(square(-80.25, 5.0, 3.0)),
        ],
    )
    .await;
    for sql in [
        "SELECT id, geometry FROM rings WHERE ST_Intersects(geometry, ST_MakeEnvelope(10, 2, 30, 22))",
        "SELECT r.id, s.id, r.payload FROM rings r JOIN squares s ON ST_Intersects(r.geometry, s.geometry)",
    ] {
        let (lines, _) = lab.check(sql, &["rings", "squares"]).await;
        let rows = lines as u64 - 4;
        assert!(rows > 2, "{sql}");
        let plan = explain(&lab, &format!("EXPLAIN ANALYZE {sql}")).await;
        let (matched, pruned) = (
            metric(&plan, "pushdown_rows_matched"),
            metric(&plan, "pushdown_rows_pruned"),
        );
        assert_eq!(matched + pruned, 900, "{plan}");
        // Rows without a box pass.
        assert!(matched >= rows && matched < rows + 40, "{rows}: {plan}");
    }
    // What most rows pass is not worth it.
    let sql =
        "SELECT id FROM rings WHERE ST_Intersects(geometry, ST_MakeEnvelope(-200, -100, 200, 100))";
    lab.check(sql, &["rings"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn light_geometries_are_asked_before_the_rest() {
    let lab = Lab::new().await;
    let sql = "SELECT id, payload, bbox FROM points WHERE ST_DWithin(geometry, ST_Point(30, 5), 1)";
    let plan = explain(&lab, &format!("EXPLAIN ANALYZE {sql}")).await;
    assert!(metric(&plan, "pushdown_rows_pruned") > 100, "{plan}");
    lab.check(
        "SELECT id, payload FROM points WHERE ST_DWithin(geometry, ST_Point(30, 5), 1)",
        &["points"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn light_columns_are_compared_before_heavy_ones_are_read() {
    let lab = Lab::empty();
    lab.table("rings", &rings(900, 200), 300).await;
    let (_, all) = lab.ask("SELECT geometry FROM rings").await;
    let (lines, few) = lab
        .check("SELECT geometry FROM rings WHERE id = 417", &["rings"])
        .await;
    assert_eq!(lines, 5);
    assert!(few < all / 2, "{few} of {all}");
    // No row of any row group: no geometry is read.
    let (_, none) = lab
        .check("SELECT geometry FROM rings WHERE payload = 0.5", &["rings"])
        .await;
    assert!(none < all / 10, "{none} of {all}");
}
