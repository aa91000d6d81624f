"""The queries as GeoPandas programs, as far as it can express them: it has no search for several nearest neighbours.

Each function takes the folder of the tables and returns a data frame with the columns of the SQL text, in its order. It works on
one thread.
"""

import geopandas
import pandas
import pyarrow.compute
import pyarrow.parquet
import shapely


def table(data, name, *columns):
    return pyarrow.parquet.read_table(data / f"{name}.parquet", columns=list(columns))


def layer(data, name, geometry, *columns):
    """A table with one geometry column, parsed."""
    arrow = table(data, name, *columns, geometry)
    geometries = shapely.from_wkb(arrow[geometry].to_numpy(zero_copy_only=False))
    frame = pandas.DataFrame({c: plain(arrow[c]) for c in columns})
    return geopandas.GeoDataFrame(frame, geometry=geometries)


def plain(column):
    """Decimals as floats: averages of Decimal objects take minutes."""
    if pyarrow.types.is_decimal(column.type):
        column = column.cast(pyarrow.float64())
    return column.to_pandas()


def with_duration(trips):
    trips["duration"] = (trips.pop("t_dropofftime") - trips.pop("t_pickuptime")).dt.total_seconds()
    return trips


def q01(data):
    trips = layer(data, "trip", "t_pickuploc", "t_tripkey", "t_pickuptime")
    trips["distance"] = trips.distance(shapely.Point(-111.7610, 34.8697))
    near = trips[trips["distance"] <= 0.45]
    near = near.sort_values(["distance", "t_tripkey"])
    near = near.assign(x=near.geometry.x, y=near.geometry.y)
    return near[["t_tripkey", "x", "y", "t_pickuptime", "distance"]]


def q02(data):
    trips = layer(data, "trip", "t_pickuploc")
    zones = table(data, "zone", "z_name", "z_boundary")
    county = zones.filter(pyarrow.compute.equal(zones["z_name"], "Coconino County"))["z_boundary"][0].as_py()
    return pandas.DataFrame({"trip_count": [len(trips.sindex.query(shapely.from_wkb(county), predicate="intersects"))]})


def q03(data):
    trips = layer(data, "trip", "t_pickuploc", "t_tripkey", "t_pickuptime", "t_dropofftime", "t_distance", "t_fare")
    near = trips[trips.dwithin(shapely.box(-111.9060, 34.7347, -111.6160, 35.0047), 0.045)].copy()
    near["month"] = near.t_pickuptime.dt.to_period("M").dt.to_timestamp()
    months = with_duration(near).groupby("month").agg({"t_tripkey": "count", "t_distance": "mean", "duration": "mean", "t_fare": "mean"})
    return months.reset_index()


def zones_of(data):
    return layer(data, "zone", "z_boundary", "z_zonekey", "z_name")


def q04(data):
    trips = layer(data, "trip", "t_pickuploc", "t_tripkey", "t_tip")
    top = trips.sort_values(["t_tip", "t_tripkey"], ascending=[False, True]).head(1000)
    joined = top.sjoin(zones_of(data), predicate="within")
    groups = joined.groupby(["z_zonekey", "z_name"], dropna=False).size().reset_index(name="trip_count")
    return groups.sort_values(["trip_count", "z_zonekey"], ascending=[False, True])


def q05(data):
    trips = layer(data, "trip", "t_dropoffloc", "t_custkey", "t_pickuptime")
    trips["month"] = trips.pop("t_pickuptime").dt.to_period("M").dt.to_timestamp()
    groups = trips.groupby(["t_custkey", "month"]).geometry.agg([lambda g: shapely.area(shapely.convex_hull(shapely.multipoints(g.values))), "size"])
    groups.columns = ["area", "count"]
    groups = groups[groups["count"] > 5].reset_index()
    names = table(data, "customer", "c_custkey", "c_name").to_pandas()
    groups = groups.merge(names, left_on="t_custkey", right_on="c_custkey")
    groups = groups.sort_values(["count", "t_custkey", "month"], ascending=[False, True, True])
    return groups[["t_custkey", "c_name", "month", "area", "count"]]


