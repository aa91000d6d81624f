#!/usr/bin/env python3
"""Writes GeoPackage, FlatGeobuf, Shapefile, GeoJSON, CSV and Arrow with geoflow, and reads them with GeoPandas and DuckDB.

    pip install -r scripts/test-requirements.txt
    python scripts/interop_formats.py [target/debug/geoflow]

Every type of geometry with Z, M and ZM, EMPTY and NULL, columns of every type with NULL, and the CRS must come back as they
were. What a format cannot hold must be refused, with a message that says so. scripts/test runs this.
"""

import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import duckdb_extensions
import geopandas
import pyarrow
import pyogrio
import shapely

GEOFLOW = Path(sys.argv[1] if len(sys.argv) > 1 else "target/debug/geoflow").resolve()
KINDS = {
    "Point": "(1 2)",
    "LineString": "(1 2,3 4,5 1)",
    "Polygon": "((0 0,0 10,10 10,0 0),(1 2,3 4,2 4,1 2))",
    "MultiPoint": "((1 2),(3 4))",
    "MultiLineString": "((1 2,3 4),(5 6,7 8,9 1))",
    "MultiPolygon": "(((0 0,0 10,10 10,0 0)),((20 20,20 30,30 30,20 20)))",
    "GeometryCollection": "(POINT{} (1 2),LINESTRING{} (3 4,5 6))",
}
# What geoflow reads back itself.
READ = ["gpkg", "fgb"]
MORE = {"": "", " Z": " 7", " M": " 7", " ZM": " 7 8"}
# Ordinates by name, as a geometry and its parts are tagged with them.
CRS = {"EPSG:3067": "EPSG:3067", "OGC:CRS84": "EPSG:4326"}

failures, checked = [], 0


def check(what, found, expected):
    global checked
    checked += 1
    if found != expected:
        failures.append(f"{what}\n      found    {found}\n      expected {expected}")


def geoflow(*words, wrong=False):
    done = subprocess.run([str(GEOFLOW), *map(str, words)], capture_output=True, text=True)
    if not wrong and done.returncode != 0:
        raise SystemExit(f"geoflow {' '.join(map(str, words))}\n{done.stderr}")
    return done.stderr if wrong and done.returncode == 1 else done.stdout


def coordinates(text, more):
    out, after_digit = "", False
    for ch in text:
        if ch in ",)" and after_digit:
            out += more
        after_digit = ch.isdigit()
        out += ch
    return out


def wkt(kind, ordinates, empty=False):
    body = "EMPTY" if empty else coordinates(KINDS[kind].format(ordinates, ordinates), MORE[ordinates])
    return f"{kind.upper()}{ordinates} {body}"


def geometries(kinds, ordinates, empty, crs):
    """A query of numbered geometries, and their WKB as geoflow has it."""
    texts = []
    for kind in kinds:
        texts.append(wkt(kind, ordinates))
        if empty:
            texts.append(wkt(kind, ordinates, empty=True))
        texts.append(None)
    rows = ", ".join(f"({i}, {'NULL' if t is None else repr(t)})" for i, t in enumerate(texts))
    sql = f"SELECT id, ST_SetCRS(ST_GeomFromText(text), '{crs}') AS geometry FROM (VALUES {rows}) AS v(id, text)"
    lines = geoflow("query", f"SELECT id, encode(ST_AsBinary(geometry), 'hex') AS wkb FROM ({sql}) ORDER BY id", "--format", "ndjson")
    return sql, {row["id"]: row["wkb"] for row in map(json.loads, lines.splitlines())}


def by_pyogrio(path, expected, layer=None):
    """Geometries as WKB and the CRS, without GEOS, which drops what it cannot hold."""
    nulls = [str(i) for i, wkb in expected.items() if wkb is None]
    # GDAL 3.12 hands broken offsets for NULL geometries of FlatGeobuf to Arrow. The other way has no M, and Z as a flag.
    where = f"id NOT IN ({', '.join(nulls)})" if path.suffix == ".fgb" and nulls else None
    if where and all(wkb is None or wkb[4:6] == "00" for wkb in expected.values()):
        meta, _, geometry, columns = pyogrio.raw.read(path, layer=layer)
        ids = columns[list(meta["fields"]).index("id")]
        return {int(i): None if w is None else iso(w) for i, w in zip(ids, geometry)}, meta["crs"]
    meta, table = pyogrio.read_arrow(path, layer=layer, where=where)
    wkb = table[meta["geometry_name"] or "wkb_geometry"].to_pylist()
    found = {i: None if w is None else iso(w) for i, w in zip(table["id"].to_pylist(), wkb)}
    if where:
        found |= {int(i): None for i in nulls}
    return found, meta["crs"]


