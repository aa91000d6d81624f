-- Detours: the reported distance of every trip over the length of the straight line, a degree being 1/0.000009 metres.
WITH lengths AS (
    SELECT t_tripkey,
           t_distance AS reported_distance,
           ST_Length(ST_MakeLine(ST_GeomFromWKB(t_pickuploc), ST_GeomFromWKB(t_dropoffloc))) / 0.000009 AS line_distance
    FROM trip
)
SELECT t_tripkey,
       reported_distance,
       line_distance,
       reported_distance / NULLIF(line_distance, 0) AS detour_ratio
FROM lengths
ORDER BY detour_ratio DESC NULLS LAST, reported_distance DESC, t_tripkey
