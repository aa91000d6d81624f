"""Small files of other formats, as GDAL writes them, for tests of reading.

Every file is made here; none holds data of others.
"""

import datetime as dt
import pathlib
import sqlite3

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from shapely import force_3d, wkt

FOLDER = pathlib.Path(__file__).parent.parent / "formats"

PLACES = gpd.GeoDataFrame(
    {
        "name": ["Äänekoski", "Oulu", None],
        "people": pd.array([18_318, 214_633, None], dtype="Int64"),
        "share": [0.5, np.nan, -1.25],
        "founded": pd.to_datetime(["1932-01-01", "1605-04-08", None]).date,
        "open": pd.array([True, False, None], dtype="boolean"),
    },
    geometry=gpd.GeoSeries.from_wkt(
        [
            "POLYGON ((0 0, 0 10, 10 10, 10 0, 0 0), (2 2, 4 2, 4 4, 2 4, 2 2))",
            "MULTIPOLYGON (((20 0, 20 5, 25 5, 25 0, 20 0)), ((30 0, 30 9, 39 9, 39 0, 30 0), (31 1, 32 1, 32 2, 31 1)))",
            None,
        ]
    ),
    crs="EPSG:3067",
)

SHAPES = [
    "POINT (1 2)",
    "LINESTRING (1 2, 3 4)",
    "POLYGON ((0 0, 1 0, 1 1, 0 0))",
    "MULTIPOINT ((1 2), (3 4))",
    "MULTILINESTRING ((1 2, 3 4), (5 6, 7 8))",
    "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))",
    "GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (1 2, 3 4))",
    "POINT EMPTY",
]


def with_z(text):
    return force_3d(wkt.loads(text), 7.5)


def main():
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    pyogrio.write_dataframe(PLACES, FOLDER / "places.shp", encoding="ISO-8859-1", use_arrow=True)
    pyogrio.write_dataframe(PLACES, FOLDER / "places.gpkg", layer="places", use_arrow=True)
    pyogrio.write_dataframe(PLACES, FOLDER / "places.fgb", SPATIAL_INDEX="NO", use_arrow=True)
    pyogrio.write_dataframe(PLACES.to_crs(4326), FOLDER / "places.geojson")
    points = gpd.GeoDataFrame(
        {"n": np.arange(3, dtype=np.int32)},
        geometry=gpd.points_from_xy([1, 2, 3], [4, 5, 6], [7, 8, 9]),
        crs="EPSG:4326",
    )
    pyogrio.write_dataframe(points, FOLDER / "points_z.shp")
    pyogrio.write_dataframe(points, FOLDER / "places.gpkg", layer="points", append=True)
    grid = gpd.GeoDataFrame(
        {
            "n": np.arange(400, dtype=np.int16),
            "when": pd.date_range("2024-02-29T12:00:00Z", periods=400, freq="1s"),
            "part": np.linspace(0, 1, 400, dtype=np.float32),
        },
        geometry=gpd.points_from_xy(np.arange(400) % 20, np.arange(400) // 20),
        crs="EPSG:3067",
    )
    pyogrio.write_dataframe(grid, FOLDER / "grid.fgb")
    pyogrio.write_dataframe(grid, FOLDER / "places.gpkg", layer="grid", append=True)
    shapes = [wkt.loads(text) for text in SHAPES]
    shapes = gpd.GeoDataFrame({"n": range(len(SHAPES))}, geometry=shapes, crs="OGC:CRS84")
    path = FOLDER / "shapes.fgb"
    pyogrio.write_dataframe(shapes, path, geometry_type="Unknown", SPATIAL_INDEX="NO")
    solid = gpd.GeoDataFrame({"n": [5]}, geometry=[with_z(SHAPES[5])], crs="OGC:CRS84")
    pyogrio.write_dataframe(solid, FOLDER / "shapes_z.fgb")
    # GeoPandas' own Feather, whose geometries are described as in GeoParquet.
    PLACES.drop(columns=["open"]).to_feather(FOLDER / "places.feather", compression="zstd")
    with sqlite3.connect(FOLDER / "places.gpkg") as db:
        db.execute("VACUUM")


main()
