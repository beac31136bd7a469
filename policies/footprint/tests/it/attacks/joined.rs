//! Attacks by joins, 25 to 30 of the list, with their variants; and joins that must pass.

use liquid_policy::Code;

use super::Expect::{self, Permitted, Refused};
use super::{EXPRESSION, FUNCTION, JOIN, PLAN_NODE, check};

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
    (30, "SELECT count(*) FROM ward", PLAN_NODE),
    (30, "SELECT count(*) FROM ward a JOIN ward b USING (ward)", PLAN_NODE),
];

/// Joins on the entity or on a key within it, in many spellings.
const JOINS: &[&str] = &[
    "SELECT offence, avg(fine) FROM person JOIN crime ON person.upi = crime.upi GROUP BY offence",
    "SELECT offence, avg(fine) FROM person JOIN crime USING (upi) GROUP BY offence",
    "SELECT c.offence, avg(c.fine) FROM crime c, person p WHERE p.upi = c.upi GROUP BY c.offence",
    "SELECT offence, avg(fine) FROM person AS p INNER JOIN crime AS c ON c.\"upi\" = p.UPI AND c.upi = p.upi GROUP BY 1",
    "WITH j AS (SELECT p.ward AS w, c.fine AS f FROM person p JOIN crime c USING (upi)) SELECT w, avg(f) FROM j GROUP BY w",
    "SELECT o, avg(f) FROM (SELECT upi u FROM person) p JOIN (SELECT upi v, offence o, fine f FROM crime) c ON u = v GROUP BY o",
    "SELECT sex, count(*) FROM person p JOIN crime c USING (upi) WHERE p.ward = 'W1' OR c.offence = 'arson' GROUP BY sex",
    "SELECT count(DISTINCT p.upi), count(DISTINCT c.upi) FROM person p JOIN crime c ON p.upi = c.upi",
    "SELECT a.sex, b.band, count(*) FROM person a JOIN person b ON a.upi = b.upi GROUP BY a.sex, b.band",
    "SELECT count(*) FROM person p JOIN hh h ON p.upi = h.upi JOIN crime c ON h.upi = c.upi",
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

/// A table joined with itself has two names for one column: choosing by the one what is added up by the other is refused.
#[test]
fn a_column_is_the_same_under_both_names_of_a_table() {
    let sql = "SELECT sum(a.bonus) FROM person a JOIN person b ON a.upi = b.upi WHERE b.bonus > 5";
    check(sql, &[], &Refused(&[Code::ColumnUse]));
    check("SELECT sum(a.bonus) FROM person a JOIN person b ON a.upi = b.upi", &[], &Permitted);
}
