-- How far customers roam in a month: the area of the hull of their drop-offs, of those with more than five trips.
SELECT c_custkey,
       c_name,
       DATE_TRUNC('month', t_pickuptime) AS pickup_month,
       ST_Area(ST_ConvexHull(ST_Collect(LIST(ST_GeomFromWKB(t_dropoffloc))))) AS hull_area,
       COUNT(*) AS dropoff_count
FROM trip
JOIN customer ON t_custkey = c_custkey
GROUP BY c_custkey, c_name, DATE_TRUNC('month', t_pickuptime)
HAVING COUNT(*) > 5
ORDER BY dropoff_count DESC, c_custkey, pickup_month
