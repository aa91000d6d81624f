"""SpatialBench on geoflow and its peers, in turn, on this machine.

    python run.py --geoflow target/release/geoflow --data benchmarks/data/sf1 --out results

Every query runs in a fresh process for each engine, engines alternating: one warm-up, then the runs that count. The page
cache is therefore warm. All engines get the same number of threads, and no more cores than that. An answer that differs
from another engine's fails the run, unless KNOWN names it.

What is timed: from SQL text to the complete answer in Arrow, inside the process; for geoflow this is the total of
`--timing`, which includes naming the four tables and writing the answer as an Arrow file into memory (/dev/shm).
`wall` is the whole process, `cpu` and `peak` are of the process up to the answer.
"""

import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

import checksum
import engines
import report

HERE = Path(__file__).resolve().parent
QUERIES = [f"q{n:02}" for n in range(1, 12)] + ["q12_2025", "q12_2026"]
ENGINES = ["geoflow", "sedonadb", "duckdb", "pycanopy", "geopandas"]
PEER_PACKAGES = {"sedonadb": ["sedonadb"], "duckdb": ["duckdb", "duckdb-extension-spatial"], "pycanopy": ["pycanopy", "polars"], "geopandas": ["geopandas", "shapely"]}

# Nested loops that take hours at any scale worth measuring; `--all` tries them all the same.
HOPELESS = {("duckdb", "q12_2025"), ("duckdb", "q12_2026")}

# What an engine cannot express.
MISSING = {("geopandas", "q12_2025"), ("geopandas", "q12_2026")}

# Answers known to be wrong, with the reason. They are marked in the table, and do not fail the run.
KNOWN = {("duckdb", "q10"): "LEFT JOIN loses rows without a match (duckdb-spatial#871)"}


class Failed(Exception):
    """A query that gave no answer: `timeout`, or the engine's own words."""


