-- Days become quarters.
CREATE VIEW residents AS
SELECT *
FROM raw_residents;

CREATE VIEW social_care AS
SELECT *,
    concat(CAST(extract(year FROM started) AS VARCHAR), '-Q', CAST(extract(quarter FROM started) AS VARCHAR)) AS quarter
FROM raw_social_care;

CREATE VIEW housing AS
SELECT *,
    concat(CAST(extract(year FROM started) AS VARCHAR), '-Q', CAST(extract(quarter FROM started) AS VARCHAR)) AS quarter
FROM raw_housing;

CREATE VIEW benefits AS
SELECT *,
    concat(CAST(extract(year FROM started) AS VARCHAR), '-Q', CAST(extract(quarter FROM started) AS VARCHAR)) AS quarter
FROM raw_benefits;
