"""The queries as PyCanopy programs: it is a DataFrame library over Polars, and reads no SQL.

Each function takes the folder of the tables and returns a Polars frame with the columns of the SQL text, in its order. What SQL
engines do unasked is done here by hand: only the columns in use are read, and small tables are decoded first.
"""

import polars as pl
import pycanopy as pc
import shapely
from pycanopy import SpatialFrame
from pycanopy.engine import wkb_points_to_xy

CENTER = (-111.7610, 34.8697)
PLANAR = "planar"


def trips(data, *columns, location="t_pickuploc"):
    """Trips with their location as `_x` and `_y`."""
    frame = pl.read_parquet(data / "trip.parquet", columns=[*columns, location])
    xs, ys = wkb_points_to_xy(frame[location])
    return frame.drop(location).with_columns(pl.Series("_x", xs), pl.Series("_y", ys))


def points(frame):
    return SpatialFrame(frame, x_col="_x", y_col="_y", coordinate_system=PLANAR)


def polygons(data, table, geometry, *columns):
    frame = pl.read_parquet(data / f"{table}.parquet", columns=[*columns, geometry])
    return SpatialFrame.from_wkb_polygons(frame, geometry)


def zones(data):
    return polygons(data, "zone", "z_boundary", "z_zonekey", "z_name")


def duration():
    """In seconds: averages of Polars durations lose their fractions."""
    return (pl.col("t_dropofftime") - pl.col("t_pickuptime")).dt.total_milliseconds().cast(pl.Float64) / 1000


def real(column):
    return pl.col(column).cast(pl.Float64)


def q01(data):
    near = points(trips(data, "t_tripkey", "t_pickuptime")).lazy().within_distance_of_point(*CENTER, 0.45).collect()
    distance = ((pl.col("_x") - CENTER[0]) ** 2 + (pl.col("_y") - CENTER[1]) ** 2).sqrt()
    near = near.with_columns(distance.alias("distance")).sort("distance", "t_tripkey")
    return near.select("t_tripkey", "_x", "_y", "t_pickuptime", "distance")


def q02(data):
    zone = pl.scan_parquet(data / "zone.parquet").filter(pl.col("z_name") == "Coconino County").select("z_boundary").head(1).collect()
    county = SpatialFrame.from_wkb_polygons(zone.with_columns(pl.lit(0).alias("key")), "z_boundary")
    return pl.DataFrame({"trip_count": [county.lazy().within_join(trips(data), x_col="_x", y_col="_y").count()]})


def q03(data):
    frame = points(trips(data, "t_tripkey", "t_pickuptime", "t_dropofftime", "t_distance", "t_fare"))
    box = shapely.box(-111.9060, 34.7347, -111.6160, 35.0047)
    near = frame.lazy().points_within_distance_of_polygon(box, 0.045).collect()
    near = near.with_columns(pl.col("t_pickuptime").dt.truncate("1mo").alias("month"), duration().alias("duration"))
    months = near.group_by("month").agg(pl.len().cast(pl.Int64), real("t_distance").mean(), pl.col("duration").mean(), real("t_fare").mean())
    return months.sort("month")


def q04(data):
    top = pl.scan_parquet(data / "trip.parquet").select("t_tripkey", "t_tip", "t_pickuploc")
    top = top.sort("t_tip", "t_tripkey", descending=[True, False]).head(1000).collect()
    xs, ys = wkb_points_to_xy(top["t_pickuploc"])
    top = top.select("t_tripkey").with_columns(pl.Series("_x", xs), pl.Series("_y", ys))
    joined = zones(data).lazy().within_join(top, x_col="_x", y_col="_y")
    return joined.group_by(["z_zonekey", "z_name"]).agg(trips=pc.agg.count()).sort("trips", "z_zonekey", descending=[True, False])


def q05(data):
    frame = trips(data, "t_custkey", "t_pickuptime", location="t_dropoffloc")
    groups = frame.group_by("t_custkey", pl.col("t_pickuptime").dt.truncate("1mo").alias("month")).agg("_x", "_y", pl.len().alias("dropoffs"))
    groups = groups.filter(pl.col("dropoffs") > 5)
    areas = [SpatialFrame.convex_hull_area(xs, ys) for xs, ys in zip(groups["_x"].to_list(), groups["_y"].to_list())]
    names = pl.read_parquet(data / "customer.parquet", columns=["c_custkey", "c_name"])
    groups = groups.with_columns(pl.Series("area", areas, dtype=pl.Float64)).join(names, left_on="t_custkey", right_on="c_custkey")
    groups = groups.sort("dropoffs", "t_custkey", "month", descending=[True, False, False])
    return groups.select("t_custkey", "c_name", "month", "area", pl.col("dropoffs").cast(pl.Int64))


