//! Whatever a statement is cut into, the parts together are the answer of the statement as a whole.

mod data;

use std::path::Path;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use data::{Result, write_tables};
use futures::StreamExt;
use geoflow_engine::join::SharedBuilds;
use geoflow_k8s::commit::{commit, settle};
use geoflow_k8s::job::{Job, RunnerKind, submit};
use geoflow_k8s::plan::StageKind;
use geoflow_k8s::planner::{FragmentCount, JobRequest, plan};
use geoflow_k8s::runner::{cut_finer, follow_up, record_split};
use geoflow_k8s::storage::Folder;
use geoflow_k8s::task::{TaskRequest, TaskState, run};
use geoflow_sql::{Session, SessionBuilder};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Statements over `{l}`, `{r}` and `{n}`, and whether they can be cut.
const STATEMENTS: [(&str, bool); 43] = [
    ("SELECT * FROM {l}", true),
    (
        "SELECT id * 2 AS two, geometry FROM {l} WHERE k > 1 AND id % 3 = 0",
        true,
    ),
    (
        "SELECT l.id, r.id AS r, l.geometry FROM {l} l JOIN {r} r ON ST_Intersects(l.geometry, r.geometry)",
        true,
    ),
    (
        "SELECT l.id, r.id AS r, l.geometry FROM {l} l LEFT JOIN {r} r ON ST_Within(l.geometry, r.geometry)",
        true,
    ),
    (
        "SELECT l.id, r.id AS r FROM {l} l LEFT JOIN {r} r ON ST_Within(l.geometry, r.geometry) AND l.k = r.k",
        true,
    ),
    (
        "SELECT l.id, r.id AS r FROM {l} l RIGHT JOIN {r} r ON ST_Within(l.geometry, r.geometry)",
        true,
    ),
    (
        "SELECT l.id, r.id AS r, l.geometry, r.geometry AS square FROM {l} l FULL JOIN {r} r ON ST_Within(l.geometry, r.geometry)",
        true,
    ),
    (
        "SELECT l.id, n.* FROM {l} l FULL JOIN {n} n ON l.k = n.k AND l.id % 2 = 0",
        true,
    ),
    (
        "SELECT k, count(*) AS n, count(l.id) AS l, count(r.id) AS r FROM {l} l FULL JOIN (SELECT * FROM {r} WHERE id % 2 = 0) r USING (k) GROUP BY k",
        true,
    ),
    (
        "SELECT l.id, r.id AS r FROM {l} l FULL JOIN (SELECT * FROM {r} ORDER BY id LIMIT 9) r ON ST_Within(l.geometry, r.geometry)",
        false,
    ),
    (
        "SELECT x.id, s.id AS s FROM (SELECT l.id, r.geometry FROM {l} l FULL JOIN {r} r ON ST_Within(l.geometry, r.geometry)) x LEFT JOIN {r} s ON ST_Intersects(x.geometry, s.geometry)",
        true,
    ),
    (
        "SELECT id FROM {l} l WHERE EXISTS (SELECT 1 FROM {r} r WHERE ST_Intersects(l.geometry, r.geometry))",
        true,
    ),
    (
        "SELECT id FROM {l} l WHERE NOT EXISTS (SELECT 1 FROM {r} r WHERE ST_Intersects(l.geometry, r.geometry))",
        true,
    ),
    (
        "SELECT id FROM {l} l WHERE k = 1 OR EXISTS (SELECT 1 FROM {r} r WHERE ST_Intersects(l.geometry, r.geometry))",
        true,
    ),
    (
        "SELECT l.id, r.id AS r FROM {l} l JOIN {r} r ON ST_DWithin(l.geometry, r.geometry, 3.5)",
        true,
    ),
    (
        "SELECT l.id, r.id AS r FROM {l} l LEFT JOIN {r} r ON ST_Distance(l.geometry, r.geometry) < 2",
        true,
    ),
    (
        "SELECT l.id, ST_Distance(l.geometry, r.geometry) AS d FROM {l} l JOIN {r} r ON ST_KNN(l.geometry, r.geometry, 2)",
        true,
    ),
    (
        "SELECT l.id, r.id AS r FROM {l} l LEFT JOIN {r} r ON ST_Equals(l.geometry, r.geometry)",
        true,
    ),
    (
        "SELECT l.id, r.id AS r, s.id AS s FROM {l} l JOIN {r} r ON ST_Within(l.geometry, r.geometry) LEFT JOIN {r} s ON ST_Intersects(r.geometry, s.geometry)",
        true,
    ),
    (
        "SELECT l.id, n.name FROM {l} l LEFT JOIN {n} n ON l.k = n.k",
        true,
    ),
    (
        "SELECT l.id, n.name, r.id AS r FROM {l} l JOIN {n} n ON l.k = n.k LEFT JOIN {r} r ON ST_Within(l.geometry, r.geometry)",
        true,
    ),
    (
        "SELECT id, geometry FROM {l} UNION ALL SELECT id + 1000, geometry FROM {r}",
        true,
    ),
    (
        "SELECT id FROM {l} WHERE k NOT IN (SELECT k FROM {n} WHERE k < 7)",
        true,
    ),
    (
        "SELECT l.id FROM {l} l WHERE id > (SELECT avg(id) FROM {l})",
        true,
    ),
    (
        "WITH big AS (SELECT * FROM {r} WHERE k < 2) SELECT a.id, b.id AS b FROM big a JOIN big b ON ST_Intersects(a.geometry, b.geometry)",
        true,
    ),
    (
        "SELECT r.id, count(*) AS n, sum(l.id) AS s, avg(l.id) AS a, min(l.k) AS m FROM {l} l JOIN {r} r ON ST_Within(l.geometry, r.geometry) GROUP BY r.id",
        true,
    ),
    (
        "SELECT r.k, count(DISTINCT l.k) AS d, count(*) AS n FROM {l} l LEFT JOIN {r} r ON ST_Within(l.geometry, r.geometry) GROUP BY r.k HAVING count(*) > 1",
        true,
    ),
    ("SELECT count(*) AS n, max(id) AS m FROM {l}", true),
    (
        "SELECT DISTINCT l.k FROM {l} l JOIN {r} r ON ST_Intersects(l.geometry, r.geometry)",
        true,
    ),
    (
        "SELECT id, k FROM {l} ORDER BY k DESC, id LIMIT 7 OFFSET 2",
        true,
    ),
    (
        "SELECT r.id, count(*) AS n FROM {l} l JOIN {r} r ON ST_Within(l.geometry, r.geometry) GROUP BY r.id ORDER BY n DESC, r.id LIMIT 5",
        true,
    ),
    (
        "SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM {l}",
        true,
    ),
    (
        "SELECT r.id AS r FROM {l} l RIGHT SEMI JOIN {r} r ON ST_Contains(r.geometry, l.geometry)",
        true,
    ),
    (
        "SELECT r.* FROM {l} l RIGHT ANTI JOIN {r} r ON ST_DWithin(l.geometry, r.geometry, 0.5) AND l.k = r.k",
        true,
    ),
    (
        "SELECT l.id, r.id AS r, ST_Distance(l.geometry, r.geometry) AS d FROM {l} l LEFT JOIN {r} r ON ST_KNN(l.geometry, r.geometry, 3)",
        true,
    ),
    (
        "SELECT l.id, r.id AS r, s.id AS s FROM {l} l LEFT SEMI JOIN {n} n ON l.k = n.k RIGHT JOIN {r} r ON ST_Within(l.geometry, r.geometry) LEFT JOIN {r} s ON ST_Touches(r.geometry, s.geometry)",
        false,
    ),
    (
        "SELECT l.id, r.id AS r, n.name FROM {l} l LEFT JOIN {r} r ON ST_Within(l.geometry, r.geometry) LEFT JOIN {n} n ON r.k = n.k WHERE NOT EXISTS (SELECT 1 FROM {r} s WHERE s.k = 1 AND ST_Contains(s.geometry, l.geometry))",
        true,
    ),
    (
        "SELECT l.id, r.id AS r FROM {l} l LEFT JOIN {r} r ON ST_Within(l.geometry, r.geometry) ORDER BY l.id DESC, r.id NULLS FIRST LIMIT 12 OFFSET 3",
        true,
    ),
    (
        "SELECT r.k, count(*) FILTER (WHERE l.k > 1) AS n, min(ST_X(l.geometry)) AS x, ST_Extent(l.geometry) AS e FROM {l} l RIGHT JOIN {r} r ON ST_Within(l.geometry, r.geometry) GROUP BY ROLLUP (r.k)",
        true,
    ),
    (
        "SELECT DISTINCT ON (l.k) l.k, r.id AS r FROM {l} l JOIN {r} r ON ST_Intersects(l.geometry, r.geometry) ORDER BY l.k, r.id DESC",
        true,
    ),
    ("SELECT k FROM {l} EXCEPT SELECT k FROM {r}", true),
    (
        "SELECT k, count(*) AS n FROM (SELECT l.k FROM {l} l JOIN {r} r ON ST_Intersects(l.geometry, r.geometry) UNION ALL SELECT k FROM {r}) x GROUP BY k ORDER BY n, k LIMIT 3",
        true,
    ),
    ("SELECT id FROM {l} ORDER BY id", true),
];

