-- The shared table of `agreement.toml`, as a hospital may have it: for `liquid policy explain --schema`.
CREATE TABLE cardiac (
    patient            VARCHAR,
    age                BIGINT,
    sex                VARCHAR,
    chest_pain         VARCHAR,
    resting_bp         BIGINT,
    cholesterol        BIGINT,
    fasting_sugar_high BOOLEAN,
    resting_ecg        VARCHAR,
    max_heart_rate     BIGINT,
    exercise_angina    BOOLEAN,
    st_depression      DOUBLE,
    slope              VARCHAR,
    vessels            BIGINT,
    thalassemia        VARCHAR,
    disease            BIGINT,
    postcode           VARCHAR  -- the agreement does not speak of it, so nobody may ask about it
);

-- Nor does it speak of this table.
CREATE TABLE billing (
    patient VARCHAR,
    amount  DOUBLE
);
