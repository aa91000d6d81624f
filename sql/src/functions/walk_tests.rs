//! Walks the registry: every function, in every form its arguments can have. A new function is
//! tested by being defined.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeListArray, Float64Array,
    Int64Array, LargeBinaryArray, ListArray, StringArray, StructArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};
use geoflow_engine::crs::Crs;
use geoflow_engine::geometry::{GeometryType, wkt_to_wkb};

use super::{CrsRule, Evaluate, Function, Kind, Returns, all_functions, definition, definitions};

/// A point, NULL, EMPTY, another point.
const POINTS: [Option<(f64, f64)>; 4] = [
    Some((1.0, 2.0)),
    None,
    Some((f64::NAN, f64::NAN)),
    Some((3.0, 4.0)),
];
const TEXT: [Option<&str>; 4] = [
    Some("POINT(1 2)"),
    None,
    Some("POINT EMPTY"),
    Some("POINT(3 4)"),
];

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Encoding {
    Binary,
    BinaryWithoutMetadata,
    LargeBinary,
    BinaryView,
    Wkt,
    Separated,
    Interleaved,
}

const ENCODINGS: [Encoding; 7] = [
    Encoding::Binary,
    Encoding::BinaryWithoutMetadata,
    Encoding::LargeBinary,
    Encoding::BinaryView,
    Encoding::Wkt,
    Encoding::Separated,
    Encoding::Interleaved,
];

fn geometries(encoding: Encoding) -> (ArrayRef, FieldRef) {
    values_of(TEXT, encoding)
}

/// Lines, for what takes nothing else; in place of native points as WKB.
fn lines(encoding: Encoding) -> (ArrayRef, FieldRef) {
    not_points(
        [
            Some("LINESTRING(0 0,4 0,4 4,0 0)"),
            None,
            Some("LINESTRING EMPTY"),
            Some("LINESTRING(1 1,2 2,2 5,1 1)"),
        ],
        encoding,
    )
}

/// Lines with vertices that can be taken out.
fn long_lines(encoding: Encoding) -> (ArrayRef, FieldRef) {
    not_points(
        [
            Some("LINESTRING(0 0,4 0,4 4)"),
            None,
            Some("LINESTRING(5 5,6 6,7 7)"),
            Some("LINESTRING(1 1,2 2,2 5,1 1)"),
        ],
        encoding,
    )
}

fn measured(encoding: Encoding) -> (ArrayRef, FieldRef) {
    not_points(
        [
            Some("LINESTRING M (0 0 1,4 0 2)"),
            None,
            Some("LINESTRING M EMPTY"),
            Some("LINESTRING M (1 1 5,2 2 0,2 5 9)"),
        ],
        encoding,
    )
}

fn not_points(text: [Option<&str>; 4], encoding: Encoding) -> (ArrayRef, FieldRef) {
    match encoding {
        Encoding::Separated | Encoding::Interleaved => values_of(text, Encoding::BinaryView),
        other => values_of(text, other),
    }
}