fn cases() -> (usize, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("GEOFLOW_SEED").unwrap_or(20_260_101);
    (number("GEOFLOW_CASES").unwrap_or(2) as usize, seed)
}

fn session() -> Result<Session> {
    Ok(SessionBuilder::new().threads(2).batch_size(64).build()?)
}

fn fill(statement: &str, dir: &Path) -> String {
    let file = |name: &str| format!("'{}'", dir.join(format!("{name}.parquet")).display());
    statement
        .replace("{l}", &file("l"))
        .replace("{r}", &file("r"))
        .replace("{n}", &file("names"))
}

/// The columns of a query, to be read again from a file, which has a covering as well.
async fn columns(sql: &str) -> Result<String> {
    let frame = session()?.sql(sql).await?;
    let fields = frame.schema().fields().iter();
    let names: Vec<String> = fields
        .map(|field| format!("\"{}\"", field.name()))
        .collect();
    Ok(names.join(", "))
}

/// The rows of a query as text, sorted.
async fn rows(sql: &str) -> Result<Vec<String>> {
    let batches = session()?.sql(sql).await?.collect().await?;
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = vec![];
    for batch in &batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
            rows.push(cells.join("|"));
        }
    }
    rows.sort();
    Ok(rows)
}

/// Of two long lists it is enough to see where they part.
fn assert_same(found: &[String], expected: &[String], context: &str) {
    let same = found
        .iter()
        .zip(expected)
        .take_while(|(a, b)| a == b)
        .count();
    assert!(
        found == expected,
        "{} rows in place of {}, the first that differs is {:?} in place of {:?}: {context}",
        found.len(),
        expected.len(),
        found.get(same),
        expected.get(same)
    );
}

