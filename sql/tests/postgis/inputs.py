"""The geometries that functions are asked about."""

POINTS = [
    "POINT(1 2)", "POINT(0 0)", "POINT(5 5)", "POINT(24.941 60.171)", "POINT EMPTY", "POINT Z (1 2 3)", "POINT M (1 2 3)",
    "POINT ZM (1 2 3 4)", "MULTIPOINT((1 1),(3 4))", "MULTIPOINT((1 1),(1 1),(5 2))", "MULTIPOINT EMPTY",
    "MULTIPOINT Z ((0 0 1),(3 4 5))",
]
LINES = [
    "LINESTRING(0 0,4 4)", "LINESTRING(0 0,2 1,4 0,6 3)", "LINESTRING(0 4,4 0)", "LINESTRING(1 1,1 1)",
    "LINESTRING(0 0,4 0,4 4,0 4,0 0)", "LINESTRING(0 0,4 4,4 0,0 4)", "LINESTRING(0 0,0 0,2 2,2 2,5 2)", "LINESTRING EMPTY",
    "LINESTRING Z (0 0 1,3 4 5,6 8 9)", "LINESTRING M (0 0 1,3 4 5)", "LINESTRING ZM (0 0 1 2,3 4 5 6)",
    "LINESTRING(24.91 60.15,24.95 60.17,24.99 60.16)", "LINESTRING(2 -1,2 5)", "LINESTRING(-1 2,7 2)",
    "MULTILINESTRING((0 0,1 1),(1 1,2 2),(5 0,6 1))", "MULTILINESTRING((0 0,4 0),(2 -2,2 2))", "MULTILINESTRING EMPTY",
    "MULTILINESTRING Z ((0 0 1,1 1 2),(3 3 3,4 4 5))",
]
POLYGONS = [
    "POLYGON((0 0,4 0,4 4,0 4,0 0))", "POLYGON((0 0,0 4,4 4,4 0,0 0))", "POLYGON((2 2,6 2,6 6,2 6,2 2))", "POLYGON((4 0,8 0,8 4,4 4,4 0))",
    "POLYGON((4 4,8 4,8 8,4 8,4 4))", "POLYGON((0 0,9 0,9 9,0 9,0 0),(3 3,3 6,6 6,6 3,3 3))", "POLYGON((0 0,6 0,3 5,0 0))",
    "POLYGON((3 3,6 3,6 6,3 6,3 3))", "POLYGON((0 0,8 0,8 8,4 3,0 8,0 0))", "POLYGON((0 0,9 0,9 9,0 9,0 0),(1 1,4 1,4 4,1 1),(5 5,8 5,8 8,5 5))",
    "POLYGON EMPTY", "POLYGON Z ((0 0 1,4 0 2,4 4 3,0 4 4,0 0 1))",
    "POLYGON((24.9 60.1,25.1 60.12,25.07 60.25,24.95 60.22,24.9 60.1))",
    "MULTIPOLYGON(((0 0,2 0,2 2,0 2,0 0)),((3 3,5 3,5 5,3 5,3 3)))", "MULTIPOLYGON(((0 0,9 0,9 9,0 9,0 0),(1 1,8 1,8 8,1 8,1 1)),((3 3,6 3,6 6,3 6,3 3)))",
    "MULTIPOLYGON EMPTY",
]
COLLECTIONS = [
    "GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,2 2),POLYGON((5 5,8 5,8 8,5 5)))", "GEOMETRYCOLLECTION EMPTY",
    "GEOMETRYCOLLECTION(POINT EMPTY,LINESTRING(0 0,2 3))", "GEOMETRYCOLLECTION Z (POINT Z (1 2 3))",
    "GEOMETRYCOLLECTION(GEOMETRYCOLLECTION(POINT(3 3)),MULTIPOINT((4 4),(5 5)))",
]
# What PostGIS calls invalid.
INVALID = [
    "POLYGON((0 0,4 4,4 0,0 4,0 0))", "POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,6 1,6 2,1 2,1 1))",
    "POLYGON((0 0,4 0,4 4,0 4,0 0),(5 5,6 5,6 6,5 5))", "MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)),((2 2,6 2,6 6,2 6,2 2)))",
    "POLYGON((0 0,4 0,4 4,2 4,2 6,2 4,0 4,0 0))",
]

