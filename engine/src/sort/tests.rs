//! Random rows, sorted here and by Arrow.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryViewArray, BooleanArray, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take};
use arrow::datatypes::Int64Type;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::{LexOrdering, PhysicalExprRef, PhysicalSortExpr};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use super::ParallelSortExec;

/// Columns to sort by, and a number for each row behind them.
fn random_batch(rng: &mut StdRng, rows: usize, next: &mut i64) -> RecordBatch {
    let mut some = |n: u64| (!rng.random_bool(0.1)).then(|| rng.next_u64() % n);
    let floats: Float64Array = (0..rows)
        .map(|_| {
            some(40).map(|v| match v {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::NEG_INFINITY,
                3 => -0.0,
                // Alike in their first seven bytes.
                4..8 => f64::from_bits(1.5_f64.to_bits() + v),
                _ => (v as f64 - 20.0) * 0.37,
            })
        })
        .collect();
    let integers: Int64Array = (0..rows).map(|_| some(3).map(|v| v as i64 - 1)).collect();
    let texts: StringArray = (0..rows)
        .map(|_| some(30).map(|v| format!("{}{v}", ["", "the same beginning "][v as usize % 2])))
        .collect();
    let flags: BooleanArray = (0..rows).map(|_| some(2).map(|v| v == 0)).collect();
    let decimals: Decimal128Array = (0..rows)
        .map(|_| some(9).map(|v| (i128::from(v) - 4) << 70))
        .collect();
    let bytes: BinaryViewArray = (0..rows)
        .map(|_| some(5).map(|v| vec![v as u8; v as usize * 7]))
        .collect();
    let ids: Int64Array = (*next..).take(rows).collect::<Vec<_>>().into();
    *next += rows as i64;
    RecordBatch::try_from_iter_with_nullable([
        ("f", Arc::new(floats) as ArrayRef, true),
        ("i", Arc::new(integers) as ArrayRef, true),
        ("t", Arc::new(texts) as ArrayRef, true),
        ("b", Arc::new(flags) as ArrayRef, true),
        ("d", Arc::new(decimals) as ArrayRef, true),
        ("v", Arc::new(bytes) as ArrayRef, true),
        ("id", Arc::new(ids) as ArrayRef, false),
    ])
    .unwrap()
}

fn random_partitions(rng: &mut StdRng, batches: usize, rows: usize) -> Vec<Vec<RecordBatch>> {
    let mut next = 0;
    let partitions = rng.random_range(1..4);
    (0..partitions)
        .map(|_| {
            (0..rng.random_range(0..=batches))
                .map(|_| {
                    let rows = rng.random_range(0..=rows);
                    random_batch(rng, rows, &mut next)
                })
                .collect()
        })
        .collect()
}

/// Sorts by `by`, columns of the batch, as arrow does; equal rows in the order of partitions and rows.
fn expected(rows: &RecordBatch, by: &[(usize, SortOptions)]) -> Vec<i64> {
    let last = rows.num_columns() - 1;
    let columns: Vec<SortColumn> = by
        .iter()
        .copied()
        .chain([(last, SortOptions::default())])
        .map(|(column, options)| SortColumn {
            values: Arc::clone(rows.column(column)),
            options: Some(options),
        })
        .collect();
    let order = lexsort_to_indices(&columns, None).unwrap();
    ids(&take(rows.column(last), &order, None).unwrap())
}

fn ids(array: &ArrayRef) -> Vec<i64> {
    array.as_primitive::<Int64Type>().values().to_vec()
}