/// A job in a folder of its own.
async fn job(sql: &str, dir: &Path, name: &str, fragments: usize) -> Result<(Session, Job)> {
    let session = session()?;
    let statements: Vec<String> = sql.split("; ").map(str::to_owned).collect();
    let (statement, setup) = statements.split_last().ok_or("no statement")?;
    let says_where = statement.starts_with("COPY") || statement.starts_with("INSERT");
    let request = JobRequest {
        job: name.to_owned(),
        setup: setup.to_vec(),
        statement: statement.clone(),
        output: (!says_where).then(|| dir.join(name).display().to_string()),
        fragments: FragmentCount::Exactly(fragments),
    };
    let planned = plan(&session, &request).await?;
    let jobs = dir.join("jobs").display().to_string();
    let registry = &session.context().runtime_env().object_store_registry;
    let root = Folder::open(registry.as_ref(), &jobs)?;
    let job = submit(&session, planned, RunnerKind::Local, &root).await?;
    Ok((session, job))
}

/// The sessions of a process that runs several tasks, with little memory or without a limit.
fn sessions(little: bool) -> Result<SessionBuilder> {
    let sessions = SessionBuilder::new()
        .threads(2)
        .batch_size(64)
        .shared_builds(SharedBuilds::default());
    let sessions = match little {
        true => sessions.memory_limit(64 << 20),
        false => sessions,
    };
    let runtime = sessions.build_runtime()?;
    Ok(sessions.runtime(runtime))
}

async fn task(plan: &str, stage: usize, index: usize) -> Result<()> {
    task_of(session()?, plan, None, stage, index).await
}

