-- From the site's own table, which no caller can name, to the shared one. One view for each table of model.toml.
CREATE VIEW visits AS
SELECT
    CAST(patient_no AS VARCHAR) AS patient,
    lower(ward) AS ward,
    CAST(age AS BIGINT) AS age,
    CAST(days AS DOUBLE) AS stay
FROM raw_visits;
