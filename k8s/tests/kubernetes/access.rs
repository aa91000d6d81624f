//! What the API server refuses.

use geoflow_engine::ErrorKind;
use geoflow_k8s::kubernetes::Ended;
use http::Method;
use serde_json::json;

use crate::fixture::Fixture;
use crate::mock::{recorded_error, status};

#[tokio::test]
async fn a_forbidden_verb_names_the_rule_that_is_missing() {
    for (method, path, recorded, verb) in [
        (Method::POST, "/jobs", "forbidden-create", "create"),
        (Method::GET, "/jobs", "forbidden-list", "list"),
    ] {
        let fixture = Fixture::new(&["complete"]).await;
        fixture.server.fault(method, path, recorded_error(recorded));
        let error = fixture.run().await.ended.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Environment);
        let text = error.to_string();
        let rule =
            format!("apiGroups: [\"batch\"]\n    resources: [\"jobs\"]\n    verbs: [\"{verb}\"]");
        assert!(text.contains(&rule), "{text}");
    }
}

#[tokio::test]
async fn a_job_that_is_there_already_is_ours_if_its_plan_is() {
    let fixture = Fixture::new(&["complete"]).await;
    fixture.driver(None).start().await.unwrap();
    // Another driver looked before that, and creates the same Job.
    fixture
        .server
        .fault(Method::GET, "/jobs limit=", empty_list());
    assert_eq!(fixture.driver(None).start().await.unwrap(), "trips-s0");
    assert_eq!(fixture.server.asked("POST"), 2);
    assert_eq!(fixture.server.created().len(), 1);
    assert_eq!(fixture.run().await.ended.unwrap(), Ended::Done);
}

#[tokio::test]
async fn a_job_of_somebody_else_is_left_alone() {
    let fixture = Fixture::new(&["complete"]).await;
    fixture.server.add_job(json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "trips-s0", "namespace": "geoflow"},
        "spec": {"template": {"spec": {"containers": []}}},
    }));
    let error = fixture.run().await.ended.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::User);
    assert!(error.to_string().contains("give another job id"), "{error}");
}

#[tokio::test]
async fn a_change_that_another_one_came_before_is_tried_again() {
    let fixture = Fixture::new(&["complete"]).await;
    fixture.driver(None).start().await.unwrap();
    for _ in 0..2 {
        fixture
            .server
            .fault(Method::PATCH, "/jobs/trips-s0", status(409, "Conflict"));
    }
    fixture.cluster.suspend("trips-s0", true).await.unwrap();
    assert_eq!(fixture.server.asked("PATCH"), 3);
    for _ in 0..5 {
        fixture
            .server
            .fault(Method::PATCH, "/jobs/trips-s0", status(409, "Conflict"));
    }
    let error = fixture.cluster.set_ttl("trips-s0", 60).await.unwrap_err();
    assert!(error.to_string().contains("somebody else"), "{error}");
}

#[tokio::test]
async fn a_dry_run_creates_nothing() {
    let fixture = Fixture::new(&[]).await;
    let job = geoflow_k8s::manifest::StageJob {
        job: "trips".into(),
        stage: 0,
        round: 0,
        plan: "s3://bucket/plan.json".into(),
        fragments: 4,
        args: Vec::new(),
        memory: None,
    };
    let job = job.to_job(&fixture.launch.settings, None).unwrap();
    let answer = fixture.cluster.dry_run(&job).await.unwrap();
    assert_eq!(answer.metadata.name.as_deref(), Some("trips-s0"));
    assert_eq!(fixture.server.asked("dryRun=All"), 1);
    fixture
        .server
        .fault(Method::POST, "/jobs", recorded_error("invalid-manifest"));
    let error = fixture.cluster.dry_run(&job).await.unwrap_err();
    assert!(
        error.to_string().contains("spec.backoffLimitPerIndex"),
        "{error}"
    );
}

fn empty_list() -> serde_json::Value {
    json!({"code": 200, "kind": "JobList", "apiVersion": "batch/v1",
           "metadata": {"resourceVersion": "1"}, "items": []})
}
