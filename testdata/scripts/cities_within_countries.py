"""How many cities lie within each country: `cities JOIN countries ON ST_Within`, grouped by country.

Countries are grouped by name: the ISO column `id` is NULL for sixteen of them and one code is used twice.
Countries without a city within them have no row.
"""

import layers

cities = layers.read("cities", [])
countries = layers.read("countries", ["name"])
joined = cities.sjoin(countries, predicate="within")
counts = joined.groupby("name").size()
layers.write("cities_within_countries", ["name", "cities"], sorted(counts.items()))
