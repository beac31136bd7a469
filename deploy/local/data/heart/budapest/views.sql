-- Budapest: a spreadsheet export with Hungarian words and decimal commas; node.toml says that `?` is missing.
CREATE VIEW cardiac AS
SELECT
    'BUD-' || CAST(torzsszam AS VARCHAR) AS patient,
    CAST(eletkor AS BIGINT) AS age,
    CASE nem WHEN 'N' THEN 'F' WHEN 'F' THEN 'M' END AS sex, -- nő is a woman, férfi a man
    CASE mellkasi_fajdalom
        WHEN 'típusos angina' THEN 'typical angina'
        WHEN 'atípusos angina' THEN 'atypical angina'
        WHEN 'nem anginás' THEN 'non-anginal'
        WHEN 'tünetmentes' THEN 'asymptomatic'
    END AS chest_pain,
    CAST(nyugalmi_vernyomas AS BIGINT) AS resting_bp,
    CAST(koleszterin AS BIGINT) AS cholesterol,
    CASE ehomi_cukor_magas WHEN 'igen' THEN true WHEN 'nem' THEN false END AS fasting_sugar_high,
    CASE nyugalmi_ekg
        WHEN 'normális' THEN 'normal'
        WHEN 'ST-T eltérés' THEN 'st-t abnormality'
        WHEN 'bal kamrai hipertrófia' THEN 'lv hypertrophy'
    END AS resting_ecg,
    CAST(max_pulzus AS BIGINT) AS max_heart_rate,
    CASE terheleses_angina WHEN 'igen' THEN true WHEN 'nem' THEN false END AS exercise_angina,
    CAST(replace(st_depresszio, ',', '.') AS DOUBLE) AS st_depression,
    CASE st_lejtes
        WHEN 'emelkedő' THEN 'upsloping'
        WHEN 'vízszintes' THEN 'flat'
        WHEN 'ereszkedő' THEN 'downsloping'
    END AS slope,
    CAST(erek_szama AS BIGINT) AS vessels,
    CASE thallium
        WHEN 'normális' THEN 'normal'
        WHEN 'rögzült' THEN 'fixed defect'
        WHEN 'reverzibilis' THEN 'reversible defect'
    END AS thalassemia,
    CAST(diagnozis AS BIGINT) AS disease
FROM betegek;
