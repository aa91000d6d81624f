-- The 100 trips whose five nearest buildings are farthest on average (the text of 2026).
SELECT t_tripkey,
       AVG(distance_to_building) AS avg_distance
FROM trip
CROSS JOIN LATERAL (
    SELECT b_buildingkey,
           b_name,
           ST_Distance(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(b_boundary)) AS distance_to_building
    FROM building
    ORDER BY distance_to_building, b_buildingkey
    LIMIT 5
) AS nearest
GROUP BY t_tripkey
ORDER BY avg_distance DESC, t_tripkey
LIMIT 100
