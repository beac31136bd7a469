-- Zurich and Basel: one JSON object a patient. A key that is not there is a missing value, and so is a cholesterol of
-- 0, which no living patient has: this hospital did not measure it.
CREATE VIEW cardiac AS
SELECT
    'ZRB-' || CAST("Fallnummer" AS VARCHAR) AS patient,
    CAST("Alter" AS BIGINT) AS age,
    CASE "Geschlecht" WHEN 'weiblich' THEN 'F' WHEN 'männlich' THEN 'M' END AS sex,
    CASE "Brustschmerz"
        WHEN 'typische Angina' THEN 'typical angina'
        WHEN 'atypische Angina' THEN 'atypical angina'
        WHEN 'nicht anginös' THEN 'non-anginal'
        WHEN 'asymptomatisch' THEN 'asymptomatic'
    END AS chest_pain,
    CAST("Blutdruck" AS BIGINT) AS resting_bp,
    CAST(NULLIF("Cholesterin", 0) AS BIGINT) AS cholesterol,
    "NuechternzuckerHoch" AS fasting_sugar_high,
    CASE "RuheEKG"
        WHEN 'normal' THEN 'normal'
        WHEN 'ST-T-Veränderung' THEN 'st-t abnormality'
        WHEN 'LV-Hypertrophie' THEN 'lv hypertrophy'
    END AS resting_ecg,
    CAST("MaxPuls" AS BIGINT) AS max_heart_rate,
    "BelastungsAngina" AS exercise_angina,
    "STSenkung" AS st_depression,
    CASE "STSteigung"
        WHEN 'ansteigend' THEN 'upsloping'
        WHEN 'horizontal' THEN 'flat'
        WHEN 'absteigend' THEN 'downsloping'
    END AS slope,
    CAST("Gefaesse" AS BIGINT) AS vessels,
    CASE "Thallium"
        WHEN 'normal' THEN 'normal'
        WHEN 'fixiert' THEN 'fixed defect'
        WHEN 'reversibel' THEN 'reversible defect'
    END AS thalassemia,
    CAST("Diagnose" AS BIGINT) AS disease
FROM patienten;
