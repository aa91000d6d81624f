-- The 100 trips whose five nearest buildings are farthest on average (the text of 2026).
SELECT t_tripkey,
       AVG(ST_Distance(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(b_boundary))) AS avg_distance
FROM trip
JOIN building ON ST_KNN(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(b_boundary), 5, FALSE)
GROUP BY t_tripkey
ORDER BY avg_distance DESC, t_tripkey
LIMIT 100
