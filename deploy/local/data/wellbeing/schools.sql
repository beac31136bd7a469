-- The ward stands beside each term and result, so that asking by ward needs no
-- join: a join with the register would leave out the few who have only just begun, and few are withheld.
CREATE VIEW pupils AS
SELECT *
FROM raw_pupils;

CREATE VIEW absence AS
SELECT raw_absence.*, raw_pupils.ward
FROM raw_absence
JOIN raw_pupils ON raw_pupils.pupil_id = raw_absence.pupil_id;

CREATE VIEW attainment AS
SELECT raw_attainment.*, raw_pupils.ward
FROM raw_attainment
JOIN raw_pupils ON raw_pupils.pupil_id = raw_attainment.pupil_id;
