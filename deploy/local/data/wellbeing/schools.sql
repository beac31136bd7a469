-- Who has opted out is in none of these tables. The ward stands beside each term and result, so that asking by ward needs no
-- join: a join with the register would leave out the few who have only just begun, and few are withheld.
CREATE VIEW pupils AS
SELECT *
FROM raw_pupils
WHERE NOT opted_out;

CREATE VIEW absence AS
SELECT raw_absence.*, raw_pupils.ward
FROM raw_absence
JOIN raw_pupils ON raw_pupils.pupil_id = raw_absence.pupil_id
WHERE NOT raw_absence.opted_out;

CREATE VIEW attainment AS
SELECT raw_attainment.*, raw_pupils.ward
FROM raw_attainment
JOIN raw_pupils ON raw_pupils.pupil_id = raw_attainment.pupil_id
WHERE NOT raw_attainment.opted_out;
