//! Aggregates by entity below a cut: what they become, what reads back as it was printed, what is refused with which code.

use liquid_footprint::{PlanError, footprint, roundtrip};
use liquid_policy::Code::{self, AggRequired, ColumnUse, Expression, Function, LiteralCompare, PlanNode};
use liquid_policy::decide::judge;
use liquid_policy::footprint::{Argument, CountUse, Term};
use liquid_policy::parse;

use crate::fixture::{AGREEMENT, catalogue, request};

/// Questions that an agreement with a minimum permits, each one cut with a step.
const PERMITTED: &[&str] = &[
    "SELECT count(*) FROM (SELECT DISTINCT upi FROM crime) p",
    "SELECT count(*) FROM (SELECT upi FROM crime GROUP BY upi) p",
    "SELECT avg(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p",
    "SELECT avg(n), sum(n), count(n), count(DISTINCT upi) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p",
    "SELECT avg(d) FROM (SELECT upi, sum(damage) d FROM crime GROUP BY upi) p",
    "SELECT avg(d) FROM (SELECT upi, sum(damage * damage) d FROM crime GROUP BY upi) p",
    "SELECT sum(a), sum(b), sum(c), sum(d) FROM (SELECT upi, count(*) FILTER (WHERE offence = 'a') a, \
     count(*) FILTER (WHERE offence = 'b') b, count(*) FILTER (WHERE offence = 'c') c, count(*) FILTER (WHERE offence = 'd') d \
     FROM crime GROUP BY upi) p",
    "SELECT y, avg(d) FROM (SELECT upi, date_part('year', ts) y, sum(damage) d FROM crime GROUP BY upi, y) p GROUP BY y",
    "SELECT offence, count(*) FROM (SELECT upi, offence, count(*) n FROM crime WHERE ts >= DATE '2025-01-01' GROUP BY upi, offence) p \
     WHERE n >= 3 GROUP BY offence",
    "SELECT CASE WHEN n >= 10 THEN 10 WHEN n >= 5 THEN 5 ELSE 1 END, count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p GROUP BY 1",
    "SELECT CASE WHEN n = 1 THEN 'one' WHEN n = 2 THEN 'two' WHEN n BETWEEN 3 AND 4 THEN 'some' ELSE 'many' END, count(*) FROM \
     (SELECT upi, count(*) n FROM crime GROUP BY upi) p GROUP BY 1",
    "SELECT count(*) FILTER (WHERE n IN (1, 2)), count(*) FILTER (WHERE n NOT IN (3, 4)) FROM \
     (SELECT upi, count(*) n FROM crime GROUP BY upi HAVING count(*) > 0) p",
    "SELECT sum(n), count(*) FROM (SELECT upi, count(*) FILTER (WHERE offence = 'arson') n FROM crime GROUP BY upi) p",
    "SELECT sum(a), sum(b), sum(c), sum(d), count(*), count(DISTINCT upi), \
     count(CASE WHEN m >= 3 THEN 1 WHEN m >= 1 THEN 1 END) FROM (SELECT upi, count(*) m, count(*) FILTER (WHERE offence = 'a') a, \
     count(*) FILTER (WHERE offence = 'b') b, count(*) FILTER (WHERE offence = 'c') c, \
     count(*) FILTER (WHERE offence = 'd') d FROM crime GROUP BY upi) p",
    "SELECT first, count(*) FROM (SELECT upi, min(ts) first FROM crime GROUP BY upi) p WHERE first >= DATE '2020-01-01' GROUP BY first",
    "SELECT offence, sum(n) FROM (SELECT upi, offence, count(*) n FROM crime GROUP BY upi, offence, 1) p WHERE offence <> 'arson' GROUP BY offence",
    "SELECT sum(a), sum(s) FROM (SELECT upi, count(*) FILTER (WHERE offence = 'a') a, sum(damage) FILTER (WHERE offence = 'b') s \
     FROM crime WHERE ts >= DATE '2025-01-01' GROUP BY upi) p",
    "WITH p AS (SELECT c.upi AS who, count(*) AS n FROM crime AS c GROUP BY c.upi) SELECT avg(q.n) FROM (SELECT * FROM p) q",
];

