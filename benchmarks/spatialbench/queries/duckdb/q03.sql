-- Monthly figures of the trips picked up within 0.045 degrees (some 5 km) of a rectangle.
SELECT DATE_TRUNC('month', t_pickuptime) AS pickup_month,
       COUNT(t_tripkey) AS total_trips,
       AVG(t_distance) AS avg_distance,
       AVG(t_dropofftime - t_pickuptime) AS avg_duration,
       AVG(t_fare) AS avg_fare
FROM trip
WHERE ST_DWithin(
    ST_GeomFromWKB(t_pickuploc),
    ST_GeomFromText('POLYGON ((-111.9060 34.7347, -111.6160 34.7347, -111.6160 35.0047, -111.9060 35.0047, -111.9060 34.7347))'),
    0.045
)
GROUP BY DATE_TRUNC('month', t_pickuptime)
ORDER BY pickup_month
