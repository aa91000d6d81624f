"""How many other US counties each county touches, by FIPS code; counties that touch none have no row.

The boundaries come from one topology, so neighbours share the very same vertices and touch exactly.
Forty counties are invalid polygons, for which engines may answer differently: `valid` is true where the
county and every county whose bounds meet its bounds are valid, so that the count is beyond dispute.
"""

import geopandas
import layers

counties = layers.read("us_counties", ["id"])
joined = counties.sjoin(counties, predicate="touches", lsuffix="a", rsuffix="b")
counts = joined.groupby("id_a").size()

bounds = geopandas.GeoDataFrame({"id": counties.id}, geometry=counties.envelope)
disputed = set(bounds.sjoin(bounds[~counties.is_valid], predicate="intersects").id_left)
rows = [(id, count, str(id not in disputed).lower()) for id, count in sorted(counts.items())]
layers.write("counties_touching_counties", ["id", "neighbours", "valid"], rows)
