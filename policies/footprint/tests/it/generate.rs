//! Questions over `cardiac` as text: every form of the row-level language, in every position below a cut.

use proptest::prelude::*;
use proptest::sample::select;

/// Expressions of each type, nested `depth` deep.
#[derive(Clone)]
pub(crate) struct Expressions {
    pub(crate) condition: BoxedStrategy<String>,
    pub(crate) whole: BoxedStrategy<String>,
    pub(crate) float: BoxedStrategy<String>,
    pub(crate) text: BoxedStrategy<String>,
    pub(crate) date: BoxedStrategy<String>,
}

fn words(all: &'static [&'static str]) -> BoxedStrategy<String> {
    select(all).prop_map(str::to_owned).boxed()
}

/// `#` is replaced by the parts, in order.
fn form(template: &'static str, parts: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
    parts
        .prop_map(move |parts| {
            parts.into_iter().fold(template.to_owned(), |text, part| text.replacen('#', &part, 1))
        })
        .boxed()
}

impl Expressions {
    fn leaves() -> Self {
        Self {
            condition: words(&[
                "exang",
                "TRUE",
                "FALSE",
                "CAST(NULL AS BOOLEAN)",
                "(sex = 'F')",
                "(age > 40)",
            ]),
            whole: words(&[
                "age",
                "pressure",
                "\"Odd Name\"",
                "0",
                "1",
                "-1",
                "7",
                "9223372036854775807",
                "NULL",
            ]),
            float: words(&["chol", "ratio", "1.5", "0.0", "-2.25", "1e300"]),
            text: words(&["sex", "note", "chest_pain", "'F'", "''", "'it''s'", "'Ünï'", "'%'"]),
            date: words(&["seen", "DATE '2013-06-01'", "DATE '1969-12-31'"]),
        }
    }

