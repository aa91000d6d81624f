-- The five nearest buildings of every pickup, all rows in order (the text of 2025).
SELECT t_tripkey,
       t_pickuploc,
       b_buildingkey,
       b_name,
       ST_Distance(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(b_boundary)) AS distance_to_building
FROM trip
JOIN building ON ST_KNN(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(b_boundary), 5, FALSE)
ORDER BY distance_to_building, b_buildingkey, t_tripkey