# Where corners of no four triangles lie on one circle, so that there is one triangulation alone.
SCATTERED = [
    "MULTIPOINT((0 0),(4.1 0.3),(1.2 3.7))", "MULTIPOINT((0 0),(7.3 0.9),(1.7 6.1),(5.2 4.4),(3.3 2.1),(6.9 7.7),(0.4 8.2))",
    "MULTIPOINT((0 0),(4 0))", "MULTIPOINT((0 0),(2 1),(6 3))", "POINT(1 2)", "POINT EMPTY", "LINESTRING(0 0,3 5.1,7.7 1.3,2.2 6.4)",
    "POLYGON((0 0,9.1 0.2,8.3 7.7,5.5 2.1,1.4 6.6,0 0))",
    "MULTIPOINT((0.1 0.2),(9.7 0.4),(9.1 9.8),(0.6 9.3),(5.1 5.3),(1.2 4.4),(2.3 1.1),(7.4 2.2),(8.6 6.1),(4.2 8.7),(3.1 6.6),(6.3 3.9),(2.9 3.3),(6.8 8.1))",
]
# Lines and polygons with vertices to drop, some of which keep others apart.
WIGGLY = [
    "LINESTRING(0 0,1 0.13,2 -0.21,3 0.32,4 0.05,5 1.2,6 0.9,7 3.1,8 2.7,9 0.4,10 0)",
    "LINESTRING(0 0,5 4,10 0,10 5,5 4.2,0 5)", "LINESTRING(0 0,4 0,4 4,0 4,0.3 0.7,0 0)",
    "MULTILINESTRING((0 0,2 1.1,4 0.2,6 0.9,8 0),(0 0.7,4 1.3,8 0.6))",
    "POLYGON((0 0,2 0.2,4 -0.1,6 0.3,8 0,8.2 2,7.9 4,8.1 8,4 7.6,0 8,0.3 4,0 0))",
    "POLYGON((0 0,10 0,10 10,0 10,0 0),(0.5 0.5,5 0.7,9.5 0.5,9.3 5,9.5 9.5,5 9.2,0.5 9.5,0.6 5,0.5 0.5))",
    "MULTIPOLYGON(((0 0,5 0.4,10 0,5 2,0 0)),((0 1,5 2.3,10 1,5 6,0 1)))",
    "LINESTRING Z (0 0 1,1 0.13 2,2 -0.21 9,3 0.32 3,4 0.05 4)",
]
CUTS = [
    ("LINESTRING(0 0,4 0)", "POINT(1 0)"), ("LINESTRING(0 0,4 0)", "POINT(1 1)"), ("LINESTRING(0 0,4 0)", "POINT(0 0)"),
    ("LINESTRING(0 0,4 0)", "MULTIPOINT((1 0),(3 0),(0 0))"), ("LINESTRING(0 0,4 4,4 0,0 4)", "LINESTRING(1 -1,1 5)"),
    ("LINESTRING(0 0,4 4,4 0,0 4)", "LINESTRING(10 -1,10 5)"), ("LINESTRING(-1 1,5 1)", "POLYGON((0 0,4 0,4 4,0 4,0 0))"),
    ("MULTILINESTRING((0 0,4 0),(0 1,4 1))", "LINESTRING(1 -1,1 5)"), ("LINESTRING(0 0,4 0)", "LINESTRING(1 0,2 0)"),
    ("POLYGON((0 0,4 0,4 4,0 4,0 0))", "LINESTRING(-1 2,5 2)"), ("POLYGON((0 0,4 0,4 4,0 4,0 0))", "LINESTRING(-1 2,2 2)"),
    ("POLYGON((0 0,9 0,9 9,0 9,0 0),(3 3,3 6,6 6,6 3,3 3))", "LINESTRING(-1 4,10 4)"),
    ("POLYGON((0 0,9 0,9 9,0 9,0 0),(3 3,3 6,6 6,6 3,3 3))", "MULTILINESTRING((-1 1,10 1),(1 -1,1 10))"),
    ("POLYGON((0 0,9 0,9 9,0 9,0 0))", "LINESTRING(2 2,7 2,7 7,2 7,2 2)"),
    ("MULTIPOLYGON(((0 0,4 0,4 4,0 4,0 0)),((10 0,14 0,14 4,10 4,10 0)))", "LINESTRING(-1 2,5 2)"),
    ("GEOMETRYCOLLECTION(LINESTRING(0 0,4 0),POLYGON((0 0,4 0,4 4,0 4,0 0)))", "LINESTRING(1 -1,1 5)"),
    ("POLYGON((0 0,4 0,4 4,0 4,0 0))", "POINT(1 1)"), ("POINT(1 1)", "LINESTRING(0 0,2 2)"), ("POLYGON EMPTY", "LINESTRING(0 0,1 1)"),
    ("LINESTRING(0 0,1 1)", "LINESTRING EMPTY"), (None, "POINT(1 2)"), ("LINESTRING(0 0,4 0)", None),
]
# Lines that are cut where they meet: PostGIS cuts none that are not.
NETWORKS = [
    "MULTILINESTRING((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 1))", "MULTILINESTRING((0 0,2 0),(2 0,4 0,4 4,2 4),(2 4,0 4,0 0),(2 0,2 4))",
    "MULTILINESTRING((0 0,4 0),(4 0,4 4),(4 4,0 0),(0 0,-1 -1))", "LINESTRING(0 0,1 1)", "LINESTRING EMPTY", "POINT(1 1)",
    "POLYGON((0 0,4 0,4 4,0 4,0 0))", "MULTILINESTRING((0 0,9 0,9 9,0 9,0 0),(1 1,8 1,8 8,1 8,1 1),(2 2,7 2,7 7,2 7,2 2),(3 3,4 3,4 4,3 3))",
    "MULTILINESTRING((0 0,9 0,9 9,0 9,0 0),(2 2,4 2,4 4,2 4,2 2),(4 4,6 4,6 6,4 6,4 4))",
    "MULTILINESTRING((0 0,9 0,9 9,0 9,0 0),(9 9,12 12),(12 12,15 12,15 15,12 12))",
    "MULTIPOLYGON(((0 0,9 0,9 9,0 9,0 0),(1 1,8 1,8 8,1 8,1 1)),((3 3,6 3,6 6,3 6,3 3)))",
    "MULTILINESTRING((0 0,9 0),(9 0,9 9,0 9,0 0),(2 2,4 2,4 4),(4 4,2 4,2 2),(4 2,6 2,6 4,4 4))",
]

