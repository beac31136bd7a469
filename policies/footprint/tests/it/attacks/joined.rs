//! Attacks by joins, 25 to 30 of the list, with their variants; and joins that must pass.

use liquid_footprint::footprint;
use liquid_policy::Code;

use super::Expect::{self, Permitted, Refused};
use super::{EXPRESSION, FUNCTION, JOIN, PLAN_NODE, check};
use crate::fixture::request;

/// Number of the attack, a question, what must come of it.
pub(super) const ATTACKS: &[(u32, &str, Expect)] = &[
    (25, "SELECT sum(benefit_amt) FROM person JOIN (VALUES (1),(2),(3)) v(x) ON true", PLAN_NODE),
    (27, "SELECT count(*) FROM person CROSS JOIN generate_series(1,100)", FUNCTION),
    (27, "SELECT count(*) FROM person, person p2", JOIN),
    (27, "SELECT count(*) FROM person CROSS JOIN crime", JOIN),
    (27, "SELECT count(*) FROM person JOIN crime ON true", JOIN),
    (27, "SELECT count(*) FROM person JOIN crime USING (upi), hh", JOIN),
    (27, "SELECT count(*) FROM person, ward w WHERE person.ward = 'W1' AND w.ward = 'W1'", JOIN),
    (27, "SELECT count(*) FROM person, UNNEST([1,2,3])", PLAN_NODE),
    (28, "SELECT count(*) FROM person JOIN crime ON person.postcode = crime.offence", JOIN),
    (28, "SELECT count(*) FROM person p, crime c WHERE c.offence = p.postcode", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c ON p.upi = c.upi AND p.postcode = c.offence", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c USING (upi) WHERE p.postcode = c.offence", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c ON p.upi = c.upi AND p.ward = c.offence", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c ON p.upi = c.upi AND p.ward < c.offence", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c ON p.ward < c.offence", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c ON lower(p.upi) = lower(c.upi)", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c ON p.upi || 'x' = c.upi || 'x'", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c ON p.upi = c.upi OR p.ward = 'W1'", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c ON NOT (p.upi <> c.upi)", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c ON p.upi IS NOT DISTINCT FROM c.upi", JOIN),
    (
        28,
        "SELECT count(*) FROM person p JOIN crime c ON p.\"upi\" LIKE c.upi",
        Refused(&[Code::JoinKey, Code::Expression]),
    ),
    (
        28,
        "SELECT count(*) FROM person p JOIN ward w ON p.ward = w.ward JOIN crime c ON c.offence = w.ward",
        JOIN,
    ),
    (28, "SELECT count(*) FROM person p, ward w, person q WHERE p.ward = w.ward AND w.ward = q.ward", JOIN),
    (28, "SELECT count(*) FROM person NATURAL JOIN hh JOIN crime ON hh.hh_id = crime.upi", JOIN),
    (28, "SELECT count(*) FROM (SELECT postcode AS upi FROM person) p JOIN crime USING (upi)", JOIN),
    (28, "SELECT count(*) FROM person p JOIN crime c USING (upi) JOIN crime d ON d.ts = c.ts", JOIN),
    (28, "SELECT count(*) FILTER (WHERE p.ward = c.offence) FROM person p JOIN crime c USING (upi)", JOIN),
    (
        28,
        "SELECT count(*) FROM person p JOIN crime c USING (upi) WHERE c.upi = 'U7'",
        Refused(&[Code::LiteralCompare]),
    ),
    (28, "SELECT count(*) FROM person p JOIN crime c USING (upi) GROUP BY p.ward = c.offence", EXPRESSION),
    (
        29,
        "SELECT count(*) FROM person LEFT JOIN crime ON person.upi = crime.upi WHERE crime.upi IS NULL",
        JOIN,
    ),
    (29, "SELECT count(*) FROM person LEFT JOIN crime USING (upi)", JOIN),
    (29, "SELECT count(*) FROM person RIGHT JOIN crime USING (upi)", JOIN),
    (29, "SELECT count(*) FROM person FULL JOIN crime USING (upi)", JOIN),
    (29, "SELECT count(*) FROM person LEFT SEMI JOIN crime ON person.upi = crime.upi", JOIN),
    (29, "SELECT count(*) FROM person LEFT ANTI JOIN crime ON person.upi = crime.upi", JOIN),
    (29, "SELECT count(*) FROM person WHERE upi NOT IN (SELECT upi FROM crime)", EXPRESSION),
    (
        29,
        "SELECT count(*) FROM person p WHERE NOT EXISTS (SELECT 1 FROM crime c WHERE c.upi = p.upi)",
        EXPRESSION,
    ),
    (29, "SELECT count(*) FROM (SELECT upi FROM person EXCEPT SELECT upi FROM crime) x", JOIN),
    (30, "SELECT count(*) FROM person p JOIN (VALUES ('U1'),('U2')) v(upi) USING(upi)", PLAN_NODE),
    (30, "SELECT count(*) FROM person p JOIN (SELECT 'U1' AS upi) v USING(upi)", PLAN_NODE),
    (30, "WITH v(upi) AS (VALUES ('U1')) SELECT count(*) FROM v, person p WHERE v.upi = p.upi", PLAN_NODE),
    (
        30,
        "SELECT count(*) FROM person p JOIN (SELECT 'U1' AS k, upi FROM crime) v ON p.upi = v.k",
        Refused(&[Code::LiteralCompare, Code::JoinKey]),
    ),
    (30, "SELECT count(*) FROM person p NATURAL JOIN system.queries", PLAN_NODE),
    (30, "SELECT count(*) FROM person p JOIN system.queries q ON p.upi = q.id", PLAN_NODE),
    (30, "SELECT count(*) FROM person WHERE upi IN (SELECT id FROM system.queries)", EXPRESSION),
    (
        30,
        "SELECT count(*) FROM person WHERE upi = ANY(SELECT id FROM system.queries)",
        Refused(&[Code::Expression, Code::PlanNode]),
    ),
    (
        30,
        "SELECT count(*) FROM person p JOIN (SELECT count(*) n FROM person) c ON p.benefit_amt > c.n",
        PLAN_NODE,
    ),
    // What is written beside codes is known to all, as a value of a crowd and as a weight.
    (
        23,
        "SELECT sum(w.people) FROM person p JOIN ward w ON p.ward = w.ward WHERE w.region = 'R1' OR p.sex = 'F'",
        Refused(&[Code::ColumnUse]),
    ),
    (
        23,
        "SELECT sum(benefit_amt * w.people) FROM person p JOIN ward w ON p.ward = w.ward",
        Refused(&[Code::ColumnUse]),
    ),
    (
        23,
        "SELECT avg(benefit_amt * (1 - w.people)) FROM person p JOIN ward w ON p.ward = w.ward",
        Refused(&[Code::ColumnUse]),
    ),
    (
        23,
        "SELECT sum(CASE WHEN p.sex = 'F' THEN w.people END) FROM person p JOIN ward w ON p.ward = w.ward",
        Refused(&[Code::ColumnUse]),
    ),
    // Rows that stand several times or not at all, or that a further equality chooses.
    (
        28,
        "SELECT p.sex, q.band, count(*) FROM person p JOIN person q ON p.upi = q.upi GROUP BY p.sex, q.band",
        JOIN,
    ),
    (28, "SELECT sum(p.bonus) FROM person p JOIN person q ON p.upi = q.upi WHERE q.bonus > 5", JOIN),
    (28, "SELECT count(*) FROM person p JOIN hh h ON p.upi = h.upi JOIN crime c ON h.upi = c.upi", JOIN),
    (28, "SELECT count(*) FROM person p JOIN hh h ON p.upi = h.upi JOIN crime c ON p.upi = c.upi", JOIN),
    (28, "SELECT count(*) FROM visit v JOIN treatment t ON v.upi = t.upi", JOIN),
    (28, "SELECT count(*) FROM visit v JOIN treatment t ON v.upi = t.upi AND v.visit_id = t.visit_id", JOIN),
    (28, "SELECT count(*) FROM visit v JOIN crime c ON v.upi = c.upi", JOIN),
    (28, "SELECT count(*) FROM crime c JOIN crime d ON c.upi = d.upi", JOIN),
    (30, "SELECT count(*) FROM ward", PLAN_NODE),
    (30, "SELECT count(*) FROM ward a JOIN ward b USING (ward)", PLAN_NODE),
];

