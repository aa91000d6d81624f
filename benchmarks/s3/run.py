#!/usr/bin/env python3
"""Bytes that a bbox query fetches from S3: geoflow beside DuckDB and SedonaDB, on the same file.

    benchmarks/s3/run.py --data benchmarks/data/sf1

A million rows of `trip` become a Hilbert-sorted GeoParquet file, which goes to a `weed` server (SeaweedFS) of this
script. Each engine asks it by way of a proxy that counts the bytes of the answers. Beside them stand the bytes of the
row groups whose bounds overlap the box, of all columns and of those that the query reads. Exits with 1 if geoflow
fetches more than 1.5 times the bytes of these row groups, or if answers differ."""

import argparse
import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

KEY, SECRET, REGION = "BENCHMARK", "only-for-benchmarks", "us-east-1"
BOXES = [(-112.0, 34.0, -111.0, 35.0), (-120.0, 30.0, -100.0, 40.0)]
COLUMNS = ["t_fare", "t_tip", "t_pickuploc"]


class Counter:
    """Passes requests on to a server and counts them and what is answered."""

    def __init__(self, server: int):
        counter = self
        self.requests = self.bytes = 0

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.create_connection(("127.0.0.1", server)) as upstream:
                    up = threading.Thread(target=self.up, args=(upstream,))
                    up.start()
                    while data := self.read(upstream):
                        counter.bytes += len(data)
                        try:
                            self.request.sendall(data)
                        except OSError:
                            break
                    self.shut(self.request)
                    self.shut(upstream)
                    up.join()

            def up(self, upstream):
                while data := self.read(self.request):
                    counter.requests += len(re.findall(rb"(?:GET|HEAD) /[^\r\n]* HTTP/1\.1\r\n", data))
                    try:
                        upstream.sendall(data)
                    except OSError:
                        break
                self.shut(upstream)

            @staticmethod
            def read(connection):
                try:
                    return connection.recv(1 << 16)
                except OSError:
                    return b""

            @staticmethod
            def shut(connection):
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = allow_reuse_address = True

        listener = Server(("127.0.0.1", 0), Handler)
        self.port = listener.server_address[1]
        threading.Thread(target=listener.serve_forever, daemon=True).start()

    def take(self):
        time.sleep(0.2)
        taken = self.requests, self.bytes
        self.requests = self.bytes = 0
        return taken


