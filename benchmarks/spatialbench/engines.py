"""Runs one query in one of the peers, in this process, and says what it took: the child that `run.py` starts.

Prints two lines of JSON. The first comes when the complete answer is in memory as an Arrow table: seconds from SQL text
to there, CPU seconds and peak memory of the process so far. The second, after it, is the answer's signature.
"""

import argparse
import json
import os
import re
import resource
import sys
import time
from pathlib import Path

TABLES = ["trip", "building", "customer", "zone"]


def tables(data):
    """The tables that are there: of large scale factors only some are made."""
    return [table for table in TABLES if (data / f"{table}.parquet").exists()]


def query_text(engine, query, layout):
    """The query's text, less comments. GeoParquet columns are geometries as they come, so `geo` has no WKB to parse."""
    text = (Path(__file__).parent / "queries" / engine / f"{query}.sql").read_text()
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    if layout == "geo":
        text = re.sub(r"ST_GeomFromWKB\(([A-Za-z_.0-9]+)\)", r"\1", text)
        if engine == "sedonadb":
            # It compares no geometry that has a CRS with one that has none.
            text = re.sub(r"ST_GeomFromText\(('[^']*')\)", r"ST_SetSRID(ST_GeomFromText(\1), 4326)", text)
    return text


def sedonadb(data, threads):
    import geoarrow.pyarrow  # noqa: F401  gives geometry columns a type to be exported with
    import sedonadb

    context = sedonadb.connect()
    context.sql(f"SET datafusion.execution.target_partitions = {threads}").execute()
    for table in tables(data):
        context.read_parquet(str(data / f"{table}.parquet")).to_view(table)
    return lambda text: context.sql(text).to_arrow_table()


def duckdb(data, threads):
    import duckdb
    import duckdb_extensions

    duckdb_extensions.import_extension("spatial")
    connection = duckdb.connect()
    connection.execute("LOAD spatial")
    connection.execute(f"SET threads = {threads}")
    for table in tables(data):
        path = data / f"{table}.parquet"
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{path}')")
    return lambda text: connection.sql(text).to_arrow_table()


def pycanopy(data, threads):
    # Polars and PyCanopy have a pool each, both made on import.
    os.environ["POLARS_MAX_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(threads)
    import pycanopy_queries

    return lambda query: getattr(pycanopy_queries, query)(data).to_arrow()


def geopandas(data, threads):
    import geopandas_queries
    import pyarrow

    return lambda query: pyarrow.Table.from_pandas(getattr(geopandas_queries, query)(data), preserve_index=False)


ENGINES = {"sedonadb": sedonadb, "duckdb": duckdb, "pycanopy": pycanopy, "geopandas": geopandas}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("engine", choices=list(ENGINES))
    arguments.add_argument("query")
    arguments.add_argument("data", type=Path)
    arguments.add_argument("--layout", default="raw")
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = arguments.parse_args()

    program = arguments.engine in ("pycanopy", "geopandas")
    text = arguments.query if program else query_text(arguments.engine, arguments.query, arguments.layout)
    run = ENGINES[arguments.engine](arguments.data, arguments.threads)
    started = time.perf_counter()
    table = run(text)
    seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss / 1024}
    print(json.dumps(used), flush=True)

    import checksum

    print(json.dumps(checksum.signature(table)), flush=True)
    # Engines with threads of their own need not be asked to leave in order.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
