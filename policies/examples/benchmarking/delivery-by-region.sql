-- What deliveries cost and how long customers wait for them, by region, in one quarter.
SELECT region, count(*) AS orders, avg(wait_days) AS days, avg(delivery_cost) AS cost
FROM orders
WHERE quarter = $quarter
GROUP BY region
ORDER BY region
