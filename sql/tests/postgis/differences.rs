//! Where geoflow differs from PostGIS, and why.

/// Where PostGIS has no answer to a question that has one.
const UNANSWERED: &[(&str, &str)] = &[
    ("ST_MaxDistance", LOSES_POINTS),
    ("ST_LongestLine", LOSES_POINTS),
];

const LOSES_POINTS: &str = "PostGIS has NULL for some multipoints";
const POINT_LIKE: &str = "A line without length is a point";

/// Part of an expression, part of `a`, part of `b`, and the reason.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    ("ST_Union(a, b)", "LINESTRING(1 1,1 1)", "", NO_LENGTH),
    ("ST_Union(a, b)", "", "LINESTRING(1 1,1 1)", NO_LENGTH),
    (
        "ST_SymDifference(a, b)",
        "LINESTRING(1 1,1 1)",
        "",
        NO_LENGTH,
    ),
    (
        "ST_SymDifference(a, b)",
        "",
        "LINESTRING(1 1,1 1)",
        NO_LENGTH,
    ),
    ("ST_Difference(a, b)", "LINESTRING(1 1,1 1)", "", NO_LENGTH),
    (
        "ST_ForcePolygonCCW",
        "LINESTRING",
        "",
        "PostGIS turns lines as well",
    ),
    (
        "ST_Boundary",
        "COLLECTION",
        "",
        "PostGIS adds an EMPTY point for each part without a boundary",
    ),
    (
        "ST_CollectionHomogenize",
        "POINT EMPTY",
        "",
        "The simplest form has no EMPTY parts",
    ),
    ("ST_Normalize", " ZM (", "", KEEPS_M),
    ("ST_Normalize", " M (", "", KEEPS_M),
    ("ST_LineMerge", " ZM (", "", KEEPS_M),
    ("ST_LineMerge", " M (", "", KEEPS_M),
    (
        "ST_LineInterpolatePoints",
        "LINESTRING(1 1,1 1)",
        "",
        "PostGIS returns memory that nobody wrote",
    ),
    (
        "ST_LineSubstring",
        "MULTILINESTRING",
        "",
        "A part of a multi geometry by its fraction is an error here",
    ),
    (
        "ST_LineLocatePoint",
        "LINESTRING(1 1,1 1)",
        "",
        "Every place on a line without length is its start",
    ),
    (
        "ST_LineLocatePoint",
        "LINESTRING EMPTY",
        "",
        "There is no place on EMPTY",
    ),
    ("ST_Relate", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_Relate", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_ContainsProperly", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_ContainsProperly", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    (
        "ST_MakePolygon",
        "LINESTRING",
        "",
        "A line that bounds no polygon is an error",
    ),
    ("ST_DFullyWithin", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_DFullyWithin", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_PointOnSurface", "LINESTRING", "", ANY_POINT),
    ("ST_PointOnSurface", "POLYGON", "", ANY_POINT),
    (
        "ST_AsEWKT",
        "MULTIPOINT",
        "",
        "Points of a multipoint stand in brackets, as in ST_AsText",
    ),
    (
        "ST_GeoHash",
        "MULTIPOINT",
        "",
        "A geohash is that of a point; anything else is an error",
    ),
    ("ST_GeoHash", "POINT EMPTY", "", "EMPTY has an empty text"),
    ("ST_ZM", "", "", NO_Z),
    ("ST_ConvexHull(a)", "(1 1,6 1,6 2,1 2,1 1)", "", OUTER_HOLE),
    ("ST_ConvexHull(a)", "(5 5,6 5,6 6,5 5)", "", OUTER_HOLE),
];

const KEEPS_M: &str = "Measures are kept";
const ANY_POINT: &str = "Any point inside is right";
const NO_Z: &str = "Without Z there is no lowest one: NULL, not 0";
const OUTER_HOLE: &str = "The hull holds all points, of a hole outside its shell as well";
const NO_LENGTH: &str = "A line without length is dropped; PostGIS drops it where bounding boxes meet, and keeps it elsewhere";

/// Why an answer differs, if it is known to.
pub(crate) fn difference(expression: &str, a: &str, b: &str, theirs: &str) -> Option<&'static str> {
    let unanswered = UNANSWERED
        .iter()
        .find(|(of, _)| theirs == "\\N" && expression.contains(of))
        .map(|(_, reason)| *reason);
    let listed = || {
        DIFFERENCES
            .iter()
            .find(|(of, in_a, in_b, _)| {
                expression.contains(of) && a.contains(in_a) && b.contains(in_b)
            })
            .map(|(.., reason)| *reason)
    };
    unanswered.or_else(listed)
}
