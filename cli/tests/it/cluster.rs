//! Jobs in a cluster whose record is out of reach: what the API server has answers for them. Its answers are recorded ones.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::fixture::Fixture;

/// An API server that knows one recorded Job, and a kubeconfig that leads to it.
struct Cluster {
    fixture: Fixture,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Cluster {
    fn with(recording: &str) -> Self {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../k8s/testdata/clusters/v1.35"
        );
        let folder = Path::new(folder).join(recording);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(vec![]));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, seen) = (folder.clone(), Arc::clone(&seen));
                std::thread::spawn(move || answer(stream, &folder, &seen));
            }
        });
        let fixture = Fixture::new();
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: m, cluster: {{server: \"http://127.0.0.1:{port}\"}}}}]\n\
             users: [{{name: u, user: {{token: t}}}}]\n\
             contexts: [{{name: c, context: {{cluster: m, user: u, namespace: geoflow}}}}]\n"
        );
        std::fs::write(fixture.path("kubeconfig"), kubeconfig).unwrap();
        Self { fixture, requests }
    }

    fn job(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = self.fixture.run(&["job"]);
        command
            .args(args)
            .env("KUBECONFIG", self.fixture.path("kubeconfig"))
            .env("HOME", self.fixture.path("home"))
            // The record would be in s3://bucket: nobody listens there.
            .args([
                "--s3-endpoint",
                "http://127.0.0.1:1",
                "--store-retries",
                "0",
            ])
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap();
        (code, text(&output.stdout), text(&output.stderr))
    }
}

/// One request on a connection, then it is closed.
fn answer(mut stream: TcpStream, folder: &Path, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let request = line.trim().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let text = String::from_utf8_lossy(&body);
    seen.lock().unwrap().push(format!("{request} {text}"));
    let target = request.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let read = |name: &str| -> String {
        let file: PathBuf = folder.join(format!("{name}.json"));
        std::fs::read_to_string(file).unwrap()
    };
    let body = if path.ends_with("/log") {
        "{\"event\":\"done\"}\n".to_owned()
    } else if path.ends_with("/jobs") {
        let job = read("job");
        format!(
            "{{\"kind\":\"JobList\",\"apiVersion\":\"batch/v1\",\"metadata\":{{}},\"items\":[{job}]}}"
        )
    } else if path.ends_with("/pods") {
        read("pods")
    } else if path.ends_with("/events") {
        read("events")
    } else {
        read("job")
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body.as_bytes());
}

#[test]
fn a_job_is_diagnosed_without_its_record() {
    for (recording, word) in [
        ("oom", "failed: out of memory (fragment 2)"),
        ("pending-memory", "waiting: not enough memory"),
        ("image-pull", "waiting: the image cannot be pulled"),
        ("evicted", "overcome: evicted (fragment 0)"),
        ("suspended", "waiting: suspended"),
        ("complete", "nothing is wrong"),
    ] {
        let cluster = Cluster::with(recording);
        for options in [&[][..], &["-n", "geoflow"]] {
            // One that is at hand is asked as well, if it answers in time.
            if options.is_empty() && recording != "oom" {
                continue;
            }
            let args = [&["diagnose", recording][..], options].concat();
            let (code, said, notes) = cluster.job(&args);
            assert_eq!(code, 0, "{recording}: {notes}");
            assert!(said.contains(word), "{recording}: {said}");
            assert!(
                notes.contains("what tasks have reported is not known"),
                "{notes}"
            );
        }
    }
}

#[test]
fn jobs_of_a_cluster_are_shown_without_their_record() {
    let cluster = Cluster::with("oom");
    let (code, said, notes) = cluster.job(&["list", "-n", "geoflow"]);
    assert_eq!(code, 0, "{notes}");
    let row: Vec<&str> = said.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[..5], ["oom", "failed", "3/4", "-", "-"], "{said}");
    let (code, said, notes) = cluster.job(&["get", "oom", "-o", "json", "-n", "geoflow"]);
    assert_eq!(code, 0, "{notes}");
    let shown: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(shown["phase"], "failed");
    assert_eq!(shown["rows"], serde_json::Value::Null);
    let (code, said, notes) = cluster.job(&["logs", "oom", "--fragment", "2", "-n", "geoflow"]);
    assert_eq!(code, 0, "{notes}");
    assert!(said.contains("{\"event\":\"done\"}"), "{said}");
    // Manifests are needed to commit.
    let (code, _, notes) = cluster.job(&["wait", "oom", "-n", "geoflow"]);
    assert_eq!(code, 3, "{notes}");
    assert!(notes.contains("s3://bucket/jobs/oom"), "{notes}");
    assert!(notes.contains("cancel oom"), "{notes}");
}

#[test]
fn a_job_is_cancelled_without_its_record() {
    let cluster = Cluster::with("pending-memory");
    let (code, _, notes) = cluster.job(&["cancel", "pending-memory", "-n", "geoflow"]);
    assert_eq!(code, 0, "{notes}");
    assert!(notes.contains("is suspended, its pods stop"), "{notes}");
    let requests = cluster.requests.lock().unwrap();
    let patch = requests.iter().find(|r| r.starts_with("PATCH"));
    assert!(patch.unwrap().contains("\"suspend\":true"), "{requests:?}");
}

/// Nothing runs where a Job was to be shown, or a cluster was meant.
#[test]
fn options_of_a_cluster_start_nothing_here() {
    let cluster = Cluster::with("complete");
    let submit = |options: &[&str]| {
        let args = [&["submit", "SELECT 1 AS a", "-o", "out/"][..], options].concat();
        let answer = cluster.job(&args);
        assert!(!cluster.fixture.path("out").exists(), "{options:?}");
        answer
    };
    let (code, _, notes) = submit(&["--image", "i:1"]);
    assert_eq!(code, 2, "{notes}");
    assert!(notes.contains("add --runner kubernetes"), "{notes}");
    let (code, _, notes) = submit(&["--dry-run=client", "--image", "i:1"]);
    assert_eq!(code, 1, "{notes}");
    assert!(notes.contains("which pods do not see"), "{notes}");
    let (code, _, notes) = submit(&["--id", "Not_An_Id"]);
    assert_eq!(code, 1, "{notes}");
    assert!(notes.contains("is no id of a job"), "{notes}");
}
