"""How cost grows with the data: the same queries at several scale factors, and one statement in more and more fragments.

    python scaling.py factors --geoflow target/release/geoflow --data benchmarks/data/sf0.1 benchmarks/data/sf1 --out results
    python scaling.py fragments --geoflow target/release/geoflow --data benchmarks/data/sf1 --out results

`factors` runs `run.py`'s queries for each folder in turn (the options are its own) and prints seconds and peak memory side by
side, with the growth from one factor to the next. `fragments` writes trips LEFT JOIN zones (ST_Within) once by `geoflow query` and then
as a job of the local runner, in 1, 4 and 37 fragments with one worker and with two; all outputs must hold the same rows. Seconds
are those of the clock and of all processors together: the latter tell on a machine that does other things as well.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report
import run

# Of a factor of ten only trips and buildings are made.
TRIPS_AND_BUILDINGS = ["q01", "q03", "q08", "q12_2026"]

JOIN = """SELECT t_tripkey, t_pickuptime, z_zonekey, z_name
FROM '{trip}' LEFT JOIN '{zone}' ON ST_Within(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(z_boundary))"""


def factors(options):
    folders = [folder.resolve() for folder in options.data]
    results = {}
    for folder in folders:
        whole = run.engines.tables(folder) == run.engines.TABLES
        for query in options.queries if whole else [q for q in options.queries if q in TRIPS_AND_BUILDINGS]:
            options.data = folder
            measured = run.measure(query, options)
            wrong = run.differences(query, measured)
            for engine, result in measured.items():
                if engine in wrong and (engine, query) not in run.KNOWN:
                    sys.exit(f"{folder.name} {query}: {engine}'s answer differs")
                results.setdefault(query, {}).setdefault(engine, {})[folder.name] = result
                print(f"{folder.name:8} {query:9} {engine:9} {cell(result)}", flush=True)
    names = [folder.name for folder in folders]
    lines = ["| | engine | " + " | ".join(names) + " | growth |", "|---|---|" + "---:|" * (len(names) + 1)]
    for query, by_engine in results.items():
        for engine, by_folder in by_engine.items():
            seconds = [by_folder[n]["seconds"] for n in names if "seconds" in by_folder.get(n, {})]
            growth = ", ".join(f"{after / before:.1f}x" for before, after in zip(seconds, seconds[1:]))
            cells = [cell(by_folder[n]) if n in by_folder else "" for n in names]
            lines.append(f"| {query} | {engine} | " + " | ".join(cells) + f" | {growth} |")
    return lines, results


def cell(result):
    return report.cell(result, False)


def timed(command):
    def processors():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    started, before = time.perf_counter(), processors()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return time.perf_counter() - started, processors() - before


def signature(output):
    """Rows and an order-independent sum over a file or a folder of parts."""
    import pyarrow.dataset

    files = [str(output)] if output.is_file() else [str(part) for part in sorted(output.glob("part-*.parquet"))]
    return run.checksum.signature(pyarrow.dataset.dataset(files, format="parquet").to_table())


def fragments(options):
    data = options.data[0].resolve()
    statement = JOIN.format(trip=data / "trip.parquet", zone=data / "zone.parquet")
    geoflow, threads = str(options.geoflow), str(options.threads)
    plans = [("query", None, None)] + [(f"{n} fragments, {w} workers", n, w) for w in (1, 2) for n in (1, 4, 37)]
    walls, answers = {name: [] for name, _, _ in plans}, {}
    for turn in range(options.runs + 1):
        for name, count, workers in plans:
            with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
                output = Path(folder) / ("out.parquet" if count is None else "out")
                if count is None:
                    command = [geoflow, "--threads", threads, "query", "-c", statement, "-o", str(output)]
                else:
                    command = [geoflow, "--threads", threads, "job", "submit", "--runner", "local", "--fragments", str(count)]
                    command += ["--workers", str(workers), "--output", str(output), statement]
                seconds = timed(command)
                if turn > 0:
                    walls[name].append(seconds)
                else:
                    answers[name] = signature(output)
    for name, answer in answers.items():
        if not run.checksum.same(answers["query"], answer):
            sys.exit(f"{name}: the rows are not those of the single process")
    medians = {name: [statistics.median(column) for column in zip(*measured)] for name, measured in walls.items()}
    (single, single_cpu) = medians["query"]
    lines = ["| | seconds | of the single process | of processors | of the single process |", "|---|---:|---:|---:|---:|"]
    for name, (wall, cpu) in medians.items():
        lines.append(f"| {name} | {wall:.2f} | {wall / single:.2f} | {cpu:.2f} | {cpu / single_cpu:.2f} |")
    return lines, walls


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["factors", "fragments"])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of tables, the smallest first")
    parser.add_argument("--geoflow", type=Path, default=run.HERE.parents[1] / "target/release/geoflow")
    parser.add_argument("--engines", type=lambda s: s.split(","), default=["geoflow"])
    parser.add_argument("--queries", type=lambda s: s.split(","), default=run.QUERIES)
    parser.add_argument("--layout", choices=["raw", "geo"], default="raw")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--scratch", type=Path, help="where fragments are written [the system's folder of temporary files]")
    parser.add_argument("--out", type=Path, help="folder for scaling-*.json and scaling-*.md")
    options = parser.parse_args()
    options.all = False
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    lines, results = factors(options) if options.what == "factors" else fragments(options)
    text = f"{json.dumps(run.machine())}\n\n" + "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / f"scaling-{options.what}.json").write_text(json.dumps(results, indent=1) + "\n")
        (options.out / f"scaling-{options.what}.md").write_text(text)


if __name__ == "__main__":
    main()
