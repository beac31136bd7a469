//! What will be tried, as far as planning stops it or must show it to the decision: each line in many spellings.

mod joined;

use datafusion_common::ScalarValue;
use liquid_footprint::{PlanError, footprint};
use liquid_policy::decide::judge;
use liquid_policy::footprint::{Argument, Footprint};
use liquid_policy::{Code, Refusal};

use crate::fixture::{AGREEMENT, request, request_with};

/// What must come of a question.
enum Expect {
    /// Refused by the platform or the agreement, with one of these codes.
    Refused(&'static [Code]),
    /// Planned, and the decision sees these columns compared with literals (WHERE, FILTER, CASE).
    Compared(&'static [&'static str]),
    /// Planned, and the decision sees these columns in group keys.
    Grouped(&'static [&'static str]),
    /// Planned, and the decision sees these columns inside aggregates.
    Measured(&'static [&'static str]),
    /// Planned and permitted.
    Permitted,
    /// Not a question of this language at all.
    Invalid,
}
use Expect::{Compared, Grouped, Invalid, Measured, Permitted, Refused};

const FUNCTION: Expect = Refused(&[Code::Function]);
const EXPRESSION: Expect = Refused(&[Code::Expression]);
const STATEMENT: Expect = Refused(&[Code::Statement]);
const PLAN_NODE: Expect = Refused(&[Code::PlanNode]);
const AGGREGATE: Expect = Refused(&[Code::AggRequired]);
const JOIN: Expect = Refused(&[Code::JoinKey]);
/// Finer than the grain of the column.
const FINER: Expect = Refused(&[Code::ColumnUse]);
/// Compared with a day within a step.
const WITHIN: Expect = Refused(&[Code::LiteralCompare]);

