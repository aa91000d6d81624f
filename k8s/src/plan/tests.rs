#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn plan(row_groups: Vec<u32>) -> Plan {
    let file = InputFile {
        url: "s3://bucket/trips.parquet".into(),
        size: 1000,
        e_tag: Some("\"abc\"".into()),
        modified: "2026-01-01T00:00:00Z".into(),
        rows: 60,
        row_groups: 6,
        partition_values: vec![],
    };
    let slice = FileSlice {
        file: 0,
        row_groups: Some(row_groups),
        rows: vec![],
    };
    Plan {
        version: PLAN_VERSION,
        job: "j1".into(),
        setup: vec![],
        statement: "SELECT * FROM trips".into(),
        full_joins_apart: false,
        sink: Sink {
            output: "s3://bucket/out/".into(),
            append: false,
            partition_by: vec![],
            options: Default::default(),
        },
        tables: vec![TableInput {
            name: "trips".into(),
            reference: "trips".into(),
            schema: TableInput::encode_schema(&arrow::datatypes::Schema::empty()).unwrap(),
            partition_columns: vec![],
            column_bytes: vec![],
            files: vec![file],
        }],
        scans: vec![Some(0)],
        cut: vec![0],
        stages: vec![Stage {
            kind: StageKind::Parts,
            fragments: vec![Fragment {
                id: "0".into(),
                rows: 10,
                bytes: 100,
                cost: 1.5,
                bounds: Some([0.0, 0.0, 1.0, 1.0]),
                slices: vec![ScanSlice {
                    scan: 0,
                    files: vec![slice],
                }],
            }],
        }],
    }
}

#[test]
fn round_trips() {
    let plan = plan(vec![0, 2, 5]);
    let text = plan.to_json().unwrap();
    assert_eq!(Plan::from_json(&text).unwrap(), plan);
    let sha256 = sha256_hex(text.as_bytes());
    assert_eq!(Plan::from_json_checked(&text, &sha256).unwrap(), plan);
    let error = Plan::from_json_checked(&text, "00").unwrap_err();
    assert!(matches!(error, PlanError::Checksum { .. }), "{error}");
}

#[test]
fn another_version_is_refused_whatever_its_form() {
    let error = Plan::from_json(r#"{"version": 2, "phases": []}"#).unwrap_err();
    assert!(matches!(error, PlanError::Version { found: 2 }), "{error}");
}

#[test]
fn row_groups_that_cannot_be_are_refused() {
    for groups in [vec![1, 1], vec![2, 1], vec![6]] {
        let error = plan(groups).to_json().unwrap_err();
        assert!(matches!(error, PlanError::Inconsistent { .. }), "{error}");
    }
}

#[test]
fn rows_that_overlap_are_refused() {
    let range = |row_group, first, count| RowRange {
        row_group,
        first,
        count,
        of: 10,
    };
    for (rows, right) in [
        (vec![range(0, 0, 5), range(0, 5, 5), range(2, 0, 1)], true),
        (vec![range(0, 0, 5), range(0, 4, 5)], false),
        (vec![range(1, 0, 5)], false),
        (vec![range(2, 0, 5), range(0, 0, 5)], false),
    ] {
        let mut plan = plan(vec![0, 2]);
        plan.stages[0].fragments[0].slices[0].files[0].rows = rows;
        assert_eq!(plan.to_json().is_ok(), right, "{plan:?}");
    }
}

#[test]
fn a_field_that_nobody_knows_is_refused() {
    let mut value: serde_json::Value =
        serde_json::from_str(&plan(vec![0]).to_json().unwrap()).unwrap();
    value["retries"] = 3.into();
    let error = Plan::from_json(&value.to_string()).unwrap_err();
    assert!(matches!(error, PlanError::Malformed(_)), "{error}");
}

#[test]
fn a_fragment_that_is_not_there_is_named() {
    let plan = plan(vec![0]);
    assert_eq!(plan.fragment(0, 0).unwrap().id, "0");
    let error = plan.fragment(0, 7).unwrap_err().to_string();
    assert!(
        error.contains("1 fragments") && error.contains('7'),
        "{error}"
    );
    assert!(plan.fragment(1, 0).is_err());
}

#[test]
fn fragments_repeat_what_is_not_dealt_out() {
    let mut plan = plan(vec![0]);
    let first = plan.stages[0].fragments[0].clone();
    let fragments = [first.clone(), first];
    // The trips are dealt out, whatever their slices are.
    assert!(!plan.repeats(&fragments));
    plan.scans = vec![Some(0), Some(0)];
    assert!(plan.repeats(&fragments), "each reads all of the second");
    assert!(!plan.repeats(&fragments[..1]));
    let with = |row_groups: Option<Vec<u32>>| {
        let mut fragment = fragments[0].clone();
        let files = row_groups.map(|row_groups| FileSlice {
            file: 0,
            row_groups: Some(row_groups),
            rows: vec![],
        });
        let files = files.into_iter().collect();
        fragment.slices.push(ScanSlice { scan: 1, files });
        fragment
    };
    assert!(plan.repeats(&[with(Some(vec![1])), with(Some(vec![1]))]));
    assert!(!plan.repeats(&[with(Some(vec![1])), with(Some(vec![2]))]));
    assert!(!plan.repeats(&[with(None), with(None)]), "nothing of it");
}
