//! Jobs from their creation to their end.

use geoflow_k8s::diagnose::Cause;
use geoflow_k8s::kubernetes::Ended;
use geoflow_k8s::plan::StageKind;
use serde_json::json;

use crate::fixture::Fixture;
use crate::mock::{ROWS, write_manifest};

#[tokio::test]
async fn a_job_completes() {
    let fixture = Fixture::new(&["complete"]).await;
    let told = fixture.run().await;
    assert_eq!(told.ended.as_ref().unwrap(), &Ended::Done);
    assert!(told.notes.is_empty());
    let last = told.last();
    assert_eq!((last.fragments, last.done, last.failed), (4, 4, 0));
    assert_eq!((last.rows, last.bytes), (4 * ROWS, 40 * ROWS));
    assert_eq!(last.retried, 0);
    let done: Vec<usize> = told.progress.iter().map(|progress| progress.done).collect();
    assert!(done.is_sorted(), "{done:?}");
    for progress in &told.progress {
        let counted = progress.done + progress.running + progress.pending + progress.failed;
        assert_eq!(counted, progress.fragments);
    }
    let created = fixture.server.created();
    assert_eq!(created.len(), 1);
    assert_eq!(created[0]["metadata"]["name"], "trips-s0");
    assert_eq!(created[0]["metadata"]["namespace"], "geoflow");
    let args = &created[0]["spec"]["template"]["spec"]["containers"][0]["args"];
    assert!(
        args[2].as_str().unwrap().ends_with("/trips/plan.json"),
        "{args}"
    );
}

#[tokio::test]
async fn a_stage_begins_when_the_one_before_is_done() {
    let stages = [(StageKind::States, 4), (StageKind::Final, 1)];
    let fixture = Fixture::with(&["complete", "complete"], "", &stages).await;
    let told = fixture.run().await;
    assert_eq!(told.ended.unwrap(), Ended::Done);
    let created = fixture.server.created();
    assert_eq!(created[1]["metadata"]["name"], "trips-s1");
    assert_eq!(created[1]["spec"]["completions"], 1);
}

#[tokio::test]
async fn failures_that_memory_would_not_mend_end_the_run() {
    let fixture = Fixture::new(&["index-failures"]).await;
    let told = fixture.run().await;
    let Ended::Failed(findings) = told.ended.unwrap() else {
        panic!("it failed");
    };
    let causes: Vec<_> = findings
        .iter()
        .map(|f| (f.cause, f.fragments.join(",")))
        .collect();
    assert_eq!(
        causes,
        [
            (Cause::BadData, "1".into()),
            (Cause::TaskFailed, "2".into())
        ]
    );
    let last = told.progress.last().unwrap();
    assert_eq!((last.done, last.failed, last.retried), (2, 2, 1));
    assert_eq!(fixture.server.created().len(), 1);
}

#[tokio::test]
async fn a_resume_runs_only_what_is_missing() {
    let fixture = Fixture::new(&["index-failures", "complete"]).await;
    fixture.run().await;
    let mut notes = Vec::new();
    let driver = fixture.driver(None);
    driver
        .resume(&mut |note| notes.push(format!("{note:?}")))
        .await
        .unwrap();
    assert_eq!(
        notes,
        ["Note(\"Job trips-s0-r1 runs what is missing: 2 of 4 fragments\")"]
    );
    assert_eq!(fixture.run().await.ended.unwrap(), Ended::Done);
    let created = &fixture.server.created()[1];
    assert_eq!(created["spec"]["completions"], 2);
    let plan = fixture
        .folder
        .folder()
        .get("plans/1.json")
        .await
        .unwrap()
        .unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
    let ids: Vec<_> = plan["stages"][0]["fragments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["id"])
        .collect();
    assert_eq!(ids, ["1", "2"]);
    // A second resume has nothing to do.
    driver.resume(&mut |note| panic!("{note:?}")).await.unwrap();
}

#[tokio::test]
async fn pending_pods_say_why() {
    for (recording, cause) in [
        ("pending-memory", Cause::NoMemory),
        ("image-pull", Cause::ImagePull),
    ] {
        let fixture = Fixture::new(&[recording]).await;
        let progress = fixture.run_until(|p| !p.waiting.is_empty()).await;
        assert_eq!(progress.waiting[0].cause, cause);
        assert_eq!(progress.waiting[0].fragments[0], "0");
        assert_eq!((progress.running, progress.pending), (0, 4));
    }
}

#[tokio::test]
async fn an_evicted_pod_is_replaced_and_counted_as_a_retry() {
    let fixture = Fixture::new(&["evicted"]).await;
    let told = fixture.run().await;
    assert_eq!(told.ended.as_ref().unwrap(), &Ended::Done);
    let most = told.progress.iter().map(|progress| progress.retried).max();
    assert_eq!(most, Some(1));
    assert!(told.progress.iter().all(|progress| progress.failed == 0));
}

#[tokio::test]
async fn a_suspended_job_stops_the_run_and_a_resume_lets_it_go_on() {
    let fixture = Fixture::new(&["suspend-resume"]).await;
    assert_eq!(
        fixture.run().await.ended.unwrap(),
        Ended::Suspended("trips-s0".into())
    );
    let mut notes = 0;
    let driver = fixture.driver(None);
    driver.resume(&mut |_| notes += 1).await.unwrap();
    assert_eq!(notes, 1);
    assert_eq!(
        fixture.server.patched(),
        [("trips-s0".to_string(), json!({"spec": {"suspend": false}}))]
    );
}

#[tokio::test]
async fn a_queue_holds_a_job_back_without_ending_the_run() {
    let stages = [(StageKind::Parts, 4)];
    let fixture = Fixture::with(&["suspend-resume"], "queue = \"gis\"", &stages).await;
    assert_eq!(fixture.run().await.ended.unwrap(), Ended::Done);
}

#[tokio::test]
async fn cancelling_suspends_and_keeps_the_record() {
    let fixture = Fixture::new(&["cancel-by-suspend"]).await;
    let told = fixture.run().await;
    assert_eq!(told.ended.unwrap(), Ended::Suspended("trips-s0".into()));
    assert!(
        fixture
            .folder
            .folder()
            .get("plan.json")
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn whoever_waits_next_goes_on_where_the_last_one_stopped() {
    let fixture = Fixture::new(&["complete"]).await;
    fixture.run_until(|progress| progress.done > 0).await;
    assert_eq!(fixture.run().await.ended.unwrap(), Ended::Done);
    assert_eq!(fixture.server.created().len(), 1);
}

#[tokio::test]
async fn a_job_that_is_done_needs_no_cluster_any_more() {
    let fixture = Fixture::new(&[]).await;
    for fragment in ["0", "1", "2", "3"] {
        write_manifest(&fixture.folder, StageKind::Parts, fragment).await;
    }
    assert_eq!(fixture.run().await.ended.unwrap(), Ended::Done);
    assert!(fixture.server.created().is_empty());
}
