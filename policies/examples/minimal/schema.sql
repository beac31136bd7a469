-- The table, as the clinic's node shares it.
CREATE TABLE visits (patient VARCHAR, department VARCHAR);