def q06(data):
    zones = zones_of(data)
    zones = zones[zones.within(shapely.box(-112.2110, 34.4197, -111.3110, 35.3197))]
    trips = with_duration(layer(data, "trip", "t_pickuploc", "t_totalamount", "t_pickuptime", "t_dropofftime"))
    joined = trips.sjoin(zones, predicate="within").groupby(["z_zonekey", "z_name"], dropna=False)
    groups = joined.agg(pickups=("duration", "size"), amount=("t_totalamount", "mean"), duration=("duration", "mean")).reset_index()
    return groups.astype({"z_name": str}).sort_values(["pickups", "z_zonekey"], ascending=[False, True])


def q07(data):
    trips = table(data, "trip", "t_tripkey", "t_distance", "t_pickuploc", "t_dropoffloc")
    ends = [shapely.get_coordinates(shapely.from_wkb(trips[c].to_numpy(zero_copy_only=False))) for c in ("t_pickuploc", "t_dropoffloc")]
    line = ((ends[0] - ends[1]) ** 2).sum(axis=1) ** 0.5 / 0.000009
    frame = pandas.DataFrame({"t_tripkey": trips["t_tripkey"].to_pandas(), "distance": plain(trips["t_distance"]), "line": line})
    frame["ratio"] = (frame.distance / frame.line).where(frame.line != 0)
    return frame.sort_values(["ratio", "distance", "t_tripkey"], ascending=[False, False, True], na_position="last")


def q08(data):
    trips = layer(data, "trip", "t_pickuploc")
    buildings = layer(data, "building", "b_boundary", "b_buildingkey", "b_name")
    joined = trips.sjoin(buildings, predicate="dwithin", distance=0.0045)
    groups = joined.groupby(["b_buildingkey", "b_name"]).size().reset_index(name="pickups")
    return groups.sort_values(["pickups", "b_buildingkey"], ascending=[False, True])


def q09(data):
    buildings = layer(data, "building", "b_boundary", "b_buildingkey")
    left, right = buildings.sindex.query(buildings.geometry, predicate="intersects")
    one, two = buildings.iloc[left].reset_index(drop=True), buildings.iloc[right].reset_index(drop=True)
    ordered = one.b_buildingkey < two.b_buildingkey
    one, two = one[ordered], two[ordered]
    overlap = one.intersection(two).area
    pairs = pandas.DataFrame({"a": one.b_buildingkey, "b": two.b_buildingkey, "area_a": one.area, "area_b": two.area, "overlap": overlap})
    pairs["iou"] = pairs.overlap / (pairs.area_a + pairs.area_b - pairs.overlap)
    return pairs.sort_values(["iou", "a", "b"], ascending=[False, True, True])


def q10(data):
    zones = zones_of(data)
    trips = with_duration(layer(data, "trip", "t_pickuploc", "t_pickuptime", "t_dropofftime", "t_distance"))
    joined = trips.sjoin(zones[["z_zonekey", "geometry"]], predicate="within").groupby("z_zonekey")
    groups = joined.agg(duration=("duration", "mean"), distance=("t_distance", "mean"), trips=("duration", "size"))
    every = zones[["z_zonekey", "z_name"]].join(groups, on="z_zonekey")
    every["trips"] = every.trips.fillna(0).astype("int64")
    return every.sort_values(["duration", "z_zonekey"], ascending=[False, True], na_position="last")


def q11(data):
    zones = zones_of(data)[["z_zonekey", "geometry"]]
    ends = []
    for column in ("t_pickuploc", "t_dropoffloc"):
        joined = layer(data, "trip", column, "t_tripkey").sjoin(zones, predicate="within")
        ends.append(pandas.DataFrame(joined[["t_tripkey", "z_zonekey"]]))
    both = ends[0].merge(ends[1], on="t_tripkey")
    return pandas.DataFrame({"count": [int((both.z_zonekey_x != both.z_zonekey_y).sum())]})