fn values_of(text: [Option<&str>; 4], encoding: Encoding) -> (ArrayRef, FieldRef) {
    let wkb: Vec<Option<Vec<u8>>> = text
        .iter()
        .map(|text| {
            text.map(|text| {
                let mut bytes = vec![];
                wkt_to_wkb(text, &mut bytes).unwrap();
                bytes
            })
        })
        .collect();
    let labelled = |array: ArrayRef| {
        let field = Field::new("g", array.data_type().clone(), true);
        let field = GeometryType::wkb(None).apply_to(field);
        (array, Arc::new(field))
    };
    let native = |array: ArrayRef| {
        let metadata = [(
            "ARROW:extension:name".to_string(),
            "geoarrow.point".to_string(),
        )];
        let field = Field::new("g", array.data_type().clone(), true);
        (array, Arc::new(field.with_metadata(metadata.into())))
    };
    let nulls = NullBuffer::from_iter(POINTS.iter().map(Option::is_some));
    let xy = |i: usize| -> Vec<f64> {
        POINTS
            .iter()
            .map(|p| p.map_or(0.0, |p| if i == 0 { p.0 } else { p.1 }))
            .collect()
    };
    match encoding {
        Encoding::Binary => labelled(Arc::new(
            wkb.iter().map(Option::as_deref).collect::<BinaryArray>(),
        )),
        Encoding::BinaryWithoutMetadata => {
            let array = wkb.iter().map(Option::as_deref).collect::<BinaryArray>();
            (
                Arc::new(array),
                Arc::new(Field::new("g", DataType::Binary, true)),
            )
        }
        Encoding::LargeBinary => labelled(Arc::new(
            wkb.iter()
                .map(Option::as_deref)
                .collect::<LargeBinaryArray>(),
        )),
        Encoding::BinaryView => labelled(Arc::new(
            wkb.iter()
                .map(Option::as_deref)
                .collect::<BinaryViewArray>(),
        )),
        Encoding::Wkt => (
            Arc::new(text.iter().copied().collect::<StringArray>()),
            Arc::new(Field::new("g", DataType::Utf8, true)),
        ),
        Encoding::Separated => {
            let fields: Fields = ["x", "y"]
                .map(|name| Field::new(name, DataType::Float64, false))
                .to_vec()
                .into();
            let columns: Vec<ArrayRef> = (0..2)
                .map(|i| Arc::new(Float64Array::from(xy(i))) as ArrayRef)
                .collect();
            native(Arc::new(StructArray::new(fields, columns, Some(nulls))))
        }
        Encoding::Interleaved => {
            let values: Vec<f64> = xy(0)
                .into_iter()
                .zip(xy(1))
                .flat_map(|(x, y)| [x, y])
                .collect();
            let item = Arc::new(Field::new("xy", DataType::Float64, false));
            native(Arc::new(FixedSizeListArray::new(
                item,
                2,
                Arc::new(Float64Array::from(values)),
                Some(nulls),
            )))
        }
    }
}

/// Lists of one geometry each, the second list NULL.
fn lists(encoding: Encoding) -> (ArrayRef, FieldRef) {
    let (values, item) = geometries(encoding);
    let nulls = values.logical_nulls();
    let list = ListArray::new(item, OffsetBuffer::from_lengths([1; 4]), values, nulls);
    let field = Field::new("l", list.data_type().clone(), true);
    (Arc::new(list), Arc::new(field))
}

