//! Two coordinate reference systems in one statement.

use crate::fixture::Fixture;

const DISTANCE: &str = "SELECT ST_Distance(a, b) < 1 AS near FROM \
    (SELECT ST_SetSRID(ST_Point(385000, 6672000), 3067) AS a, ST_SetSRID(ST_Point(24.9, 60.1), 4326) AS b)";

/// On standard error, so that the data stays data.
#[test]
fn what_is_aligned_is_said() {
    let fixture = Fixture::new();
    let aligned = format!("SET geoflow.crs_mismatch = 'transform'; {DISTANCE}");
    let output = fixture
        .run(&["query", &aligned, "--format", "csv"])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout, "near\nfalse\n");
    assert!(
        stderr.contains("EPSG:3067") && stderr.contains("EPSG:4326"),
        "{stderr}"
    );
    assert!(stderr.contains("transformed"), "{stderr}");

    let output = fixture.run(&["query", DISTANCE]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("ST_Transform("), "{stderr}");
}
