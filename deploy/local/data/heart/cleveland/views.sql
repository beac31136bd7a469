-- Cleveland: the numeric codes of the study protocol become the federation's words.
CREATE VIEW cardiac AS
SELECT
    'CLE-' || CAST(record_no AS VARCHAR) AS patient,
    CAST(age AS BIGINT) AS age,
    CASE sex WHEN 0 THEN 'F' WHEN 1 THEN 'M' END AS sex,
    CASE cp
        WHEN 1 THEN 'typical angina'
        WHEN 2 THEN 'atypical angina'
        WHEN 3 THEN 'non-anginal'
        WHEN 4 THEN 'asymptomatic'
    END AS chest_pain,
    CAST(trestbps AS BIGINT) AS resting_bp,
    CAST(chol AS BIGINT) AS cholesterol,
    fbs = 1 AS fasting_sugar_high,
    CASE restecg
        WHEN 0 THEN 'normal'
        WHEN 1 THEN 'st-t abnormality'
        WHEN 2 THEN 'lv hypertrophy'
    END AS resting_ecg,
    CAST(thalach AS BIGINT) AS max_heart_rate,
    exang = 1 AS exercise_angina,
    oldpeak AS st_depression,
    CASE slope WHEN 1 THEN 'upsloping' WHEN 2 THEN 'flat' WHEN 3 THEN 'downsloping' END AS slope,
    CAST(ca AS BIGINT) AS vessels,
    CASE thal WHEN 3 THEN 'normal' WHEN 6 THEN 'fixed defect' WHEN 7 THEN 'reversible defect' END AS thalassemia,
    CAST(num AS BIGINT) AS disease
FROM angiography;
