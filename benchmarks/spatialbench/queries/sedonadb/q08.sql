-- How many trips began within 0.0045 degrees (some 500 m) of each building.
SELECT b_buildingkey, b_name, COUNT(*) AS nearby_pickup_count
FROM trip
JOIN building ON ST_DWithin(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(b_boundary), 0.0045)
GROUP BY b_buildingkey, b_name
ORDER BY nearby_pickup_count DESC, b_buildingkey