def iso(wkb):
    """WKB as geoflow writes it. GDAL makes an EMPTY of one part that is EMPTY out of what FlatGeobuf holds of an EMPTY."""
    code = int.from_bytes(wkb[1:5], "little")
    one_empty_part = {3: 13, 5: 18, 6: 18, 4: 30}.get(code % 1000)
    if len(wkb) == one_empty_part and shapely.from_wkb(wkb).is_empty:
        return (wkb[:5] + bytes(4)).hex()
    return wkb.hex()


def flat_empties(found):
    def flat(wkb):
        geometry = wkb and shapely.from_wkb(bytes.fromhex(wkb))
        return f"{geometry.geom_type} EMPTY" if geometry is not None and geometry.is_empty else wkb

    return {i: flat(wkb) for i, wkb in found.items()}


def by_duckdb(path):
    connection = duckdb.connect()
    connection.execute("LOAD spatial")
    columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM ST_Read('{path}')").fetchall()]
    name = next(c for c in columns if c in ("geometry", "geom"))
    rows = connection.execute(f"SELECT id, hex(ST_AsWKB({name})) FROM ST_Read('{path}')").fetchall()
    return {i: None if w is None else w.lower() for i, w in rows}


def same_geometries(name, path, expected, crs, layer=None):
    found, found_crs = by_pyogrio(path, expected, layer)
    if path.suffix == ".fgb":
        # GDAL forgets the dimensions of an EMPTY that it reads from one.
        found, expected = flat_empties(found), flat_empties(expected)
    check(f"{name}: pyogrio", found, expected)
    if crs is not None:
        check(f"{name}: CRS", found_crs, CRS[crs])
    # GeoPandas reads it as its users do.
    frame = geopandas.read_file(path, layer=layer)
    check(f"{name}: GeoPandas rows", len(frame), len(expected))
    check(f"{name}: GeoPandas NULL", int(frame.geometry.isna().sum()), sum(w is None for w in expected.values()))


def back(name, path, expected):
    """geoflow reads what it has written."""
    lines = geoflow("query", f"SELECT id, encode(ST_AsBinary(geometry), 'hex') AS wkb FROM '{path}'", "--format", "ndjson")
    check(f"{name}: geoflow", {row["id"]: row["wkb"] for row in map(json.loads, lines.splitlines())}, expected)


def both_ways(folder, extension, name, sql, expected, crs, ordinates):
    path = folder / f"{name}.{extension}"
    geoflow("query", f"COPY ({sql}) TO '{path}'", "-q")
    same_geometries(f"{extension} {name}", path, expected, crs)
    if extension in READ:
        back(f"{extension} {name}", path, expected)
    # DuckDB's ST_Read takes no M, and of FlatGeobuf no Z, no NULL, no EMPTY and no mixed types.
    if extension == "fgb" and name.startswith("all"):
        return
    if extension == "fgb":
        path = folder / f"{name}-without.{extension}"
        geoflow("query", f"COPY (SELECT * FROM ({sql}) WHERE NOT ST_IsEmpty(geometry)) TO '{path}'", "-q")
        expected = {i: wkb for i, wkb in flat_empties(expected).items() if wkb and "EMPTY" not in wkb}
    if not ordinates or (extension == "gpkg" and "M" not in ordinates):
        check(f"{extension} {name}: DuckDB", {i: w and iso(bytes.fromhex(w)) for i, w in by_duckdb(path).items()}, expected)


def all_geometries(folder):
    for ordinates in MORE:
        for crs in CRS:
            tag = f"{ordinates.strip() or 'XY'}-{crs[:4]}"
            sql, expected = geometries(KINDS, ordinates, True, crs)
            both_ways(folder, "gpkg", f"all-{tag}", sql, expected, crs, ordinates)
            if not ordinates:
                # pyogrio knows no layer of mixed types with Z or M.
                both_ways(folder, "fgb", f"all-{tag}", sql, expected, crs, ordinates)
            for kind in KINDS:
                both_ways(folder, "fgb", f"{kind}-{tag}", *geometries([kind], ordinates, True, crs), crs, ordinates)
            # Text and Arrow hold them all.
            csv, arrow = folder / f"all-{tag}.csv", folder / f"all-{tag}.arrow"
            geoflow("query", sql, "-o", csv)
            texts = geoflow("query", f"SELECT id, ST_AsText(geometry) AS geometry FROM ({sql})", "--format", "csv")
            check(f"csv {tag}", sorted(csv.read_text().splitlines()), sorted(texts.splitlines()))
            geoflow("query", sql, "-o", arrow)
            table = pyarrow.ipc.open_file(arrow).read_all()
            found = {i: None if w is None else w.hex() for i, w in zip(table["id"].to_pylist(), table["geometry"].to_pylist())}
            check(f"arrow {tag}", found, expected)
            label = table.schema.field("geometry").metadata
            check(f"arrow {tag}: type", label[b"ARROW:extension:name"], b"geoarrow.wkb")
            check(f"arrow {tag}: CRS", CRS.get(crs).split(":")[1] in label[b"ARROW:extension:metadata"].decode() or "CRS84" in label[b"ARROW:extension:metadata"].decode(), True)


