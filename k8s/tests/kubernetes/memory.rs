//! Fragments that die of memory.

use std::sync::Arc;

use geoflow_k8s::kubernetes::{Cutting, Ended};
use geoflow_k8s::plan::{Fragment, Plan, StageKind};
use serde_json::Value;

use crate::fixture::Fixture;

const STAGES: [(StageKind, usize); 1] = [(StageKind::Parts, 4)];

fn memory(created: &Value) -> &Value {
    let resources = &created["spec"]["template"]["spec"]["containers"][0]["resources"];
    assert_eq!(
        resources["requests"]["memory"],
        resources["limits"]["memory"]
    );
    &resources["limits"]["memory"]
}

#[tokio::test]
async fn a_follow_up_runs_just_those_with_more_memory() {
    let fixture = Fixture::with(&["oom", "complete"], "memory = \"4Gi\"", &STAGES).await;
    let told = fixture.run().await;
    assert_eq!(told.ended.as_ref().unwrap(), &Ended::Done);
    assert_eq!(
        told.notes,
        ["fragment 2 ran out of memory with 4Gi: running again with 8Gi"]
    );
    let created = fixture.server.created();
    assert_eq!(created.len(), 2);
    assert_eq!(created[1]["metadata"]["name"], "trips-s0-r1");
    assert_eq!(created[1]["spec"]["completions"], 1);
    assert_eq!(memory(&created[0]), "4Gi");
    assert_eq!(memory(&created[1]), "8Gi");
    assert_eq!(told.last().done, 4);
}

#[tokio::test]
async fn memory_grows_up_to_the_cap() {
    // The recording has its failure at index 2, so three fragments fail nobody.
    let profile = "memory = \"4Gi\"\nmemory-cap = \"6Gi\"";
    let fixture = Fixture::with(&["oom", "complete"], profile, &STAGES).await;
    fixture.run().await;
    assert_eq!(memory(&fixture.server.created()[1]), "6Gi");
}

#[tokio::test]
async fn at_the_cap_a_fragment_that_cannot_be_cut_fails_with_its_cause() {
    let profile = "memory = \"4Gi\"\nmemory-cap = \"4Gi\"";
    let fixture = Fixture::with(&["oom"], profile, &STAGES).await;
    let told = fixture.run().await;
    let Ended::Failed(findings) = told.ended.unwrap() else {
        panic!("it failed");
    };
    assert_eq!(findings[0].fragments, ["2"]);
    assert!(findings[0].remedy.contains("--pod-memory"), "{findings:?}");
    assert_eq!(fixture.server.created().len(), 1);
}

#[tokio::test]
async fn at_the_cap_fragments_are_cut_finer() {
    let profile = "memory = \"4Gi\"\nmemory-cap = \"4Gi\"";
    let fixture = Fixture::with(&["oom", "complete"], profile, &STAGES).await;
    let split = |_: &Plan, fragment: &Fragment| {
        let piece = |i: usize| Fragment {
            id: format!("{}.{i}", fragment.id),
            ..fragment.clone()
        };
        let pieces = (0..2).map(piece).collect();
        Box::pin(async { Ok(Some(pieces)) }) as Cutting
    };
    let told = fixture.run_with(Some(Arc::new(split))).await;
    assert_eq!(told.ended.as_ref().unwrap(), &Ended::Done);
    assert_eq!(
        told.notes,
        [
            "fragment 2 ran out of memory with 4Gi, the most there is: running again as fragments 2.0, 2.1"
        ]
    );
    let created = fixture.server.created();
    assert_eq!(created[1]["spec"]["completions"], 2);
    assert_eq!(memory(&created[1]), "4Gi");
    assert_eq!((told.last().fragments, told.last().done), (5, 5));
}
