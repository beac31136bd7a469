-- Who has opted out is in none of these tables; days become quarters.
CREATE VIEW residents AS
SELECT *
FROM raw_residents
WHERE NOT opted_out;

CREATE VIEW social_care AS
SELECT *,
    concat(CAST(extract(year FROM started) AS VARCHAR), '-Q', CAST(extract(quarter FROM started) AS VARCHAR)) AS quarter
FROM raw_social_care
WHERE NOT opted_out;

CREATE VIEW housing AS
SELECT *,
    concat(CAST(extract(year FROM started) AS VARCHAR), '-Q', CAST(extract(quarter FROM started) AS VARCHAR)) AS quarter
FROM raw_housing
WHERE NOT opted_out;

CREATE VIEW benefits AS
SELECT *,
    concat(CAST(extract(year FROM started) AS VARCHAR), '-Q', CAST(extract(quarter FROM started) AS VARCHAR)) AS quarter
FROM raw_benefits
WHERE NOT opted_out;
