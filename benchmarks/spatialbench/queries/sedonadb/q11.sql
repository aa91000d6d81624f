-- How many trips end in another zone than they began in. Zones overlap: a trip counts once for each pair.
SELECT COUNT(*) AS cross_zone_trip_count
FROM trip
JOIN zone AS pickup_zone
    ON ST_Within(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(pickup_zone.z_boundary))
JOIN zone AS dropoff_zone
    ON ST_Within(ST_GeomFromWKB(t_dropoffloc), ST_GeomFromWKB(dropoff_zone.z_boundary))
WHERE pickup_zone.z_zonekey <> dropoff_zone.z_zonekey