async fn check(
    partitions: Vec<Vec<RecordBatch>>,
    by: &[(usize, SortOptions)],
    task: Arc<TaskContext>,
) -> bool {
    let mut none = 0;
    let schema = random_batch(&mut StdRng::seed_from_u64(0), 0, &mut none).schema();
    let input = MemorySourceConfig::try_new_exec(&partitions, Arc::clone(&schema), None).unwrap();
    // Some keys are columns, some are computed.
    let keys = by.iter().enumerate().map(|(i, (column, options))| {
        let field = schema.field(*column);
        let value: PhysicalExprRef = Arc::new(Column::new(field.name(), *column));
        let computed = Arc::new(CastExpr::new(
            Arc::clone(&value),
            field.data_type().clone(),
            None,
        ));
        PhysicalSortExpr {
            expr: if (i + by.len()).is_multiple_of(2) {
                value
            } else {
                computed
            },
            options: *options,
        }
    });
    let sort = ParallelSortExec::try_new(input, LexOrdering::new(keys).unwrap()).unwrap();
    let sort = Arc::new(sort);
    let sorted = collect(Arc::clone(&sort) as Arc<dyn ExecutionPlan>, task)
        .await
        .unwrap();
    let sorted = concat_batches(&schema, &sorted).unwrap();
    let all = concat_batches(&schema, partitions.iter().flatten()).unwrap();
    let spilled = sort.metrics().unwrap().spill_count().is_some_and(|n| n > 0);
    let got = ids(sorted.column(sorted.num_columns() - 1));
    let want = expected(&all, by);
    if spilled {
        // DataFusion leaves the order of equal rows open: what they are sorted by must be the same.
        let rows = |ids: &[i64]| {
            let indices = Int64Array::from(ids.to_vec());
            by.iter()
                .map(|(column, _)| take(all.column(*column), &indices, None).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(rows(&got), rows(&want), "{by:?}");
    } else {
        assert_eq!(got, want, "{by:?}");
    }
    // Rows are whole.
    let back = take(
        &Int64Array::from_iter_values(0..all.num_rows() as i64),
        &Int64Array::from(got),
        None,
    )
    .unwrap();
    for column in 0..all.num_columns() {
        let expected = take(all.column(column), back.as_primitive::<Int64Type>(), None).unwrap();
        assert_eq!(expected.as_ref(), sorted.column(column).as_ref());
    }
    spilled
}

fn random_order(rng: &mut StdRng) -> Vec<(usize, SortOptions)> {
    (0..rng.random_range(1..4))
        .map(|_| {
            let options = SortOptions::new(rng.random(), rng.random());
            (rng.random_range(0..6), options)
        })
        .collect()
}

fn session(config: SessionConfig, memory: Option<usize>) -> Arc<TaskContext> {
    let mut runtime = RuntimeEnvBuilder::new();
    if let Some(bytes) = memory {
        runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
    }
    SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap()).task_ctx()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sorts_as_arrow_does() {
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let partitions = random_partitions(&mut rng, 4, 60);
        let config = SessionConfig::new()
            .with_target_partitions(rng.random_range(1..4))
            .with_batch_size(rng.random_range(1..50));
        let by = random_order(&mut rng);
        assert!(!check(partitions, &by, session(config, None)).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sorts_what_memory_does_not_hold() {
    let mut spills = 0;
    for seed in 0..8 {
        let mut rng = StdRng::seed_from_u64(seed);
        let partitions = random_partitions(&mut rng, 200, 1200);
        let config = SessionConfig::new()
            .with_target_partitions(2)
            .with_batch_size(200)
            .with_sort_spill_reservation_bytes(1 << 20);
        let by = random_order(&mut rng);
        spills += u32::from(check(partitions, &by, session(config, Some(16 << 20))).await);
    }
    assert!(spills > 2, "{spills} of 8 have spilled");
}

/// Of 64 ranges each is more than memory holds, or just fits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ranges_that_are_too_large_are_cut_again() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut next = 0;
    let partitions = (0..2).map(|_| {
        (0..50)
            .map(|_| random_batch(&mut rng, 1200, &mut next))
            .collect()
    });
    let partitions = partitions.collect();
    let config = SessionConfig::new().with_target_partitions(2);
    let by = [(6, SortOptions::new(true, false))];
    assert!(check(partitions, &by, session(config, Some(200 << 10))).await);
}