/// Number of the attack, a question, what must come of it.
const ATTACKS: &[(u32, &str, Expect)] = &[
    (1, "SELECT * FROM person", AGGREGATE),
    (1, "SELECT ward FROM person", AGGREGATE),
    (1, "SELECT 1 FROM person", AGGREGATE),
    (1, "SELECT ward FROM person WHERE sex = 'F' ORDER BY ward LIMIT 1", AGGREGATE),
    (1, "SELECT ward FROM person UNION ALL SELECT ward FROM person", AGGREGATE),
    (1, "SELECT * FROM person, crime", AGGREGATE),
    (1, "SELECT count(*) FROM person UNION ALL SELECT benefit_amt FROM person", AGGREGATE),
    (1, "SELECT (SELECT name FROM person LIMIT 1)", AGGREGATE),
    (2, "SELECT ward, count(*) FROM person WHERE name='Ann Lee' GROUP BY ward", Compared(&["name"])),
    (2, "SELECT ward, count(*) FROM person WHERE 'Ann Lee' IN (name) GROUP BY ward", EXPRESSION),
    (
        2,
        "SELECT ward, count(*) FROM person WHERE name IN ('Ann Lee', 'x') GROUP BY ward",
        Compared(&["name"]),
    ),
    (
        2,
        "SELECT ward, count(*) FROM person WHERE nullif(name, 'Ann Lee') IS NULL GROUP BY ward",
        Compared(&["name"]),
    ),
    (
        2,
        "SELECT ward, count(*) FROM person WHERE CASE name WHEN 'Ann Lee' THEN true END GROUP BY ward",
        Compared(&["name"]),
    ),
    (
        2,
        "SELECT ward, count(*) FROM person WHERE upper(name) || '!' = 'ANN LEE!' GROUP BY ward",
        Compared(&["name"]),
    ),
    (
        2,
        "SELECT ward, count(*) FROM person WHERE NOT (name <> 'Ann Lee') AND ward = 'W' GROUP BY ward",
        Compared(&["name", "ward"]),
    ),
    (
        2,
        "SELECT ward, count(*) FROM person WHERE name BETWEEN 'Ann Lee' AND 'Ann Lee' GROUP BY ward",
        Compared(&["name"]),
    ),
    (2, "SELECT ward, count(*) FROM person WHERE name < 'B' GROUP BY ward", Compared(&["name"])),
    (3, "SELECT ward, count(*) FROM person WHERE nhs_no LIKE '943%' GROUP BY ward", Compared(&["nhs_no"])),
    (
        3,
        "SELECT ward, count(*) FROM person WHERE left(nhs_no, 3) = '943' GROUP BY ward",
        Compared(&["nhs_no"]),
    ),
    (3, "SELECT ward, count(*) FROM person WHERE nhs_no SIMILAR TO '943%' GROUP BY ward", EXPRESSION),
    (3, "SELECT ward, count(*) FROM person WHERE nhs_no ~ '^943' GROUP BY ward", EXPRESSION),
    (4, "SELECT ward, count(*) FROM person WHERE substr(md5(nhs_no),1,2)='a3' GROUP BY ward", FUNCTION),
    (
        4,
        "SELECT ward, count(*) FROM person WHERE substr(nhs_no,1,2)='a3' GROUP BY ward",
        Compared(&["nhs_no"]),
    ),
    (5, "SELECT ward, sex, count(*) FROM person GROUP BY ward, sex", Grouped(&["sex", "ward"])),
    (11, "SELECT min(dob), max(benefit_amt) FROM person", FUNCTION),
    (11, "SELECT max(benefit_amt) FILTER (WHERE sex = 'F') FROM person", FUNCTION),
    (11, "SELECT ward, count(*) FROM person GROUP BY ward HAVING max(benefit_amt) > 3", FUNCTION),
    (11, "SELECT ward, count(*) FROM person GROUP BY ward ORDER BY min(dob)", FUNCTION),
    (11, "SELECT greatest(benefit_amt) FROM person", AGGREGATE),
    (12, "SELECT array_agg(name) FROM person", FUNCTION),
    (12, "SELECT string_agg(note, ',') FROM person", FUNCTION),
    (12, "SELECT first_value(name) FROM person", FUNCTION),
    (12, "SELECT last_value(name ORDER BY dob) FROM person", FUNCTION),
    (12, "SELECT nth_value(name, 2) FROM person", FUNCTION),
    (12, "SELECT any_value(name) FROM person", FUNCTION),
    (13, "SELECT median(benefit_amt) FROM person", FUNCTION),
    (13, "SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY benefit_amt) FROM person", FUNCTION),
    (13, "SELECT approx_percentile_cont(benefit_amt, 0.999) FROM person", FUNCTION),
    (14, "SELECT bit_xor(upi) FROM person", FUNCTION),
    (14, "SELECT bit_or(benefit_amt) FROM person", FUNCTION),
    (14, "SELECT bool_and(sex = 'F') FROM person", FUNCTION),
    (14, "SELECT stddev(benefit_amt), corr(benefit_amt, benefit_amt) FROM person", FUNCTION),
    (14, "SELECT sum(DISTINCT benefit_amt) FROM person", FUNCTION),
    (14, "SELECT count(DISTINCT upi, name) FROM person", FUNCTION),
    (14, "SELECT count(upi, name) FROM person", FUNCTION),
    (14, "SELECT sum(benefit_amt ORDER BY benefit_amt) FROM person", FUNCTION),
    (15, "SELECT ward, count(*) FROM person GROUP BY ward HAVING count(*)=1", Grouped(&["ward"])),
    (
        16,
        "SELECT count(*) FROM (SELECT ward FROM person GROUP BY ward HAVING count(*)<10) x",
        Grouped(&["ward"]),
    ),
    (17, "SELECT count(*) FROM person GROUP BY concat(dob, postcode)", EXPRESSION),
    (17, "SELECT count(*) FROM person GROUP BY concat(name, postcode)", Grouped(&["name", "postcode"])),
    (17, "SELECT count(*) FROM person GROUP BY dob, substr(postcode, 1, 3)", Grouped(&["dob", "postcode"])),
    (17, "SELECT DISTINCT name FROM person", Grouped(&["name"])),
    (17, "SELECT DISTINCT * FROM crime", Grouped(&["damage", "fine", "note", "offence", "ts", "upi"])),
    (17, "SELECT DISTINCT ON (ward) ward, name FROM person", PLAN_NODE),
    (17, "SELECT name FROM person GROUP BY name", Grouped(&["name"])),
    (
        17,
        "SELECT count(*) FROM person GROUP BY CASE WHEN name = 'Ann Lee' THEN 1 ELSE 0 END",
        Grouped(&["name"]),
    ),
    (18, "SELECT benefit_amt, count(*) FROM person GROUP BY benefit_amt", Grouped(&["benefit_amt"])),
    (18, "SELECT benefit_amt > 10, count(*) FROM person GROUP BY 1", Grouped(&["benefit_amt"])),
    (19, "SELECT count(*) FROM crime GROUP BY date_trunc('second', ts)", EXPRESSION),
    (19, "SELECT count(*) FROM crime GROUP BY date_trunc('month', ts)", FINER),
    (19, "SELECT count(*) FROM crime GROUP BY date_trunc('day', ts)", FINER),
    (19, "SELECT count(*) FROM crime GROUP BY date_part('day', ts)", FINER),
    (19, "SELECT count(*) FROM crime GROUP BY extract(month FROM ts)", FINER),
    (19, "SELECT count(*) FROM crime GROUP BY date_trunc('week', coalesce(ts, DATE '2024-01-01'))", FINER),
    (19, "SELECT count(*) FILTER (WHERE date_part('doy', ts) = 1) FROM crime", FINER),
    (19, "SELECT sum(CASE WHEN date_part('month', ts) = 5 THEN fine END) FROM crime", FINER),
    (19, "SELECT count(*) FROM crime WHERE date_trunc('month', ts) = DATE '2024-05-01'", WITHIN),
    (19, "SELECT count(*) FROM crime WHERE ts = '2024-05-17'", WITHIN),
    (19, "SELECT count(*) FROM crime WHERE ts BETWEEN '2024-01-01' AND '2024-05-17'", WITHIN),
    (19, "SELECT count(*) FROM crime WHERE ts IN (DATE '2024-01-01', DATE '2024-05-17')", WITHIN),
    (19, "SELECT count(*) FROM crime WHERE ts = '9999-12-31'", WITHIN),
    (19, "SELECT count(*) FROM crime WHERE ts < DATE '9999-12-31'", WITHIN),
    (19, "SELECT count(*) FROM crime WHERE ts BETWEEN '2024-01-01' AND '9999-12-31'", WITHIN),
    (19, "SELECT count(*) FROM crime GROUP BY ts > '2024-05-17'", WITHIN),
    (19, "SELECT count(*) FROM crime WHERE nullif(ts, DATE '2024-05-17') IS NULL", WITHIN),
    (19, "SELECT count(CASE ts WHEN DATE '2024-05-17' THEN 1 END) FROM crime", WITHIN),
    (19, "SELECT count(*) FROM crime WHERE CASE WHEN offence = 'x' THEN ts END < '2024-05-17'", WITHIN),
    (19, "SELECT count(*) FROM crime GROUP BY ts", Permitted),
    (19, "SELECT count(*) FROM crime GROUP BY date_trunc('year', ts), date_part('year', ts)", Permitted),
    (19, "SELECT count(*) FROM crime WHERE ts >= '2024-01-01' AND date_part('year', ts) < 2026", Permitted),
    (20, "SELECT sum(CASE WHEN upi='U7' THEN benefit_amt ELSE 0 END) FROM person", Compared(&["upi"])),
    (20, "SELECT sum(CASE upi WHEN 'U7' THEN benefit_amt END) FROM person", Compared(&["upi"])),
    (20, "SELECT count(CASE WHEN name = 'Ann Lee' THEN 1 END) FROM person", Compared(&["name"])),
    (20, "SELECT sum(coalesce(nullif(benefit_amt, 3), 0)) FROM person", EXPRESSION),
    (20, "SELECT sum(benefit_amt * CASE WHEN upi='U7' THEN 1 ELSE 0 END) FROM person", EXPRESSION),
    (20, "SELECT sum(CASE WHEN sex='F' THEN CASE WHEN upi='U7' THEN 1 END END) FROM person", EXPRESSION),
    (20, "SELECT sum(CASE WHEN sex='F' THEN 1000000 ELSE 1 END) FROM person", EXPRESSION),
    (
        21,
        "SELECT sum(CASE WHEN sex='F' AND band='Z' AND ward='W1' THEN benefit_amt ELSE 0 END) FROM person",
        Compared(&["band", "sex", "ward"]),
    ),
    (22, "SELECT count(*) FILTER (WHERE band='Z'), count(*) FROM person", Compared(&["band"])),
    (22, "SELECT count(*) FILTER (WHERE name='Ann Lee') FROM person", Compared(&["name"])),
    (23, "SELECT sum(benefit_amt * power(2, benefit_amt)) FROM person", EXPRESSION),
    (23, "SELECT sum(1 << 3) FROM person", EXPRESSION),
    (23, "SELECT sum(benefit_amt + 1000) FROM person", EXPRESSION),
    (23, "SELECT sum(benefit_amt * 2) FROM person", EXPRESSION),
    (23, "SELECT sum(benefit_amt * benefit_amt * benefit_amt) FROM person", EXPRESSION),
    (23, "SELECT avg(-benefit_amt) FROM person", EXPRESSION),
    (23, "SELECT sum(character_length(name)) FROM person", EXPRESSION),
    (23, "SELECT sum(benefit_amt * benefit_amt) FROM person", Measured(&["benefit_amt"])),
    (
        33,
        "SELECT count(*) FROM (SELECT upi FROM person WHERE sex='F' EXCEPT SELECT upi FROM person WHERE band='Z') x",
        JOIN,
    ),
    (33, "SELECT count(*) FROM (SELECT upi FROM person INTERSECT SELECT upi FROM crime) x", JOIN),
    (33, "SELECT count(*) FROM (SELECT upi FROM person UNION ALL SELECT upi FROM crime) x", PLAN_NODE),
    (33, "SELECT upi FROM person UNION SELECT upi FROM crime", PLAN_NODE),
    (34, "SELECT ward, sex, count(*) FROM person GROUP BY GROUPING SETS ((ward,sex),(ward),())", PLAN_NODE),
    (34, "SELECT ward, sex, count(*) FROM person GROUP BY CUBE (ward, sex)", PLAN_NODE),
    (34, "SELECT ward, sex, count(*) FROM person GROUP BY ROLLUP (ward, sex)", PLAN_NODE),
    (35, "SELECT count(*), count(benefit_amt) FROM person", Measured(&["benefit_amt"])),
    (36, "SELECT count(*) FROM person WHERE benefit_amt IS DISTINCT FROM 512.37", Compared(&["benefit_amt"])),
    (
        36,
        "SELECT count(*) FROM person WHERE NOT benefit_amt = 512.37 OR benefit_amt IS NULL",
        Compared(&["benefit_amt"]),
    ),
    (37, "SELECT count(*) FROM person WHERE benefit_amt BETWEEN 1 AND 2", Compared(&["benefit_amt"])),
    (
        37,
        "SELECT count(*) FROM person WHERE ward='W1' AND band='Z' AND sex='F'",
        Compared(&["band", "sex", "ward"]),
    ),
    (38, "SELECT benefit_amt FROM person ORDER BY benefit_amt DESC LIMIT 1 OFFSET 3", AGGREGATE),
    (
        39,
        "SELECT sum(x) FROM (SELECT benefit_amt x FROM person ORDER BY benefit_amt DESC LIMIT 11) t",
        PLAN_NODE,
    ),
    (39, "SELECT count(*) FROM (SELECT * FROM person LIMIT 11) t", PLAN_NODE),
    (39, "SELECT count(*) FROM (SELECT * FROM person OFFSET 11) t", PLAN_NODE),
    (39, "SELECT count(*) FROM (SELECT * FROM person FETCH FIRST 3 ROWS ONLY) t", Invalid),
    (40, "SELECT row_number() OVER (ORDER BY benefit_amt) FROM person", AGGREGATE),
    (40, "SELECT count(*) FROM (SELECT lag(benefit_amt) OVER (ORDER BY dob) l FROM person) t", PLAN_NODE),
    (
        40,
        "SELECT ward, count(*) FROM (SELECT ward, row_number() OVER (ORDER BY benefit_amt) r FROM person) t WHERE r = 1 GROUP BY ward",
        PLAN_NODE,
    ),
    (40, "SELECT ward, count(*) FROM person QUALIFY sum(benefit_amt) OVER (ROWS 1 PRECEDING) > 1", Invalid),
    (40, "SELECT sum(benefit_amt) OVER (ROWS 1 PRECEDING) FROM person", AGGREGATE),
    (
        40,
        "SELECT sum(benefit_amt) OVER (PARTITION BY upi) FROM person QUALIFY row_number() OVER (ORDER BY upi) = 1",
        AGGREGATE,
    ),
    (41, "SELECT ward, sum(count(*)) OVER (ORDER BY ward) FROM person GROUP BY ward", Grouped(&["ward"])),
    (
        42,
        "WITH a AS (SELECT upi u, benefit_amt b FROM person) SELECT u, sum(b) FROM a GROUP BY u",
        Grouped(&["upi"]),
    ),
    (
        42,
        "SELECT x, count(*) FROM (SELECT y AS x FROM (SELECT upi AS y, ward AS upi FROM person) a) b GROUP BY x",
        Grouped(&["upi"]),
    ),
    (
        42,
        "WITH person AS (SELECT name AS ward FROM person) SELECT ward, count(*) FROM person GROUP BY ward",
        Grouped(&["name"]),
    ),
    (
        42,
        "SELECT k, count(*) FROM (SELECT 1 AS k, name FROM person) t WHERE name LIKE 'A%' GROUP BY k",
        Compared(&["name"]),
    ),
    (
        43,
        "SELECT (SELECT benefit_amt FROM person p2 WHERE p2.upi=p.upi), count(*) FROM person p GROUP BY 1",
        EXPRESSION,
    ),
    (
        43,
        "SELECT count(*), (SELECT sum(benefit_amt) FROM person p2 WHERE p2.ward = p.ward) FROM person p GROUP BY p.ward",
        Refused(&[Code::PlanNode, Code::Expression]),
    ),
    (
        44,
        "SELECT ward, count(*) FROM person WHERE EXISTS (SELECT 1 FROM person WHERE name='Ann Lee') GROUP BY ward",
        EXPRESSION,
    ),
    (44, "SELECT 1 WHERE EXISTS (SELECT 1 FROM person WHERE name='Ann Lee')", PLAN_NODE),
    (
        44,
        "SELECT ward, count(*) FROM person WHERE benefit_amt > (SELECT avg(benefit_amt) FROM person) GROUP BY ward",
        EXPRESSION,
    ),
    (
        44,
        "SELECT ward, count(*) FROM person GROUP BY ward HAVING ward IN (SELECT ward FROM person WHERE name='Ann Lee')",
        PLAN_NODE,
    ),
    (45, "SELECT sum(benefit_amt / (CASE WHEN name='Ann Lee' THEN 0 ELSE 1 END)) FROM person", EXPRESSION),
    (45, "SELECT count(*) FROM person WHERE 1 / (CASE WHEN ward='W' THEN 0 ELSE 1 END) = 1", EXPRESSION),
    (45, "SELECT count(*) FROM person WHERE character_length(ward) / 0 = 1", EXPRESSION),
    (45, "SELECT count(*) FROM person WHERE character_length(ward) % 0 = 1", EXPRESSION),
    (
        45,
        "SELECT count(*) FROM person WHERE (character_length(ward) - 5 - 9223372036854775807) / -1 = 1",
        EXPRESSION,
    ),
    (45, "SELECT count(*) FROM person GROUP BY substr(ward, 1, character_length(ward) - 5)", EXPRESSION),
    (45, "SELECT count(*) FROM person GROUP BY round(character_length(ward), -30)", EXPRESSION),
    (46, "SELECT sum(CAST(note AS INT)) FROM person", EXPRESSION),
    (46, "SELECT count(*) FROM person GROUP BY CAST(note AS INT)", EXPRESSION),
    (46, "SELECT count(*) FROM person WHERE ward = 5", EXPRESSION),
    (46, "SELECT count(*) FROM person WHERE note::DATE = DATE '2020-01-01'", EXPRESSION),
    (46, "SELECT sum(TRY_CAST(note AS BIGINT)) FROM person", EXPRESSION),
    (46, "SELECT count(*) FROM person WHERE to_date(note) = '2020-01-01'", FUNCTION),
    (46, "SELECT count(*) FROM person WHERE arrow_cast(note, 'Int8') = 1", FUNCTION),
    (47, "SELECT sum(CAST(benefit_amt AS TINYINT)) FROM person", EXPRESSION),
    (47, "SELECT sum(benefit_amt*9e18) FROM person", EXPRESSION),
    (47, "SELECT count(*) FROM person WHERE CAST(benefit_amt AS DECIMAL(5,2)) = 1", EXPRESSION),
    (48, "SELECT count(*) FROM person WHERE random()<0.5", FUNCTION),
    (48, "SELECT count(*) FROM person WHERE uuid() < '8'", FUNCTION),
    (48, "SELECT count(*) FROM person WHERE dob < now()", FUNCTION),
    (48, "SELECT count(*) FROM person WHERE dob < current_date", FUNCTION),
    (48, "SELECT count(*) FROM person WHERE dob < CURRENT_TIMESTAMP", FUNCTION),
    (
        49,
        "SELECT count(*) FROM person WHERE CASE WHEN name='Ann Lee' THEN heavy_regex(note) ELSE true END",
        FUNCTION,
    ),
    (49, "SELECT count(*) FROM person WHERE regexp_like(note, '(a+)+$')", FUNCTION),
    (49, "SELECT count(*) FROM person WHERE repeat(note, 50000000) = 'x'", FUNCTION),
    (49, "SELECT sum(character_length(lpad(name, 2147483647))) FROM person", FUNCTION),
    (50, "SELECT approx_distinct(upi) FROM person", FUNCTION),
    (51, "EXPLAIN ANALYZE SELECT count(*) FROM person WHERE sex='F' AND ward='W9'", STATEMENT),
    (52, "EXPLAIN VERBOSE SELECT count(*) FROM person", STATEMENT),
    (52, "DESCRIBE person", STATEMENT),
    (52, "SHOW COLUMNS FROM person", STATEMENT),
    (53, "SELECT * FROM information_schema.columns", Invalid),
    (53, "SELECT * FROM information_schema.df_settings", Invalid),
    (53, "SELECT * FROM pg_catalog.pg_class", Invalid),
    (54, "PREPARE q AS SELECT count(*) FROM person WHERE ward=$1", STATEMENT),
    (54, "EXECUTE q('W1')", STATEMENT),
    (55, "COPY (SELECT * FROM person) TO '/x.csv'", STATEMENT),
    (55, "CREATE TABLE t AS SELECT * FROM person", STATEMENT),
    (55, "CREATE VIEW v AS SELECT * FROM person", STATEMENT),
    (55, "INSERT INTO person SELECT * FROM person", STATEMENT),
    (55, "SELECT * INTO t FROM person", STATEMENT),
    (55, "WITH x AS (INSERT INTO person VALUES (1) RETURNING *) SELECT * FROM x", Invalid),
    (56, "SET datafusion.execution.batch_size=1", STATEMENT),
    (57, "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", STATEMENT),
    (57, "SELECT * FROM '/data/p.parquet'", Invalid),
    (57, "SELECT count(*) FROM read_csv('/etc/passwd')", FUNCTION),
    (58, "CREATE FUNCTION f(DOUBLE) RETURNS DOUBLE RETURN $1", STATEMENT),
    (58, "SELECT my_udf(benefit_amt) FROM person", FUNCTION),
    (
        59,
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r WHERE n < 5) SELECT count(*) FROM person, r",
        PLAN_NODE,
    ),
    (60, "SELECT unnest(array_agg(benefit_amt)) FROM person", Refused(&[Code::Function, Code::PlanNode])),
    (60, "SELECT count(*) FROM person p, LATERAL (SELECT p.name) x", PLAN_NODE),
    (60, "SELECT count(*) FROM person TABLESAMPLE (10 PERCENT)", PLAN_NODE),
    (60, "SELECT [name] FROM person", Invalid),
    (60, "SELECT count(*) FROM person DISTRIBUTE BY ward", PLAN_NODE),
    (62, "SELECT upi, count(*), sum(benefit_amt) FROM person GROUP BY upi", Grouped(&["upi"])),
    (
        66,
        "SELECT upi, sex, benefit_amt FROM person GROUP BY upi, sex, benefit_amt",
        Grouped(&["benefit_amt", "sex", "upi"]),
    ),
    (69, "SELECT count(*) FROM person WHERE \"Nhs_No\" = '943'", Invalid),
    (69, "SELECT count(*) FROM person WHERE person.\"NHS_NO\" = '943'", Invalid),
    (69, "SELECT count(*) FROM person WHERE person.NHS_NO = '943'", Compared(&["nhs_no"])),
    (69, "SELECT count(*) FROM person WHERE \"nhs_no\" = '943'", Compared(&["nhs_no"])),
    (69, "SELECT count(*) FROM person WHERE nhs_nо = '943'", Invalid), // a Cyrillic о
    (69, "SELECT crime.name, count(*) FROM person AS crime GROUP BY crime.name", Grouped(&["name"])),
    (69, "SELECT count(*) FROM \"PERSON\"", Invalid),
    (56, "SELECT @@version", Invalid),
];

