//! Random sides of a join, and what a nested loop over the plain definitions makes of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::common::{JoinSide, JoinType};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExprRef;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use geo_types::Geometry;
use geoflow_engine::geometry::{GeometryArray, GeometryType};
use geoflow_engine::join::{JoinDistance, JoinPredicate, SpatialOn};
use geoflow_engine::predicate::SpatialPredicate;
use rand::Rng;
use rand::rngs::StdRng;

use crate::nasty::{self, Nasty};

pub(crate) const JOIN_TYPES: [JoinType; 10] = [
    JoinType::Inner,
    JoinType::Left,
    JoinType::Right,
    JoinType::Full,
    JoinType::LeftSemi,
    JoinType::RightSemi,
    JoinType::LeftAnti,
    JoinType::RightAnti,
    JoinType::LeftMark,
    JoinType::RightMark,
];

/// One output row: the number of the left and of the right row, and the mark.
pub(crate) type Row = (Option<i32>, Option<i32>, Option<bool>);

/// A row, but for its number, which is its place.
pub(crate) struct Record {
    pub(crate) class: i32,
    pub(crate) reach: Option<f64>,
    pub(crate) geometries: [Option<Geometry<f64>>; 2],
}

/// One side: its rows, cut into partitions and batches.
pub(crate) struct Side {
    pub(crate) schema: SchemaRef,
    pub(crate) rows: Vec<Record>,
    pub(crate) partitions: Vec<Vec<RecordBatch>>,
    pub(crate) text: String,
}

impl Side {
    /// `label` begins the name of its first column; there are up to `most_batches` in a partition.
    pub(crate) fn random(
        rng: &mut StdRng,
        nasty: &Nasty,
        label: &str,
        most_batches: usize,
    ) -> Self {
        let schema = Arc::new(Schema::new(vec![
            Field::new(format!("{label}_id"), DataType::Int32, false),
            Field::new("class", DataType::Int32, false),
            Field::new("reach", DataType::Float64, true),
            GeometryType::wkb(None).to_field("geometry", true),
            GeometryType::wkb(None).to_field("other", true),
        ]));
        let mut side = Self {
            schema: Arc::clone(&schema),
            rows: vec![],
            partitions: vec![],
            text: String::new(),
        };
        for _ in 0..rng.random_range(1..=3) {
            let mut batches = vec![];
            for _ in 0..rng.random_range(0..=most_batches) {
                let n = rng.random_range(0..=8);
                batches.push(side.batch(rng, nasty, n));
            }
            side.partitions.push(batches);
        }
        side
    }

    fn batch(&mut self, rng: &mut StdRng, nasty: &Nasty, n: usize) -> RecordBatch {
        let first = self.rows.len() as i32;
        let ids = Int32Array::from_iter_values(first..first + n as i32);
        let classes = Int32Array::from_iter_values((0..n).map(|_| rng.random_range(0..3)));
        let reaches: Float64Array = (0..n)
            .map(|_| match rng.random_range(0..8) {
                0 => None,
                1 => Some(-1.0),
                r => Some(f64::from(r) * 0.5),
            })
            .collect();
        let mut geometries = |n: usize| {
            let values: Vec<Option<Vec<u8>>> = (0..n).map(|_| nasty.wkb(rng)).collect();
            let array: ArrayRef =
                Arc::new(BinaryArray::from_iter(values.iter().map(Option::as_deref)));
            let view = GeometryArray::try_new(&array, &GeometryType::wkb(None)).unwrap();
            (values, array, view)
        };
        let (values, geometry, view) = geometries(n);
        let (others, other, other_view) = geometries(n);
        for i in 0..n {
            self.rows.push(Record {
                class: classes.value(i),
                reach: (!reaches.is_null(i)).then(|| reaches.value(i)),
                geometries: [view.geometry(i).unwrap(), other_view.geometry(i).unwrap()],
            });
            self.text += &format!(
                "{}\t{}\t{}\n",
                first + i as i32,
                nasty::to_text(values[i].as_deref()),
                nasty::to_text(others[i].as_deref())
            );
        }
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                Arc::new(ids),
                Arc::new(classes),
                Arc::new(reaches),
                geometry,
                other,
            ],
        )
        .unwrap()
    }

    pub(crate) fn plan(&self) -> Arc<dyn ExecutionPlan> {
        MemorySourceConfig::try_new_exec(&self.partitions, Arc::clone(&self.schema), None).unwrap()
    }
}

pub(crate) fn column(name: &str, index: usize) -> PhysicalExprRef {
    Arc::new(Column::new(name, index))
}

/// The first or the second geometry of a side.
pub(crate) fn geometry(which: usize) -> PhysicalExprRef {
    match which {
        0 => column("geometry", 3),
        _ => column("other", 4),
    }
}

/// `l.class <= r.class`
pub(crate) fn class_filter() -> JoinFilter {
    let at = |side| ColumnIndex { index: 1, side };
    JoinFilter::new(
        Arc::new(BinaryExpr::new(
            column("class", 0),
            Operator::LtEq,
            column("class", 1),
        )),
        vec![at(JoinSide::Left), at(JoinSide::Right)],
        Arc::new(Schema::new(vec![
            Field::new("class", DataType::Int32, false),
            Field::new("class", DataType::Int32, false),
        ])),
    )
}

