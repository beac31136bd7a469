-- The table, as each hospital's node shares it.
CREATE TABLE cardiac (
    patient VARCHAR, age BIGINT, sex VARCHAR, chest_pain VARCHAR, resting_bp BIGINT, cholesterol BIGINT,
    fasting_sugar_high BOOLEAN, resting_ecg VARCHAR, max_heart_rate BIGINT, exercise_angina BOOLEAN,
    st_depression DOUBLE, slope VARCHAR, vessels BIGINT, thalassemia VARCHAR, disease BIGINT
);