    /// One level more.
    fn nested(&self) -> Self {
        let (b, i, f) = (|| self.condition.clone(), || self.whole.clone(), || self.float.clone());
        let (t, d) = (|| self.text.clone(), || self.date.clone());
        let compared = |x: BoxedStrategy<String>| {
            prop_oneof![
                form("(# = #)", vec![x.clone(), x.clone()]),
                form("(# <> #)", vec![x.clone(), x.clone()]),
                form("(# < #)", vec![x.clone(), x.clone()]),
                form("(# >= #)", vec![x.clone(), x.clone()]),
                form("(# IS DISTINCT FROM #)", vec![x.clone(), x.clone()]),
                form("(# IS NOT DISTINCT FROM #)", vec![x.clone(), x.clone()]),
                form("(# BETWEEN # AND #)", vec![x.clone(), x.clone(), x.clone()]),
                form("(# NOT BETWEEN # AND #)", vec![x.clone(), x.clone(), x.clone()]),
                form("(# IS NULL)", vec![x.clone()]),
                form("(# IS NOT NULL)", vec![x]),
            ]
            .boxed()
        };
        let chosen = |x: BoxedStrategy<String>| {
            prop_oneof![
                form("CASE WHEN # THEN # ELSE # END", vec![b(), x.clone(), x.clone()]),
                form("CASE WHEN # THEN # WHEN # THEN # END", vec![b(), x.clone(), b(), x.clone()]),
                // Over floats DataFusion's plain CASE tells -0.0 from 0.0, which its `=` does not; ours is `=`.
                form("CASE # WHEN # THEN # ELSE NULL END", vec![i(), i(), x.clone()]),
                form("coalesce(#, #)", vec![x.clone(), x.clone()]),
                form("nullif(#, #)", vec![x.clone(), x]),
            ]
            .boxed()
        };
        let condition = prop_oneof![
            2 => b(),
            2 => compared(i()), 2 => compared(f()), 2 => compared(t()), 1 => compared(d()), 1 => compared(b()),
            2 => form("(# AND #)", vec![b(), b()]),
            2 => form("(# OR #)", vec![b(), b()]),
            1 => form("# AND # OR #", vec![b(), b(), b()]).prop_map(|e| format!("({e})")),
            1 => form("(NOT #)", vec![b()]),
            1 => (select(&["TRUE", "FALSE", "UNKNOWN", "NOT TRUE", "NOT FALSE", "NOT UNKNOWN"][..]), b())
                .prop_map(|(what, b)| format!("({b} IS {what})")),
            1 => form("(# IN (3, 40, 50, NULL))", vec![i()]),
            1 => form("(# NOT IN ('F', 'typical', ''))", vec![t()]),
            1 => form("(# LIKE 't%l')", vec![t()]),
            1 => form("(# NOT ILIKE '%Ü_%')", vec![t()]),
            1 => form("CASE WHEN # THEN # ELSE # END", vec![b(), b(), b()]),
        ];
        let whole = prop_oneof![
            2 => i(),
            2 => (select(&["+", "-", "*"][..]), i(), i()).prop_map(|(op, l, r)| format!("({l} {op} {r})")),
            1 => form("# - # + #", vec![i(), i(), i()]).prop_map(|e| format!("({e})")),
            1 => (select(&["/ 3", "% 7", "/ -2", "% 2"][..]), i()).prop_map(|(op, l)| format!("({l} {op})")),
            1 => form("(- #)", vec![i()]),
            1 => form("abs(#)", vec![i()]),
            1 => chosen(i()),
            1 => form("character_length(#)", vec![t()]),
            1 => form("CAST(# AS BIGINT)", vec![b()]),
            1 => form("TRY_CAST(# AS BIGINT)", vec![t()]),
            1 => form("TRY_CAST(# AS BIGINT)", vec![f()]),
            1 => (select(&["year", "quarter", "MONTH", "week", "day", "dow", "doy", "isoyear", "isodow"][..]), d())
                .prop_map(|(part, d)| format!("date_part('{part}', {d})")),
        ];
        let float = prop_oneof![
            2 => f(),
            2 => (select(&["+", "-", "*"][..]), f(), f()).prop_map(|(op, l, r)| format!("({l} {op} {r})")),
            1 => form("(# / 4.0)", vec![f()]),
            1 => form("(# % 2.5)", vec![f()]),
            1 => form("(- #)", vec![f()]),
            1 => (select(&["abs", "ceil", "floor", "round", "trunc", "signum"][..]), f()).prop_map(|(g, f)| format!("{g}({f})")),
            1 => (select(&["round", "trunc"][..]), f(), -3..4).prop_map(|(g, f, n)| format!("{g}({f}, {n})")),
            1 => form("CAST(# AS DOUBLE)", vec![i()]),
            1 => form("TRY_CAST(# AS DOUBLE)", vec![t()]),
            1 => form("(# * #)", vec![i(), f()]),
            1 => chosen(f()),
        ];
        let text = prop_oneof![
            2 => t(),
            1 => (select(&["lower", "upper", "btrim", "ltrim", "rtrim"][..]), t()).prop_map(|(g, t)| format!("{g}({t})")),
            1 => form("trim(BOTH 'l' FROM #)", vec![t()]),
            1 => (t(), -3..6).prop_map(|(t, n)| format!("left({t}, {n})")),
            1 => (t(), -3..6).prop_map(|(t, n)| format!("right({t}, {n})")),
            1 => (t(), -3..6, 0..5).prop_map(|(t, n, m)| format!("substr({t}, {n}, {m})")),
            1 => (t(), 1..6, 0..5).prop_map(|(t, n, m)| format!("substring({t} FROM {n} FOR {m})")),
            1 => form("(# || #)", vec![t(), t()]),
            1 => form("concat(#, #, 'x')", vec![t(), t()]),
            1 => form("CAST(# AS VARCHAR)", vec![i()]),

            1 => chosen(t()),
        ];
        let date = prop_oneof![
            2 => d(),
            1 => form("TRY_CAST(# AS DATE)", vec![t()]),
            1 => chosen(d()),
            // DataFusion's gives a timestamp, ours a day.
            1 => (select(&["year", "Quarter", "month", "week", "day"][..]), d())
                .prop_map(|(step, d)| format!("CAST(date_trunc('{step}', {d}) AS DATE)")),
        ];
        Self {
            condition: condition.boxed(),
            whole: whole.boxed(),
            float: float.boxed(),
            text: text.boxed(),
            date: date.boxed(),
        }
    }
}

