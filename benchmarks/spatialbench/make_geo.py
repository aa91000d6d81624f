"""The layout `geo` of a scale factor: GeoParquet 1.1 along a Hilbert curve, made by `geoflow convert`.

python make_geo.py data/sf1 [data/sf1-geo] [--geoflow PATH]

With --time DuckDB makes the tables with geometry as well, from the same files, one after the other, and both
times are printed. DuckDB writes no covering and no statistics per page; it gets the same codec.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GEOMETRY = {
    "trip": ["t_pickuploc", "t_dropoffloc"],
    "building": ["b_boundary"],
    "zone": ["z_boundary"],
}
PLAIN = ["customer", "driver", "vehicle"]


def measured(command):
    """Seconds on the clock and of the processors, and the peak of memory in MB, of a command."""
    started = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def by_geoflow(options, source, target, columns):
    command = [str(options.geoflow), "convert", str(source), str(target), "--sort", "hilbert", "--overwrite", "--quiet"]
    command += ["--threads", str(options.threads)]
    for column in columns:
        command += ["--geometry", f"{column}:OGC:CRS84"]
    return measured(command)


def by_duckdb(options, source, target, columns):
    replaced = ", ".join(f"ST_GeomFromWKB({column}) AS {column}" for column in columns)
    world = "{'min_x': -180.0, 'min_y': -90.0, 'max_x': 180.0, 'max_y': 90.0}::BOX_2D"
    text = (
        f"SET threads = {options.threads}; LOAD spatial; COPY (SELECT * REPLACE ({replaced}) FROM '{source}' "
        f"ORDER BY ST_Hilbert(ST_Centroid(ST_GeomFromWKB({columns[0]})), {world})) "
        f"TO '{target}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)"
    )
    program = (
        "import duckdb, duckdb_extensions; duckdb_extensions.import_extension('spatial'); "
        f"duckdb.connect().execute({text!r})"
    )
    return measured([sys.executable, "-c", program])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--geoflow", type=Path, default=ROOT / "target/release/geoflow")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--time", action="store_true", help="let DuckDB do the same, and print the times of both")
    options = parser.parse_args()
    target = options.target or options.source.with_name(options.source.name + "-geo")
    target.mkdir(parents=True, exist_ok=True)
    for table, columns in GEOMETRY.items():
        source = options.source / f"{table}.parquet"
        if not source.exists():
            continue
        done = by_geoflow(options, source, target / source.name, columns)
        print(f"{table:10} geoflow {done[0]:7.1f} s {done[1]:7.1f} s of processors {done[2]:7.0f} MB")
        if options.time:
            with tempfile.TemporaryDirectory(dir=target) as folder:
                done = by_duckdb(options, source, Path(folder) / source.name, columns)
            print(f"{table:10} DuckDB  {done[0]:7.1f} s {done[1]:7.1f} s of processors {done[2]:7.0f} MB")
    for table in PLAIN:
        source = options.source / f"{table}.parquet"
        if source.exists():
            shutil.copyfile(source, target / source.name)


if __name__ == "__main__":
    main()
