"""How many points of interest lie within each building of Helsinki, by the OSM id of the building's way.

Buildings that are OSM relations have no way id and are left out, as are buildings without a point.
"""

import layers

points = layers.read("helsinki_points", [])
buildings = layers.read("helsinki_buildings", ["osm_way_id"])
joined = points.sjoin(buildings[buildings.osm_way_id.notna()], predicate="within")
counts = joined.groupby("osm_way_id").size()
layers.write("points_within_buildings", ["osm_way_id", "points"], sorted(counts.items()))