/// Benign controls of the list: they plan, and the decision sees only what it should.
const BENIGN: &[(&str, Expect)] = &[
    ("SELECT ward, count(*) FROM person GROUP BY ward", Grouped(&["ward"])),
    ("SELECT ward, count(*) FROM person GROUP BY ward HAVING count(*)>100", Grouped(&["ward"])),
    ("WITH a AS (SELECT ward AS w FROM person) SELECT w, count(*) FROM a GROUP BY w", Grouped(&["ward"])),
    (
        "SELECT CASE WHEN band IN ('A','B') THEN 'low' ELSE 'high' END AS level, count(*) FROM person GROUP BY level",
        Grouped(&["band"]),
    ),
    ("SELECT ward, count(*) AS n FROM person GROUP BY ward ORDER BY n DESC", Grouped(&["ward"])),
    ("SELECT ward, count(*) FROM person WHERE ward IN ('W1','W2') GROUP BY ward", Compared(&["ward"])),
    ("SELECT count(DISTINCT upi) FROM person", Measured(&["upi"])),
    ("SELECT ward, count(*) FROM person WHERE 1 = 1 GROUP BY ward ORDER BY 1 LIMIT 1000", Grouped(&["ward"])),
    ("SELECT avg(fine) FROM crime WHERE date_part('year', ts) = 2024", Measured(&["fine"])),
    (
        "SELECT x.ward, x.n FROM (SELECT ward, count(*) AS n FROM person GROUP BY ward) x WHERE x.n > 3",
        Grouped(&["ward"]),
    ),
];

