//! With a minimum of 1 nothing is withheld, and a federation answers what one database over all rows answers.

use liquid_local::answer::Mark;

use crate::generate::{Draw, Grammar, question};
use crate::heart::{federation, rows};
use crate::pooled::{Pooled, value};
use crate::question::{Argument, Function, Question, Value};

const QUESTIONS: u64 = 1_000;

/// How many questions of each kind were asked; each kind has its own least number.
#[derive(Default, Debug)]
struct Coverage {
    null_keys: u32,
    filter_or_case: u32,
    having: u32,
    above: u32,
    site: u32,
    empty_site: u32,
    limited: u32,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federation_answers_what_one_database_answers() {
    let pooled = Pooled::open().await;
    let federation = federation(1).await;
    let mut client = federation.client(None).unwrap();
    client.set("liquid.marks", "columns").unwrap();
    let mut coverage = Coverage::default();
    for seed in 0..QUESTIONS {
        let question = question(&mut Draw::new(seed), Grammar { site: true, above: true });
        let sql = question.to_string();
        let expected = pooled_rows(&pooled, &sql).await;
        let answer = client.ask(&sql).await.unwrap_or_else(|e| panic!("question {seed}: {sql}\n{e}"));
        let mut got: Vec<Vec<Option<Value>>> = Vec::new();
        for row in rows(&answer) {
            assert!(
                row.iter().all(|(_, mark)| *mark == Mark::Plain),
                "question {seed}: {sql}\na cell is marked"
            );
            got.push(row.into_iter().map(|(value, _)| value).collect());
        }
        coverage.count(&question, &expected, &pooled);
        assert_eq!(got.len(), expected.len(), "question {seed}: {sql}\n{got:?}\n{expected:?}");
        for (got, expected) in got.iter().zip(&expected) {
            for (got, expected) in got.iter().zip(expected) {
                assert!(
                    equal(got.as_ref(), expected.as_ref(), magnitude(&question, &pooled)),
                    "question {seed}: {sql}\ngot {got:?}, one database gives {expected:?}"
                );
            }
        }
    }
    coverage.check();
}

async fn pooled_rows(pooled: &Pooled, sql: &str) -> Vec<Vec<Option<Value>>> {
    let mut rows = Vec::new();
    for batch in pooled.answer(sql).await {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|column| value(column, row)).collect());
        }
    }
    rows
}

/// Whole numbers and texts are equal; floats to 1e-12 of the sum of absolute values.
fn equal(got: Option<&Value>, expected: Option<&Value>, magnitude: f64) -> bool {
    match (got, expected) {
        (Some(Value::Float(a)), Some(Value::Float(b))) => {
            (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * magnitude
        }
        (got, expected) => got == expected,
    }
}

/// The sum of absolute values of the measures that a question reads; expressions above the cut at most triple it.
fn magnitude(question: &Question, pooled: &Pooled) -> f64 {
    let mut sum = 1.0;
    for aggregate in &question.aggregates {
        let mut columns = Vec::new();
        match &aggregate.argument {
            Argument::Rows => {}
            Argument::Measure(column) => columns.push(*column),
            Argument::Case(..) => columns.extend(["cholesterol", "age", "resting_bp", "max_heart_rate"]),
        }
        if aggregate.function != Function::Count {
            let values = pooled.rows.iter().flat_map(|row| columns.iter().filter_map(|c| row.get(c)));
            sum += values.map(|value| value.number().abs()).sum::<f64>();
        }
    }
    3.0 * sum
}

impl Coverage {
    fn count(&mut self, question: &Question, expected: &[Vec<Option<Value>>], pooled: &Pooled) {
        let keys = question.keys.len();
        self.null_keys += u32::from(expected.iter().any(|row| row[..keys].contains(&None)));
        let conditional =
            |a: &crate::question::Aggregate| a.filter.is_some() || matches!(a.argument, Argument::Case(..));
        self.filter_or_case += u32::from(question.aggregates.iter().any(conditional));
        self.having += u32::from(question.having.is_some());
        self.above += u32::from(!question.above.is_empty());
        self.limited += u32::from(question.limit.is_some());
        self.site += u32::from(question.reads("site"));
        let passing = |site: &&str| {
            let at_site =
                |row: &&crate::question::Row| row.get("site") == Some(&Value::Text((*site).to_owned()));
            pooled.rows.iter().filter(at_site).any(|row| question.passes(row))
        };
        self.empty_site += u32::from(!crate::generate::SITES.iter().all(passing));
    }

    fn check(&self) {
        let Self { null_keys, filter_or_case, having, above, site, empty_site, limited } = self;
        for (kind, count) in [
            ("NULL keys", null_keys),
            ("FILTER or CASE", filter_or_case),
            ("HAVING", having),
            ("expressions above the cut", above),
            ("site", site),
            ("a site with no rows", empty_site),
            ("LIMIT", limited),
        ] {
            assert!(*count >= 80, "only {count} questions with {kind}: {self:?}");
        }
    }
}
