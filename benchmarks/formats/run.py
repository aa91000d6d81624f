#!/usr/bin/env python3
"""What people do with files all day, by geoflow and by its peers, on the same files: seconds, processors, memory.

    benchmarks/formats/run.py --data benchmarks/data/sf1

    sjoin     two GeoPackages, the second in another CRS, into a third: beside the GeoPandas script (`read_file`,
              `to_crs`, `sjoin`, `to_file`), and the same script slice by slice
    gpkg      a GeoPackage of half a million features into Arrow: beside pyogrio's `read_arrow`
    bbox      an aggregate over what lies in a box: beside DuckDB and SedonaDB, on the Hilbert-sorted file and the raw one
    convert   Parquet into Hilbert-sorted GeoParquet 1.1: beside DuckDB's `ORDER BY ST_Hilbert`

Every run is a process of its own, peers and geoflow in turn; the medians are printed. Of peers the time does not
include their imports; of geoflow it is that of the whole process. Answers are compared. Exits with 1 if they differ,
if geoflow is slower than the best peer, or if `sjoin` takes more than a quarter of the memory of GeoPandas."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLICE = 50_000
QUARTER = 0.25

# Of trips, the first ones, at random places; of zones, those that a desktop has as one layer: all of up to 1,000
# points (45,396 of them), and the states, provinces and counties among them.
POINTS = """SELECT t_tripkey, t_pickuptime, CAST(t_fare AS DOUBLE) AS t_fare, 'trip ' || t_tripkey AS t_name,
  {geometry} AS geom FROM '{data}/trip.parquet' LIMIT {rows}"""
ZONES = """SELECT z_zonekey, z_name, z_country, ST_Transform(ST_SetSRID(ST_GeomFromWKB(z_boundary), 4326), 'EPSG:3857') AS geom
  FROM '{data}/zone.parquet'
  WHERE ST_NPoints(ST_GeomFromWKB(z_boundary)) <= 1000 AND ST_YMin(ST_GeomFromWKB(z_boundary)) > -85
    AND ST_YMax(ST_GeomFromWKB(z_boundary)) < 85"""
PICKUP = "ST_SetSRID(ST_GeomFromWKB(t_pickuploc), 4326)"
LAYERS = {
    "points": POINTS.format(geometry=PICKUP, rows=500_000, data="{data}"),
    "points-50k": POINTS.format(geometry=PICKUP, rows=50_000, data="{data}"),
    "squares": POINTS.format(geometry=f"ST_Expand({PICKUP}, 0.0004)", rows=500_000, data="{data}"),
    "zones": ZONES,
    "regions": ZONES + " AND z_subtype IN ('region', 'county')",
}
JOINS = [("points", "regions"), ("points-50k", "regions"), ("squares", "regions"), ("points", "zones"), ("squares", "zones")]

SCRIPT = """
target, join = gpd.read_file('{target}'), gpd.read_file('{join}')
joined = gpd.sjoin(target, join.to_crs(target.crs), how='inner', predicate='intersects')
joined.to_file('{out}', layer='out', driver='GPKG')
"""
SLICES = """
join = None
first = 0
while True:
    target = gpd.read_file('{target}', rows=slice(first, first + {slice}))
    if len(target) == 0:
        break
    join = gpd.read_file('{join}').to_crs(target.crs) if join is None else join
    joined = gpd.sjoin(target, join, how='inner', predicate='intersects')
    joined.to_file('{out}', layer='out', driver='GPKG', mode='a' if first else 'w')
    first += {slice}
"""
# Starts a process and measures it. Linux counts the memory of the parent at the time of its start as that of the
# child, and this parent has held the answers of the run before.
LAUNCHER = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - start
print(json.dumps([seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6]), file=sys.stderr)
sys.exit(1 if status else 0)
"""
# What a peer does between the two lines is timed.
PEER = """
import json, resource, time
{imports}
def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), usage.ru_utime + usage.ru_stime
before = spent()
{program}
after = spent()
print(json.dumps([after[0] - before[0], after[1] - before[1], {answer}], default=str))
"""
SPATIAL = "import duckdb, duckdb_extensions; duckdb_extensions.import_extension('spatial')"
BOXES = {"of 1 %": (-112.0, 34.0, -100.0, 42.0), "of half": (-130.0, -60.0, 20.0, 35.0)}
AGGREGATE = "SELECT count(*) AS n, sum(t_fare) AS fare, max(t_pickuptime) AS latest FROM {table} WHERE {condition}"


