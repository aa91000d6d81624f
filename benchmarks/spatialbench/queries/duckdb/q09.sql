-- Buildings drawn twice: pairs that intersect, and intersection over union.
WITH pairs AS (
    SELECT a.b_buildingkey AS building_1,
           b.b_buildingkey AS building_2,
           ST_Area(ST_GeomFromWKB(a.b_boundary)) AS area_1,
           ST_Area(ST_GeomFromWKB(b.b_boundary)) AS area_2,
           ST_Area(ST_Intersection(ST_GeomFromWKB(a.b_boundary), ST_GeomFromWKB(b.b_boundary))) AS overlap_area
    FROM building AS a
    JOIN building AS b
        ON a.b_buildingkey < b.b_buildingkey
        AND ST_Intersects(ST_GeomFromWKB(a.b_boundary), ST_GeomFromWKB(b.b_boundary))
)
SELECT building_1,
       building_2,
       area_1,
       area_2,
       overlap_area,
       CASE
           WHEN overlap_area = 0 THEN 0.0
           WHEN area_1 + area_2 - overlap_area = 0 THEN 1.0
           ELSE overlap_area / (area_1 + area_2 - overlap_area)
       END AS iou
FROM pairs
ORDER BY iou DESC, building_1, building_2