/// The same question in other words: names in full, in quotes, aliased, through a subquery, a CTE, a view-like nesting.
fn spellings(sql: &str) -> Vec<String> {
    let mut all = vec![sql.to_owned()];
    let simple = sql.matches("FROM person").count() == 1
        && !sql.contains("person.")
        && !sql.contains("FROM person p")
        && !sql.contains("FROM person AS")
        && !sql.contains("FROM person,")
        && !sql.starts_with("WITH")
        && !sql.contains("TABLESAMPLE")
        && sql.starts_with("SELECT");
    if simple {
        let instead = [
            "FROM \"person\"",
            "FROM public.person",
            "FROM liquid.public.\"person\"",
            "FROM person AS zzz",
            "FROM (SELECT * FROM person) AS zzz",
            "FROM (SELECT * FROM (SELECT *, 1 AS one FROM person WHERE true) a) b",
        ];
        all.extend(instead.iter().map(|from| sql.replace("FROM person", from)));
        all.push(format!("WITH zzz AS (SELECT * FROM person) {}", sql.replace("FROM person", "FROM zzz")));
        all.push(format!(
            "WITH a AS (SELECT * FROM person), b AS (SELECT * FROM a) {}",
            sql.replace("FROM person", "FROM b")
        ));
        all.push(
            sql.replace("SELECT", "select /* x */")
                .replace("FROM", "from -- y\n")
                .replace("WHERE", "\twhere"),
        );
    }
    all
}

