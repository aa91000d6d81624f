"""How PROJ shifts datums to WGS 84 where it needs no grid: geoflow's table, and the answers that it is held to.

    pip install pyproj==3.7.2
    python testdata/scripts/peers/shifts.py ~/.cargo/registry/src/*/crs-definitions-0.6.0/src/defs.rs

writes engine/src/crs/shifts.csv: the seven parameters (metres, seconds of arc as turns of the position vector, parts per million),
whether they lead from WGS 84 to the datum, to how many metres they are good where PROJ knows a better operation that needs a grid, and
the EPSG codes that have them. A code is there if

- PROJ's best operation to EPSG:4326 of those that need no grid is one Helmert transformation;
- that operation is the one at every place of the area of use: no other for a part of it;
- the projection and the ellipsoid of `crs-definitions`, which geoflow takes, lead to the same place.

And engine/tests/data/proj_shifts.csv: code, longitude, latitude, x, y, and longitude and latitude of x and y again, with no grids at
hand. Heights are dropped, so that these differ from where they began.
"""

import pathlib
import re
import sys
import warnings
from collections import defaultdict

from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from pyproj.transformer import TransformerGroup

warnings.filterwarnings("ignore")
ENGINE = pathlib.Path(__file__).parents[3] / "engine"
NAMES = ["x", "y", "z", "rx", "ry", "rz", "s"]


def shift(pipeline):
    """The parameters of the only step that shifts; None where there is another."""
    steps = [dict((part.split("=") + [""])[:2] for part in step.split()) for step in pipeline.split("step")]
    shifts = [step for step in steps if step.get("proj") in ("helmert", "molobadekas", "hgridshift", "gridshift", "geogoffset")]
    if len(shifts) != 1 or shifts[0]["proj"] != "helmert" or {"dx", "t_epoch", "exact"} & shifts[0].keys():
        return None
    step = shifts[0]
    values = [float(step.get(name, 0)) for name in NAMES]
    if step.get("convention") == "coordinate_frame":
        values[3:6] = [-value for value in values[3:6]]
    return " ".join(f"{value + 0.0:.17g}" for value in values), "inverse" if "inv" in step else ""


def places(crs, parts):
    west, south, east, north = crs.area_of_use.bounds
    east += 360 if east < west else 0
    for u in parts:
        for v in parts:
            longitude = round(west + u * (east - west), 4)
            yield longitude - 360 if longitude > 180 else longitude, round(south + v * (north - south), 4)


def is_everywhere(code, crs, best):
    """Whether PROJ takes its best operation at every place."""
    by_place = Transformer.from_crs(4326, code, always_xy=True)
    unit = 111320 if crs.is_geographic else 1
    for longitude, latitude in places(crs, (0.02, 0.25, 0.5, 0.75, 0.98)):
        x, y = by_place.transform(longitude, latitude)
        also = best.transform(longitude, latitude, direction="INVERSE")
        if max(abs(x - also[0]), abs(y - also[1])) * unit > 1e-3:
            return False
    return True


ELLIPSOIDS = {"NAD27": "clrk66", "GGRS87": "GRS80", "OSGB36": "airy", "potsdam": "bessel", "ire65": "mod_airy", "nzgd49": "intl"}


def as_in_the_tables(crs, text, parameters, there):
    """Whether the definition of the tables, with these parameters, is PROJ's."""
    values, inverse = parameters
    if inverse:
        return True
    text = re.sub(r"\+(towgs84|nadgrids|no_defs)\S*", "", text)
    text = re.sub(r"\+datum=(\w+)", lambda m: f"+ellps={ELLIPSOIDS[m[1]]}" if m[1] in ELLIPSOIDS else m[0], text)
    text = f"{text} +towgs84={values.replace(' ', ',')} +type=crs"
    own = Transformer.from_crs(4326, text, always_xy=True)
    unit = 111320 if crs.is_geographic else 1
    for longitude, latitude in places(crs, (0.25, 0.75)):
        x, y = there.transform(longitude, latitude)
        also = own.transform(longitude, latitude)
        if max(abs(x - also[0]), abs(y - also[1])) * unit > 1e-3:
            return False
    return True


shifts, answers = defaultdict(list), []
for code, text in re.findall(r'^EPSG_(\d+)\|\d+\|"([^"]*)"', pathlib.Path(sys.argv[1]).read_text(), re.M):
    code = int(code)
    try:
        crs = CRS.from_epsg(code)
        if crs.area_of_use.west < -180:
            continue
        group = TransformerGroup(code, 4326, always_xy=True)
        best = group.transformers[0]
        parameters = shift(best.definition)
        if parameters is None or not is_everywhere(code, crs, best):
            continue
        there = Transformer.from_crs(4326, code, always_xy=True)
        if not as_in_the_tables(crs, text, parameters, there):
            continue
        back = Transformer.from_crs(code, 4326, always_xy=True)
        for longitude, latitude in list(places(crs, (0.25, 0.75)))[1:3]:
            x, y = there.transform(longitude, latitude)
            answers.append(",".join([str(code), *(repr(v) for v in (longitude, latitude, x, y, *back.transform(x, y)))]))
        metres = "" if group.best_available else f"{best.accuracy:g}"
        shifts[*parameters, metres].append(code)
    except (ProjError, AttributeError, IndexError) as error:
        print(code, error)

lines = ["# x y z rx ry rz s,direction,metres,codes: testdata/scripts/peers/shifts.py makes this from EPSG's parameters as PROJ 9.5 has them"]
for (values, inverse, metres), codes in sorted(shifts.items(), key=lambda item: item[1][0]):
    ranges = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    text = " ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
    lines.append(f"{values},{inverse},{metres},{text}")
(ENGINE / "src/crs/shifts.csv").write_text("\n".join(lines) + "\n")
(ENGINE / "tests/data/proj_shifts.csv").write_text("\n".join(answers) + "\n")
print(sum(map(len, shifts.values())), "codes", len(shifts), "shifts", len(answers), "places")
