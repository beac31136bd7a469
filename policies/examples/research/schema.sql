-- The table, as each hospital's node shares it.
CREATE TABLE stays (
    patient VARCHAR, admitted DATE, diagnosis VARCHAR, chapter VARCHAR, age_band VARCHAR, sex VARCHAR,
    lives_alone BOOLEAN, discharge_visit BOOLEAN, readmitted BOOLEAN, nights BIGINT
);