fn columns<'a>(names: impl IntoIterator<Item = &'a liquid_policy::id::ColumnName>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    names
}

fn compared(f: &Footprint) -> Vec<String> {
    let conditions = f.aggregates.iter().flat_map(|a| match &a.argument {
        Argument::Case { conditions, .. } | Argument::Expression { conditions, .. } => conditions.as_slice(),
        Argument::Rows | Argument::Term(_) => &[],
    });
    columns(f.filter.iter().chain(f.aggregates.iter().flat_map(|a| &a.filter)).chain(conditions))
}

fn measured(f: &Footprint) -> Vec<String> {
    columns(f.aggregates.iter().flat_map(|a| match &a.argument {
        Argument::Rows => Vec::new(),
        Argument::Term(term) => term.columns.iter().collect(),
        Argument::Case { branches, .. } => branches.iter().flat_map(|t| &t.columns).collect(),
        Argument::Expression { columns, .. } => columns.iter().collect(),
    }))
}

fn footprints(sql: &str, parameters: &[ScalarValue]) -> Result<Vec<Footprint>, PlanError> {
    let request = if parameters.is_empty() { request(sql)? } else { request_with(sql, parameters)? };
    Ok(request.cuts.iter().map(|cut| footprint(&cut.query)).collect())
}

/// What the agreement of the list decides: entity `upi`, at least 10 behind every cell.
fn decided(all: &[Footprint]) -> Result<(), Refusal> {
    all.iter().try_for_each(|footprint| judge(&AGREEMENT, footprint).map(|_| ()))
}

