-- Days become quarters.
CREATE VIEW patients AS
SELECT *
FROM raw_patients;

CREATE VIEW admissions AS
SELECT *,
    concat(CAST(extract(year FROM admitted) AS VARCHAR), '-Q', CAST(extract(quarter FROM admitted) AS VARCHAR)) AS quarter
FROM raw_admissions;

CREATE VIEW contacts AS
SELECT *,
    concat(CAST(extract(year FROM contact_on) AS VARCHAR), '-Q', CAST(extract(quarter FROM contact_on) AS VARCHAR)) AS quarter
FROM raw_contacts;

CREATE VIEW referrals AS
SELECT *,
    concat(CAST(extract(year FROM opened) AS VARCHAR), '-Q', CAST(extract(quarter FROM opened) AS VARCHAR)) AS quarter
FROM raw_referrals;