pub(crate) fn expected(
    left: &Side,
    right: &Side,
    join_type: JoinType,
    holds: impl Fn(usize, usize) -> bool,
) -> Vec<Row> {
    let (n, m) = (left.rows.len(), right.rows.len());
    let mut pairs = vec![];
    let (mut left_hit, mut right_hit) = (vec![false; n], vec![false; m]);
    for (i, left_hit) in left_hit.iter_mut().enumerate() {
        for (j, right_hit) in right_hit.iter_mut().enumerate() {
            if holds(i, j) {
                pairs.push((Some(i as i32), Some(j as i32), None));
                (*left_hit, *right_hit) = (true, true);
            }
        }
    }
    let lefts = |want: bool| {
        let hit = left_hit.clone();
        (0..n)
            .filter(move |&i| hit[i] == want)
            .map(|i| (Some(i as i32), None, None))
    };
    let rights = |want: bool| {
        let hit = right_hit.clone();
        (0..m)
            .filter(move |&j| hit[j] == want)
            .map(|j| (None, Some(j as i32), None))
    };
    let mut rows: Vec<Row> = match join_type {
        JoinType::Inner => pairs,
        JoinType::Left => pairs.into_iter().chain(lefts(false)).collect(),
        JoinType::Right => pairs.into_iter().chain(rights(false)).collect(),
        JoinType::Full => pairs
            .into_iter()
            .chain(lefts(false))
            .chain(rights(false))
            .collect(),
        JoinType::LeftSemi => lefts(true).collect(),
        JoinType::LeftAnti => lefts(false).collect(),
        JoinType::RightSemi => rights(true).collect(),
        JoinType::RightAnti => rights(false).collect(),
        JoinType::LeftMark => (0..n)
            .map(|i| (Some(i as i32), None, Some(left_hit[i])))
            .collect(),
        JoinType::RightMark => (0..m)
            .map(|j| (None, Some(j as i32), Some(right_hit[j])))
            .collect(),
    };
    rows.sort_unstable();
    rows
}

pub(crate) fn rows_of(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = vec![];
    for batch in batches {
        let ids = |name: &str| {
            batch
                .column_by_name(name)
                .map(|c| c.as_primitive::<Int32Type>())
        };
        let (left, right) = (ids("l_id"), ids("r_id"));
        let mark = batch.column_by_name("mark").map(|c| c.as_boolean());
        for i in 0..batch.num_rows() {
            let id = |c: Option<&Int32Array>| c.filter(|c| c.is_valid(i)).map(|c| c.value(i));
            rows.push((id(left), id(right), mark.map(|m| m.value(i))));
        }
    }
    rows.sort_unstable();
    rows
}

fn distances(rng: &mut StdRng) -> JoinDistance {
    match rng.random_range(0..4) {
        0 => JoinDistance::Constant(Some(f64::from(rng.random_range(0..4)) * 0.5)),
        1 => JoinDistance::Constant(None),
        2 => JoinDistance::Column(JoinSide::Left, column("reach", 2)),
        _ => JoinDistance::Column(JoinSide::Right, column("reach", 2)),
    }
}

/// One condition of a join, and which geometry of either side it is about.
#[derive(Clone)]
pub(crate) struct Condition {
    predicate: SpatialPredicate,
    distance: Option<JoinDistance>,
    left: usize,
    right: usize,
}

impl Condition {
    fn random(rng: &mut StdRng, predicate: SpatialPredicate, left: usize, right: usize) -> Self {
        let distance = (predicate == SpatialPredicate::DWithin).then(|| distances(rng));
        Self {
            predicate,
            distance,
            left,
            right,
        }
    }

    pub(crate) fn on(&self) -> SpatialOn {
        let predicate = match &self.distance {
            Some(distance) => JoinPredicate::DWithin(distance.clone()),
            None => JoinPredicate::Relation(self.predicate),
        };
        SpatialOn::new(predicate, geometry(self.left), geometry(self.right))
    }

    pub(crate) fn holds(&self, left: &Record, right: &Record) -> bool {
        let distance = match &self.distance {
            Some(JoinDistance::Constant(distance)) => *distance,
            Some(JoinDistance::Column(JoinSide::Left, _)) => left.reach,
            Some(JoinDistance::Column(..)) => right.reach,
            None => None,
        };
        let distance = distance.unwrap_or(f64::NAN);
        match (&left.geometries[self.left], &right.geometries[self.right]) {
            (Some(a), Some(b)) => self.predicate.evaluate(a, b, distance),
            _ => false,
        }
    }
}

/// The conditions of the joins of one data set: each predicate by itself, and some together.
pub(crate) fn conditions(rng: &mut StdRng) -> Vec<Vec<Condition>> {
    let mut all: Vec<Vec<Condition>> = vec![];
    for predicate in SpatialPredicate::ALL {
        all.push(vec![Condition::random(rng, predicate, 0, 0)]);
    }
    for _ in 0..4 {
        let n = rng.random_range(2..=3);
        let any = (0..n).map(|_| {
            let predicate = SpatialPredicate::ALL[rng.random_range(0..10)];
            let (left, right) = (rng.random_range(0..2), rng.random_range(0..2));
            Condition::random(rng, predicate, left, right)
        });
        all.push(any.collect());
    }
    all
}

/// The seeds of a run: `GEOFLOW_SEED` alone, or as many as `GEOFLOW_CASES` says, from a random one.
pub(crate) fn seeds(cases: u64) -> std::ops::Range<u64> {
    let from_env = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let cases = from_env("GEOFLOW_CASES").unwrap_or(cases);
    let seeds = match from_env("GEOFLOW_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = u64::from(rand::random::<u32>());
            first..first + cases
        }
    };
    println!("seeds {seeds:?}");
    seeds
}
