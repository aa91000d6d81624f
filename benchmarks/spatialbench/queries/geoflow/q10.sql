-- Figures of the trips that begin in each zone; zones without trips stay.
SELECT z_zonekey,
       z_name,
       AVG(t_dropofftime - t_pickuptime) AS avg_duration,
       AVG(t_distance) AS avg_distance,
       COUNT(t_tripkey) AS num_trips
FROM zone
LEFT JOIN trip ON ST_Within(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(z_boundary))
GROUP BY z_zonekey, z_name
ORDER BY avg_duration DESC NULLS LAST, z_zonekey