def free_ports(n):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def start_weed(weed, folder):
    ports = free_ports(8)
    identities = folder / "identities.json"
    identities.write_text(
        json.dumps(
            {
                "identities": [
                    {
                        "name": "benchmarks",
                        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
                        "actions": ["Admin", "Read", "Write", "List"],
                    }
                ]
            }
        )
    )
    (folder / "data").mkdir()
    names = ["master", "volume", "filer", "s3"]
    arguments = [f"-{name}.port={ports[2 * i]}" for i, name in enumerate(names)]
    arguments += [f"-{name}.port.grpc={ports[2 * i + 1]}" for i, name in enumerate(names)]
    process = subprocess.Popen(
        [weed, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}/data", "-volume.max=100"]
        + ["-master.volumeSizeLimitMB=256", "-master.telemetry=false", "-s3", f"-s3.config={identities}"]
        + ["-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        + [f"-filer.localSocket={folder}/filer.sock", f"-s3.localSocket={folder}/s3.sock"]
        + arguments,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return process, ports[6]


def environment(port):
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }


def geoflow(binary, port, sql, *more):
    command = [binary, "query", "--format", "json", *more, sql]
    done = subprocess.run(command, env=environment(port), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"geoflow: {done.stderr}")
    return done.stdout


def ask_geoflow(binary, port, url, box):
    envelope = "ST_MakeEnvelope({}, {}, {}, {})".format(*box)
    sql = f"SELECT count(*) AS n, sum(t_fare) AS fare, sum(t_tip) AS tip FROM '{url}' WHERE ST_Intersects(t_pickuploc, {envelope})"
    row = json.loads(geoflow(binary, port, sql))[0]
    return row["n"], float(row["fare"] or 0), float(row["tip"] or 0)


PEER = """
import sys, json, os
key, secret, region = (os.environ[name] for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"])
engine, port, url, box = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
where = "SELECT count(*) AS n, sum(t_fare) AS fare, sum(t_tip) AS tip FROM {} WHERE ST_Intersects(t_pickuploc, {})"
if engine == "duckdb":
    import duckdb, duckdb_extensions
    for extension in ["spatial", "httpfs"]:
        duckdb_extensions.import_extension(extension)
    c = duckdb.connect()
    c.execute("LOAD spatial; LOAD httpfs")
    c.execute(f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', REGION '{region}', ENDPOINT '127.0.0.1:{port}', USE_SSL false, URL_STYLE 'path')")
    envelope = "ST_MakeEnvelope({}, {}, {}, {})".format(*box)
    row = c.execute(where.format(f"read_parquet('{url}')", envelope)).fetchone()
else:
    import sedonadb
    c = sedonadb.connect()
    options = {"aws.access_key_id": key, "aws.secret_access_key": secret, "aws.region": region,
               "aws.endpoint": f"http://127.0.0.1:{port}", "aws.allow_http": "true"}
    c.read_parquet(url, options=options).to_view("t")
    x, y, X, Y = box
    envelope = f"ST_SetSRID(ST_GeomFromText('POLYGON(({x} {y}, {X} {y}, {X} {Y}, {x} {Y}, {x} {y}))'), 4326)"
    row = c.sql(where.format("t", envelope)).to_pandas().values.tolist()[0]
print(json.dumps([int(row[0]), float(row[1] or 0), float(row[2] or 0)]))
"""


def ask_peer(engine, port, url, box):
    command = [sys.executable, "-c", PEER, engine, str(port), url, json.dumps(box)]
    done = subprocess.run(command, env=environment(port), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{engine}: {done.stderr}")
    return tuple(json.loads(done.stdout))


def overlapping(path, box):
    """Bytes of the row groups whose bounds overlap: all columns, those of the query."""
    import pyarrow.parquet

    metadata = pyarrow.parquet.ParquetFile(path).metadata
    everything = read = groups = 0
    for g in range(metadata.num_row_groups):
        group = metadata.row_group(g)
        columns = [group.column(i) for i in range(group.num_columns)]
        side = {c.path_in_schema: c.statistics for c in columns if c.path_in_schema.startswith("bbox.")}
        x, y, X, Y = box
        beside = side["bbox.xmin"].min > X or side["bbox.xmax"].max < x
        if beside or side["bbox.ymin"].min > Y or side["bbox.ymax"].max < y:
            continue
        groups += 1
        everything += sum(c.total_compressed_size for c in columns)
        read += sum(c.total_compressed_size for c in columns if c.path_in_schema in COLUMNS)
    return groups, metadata.num_row_groups, everything, read


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with trip.parquet of SpatialBench")
    parser.add_argument("--geoflow", default="target/release/geoflow")
    parser.add_argument("--weed", default=shutil.which("weed", path=os.path.dirname(sys.executable)) or "weed")
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    binary = shutil.which(options.geoflow) or sys.exit(f"{options.geoflow} is not there: cargo build --release -p geoflow")
    folder = Path(tempfile.mkdtemp())
    weed, port = start_weed(options.weed, folder)
    try:
        failed = run(options, binary, folder, port)
    finally:
        weed.kill()
        weed.wait()
        shutil.rmtree(folder)
    sys.exit(failed)


def run(options, binary, folder, port):
    file = folder / "trips.parquet"
    copy = f"COPY (SELECT t_tripkey, t_custkey, t_pickuptime, t_dropofftime, t_fare, t_tip, ST_SetSRID(ST_GeomFromWKB(t_pickuploc), 4326) AS t_pickuploc FROM '{options.data}/trip.parquet' LIMIT {options.rows})"
    with_options = "STORED AS PARQUET OPTIONS (sort_by 'hilbert')"
    geoflow(binary, port, f"{copy} TO '{file}' {with_options}")
    url = "s3://benchmark/trips.parquet"
    for attempt in range(60):
        command = [binary, "query", f"COPY (SELECT 1 AS one) TO 's3://benchmark/probe{attempt}.parquet' STORED AS PARQUET"]
        if not subprocess.run(command, env=environment(port), capture_output=True).returncode:
            break
        time.sleep(1)
    upload(file, port)
    size = file.stat().st_size
    print(f"{options.rows:,} rows, {size:,} bytes\n")
    failed = 0
    for box in BOXES:
        groups, of, everything, read = overlapping(file, box)
        print(f"box {box}: {groups} of {of} row groups overlap, {everything:,} bytes, {read:,} of the columns read\n")
        print("| engine | rows | requests | bytes | of the row groups | of their columns | seconds |\n|---|---:|---:|---:|---:|---:|---:|")
        answers = {}
        for engine in ["geoflow", "duckdb", "sedonadb"]:
            counter = Counter(port)
            started = time.time()
            if engine == "geoflow":
                answers[engine] = ask_geoflow(binary, counter.port, url, box)
            else:
                answers[engine] = ask_peer(engine, counter.port, url, box)
            seconds = time.time() - started
            requests, fetched = counter.take()
            row = [engine, f"{answers[engine][0]:,}", requests, f"{fetched:,}", f"{fetched / everything:.2f}", f"{fetched / read:.2f}", f"{seconds:.2f}"]
            print("| " + " | ".join(map(str, row)) + " |")
            if engine == "geoflow" and fetched > 1.5 * everything:
                print("more than 1.5 times the row groups that overlap")
                failed = 1
        rounded = {(n, round(fare, 4), round(tip, 4)) for n, fare, tip in answers.values()}
        if len(rounded) > 1:
            print(f"answers differ: {answers}")
            failed = 1
        print()
    return failed


def upload(file, port):
    """By pyarrow, whose file system signs the requests."""
    import pyarrow.fs

    s3 = pyarrow.fs.S3FileSystem(access_key=KEY, secret_key=SECRET, region=REGION, scheme="http", endpoint_override=f"127.0.0.1:{port}")
    with open(file, "rb") as source, s3.open_output_stream("benchmark/trips.parquet") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)


if __name__ == "__main__":
    main()
