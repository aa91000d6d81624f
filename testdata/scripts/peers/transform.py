"""Where PROJ puts places: the answers that geoflow's ST_Transform is held to.

    pip install pyproj==3.7.2
    python testdata/scripts/peers/transform.py

writes engine/tests/data/proj_transform.csv: code, longitude, latitude, x, y. The codes are those that people meet, the
most used first; five places each, within the area of use. Axis order is longitude, latitude and easting, northing.
Without grids, as the package comes: a code whose datum PROJ shifts by a grid or by Helmert parameters is there too, and geoflow must
refuse it.
"""

import pathlib

import pyproj
from pyproj import CRS, Transformer

OUT = pathlib.Path(__file__).parents[3] / "engine/tests/data/proj_transform.csv"

CODES = [
    *[3857, 4258, 4269, 3395, 3035, 3034, 2154, 3067, 25832, 25833, 27700, 28992, 2056, 21781, 31370, 5070, 2180, 2193, 3006],
    *range(32601, 32661),
    *range(32701, 32761),
    *range(25828, 25839),
    *range(26901, 26924),
    *range(28348, 28359),
    *range(7846, 7860),
    *range(31965, 31986),
    *[4283, 7844, 4490, 4674, 4167, 4612, 6668, 4171, 4617, 4267, 4230, 4277, 4314],
    *range(3942, 3951),
    *range(3007, 3015),
    *range(3873, 3886),
    *range(2176, 2180),
    *[3301, 3059, 3346, 3763, 3765, 3794, 3812, 3416, 4647, 25884, 31256, 31467, 31468, 5514, 2100, 23030, 3003, 3004, 3912],
    *[3338, 3978, 3979, 3347, 2163, 3310, 6414, 2263, 2264, 2272, 2277, 2278, 2283, 2285, 2286, 2225, 2227, 2229, 2230, 2236, 2248, 2249],
    *range(32100, 32159),
    *range(6669, 6688),
    *range(2443, 2462),
    *[5179, 5186, 5187, 3414, 3405, 3577, 3112, 3308, 20790, 22185, 5880, 29193],
    *[3031, 3413, 3571, 3572, 3573, 3574, 3575, 3576, 3995, 6931, 6932, 6933, 3832, 4087, 8857, 32661, 32761, 5041, 5042],
    *range(2105, 2133),
]

lines = []
for code in dict.fromkeys(CODES):
    try:
        crs = CRS.from_epsg(code)
        area = crs.area_of_use
        transformer = Transformer.from_crs(4326, code, always_xy=True)
    except pyproj.exceptions.ProjError as error:
        print(code, error)
        continue
    west, south, east, north = area.bounds
    if east < west:
        east += 360
    for u, v in [(0.5, 0.5), (0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9)]:
        longitude = round(west + u * (east - west), 4)
        longitude = round(longitude - 360, 4) if longitude > 180 else longitude
        latitude = round(south + v * (north - south), 4)
        x, y = transformer.transform(longitude, latitude)
        if abs(x) != float("inf"):
            lines.append(f"{code},{longitude},{latitude},{x!r},{y!r}\n")
OUT.parent.mkdir(exist_ok=True)
OUT.write_text("".join(lines))
print(len(dict.fromkeys(CODES)), "codes", len(lines), "places")
