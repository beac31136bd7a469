-- An incident can be about several people, so it stands beside each of them, and is not a table by itself.
CREATE VIEW people AS
SELECT *
FROM raw_people;

CREATE VIEW involved AS
SELECT
    part.involvement_id,
    part.incident_id,
    part.person_ref,
    part.role,
    incident.category,
    incident.occurred,
    incident.ward AS incident_ward,
    part.opted_out
FROM raw_involved AS part
JOIN raw_incidents AS incident ON incident.incident_id = part.incident_id;
