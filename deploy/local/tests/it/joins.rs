//! Joined tables over four sites: TPC-H's questions under the *open* agreement, and the like, answer what one database over
//! all rows answers; where sites could miss rows of one another, they are refused.

use std::collections::BTreeMap;
use std::path::Path;

use datafusion::prelude::{ParquetReadOptions, SessionContext};
use liquid_local::blueprint::{Blueprint, Content};
use liquid_local::client::Client;
use liquid_local::{Federation, Run, tpch};
use serde::Deserialize;

use crate::heart::rows;
use crate::pooled::value;
use crate::question::Value;

/// Four sites, and the union of their rows.
pub(crate) struct World {
    pub(crate) federation: Federation,
    pub(crate) pooled: SessionContext,
    _files: tempfile::TempDir,
}

pub(crate) async fn world(agreement: &str, scale: f64) -> World {
    let folder = tempfile::tempdir().unwrap();
    tpch::generate(folder.path(), scale, 4).unwrap();
    let mut blueprint = tpch::blueprint(folder.path(), 4);
    blueprint.sites.iter_mut().for_each(|site| site.agreements = vec![agreement.to_owned()]);
    let pooled = pooled(&blueprint).await;
    let federation = Federation::start(&blueprint, Run::InProcess).await.unwrap();
    World { federation, pooled, _files: folder }
}

/// One database over the files of all sites, the column `site` included; what lies whole at each of them is there once.
async fn pooled(blueprint: &Blueprint) -> SessionContext {
    let pooled = SessionContext::new();
    let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for site in &blueprint.sites {
        for source in &site.sources {
            let Content::File(path) = &source.content else { panic!("the data lies in files") };
            let table = source.name.trim_start_matches("raw_").to_owned();
            let name = format!("{}_{table}", site.site.as_str());
            let parts = parts.entry(table).or_default();
            if parts.is_empty() || !path.to_str().unwrap().contains("whole") {
                let options = ParquetReadOptions::default();
                pooled.register_parquet(&name, path.to_str().unwrap(), options).await.unwrap();
                parts.push(format!("SELECT *, '{}' AS site FROM {name}", site.site));
            }
        }
    }
    for (table, parts) in parts {
        let view = format!("CREATE VIEW {table} AS {}", parts.join(" UNION ALL "));
        pooled.sql(&view).await.unwrap().collect().await.unwrap();
    }
    pooled
}

pub(crate) type Rows = Vec<Vec<Option<Value>>>;

impl World {
    /// The federation's answer, and that of one database.
    pub(crate) async fn both(&self, client: &mut Client, sql: &str) -> (Rows, Rows) {
        let answer = client.ask(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        let got = rows(&answer).into_iter().map(|row| row.into_iter().map(|(value, _)| value).collect());
        let frame = self.pooled.sql(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        let mut expected = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let cells = |row| batch.columns().iter().map(|column| value(column, row)).collect();
            expected.extend((0..batch.num_rows()).map(cells));
        }
        (got.collect(), expected)
    }
}

/// Equal up to the order of rows and the last digits of floats.
pub(crate) fn same(mut got: Rows, mut expected: Rows) -> Result<(), String> {
    let exact = |row: &Vec<Option<Value>>| {
        row.iter()
            .filter(|v| !matches!(v, Some(Value::Float(_))))
            .map(|v| format!("{v:?}"))
            .collect::<Vec<_>>()
    };
    got.sort_by_key(exact);
    expected.sort_by_key(exact);
    let close = |one: &Option<Value>, other: &Option<Value>| match (one, other) {
        (Some(Value::Float(a)), Some(Value::Float(b))) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        (one, other) => one == other,
    };
    let rows = got.iter().zip(&expected);
    let all = rows.into_iter().all(|(a, b)| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b)));
    if all && got.len() == expected.len() {
        Ok(())
    } else {
        Err(format!("got {got:?}\nexpected {expected:?}"))
    }
}

#[derive(Deserialize)]
struct Queries {
    query: Vec<Query>,
}