fn check(sql: &str, parameters: &[ScalarValue], expect: &Expect) {
    let found = footprints(sql, parameters);
    let seen = |of: fn(&Footprint) -> Vec<String>| match &found {
        Ok(all) if !all.is_empty() => all.iter().map(of).max_by_key(Vec::len).unwrap(),
        other => panic!("{sql}: {other:?}"),
    };
    match expect {
        Refused(codes) => {
            let refused = match &found {
                Ok(all) => decided(all).err(),
                Err(PlanError::Refused(refusal)) => Some(refusal.clone()),
                Err(_) => None,
            };
            let refusal = refused.unwrap_or_else(|| panic!("{sql}: {found:?}"));
            assert!(codes.contains(&refusal.code), "{sql}: {refusal}");
            assert!(!refusal.fix.is_empty(), "{sql}: {refusal}");
        }
        Permitted => match &found {
            Ok(all) => assert_eq!(decided(all), Ok(()), "{sql}"),
            Err(error) => panic!("{sql}: {error}"),
        },
        Invalid => assert!(matches!(found, Err(PlanError::Invalid { .. })), "{sql}: {found:?}"),
        Compared(wanted) => assert_eq!(seen(compared), *wanted, "{sql}"),
        Grouped(wanted) => {
            assert_eq!(seen(|f| columns(f.groups.iter().flat_map(|g| &g.columns))), *wanted, "{sql}")
        }
        Measured(wanted) => assert_eq!(seen(measured), *wanted, "{sql}"),
    }
}