/// Joins by a reference to a unique key, the entity or a key within it, in many spellings.
const JOINS: &[&str] = &[
    "SELECT offence, avg(fine) FROM person JOIN crime ON person.upi = crime.upi GROUP BY offence",
    "SELECT offence, avg(fine) FROM person JOIN crime USING (upi) GROUP BY offence",
    "SELECT c.offence, avg(c.fine) FROM crime c, person p WHERE p.upi = c.upi GROUP BY c.offence",
    "SELECT offence, avg(fine) FROM person AS p INNER JOIN crime AS c ON c.\"upi\" = p.UPI AND c.upi = p.upi GROUP BY 1",
    "WITH j AS (SELECT p.ward AS w, c.fine AS f FROM person p JOIN crime c USING (upi)) SELECT w, avg(f) FROM j GROUP BY w",
    "SELECT o, avg(f) FROM (SELECT upi u FROM person) p JOIN (SELECT upi v, offence o, fine f FROM crime) c ON u = v GROUP BY o",
    "SELECT sex, count(*) FROM person p JOIN crime c USING (upi) WHERE p.ward = 'W1' OR c.offence = 'arson' GROUP BY sex",
    "SELECT count(DISTINCT p.upi), count(DISTINCT c.upi) FROM person p JOIN crime c ON p.upi = c.upi",
    "SELECT count(*) FROM person p JOIN hh h ON p.upi = h.upi WHERE p.ward = 'W1'",
    "SELECT count(*) FROM visit v JOIN treatment t ON v.visit_id = t.visit_id",
    "SELECT count(*) FROM visit v, treatment t, person p WHERE v.visit_id = t.visit_id AND p.upi = t.upi",
    "SELECT region, count(*) FROM person p JOIN ward w ON p.ward = w.ward GROUP BY region",
    "SELECT region, count(*) FROM crime c JOIN person p USING (upi) JOIN ward w ON p.ward = w.ward GROUP BY region",
];