/// Expressions of up to `depth` levels.
pub(crate) fn expressions(depth: usize) -> Expressions {
    (0..depth).fold(Expressions::leaves(), |below, _| below.nested())
}

fn aggregate(e: &Expressions) -> BoxedStrategy<String> {
    let b = || e.condition.clone();
    let call = prop_oneof![
        2 => words(&["count(*)", "sum(pressure)", "avg(pressure)", "sum(chol)", "avg(chol)", "count(chol)", "count(DISTINCT patient)"]),
        1 => words(&["sum(pressure * chol)", "avg(chol * chol)", "count(1)", "count(sex)"]),
        1 => form("sum(CASE WHEN # THEN pressure ELSE 0 END)", vec![b()]),
        1 => form("avg(CASE WHEN # THEN 1 ELSE 0 END)", vec![b()]),
        1 => form("count(CASE WHEN # THEN chol END)", vec![b()]),
        1 => form("sum(CASE WHEN # THEN chol WHEN # THEN pressure * chol ELSE 1 END)", vec![b(), b()]),
    ];
    (call, proptest::option::of(b()))
        .prop_map(|(call, filter)| match filter {
            Some(filter) => format!("{call} FILTER (WHERE {filter})"),
            None => call,
        })
        .boxed()
}

/// A whole question.
pub(crate) fn question() -> BoxedStrategy<String> {
    let e = expressions(2);
    let key = prop_oneof![
        2 => words(&["sex", "exang", "chest_pain"]),
        1 => e.condition.clone(), 1 => e.whole.clone(), 1 => e.float.clone(), 1 => e.text.clone(), 1 => e.date.clone(),
    ];
    let parts = (
        proptest::collection::vec(key, 0..3),
        proptest::collection::vec(aggregate(&e), 0..4),
        proptest::option::of(e.condition.clone()),
        proptest::option::of(select(
            &["count(*) > 2", "sum(pressure) IS NOT NULL", "avg(chol) > 170 OR count(*) < 5"][..],
        )),
        select(
            &[
                "cardiac",
                "(SELECT * FROM cardiac) c",
                "(SELECT * FROM cardiac WHERE age > 30) c",
                "(SELECT * FROM (SELECT * FROM cardiac WHERE exang) a WHERE age > 30) c",
                "(SELECT c.* FROM cardiac c JOIN cardiac d ON c.patient = d.patient) j",
                "(SELECT d.* FROM cardiac c, cardiac d WHERE (c.age > 30 OR d.exang) AND d.patient = c.patient) j",
                "(SELECT c.*, d.sex AS other FROM cardiac c JOIN cardiac d USING (patient) JOIN cardiac e ON e.patient = d.patient AND e.sex = d.sex) j",
            ][..],
        ),
        any::<bool>(),
    );
    parts
        .prop_map(|(keys, aggregates, filter, having, from, distinct)| {
            let keyed = !keys.is_empty();
            let aggregates = if aggregates.is_empty() && !(keyed && distinct) {
                vec!["count(*)".to_owned()]
            } else {
                aggregates
            };
            let columns: Vec<_> =
                keys.iter().chain(&aggregates).enumerate().map(|(i, e)| format!("{e} AS c{i}")).collect();
            let mut sql = format!("SELECT {} FROM {from}", columns.join(", "));
            if let Some(filter) = filter {
                sql += &format!(" WHERE {filter}");
            }
            if keyed {
                let ordinals: Vec<_> = (1..=keys.len()).map(|i| i.to_string()).collect();
                sql += &format!(" GROUP BY {}", ordinals.join(", "));
            }
            if let Some(having) = having {
                sql += &format!(" HAVING {having}");
            }
            sql
        })
        .boxed()
}
