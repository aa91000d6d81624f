//! Where geoflow differs from PostGIS, and why.

/// Where PostGIS has no answer to a question that has one.
const UNANSWERED: &[(&str, &str)] = &[
    ("ST_MaxDistance", LOSES_POINTS),
    ("ST_LongestLine", LOSES_POINTS),
];

const LOSES_POINTS: &str = "PostGIS has NULL for some multipoints";
const PARALLEL: &str =
    "PostGIS has NULL, or another distance than 0, for edges that lie on each other";
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
    ("ST_Intersects(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_Intersects(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_Disjoint(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_Disjoint(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_Contains(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_Contains(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_Within(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_Within(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_Covers(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_Covers(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_CoveredBy(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_CoveredBy(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_Crosses(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_Crosses(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_Touches(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_Touches(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_Equals(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_Equals(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("ST_DWithin(", "LINESTRING(1 1,1 1)", "", POINT_LIKE),
    ("ST_DWithin(", "", "LINESTRING(1 1,1 1)", POINT_LIKE),
    ("FromText(", " M (", "", OF_TYPE_WITH_M),
    ("FromWKB(", " M (", "", OF_TYPE_WITH_M),
    (
        "ST_AddPoint",
        "LINESTRING EMPTY",
        "",
        "A line of one point is an error",
    ),
    (
        "ST_AddPoint(a, 'POINT EMPTY'",
        "LINESTRING",
        "",
        "PostGIS returns memory that nobody wrote",
    ),
    (
        "ST_BoundingDiagonal",
        ".",
        "",
        "Boxes of PostGIS are in single precision",
    ),
    (
        "ST_ClipByBox2D",
        "GEOMETRYCOLLECTION(",
        "",
        "All parts of a collection are clipped; PostGIS drops some",
    ),
    ("ST_ClipByBox2D", "(0 0,4 4,4 0,0 4", "", OVERLAPS),
    ("ST_ClipByBox2D", "(1 1,6 1,6 2,1 2,1 1)", "", OVERLAPS),
    ("ST_ClipByBox2D", "((2 2,6 2,6 6", "", OVERLAPS),
    ("ST_ClipByBox2D", "(5 5,6 5,6 6,5 5)", "", OUTER_HOLE),
    ("ST_ClipByBox2D", "2 4,2 6,2 4", "", OVERLAPS),
    ("ST_DistanceSphere(a, b, 1000)", "EMPTY", "", NO_DISTANCE),
    ("ST_DistanceSphere(a, b, 1000)", "", "EMPTY", NO_DISTANCE),
    (
        "ClipByBox2D",
        "(1 1,4 1,4 4,1 1),(5 5",
        "",
        "PostGIS returns a hole of the polygon",
    ),
    ("Spheroid(a, 'SPHEROID[", "POLYGON", "", LENGTH_OF_LINES),
    ("'SPHEROID[", "EMPTY", "", NO_DISTANCE),
    ("'SPHEROID[", "", "EMPTY", NO_DISTANCE),
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
    ("ST_GeoHash", "EMPTY", "", "EMPTY has an empty text"),
    ("ST_ZM", "", "", NO_Z),
    (
        "ST_Union([",
        "EMPTY",
        "EMPTY",
        "An EMPTY union has the simple type of the highest dimension",
    ),
    ("ST_MakeLine([", "EMPTY", "POINT", ONE_POINT),
    ("ST_MakeLine([", "POINT", "EMPTY", ONE_POINT),
    ("ST_MakeLine([", "NULL", "", ONE_POINT),
    ("ST_MakeLine([", "", "NULL", ONE_POINT),
    (
        "ST_SimplifyVW",
        "(0 0,8 0,8 8,4 3,0 8,0 0)",
        "",
        "Of vertices with triangles of the same area any may go first",
    ),
    ("ST_SimplifyPreserveTopology", " ZM (", "", KEEPS_M),
    ("ST_SimplifyPreserveTopology", " M (", "", KEEPS_M),
    ("ST_ReducePrecision", " ZM (", "", KEEPS_M),
    ("ST_ReducePrecision", " M (", "", KEEPS_M),
    (
        "ST_ReducePrecision",
        "MULTIPOLYGON(((0 0,5 0.4",
        "",
        "PostGIS moves a vertex to another one that is not the closest on the grid, and loses what polygons share",
    ),
    (
        "ST_SimplifyPreserveTopology",
        "(POINT EMPTY,",
        "",
        EMPTY_STAYS,
    ),
    ("ST_ReducePrecision(a, 0)", "(POINT EMPTY,", "", EMPTY_STAYS),
    ("ST_Polygonize", "(4 2,6 2,6 4,4 4)", "", CUT_FIRST),
    ("ST_BuildArea", "(4 2,6 2,6 4,4 4)", "", CUT_FIRST),
    ("ST_BuildArea", "LINESTRING(0 0,4 4,4 0,0 4)", "", CUT_FIRST),
    (
        "ST_AsMVTGeom",
        "MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)),((2 2,6 2",
        "",
        OVERLAPS,
    ),
    ("ST_AsMVTGeom", "(1 1,6 1,6 2,1 2,1 1)", "", OVERLAPS),
    ("ST_AsMVTGeom", "(5 5,6 5,6 6,5 5)", "", OVERLAPS),
    ("1, 1, 4, 4), 64, 4)", "POLYGON((0 0,", "", ONE_UNIT),
    (
        "ST_AsMVTGeom(a, ST_MakeEnvelope(-100, -100, 100, 100), 20, 0)",
        "POLYGON",
        "",
        "PostGIS drops vertices less than half a unit apart before it rounds",
    ),
    ("ST_3D", "LINESTRING Z", "LINESTRING Z", PARALLEL),
    (
        "ST_3DClosestPoint",
        "LINESTRING Z",
        "POLYGON Z",
        "PostGIS has another place where a line goes through a polygon",
    ),
    (
        "ST_AsGeoJSON",
        "EMPTY",
        "",
        "EMPTY has no bounding box; PostGIS writes zeros",
    ),
    ("Box2D", "EMPTY", "", "EMPTY has no box in PostGIS"),
    ("ST_GeomFromEWKB(ST_AsEWKB(ST_SetSRID(", "", "", ONE_CRS),
    ("ST_GeomFromEWKT('SRID=3067;' ||", "", "", ONE_CRS),
    (
        "ST_HausdorffDistance(a, b, 0.3)",
        "POLYGON((24.9 60.1",
        "POLYGON((24.9 60.1",
        "A place on a side that is cut is rounded",
    ),
    ("ST_ConcaveHull(a, 0.1, true)", "POLYGON", "", NO_HOLES),
    ("ST_ConcaveHull(a, 0.3, true)", "POLYGON", "", NO_HOLES),
    ("ST_ConcaveHull(a, 0.4, true)", "POLYGON", "", NO_HOLES),
    ("ST_ConvexHull(a)", "(1 1,6 1,6 2,1 2,1 1)", "", OUTER_HOLE),
    ("ST_ConvexHull(a)", "(5 5,6 5,6 6,5 5)", "", OUTER_HOLE),
];

const NO_HOLES: &str = "A hull of polygons with holes is refused";
const ONE_CRS: &str =
    "A column has one CRS, known before its rows are read: of SRIDs in them it must be given";
const OF_TYPE_WITH_M: &str = "A geometry with M is of its type; PostGIS has NULL";
const LENGTH_OF_LINES: &str =
    "The length of polygons is 0, that of their rings is ST_PerimeterSpheroid";
const NO_DISTANCE: &str = "The distance to EMPTY is NULL, not -1";
const EMPTY_STAYS: &str = "EMPTY parts stay";
const CUT_FIRST: &str = "Lines are cut where they meet first; PostGIS takes them as they are";
const OVERLAPS: &str = "Polygons that overlap are united; PostGIS takes away what two rings share";
const ONE_UNIT: &str =
    "Where the border of a tile cuts an edge, the place is rounded to the nearest unit";
const ONE_POINT: &str = "A line of one point is EMPTY";
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