/// Values for an argument: four rows, the second NULL, or a constant where it must be one.
pub(super) fn argument(
    function: &Function,
    signature: usize,
    i: usize,
    encoding: Encoding,
) -> (ColumnarValue, FieldRef) {
    let parameter = function.signatures[signature][i];
    let is_crs = match function.returns {
        Returns::Geometry(CrsRule::Argument(crs)) => crs == i,
        Returns::Geometry(CrsRule::Transformed | CrsRule::OfValue) => i > 0,
        _ => false,
    };
    if is_crs {
        let from = i == 1 && function.signatures[signature].len() == 3;
        let value = match (parameter.kind, from) {
            (Kind::Text, true) => ScalarValue::from("EPSG:4326"),
            (Kind::Text, false) => ScalarValue::from("EPSG:3067"),
            (_, true) => ScalarValue::Int64(Some(4326)),
            (_, false) => ScalarValue::Int64(Some(3067)),
        };
        let field = Arc::new(Field::new(parameter.name, value.data_type(), false));
        return (ColumnarValue::Scalar(value), field);
    }
    let (array, field): (ArrayRef, FieldRef) = match parameter.kind {
        Kind::Geometry if edits(function) && parameter.name == "line" => long_lines(encoding),
        Kind::Geometry if function.name == "ST_LineFromMultiPoint" => not_points(
            [
                Some("MULTIPOINT((1 2),(3 4))"),
                None,
                Some("MULTIPOINT EMPTY"),
                Some("MULTIPOINT((1 2),(3 4),(5 6))"),
            ],
            encoding,
        ),
        Kind::Geometry
            if ["line1", "line2", "line", "shell", "input", "bounds"].contains(&parameter.name) =>
        {
            lines(encoding)
        }
        Kind::Geometry if parameter.name == "line_m" => measured(encoding),
        Kind::Geometry if needs_crs(function, signature) => {
            let (array, field) = geometries(encoding);
            let ty = GeometryType::from_field(&field).unwrap().unwrap();
            let crs = Some(Crs::lon_lat());
            let field = GeometryType { crs, ..ty }.apply_to(field.as_ref().clone());
            (array, Arc::new(field))
        }
        Kind::Geometry => geometries(encoding),
        Kind::Binary => match encoding {
            Encoding::LargeBinary | Encoding::BinaryView => geometries(encoding),
            _ => geometries(Encoding::BinaryWithoutMetadata),
        },
        Kind::Number => {
            let value = match parameter.name {
                "fraction" | "from" | "to" | "densify" | "ratio" => 0.5,
                "tolerance" if no_tolerance(function) => 0.0,
                _ => i as f64,
            };
            let array = Float64Array::from(vec![Some(value), None, Some(value), Some(value)]);
            (
                Arc::new(array),
                Arc::new(Field::new("n", DataType::Float64, true)),
            )
        }
        Kind::Boolean => {
            let array = BooleanArray::from(vec![Some(true), None, Some(true), Some(true)]);
            (
                Arc::new(array),
                Arc::new(Field::new("b", DataType::Boolean, true)),
            )
        }
        Kind::Geometries => lists(encoding),
        Kind::Integer => {
            let value = match parameter.name {
                // An H3 cell of resolution 10.
                "cell" => 622_236_750_694_711_295,
                // An A5 cell of resolution 5.
                "a5_cell" => 7_161_033_366_718_906_368,
                "max_vertices" => 5,
                "flags" => 0,
                _ => 1,
            };
            let array = Int64Array::from(vec![Some(value), None, Some(value), Some(value)]);
            (
                Arc::new(array),
                Arc::new(Field::new("n", DataType::Int64, true)),
            )
        }
        Kind::Text => {
            let text = match parameter.name {
                "json" => [
                    Some("{\"type\":\"Point\",\"coordinates\":[1,2]}"),
                    None,
                    Some("{\"type\":\"Point\",\"coordinates\":[]}"),
                    Some("{\"type\":\"Point\",\"coordinates\":[3,4]}"),
                ],
                "wkt" | "ewkt" => TEXT,
                "hex" => [
                    Some("0101000000000000000000F03F0000000000000040"),
                    None,
                    Some("0101000000000000000000F87F000000000000F87F"),
                    Some("010100000000000000000008400000000000001040"),
                ],
                "byte_order" => [Some("NDR"), None, Some("xdr"), Some("XDR")],
                "ordinates" => [Some("xy"), None, Some("yx"), Some("XY")],
                "spheroid" => [
                    Some("SPHEROID[\"WGS 84\",6378137,298.257223563]"),
                    None,
                    Some("SPHEROID[\"Bessel\",6377397.155,299.1528128]"),
                    Some("SPHEROID[\"a sphere\", 6371000, 0]"),
                ],
                "geohash" => [Some("u"), None, Some("ud"), Some("ud9wr")],
                "parameters" => [
                    Some("endcap=flat"),
                    None,
                    Some("join=mitre mitre_limit=2"),
                    Some("quad_segs=2"),
                ],
                "method" => [
                    Some("method=linework"),
                    None,
                    Some("method=linework"),
                    Some("method=linework"),
                ],
                "pattern" => [
                    Some("T********"),
                    None,
                    Some("FF*FF****"),
                    Some("*********"),
                ],
                "matrix" => [
                    Some("0FFFFF212"),
                    None,
                    Some("0FFFFF212"),
                    Some("0FFFFF212"),
                ],
                other => panic!(
                    "{}: give the text argument {other} test values",
                    function.name
                ),
            };
            let array = text.into_iter().collect::<StringArray>();
            (
                Arc::new(array),
                Arc::new(Field::new("t", DataType::Utf8, true)),
            )
        }
    };
    (ColumnarValue::Array(array), field)
}

/// Whether a function asks for single vertices of lines.
fn edits(function: &Function) -> bool {
    ["ST_AddPoint", "ST_RemovePoint", "ST_SetPoint"].contains(&function.name)
}

/// Whether a tolerance is there for the sake of the signature.
fn no_tolerance(function: &Function) -> bool {
    let name = function.name;
    name.contains("Delaunay") || name.contains("Voronoi")
}