/// Questions that it refuses.
const REFUSED: &[(Code, &str)] = &[
    // The entity, however it is called.
    (ColumnUse, "SELECT upi, count(*) FROM crime GROUP BY upi"),
    (ColumnUse, "SELECT upi, sum(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p GROUP BY upi"),
    (ColumnUse, "SELECT w, sum(n) FROM (SELECT upi AS w, count(*) n FROM crime GROUP BY upi) p GROUP BY w"),
    (ColumnUse, "SELECT DISTINCT upi FROM (SELECT DISTINCT upi FROM crime) p"),
    (
        LiteralCompare,
        "SELECT sum(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE upi = 'U7'",
    ),
    (
        LiteralCompare,
        "SELECT sum(n) FROM (SELECT upi, count(*) n FROM crime WHERE upi = 'U7' GROUP BY upi) p",
    ),
    (
        LiteralCompare,
        "SELECT sum(n) FROM (SELECT upi, count(*) FILTER (WHERE upi = 'U7') n FROM crime GROUP BY upi) p",
    ),
    (
        LiteralCompare,
        "SELECT sum(n) FILTER (WHERE upi = 'U7') FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p",
    ),
    // Conditions below read what may be filtered by.
    (
        LiteralCompare,
        "SELECT avg(n) FROM (SELECT upi, count(*) n FROM crime WHERE note = 'seen at night' GROUP BY upi) p",
    ),
    (
        LiteralCompare,
        "SELECT avg(d) FROM (SELECT upi, sum(damage) FILTER (WHERE note = 'seen at night') d FROM crime GROUP BY upi) p",
    ),
    (
        LiteralCompare,
        "SELECT avg(d) FROM (SELECT upi, sum(damage) d FROM crime WHERE damage > 100 GROUP BY upi) p",
    ),
    // An expression of the entity is not the entity.
    (ColumnUse, "SELECT avg(n) FROM (SELECT upper(upi) u, count(*) n FROM crime GROUP BY upper(upi)) p"),
    (ColumnUse, "SELECT avg(n) FROM (SELECT upi || '' u, count(*) n FROM crime GROUP BY 1) p"),
    (ColumnUse, "SELECT avg(n) FROM (SELECT upi, left(upi, 1) l, count(*) n FROM crime GROUP BY 1, 2) p"),
    (ColumnUse, "SELECT count(*) FROM (SELECT upi, note FROM crime GROUP BY upi, note) p"),
    (ColumnUse, "SELECT count(*) FROM (SELECT DISTINCT upi, note FROM crime) p"),
    // Not every set.
    (PlanNode, "SELECT avg(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY ROLLUP (upi)) p"),
    (
        PlanNode,
        "SELECT avg(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY GROUPING SETS ((upi), (upi, offence))) p",
    ),
    (
        PlanNode,
        "SELECT sum(n) FROM (SELECT upi, offence, count(*) n FROM crime GROUP BY GROUPING SETS ((upi), (offence))) p",
    ),
    (PlanNode, "SELECT avg(n) FROM (SELECT DISTINCT ON (upi) upi, 1 AS n FROM crime) p"),
    // Counts are seen on bins.
    (LiteralCompare, "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n >= 4"),
    (LiteralCompare, "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n = 3"),
    (LiteralCompare, "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n = 23"),
    (LiteralCompare, "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n > 10"),
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n + 1 >= 3",
    ),
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n >= 2.5",
    ),
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n * n >= 9",
    ),
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE nullif(n, 23) IS NULL",
    ),
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n BETWEEN 5 AND 6",
    ),
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n IN (1, 7)",
    ),
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi HAVING count(*) >= 11) p",
    ),
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, count(*) n, count(damage) m FROM crime GROUP BY upi) p WHERE n > m",
    ),
    (LiteralCompare, "SELECT n, count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p GROUP BY n"),
    (
        LiteralCompare,
        "SELECT n / 2, count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p GROUP BY 1",
    ),
    (
        LiteralCompare,
        "SELECT count(*) FILTER (WHERE n = 7) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p",
    ),
    (
        LiteralCompare,
        "SELECT count(CASE WHEN n = 7 THEN 1 END) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p",
    ),
    // Without bins, not at all.
    (ColumnUse, "SELECT count(*) FROM (SELECT upi, count(*) n FROM person GROUP BY upi) p WHERE n >= 3"),
    (
        ColumnUse,
        "SELECT n >= 3, count(*) FROM (SELECT upi, count(*) n FROM person GROUP BY upi) p GROUP BY 1",
    ),
    // From a measure, only a measure.
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, sum(damage) d FROM crime GROUP BY upi) p WHERE d > 100",
    ),
    (LiteralCompare, "SELECT count(*) FROM (SELECT upi FROM crime GROUP BY upi HAVING avg(damage) > 3) p"),
    (
        LiteralCompare,
        "SELECT count(*) FILTER (WHERE d IS NULL) FROM (SELECT upi, max(damage) d FROM crime GROUP BY upi) p",
    ),
    (ColumnUse, "SELECT d, count(*) FROM (SELECT upi, sum(damage) d FROM crime GROUP BY upi) p GROUP BY d"),
    (
        ColumnUse,
        "SELECT round(d), count(*) FROM (SELECT upi, avg(damage) d FROM crime GROUP BY upi) p GROUP BY 1",
    ),
    // What can lack values, and what has no grain.
    (ColumnUse, "SELECT avg(f) FROM (SELECT upi, sum(fine) f FROM crime GROUP BY upi) p"),
    (ColumnUse, "SELECT avg(f) FROM (SELECT upi, count(fine) f FROM crime GROUP BY upi) p"),
    (ColumnUse, "SELECT avg(f) FROM (SELECT upi, max(fine) f FROM crime GROUP BY upi) p"),
    (Function, "SELECT sum(d) FROM (SELECT upi, max(damage * (1 - damage)) d FROM crime GROUP BY upi) p"),
    (Function, "SELECT sum(d) FROM (SELECT upi, min(damage * damage) d FROM crime GROUP BY upi) p"),
    (Function, "SELECT o, count(*) FROM (SELECT upi, min(offence) o FROM crime GROUP BY upi) p GROUP BY o"),
    (
        LiteralCompare,
        "SELECT count(*) FROM (SELECT upi, min(ts) t FROM crime GROUP BY upi) p WHERE t >= DATE '2025-03-03'",
    ),
    (
        ColumnUse,
        "SELECT date_part('month', t), count(*) FROM (SELECT upi, max(ts) t FROM crime GROUP BY upi) p GROUP BY 1",
    ),
    (Function, "SELECT min(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p"),
    (Function, "SELECT max(d) FROM (SELECT upi, sum(damage) d FROM crime GROUP BY upi) p"),
    (Function, "SELECT avg(o) FROM (SELECT upi, count(DISTINCT offence) o FROM crime GROUP BY upi) p"),
    (Function, "SELECT count(DISTINCT n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p"),
    (Function, "SELECT avg(n) FROM (SELECT upi, median(damage) n FROM crime GROUP BY upi) p"),
    // Chosen by what is added up.
    (ColumnUse, "SELECT avg(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE n >= 3"),
    (ColumnUse, "SELECT n >= 3, sum(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p GROUP BY 1"),
    (
        ColumnUse,
        "SELECT sum(CASE WHEN n >= 3 THEN m END) FROM \
     (SELECT upi, count(*) n, count(*) FILTER (WHERE offence = 'arson') m FROM crime GROUP BY upi) p",
    ),
    // Conditions by CASE are conditions too.
    (
        Expression,
        "SELECT avg(n) FROM (SELECT upi, sum(CASE WHEN offence = 'arson' THEN 1 ELSE 0 END) n FROM crime GROUP BY upi) p",
    ),
    (Expression, "SELECT avg(n) FROM (SELECT upi, sum(damage + 1) n FROM crime GROUP BY upi) p"),
    // What is multiplied chooses: of all damage, that of people without a theft.
    (
        Expression,
        "SELECT sum(d * (1 - n)) FROM \
         (SELECT upi, sum(damage) d, count(*) FILTER (WHERE offence = 'theft') n FROM crime GROUP BY upi) p",
    ),
    (Expression, "SELECT avg(d * n) FROM (SELECT upi, max(damage) d, count(*) n FROM crime GROUP BY upi) p"),
    (Expression, "SELECT sum(n * n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p"),
    (
        Expression,
        "SELECT sum(CASE WHEN o = 'arson' THEN d * (1 - n) END) FROM \
         (SELECT upi, offence o, sum(damage) d, count(*) n FROM crime GROUP BY upi, offence) p",
    ),
    (
        Expression,
        "SELECT sum(a), sum(b), sum(c), sum(d), sum(e), sum(f) FROM (SELECT upi, count(*) FILTER (WHERE offence = 'a') a, \
         count(*) FILTER (WHERE offence = 'b') b, count(*) FILTER (WHERE offence = 'c') c, count(*) FILTER (WHERE offence = 'd') d, \
         count(*) FILTER (WHERE offence = 'e') e, count(*) FILTER (WHERE offence = 'f') f FROM crime GROUP BY upi) p",
    ),
    (
        Expression,
        "SELECT sum(a), sum(b), sum(c) FROM (SELECT upi, count(*) FILTER (WHERE offence = 'a') a, \
         count(*) FILTER (WHERE offence = 'b') b, count(*) FILTER (WHERE offence = 'c') c FROM crime WHERE ts >= DATE '2025-01-01' GROUP BY upi) p",
    ),
    // Four places and nine values; eight are judged.
    (
        Expression,
        "SELECT sum(a), sum(b), sum(c), sum(d), count(*), count(DISTINCT upi), \
         count(CASE WHEN m >= 3 THEN 1 WHEN m >= 1 THEN 1 ELSE 1 END) FROM (SELECT upi, count(*) m, count(*) FILTER (WHERE offence = 'a') a, \
         count(*) FILTER (WHERE offence = 'b') b, count(*) FILTER (WHERE offence = 'c') c, \
         count(*) FILTER (WHERE offence = 'd') d FROM crime GROUP BY upi) p",
    ),
    // Beside the sum, an average tells how many people it is of.
    (
        Expression,
        "SELECT avg(n) FROM (SELECT upi, count(*) FILTER (WHERE offence = 'arson') n FROM crime GROUP BY upi) p",
    ),
    (
        Expression,
        "SELECT avg(n) FROM (SELECT upi, count(*) n FROM crime WHERE offence = 'arson' GROUP BY upi) p",
    ),
    // A key that tells rows of one person apart is a condition, and the answer does not show it.
    (Expression, "SELECT count(*) FROM (SELECT DISTINCT upi, offence FROM crime) p"),
    (
        Expression,
        "SELECT sum(d) FROM (SELECT upi, offence, min(damage) d FROM crime GROUP BY upi, offence) p",
    ),
    (
        Expression,
        "SELECT sum(n) FROM (SELECT upi, offence, count(*) n FROM crime WHERE offence <> 'arson' GROUP BY upi, offence) p",
    ),
    (
        Expression,
        "SELECT upper(offence), count(*) FROM (SELECT upi, offence, count(*) n FROM crime GROUP BY upi, offence) p GROUP BY 1",
    ),
    // One step, over one table, of whole tables.
    (
        PlanNode,
        "SELECT avg(m) FROM (SELECT upi, max(n) m FROM (SELECT upi, ts, count(*) n FROM crime GROUP BY upi, ts) a GROUP BY upi) b",
    ),
    (
        PlanNode,
        "SELECT count(*) FROM (SELECT DISTINCT upi FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) a) b",
    ),
    (
        PlanNode,
        "SELECT avg(n) FROM (SELECT c.upi, count(*) n FROM crime c JOIN person p ON c.upi = p.upi GROUP BY c.upi) x",
    ),
    (
        PlanNode,
        "SELECT avg(n) FROM person p JOIN (SELECT upi, count(*) n FROM crime GROUP BY upi) c ON p.upi = c.upi",
    ),
    (
        PlanNode,
        "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) a JOIN (SELECT upi FROM crime GROUP BY upi) b ON a.upi = b.upi",
    ),
    (
        PlanNode,
        "SELECT avg(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi ORDER BY n DESC LIMIT 1) p",
    ),
    (PlanNode, "SELECT avg(n) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi OFFSET 1) p"),
    (
        PlanNode,
        "SELECT avg(n) FROM (SELECT upi, count(*) n FROM (SELECT * FROM crime LIMIT 100) c GROUP BY upi) p",
    ),
    (
        PlanNode,
        "SELECT avg(r) FROM (SELECT upi, row_number() OVER (ORDER BY count(*)) r FROM crime GROUP BY upi) p",
    ),
    (
        PlanNode,
        "SELECT count(*) FROM (SELECT DISTINCT upi FROM crime UNION SELECT DISTINCT upi FROM crime) p",
    ),
    (PlanNode, "SELECT count(*) FROM (SELECT upi FROM crime UNION SELECT upi FROM person) p"),
    (AggRequired, "SELECT count(*) FROM (SELECT visit_id, count(*) n FROM visit GROUP BY visit_id) p"),
];