class Bench:
    def __init__(self, options):
        self.options = options
        self.failed = False

    def measured(self, command):
        """Seconds, seconds of processors, peak in MB and the output of a process."""
        done = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, *command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stderr}")
        return *json.loads(done.stderr.splitlines()[-1]), done.stdout

    def geoflow(self, *words):
        return self.measured([str(self.options.binary), *map(str, words), "--threads", str(self.options.threads)])

    def peer(self, imports, program, answer="None"):
        text = PEER.format(imports=imports, program=program, answer=answer)
        *_, peak, out = self.measured([sys.executable, "-c", text])
        seconds, cpu, answer = json.loads(out.splitlines()[-1])
        return seconds, cpu, peak, answer

    def race(self, name, runners, alike):
        """Runs all in turn, prints medians. `alike` brings what they answer to what can be compared."""
        results = {who: [] for who in runners}
        answers = {}
        for _ in range(self.options.runs):
            for who, run in runners.items():
                result = run()
                results[who].append(result[:3])
                answers[who] = alike(result[3])
        medians = {who: [statistics.median(column) for column in zip(*runs)] for who, runs in results.items()}
        for who, (seconds, cpu, peak) in medians.items():
            print(f"{name:<26}{who:<20}{seconds:>9.3f}{cpu:>9.2f}{peak:>9.0f}", flush=True)
            name = ""
        if any(answer != answers["geoflow"] for answer in answers.values()):
            self.fail(f"answers differ: {json.dumps({who: str(answer)[:200] for who, answer in answers.items()}, indent=2)}")
        best = min(medians, key=lambda who: medians[who][0])
        if best != "geoflow":
            self.fail(f"geoflow is slower: {medians['geoflow'][0] / medians[best][0]:.2f} of the time of {best}")
        return medians

    def fail(self, what):
        self.failed = True
        print(f"  {what}", flush=True)


def prepare(bench, work):
    for name, sql in LAYERS.items():
        if not (work / f"{name}.gpkg").exists():
            bench.geoflow("query", sql.format(data=bench.options.data), "-o", work / f"{name}.gpkg", "--quiet")
    if not (work / "trip.parquet").exists():
        geometry = "t_pickuploc:OGC:CRS84"
        bench.geoflow("convert", bench.options.data / "trip.parquet", work / "trip.parquet", "--sort", "hilbert", "--geometry", geometry, "--quiet")


def pairs(path):
    """The rows of a joined layer, as far as both sides have them, in an order."""
    import pyogrio

    _, table = pyogrio.read_arrow(path)
    rows = zip(*(table.column(name).to_pylist() for name in ["t_tripkey", "z_zonekey", "t_name", "z_name", "geom"]))
    return sorted(rows, key=lambda row: row[:2])


def sjoin(bench, work):
    for target, join in JOINS:
        names = {"target": work / f"{target}.gpkg", "join": work / f"{join}.gpkg", "slice": SLICE}
        outs = {who: work / f"out-{i}.gpkg" for i, who in enumerate(["geoflow", "GeoPandas", "GeoPandas, slices"])}

        def ours(who, *more):
            words = [names["target"], names["join"], "-o", outs[who], "--layer", "out", "--overwrite", "--quiet", *more]
            return *bench.geoflow("sjoin", *words)[:3], outs[who]

        def theirs(who, script):
            outs[who].unlink(missing_ok=True)
            return *bench.peer("import geopandas as gpd", script.format(out=outs[who], **names))[:3], outs[who]

        runners = {
            "geoflow": lambda: ours("geoflow"),
            "GeoPandas": lambda: theirs("GeoPandas", SCRIPT),
            "GeoPandas, slices": lambda: theirs("GeoPandas, slices", SLICES),
        }
        medians = bench.race(f"sjoin {target}, {join}", runners, pairs)
        ratio = medians["geoflow"][2] / medians["GeoPandas"][2]
        if ratio > QUARTER:
            bench.fail(f"geoflow takes {ratio:.2f} of the memory of GeoPandas")
        for out in outs.values():
            out.unlink(missing_ok=True)


