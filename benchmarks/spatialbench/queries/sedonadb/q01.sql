-- Trips picked up near the centre of Sedona, Arizona: within 0.45 degrees (some 50 km).
SELECT t_tripkey,
       ST_X(ST_GeomFromWKB(t_pickuploc)) AS pickup_lon,
       ST_Y(ST_GeomFromWKB(t_pickuploc)) AS pickup_lat,
       t_pickuptime,
       ST_Distance(ST_GeomFromWKB(t_pickuploc), ST_GeomFromText('POINT (-111.7610 34.8697)')) AS distance_to_center
FROM trip
WHERE ST_DWithin(ST_GeomFromWKB(t_pickuploc), ST_GeomFromText('POINT (-111.7610 34.8697)'), 0.45)
ORDER BY distance_to_center, t_tripkey