# With Z, and polygons in one plane each.
SPACE = [
    "POINT Z (1 2 3)", "POINT Z (9 9 9)", "POINT Z EMPTY", "MULTIPOINT Z ((0 0 1),(3 4 5))", "LINESTRING Z (0 0 1,3 4 5,6 8 9)",
    "LINESTRING Z (2 2 -3,2 2 8)", "LINESTRING Z (0 5 2,5 0 2)", "MULTILINESTRING Z ((0 0 1,1 1 2),(3 3 3,4 4 5))", "LINESTRING Z (7 1 0,7 8 0)",
    "POLYGON Z ((0 0 1,4 0 1,4 4 1,0 4 1,0 0 1))", "POLYGON Z ((0 0 0,6 0 0,6 0 6,0 0 6,0 0 0),(2 0 2,4 0 2,4 0 4,2 0 4,2 0 2))",
    "POLYGON Z ((0 0 2,5 0 4.5,5 5 7,0 5 4.5,0 0 2))", "LINESTRING Z (3 -2 3,3 2 3)", "LINESTRING Z (1 -2 1,1 2 1)",
    "MULTIPOLYGON Z (((8 8 8,9 8 8,9 9 8,8 8 8)),((-1 -1 -1,-2 -1 -1,-2 -2 -1,-1 -1 -1)))",
]
# Polygons with gaps and bays between them, without vertices on one circle.
APART = [
    "POLYGON((0 0,9.1 0.2,8.3 7.7,5.5 2.1,1.4 6.6,0 0))", "POLYGON((0 0,9.1 0.2,8.3 7.7,1.4 6.6,0 0),(3 2,3.3 4.1,5.2 4.4,3 2))",
    "POLYGON((0 0,20 1,21.3 3.2,5 2.9,4.4 11.7,22 13.1,20.7 16,1 15.2,0 0))", "POLYGON EMPTY", "MULTIPOLYGON EMPTY",
    "MULTIPOLYGON(((0 0,3 0.4,2.2 3.1,0 0)),((5.1 0.9,9.3 1.2,8.4 5.3,5.6 4.2,5.1 0.9)),((2.9 7.1,6.2 6.6,5.1 9.8,2.9 7.1)))",
    "MULTIPOLYGON(((0 0,10.3 0.2,10 2.1,0.3 1.7,0 0)),((0.2 8.1,10.1 7.7,9.9 9.2,0.5 10.1,0.2 8.1)),((0.7 2.9,1.9 3.1,1.6 7.2,0.9 6.8,0.7 2.9)),((8.2 3.3,9.7 2.8,9.4 7.1,8.5 6.9,8.2 3.3)))",
    "MULTIPOLYGON(((0 0,1 0.1,0.6 1.2,0 0)),((40 2,43.1 2.7,41 5.5,40 2)),((3 1.1,5.2 0.7,4.1 2.6,3 1.1)))",
]

