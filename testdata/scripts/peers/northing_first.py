"""Prints the ranges of engine/src/crs/northing_first.rs.

    pip install pyproj==3.7.2
    python testdata/scripts/peers/northing_first.py ~/.cargo/registry/src/*/crs-definitions-0.6*/src/defs.rs
"""

import pathlib
import re
import sys

from pyproj import CRS
from pyproj.exceptions import CRSError

ranges, previous = [], False
for code in sorted({int(code) for code in re.findall(r"EPSG_(\d+)\|", pathlib.Path(sys.argv[1]).read_text())}):
    try:
        crs = CRS.from_epsg(code)
    except CRSError:
        continue
    if not crs.is_projected:
        continue
    northing_first = [axis.direction for axis in crs.axis_info][:2] == ["north", "east"]
    if northing_first and previous:
        ranges[-1] = (ranges[-1][0], code)
    elif northing_first:
        ranges.append((code, code))
    previous = northing_first
for first, last in ranges:
    print(f"    ({first}, {last}),")
