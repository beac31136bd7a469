-- The tables are shared as they are.
CREATE VIEW residents AS
SELECT *
FROM raw_residents;

CREATE VIEW social_care AS
SELECT *
FROM raw_social_care;

CREATE VIEW housing AS
SELECT *
FROM raw_housing;

CREATE VIEW benefits AS
SELECT *
FROM raw_benefits;