pub(super) fn call(
    udf: &ScalarUDF,
    args: &[(ColumnarValue, FieldRef)],
    rows: usize,
) -> Result<ColumnarValue> {
    let arg_fields: Vec<FieldRef> = args.iter().map(|(_, field)| Arc::clone(field)).collect();
    let scalars: Vec<Option<&ScalarValue>> = args
        .iter()
        .map(|(value, _)| match value {
            ColumnarValue::Scalar(value) => Some(value),
            ColumnarValue::Array(_) => None,
        })
        .collect();
    let return_field = udf.return_field_from_args(ReturnFieldArgs {
        arg_fields: &arg_fields,
        scalar_arguments: &scalars,
    })?;
    let is_geometry = GeometryType::from_field(&return_field)?.is_some();
    let returns = definition(udf).unwrap().returns;
    assert_eq!(is_geometry, matches!(returns, Returns::Geometry(_)));
    udf.invoke_with_args(ScalarFunctionArgs {
        args: args.iter().map(|(value, _)| value.clone()).collect(),
        arg_fields,
        number_rows: rows,
        return_field,
        config_options: Arc::new(ConfigOptions::default()),
    })
}

/// The encodings that a signature takes: without `from` a transformation needs a CRS, which bare
/// bytes and text do not have.
fn encodings(function: &Function, signature: usize) -> Vec<Encoding> {
    let needs_crs = needs_crs(function, signature);
    ENCODINGS
        .into_iter()
        .filter(|e| !(needs_crs && [Encoding::BinaryWithoutMetadata, Encoding::Wkt].contains(e)))
        .collect()
}

pub(super) fn needs_crs(function: &Function, signature: usize) -> bool {
    let transform = matches!(function.returns, Returns::Geometry(CrsRule::Transformed));
    transform && function.signatures[signature].len() == 2
}

pub(super) fn every_signature(mut test: impl FnMut(&'static Function, &ScalarUDF, usize)) {
    for udf in all_functions() {
        let function = definition(&udf).unwrap();
        for signature in 0..function.signatures.len() {
            test(function, &udf, signature);
        }
    }
}

fn arguments(
    function: &Function,
    signature: usize,
    encoding: Encoding,
) -> Vec<(ColumnarValue, FieldRef)> {
    (0..function.signatures[signature].len())
        .map(|i| argument(function, signature, i, encoding))
        .collect()
}

pub(super) fn text(array: &dyn Array) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(array, &options).unwrap();
    (0..array.len())
        .map(|i| formatter.value(i).to_string())
        .collect()
}

#[test]
fn names_are_unique_and_documented() {
    let mut names = HashSet::new();
    for function in definitions() {
        for name in function.names() {
            // A name can be that of an aggregate, and of a function of more arguments.
            let aggregate = matches!(function.evaluate, Evaluate::Aggregate(_));
            let name_and_kind = (name.to_ascii_lowercase(), aggregate);
            assert!(names.insert(name_and_kind), "{name} twice");
            let bare = ["GeometryType", "Box2D"].contains(&name);
            assert!(name.starts_with("ST_") || bare, "{name}");
        }
        assert!(!function.signatures.is_empty());
        for text in [function.about, function.empty] {
            assert!(text.ends_with('.'), "{}: {text}", function.name);
        }
    }
    for udf in all_functions() {
        assert!(udf.documentation().unwrap().sql_example.is_some());
    }
}

#[tokio::test]
async fn every_example_is_true() {
    let session = crate::Session::try_new().unwrap();
    for function in definitions() {
        assert!(!function.examples.is_empty(), "{}", function.name);
        for (example, expected) in function.examples {
            assert!(
                example.contains(&format!("{}(", function.name)),
                "{example}"
            );
            let frame = session.sql(&format!("SELECT {example}")).await;
            let batches = frame
                .unwrap_or_else(|e| panic!("{example}: {e}"))
                .collect()
                .await
                .unwrap_or_else(|e| panic!("{example}: {e}"));
            let mut lines = vec![];
            for batch in &batches {
                let columns: Vec<_> = batch.columns().iter().map(|c| text(c)).collect();
                for row in 0..batch.num_rows() {
                    let cells: Vec<_> = columns.iter().map(|c| c[row].as_str()).collect();
                    lines.push(cells.join(", "));
                }
            }
            assert_eq!(lines.join("\n"), *expected, "{example}");
        }
    }
}

#[test]
fn columns_in_every_encoding() {
    every_signature(|function, udf, signature| {
        let mut first: Option<Vec<String>> = None;
        for encoding in encodings(function, signature) {
            let args = arguments(function, signature, encoding);
            let what = format!("{} {signature} {encoding:?}", function.name);
            let value = call(udf, &args, 4).unwrap_or_else(|e| panic!("{what}: {e}"));
            let ColumnarValue::Array(array) = value else {
                panic!("{what}: a constant for columns");
            };
            assert_eq!(array.len(), 4, "{what}");
            assert!(array.is_null(1), "{what}: NULL in, NULL out");
            let values = text(&array);
            match &first {
                None => first = Some(values),
                Some(first) => assert_eq!(&values, first, "{what}"),
            }
        }
    });
}

