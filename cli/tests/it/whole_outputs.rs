//! Outputs of every format appear complete or not at all, and take the place of nothing unasked.

use std::path::Path;

use crate::fixture::Fixture;

fn run(fixture: &Fixture, sql: &str) -> (i32, String) {
    let output = fixture.run(&["query", sql]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), error)
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(found) = std::fs::read_dir(folder) else {
        return vec![];
    };
    let mut names = vec![];
    for entry in found.flatten() {
        match entry.path().is_dir() {
            true => names.extend(files(&entry.path())),
            false => names.push(entry.file_name().into_string().unwrap()),
        }
    }
    names
}

/// Rows of which one, after many, cannot be computed.
const FAILING: &str =
    "SELECT v, v % 3 AS k, 1 / (200000 - v) AS w FROM generate_series(1, 1000000) AS t(v)";
const GOOD: &str = "SELECT v, v % 3 AS k FROM generate_series(1, 9) AS t(v)";

const FORMATS: [(&str, &str); 4] = [
    ("csv", "CSV"),
    ("json", "JSON"),
    ("arrow", "ARROW"),
    ("parquet", "PARQUET"),
];

#[test]
fn what_fails_leaves_nothing() {
    let fixture = Fixture::new();
    for (extension, format) in FORMATS {
        for (place, more) in [
            (format!("out/a.{extension}"), ""),
            (format!("out/{extension}/"), ""),
            (format!("out/{extension}/"), " PARTITIONED BY (k)"),
        ] {
            let copy = format!("COPY ({FAILING}) TO '{place}' STORED AS {format}{more}");
            let (code, error) = run(&fixture, &copy);
            assert_eq!(code, 1, "{copy}: {error}");
            assert!(error.contains("division by zero"), "{copy}: {error}");
            let left = files(&fixture.path("out"));
            assert!(left.is_empty(), "{copy}: {left:?}");
        }
    }
}

#[test]
fn what_is_there_stays_unless_told() {
    let fixture = Fixture::new();
    for (extension, format) in FORMATS {
        let file = format!("a.{extension}");
        let copy = |query: &str, place: &str, options: &str| {
            let copy = format!("COPY ({query}) TO '{place}' STORED AS {format}{options}");
            run(&fixture, &copy)
        };
        let count = |place: &str| {
            let sql = format!("SELECT count(*) FROM '{place}'");
            let output = fixture
                .run(&["query", &sql, "--format", "csv"])
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(copy(GOOD, &file, "").0, 0);
        let (code, error) = copy("SELECT 1 AS v, 2 AS k", &file, "");
        assert!(
            code == 1 && error.contains("exists already"),
            "{file}: {error}"
        );
        assert_eq!(count(&file), "count(*)\n9\n", "{file}");
        // Neither does one that fails take the place of it.
        let overwrite = " OPTIONS (overwrite 'true')";
        assert_eq!(copy(FAILING, &file, overwrite).0, 1);
        assert_eq!(count(&file), "count(*)\n9\n", "{file}");
        let (code, error) = copy("SELECT 1 AS v, 2 AS k", &file, overwrite);
        assert_eq!(
            (code, count(&file).as_str()),
            (0, "count(*)\n1\n"),
            "{error}"
        );

        if extension == "json" {
            // A pattern of it is no table.
            continue;
        }
        let folder = format!("folder_{extension}/");
        let pattern = format!("{folder}*.{extension}");
        assert_eq!(copy(GOOD, &folder, "").0, 0);
        let (code, error) = copy(GOOD, &folder, "");
        assert!(code == 1 && error.contains("has files already"), "{error}");
        assert_eq!(copy(GOOD, &folder, " OPTIONS (if_exists 'append')").0, 0);
        assert_eq!(count(&pattern), "count(*)\n18\n", "{pattern}");
        assert_eq!(copy(GOOD, &folder, " OPTIONS (if_exists 'overwrite')").0, 0);
        assert_eq!(count(&pattern), "count(*)\n9\n", "{pattern}");
    }
}
