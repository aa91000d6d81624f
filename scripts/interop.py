#!/usr/bin/env python3
"""Writes every geometry type in every GeoParquet version and encoding with geoflow, and reads it with others.

    pip install -r scripts/test-requirements.txt
    python scripts/interop.py [target/debug/geoflow]

Each reader must see the same geometries (as ISO WKB) and the same CRS, and geoparquet-validator must find nothing.
What a reader cannot hold is listed in KNOWN, with the reason.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GEOFLOW = Path(sys.argv[1] if len(sys.argv) > 1 else "target/debug/geoflow").resolve()
CRS = ["OGC:CRS84", "EPSG:3067"]
KINDS = {
    "Point": "(1 2)",
    "LineString": "(1 2,3 4,5 1)",
    "Polygon": "((0 0,10 0,10 10,0 0))",
    "MultiPoint": "((1 2),(3 4))",
    "MultiLineString": "((1 2,3 4),(5 6,7 8))",
    "MultiPolygon": "(((0 0,10 0,10 10,0 0)))",
}
MORE = {"": "", " Z": " 7", " M": " 7", " ZM": " 7 8"}
# Reader, and what it cannot hold: GeoPandas writes an EMPTY of Z, M or ZM as one of two dimensions; DuckDB and SedonaDB
# do not take GeoArrow encodings for geometry.
KNOWN = {("geopandas", " Z"), ("geopandas", " M"), ("geopandas", " ZM"), ("duckdb", "geoarrow"), ("sedonadb", "geoarrow")}


def coordinates(text, more):
    out, after_digit = "", False
    for ch in text:
        if ch in ",)" and after_digit:
            out += more
        after_digit = ch.isdigit()
        out += ch
    return out


def rows(ordinates, kinds):
    """WKT of one geometry of each kind, of an EMPTY one, and None."""
    all_rows = []
    for kind in kinds:
        all_rows.append(f"{kind.upper()}{ordinates} {coordinates(KINDS[kind], MORE[ordinates])}")
        all_rows.append(f"{kind.upper()}{ordinates} EMPTY")
        all_rows.append(None)
    return all_rows


def run(*words):
    done = subprocess.run([str(GEOFLOW), *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"geoflow {' '.join(words)}\n{done.stderr}")
    return done.stdout


def values(texts, crs):
    lines = ", ".join(f"({i}, {'NULL' if t is None else repr(t)})" for i, t in enumerate(texts))
    return f"SELECT id, ST_SetCRS(ST_GeomFromText(text), '{crs}') AS geometry FROM (VALUES {lines}) AS v(id, text)"


def by_geoflow(path):
    out = run("query", f"SELECT id, encode(ST_AsBinary(geometry), 'hex') AS wkb FROM '{path}' ORDER BY id", "--format", "ndjson")
    return [json.loads(line).get("wkb") for line in out.splitlines()]


def by_geopandas(path):
    import geopandas

    frame = geopandas.read_parquet(path).sort_values("id")
    wkb = frame.geometry.to_wkb(hex=True, flavor="iso")
    crs = frame.crs.to_authority() if frame.crs else None
    return [w.lower() if isinstance(w, str) else None for w in wkb], crs


def by_duckdb(path):
    import duckdb
    import duckdb_extensions

    duckdb_extensions.import_extension("spatial")
    connection = duckdb.connect()
    connection.execute("LOAD spatial")
    found = connection.execute(f"SELECT hex(ST_AsWKB(geometry)) FROM '{path}' ORDER BY id").fetchall()
    return [None if w is None else w.lower() for (w,) in found], None


def by_sedonadb(path):
    import sedonadb

    context = sedonadb.connect()
    context.read_parquet(str(path)).to_view("t")
    table = context.sql("SELECT id, ST_AsBinary(geometry) AS wkb FROM t ORDER BY id").to_arrow_table()
    return [None if w is None else bytes(w).hex() for w in table["wkb"].to_pylist()], None


READERS = {"geopandas": by_geopandas, "duckdb": by_duckdb, "sedonadb": by_sedonadb}


def folder_failures(folder):
    """GeoPandas takes a folder for one table, whose geometry it finds in what Arrow's reader says of the schema."""
    import geopandas

    texts = [f"POINT({i} {i})" for i in range(6)]
    select = f"SELECT *, id % 2 AS part FROM ({values(texts, 'EPSG:3067')})"
    failures = []
    for name, partitioned in [("flat", ""), ("hive", "PARTITIONED BY (part)")]:
        run("query", f"COPY ({select}) TO '{folder}/{name}/' STORED AS PARQUET {partitioned}", "--quiet")
        try:
            frame = geopandas.read_parquet(folder / name).sort_values("id")
        except Exception as error:
            failures.append(f"{name} folder: geopandas cannot read it: {str(error)[:200]}")
            continue
        if list(frame.geometry.x) != [0, 1, 2, 3, 4, 5] or frame.crs.to_authority() != ("EPSG", "3067"):
            failures.append(f"{name} folder: geopandas reads {frame}")
    return failures


def validator():
    beside = Path(sys.executable).with_name("geoparquet-validator")
    found = str(beside) if beside.exists() else shutil.which("geoparquet-validator")
    return found or sys.exit("geoparquet-validator is not there: pip install -r scripts/test-requirements.txt")


def main():
    failures, checked, program = [], 0, validator()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        cases = [(v, "wkb", list(KINDS)) for v in ("1.0", "1.1", "2.0")] + [("1.1", "geoarrow", [kind]) for kind in KINDS]
        for version, encoding, kinds in cases:
            for ordinates in MORE:
                if encoding == "geoarrow" and "M" in ordinates:
                    continue  # GeoParquet's encodings have no M, and geoflow says so.
                for crs in CRS:
                    name = f"{version}-{encoding}-{kinds[0] if len(kinds) == 1 else 'all'}{ordinates.replace(' ', '-')}-{crs.replace(':', '')}"
                    path = folder / f"{name}.parquet"
                    options = f"OPTIONS (geoparquet_version '{version}', encoding '{encoding}')"
                    run("query", f"COPY ({values(rows(ordinates, kinds), crs)}) TO '{path}' STORED AS PARQUET {options}", "--quiet")
                    expected = by_geoflow(path)
                    checked += 1
                    done = subprocess.run([program, "check", str(path)], capture_output=True, text=True)
                    if done.returncode != 0:
                        failures.append(f"{name}: geoparquet-validator: {done.stdout[-600:]}{done.stderr[-300:]}")
                    for reader, read in READERS.items():
                        if (reader, ordinates) in KNOWN or (reader, encoding) in KNOWN:
                            continue
                        try:
                            found, found_crs = read(path)
                        except Exception as error:
                            failures.append(f"{name}: {reader} cannot read it: {str(error)[:200]}")
                            continue
                        if found != expected:
                            different = next((a, b) for a, b in zip(found, expected) if a != b)
                            failures.append(f"{name}: {reader} reads {different[0]} where geoflow reads {different[1]}")
                        if found_crs is not None and ":".join(found_crs) != crs:
                            failures.append(f"{name}: {reader} reads the CRS {found_crs}")
        failures += folder_failures(folder)
    print(f"{checked} files, {len(failures)} failures")
    for failure in failures:
        print("  ", failure)
    sys.exit(1 if failures or not checked else 0)


if __name__ == "__main__":
    main()
