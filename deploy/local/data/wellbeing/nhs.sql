-- The tables are shared as they are.
CREATE VIEW patients AS
SELECT *
FROM raw_patients;

CREATE VIEW admissions AS
SELECT *
FROM raw_admissions;

CREATE VIEW contacts AS
SELECT *
FROM raw_contacts;

CREATE VIEW referrals AS
SELECT *
FROM raw_referrals;