def shapefiles(folder):
    for kind in KINDS:
        for ordinates in MORE:
            name = f"shp {kind}{ordinates}"
            path = folder / f"{kind}{ordinates.replace(' ', '-')}.shp"
            sql, expected = geometries([kind], ordinates, False, "EPSG:3067")
            if kind == "GeometryCollection":
                check(name, "no collections" in geoflow("query", f"COPY ({sql}) TO '{path}'", wrong=True), True)
                continue
            geoflow("query", f"COPY ({sql}) TO '{path}'", "-q")
            found, crs = by_pyogrio(path, expected)
            check(f"{name}: CRS", crs, "EPSG:3067")
            check(f"{name}: pyogrio", found, expected)
            back(name, path, expected)
            if "M" not in ordinates:
                check(f"{name}: DuckDB", by_duckdb(path), expected)
            empty, _ = geometries([kind], ordinates, True, "EPSG:3067")
            refused = geoflow("query", f"COPY ({empty}) TO '{folder / 'empty.shp'}'", wrong=True)
            check(f"{name}: EMPTY", "EMPTY" in refused, True)
            check(f"{name}: nothing is left", list(folder.glob("*empty*")), [])


def geojson(folder):
    for ordinates in ("", " Z"):
        sql, expected = geometries(KINDS, ordinates, False, "OGC:CRS84")
        for extension in ("geojson", "geojsonl"):
            path = folder / f"all{ordinates.strip()}.{extension}"
            geoflow("query", sql, "-o", path)
            found, crs = by_pyogrio(path, expected)
            same = {i: w and shapely.from_wkb(bytes.fromhex(w)).normalize().wkb_hex for i, w in found.items()}
            wanted = {i: w and shapely.from_wkb(bytes.fromhex(w)).normalize().wkb_hex for i, w in expected.items()}
            check(f"{extension}{ordinates}: pyogrio", same, wanted)
            check(f"{extension}{ordinates}: CRS", crs, "EPSG:4326")


VALUES = {
    "flag": ("arrow_cast({}, 'Boolean')", ["true", "false", "NULL"], [True, False, None]),
    "small": ("arrow_cast({}, 'Int16')", ["-32768", "32767", "NULL"], [-32768, 32767, None]),
    "medium": ("arrow_cast({}, 'Int32')", ["-2147483648", "2147483647", "NULL"], [-2147483648, 2147483647, None]),
    "big": ("arrow_cast({}, 'Int64')", ["-99999999999999999", "99999999999999999", "NULL"], [-99999999999999999, 99999999999999999, None]),
    "single": ("arrow_cast({}, 'Float32')", ["0.5", "-1.25", "NULL"], [0.5, -1.25, None]),
    "double": ("arrow_cast({}, 'Float64')", ["0.1", "-1.7976931348623157e308", "NULL"], [0.1, -1.7976931348623157e308, None]),
    "name": ("arrow_cast({}, 'Utf8')", ["'Åäö 日本 🗺'", "'it''s \"quoted\", x'", "NULL"], ["Åäö 日本 🗺", "it's \"quoted\", x", None]),
    "day": ("arrow_cast({}, 'Date32')", ["'2024-02-29'", "'1815-06-18'", "NULL"], [datetime.date(2024, 2, 29), datetime.date(1815, 6, 18), None]),
    "at": ("arrow_cast({}, 'Timestamp(Millisecond, None)')", ["'2024-02-29T12:30:00.125'", "'1969-12-31T23:59:59'", "NULL"], [datetime.datetime(2024, 2, 29, 12, 30, 0, 125000), datetime.datetime(1969, 12, 31, 23, 59, 59), None]),
    "utc": ("arrow_cast({}, 'Timestamp(Millisecond, Some(\"UTC\"))')", ["'2024-02-29T12:30:00.125Z'", "'1999-12-31T23:59:59Z'", "NULL"], [datetime.datetime(2024, 2, 29, 12, 30, 0, 125000, datetime.timezone.utc), datetime.datetime(1999, 12, 31, 23, 59, 59, 0, datetime.timezone.utc), None]),
    "bytes": ("arrow_cast(decode({}, 'hex'), 'Binary')", ["'00ff10'", "'aa'", "NULL"], [b"\x00\xff\x10", b"\xaa", None]),
}