#[test]
fn constants_give_constants_and_the_same_values() {
    every_signature(|function, udf, signature| {
        let column = arguments(function, signature, Encoding::BinaryView);
        let ColumnarValue::Array(expected) = call(udf, &column, 4).unwrap() else {
            panic!("{}: a constant for columns", function.name);
        };
        for encoding in encodings(function, signature) {
            let args = arguments(function, signature, encoding);
            for row in 0..4 {
                let constants: Vec<_> = args.iter().map(|arg| constant(arg, row)).collect();
                let what = format!("{} {signature} {encoding:?} row {row}", function.name);
                match call(udf, &constants, 7).unwrap_or_else(|e| panic!("{what}: {e}")) {
                    ColumnarValue::Scalar(value) => {
                        let value = value.to_array_of_size(1).unwrap();
                        assert_eq!(text(&value)[0], text(&expected)[row], "{what}");
                    }
                    ColumnarValue::Array(_) => panic!("{what}: a column for constants"),
                }
                // Each argument in turn is a constant beside columns.
                for i in 0..args.len() {
                    let mut mixed = args.clone();
                    mixed[i] = constants[i].clone();
                    let value = call(udf, &mixed, 4).unwrap_or_else(|e| panic!("{what}: {e}"));
                    let values = value.into_array(4).unwrap();
                    assert_eq!(text(&values)[row], text(&expected)[row], "{what} arg {i}");
                }
            }
        }
    });
}

fn constant((value, field): &(ColumnarValue, FieldRef), row: usize) -> (ColumnarValue, FieldRef) {
    let value = match value {
        ColumnarValue::Scalar(value) => value.clone(),
        ColumnarValue::Array(array) => ScalarValue::try_from_array(array, row).unwrap(),
    };
    (ColumnarValue::Scalar(value), Arc::clone(field))
}

#[test]
fn empty_batches_and_untyped_null() {
    every_signature(|function, udf, signature| {
        for encoding in encodings(function, signature) {
            let args: Vec<_> = arguments(function, signature, encoding)
                .into_iter()
                .map(|(value, field)| match value {
                    ColumnarValue::Array(array) => (ColumnarValue::Array(array.slice(0, 0)), field),
                    constant => (constant, field),
                })
                .collect();
            let value = call(udf, &args, 0).unwrap();
            assert_eq!(value.into_array(0).unwrap().len(), 0, "{}", function.name);
        }
        let n = function.signatures[signature].len();
        let null = Arc::new(Field::new("NULL", DataType::Null, true));
        let nulls = vec![(ColumnarValue::Scalar(ScalarValue::Null), Arc::clone(&null)); n];
        match call(udf, &nulls, 3).unwrap() {
            ColumnarValue::Scalar(value) => assert!(value.is_null(), "{}", function.name),
            ColumnarValue::Array(_) => panic!("{}: a column for constants", function.name),
        }
        let mut column = arguments(function, signature, Encoding::Binary);
        if matches!(column[0].0, ColumnarValue::Array(_)) {
            column[0] = (
                ColumnarValue::Array(new_null_array(&DataType::Null, 4)),
                null,
            );
            let value = call(udf, &column, 4).unwrap().into_array(4).unwrap();
            if matches!(function.evaluate, Evaluate::Scalar(_)) {
                assert_eq!(value.null_count(), 4, "{}", function.name);
            }
        }
    });
}

