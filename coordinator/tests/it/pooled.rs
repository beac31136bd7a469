//! Federated = pooled: over random rows at three sites, one of them often empty, any question of this grammar gives what
//! one DataFusion over the union of the rows gives, to the bit.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::world::{Patient, World, pooled, run, session, text};

/// Group keys; the last ones read `site`.
const KEYS: [&str; 14] = [
    "sex",
    "smoker",
    "age",
    "visit",
    "upper(sex)",
    "sex IS NULL",
    "CASE WHEN age > 50 THEN 'old' WHEN age IS NOT NULL THEN 'young' END",
    "floor(chol / 4)",
    "age > 40 AND smoker",
    "coalesce(sex, 'none')",
    "site",
    "site = 'a'",
    "CASE WHEN site = 'a' THEN sex ELSE 'elsewhere' END",
    "CASE WHEN site IN ('b', 'c') THEN upper(site) END",
];

/// Aggregates without FILTER.
const AGGREGATES: [&str; 12] = [
    "count(*)",
    "count(age)",
    "count(sex)",
    "sum(age)",
    "sum(chol)",
    "avg(age)",
    "avg(chol)",
    "count(DISTINCT patient)",
    "sum(CASE WHEN smoker THEN chol ELSE 0 END)",
    "sum(CASE WHEN sex = 'f' THEN 1 ELSE 0 END)",
    "count(CASE WHEN age > 50 THEN 1 END)",
    "avg(age * age)",
];

/// Conditions on a row.
const CONDITIONS: [&str; 16] = [
    "sex = 'f'",
    "sex <> 'f'",
    "sex IN ('f', 'x')",
    "sex IS NULL",
    "smoker",
    "NOT smoker",
    "age BETWEEN 40 AND 60",
    "chol > 5.5",
    "(chol IS DISTINCT FROM 2.25)",
    "visit >= DATE '2022-01-08'",
    "site = 'a'",
    "site <> 'b'",
    "site IN ('a', 'c')",
    "site NOT IN ('c')",
    "site LIKE '%b%'",
    "site IS NULL",
];

fn patients(site: &'static str) -> impl Strategy<Value = Vec<Patient>> {
    let patient = (
        prop::option::weighted(0.8, prop::sample::select(vec!["f", "m", "x", "", "F"])),
        any::<Option<bool>>(),
        prop::option::weighted(0.8, 30..75_i64),
        // Multiples of a quarter add up without rounding, in whatever order.
        prop::option::weighted(0.8, (-40..80_i32).prop_map(|quarters| f64::from(quarters) / 4.0)),
        prop::option::weighted(0.9, 18_990..19_010_i32),
    );
    let rows = prop_oneof![1 => Just(0_usize), 4 => 1..14_usize];
    rows.prop_flat_map(move |rows| prop::collection::vec(patient.clone(), rows)).prop_map(move |rows| {
        let row = |(at, (sex, smoker, age, chol, visit)): (usize, (Option<&str>, _, _, _, _))| Patient {
            // Some rows are of the same patient, but no patient is at two sites.
            patient: format!("{site}{}", at / 2),
            sex: sex.map(str::to_owned),
            smoker,
            age,
            chol,
            visit,
        };
        rows.into_iter().enumerate().map(row).collect()
    })
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(CONDITIONS.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(2, 5, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} AND {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} OR {right})")),
            inner.prop_map(|inner| format!("NOT ({inner})")),
        ]
    })
}

fn aggregate() -> impl Strategy<Value = String> {
    (prop::sample::select(AGGREGATES.to_vec()), prop::option::weighted(0.3, condition())).prop_map(
        |(aggregate, filter)| match filter {
            Some(filter) => format!("{aggregate} FILTER (WHERE {filter})"),
            None => aggregate.to_owned(),
        },
    )
}

#[derive(Debug, Clone)]
struct Parts {
    keys: Vec<&'static str>,
    aggregates: Vec<String>,
    filter: Option<String>,
}

fn parts() -> impl Strategy<Value = Parts> {
    (
        prop::sample::subsequence(KEYS.to_vec(), 0..=3),
        prop::collection::vec(aggregate(), 1..4),
        prop::option::of(condition()),
    )
        .prop_map(|(keys, aggregates, filter)| Parts { keys, aggregates, filter })
}

impl Parts {
    /// `SELECT k0, …, v0, … FROM cardiac WHERE … GROUP BY …`
    fn select(&self) -> String {
        let keys = self.keys.iter().enumerate().map(|(at, key)| format!("{key} AS k{at}"));
        let values = self.aggregates.iter().enumerate().map(|(at, value)| format!("{value} AS v{at}"));
        let columns = keys.chain(values).collect::<Vec<_>>().join(", ");
        format!("SELECT {columns} FROM cardiac{}{}", self.filter(), self.group_by())
    }

    fn filter(&self) -> String {
        self.filter.as_ref().map_or_else(String::new, |filter| format!(" WHERE {filter}"))
    }

    fn group_by(&self) -> String {
        if self.keys.is_empty() { String::new() } else { format!(" GROUP BY {}", self.keys.join(", ")) }
    }
}

