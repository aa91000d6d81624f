"""Every pair of a road and a building of Helsinki that intersect, by OSM id (passages through buildings)."""

import layers

roads = layers.read("helsinki_roads", ["osm_id"])
buildings = layers.read("helsinki_buildings", ["osm_way_id"])
joined = roads.sjoin(buildings[buildings.osm_way_id.notna()], predicate="intersects")
pairs = zip(joined.osm_id, joined.osm_way_id)
layers.write("roads_intersecting_buildings", ["road", "building"], sorted(pairs))