#[test]
fn attacks_are_refused_or_shown_to_the_decision_in_every_spelling() {
    for (number, sql, expect) in ATTACKS.iter().chain(joined::ATTACKS) {
        assert!((1..=70).contains(number));
        for spelling in spellings(sql) {
            check(&spelling, &[], expect);
        }
    }
}

#[test]
fn bound_values_are_literals() {
    for (_, sql, expect) in ATTACKS.iter().chain(joined::ATTACKS) {
        for literal in ["'Ann Lee'", "'U7'", "'943%'", "'943'", "'a3'"] {
            if sql.contains(literal) && !sql.contains("EXISTS") && !matches!(expect, Refused(_)) {
                let value = ScalarValue::from(literal.trim_matches('\''));
                let bound = sql.replace(literal, "$1");
                check(&bound, std::slice::from_ref(&value), expect);
                if bound.matches("$1").count() == 1 {
                    check(&sql.replace(literal, "?"), &[value], expect);
                }
            }
        }
    }
}

#[test]
fn benign_questions_plan() {
    for (sql, expect) in BENIGN {
        for spelling in spellings(sql) {
            check(&spelling, &[], expect);
        }
    }
}

#[test]
fn messages_name_no_hidden_column() {
    // `person` shows no column to this caller: whatever is wrong, no message may list one that the caller did not write.
    let hidden = ["upi", "nhs_no", "postcode", "ethnicity", "benefit_amt", "note", "dob"];
    for sql in [
        "SELECT nope FROM person",
        "SELECT person.nope, count(*) FROM person GROUP BY 1",
        "SELECT * FROM person GROUP BY ward",
        "SELECT *, count(*) FROM person",
        "SELECT count(*) FROM person WHERE nhs",
        "SELECT ward + 1, count(*) FROM person GROUP BY ward",
        "SELECT ward FROM person GROUP BY ward ORDER BY nope",
        "SELECT p.x FROM (SELECT * FROM person) p",
        "SELECT count(*) FROM person JOIN crime USING (nope)",
        "SELECT * EXCEPT (nope) FROM person",
        "SELECT * FROM person a JOIN person a ON true",
        "SELECT *, * FROM person",
        "SELECT count(*) FROM person a, person b GROUP BY ALL HAVING x",
        "SELECT DISTINCT * FROM person ORDER BY nope",
        "SELECT * FROM person UNION ALL SELECT * FROM crime",
    ] {
        let error = request(sql).unwrap_err().to_string();
        assert!(hidden.iter().all(|h| !error.contains(h)), "{sql}: {error}");
    }
}

#[test]
fn unknown_names_say_what_there_is() {
    let PlanError::Invalid { message, fix } = request("SELECT count(*) FROM patients").unwrap_err() else {
        panic!()
    };
    assert_eq!(message, "table `patients` is not known");
    assert_eq!(
        fix,
        "the tables open to you are `cardiac`, `crime`, `hh`, `person`, `system.queries`, `treatment`, `visit`, `ward`"
    );
    let PlanError::Invalid { message, fix } = request("SELECT cholesterol FROM cardiac").unwrap_err() else {
        panic!()
    };
    assert_eq!(message, "column `cholesterol` is not known");
    assert_eq!(fix, "the columns here are `cardiac.age`, `cardiac.chol`");
}