ALL = POINTS + LINES + POLYGONS + COLLECTIONS
PLAIN = POINTS[:5] + POINTS[8:11] + LINES[:8] + LINES[11:17] + POLYGONS[:11] + POLYGONS[12:]
# Two of everything that is flat and not a collection: overlay, distances, relations.
PAIRS = [
    (a, b)
    for i, a in enumerate(PLAIN)
    for j, b in enumerate(PLAIN)
    if (i * 7 + j * 3) % 6 < 2 or ("POLYGON(" in a and "POLYGON(" in b)
]
FEW = [POINTS[0], POINTS[8], LINES[1], LINES[4], LINES[14], POLYGONS[0], POLYGONS[5], POLYGONS[8], POLYGONS[13], COLLECTIONS[0]]

SETS = {
    "all": [(a, None) for a in ALL],
    "valid_or_not": [(a, None) for a in ALL + INVALID],
    "points": [(a, None) for a in POINTS],
    "lines": [(a, None) for a in LINES],
    "areas": [(a, None) for a in POLYGONS + COLLECTIONS],
    "flat": [(a, None) for a in PLAIN],
    "scattered": [(a, None) for a in SCATTERED],
    "wiggly": [(a, None) for a in WIGGLY + PLAIN],
    "cuts": CUTS,
    "networks": [(a, None) for a in NETWORKS],
    "few": [(a, None) for a in FEW],
    "pairs": PAIRS,
    "space": [(a, b) for a in SPACE for b in SPACE],
    "apart": [(a, None) for a in APART],
    "point_pairs": [(a, b) for a in POINTS[:8] for b in POINTS[:8]],
    "null": [(None, "POINT(1 2)"), ("POINT(1 2)", None)],
    "none": [(None, None)],
}
