-- Who has opted out is in none of these tables; days become quarters.
CREATE VIEW patients AS
SELECT *
FROM raw_patients
WHERE NOT opted_out;

CREATE VIEW admissions AS
SELECT *,
    concat(CAST(extract(year FROM admitted) AS VARCHAR), '-Q', CAST(extract(quarter FROM admitted) AS VARCHAR)) AS quarter
FROM raw_admissions
WHERE NOT opted_out;

CREATE VIEW contacts AS
SELECT *,
    concat(CAST(extract(year FROM contact_on) AS VARCHAR), '-Q', CAST(extract(quarter FROM contact_on) AS VARCHAR)) AS quarter
FROM raw_contacts
WHERE NOT opted_out;

CREATE VIEW referrals AS
SELECT *,
    concat(CAST(extract(year FROM opened) AS VARCHAR), '-Q', CAST(extract(quarter FROM opened) AS VARCHAR)) AS quarter
FROM raw_referrals
WHERE NOT opted_out;
