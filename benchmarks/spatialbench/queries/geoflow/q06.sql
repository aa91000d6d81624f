-- Figures of the pickups in each zone that a rectangle contains.
SELECT z_zonekey,
       z_name,
       COUNT(t_tripkey) AS total_pickups,
       AVG(t_totalamount) AS avg_amount,
       AVG(t_dropofftime - t_pickuptime) AS avg_duration
FROM trip, zone
WHERE ST_Contains(
        ST_GeomFromText('POLYGON ((-112.2110 34.4197, -111.3110 34.4197, -111.3110 35.3197, -112.2110 35.3197, -112.2110 34.4197))'),
        ST_GeomFromWKB(z_boundary)
    )
    AND ST_Within(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(z_boundary))
GROUP BY z_zonekey, z_name
ORDER BY total_pickups DESC, z_zonekey
