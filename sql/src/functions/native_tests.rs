//! Every function over native GeoArrow lines, polygons and multi geometries: what it makes of them is what it
//! makes of the same values as WKB.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryViewArray, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{Field, FieldRef};
use datafusion::logical_expr::ColumnarValue;
use geoarrow_array::GeoArrowArray;
use geoarrow_array::array::WkbViewArray;
use geoarrow_array::cast::from_wkb;
use geoarrow_schema::{
    CoordType, Dimension, GeoArrowType, LineStringType, MultiLineStringType, MultiPointType,
    MultiPolygonType, PolygonType,
};
use geoflow_engine::crs::Crs;
use geoflow_engine::geometry::{GeometryType, wkt_to_wkb};

use super::walk_tests::{Encoding, argument, call, every_signature, needs_crs, text};
use super::{Function, Kind};

type Values = [Option<&'static str>; 4];

const LINES: Values = [
    Some("LINESTRING(0 0,4 0,4 4,0 0)"),
    None,
    Some("LINESTRING EMPTY"),
    Some("LINESTRING(1 1,2 2,2 5)"),
];
const POLYGONS: Values = [
    Some("POLYGON((0 0,9 0,9 9,0 9,0 0),(3 3,3 6,6 6,6 3,3 3))"),
    None,
    Some("POLYGON EMPTY"),
    Some("POLYGON((0 0,6 0,3 5,0 0))"),
];
const MULTIPOINTS: Values = [
    Some("MULTIPOINT((1 1),(3 4),(1 5))"),
    None,
    Some("MULTIPOINT EMPTY"),
    Some("MULTIPOINT((2 2))"),
];
const MULTILINES: Values = [
    Some("MULTILINESTRING((0 0,1 1),(1 1,2 0),(5 0,6 1))"),
    None,
    Some("MULTILINESTRING EMPTY"),
    Some("MULTILINESTRING((0 0,4 0,4 4))"),
];
const MULTIPOLYGONS: Values = [
    Some("MULTIPOLYGON(((0 0,2 0,2 2,0 2,0 0)),((3 3,5 3,5 5,3 5,3 3)))"),
    None,
    Some("MULTIPOLYGON EMPTY"),
    Some("MULTIPOLYGON(((0 0,9 0,9 9,0 9,0 0),(1 1,8 1,8 8,1 8,1 1)))"),
];

/// The native types, in both layouts of coordinates, and values of them.
fn shapes() -> Vec<(GeoArrowType, Values)> {
    let metadata = Arc::default;
    let xy = Dimension::XY;
    let all: [(GeoArrowType, Values); 5] = [
        (LineStringType::new(xy, metadata()).into(), LINES),
        (PolygonType::new(xy, metadata()).into(), POLYGONS),
        (MultiPointType::new(xy, metadata()).into(), MULTIPOINTS),
        (MultiLineStringType::new(xy, metadata()).into(), MULTILINES),
        (MultiPolygonType::new(xy, metadata()).into(), MULTIPOLYGONS),
    ];
    let layouts = [CoordType::Separated, CoordType::Interleaved];
    let both = |(native, values): (GeoArrowType, Values)| {
        layouts.map(|layout| (native.clone().with_coord_type(layout), values))
    };
    all.into_iter().flat_map(both).collect()
}

fn wkb(values: Values) -> BinaryViewArray {
    let bytes = values.map(|text| {
        text.map(|text| {
            let mut bytes = vec![];
            wkt_to_wkb(text, &mut bytes).unwrap();
            bytes
        })
    });
    BinaryViewArray::from_iter(bytes.iter().map(Option::as_deref))
}

/// The arguments of a call whose geometries are all this column.
fn arguments(
    function: &Function,
    signature: usize,
    array: &ArrayRef,
    field: &Field,
) -> Vec<(ColumnarValue, FieldRef)> {
    let labelled = |field: &Field| {
        let ty = GeometryType::from_field(field).unwrap().unwrap();
        let crs = Some(Crs::lon_lat());
        GeometryType { crs, ..ty }.apply_to(field.clone())
    };
    let parameters = function.signatures[signature].iter().enumerate();
    let value = |(i, parameter): (usize, &super::Parameter)| match parameter.kind {
        Kind::Geometry if needs_crs(function, signature) => (
            ColumnarValue::Array(Arc::clone(array)),
            Arc::new(labelled(field)),
        ),
        Kind::Geometry => (
            ColumnarValue::Array(Arc::clone(array)),
            Arc::new(field.clone()),
        ),
        Kind::Geometries => {
            let item = Arc::new(field.clone());
            let lengths = OffsetBuffer::from_lengths([1; 4]);
            let list = ListArray::new(item, lengths, Arc::clone(array), array.logical_nulls());
            let field = Field::new("l", list.data_type().clone(), true);
            (ColumnarValue::Array(Arc::new(list)), Arc::new(field))
        }
        _ => argument(function, signature, i, Encoding::BinaryView),
    };
    parameters.map(value).collect()
}

#[test]
fn native_values_are_their_wkb() {
    let (mut compared, mut refused) = (0, 0);
    for (native, values) in shapes() {
        let bytes = wkb(values);
        let made = from_wkb(
            &WkbViewArray::new(bytes.clone(), Arc::default()),
            native.clone(),
        );
        let native_array = made.unwrap().to_array_ref();
        let native_field = native.to_field("g", true);
        let bytes: ArrayRef = Arc::new(bytes);
        let field = Field::new("g", bytes.data_type().clone(), true);
        let field = GeometryType::wkb(None).apply_to(field);
        every_signature(|function, udf, signature| {
            let takes = |p: &super::Parameter| matches!(p.kind, Kind::Geometry | Kind::Geometries);
            if !function.signatures[signature].iter().any(takes) {
                return;
            }
            let what = format!("{} {signature} {native:?}", function.name);
            let expected = call(udf, &arguments(function, signature, &bytes, &field), 4);
            let found = arguments(function, signature, &native_array, &native_field);
            match (expected, call(udf, &found, 4)) {
                (Ok(expected), Ok(found)) => {
                    let expected = text(&expected.into_array(4).unwrap());
                    assert_eq!(text(&found.into_array(4).unwrap()), expected, "{what}");
                    compared += 1;
                }
                (Err(_), Err(_)) => refused += 1,
                (Ok(_), Err(error)) => panic!("{what}: {error}"),
                (Err(error), Ok(_)) => panic!("{what}: as WKB it is an error: {error}"),
            }
        });
    }
    assert!(compared > 4 * refused, "{compared} {refused}");
}
