-- Long Beach: a data-warehouse extract. Whole numbers came as floats because some are missing; a blood pressure or a
-- cholesterol of 0 is one more way in which this warehouse writes "not measured".
CREATE VIEW cardiac AS
SELECT
    'LBV-' || CAST("PatientSID" AS VARCHAR) AS patient,
    CAST("AgeAtVisit" AS BIGINT) AS age,
    CASE "BirthSex" WHEN 'F' THEN 'F' WHEN 'M' THEN 'M' END AS sex,
    CASE "ChestPain"
        WHEN 'TA' THEN 'typical angina'
        WHEN 'ATA' THEN 'atypical angina'
        WHEN 'NAP' THEN 'non-anginal'
        WHEN 'ASY' THEN 'asymptomatic'
    END AS chest_pain,
    CAST(NULLIF("RestingSBP", 0) AS BIGINT) AS resting_bp,
    CAST(NULLIF("CholesterolTotal", 0) AS BIGINT) AS cholesterol,
    CASE "GlucoseGT120" WHEN 'Y' THEN true WHEN 'N' THEN false END AS fasting_sugar_high,
    CASE "RestingECG"
        WHEN 'NORMAL' THEN 'normal'
        WHEN 'STT' THEN 'st-t abnormality'
        WHEN 'LVH' THEN 'lv hypertrophy'
    END AS resting_ecg,
    CAST("PeakHeartRate" AS BIGINT) AS max_heart_rate,
    CASE "ExerciseAngina" WHEN 'Y' THEN true WHEN 'N' THEN false END AS exercise_angina,
    "STDepression" AS st_depression,
    CASE "STSlope" WHEN 'UP' THEN 'upsloping' WHEN 'FLAT' THEN 'flat' WHEN 'DOWN' THEN 'downsloping' END AS slope,
    CAST("VesselsColored" AS BIGINT) AS vessels,
    CASE "ThalliumScan"
        WHEN 'NORM' THEN 'normal'
        WHEN 'FIXED' THEN 'fixed defect'
        WHEN 'REVERS' THEN 'reversible defect'
    END AS thalassemia,
    CAST("Diagnosis" AS BIGINT) AS disease
FROM cath_lab;
