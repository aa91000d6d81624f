//! `geoflow sjoin`: the spatial join of two layers as one command.

use insta_cmd::assert_cmd_snapshot;
use serde_json::json;

use crate::fixture::{Fixture, finnish_crs, geo, point, square};

/// `points.parquet`: four points and a NULL; `squares.parquet`: three squares, two of them over each other.
fn layers() -> Fixture {
    let fixture = Fixture::new();
    let points = [
        Some(point(0.5, 0.5)),
        Some(point(1.5, 0.75)),
        Some(point(50.0, 50.0)),
        None,
        Some(point(10.25, 20.0)),
    ];
    let squares = [
        Some(square(0.0, 0.0)),
        Some(square(0.25, 0.25)),
        Some(square(10.0, 20.0)),
    ];
    fixture.write("points.parquet", &points, Some(&geo(json!({}))));
    fixture.write("squares.parquet", &squares, Some(&geo(json!({}))));
    fixture
}

/// What a file holds, without the geometry, its lines sorted.
fn rows(fixture: &Fixture, file: &str) -> String {
    let sql = format!("SELECT * EXCEPT (geometry, bbox) FROM '{file}'");
    let output = fixture.run(&["query", &sql]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].sort_unstable();
    lines.join("\n")
}

const JOIN: [&str; 5] = [
    "sjoin",
    "points.parquet",
    "squares.parquet",
    "-o",
    "out.parquet",
];

fn sjoin(fixture: &Fixture, more: &[&str]) -> std::process::Command {
    let mut command = fixture.run(&JOIN);
    command.args(more);
    command
}

#[test]
fn inner_with_suffixes() {
    let fixture = layers();
    assert_cmd_snapshot!(sjoin(&fixture, &[]));
    insta::assert_snapshot!(rows(&fixture, "out.parquet"));
    assert_eq!(
        fixture.files(),
        ["out.parquet", "points.parquet", "squares.parquet"]
    );
}

#[test]
fn every_kind() {
    for (name, flags) in [
        ("left", &["--how", "left", "--join-columns", "name"][..]),
        ("right", &["--how", "right", "--join-columns", "name"]),
        (
            "nearest_right",
            &["--nearest", "1", "--how", "right", "--distance-column", "d"],
        ),
        ("semi", &["--how", "semi"]),
        ("anti", &["--how", "anti"]),
        ("within", &["--predicate", "within", "--suffixes", ",zone"]),
        (
            "dwithin",
            &[
                "--distance",
                "0.5",
                "--distance-column",
                "d",
                "--join-columns",
                "id",
            ],
        ),
        (
            "nearest",
            &[
                "--nearest",
                "1",
                "--how",
                "left",
                "--distance-column",
                "d",
                "--join-columns=",
            ],
        ),
        (
            "nearest_within",
            &["--nearest", "2", "--distance", "1", "--join-columns", "id"],
        ),
    ] {
        let fixture = layers();
        let output = sjoin(&fixture, flags).output().unwrap();
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        insta::assert_snapshot!(format!("sjoin_{name}"), rows(&fixture, "out.parquet"));
    }
}

#[test]
fn a_different_crs_is_aligned_with_a_notice() {
    let fixture = layers();
    let convert = [
        "convert",
        "squares.parquet",
        "squares_fi.parquet",
        "--to-crs",
        "EPSG:3067",
        "-q",
    ];
    assert!(fixture.run(&convert).status().unwrap().success());
    assert_cmd_snapshot!(fixture.run(&[
        "sjoin",
        "points.parquet",
        "squares_fi.parquet",
        "-o",
        "out.parquet"
    ]));
    let aligned = rows(&fixture, "out.parquet");
    let plain = sjoin(&fixture, &["--overwrite"]).output().unwrap();
    assert!(plain.status.success());
    assert_eq!(aligned, rows(&fixture, "out.parquet"));
}

