-- The tables, as the four organisations' nodes share them.
CREATE TABLE patients (
    patient_id VARCHAR, nhs_no VARCHAR, uprn VARCHAR, given_name VARCHAR, family_name VARCHAR, date_of_birth DATE,
    sex VARCHAR, age_band VARCHAR, ethnic_group VARCHAR, ward VARCHAR, opted_out BOOLEAN
);

CREATE TABLE admissions (
    admission_id VARCHAR, patient_id VARCHAR, admitted DATE, specialty VARCHAR, emergency BOOLEAN,
    stay_days BIGINT, cost DOUBLE, opted_out BOOLEAN
);

CREATE TABLE contacts (
    contact_id VARCHAR, patient_id VARCHAR, contact_on DATE, service VARCHAR, mode VARCHAR,
    minutes BIGINT, opted_out BOOLEAN
);

CREATE TABLE referrals (
    referral_id VARCHAR, patient_id VARCHAR, opened DATE, service VARCHAR, source VARCHAR,
    wait_days BIGINT, opted_out BOOLEAN
);

CREATE TABLE residents (
    resident_id VARCHAR, nhs_no VARCHAR, uprn VARCHAR, given_name VARCHAR, family_name VARCHAR, date_of_birth DATE,
    sex VARCHAR, age_band VARCHAR, ethnic_group VARCHAR, ward VARCHAR, opted_out BOOLEAN
);

CREATE TABLE social_care (
    case_id VARCHAR, resident_id VARCHAR, started DATE, service VARCHAR, weekly_cost DOUBLE,
    opted_out BOOLEAN
);

CREATE TABLE housing (
    tenancy_id VARCHAR, resident_id VARCHAR, started DATE, tenure VARCHAR, arrears DOUBLE,
    opted_out BOOLEAN
);

CREATE TABLE benefits (
    claim_id VARCHAR, resident_id VARCHAR, started DATE, benefit VARCHAR, weekly_amount DOUBLE,
    opted_out BOOLEAN
);

CREATE TABLE people (
    person_ref VARCHAR, uprn VARCHAR, given_name VARCHAR, family_name VARCHAR, date_of_birth DATE, sex VARCHAR,
    age_band VARCHAR, ethnic_group VARCHAR, ward VARCHAR, opted_out BOOLEAN
);

CREATE TABLE involved (
    involvement_id VARCHAR, incident_id VARCHAR, person_ref VARCHAR, role VARCHAR, category VARCHAR, occurred DATE,
    incident_ward VARCHAR, opted_out BOOLEAN
);

CREATE TABLE pupils (
    pupil_id VARCHAR, uprn VARCHAR, given_name VARCHAR, family_name VARCHAR, date_of_birth DATE, sex VARCHAR,
    ethnic_group VARCHAR, ward VARCHAR, school VARCHAR, year_group BIGINT, free_school_meals BOOLEAN,
    opted_out BOOLEAN
);

CREATE TABLE absence (
    absence_id VARCHAR, pupil_id VARCHAR, term VARCHAR, ward VARCHAR, sessions_possible BIGINT,
    sessions_missed BIGINT, opted_out BOOLEAN
);

CREATE TABLE attainment (
    result_id VARCHAR, pupil_id VARCHAR, school_year BIGINT, subject VARCHAR, ward VARCHAR, score DOUBLE,
    opted_out BOOLEAN
);
