//! Watches that end, are forgotten, or break.

use geoflow_k8s::kubernetes::Ended;
use http::Method;

use crate::fixture::Fixture;
use crate::mock::status;

#[tokio::test]
async fn a_watch_that_ends_goes_on_where_it_was() {
    let fixture = Fixture::new(&["oom", "complete"]).await;
    fixture.server.end_watches_after(3);
    assert_eq!(fixture.run().await.ended.unwrap(), Ended::Done);
    assert!(fixture.server.asked("watch=true") > 10);
    // Both kinds were listed once, and never again.
    assert_eq!(fixture.server.asked("/jobs limit="), 1);
    assert_eq!(fixture.server.asked("/pods limit="), 1);
}

#[tokio::test]
async fn a_watch_that_was_forgotten_begins_with_a_list() {
    let fixture = Fixture::new(&["complete"]).await;
    fixture.server.end_watches_after(4);
    for _ in 0..3 {
        fixture
            .server
            .fault(Method::GET, "/jobs watch=true", status(410, "Expired"));
        fixture
            .server
            .fault(Method::GET, "/pods watch=true", status(410, "Expired"));
    }
    assert_eq!(fixture.run().await.ended.unwrap(), Ended::Done);
    assert_eq!(fixture.server.faults_left(), 0);
    assert!(fixture.server.asked("/jobs limit=") > 1);
}

#[tokio::test]
async fn a_server_that_stumbles_is_asked_again() {
    let fixture = Fixture::new(&["complete"]).await;
    for code in [500, 503, 429] {
        fixture.server.fault(
            Method::GET,
            "/jobs watch=true",
            status(code, "InternalError"),
        );
    }
    assert_eq!(fixture.run().await.ended.unwrap(), Ended::Done);
    assert_eq!(fixture.server.faults_left(), 0);
}

#[tokio::test]
async fn a_right_that_is_taken_away_ends_the_run() {
    let fixture = Fixture::new(&["pending-memory"]).await;
    let refused = crate::mock::recorded_error("forbidden-list");
    // The right stays away: a request that is given up for other news is sent again.
    for _ in 0..10 {
        let refused = refused.clone();
        fixture
            .server
            .fault(Method::GET, "/pods watch=true", refused);
    }
    let error = fixture.run().await.ended.unwrap_err();
    assert!(error.to_string().contains("may not list"), "{error}");
}