/// A question of one of the shapes that may stand above cuts.
fn question() -> impl Strategy<Value = String> {
    let having = prop::sample::select(vec![
        "count(*) > 1",
        "sum(age) IS NOT NULL",
        "avg(age) >= 50",
        "count(sex) < 3",
    ]);
    prop_oneof![
        4 => parts().prop_map(|parts| parts.select()),
        1 => (parts(), having).prop_map(|(parts, having)| format!("{} HAVING {having}", parts.select())),
        1 => (parts(), 0..4_usize).prop_map(|(parts, rows)| {
            let order: Vec<_> = (1..=parts.keys.len() + parts.aggregates.len()).map(|at| at.to_string()).collect();
            format!("{} ORDER BY {} NULLS FIRST LIMIT {rows}", parts.select(), order.join(" NULLS FIRST, "))
        }),
        1 => parts().prop_map(|parts| {
            let v = &parts.aggregates[0];
            format!("SELECT coalesce({v}, 0) * 2 + count(*), round(avg(chol), 1), CASE WHEN count(*) > 2 THEN 'many' \
                     ELSE 'few' END FROM cardiac{}{}", parts.filter(), parts.group_by())
        }),
        1 => parts().prop_map(|parts| {
            let keys = if parts.keys.is_empty() { "sex".to_owned() } else { parts.keys.join(", ") };
            format!("SELECT DISTINCT {keys} FROM cardiac{}", parts.filter())
        }),
        1 => (parts(), parts()).prop_map(|(one, other)| {
            format!("SELECT 'one' AS which, {} AS v FROM cardiac{} UNION ALL SELECT 'other', {} FROM cardiac{}",
                "count(*)", one.filter(), "count(age)", other.filter())
        }),
        1 => (parts(), parts()).prop_map(|(parts, whole)| {
            format!("SELECT count(*) * 1.0 / (SELECT count(*) + 1 FROM cardiac{}) FROM cardiac{}{}",
                whole.filter(), parts.filter(), parts.group_by())
        }),
        1 => (parts(), parts()).prop_map(|(one, other)| {
            format!("SELECT a.s, a.n, b.m FROM (SELECT sex AS s, count(*) AS n FROM cardiac{} GROUP BY sex) a \
                     JOIN (SELECT sex AS s, sum(age) AS m FROM cardiac{} GROUP BY sex) b ON a.s = b.s",
                one.filter(), other.filter())
        }),
        1 => parts().prop_map(|parts| {
            format!("WITH c AS ({}) SELECT count(*), sum(v0) FROM c", Parts { aggregates: vec!["count(*)".into()], ..parts }.select())
        }),
    ]
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()
        .unwrap()
});

fn check(sites: &[(&str, Vec<Patient>)], sql: &str) -> Result<(), TestCaseError> {
    RUNTIME.block_on(async {
        let expected = run(&session(&pooled(sites)), sql).await;
        let reply = World::new(sites)
            .await
            .ask(sql)
            .await
            .map_err(|error| TestCaseError::fail(format!("{sql}: {error:?}")))?;
        let values = reply.values();
        let types = |batch: &arrow::array::RecordBatch| {
            batch.schema().fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>()
        };
        prop_assert_eq!(types(&values), types(&expected), "{}", sql);
        prop_assert_eq!(text(&values), text(&expected), "{}", sql);
        prop_assert_eq!(reply.completeness.withheld, 0);
        prop_assert!(!reply.completeness.rows_may_be_missing);
        Ok(())
    })
}

#[test]
fn federated_is_pooled() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 100,
        ..Config::default()
    });
    let sites = (patients("a"), patients("b"), patients("c"))
        .prop_map(|(a, b, c)| vec![("a", a), ("b", b), ("c", c)]);
    runner.run(&(sites, question()), |(sites, sql)| check(&sites, &sql)).unwrap();
}

/// Questions that random ones seldom are.
#[test]
fn federated_is_pooled_at_the_corners() {
    let none = vec![("a", Vec::new()), ("b", Vec::new())];
    for sites in [crate::world::small(), none] {
        for sql in [
            "SELECT count(*), sum(age), avg(chol) FROM cardiac WHERE site = 'nowhere'",
            "SELECT sex, count(*) FROM cardiac WHERE site = 'nowhere' GROUP BY sex",
            "SELECT count(*), site FROM cardiac GROUP BY site HAVING count(*) > 3",
            "SELECT 'all' AS k, count(*) FROM cardiac GROUP BY 'all'",
            "SELECT site || '!' AS k, count(*) FROM cardiac GROUP BY site || '!'",
            "SELECT count(*) FROM cardiac WHERE NULL",
            "SELECT sum(CASE WHEN sex = 'f' THEN 1 ELSE 0 END), avg(chol) FROM cardiac WHERE NOT (chol IS DISTINCT FROM 2.25)",
            "SELECT sum(age) FILTER (WHERE site = 'a') - sum(age) FILTER (WHERE site = 'c') FROM cardiac",
            "SELECT sex, count(*) FILTER (WHERE site = 'b') FROM cardiac GROUP BY sex",
            "SELECT sum(n) FROM (SELECT site, sex, count(*) AS n FROM cardiac GROUP BY site, sex)",
            "SELECT site, sex, count(*), row_number() OVER (ORDER BY site, sex) FROM cardiac GROUP BY site, sex",
        ] {
            check(&sites, sql).unwrap();
        }
    }
}