fn refusal(sql: &str) -> Option<liquid_policy::Refusal> {
    match request(sql) {
        Ok(request) => request.cuts.iter().find_map(|cut| judge(&AGREEMENT, &footprint(&cut.query)).err()),
        Err(PlanError::Refused(refusal)) => Some(refusal),
        Err(other) => panic!("{sql}: {other}"),
    }
}

#[test]
fn what_is_computed_for_each_entity_may_be_aggregated() {
    for sql in PERMITTED {
        let request = request(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let [cut] = request.cuts.as_slice() else { panic!("{sql}: {} cuts", request.cuts.len()) };
        assert!(cut.query.step.is_some(), "{sql}");
        judge(&AGREEMENT, &footprint(&cut.query)).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
        roundtrip(&cut.query, &catalogue()).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[test]
fn what_it_may_not_tell_is_refused_with_its_code() {
    for (code, sql) in REFUSED {
        let refusal = refusal(sql).unwrap_or_else(|| panic!("it is permitted: {sql}"));
        assert_eq!(refusal.code, *code, "{sql}: {refusal}");
        assert!(!refusal.fix.is_empty() && !refusal.to_string().contains("U7"), "{sql}: {refusal}");
    }
}

#[test]
fn a_refusal_shows_the_bins_as_sql() {
    let refusal =
        refusal("SELECT n, count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p GROUP BY n")
            .unwrap();
    assert_eq!(refusal.clause, "table.crime.entity_counts");
    let case = "CASE WHEN n >= 10 THEN 10 WHEN n >= 5 THEN 5 WHEN n >= 3 THEN 3 WHEN n >= 2 THEN 2 WHEN n >= 1 THEN 1 ELSE 0 END";
    assert!(refusal.fix.contains(case), "{refusal}");
    let follows =
        format!("SELECT {case}, count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p GROUP BY 1");
    let cut = &request(&follows).unwrap().cuts[0];
    assert!(judge(&AGREEMENT, &footprint(&cut.query)).is_ok());
}

/// Edges, as the decision sees them.
#[test]
fn counts_are_shown_with_the_numbers_at_which_answers_change() {
    for (condition, edges) in [
        ("n >= 3", Some(vec![3])),
        ("3 > n", Some(vec![3])),
        ("n <= 4", Some(vec![5])),
        ("n > 4", Some(vec![5])),
        ("n = 2", Some(vec![2, 3])),
        ("n <> 2 AND n >= 1", Some(vec![1, 2, 3])),
        ("NOT (n BETWEEN 3 AND 4)", Some(vec![3, 5])),
        ("n IN (3, 4, 9)", Some(vec![3, 5, 9, 10])),
        ("n >= 0 OR n > -5", Some(vec![])),
        ("n BETWEEN 4 AND 3", Some(vec![])),
        ("n > 9223372036854775807", Some(vec![])),
        ("n IS NULL", None),
        ("n % 2 = 0", None),
        ("n >= 3 AND CAST(n AS DOUBLE) > 7.0", None),
        ("n >= n", None),
    ] {
        let sql = format!(
            "SELECT count(*) FROM (SELECT upi, count(*) n FROM crime GROUP BY upi) p WHERE {condition}"
        );
        let step = footprint(&request(&sql).unwrap().cuts[0].query).step.unwrap();
        let edges = edges.map(|edges| edges.into_iter().collect());
        assert_eq!(step.counts, [CountUse { value: "v0".into(), edges }], "{condition}");
    }
}

/// A condition below on the keys alone is a condition above: one question, one value, judged as what it is.
#[test]
fn conditions_on_keys_are_lifted() {
    let below = "SELECT count(*) FROM (SELECT upi, offence FROM crime WHERE offence = 'arson' AND ts > DATE '2020-01-01' GROUP BY 1, 2) p";
    let above = "SELECT count(*) FROM (SELECT upi, offence FROM crime WHERE ts > DATE '2020-01-01' GROUP BY 1, 2) p WHERE offence = 'arson'";
    let [below, above] = [below, above].map(|sql| request(sql).unwrap().cuts.remove(0).query);
    assert_eq!(below, above);
    let touches = footprint(&below);
    assert_eq!(touches.filter, ["k1".into()]);
    assert_eq!(touches.step.unwrap().filter, ["ts".into()]);
}

/// Where nothing says that a column stands for one entity, an aggregate is a cut, and what stands above reads released cells.
#[test]
fn any_other_aggregate_below_another_is_the_cut() {
    let sql = "SELECT avg(n) FROM (SELECT offence, count(*) n FROM crime GROUP BY offence) p";
    let request = request(sql).unwrap();
    assert!(request.cuts[0].query.step.is_none() && !request.bare());
}

/// Above a step, whatever was made of columns is a measure and may be added up: so those columns must be measures.
#[test]
fn an_extreme_of_an_expression_is_one_of_measures() {
    let open = parse(
        r#"schema = "liquid/agreement/1"
agreement = { id = "A-1", version = "1", purposes = ["p"], in_force = 2026-01-01, expires = 2026-12-31 }
party = [{ organisation = "north", role = "controller" }]
disclosure = { minimum_contributors = 1 }
[table.crime]
entity = "upi"
[table.crime.columns]
upi = { use = ["group"] }
ts = { use = ["group", "filter"] }
fine = { use = ["group", "filter"] }
damage = { use = ["measure"] }
"#,
        "open.toml",
    )
    .unwrap();
    let judged = |value: &str| {
        let sql = format!("SELECT sum(m) FROM (SELECT upi, {value} m FROM crime GROUP BY upi) p");
        let request = request(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let [cut] = request.cuts.as_slice() else { panic!("{sql}: {} cuts", request.cuts.len()) };
        assert!(cut.query.step.is_some(), "{sql}");
        judge(&open, &footprint(&cut.query)).err().map(|refusal| refusal.code)
    };
    for value in [
        "max(damage)",
        "max(damage + 1)",
        "min(CASE WHEN fine > 0 THEN damage END)",
        "max(damage * (1 - damage))",
    ] {
        assert_eq!(judged(value), None, "{value}");
    }
    // A footprint is plain data: a factor alone is no column as it stands, whoever wrote it so.
    let request =
        request("SELECT sum(m) FROM (SELECT upi, max(damage) m FROM crime GROUP BY upi) p").unwrap();
    let mut factor = footprint(&request.cuts[0].query);
    let value = &mut factor.step.as_mut().unwrap().values[0];
    value.argument = Argument::Term(Term { columns: vec![], factors: vec!["fine".into()] });
    assert_eq!(judge(&open, &factor).map_err(|refusal| refusal.code).err(), Some(ColumnUse));
    for value in [
        "max(fine + 0)",
        "max(fine * (1 - damage))",
        "max(1 - fine)",
        "min(1 + fine)",
        "max(CASE WHEN fine > 0 THEN fine END)",
        "min(extract(year from ts))",
    ] {
        assert_eq!(judged(value), Some(ColumnUse), "{value}");
    }
}