def value_query(columns):
    lines = []
    for row in range(3):
        values = [f"{VALUES[c][0].format(VALUES[c][1][row])} AS \"{c}\"" for c in columns]
        lines.append(f"SELECT {row} AS id, {', '.join(values)}, ST_SetCRS(ST_Point({row}, 1), 'EPSG:4326') AS geometry")
    return " UNION ALL ".join(lines)


def plain(value):
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    return value


def attributes(folder):
    times = ("at", "utc", "day")
    for extension, without, loose in [
        ("gpkg", [], []),
        # One type for days and moments.
        ("fgb", [], ["day"]),
        ("shp", ["at", "utc", "bytes"], []),
    ]:
        columns = [c for c in VALUES if c not in without]
        path = folder / f"values.{extension}"
        geoflow("query", f"COPY ({value_query(columns)}) TO '{path}'", "-q")
        meta, table = pyogrio.read_arrow(path)
        rows = {row["id"]: row for row in table.to_pylist()}
        for column in columns:
            found = [rows[i][column] for i in range(3)]
            expected = VALUES[column][2]
            if column in times:
                found, expected = list(map(plain, found)), list(map(plain, expected))
            if column in loose:
                found = [f and f.date() if isinstance(f, datetime.datetime) else f for f in found]
            if column == "flag":
                found = [None if f is None else bool(f) for f in found]
            check(f"{extension}: column {column}", found, expected)
        for column in without:
            refused = geoflow("query", f"COPY ({value_query([column])}) TO '{folder / 'x.shp'}'", wrong=True)
            check(f"{extension}: column {column} is refused", f'"{column}"' in refused, True)


def details(folder):
    """What makes a GeoPackage more than a table: index, layers, keys."""
    import sqlite3

    path = folder / "grid.gpkg"
    grid = "SELECT i AS fid, ST_SetCRS(ST_Point(i % 300, i / 300), 'EPSG:3067') AS geom FROM generate_series(1, 60000) AS t(i)"
    geoflow("query", f"COPY ({grid}) TO '{path}'", "-q")
    connection = sqlite3.connect(path)
    check("gpkg: integrity", connection.execute("PRAGMA integrity_check").fetchone(), ("ok",))
    check("gpkg: foreign keys", connection.execute("PRAGMA foreign_key_check").fetchall(), [])
    check("gpkg: index", connection.execute("SELECT rtreecheck('rtree_grid_geom')").fetchone(), ("ok",))
    check("gpkg: type", connection.execute("SELECT geometry_type_name, z, m FROM gpkg_geometry_columns").fetchone(), ("POINT", 0, 0))
    check("gpkg: bounds", connection.execute("SELECT min_x, min_y, max_x, max_y FROM gpkg_contents").fetchone(), (0, 0, 299, 200))
    connection.close()
    info = pyogrio.read_info(path)
    check("gpkg: GDAL uses the index", info["capabilities"]["fast_spatial_filter"], True)
    check("gpkg: key", info["fid_column"], "fid")
    inside = geopandas.read_file(path, bbox=(9.5, 9.5, 19.5, 19.5))
    check("gpkg: bbox", len(inside), 100)
    # GDAL goes on where geoflow has ended: its triggers keep the index.
    more = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy([9.75], [9.75]), crs=3067).rename_geometry("geom")
    more.to_file(path, layer="grid", mode="a", engine="pyogrio")
    check("gpkg: bbox after GDAL adds", len(geopandas.read_file(path, bbox=(9.5, 9.5, 19.5, 19.5))), 101)
    geoflow("query", f"COPY ({grid} LIMIT 5) TO '{path}' OPTIONS (layer 'few', if_exists 'append')", "-q")
    check("gpkg: layers", sorted(name for name, _ in pyogrio.list_layers(path)), ["few", "grid"])
    check("gpkg: both are there", [len(geopandas.read_file(path, layer=name)) for name in ("grid", "few")], [60001, 5])

    fgb = folder / "grid.fgb"
    geoflow("query", f"COPY ({grid}) TO '{fgb}'", "-q")
    check("fgb: bbox", len(geopandas.read_file(fgb, bbox=(9.5, 9.5, 19.5, 19.5))), 100)
    check("fgb: GDAL uses the index", pyogrio.read_info(fgb)["capabilities"]["fast_spatial_filter"], True)


def main():
    duckdb_extensions.import_extension("spatial")
    with tempfile.TemporaryDirectory() as folder:
        for part in (all_geometries, shapefiles, geojson, attributes, details):
            own = Path(folder) / part.__name__
            own.mkdir()
            part(own)
    print(f"{checked} comparisons, {len(failures)} failures")
    for failure in failures:
        print("  ", failure)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
