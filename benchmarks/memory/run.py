#!/usr/bin/env python3
"""Joins whose build side is several times the memory limit: are the answers those of enough memory,
and does the process stay near the limit?

    benchmarks/memory/run.py --data benchmarks/data/sf1 --limit 128MB

Each case runs twice, without a limit and with it. Printed of each: the size of the build side (what
the join reserves for it when there is no limit) as a multiple of the limit, seconds, peak resident
memory (as `/usr/bin/time -v` has it), and bytes on disk. Exits with 1 if answers differ, if a case
does not spill, if it takes more than the limit and 300 MB, or if it leaves a file behind."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ALLOWANCE = 300e6

TRIP = """SELECT count(*) AS n, sum(t_fare) AS fare, sum(t_tripkey) AS trips, sum(t_distance) AS distance,
  round(sum(ST_X(t_dropoffloc)), 3) AS x, max(t_dropofftime) AS latest, sum({right}) AS partners"""

CASES = {
    "points, inner": (
        "left",
        TRIP.format(right="b_buildingkey")
        + " FROM '{data}/trip.parquet' JOIN '{data}/building.parquet' ON ST_DWithin(t_pickuploc, b_boundary, 0.005)",
    ),
    "points, outer": (
        "left",
        TRIP.format(right="b_buildingkey")
        + " FROM '{data}/trip.parquet' LEFT JOIN '{data}/building.parquet' ON ST_DWithin(t_pickuploc, b_boundary, 0.005)",
    ),
    "points, anti": (
        "left",
        TRIP.format(right="1")
        + " FROM '{data}/trip.parquet' WHERE NOT EXISTS (SELECT 1 FROM '{data}/building.parquet'"
        " WHERE ST_DWithin(t_pickuploc, b_boundary, 0.005))",
    ),
    "points, 5 nearest": (
        "right",
        TRIP.format(right="b_buildingkey")
        + " FROM '{data}/building.parquet' JOIN '{data}/trip.parquet' ON ST_KNN(ST_Centroid(b_boundary), t_pickuploc, 5)",
    ),
    "polygons, inner": (
        "left",
        """SELECT count(*) AS n, sum(z_zonekey) AS zones, sum(t_tripkey) AS trips, sum(length(z_name)) AS names, max(copy) AS copies
  FROM (SELECT *, 1 AS copy FROM '{data}/zone.parquet'
        UNION ALL SELECT *, 2 AS copy FROM '{data}/zone.parquet'
        UNION ALL SELECT *, 3 AS copy FROM '{data}/zone.parquet')
  JOIN (SELECT * FROM '{data}/trip.parquet' WHERE t_tripkey % 10 = 0) ON ST_Contains(z_boundary, t_pickuploc)""",
    ),
}


def size(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+) ?([KMG]?)i?B?", text).groups()
    return float(number) * {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[unit]


def run(arguments, sql, options, spill_dir):
    command = [arguments.binary, "query", sql, "--format", "csv", "--quiet"]
    command += ["--threads", str(arguments.threads), "--temp-dir", spill_dir, *options]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.time()
        process = subprocess.Popen(command, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.time() - start
        out.seek(0)
        err.seek(0)
        answer, message = out.read().decode(), err.read().decode()
    if status != 0:
        sys.exit(f"geoflow ended with status {status}: {message}\n{sql}")
    return answer, seconds, usage.ru_maxrss * 1024


def metric(plan, name):
    found = re.search(rf"SpatialJoinExec.*?\b{name}=([\d.]+ ?[KMG]?i?B?)", plan)
    return size(found.group(1).strip()) if found else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of trip.parquet, building.parquet, zone.parquet")
    parser.add_argument("--binary", default="target/release/geoflow")
    parser.add_argument("--limit", default="128MB")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", default="", help="only those whose name contains this")
    arguments = parser.parse_args()
    limit = size(arguments.limit)
    failed = False
    print(f"{'case':<20}{'build':>8}{'s':>8}{'peak MB':>9}   {'s':>8}{'peak MB':>9}{'disk MB':>9}{'cells':>7}{'passes':>8}")
    print(f"{'':<20}{'x limit':>8}{'no limit':>17}   {arguments.limit:>17}")
    for name, (side, sql) in CASES.items():
        if arguments.cases not in name:
            continue
        prefix = f"SET geoflow.join.build_side = '{side}'; "
        sql = sql.format(data=arguments.data)
        explain = f"{prefix}EXPLAIN ANALYZE {sql}"
        with tempfile.TemporaryDirectory() as spill_dir:
            answer, seconds, peak = run(arguments, prefix + sql, [], spill_dir)
            plan, _, _ = run(arguments, explain, [], spill_dir)
            build = metric(plan, "build_mem_used")
            limited = ["--memory-limit", arguments.limit]
            answer2, seconds2, peak2 = run(arguments, prefix + sql, limited, spill_dir)
            plan, _, _ = run(arguments, explain, limited, spill_dir)
            left = os.listdir(spill_dir)
        spilled = metric(plan, "spilled_bytes")
        print(
            f"{name:<20}{build / limit:>8.1f}{seconds:>8.1f}{peak / 1e6:>9.0f}   {seconds2:>8.1f}{peak2 / 1e6:>9.0f}"
            f"{spilled / 1e6:>9.0f}{metric(plan, 'spill_cells'):>7.0f}{metric(plan, 'spill_passes'):>8.0f}",
            flush=True,
        )
        for wrong, what in [
            (answer != answer2, f"answers differ:\n{answer}{answer2}"),
            (spilled == 0, "nothing was spilled"),
            (peak2 > limit + ALLOWANCE, f"more memory than {(limit + ALLOWANCE) / 1e6:.0f} MB"),
            (left, f"left on disk: {left}"),
        ]:
            if wrong:
                failed = True
                print(f"  {what}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
