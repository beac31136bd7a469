//! What an agreement leaves out, coarsens and bounds: four nodes answer what one database answers from whose rows those who are out
//! were struck, with days and numbers as the agreement lets them be seen.

use liquid_local::tpch;

use crate::joins::{World, same, world};

/// Customers who build are out, of their orders and line items, too; orders are seen by the month, quantities from 5 to 30.
fn agreement() -> String {
    let mut text = tpch::OPEN.to_owned();
    for (before, after) in [
        (
            "entity = \"c_custkey\"\n",
            "entity = \"c_custkey\"\nrow_filter = \"NOT c_mktsegment IN ('BUILDING')\"\n",
        ),
        ("entity = \"o_custkey\"\n", "entity = \"o_custkey\"\nfilter_from = \"customer\"\n"),
        ("entity = \"l_custkey\"\n", "entity = \"l_custkey\"\nfilter_from = \"customer\"\n"),
        ("o_orderdate = { ", "o_orderdate = { grain = \"month\", "),
        ("l_quantity = { ", "l_quantity = { bounds = [5, 30], "),
        // Nobody groups by a customer or an order, so what is computed for each of them stands below the cut.
        (
            "o_custkey = { use = [\"group\", \"filter\", \"measure\", \"join\"] }",
            "o_custkey = { use = [\"join\"] }",
        ),
        (
            "o_orderkey = { use = [\"group\", \"filter\", \"measure\", \"join\"] }",
            "o_orderkey = { use = [\"join\"], required = true }",
        ),
        (
            "keys_within = [\"o_orderkey\"]\n",
            "keys_within = [\"o_orderkey\"]\nentity_counts = [1, 2, 10, 20]\n",
        ),
    ] {
        assert_eq!(text.matches(before).count(), 1, "{before}");
        text = text.replace(before, after);
    }
    text
}

/// The same over the rows of all sites, in one database.
const STRUCK: [&str; 7] = [
    "CREATE VIEW out AS SELECT c_custkey AS key FROM customer WHERE c_mktsegment = 'BUILDING'",
    "CREATE VIEW all_customers AS SELECT * FROM customer",
    "CREATE VIEW all_orders AS SELECT * FROM orders",
    "CREATE VIEW all_lineitems AS SELECT * FROM lineitem",
    "CREATE OR REPLACE VIEW customer AS SELECT * FROM all_customers WHERE c_custkey NOT IN (SELECT key FROM out)",
    "CREATE OR REPLACE VIEW orders AS SELECT * REPLACE (CAST(date_trunc('month', o_orderdate) AS DATE) AS o_orderdate) \
     FROM all_orders WHERE o_custkey NOT IN (SELECT key FROM out)",
    "CREATE OR REPLACE VIEW lineitem AS SELECT * REPLACE (CASE WHEN l_quantity < 5 THEN 5 WHEN l_quantity > 30 THEN 30 ELSE \
     l_quantity END AS l_quantity) FROM all_lineitems WHERE l_custkey NOT IN (SELECT key FROM out)",
];