#[test]
fn an_unknown_crs_is_taken_for_the_other() {
    let fixture = layers();
    fixture.write(
        "bare.parquet",
        &[Some(square(0.0, 0.0))],
        Some(&geo(json!({ "crs": null }))),
    );
    assert_cmd_snapshot!(fixture.run(&[
        "sjoin",
        "points.parquet",
        "bare.parquet",
        "-o",
        "out.parquet"
    ]));
}

#[test]
fn why_nothing_matches() {
    let fixture = layers();
    // Degrees that are said to be metres.
    fixture.write(
        "wrong.parquet",
        &[Some(square(0.0, 0.0))],
        Some(&geo(json!({ "crs": finnish_crs() }))),
    );
    fixture.write(
        "far.parquet",
        &[Some(square(-80.0, -80.0))],
        Some(&geo(json!({}))),
    );
    fixture.write("none.parquet", &[None], Some(&geo(json!({}))));
    for (name, flags) in [
        ("wrong_crs", &["wrong.parquet"][..]),
        ("far_apart", &["far.parquet"]),
        ("no_geometries", &["none.parquet"]),
        (
            "not_touching",
            &["squares.parquet", "--predicate", "crosses"],
        ),
    ] {
        let mut command = fixture.run(&["sjoin", "points.parquet"]);
        command
            .args(flags)
            .args(["-o", "out.parquet", "--overwrite"]);
        assert_cmd_snapshot!(format!("sjoin_empty_{name}"), command);
    }
    let all = [
        "sjoin",
        "squares.parquet",
        "squares.parquet",
        "--how",
        "anti",
        "-o",
        "anti.parquet",
    ];
    assert_cmd_snapshot!(fixture.run(&all));
}

#[test]
fn mistakes() {
    let fixture = layers();
    std::fs::write(fixture.path("plain.csv"), "a,b\n1,2\n").unwrap();
    for (name, args) in [
        (
            "no_output",
            &["sjoin", "points.parquet", "squares.parquet"][..],
        ),
        (
            "missing_layer",
            &[
                "sjoin",
                "pints.parquet",
                "squares.parquet",
                "-o",
                "x.parquet",
            ],
        ),
        (
            "no_geometry",
            &["sjoin", "points.parquet", "plain.csv", "-o", "x.parquet"],
        ),
        (
            "contradiction",
            &[&JOIN[..], &["--how", "semi", "--nearest", "1"]].concat(),
        ),
        (
            "predicate_and_nearest",
            &[&JOIN[..], &["--predicate", "within", "--nearest", "1"]].concat(),
        ),
        (
            "distance",
            &[&JOIN[..], &["--predicate", "within", "--distance", "1"]].concat(),
        ),
        ("suffixes", &[&JOIN[..], &["--suffixes", "a"]].concat()),
        (
            "unknown_column",
            &[&JOIN[..], &["--join-columns", "nam"]].concat(),
        ),
        (
            "clash",
            &[&JOIN[..], &["--distance-column", "id_left"]].concat(),
        ),
        (
            "unknown_extension",
            &["sjoin", "points.parquet", "squares.parquet", "-o", "x.xls"],
        ),
    ] {
        assert_cmd_snapshot!(format!("sjoin_mistake_{name}"), fixture.run(args));
    }
    assert_eq!(
        fixture.files(),
        ["plain.csv", "points.parquet", "squares.parquet"]
    );
}

#[test]
fn what_is_there_stays() {
    let fixture = layers();
    std::fs::write(fixture.path("out.parquet"), "mine").unwrap();
    assert_cmd_snapshot!(sjoin(&fixture, &[]));
    assert_eq!(fixture.read("out.parquet"), "mine");
}

#[test]
fn into_partitions() {
    let fixture = layers();
    let args = [
        "sjoin",
        "points.parquet",
        "squares.parquet",
        "-o",
        "out",
        "--partition",
        "name_right",
    ];
    assert_cmd_snapshot!(fixture.run(&args));
    assert!(fixture.path("out/name_right=Helsinki").is_dir());
    assert!(rows(&fixture, "out/").lines().count() > 2);
}
