//! Joins on `ST_Relate(a, b, pattern)`, with random geometries and random patterns, against the matrix of every pair
//! (`GEOFLOW_CASES`, `GEOFLOW_SEED`).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::datasource::MemTable;
use geoflow_engine::geometry::GeometryType;
use geoflow_sql::{Session, SessionBuilder};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[path = "../../engine/tests/nasty/mod.rs"]
#[expect(dead_code, reason = "the tests of the engine use more of it")]
mod nasty;

use nasty::Nasty;

fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// A table of `n` rows in two partitions, `id` and `g`.
fn register(session: &Session, name: &str, rng: &mut StdRng, n: usize) {
    let nasty = Nasty::random(rng);
    let values: Vec<Option<Vec<u8>>> = (0..n).map(|_| nasty.wkb(rng)).collect();
    let values = BinaryViewArray::from_iter(values.iter().map(Option::as_deref));
    let field = Field::new("g", DataType::BinaryView, true);
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        GeometryType::wkb(None).apply_to(field),
    ]));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..n as i64));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![ids, Arc::new(values)]).unwrap();
    let half = n / 2;
    let partitions = vec![
        vec![batch.slice(0, half)],
        vec![batch.slice(half, n - half)],
    ];
    let table = MemTable::try_new(schema, partitions).unwrap();
    session
        .context()
        .register_table(name, Arc::new(table))
        .unwrap();
}

async fn collect(session: &Session, sql: &str) -> Vec<RecordBatch> {
    session.sql(sql).await.unwrap().collect().await.unwrap()
}

type Pairs = BTreeSet<(Option<i64>, Option<i64>)>;

fn pairs(batches: &[RecordBatch]) -> Pairs {
    let mut all = BTreeSet::new();
    for batch in batches {
        let id = |column: usize, row: usize| {
            let ids = batch.column(column).as_primitive_opt::<Int64Type>();
            ids.filter(|ids| ids.is_valid(row))
                .map(|ids| ids.value(row))
        };
        for row in 0..batch.num_rows() {
            let pair = (id(0, row), id(1, row));
            assert!(all.insert(pair), "{pair:?} twice");
        }
    }
    all
}

fn fits(matrix: &str, pattern: &str) -> bool {
    let cells = matrix.chars().zip(pattern.chars());
    cells.into_iter().all(|(cell, wanted)| match wanted {
        '*' => true,
        'T' => cell != 'F',
        other => cell == other,
    })
}

#[tokio::test]
async fn patterns_join_what_has_their_matrix() {
    let mut rng = StdRng::seed_from_u64(number("GEOFLOW_SEED", 11));
    let mut spatial = 0;
    let mut found = 0;
    for case in 0..number("GEOFLOW_CASES", 25) {
        let session = SessionBuilder::new().threads(2).build().unwrap();
        let sizes = [rng.random_range(1..40), rng.random_range(1..40)];
        register(&session, "a", &mut rng, sizes[0]);
        register(&session, "b", &mut rng, sizes[1]);
        let every = "SELECT a.id, b.id, ST_Relate(a.g, b.g) FROM a CROSS JOIN b";
        let mut matrices = vec![];
        for batch in collect(&session, every).await {
            let text = cast(batch.column(2), &DataType::Utf8).unwrap();
            let text = text.as_string::<i32>();
            let id = |c: usize, row| batch.column(c).as_primitive::<Int64Type>().value(row);
            let rows = (0..batch.num_rows()).filter(|row| text.is_valid(*row));
            matrices.extend(rows.map(|row| (id(0, row), id(1, row), text.value(row).to_owned())));
        }
        let pattern: String = (0..9)
            .map(|_| match rng.random_range(0..12) {
                0 => 'T',
                1 | 2 => 'F',
                3 => ['0', '1', '2'][rng.random_range(0..3)],
                _ => '*',
            })
            .collect();
        let hits = matrices
            .iter()
            .filter(|(.., matrix)| fits(matrix, &pattern));
        let inner: Pairs = hits.map(|(a, b, _)| (Some(*a), Some(*b))).collect();
        found += inner.len();
        let of_a: HashSet<_> = inner.iter().map(|pair| pair.0).collect();
        let of_b: HashSet<_> = inner.iter().map(|pair| pair.1).collect();
        let lonely_a = (0..sizes[0] as i64)
            .map(Some)
            .filter(|id| !of_a.contains(id));
        let lonely_a: Pairs = lonely_a.map(|id| (id, None)).collect();
        let lonely_b = (0..sizes[1] as i64)
            .map(Some)
            .filter(|id| !of_b.contains(id));
        let lonely_b: Pairs = lonely_b.map(|id| (None, id)).collect();
        let both = |more: &[&Pairs]| -> Pairs {
            let more = more.iter().flat_map(|pairs| pairs.iter().copied());
            inner.iter().copied().chain(more).collect()
        };
        let on = format!("ST_Relate(a.g, b.g, '{pattern}')");
        let turned = format!("ST_Relate(b.g, a.g, '{}')", transposed(&pattern));
        for on in [&on, &turned] {
            for (sql, expected) in [
                (
                    format!("SELECT a.id, b.id FROM a JOIN b ON {on}"),
                    inner.clone(),
                ),
                (
                    format!("SELECT a.id, b.id FROM a LEFT JOIN b ON {on}"),
                    both(&[&lonely_a]),
                ),
                (
                    format!("SELECT a.id, b.id FROM a RIGHT JOIN b ON {on}"),
                    both(&[&lonely_b]),
                ),
                (
                    format!("SELECT a.id, b.id FROM a FULL JOIN b ON {on}"),
                    both(&[&lonely_a, &lonely_b]),
                ),
                (
                    format!(
                        "SELECT a.id, NULL FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE {on})"
                    ),
                    lonely_a.clone(),
                ),
                (
                    format!("SELECT a.id, NULL FROM a WHERE EXISTS (SELECT 1 FROM b WHERE {on})"),
                    of_a.iter().map(|id| (*id, None)).collect(),
                ),
            ] {
                assert_eq!(
                    pairs(&collect(&session, &sql).await),
                    expected,
                    "case {case}: {sql}"
                );
            }
        }
        let plan = collect(
            &session,
            &format!("EXPLAIN SELECT a.id FROM a JOIN b ON {on}"),
        )
        .await;
        let plan = arrow::util::pretty::pretty_format_batches(&plan)
            .unwrap()
            .to_string();
        spatial += usize::from(plan.contains("SpatialJoinExec"));
    }
    assert!(spatial > 0 && found > 0, "{spatial} {found}");
}

/// The pattern for the same pairs the other way round.
fn transposed(pattern: &str) -> String {
    let cells: Vec<char> = pattern.chars().collect();
    [0, 3, 6, 1, 4, 7, 2, 5, 8]
        .map(|at| cells[at])
        .iter()
        .collect()
}