def wait(process, deadline):
    """Waits for a process; returns its resource usage. Past the deadline it is killed."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if time.monotonic() > deadline:
            process.kill()
            os.wait4(process.pid, 0)
            process.returncode = -9
            raise Failed("timeout")
        time.sleep(0.002)


def run_geoflow(query, options):
    text = engines.query_text("geoflow", query, options.layout)
    command = [str(options.geoflow), "--timing", "--threads", str(options.threads), "query", "--format", "arrow"]
    for table in engines.tables(options.data):
        path = str(options.data / f"{table}.parquet").replace("'", "''")
        command += ["-c", f"CREATE EXTERNAL TABLE {table} STORED AS PARQUET LOCATION '{path}'"]
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, tempfile.TemporaryFile("w+") as errors:
        answer = Path(folder) / "answer.arrow"
        command += ["-c", text, "-o", str(answer)]
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        usage = wait(process, started + options.timeout)
        wall = time.monotonic() - started
        errors.seek(0)
        errors = errors.read()
        if process.returncode != 0:
            raise Failed(errors.strip()[-500:] or f"exit {process.returncode}")
        phases = {name: float(s) for name, s in re.findall(r"(\w+) ([\d.]+) s\b", errors)}
        used = {
            "seconds": phases["total"],
            "write_seconds": phases["write"],
            "cpu": usage.ru_utime + usage.ru_stime,
            "peak_mb": usage.ru_maxrss / 1024,
            "wall": wall,
        }
        return used, signature_of(answer)


def signature_of(answer):
    """The signature of an Arrow file, by a process of its own: what this one has had in memory would count as the peak of its children."""
    done = subprocess.run([sys.executable, str(HERE / "checksum.py"), str(answer)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def run_peer(engine, query, options):
    command = [sys.executable, str(HERE / "engines.py"), engine, query, str(options.data)]
    command += ["--layout", options.layout, "--threads", str(options.threads)]
    with tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        pipe = process.stdout.fileno()
        lines, wall = b"", None
        while True:
            # The limit is the engine's; signing millions of rows afterwards is not held against it.
            remaining = None if wall else options.timeout - (time.monotonic() - started)
            if remaining is not None and remaining <= 0 or not select.select([pipe], [], [], remaining)[0]:
                process.kill()
                process.wait()
                raise Failed("timeout")
            if not (piece := os.read(pipe, 1 << 16)):
                break
            lines += piece
            if wall is None and b"\n" in lines:
                wall = time.monotonic() - started
        process.wait()
        if process.returncode != 0 or wall is None:
            errors.seek(0)
            words = errors.read().strip()
            raise Failed(words[-500:] or f"exit {process.returncode}")
    used, signature = map(json.loads, lines.splitlines())
    return {**used, "wall": wall}, signature


def run_once(engine, query, options):
    return run_geoflow(query, options) if engine == "geoflow" else run_peer(engine, query, options)


def measure(query, options):
    """All engines on one query, alternating. Returns engine -> result."""
    results = {engine: {"runs": []} for engine in options.engines}
    for turn in range(options.runs + 1):
        for engine, result in results.items():
            if "failed" in result:
                continue
            if (engine, query) in MISSING or (engine, query) in HOPELESS and not options.all:
                result["failed"] = "no such query" if (engine, query) in MISSING else "not tried"
                continue
            try:
                used, signature = run_once(engine, query, options)
            except Failed as failure:
                result["failed"] = str(failure)
                continue
            if turn > 0:  # the first warms the page cache up
                result["runs"].append(used)
            if result.setdefault("answer", signature) != signature and not checksum.same(result["answer"], signature):
                result["failed"] = "two runs gave two answers"
    for result in results.values():
        if "failed" not in result:
            for name in ("seconds", "wall", "cpu", "peak_mb"):
                result[name] = statistics.median(run[name] for run in result["runs"])
    return results


def differences(query, results):
    """Engines whose answer is not that of the others, as text; the reference is the peer most agree with."""
    answers = {engine: r["answer"] for engine, r in results.items() if "answer" in r}
    if len(answers) < 2:
        return []
    agreeing = {e: sum(checksum.same(a, b) for b in answers.values()) for e, a in answers.items()}
    # With two answers that differ nothing tells which is right: a known wrong one is never the reference.
    trusted = [e for e in answers if (e, query) not in KNOWN] or list(answers)
    reference = max(trusted, key=lambda e: (agreeing[e], e != "geoflow"))
    return [e for e, a in answers.items() if not checksum.same(answers[reference], a)]


def machine():
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return {"cpu": cpu, "cores": os.cpu_count(), "memory_mb": memory, "system": platform.platform(), "python": platform.python_version()}


def versions(options):
    found = {}
    if "geoflow" in options.engines:
        found["geoflow"] = subprocess.run([options.geoflow, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    for engine in options.engines:
        for package in PEER_PACKAGES.get(engine, []):
            found[package] = metadata.version(package)
    return found


def data_hashes(folder):
    """SHA-256 of every table, remembered beside the data as long as size and time stay."""
    remembered = folder / ".sha256.json"
    known = json.loads(remembered.read_text()) if remembered.exists() else {}
    found = {}
    for table in engines.tables(folder):
        path = folder / f"{table}.parquet"
        state = [path.stat().st_size, path.stat().st_mtime_ns]
        if known.get(table, [None])[0] != state:
            with path.open("rb") as file:
                known[table] = [state, hashlib.file_digest(file, "sha256").hexdigest()]
        found[table] = known[table][1]
    remembered.write_text(json.dumps(known))
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables, such as benchmarks/data/sf1")
    parser.add_argument("--geoflow", type=Path, default=HERE.parents[1] / "target/release/geoflow", help="the binary")
    parser.add_argument("--engines", type=lambda s: s.split(","), default=ENGINES, help="default: all, separated by commas")
    parser.add_argument("--queries", type=lambda s: s.split(","), default=QUERIES, help="default: all, separated by commas")
    parser.add_argument("--layout", choices=["raw", "geo"], default="raw", help="plain WKB columns, or GeoParquet")
    parser.add_argument("--runs", type=int, default=3, help="runs that count, after one warm-up [3]")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one query in one engine [600]")
    parser.add_argument("--all", action="store_true", help="also what is known to take hours")
    parser.add_argument("--out", type=Path, help="folder for results.json, results.md and results.svg")
    parser.add_argument("--expect", type=Path, help="a file of answers to compare with instead of engines' (quick mode)")
    parser.add_argument("--write-expected", type=Path, help="write the answers that all engines agree on to this file")
    options = parser.parse_args()
    unknown = set(options.engines) - set(ENGINES) | set(options.queries) - set(QUERIES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    options.data = options.data.resolve()
    return options


def main():
    options = arguments()
    # The same cores for every engine: some size their pools by the machine whatever they are told.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    run = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(options),
        "data": {"folder": options.data.name, "layout": options.layout, "sha256": data_hashes(options.data)},
        "settings": {"threads": options.threads, "runs": options.runs, "timeout": options.timeout, "page_cache": "warm"},
        "queries": {},
    }
    expected = json.loads(options.expect.read_text()) if options.expect else {}
    failed = passed = 0
    for query in options.queries:
        results = run["queries"][query] = measure(query, options)
        wrong = differences(query, results)
        for engine, result in results.items():
            if query in expected and "answer" in result and not checksum.same(expected[query], result["answer"]):
                wrong.append(engine)
            if engine in wrong:
                result["wrong"] = KNOWN.get((engine, query), "the answer differs")
                failed += (engine, query) not in KNOWN
            words = [f"{result['seconds']:9.3f} s {result['peak_mb']:8.0f} MB"] if "seconds" in result else []
            words += [str(result[k]).splitlines()[-1] for k in ("failed", "wrong") if k in result]
            print(f"{query:9} {engine:9} {'; '.join(words)}", flush=True)
            if options.expect:
                fine = "failed" not in result and "wrong" not in result
                passed += fine
                failed += "failed" in result and (engine, query) not in MISSING
    if options.write_expected:
        sure = {}
        for query, results in run["queries"].items():
            answers = [r["answer"] for r in results.values() if "answer" in r and "wrong" not in r]
            if answers:
                sure[query] = answers[0]
        options.write_expected.write_text(json.dumps(sure, indent=1) + "\n")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "results.json").write_text(json.dumps(run, indent=1) + "\n")
        (options.out / "results.md").write_text(report.markdown(run))
        (options.out / "results.svg").write_text(report.chart(run))
    if options.expect:
        print(f"{passed} passed, {failed} failed")
    elif failed:
        print(f"{failed} answers differ", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