#[test]
fn bad_geometries_are_errors_that_name_function_column_and_row() {
    let bytes: Vec<Option<&[u8]>> = vec![Some(&[1, 1, 0, 0, 0, 1]); 1];
    let field = Arc::new(Field::new("shape", DataType::Binary, true));
    let array = Arc::new(BinaryArray::from_iter(bytes)) as ArrayRef;
    every_signature(|function, udf, signature| {
        let parameters = function.signatures[signature];
        let takes = |p: &super::Parameter| matches!(p.kind, Kind::Geometry | Kind::Binary);
        // These ask nothing of the value but its header, or nothing at all.
        let shallow = [
            "ST_SRID",
            "ST_CRS",
            "ST_GeometryType",
            "ST_CoordDim",
            "GeometryType",
            "ST_HasZ",
            "ST_HasM",
            "ST_Dimension",
            "ST_NumPoints",
        ];
        if needs_crs(function, signature)
            || !parameters.iter().any(takes)
            || shallow.contains(&function.name)
        {
            return;
        }
        let args: Vec<_> = parameters
            .iter()
            .enumerate()
            .map(|(i, p)| match takes(p) {
                true => (ColumnarValue::Array(Arc::clone(&array)), Arc::clone(&field)),
                false => constant(&argument(function, signature, i, Encoding::Binary), 0),
            })
            .collect();
        let message = call(udf, &args, 1).unwrap_err().to_string();
        assert!(message.contains(function.name), "{message}");
        assert!(
            message.contains("column \"shape\", row 0 of its batch"),
            "{message}"
        );
        assert!(message.contains("cut short"), "{message}");
    });
}

#[test]
fn wrong_arguments_show_the_signatures() {
    every_signature(|function, udf, _| {
        let field = Arc::new(Field::new("b", DataType::Boolean, true));
        let scalars: Vec<Option<&ScalarValue>> = vec![None; 12];
        for n in [0, 1, 12] {
            let message = udf
                .return_field_from_args(ReturnFieldArgs {
                    arg_fields: &vec![Arc::clone(&field); n],
                    scalar_arguments: &scalars[..n],
                })
                .unwrap_err()
                .to_string();
            for line in function.signature_text().lines() {
                assert!(message.contains(line), "{message}");
            }
        }
    });
}

/// A call in SQL over the table `t` of [`table`], with constants for all but geometries.
fn sql_call(function: &Function, parameters: &[super::Parameter], order: &str) -> String {
    let arguments: Vec<&str> = parameters
        .iter()
        .map(|parameter| match parameter.kind {
            Kind::Geometry => "g",
            Kind::Number => "1.5",
            Kind::Integer => "2",
            Kind::Boolean => "true",
            other => panic!("{}: give the argument of {other} a value", function.name),
        })
        .collect();
    format!("{}({}{order})", function.name, arguments.join(", "))
}

/// Rows of [`geometries`] in two partitions: `i` counts them, `k` is 2 for that of NULL alone.
fn table(encoding: Encoding) -> datafusion::datasource::MemTable {
    let (array, field) = geometries(encoding);
    let number = |name: &str| Arc::new(Field::new(name, DataType::Int64, false));
    let schema = Arc::new(arrow::datatypes::Schema::new(vec![
        number("i"),
        number("k"),
        field,
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 3, 4])),
        Arc::new(Int64Array::from(vec![1, 2, 1, 1])),
        array,
    ];
    let batch = arrow::array::RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let partitions = vec![vec![batch.slice(0, 2)], vec![batch.slice(2, 2)]];
    datafusion::datasource::MemTable::try_new(schema, partitions).unwrap()
}

async fn rows(session: &crate::Session, sql: &str) -> Vec<String> {
    let run = async { session.sql(sql).await?.collect().await };
    let batches = run.await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    let mut lines = vec![];
    for batch in &batches {
        let columns: Vec<_> = batch.columns().iter().map(|c| text(c)).collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<_> = columns.iter().map(|c| c[row].as_str()).collect();
            lines.push(cells.join(" | "));
        }
    }
    lines
}