def q06(data):
    box = shapely.box(-112.2110, 34.4197, -111.3110, 35.3197)
    frame = pl.read_parquet(data / "zone.parquet", columns=["z_zonekey", "z_name", "z_boundary"])
    inside = shapely.contains(box, shapely.from_wkb(frame["z_boundary"].to_numpy()))
    frame = frame.filter(pl.Series(inside))
    if frame.is_empty():
        schema = {"z_zonekey": pl.Int64, "z_name": pl.String, "pickups": pl.Int64, "amount": pl.Float64, "duration": pl.Float64}
        return pl.DataFrame(schema=schema)
    picked = trips(data, "t_totalamount", "t_pickuptime", "t_dropofftime")
    picked = picked.with_columns(real("t_totalamount"), duration().alias("duration"))
    joined = SpatialFrame.from_wkb_polygons(frame, "z_boundary").lazy().within_join(picked, x_col="_x", y_col="_y")
    groups = joined.group_by(["z_zonekey", "z_name"])
    groups = groups.agg(pickups=pc.agg.count(), amount=pc.agg.mean("t_totalamount"), duration=pc.agg.mean("duration"))
    return groups.sort("pickups", "z_zonekey", descending=[True, False])


def q07(data):
    frame = pl.read_parquet(data / "trip.parquet", columns=["t_tripkey", "t_distance", "t_pickuploc", "t_dropoffloc"])
    x0, y0 = wkb_points_to_xy(frame["t_pickuploc"])
    x1, y1 = wkb_points_to_xy(frame["t_dropoffloc"])
    line = pl.Series("line", ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 / 0.000009)
    frame = frame.select("t_tripkey", "t_distance").with_columns(line)
    ratio = pl.when(pl.col("line") != 0).then(real("t_distance") / pl.col("line"))
    return frame.with_columns(ratio.alias("ratio")).sort("ratio", "t_distance", "t_tripkey", descending=[True, True, False], nulls_last=True)


def q08(data):
    buildings = polygons(data, "building", "b_boundary", "b_buildingkey", "b_name")
    joined = buildings.lazy().polygon_within_distance_join(trips(data), x_col="_x", y_col="_y", distance=0.0045)
    groups = joined.group_by(["b_buildingkey", "b_name"]).agg(pickups=pc.agg.count())
    return groups.sort("pickups", "b_buildingkey", descending=[True, False])


def q09(data):
    pairs = polygons(data, "building", "b_boundary", "b_buildingkey").lazy().intersects_pairs(key_col="b_buildingkey").collect()
    return pairs.sort("iou", "b_buildingkey_1", "b_buildingkey_2", descending=[True, False, False])


def q10(data):
    picked = trips(data, "t_pickuptime", "t_dropofftime", "t_distance").with_columns(duration().alias("duration"), real("t_distance"))
    picked = picked.drop("t_pickuptime", "t_dropofftime")
    all_zones = zones(data)
    groups = all_zones.lazy().within_join(picked, x_col="_x", y_col="_y").group_by(["z_zonekey"])
    groups = groups.agg(duration=pc.agg.mean("duration"), distance=pc.agg.mean("t_distance"), trips=pc.agg.count())
    every = all_zones.df.select("z_zonekey", "z_name").join(groups, on="z_zonekey", how="left").with_columns(pl.col("trips").fill_null(0))
    every = every.sort("duration", "z_zonekey", descending=[True, False], nulls_last=True)
    return every.select("z_zonekey", "z_name", "duration", "distance", "trips")


def q11(data):
    every = zones(data)
    ends = {}
    for end in ("pickup", "dropoff"):
        frame = trips(data, "t_tripkey", location=f"t_{end}loc")
        ends[end] = every.lazy().within_join(frame, x_col="_x", y_col="_y").collect().select("t_tripkey", "z_zonekey")
    joined = ends["pickup"].lazy().join(ends["dropoff"].lazy(), on="t_tripkey").filter(pl.col("z_zonekey") != pl.col("z_zonekey_right"))
    return joined.select(pl.len().cast(pl.Int64)).collect()


def nearest(data, *columns, **options):
    buildings = polygons(data, "building", "b_boundary", "b_buildingkey", "b_name")
    return buildings.lazy().polygon_knn_join(trips(data, *columns), x_col="_x", y_col="_y", k=5, **options)


def q12_2025(data):
    pairs = nearest(data, "t_tripkey", sorted_output=True).collect()
    locations = pl.read_parquet(data / "trip.parquet", columns=["t_tripkey", "t_pickuploc"])
    pairs = pairs.join(locations, on="t_tripkey", how="left", maintain_order="left")
    return pairs.select("t_tripkey", "t_pickuploc", "b_buildingkey", "b_name", "distance_to_polygon")


def q12_2026(data):
    groups = nearest(data, "t_tripkey").group_by(["t_tripkey"]).agg(distance=pc.agg.mean("distance_to_polygon"))
    return groups.sort("distance", "t_tripkey", descending=[True, False]).head(100)