#[derive(Deserialize)]
struct Query {
    sql: String,
    refused: Option<toml::Table>,
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/examples").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Questions beside those of the example: the virtual column `site`, self joins, distinct counts, what lies above a cut.
const MORE: &[&str] = &[
    "SELECT c.site, count(*), count(DISTINCT c_custkey) FROM customer c JOIN orders ON c_custkey = o_custkey GROUP BY c.site",
    "SELECT o.site, sum(o_totalprice) FROM customer c, orders o WHERE c_custkey = o_custkey AND c.site = o.site AND c.site <> 'east' GROUP BY o.site",
    "SELECT count(*) FROM customer c JOIN orders o ON c_custkey = o_custkey WHERE c.site = 'west' OR o_orderstatus = 'F'",
    "SELECT a.o_orderstatus, b.o_orderpriority, count(*) FROM orders a JOIN orders b ON a.o_custkey = b.o_custkey GROUP BY 1, 2",
    "SELECT c_mktsegment, count(DISTINCT o_custkey) AS n FROM customer JOIN orders ON c_custkey = o_custkey GROUP BY c_mktsegment HAVING count(*) > 10",
    "SELECT r_name, avg(l_extendedprice * (1 - l_discount)) FROM lineitem JOIN customer ON l_custkey = c_custkey JOIN nation ON c_nationkey = n_nationkey JOIN region ON n_regionkey = r_regionkey GROUP BY r_name",
    "SELECT n_name, count(*) FROM customer JOIN nation ON c_nationkey = n_nationkey GROUP BY n_name",
    "WITH j AS (SELECT l_shipmode AS m, o_totalprice - l_tax AS v FROM orders JOIN lineitem ON o_orderkey = l_orderkey) SELECT m, sum(v), count(v) FROM j GROUP BY m ORDER BY m",
    "SELECT x.o_orderstatus, x.n, y.n FROM (SELECT o_orderstatus, count(*) AS n FROM orders GROUP BY 1) x JOIN (SELECT o_orderstatus, count(*) AS n FROM orders JOIN lineitem ON l_orderkey = o_orderkey GROUP BY 1) y ON x.o_orderstatus = y.o_orderstatus",
];

#[tokio::test(flavor = "multi_thread")]
async fn joined_questions_over_four_sites_answer_what_one_database_answers() {
    let world = world(tpch::OPEN, 0.01).await;
    let mut client = world.federation.client(None).unwrap();
    let queries: Queries = toml::from_str(&example("open/queries.toml")).unwrap();
    let mut answered = 0;
    for Query { sql, refused } in queries.query {
        let code = refused.map(|refusal| refusal["code"].as_str().unwrap().to_owned());
        let code = code.or_else(|| sql.contains("min(").then(|| "NOT_FEDERABLE".to_owned()));
        if let Some(code) = code {
            let error = client.ask(&sql).await.expect_err(&sql).to_string();
            assert!(error.contains(&code), "{sql}\n{error}");
            continue;
        }
        let (got, expected) = world.both(&mut client, &sql).await;
        assert!(!expected.is_empty(), "nothing to compare: {sql}");
        if let Err(difference) = same(got, expected) {
            panic!("{sql}\n{difference}");
        }
        answered += 1;
    }
    assert_eq!(answered, 11);

    for sql in MORE {
        let (got, expected) = world.both(&mut client, sql).await;
        assert!(!expected.is_empty(), "nothing to compare: {sql}");
        if let Err(difference) = same(got, expected) {
            panic!("{sql}\n{difference}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_would_miss_rows_at_other_sites_is_refused() {
    let overlapping = tpch::OPEN.replacen("entities = \"disjoint\"\n", "", 1);
    let world = world(&overlapping, 0.001).await;
    let sql = "SELECT count(*) FROM customer JOIN orders ON c_custkey = o_custkey";
    let mut client = world.federation.client(None).unwrap();
    let refusal = client.ask(sql).await.expect_err("refused").to_string();
    assert!(refusal.contains("NOT_FEDERABLE") && refusal.contains("`customer`"), "{refusal}");
    // Tables of other entities than these, and one with what lies whole at every site, are joined as before.
    for sql in [
        "SELECT count(*) FROM orders JOIN lineitem ON o_orderkey = l_orderkey",
        "SELECT count(*) FROM customer JOIN nation ON c_nationkey = n_nationkey",
    ] {
        let (got, expected) = world.both(&mut client, sql).await;
        assert_eq!(same(got, expected), Ok(()), "{sql}");
    }
    // A node that is asked directly joins what it has.
    let mut site = world.federation.site_client("north", None).unwrap();
    assert_eq!(site.ask(sql).await.unwrap().rows(), 1);
}

/// Where customers are protected: joins whose rows are those of one table answer what one database answers, others are refused.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_minimum_joins_are_answered_and_whoever_they_leave_out_is_hidden() {
    let world = world(tpch::CUSTOMERS, 0.002).await;
    let mut client = world.federation.client(None).unwrap();
    for sql in [
        "SELECT o_orderpriority, avg(o_totalprice), count(*) FROM customer JOIN orders ON c_custkey = o_custkey GROUP BY o_orderpriority",
        "SELECT l_shipmode, sum(l_extendedprice * (1 - l_discount)) FROM orders, lineitem, customer WHERE o_orderkey = l_orderkey AND o_custkey = c_custkey GROUP BY l_shipmode",
        "SELECT count(*), count(DISTINCT o_custkey), avg(l_quantity) FROM orders JOIN lineitem ON o_orderkey = l_orderkey",
        "SELECT p_brand, sum(l_quantity) FROM lineitem JOIN part ON l_partkey = p_partkey GROUP BY p_brand",
        "SELECT r_name, count(*), avg(c_acctbal) FROM customer JOIN nation ON c_nationkey = n_nationkey JOIN region ON n_regionkey = r_regionkey GROUP BY r_name",
    ] {
        let (got, expected) = world.both(&mut client, sql).await;
        // A domain of the agreement shows values that no row has; they are withheld, and one database does not know them.
        let known = got.into_iter().filter(|row| row.iter().all(Option::is_some)).collect();
        assert_eq!(same(known, expected), Ok(()), "{sql}");
    }
    // Fewer than ten of each segment have bought nothing, so `count` here beside the count of all would tell how few.
    let sql = "SELECT c_mktsegment, count(*) FROM customer JOIN orders ON c_custkey = o_custkey GROUP BY c_mktsegment";
    let hidden = client.ask(sql).await.unwrap();
    assert!(rows(&hidden).iter().all(|row| row[1].0.is_none()), "{sql}");
    let all = client.ask("SELECT c_mktsegment, count(*) FROM customer GROUP BY c_mktsegment").await.unwrap();
    assert!(rows(&all).iter().any(|row| row[1].0.is_some()), "without the join they are enough");
    // A join on no key, by more than one customer, of rows beside one another, or with a condition over several tables is refused
    // before anything is read.
    for (sql, code) in [
        ("SELECT count(*) FROM customer a JOIN customer b ON a.c_nationkey = b.c_nationkey", "JOIN_KEY"),
        ("SELECT count(*) FROM customer, orders", "JOIN_KEY"),
        ("SELECT count(*) FROM orders a JOIN orders b ON a.o_custkey = b.o_custkey", "JOIN_KEY"),
        ("SELECT count(*) FROM orders JOIN lineitem ON o_custkey = l_custkey", "JOIN_KEY"),
        (
            "SELECT customer.site, count(*) FROM customer JOIN orders ON c_custkey = o_custkey WHERE c_mktsegment = 'BUILDING' OR o_orderdate < DATE '1990-01-01' GROUP BY customer.site",
            "EXPRESSION",
        ),
    ] {
        let refusal = client.ask(sql).await.expect_err("refused").to_string();
        assert!(refusal.contains(code), "{sql}: {refusal}");
    }
    // A name that no agreement has is told as such, not as tables that could not be joined.
    client.set("liquid.agreement", "TPCH-CUSTOMER").unwrap();
    let refusal = client
        .ask("SELECT count(*) FROM orders JOIN customer ON o_custkey = c_custkey")
        .await
        .expect_err("refused")
        .to_string();
    assert!(refusal.contains("RECIPIENT"), "{refusal}");
}