const ASKED: &[&str] = &[
    "SELECT c_mktsegment, count(*), count(DISTINCT c_custkey) FROM customer GROUP BY c_mktsegment",
    "SELECT site, count(*), avg(c_acctbal) FROM customer GROUP BY site",
    "SELECT o_orderdate, count(*), sum(o_totalprice) FROM orders GROUP BY o_orderdate",
    "SELECT count(*) FROM orders WHERE o_orderdate >= '1995-03-01' AND date_part('month', o_orderdate) <> 5",
    "SELECT o_orderstatus, count(DISTINCT o_custkey) FROM orders GROUP BY o_orderstatus",
    "SELECT l_shipmode, sum(l_quantity), count(*), avg(l_quantity * l_tax) FROM lineitem GROUP BY l_shipmode",
    "SELECT count(*) FROM lineitem WHERE l_quantity = 30",
    "SELECT c_mktsegment, count(*), sum(o_totalprice) FROM customer JOIN orders ON c_custkey = o_custkey GROUP BY c_mktsegment",
    "SELECT o_orderdate, sum(l_quantity) FROM orders JOIN lineitem ON o_orderkey = l_orderkey GROUP BY o_orderdate",
    "SELECT count(*) FROM (SELECT DISTINCT o_custkey FROM orders) AS each",
    "SELECT count(*), avg(n), avg(total), sum(n * total) FROM \
     (SELECT o_custkey, count(*) AS n, sum(o_totalprice) AS total FROM orders GROUP BY o_custkey) AS each",
    "SELECT CASE WHEN n >= 20 THEN 'many' WHEN n >= 10 THEN 'some' ELSE 'few' END AS orders, count(*), sum(total) FROM \
     (SELECT o_custkey, count(*) FILTER (WHERE o_orderstatus <> 'P') AS n, sum(o_totalprice) AS total FROM orders \
      WHERE o_orderdate >= '1993-03-01' GROUP BY o_custkey) AS each GROUP BY orders",
    "SELECT o_orderstatus, count(*), count(DISTINCT who) FROM \
     (SELECT o_custkey AS who, o_orderstatus, date_part('year', o_orderdate) AS year, count(*) AS n FROM orders GROUP BY 1, 2, 3) AS each \
     WHERE n >= 2 AND year < 1998 GROUP BY o_orderstatus",
    "SELECT site, avg(n) FROM (SELECT o_custkey, site, count(*) AS n FROM orders WHERE site <> 'north' GROUP BY o_custkey, site) AS each \
     GROUP BY site",
    "SELECT first, count(*) FROM (SELECT o_orderkey, min(o_orderdate) AS first FROM orders GROUP BY o_orderkey) AS each GROUP BY first",
    "SELECT p_brand, avg(l_quantity) FROM lineitem JOIN part ON l_partkey = p_partkey GROUP BY p_brand",
];

async fn struck() -> World {
    let world = world(&agreement(), 0.01).await;
    for view in STRUCK {
        world.pooled.sql(view).await.unwrap_or_else(|e| panic!("{view}\n{e}")).collect().await.unwrap();
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_federation_answers_what_is_left() {
    let world = struck().await;
    let mut client = world.federation.client(None).unwrap();
    for sql in ASKED {
        let (got, expected) = world.both(&mut client, sql).await;
        assert!(!expected.is_empty(), "nothing to compare: {sql}");
        assert_eq!(same(got, expected), Ok(()), "{sql}");
    }
    // Ours gives a day, the database's a timestamp: the column itself is the same.
    let by_month = |key: &str| format!("SELECT {key} AS month, count(*) FROM orders GROUP BY 1");
    let (got, _) = world.both(&mut client, &by_month("o_orderdate")).await;
    let trunc = by_month("date_trunc('month', o_orderdate)");
    let answer = crate::heart::rows(&client.ask(&trunc).await.unwrap());
    let answer = answer.into_iter().map(|row| row.into_iter().map(|(value, _)| value).collect()).collect();
    assert_eq!(same(answer, got), Ok(()));
    for (sql, code) in [
        ("SELECT count(*) FROM orders WHERE o_orderdate >= '1995-03-15'", "LITERAL_COMPARE"),
        ("SELECT date_part('day', o_orderdate), count(*) FROM orders GROUP BY 1", "COLUMN_USE"),
        ("SELECT date_trunc('week', o_orderdate), count(*) FROM orders GROUP BY 1", "COLUMN_USE"),
        ("SELECT date_trunc('second', o_orderdate), count(*) FROM orders GROUP BY 1", "EXPRESSION"),
        (
            "SELECT count(*) FROM (SELECT o_custkey, count(*) AS n FROM orders GROUP BY o_custkey) AS each WHERE n >= 3",
            "LITERAL_COMPARE",
        ),
    ] {
        let refusal = client.ask(sql).await.expect_err(sql).to_string();
        assert!(refusal.contains(code), "{sql}\n{refusal}");
    }
}
