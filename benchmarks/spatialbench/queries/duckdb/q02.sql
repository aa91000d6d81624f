-- How many trips were picked up in one county, found by its name.
SELECT COUNT(*) AS trip_count
FROM trip
WHERE ST_Intersects(
    ST_GeomFromWKB(t_pickuploc),
    (SELECT ST_GeomFromWKB(z_boundary) FROM zone WHERE z_name = 'Coconino County' LIMIT 1)
)
