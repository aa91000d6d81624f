//! The runner on a real cluster: that of the current kubeconfig. Ignored by default;
//! `docs/kubernetes.md`, "Testing", has the command and the variables.
//!
//! No registry, DNS or Service is assumed. A job of four fragments runs to its end and is compared
//! with the same statement on this machine; another that asks for more memory than any node has is
//! diagnosed, and cancelled.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::path::Path;
use std::time::Duration;

use geoflow_k8s::cluster::Cluster;
use geoflow_k8s::commit::commit;
use geoflow_k8s::diagnose::Cause;
use geoflow_k8s::job::{Job, RunnerKind, new_job_id, submit};
use geoflow_k8s::kubernetes::{Driver, Ended, Launch, Record, Report, diagnose_job};
use geoflow_k8s::manifest::Patch;
use geoflow_k8s::planner::{FragmentCount, JobRequest, plan};
use geoflow_k8s::profile::{Profile, Quantity, Settings};
use geoflow_k8s::storage::Folder;
use geoflow_sql::{Session, SessionBuilder};

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn needed(name: &str) -> String {
    variable(name).unwrap_or_else(|| panic!("{name} is not set, see docs/kubernetes.md"))
}

struct Place {
    session: Session,
    root: Folder,
    cluster: Cluster,
}

async fn place() -> Place {
    let session = SessionBuilder::new().threads(2).build().unwrap();
    let registry = session
        .context()
        .runtime_env()
        .object_store_registry
        .clone();
    let root = Folder::open(registry.as_ref(), &needed("GEOFLOW_TEST_JOBS")).unwrap();
    let namespace = variable("GEOFLOW_TEST_NAMESPACE");
    let cluster = Cluster::connect(None, namespace.as_deref()).await.unwrap();
    for name in ["cities.parquet", "countries.parquet"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../testdata")
            .join(name);
        root.put(&format!("in/{name}"), std::fs::read(file).unwrap())
            .await
            .unwrap();
    }
    Place {
        session,
        root,
        cluster,
    }
}

fn launch(cluster: &Cluster, memory: &str) -> Launch {
    let profile = Profile {
        image: Some(needed("GEOFLOW_TEST_IMAGE")),
        image_pull_policy: Some("IfNotPresent".into()),
        secrets: variable("GEOFLOW_TEST_SECRET").into_iter().collect(),
        host_network: variable("GEOFLOW_TEST_HOST_NETWORK").map(|value| value == "1"),
        cpu: Some(Quantity("100m".into())),
        cpu_limit: Some(Quantity("1".into())),
        memory: Some(Quantity(memory.into())),
        spill: Some(Quantity("256Mi".into())),
        ..Profile::default()
    };
    Launch {
        namespace: cluster.namespace().to_string(),
        settings: Settings::resolve(profile).unwrap(),
        patch: variable("GEOFLOW_TEST_PATCH")
            .map(|path| Patch::read(&std::fs::read_to_string(&path).unwrap(), &path).unwrap()),
    }
}

fn statement(place: &Place) -> String {
    format!(
        "SELECT c.*, n.name AS country FROM '{}' c LEFT JOIN '{}' n ON ST_Within(c.geometry, n.geometry)",
        place.root.object_url("in/cities.parquet"),
        place.root.object_url("in/countries.parquet"),
    )
}

async fn submitted(place: &Place, launch: &Launch) -> Job {
    let id = format!("test-{}", new_job_id());
    let request = JobRequest {
        job: id.clone(),
        setup: Vec::new(),
        statement: statement(place),
        output: Some(place.root.object_url(&format!("out/{id}/"))),
        fragments: FragmentCount::Exactly(4),
    };
    let planned = plan(&place.session, &request).await.unwrap();
    let jobs = place.root.folder("jobs");
    let job = submit(&place.session, planned, RunnerKind::Kubernetes, &jobs)
        .await
        .unwrap();
    launch.write(&job.folder).await.unwrap();
    job
}

fn driver<'a>(place: &'a Place, job: &'a Job, launch: &'a Launch) -> Driver<'a> {
    Driver {
        cluster: &place.cluster,
        folder: &job.folder,
        plan: &job.plan,
        plan_sha256: &job.record.plan_sha256,
        launch,
        split: None,
    }
}

#[tokio::test]
#[ignore = "needs a cluster, see docs/kubernetes.md"]
async fn a_job_runs_to_its_end_and_answers_as_one_process_does() {
    let place = place().await;
    let launch = launch(&place.cluster, "512Mi");
    let job = submitted(&place, &launch).await;
    let mut told = |report: Report| eprintln!("{report:?}");
    let ended = driver(&place, &job, &launch).run(&mut told).await.unwrap();
    assert_eq!(ended, Ended::Done);
    let registry = place
        .session
        .context()
        .runtime_env()
        .object_store_registry
        .clone();
    let output = job.output(registry.as_ref()).unwrap();
    let success = commit(&job.folder, &job.plan, &output).await.unwrap();
    let context = place.session.context();
    let alone = context
        .sql(&statement(&place))
        .await
        .unwrap()
        .count()
        .await
        .unwrap();
    assert!(alone > 0);
    assert_eq!(success.rows, alone as u64);
    assert_eq!(success.parts.len(), 4);
}

#[tokio::test]
#[ignore = "needs a cluster, see docs/kubernetes.md"]
async fn a_job_that_no_node_can_take_says_so_and_can_be_cancelled() {
    let place = place().await;
    let launch = launch(&place.cluster, "900Ti");
    let job = submitted(&place, &launch).await;
    let name = driver(&place, &job, &launch).start().await.unwrap();
    let mut causes = Vec::new();
    for _ in 0..30 {
        let record = Record {
            folder: &job.folder,
            plan: &job.plan,
        };
        let found = diagnose_job(&place.cluster, &job.record.id, Some(record))
            .await
            .unwrap();
        causes = found.iter().map(|finding| finding.cause).collect();
        if !causes.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(causes, [Cause::NoMemory]);
    place.cluster.suspend(&name, true).await.unwrap();
    let mut told = |report: Report| eprintln!("{report:?}");
    let ended = driver(&place, &job, &launch).run(&mut told).await.unwrap();
    assert_eq!(ended, Ended::Suspended(name));
}