#[test]
fn joins_by_entity_are_permitted_in_every_spelling() {
    for sql in JOINS {
        check(sql, &[], &Permitted);
    }
}

/// Conditions are put to each table of a join where they read one alone, whatever AND, OR, NOT and CASE stand between them.
#[test]
fn a_condition_over_several_tables_is_seen_wherever_it_stands() {
    let mixed = |conditions: &str| {
        let sql = format!("SELECT {conditions} AND p.sex = 'F'");
        let found = request(&sql.replace("FROM", "FROM person p JOIN crime c USING (upi) WHERE")).unwrap();
        footprint(&found.cuts[0].query).mixed
    };
    for alone in [
        "count(*) FROM p.ward = 'W1' AND c.offence = 'arson'",
        "count(*) FILTER (WHERE p.ward = 'W1' AND c.offence = 'arson') FROM c.ts > DATE '2026-01-01'",
        "sum(CASE WHEN p.ward = 'W1' THEN c.fine WHEN p.ward = 'W2' THEN 0 END) FROM c.offence = 'arson'",
        "sum(p.benefit_amt * c.fine) FROM p.ward = 'W1'",
    ] {
        assert!(!mixed(alone), "{alone}");
    }
    for several in [
        "count(*) FROM (p.ward = 'W1' OR c.offence = 'arson')",
        "count(*) FROM NOT (p.ward = 'W1' AND c.offence = 'arson')",
        "count(*) FILTER (WHERE p.ward = 'W1' OR c.offence = 'arson') FROM c.ts > DATE '2026-01-01'",
        "count(CASE WHEN p.ward = 'W1' AND c.offence = 'arson' THEN 1 END) FROM p.ward = 'W1'",
        "sum(CASE WHEN p.ward = 'W1' THEN c.fine WHEN c.offence = 'arson' THEN 1 END) FROM p.ward = 'W1'",
    ] {
        assert!(mixed(several), "{several}");
    }
}