async fn task_of(
    session: Session,
    plan: &str,
    sha256: Option<&str>,
    stage: usize,
    index: usize,
) -> Result<()> {
    let request = TaskRequest {
        plan: plan.to_owned(),
        sha256: sha256.map(str::to_owned),
        stage,
        index,
        threads: 2,
        memory_limit: None,
    };
    run(&request, &session, &TaskState::default()).await?;
    Ok(())
}

/// Runs every fragment, some twice, some cut finer first, each by itself, or in a process that reads once what they have
/// in common, one after the other or several at once; then commits.
async fn run_all(session: &Session, job: &Job, rng: &mut StdRng) -> Result<()> {
    let process = sessions(rng.random_bool(0.3))?;
    let alone = rng.random_bool(0.3);
    let at_once = rng.random_range(1..=3);
    let sha256 = Some(job.record.plan_sha256.as_str());
    let url = job.folder.folder().object_url("plan.json");
    let runtime = session.context().runtime_env();
    for (stage, planned) in job.plan.stages.iter().enumerate() {
        let mut tasks = vec![];
        for (index, fragment) in planned.fragments.iter().enumerate() {
            if rng.random_bool(0.2)
                && planned.kind != StageKind::Final
                && let Some(finer) = cut_finer(&runtime, &job.plan, fragment).await?
            {
                let (plan, _) = follow_up(job, stage, &finer).await?;
                assert!(record_split(job, planned.kind, &fragment.id, finer.clone()).await?);
                for index in 0..finer.len() {
                    task(&plan, stage, index).await?;
                }
            }
            for _ in 0..rng.random_range(1..=2) {
                let session = match alone {
                    true => crate::session()?,
                    false => process.clone().build()?,
                };
                tasks.push(task_of(session, &url, sha256, stage, index));
            }
        }
        let mut tasks = futures::stream::iter(tasks).buffer_unordered(at_once);
        while let Some(done) = tasks.next().await {
            done?;
        }
        let manifests = job.folder.manifests().await?;
        assert!(
            settle(planned.kind, &planned.fragments, &manifests)
                .missing
                .is_empty()
        );
    }
    let output = job.output(runtime.object_store_registry.as_ref())?;
    let success = commit(&job.folder, &job.plan, &output).await?;
    // Done again, it changes nothing, but for what a task has left that was killed late.
    let late = match job.plan.sink.append {
        true => format!("{}-part-00000-0badcafe.parquet", job.plan.job),
        false => "part-00000-0badcafe.parquet".to_owned(),
    };
    output.put(&late, "PAR1").await?;
    assert_eq!(commit(&job.folder, &job.plan, &output).await?, success);
    assert!(output.get(&late).await?.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_the_answer() -> Result<()> {
    let (cases, seed) = cases();
    for case in 0..cases {
        let mut rng = StdRng::seed_from_u64(seed + case as u64);
        let dir = tempfile::tempdir()?;
        write_tables(dir.path(), &mut rng).await?;
        for (at, (statement, cuts)) in STATEMENTS.iter().enumerate() {
            let sql = fill(statement, dir.path());
            let expected = rows(&sql).await?;
            let columns = columns(&sql).await?;
            let counts = match cuts {
                // Every task plans the statement again: many of them take their time.
                true if rng.random_bool(0.2) => vec![1, rng.random_range(2..6), 37],
                true => vec![1, rng.random_range(2..6)],
                false => vec![1],
            };
            for fragments in counts {
                let name = format!("j{at}-{fragments}");
                let context = format!("seed {} {fragments} fragments: {sql}", seed + case as u64);
                let (session, job) = job(&sql, dir.path(), &name, fragments)
                    .await
                    .map_err(|e| format!("{context}: {e}"))?;
                run_all(&session, &job, &mut rng)
                    .await
                    .map_err(|e| format!("{context}: {e}"))?;
                let read = format!(
                    "SELECT {columns} FROM '{}'",
                    dir.path().join(&name).display()
                );
                let found = rows(&read).await;
                let found = found.map_err(|e| format!("{context}: {e}"))?;
                assert_same(&found, &expected, &context);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_cut_says_why() -> Result<()> {
    let dir = tempfile::tempdir()?;
    write_tables(dir.path(), &mut StdRng::seed_from_u64(1)).await?;
    let out = dir.path().join("out").display().to_string();
    for (statement, output, fragments, words) in [
        (
            "SELECT l.id FROM {l} l FULL JOIN (SELECT * FROM {r} WHERE random() < 2) r ON l.k = r.k",
            Some(&out),
            4,
            "FULL JOIN preserves both sides",
        ),
        ("SELECT * FROM {l}", Some(&out), 0, "0 fragments"),
        (
            "SELECT * FROM {l}",
            Some(&out),
            1_000_000,
            "more than a job can have",
        ),
        ("SELECT * FROM {l}", None, 2, "does not write"),
        ("EXPLAIN SELECT * FROM {l}", Some(&out), 2, "writes nothing"),
        ("SET geoflow.x = 1", Some(&out), 2, "does not write"),
        (
            "COPY (SELECT * FROM {l}) TO 'x/' STORED AS PARQUET",
            Some(&out),
            2,
            "leave out -o",
        ),
        (
            "COPY (SELECT * FROM {l}) TO 'x.csv' STORED AS CSV",
            None,
            2,
            "writes Parquet, not csv",
        ),
        ("SELECT 1 AS one", Some(&out), 2, "reads no table"),
        (
            "COPY (SELECT * FROM {l}) TO 'x/' STORED AS PARQUET PARTITIONED BY (nothing)",
            None,
            2,
            "nothing",
        ),
        (
            "COPY (SELECT * FROM {l}) TO 'x/' STORED AS PARQUET OPTIONS (encoding 'wkt')",
            None,
            2,
            "'wkt' is no encoding",
        ),
    ] {
        let request = JobRequest {
            job: "j".into(),
            setup: vec![],
            statement: fill(statement, dir.path()),
            output: output.cloned(),
            fragments: FragmentCount::Exactly(fragments),
        };
        let error = plan(&session()?, &request).await.err();
        let error = error.map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(words), "{statement}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn an_input_that_changed_is_refused() -> Result<()> {
    let dir = tempfile::tempdir()?;
    write_tables(dir.path(), &mut StdRng::seed_from_u64(1)).await?;
    let sql = fill("SELECT * FROM {l}", dir.path());
    let (_, job) = job(&sql, dir.path(), "j", 2).await?;
    write_tables(dir.path(), &mut StdRng::seed_from_u64(2)).await?;
    let url = job.folder.folder().object_url("plan.json");
    let error = task(&url, 0, 0).await.err().map(|e| e.to_string());
    assert!(
        error
            .as_ref()
            .is_some_and(|e| e.contains("has changed since the job was planned")),
        "{error:?}"
    );
    // And nothing of it is in the output but the name of its job.
    let left: Vec<_> = std::fs::read_dir(dir.path().join("j"))?.collect();
    assert_eq!(left.len(), 1, "{left:?}");
    Ok(())
}

/// Of two jobs with one output, one has it, also where the other lost its claim when its driver was killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_belongs_to_one_job() -> Result<()> {
    let dir = tempfile::tempdir()?;
    write_tables(dir.path(), &mut StdRng::seed_from_u64(1)).await?;
    let sql = fill("SELECT * FROM {l}", dir.path());
    let (session, first) = job(&sql, dir.path(), "j", 2).await?;
    let registry = &session.context().runtime_env().object_store_registry;
    first.claim(registry.as_ref()).await?;
    let error = job(&sql, dir.path(), "j", 2).await.err();
    let error = error.map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("belongs to the job j"), "{error}");

    std::fs::remove_file(dir.path().join("j/_JOB"))?;
    let request = JobRequest {
        job: "k".into(),
        setup: vec![],
        statement: sql.clone(),
        output: Some(dir.path().join("j").display().to_string()),
        fragments: FragmentCount::Exactly(2),
    };
    let planned = plan(&session, &request).await?;
    let root = Folder::open(
        registry.as_ref(),
        &dir.path().join("jobs").display().to_string(),
    )?;
    let second = submit(&session, planned, RunnerKind::Local, &root).await?;
    let error = first.claim(registry.as_ref()).await.err();
    let error = error.map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("belongs to the job k"), "{error}");

    run_all(&session, &second, &mut StdRng::seed_from_u64(2)).await?;
    second.claim(registry.as_ref()).await?;
    let error = first.claim(registry.as_ref()).await.err();
    let error = error.map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("is that of the job k"), "{error}");
    assert!(!dir.path().join("j/_JOB").exists());
    Ok(())
}

/// Every file below a folder, by its name there.
fn files_below(dir: &Path) -> Result<Vec<String>> {
    let mut files = vec![];
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => open.push(entry.path()),
                false => files.push(entry.path().strip_prefix(dir)?.display().to_string()),
            }
        }
    }
    files.sort();
    Ok(files)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_folders() -> Result<()> {
    let (_, seed) = cases();
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir()?;
    write_tables(dir.path(), &mut rng).await?;
    // Values that a name of a folder cannot hold as they are.
    let query = "SELECT l.id, l.geometry, r.id AS r, CASE l.k WHEN 0 THEN 'a/b=c %' WHEN 1 THEN 'Ä' WHEN 3 THEN NULL ELSE 'k' || l.k END AS kind \
                 FROM {l} l LEFT JOIN {r} r ON ST_Within(l.geometry, r.geometry)";
    let expected = rows(&fill(
        &format!("SELECT id, r, kind FROM ({query})"),
        dir.path(),
    ))
    .await?;
    for (fragments, options) in [
        (1, "PARTITIONED BY (kind)"),
        (4, "PARTITIONED BY (kind)"),
        (37, "PARTITIONED BY (kind) OPTIONS (sort_by 'hilbert')"),
    ] {
        let name = format!("p{fragments}");
        let out = dir.path().join(&name);
        let sql = format!(
            "COPY ({}) TO '{}/' STORED AS PARQUET {options}",
            fill(query, dir.path()),
            out.display()
        );
        let (session, job) = job(&sql, dir.path(), &name, fragments).await?;
        // What an attempt has left behind that was killed.
        let stray = out.join("kind=k2/part-00000-dead-00000.parquet");
        std::fs::create_dir_all(stray.parent().ok_or("no folder")?)?;
        std::fs::write(&stray, "PAR1")?;
        std::fs::write(out.join("kind=k2/part-00000-dead-00001.parquet#1"), "PAR1")?;
        run_all(&session, &job, &mut rng).await?;
        let found = rows(&format!("SELECT id, r, kind FROM '{}'", out.display())).await?;
        assert_same(&found, &expected, options);
        let success = std::fs::read_to_string(out.join("_SUCCESS"))?;
        let success: serde_json::Value = serde_json::from_str(&success)?;
        let parts = success["parts"].as_array().ok_or("no parts")?;
        let mut counted: Vec<&str> = parts.iter().filter_map(|p| p["file"].as_str()).collect();
        counted.push("_SUCCESS");
        counted.sort_unstable();
        assert_eq!(files_below(&out)?, counted);
        assert_eq!(success["rows"], expected.len());
        assert!(
            counted
                .iter()
                .any(|name| name.starts_with("kind=a%2Fb%3Dc%20%25/part-0000"))
        );
        assert!(
            parts
                .iter()
                .all(|part| part["bounds"].is_array() || part["rows"] == 0 || fragments > 1)
        );
    }
    Ok(())
}

/// What has no value in the name of a folder is NULL, be it a number or a text, to queries and to jobs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_may_stand_for_null() -> Result<()> {
    let dir = tempfile::tempdir()?;
    write_tables(dir.path(), &mut StdRng::seed_from_u64(3)).await?;
    let table = dir.path().join("table");
    let query = fill(
        "SELECT id, CASE WHEN k < 3 THEN k END AS number, CASE k WHEN 1 THEN 'one' WHEN 4 THEN 'four' END AS word FROM {l}",
        dir.path(),
    );
    let copy = format!(
        "COPY ({query}) TO '{}/' STORED AS PARQUET PARTITIONED BY (number, word)",
        table.display()
    );
    session()?.sql(&copy).await?.collect().await?;
    for (at, condition) in [
        "true",
        "word IS NULL",
        "number > 0",
        "number IS NULL AND word = 'four'",
    ]
    .iter()
    .enumerate()
    {
        let expected = rows(&format!("SELECT * FROM ({query}) WHERE {condition}")).await?;
        assert!(!expected.is_empty(), "{condition}");
        let read = |table: &Path| {
            let table = table.display();
            format!("SELECT id, number, word FROM '{table}' WHERE {condition}")
        };
        assert_same(&rows(&read(&table)).await?, &expected, condition);
        let name = format!("n{at}");
        let (session, job) = job(&read(&table), dir.path(), &name, 3).await?;
        run_all(&session, &job, &mut StdRng::seed_from_u64(4)).await?;
        let written = dir.path().join(&name);
        assert_same(&rows(&read(&written)).await?, &expected, condition);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_partitions_grows() -> Result<()> {
    let (_, seed) = cases();
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir()?;
    write_tables(dir.path(), &mut rng).await?;
    let table = dir.path().join("table");
    let copy = format!(
        "COPY (SELECT id, k FROM {{l}}) TO '{}/' STORED AS PARQUET PARTITIONED BY (k)",
        table.display()
    );
    session()?
        .sql(&fill(&copy, dir.path()))
        .await?
        .collect()
        .await?;
    let sql = format!(
        "CREATE EXTERNAL TABLE t STORED AS PARQUET PARTITIONED BY (k) LOCATION '{}/'; \
         INSERT INTO t SELECT id + 1000, k FROM {{l}}",
        table.display()
    );
    let (session, job) = job(&fill(&sql, dir.path()), dir.path(), "i", 3).await?;
    run_all(&session, &job, &mut rng).await?;
    let expected = fill(
        "SELECT id, k FROM {l} UNION ALL SELECT id + 1000, k FROM {l}",
        dir.path(),
    );
    let found = rows(&format!("SELECT id, k FROM '{}'", table.display())).await?;
    assert_same(&found, &rows(&expected).await?, &sql);
    let files = files_below(&table)?;
    assert!(
        files.iter().any(|name| name.starts_with("k=2/i-part-0000")),
        "{files:?}"
    );
    Ok(())
}

/// Parts that a filter excludes are not opened, so that it does not matter what has become of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_parts_prunes() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let line = dir.path().join("line.parquet");
    let sql = format!(
        "COPY (SELECT value AS id, ST_Point(CAST(value AS DOUBLE) / 100, 0) AS geometry FROM generate_series(0, 3599)) \
         TO '{}' OPTIONS ('format.max_row_group_size' '50')",
        line.display()
    );
    session()?.sql(&sql).await?.collect().await?;
    let sql = format!("SELECT * FROM '{}'", line.display());
    let (session, job) = job(&sql, dir.path(), "o", 36).await?;
    run_all(&session, &job, &mut StdRng::seed_from_u64(1)).await?;
    let out = dir.path().join("o");
    let success = std::fs::read_to_string(out.join("_SUCCESS"))?;
    let success: serde_json::Value = serde_json::from_str(&success)?;
    assert_eq!(success["geometry"], "geometry");
    let parts = success["parts"].as_array().ok_or("no parts")?;
    assert!(parts.len() > 32, "{}", parts.len());
    // The first is opened for the columns of all.
    let mut spoiled = 0;
    for part in &parts[1..] {
        if part["bounds"][0].as_f64().ok_or("no bounds")? > 5.0 {
            let file = out.join(part["file"].as_str().ok_or("no file")?);
            let size = usize::try_from(part["bytes"].as_u64().ok_or("no size")?)?;
            std::fs::write(file, vec![0; size])?;
            spoiled += 1;
        }
    }
    assert!(spoiled > 20, "{spoiled}");
    let table = format!("'{}/'", out.display());
    let near = "ST_Intersects(geometry, ST_GeomFromText('POLYGON((1 -1, 2 -1, 2 1, 1 1, 1 -1))'))";
    let found = rows(&format!("SELECT id FROM {table} WHERE {near}")).await?;
    assert_eq!(found.len(), 101);
    let found = rows(&format!("SELECT count(*) FROM {table}")).await?;
    assert_eq!(found, ["3600"]);
    // Without the index they are missed.
    std::fs::remove_file(out.join("_SUCCESS"))?;
    assert!(
        rows(&format!("SELECT count(*) FROM {table}"))
            .await
            .is_err()
    );
    Ok(())
}