def gpkg(bench, work):
    import pyarrow

    for layer in ["points", "squares"]:
        path = work / f"{layer}.gpkg"
        with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
            out = Path(memory) / "out.arrow"

            def ours():
                result = bench.geoflow("query", f"SELECT * FROM '{path}'", "-o", out, "--overwrite", "--quiet")
                table = pyarrow.ipc.open_file(out).read_all()
                return *result[:3], [table.num_rows, table.column("t_name").nbytes > 0]

            read = f"_, table = pyogrio.read_arrow('{path}')"
            answer = "[table.num_rows, table.column('t_name').nbytes > 0]"
            bench.race(f"gpkg {layer}", {
                "geoflow": ours,
                "pyogrio": lambda: bench.peer("import pyogrio, pyarrow", read, answer),
            }, lambda answer: answer)


def bbox(bench, work):
    # As the types of the peers differ.
    alike = lambda answer: [int(answer[0]), round(float(answer[1]), 2), str(answer[2])[:19].replace("T", " ")]
    raw = "ST_GeomFromWKB(t_pickuploc)"
    cases = {"sorted": (work / "trip.parquet", "t_pickuploc"), "raw": (bench.options.data / "trip.parquet", raw)}
    for layout, (path, geometry) in cases.items():
        for name, (x0, y0, x1, y1) in BOXES.items():
            ring = f"POLYGON(({x0} {y0}, {x1} {y0}, {x1} {y1}, {x0} {y1}, {x0} {y0}))"
            box = f"ST_GeomFromText('{ring}')"

            def text(table, box=box):
                return AGGREGATE.format(table=table, condition=f"ST_Intersects({geometry}, {box})")

            def ours():
                result = bench.geoflow("query", text(f"'{path}'"), "--format", "json", "--quiet")
                return *result[:3], list(json.loads(result[3])[0].values())

            duckdb = (
                f"connection = duckdb.connect(); connection.execute('LOAD spatial; SET threads = {bench.options.threads}'); "
                f"""row = connection.sql("{text(f"'{path}'")}").fetchone()"""
            )
            of_crs = f"ST_SetSRID({box}, 4326)" if layout == "sorted" else box
            sedona = (
                f"context = sedonadb.connect(); context.sql('SET datafusion.execution.target_partitions = {bench.options.threads}').execute(); "
                f"context.read_parquet('{path}').to_view('trip'); "
                f"""row = list(context.sql("{text("trip", of_crs)}").to_arrow_table().to_pylist()[0].values())"""
            )
            bench.race(f"bbox {name}, {layout}", {
                "geoflow": ours,
                "DuckDB": lambda: bench.peer(SPATIAL, duckdb, "list(row)"),
                "SedonaDB": lambda: bench.peer("import sedonadb, geoarrow.pyarrow", sedona, "list(row)"),
            }, alike)


def convert(bench, work):
    sys.path.insert(0, str(ROOT / "benchmarks/spatialbench"))
    import make_geo

    options = argparse.Namespace(geoflow=bench.options.binary, threads=bench.options.threads)
    for table in ["trip", "zone"]:
        source, out = bench.options.data / f"{table}.parquet", work / f"out-{table}.parquet"
        columns = make_geo.GEOMETRY[table]

        def run(maker):
            out.unlink(missing_ok=True)
            seconds, cpu, peak = maker(options, source, out, columns)
            import pyarrow.parquet

            return seconds, cpu, peak * 1.048576, pyarrow.parquet.read_metadata(out).num_rows

        bench.race(f"convert {table}", {
            "geoflow": lambda: run(make_geo.by_geoflow),
            "DuckDB": lambda: run(make_geo.by_duckdb),
        }, lambda rows: rows)
        out.unlink(missing_ok=True)


CASES = {"sjoin": sjoin, "gpkg": gpkg, "bbox": bbox, "convert": convert}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of trip.parquet and zone.parquet")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/geoflow")
    parser.add_argument("--work", type=Path, help="where the layers made of them are kept [default: gone at the end]")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    bench = Bench(parser.parse_args())
    with tempfile.TemporaryDirectory() as folder:
        work = bench.options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        prepare(bench, work)
        print(f"{'':<46}{'s':>9}{'cpu s':>9}{'peak MB':>9}")
        for case in bench.options.cases.split(","):
            CASES[case](bench, work)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
