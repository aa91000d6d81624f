"""Shared by the scripts here: read a layer of testdata/, write an answer to testdata/expected/."""

import csv
from pathlib import Path

import geopandas

TESTDATA = Path(__file__).resolve().parent.parent


def read(layer, columns):
    """A layer with only the named columns and its geometry."""
    return geopandas.read_parquet(TESTDATA / f"{layer}.parquet", columns=[*columns, "geometry"])


def write(name, header, rows):
    """Rows, sorted as given, as CSV with `\\n` line ends: the bytes are the same on every system."""
    rows = list(rows)
    path = TESTDATA / "expected" / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    print(f"{path.relative_to(TESTDATA.parent)}: {len(rows)} rows")
