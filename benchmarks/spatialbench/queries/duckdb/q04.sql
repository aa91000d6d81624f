-- The zones where the 1,000 trips of the highest tips began.
SELECT z_zonekey, z_name, COUNT(*) AS trip_count
FROM zone
JOIN (
    SELECT t_pickuploc FROM trip ORDER BY t_tip DESC, t_tripkey LIMIT 1000
) AS top_trips ON ST_Within(ST_GeomFromWKB(top_trips.t_pickuploc), ST_GeomFromWKB(zone.z_boundary))
GROUP BY z_zonekey, z_name
ORDER BY trip_count DESC, z_zonekey