/// Aggregates and window functions, over every encoding, NULL, no rows, groups and partitions; the
/// other kinds have their own tests, so that a kind cannot be forgotten.
#[tokio::test]
async fn aggregates_and_window_functions() {
    for function in definitions() {
        let (order, over) = match &function.evaluate {
            Evaluate::Aggregate(aggregation) => match aggregation.order {
                AggregateOrderSensitivity::Insensitive => ("", ""),
                _ => (" ORDER BY i", ""),
            },
            Evaluate::Window(_) => (
                "",
                " OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
            ),
            // `columns_in_every_encoding` and its neighbours; the examples; the tests of joins.
            Evaluate::Scalar(_) | Evaluate::ScalarOfNull(..) => continue,
            // `table_functions_are_strict_about_constants`.
            Evaluate::Table(_) | Evaluate::JoinCondition => continue,
        };
        let aggregate = over.is_empty();
        for parameters in function.signatures {
            let call = sql_call(function, parameters, order) + over;
            let value = match function.returns {
                Returns::Geometry(_) => format!("ST_AsText({call})"),
                _ => call,
            };
            let mut first: Option<Vec<Vec<String>>> = None;
            for encoding in ENCODINGS {
                // How rows are spread over partitions matters for one encoding as for all.
                let spreads = match encoding {
                    Encoding::BinaryView => vec![1, 3],
                    _ => vec![2],
                };
                for threads in spreads {
                    let session = crate::SessionBuilder::new()
                        .threads(threads)
                        .build()
                        .unwrap();
                    let table = Arc::new(table(encoding));
                    session.context().register_table("t", table).unwrap();
                    let mut answers = vec![];
                    let group = if aggregate {
                        " GROUP BY k ORDER BY k"
                    } else {
                        " ORDER BY i"
                    };
                    let key = if aggregate { "k" } else { "i" };
                    answers.push(
                        rows(&session, &format!("SELECT {key}, {value} FROM t{group}")).await,
                    );
                    // The only row of this group is NULL.
                    let of_null =
                        rows(&session, &format!("SELECT {value} FROM t WHERE k = 2")).await;
                    assert_eq!(of_null, ["NULL"], "{value} {encoding:?}");
                    let of_none =
                        rows(&session, &format!("SELECT {value} FROM t WHERE k = 3")).await;
                    assert_eq!(
                        of_none.len(),
                        usize::from(aggregate),
                        "{value} {encoding:?}"
                    );
                    assert!(
                        of_none.iter().all(|row| row == "NULL"),
                        "{value} {encoding:?}"
                    );
                    if aggregate {
                        answers.push(rows(&session, &format!("SELECT {value} FROM t")).await);
                    }
                    match &first {
                        None => first = Some(answers),
                        Some(first) => {
                            assert_eq!(&answers, first, "{value} {encoding:?} {threads}")
                        }
                    }
                }
            }
        }
        // Wrong arguments show the signatures here as well.
        let session = crate::Session::try_new().unwrap();
        let wrong = format!(
            "SELECT {}(true, true, true, true, true, true, true){over} FROM (SELECT 1 AS i)",
            function.name
        );
        let message = session.sql(&wrong).await.unwrap_err().to_string();
        assert!(message.contains("fit no signature"), "{wrong}: {message}");
    }
}

/// Table functions take constants: anything else shows the signatures or says what is wrong, and EMPTY is
/// no table of everything.
#[tokio::test]
async fn table_functions_are_strict_about_constants() {
    let session = crate::Session::try_new().unwrap();
    let mut tables = 0;
    for function in definitions() {
        if !matches!(function.evaluate, Evaluate::Table(_)) {
            continue;
        }
        tables += 1;
        let error = async |arguments: &str| {
            let sql = format!("SELECT * FROM {}({arguments})", function.name);
            let error = session.sql(&sql).await.unwrap_err().to_string();
            assert!(error.contains(function.name), "{sql}: {error}");
            error
        };
        for wrong in ["", "true", "true, true, true, true"] {
            let message = error(wrong).await;
            assert!(message.contains(&function.signature_text()), "{message}");
        }
        let parameters = function.signatures[0];
        let with = |geometry: &str| -> String {
            let values: Vec<&str> = parameters
                .iter()
                .map(|parameter| match parameter.kind {
                    Kind::Geometry => geometry,
                    _ => "2",
                })
                .collect();
            values.join(", ")
        };
        assert!(error(&with("NULL")).await.contains("NULL"));
        let mut first = None;
        for bounds in [
            "'LINESTRING(0 0,3 3)'",
            "ST_GeomFromText('LINESTRING(0 0,3 3)')",
            "ST_GeomFromWKB(ST_AsBinary('LINESTRING(0 0,3 3)'))",
            "ST_AsBinary('LINESTRING(0 0,3 3)')",
        ] {
            let sql = format!("SELECT * FROM {}({})", function.name, with(bounds));
            let all = rows(&session, &sql).await;
            assert!(!all.is_empty(), "{sql}");
            assert_eq!(first.get_or_insert_with(|| all.clone()), &all, "{sql}");
        }
        let sql = format!("SELECT * FROM {}({})", function.name, with("'POINT EMPTY'"));
        assert!(rows(&session, &sql).await.is_empty(), "{sql}");
    }
    assert!(tables > 0);
}
