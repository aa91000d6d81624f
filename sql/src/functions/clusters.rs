//! Clusters, over the rows of a window.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Float64Type, Int64Type};
use datafusion::common::{exec_err, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::PartitionEvaluator;
use datafusion::logical_expr::function::PartitionEvaluatorArgs;
use geo::{Centroid, Geometry};
use geoflow_engine::processing::{dbscan, kmeans};

use super::args::GeometryArg;
use super::definition::{Evaluate, Function, GEOM, Kind, Returns, parameter};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "ST_ClusterDBSCAN",
        aliases: &[],
        signatures: &[&[
            GEOM,
            parameter("eps", Kind::Number),
            parameter("minpoints", Kind::Integer),
        ]],
        returns: Returns::Integer,
        about: "The number of the cluster of a row, counted from 0, by the method DBSCAN: rows with at least `minpoints` rows within a distance of `eps`, themselves among them, and all near these. NULL in no cluster. Takes OVER (), with PARTITION BY for clusters of parts.",
        empty: "EMPTY is in no cluster.",
        examples: &[(
            "ST_ClusterDBSCAN(ST_Point(x, 0), 1, 2) OVER () AS c FROM (VALUES (0), (1), (9)) AS t(x) ORDER BY x",
            "0\n0\nNULL",
        )],
        evaluate: Evaluate::Window(|args| Ok(Box::new(Clusters::new(&args, Method::Dbscan)?))),
    },
    Function {
        name: "ST_ClusterKMeans",
        aliases: &[],
        signatures: &[&[GEOM, parameter("k", Kind::Integer)]],
        returns: Returns::Integer,
        about: "The number of the cluster of a row, counted from 0, of `k` clusters around the means of their centroids. Takes OVER (), with PARTITION BY for clusters of parts. The same rows in the same order give the same clusters.",
        empty: "EMPTY is in no cluster.",
        examples: &[(
            "ST_ClusterKMeans(ST_Point(x, 0), 2) OVER (ORDER BY x) AS c FROM (VALUES (0), (1), (9)) AS t(x) ORDER BY x",
            "0\n0\n1",
        )],
        evaluate: Evaluate::Window(|args| Ok(Box::new(Clusters::new(&args, Method::KMeans)?))),
    },
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    Dbscan,
    KMeans,
}

#[derive(Debug)]
struct Clusters {
    method: Method,
    field: FieldRef,
}

impl Clusters {
    fn new(args: &PartitionEvaluatorArgs<'_>, method: Method) -> Result<Self> {
        match args.input_fields().first() {
            Some(field) => Ok(Self {
                method,
                field: field.clone(),
            }),
            None => internal_err!("clusters of no argument"),
        }
    }
}

/// The one value of an argument that is the same in all rows.
fn same<T: PartialEq + Copy>(
    values: impl Iterator<Item = Option<T>>,
    name: &str,
) -> Result<Option<T>> {
    let mut known = None;
    for value in values {
        match (known, value) {
            (_, None) => return exec_err!("{name} is NULL"),
            (None, value) => known = value,
            (Some(first), Some(value)) if first != value => {
                return exec_err!("{name} must be the same in all rows");
            }
            _ => {}
        }
    }
    Ok(known)
}

impl PartitionEvaluator for Clusters {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let Some((geometries, rest)) = values.split_first() else {
            return internal_err!("clusters of no argument");
        };
        let arg = GeometryArg::try_new(geometries, &self.field, false)?;
        let mut all: Vec<Option<Geometry<f64>>> = Vec::with_capacity(num_rows);
        for row in 0..num_rows {
            all.push(match arg.array().is_null(row) {
                true => None,
                false => Some(arg.geometry(row)?.into_owned()),
            });
        }
        let whole = |i: usize, name: &str| -> Result<Option<i64>> {
            match rest.get(i) {
                Some(values) => {
                    let values = cast(values, &DataType::Int64)?;
                    same(values.as_primitive::<Int64Type>().iter(), name)
                }
                None => internal_err!("{name} is missing"),
            }
        };
        let clusters = match self.method {
            Method::Dbscan => {
                let reach = match rest.first() {
                    Some(values) => {
                        let values = cast(values, &DataType::Float64)?;
                        same(values.as_primitive::<Float64Type>().iter(), "eps")?
                    }
                    None => None,
                };
                let (Some(reach), Some(least)) = (reach, whole(1, "minpoints")?) else {
                    return Ok(Arc::new(Int32Array::new_null(num_rows)));
                };
                if !(reach >= 0.0 && reach.is_finite()) || least < 1 {
                    return exec_err!(
                        "ST_ClusterDBSCAN: eps must not be negative and minpoints must be positive, not {reach} and {least}"
                    );
                }
                dbscan(&all, reach, least as usize)
            }
            Method::KMeans => {
                let Some(k) = whole(0, "k")? else {
                    return Ok(Arc::new(Int32Array::new_null(num_rows)));
                };
                if k < 1 {
                    return exec_err!("ST_ClusterKMeans: k must be positive, not {k}");
                }
                let places: Vec<_> = all
                    .iter()
                    .map(|g| {
                        g.as_ref()
                            .and_then(Centroid::centroid)
                            .map(|p: geo::Point| p.0)
                    })
                    .collect();
                kmeans(&places, k as usize)
            }
        };
        Ok(Arc::new(Int32Array::from(clusters)))
    }
}
