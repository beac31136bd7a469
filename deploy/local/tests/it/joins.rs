//! Joined tables over four sites: TPC-H's questions under the *open* agreement, and the like, answer what one database over
//! all rows answers; where sites could miss rows of one another, they are refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::prelude::{CsvReadOptions, SessionContext};
use liquid_local::blueprint::{Blueprint, Connect, Content, SitePlan, Source};
use liquid_local::client::Client;
use liquid_local::{Federation, Run};
use liquid_policy::id::{OrganisationName, SiteName};
use serde::Deserialize;

use crate::generate::Draw;
use crate::heart::rows;
use crate::pooled::value;
use crate::question::Value;

const ORGANISATIONS: [&str; 4] = ["north", "south", "east", "west"];

/// Name and type of each column.
type Columns = [(&'static str, &'static str)];

const CUSTOMER: &Columns = &[
    ("c_custkey", "integer"),
    ("c_name", "text"),
    ("c_address", "text"),
    ("c_nationkey", "integer"),
    ("c_phone", "text"),
    ("c_acctbal", "float"),
    ("c_mktsegment", "text"),
    ("c_comment", "text"),
];
const ORDERS: &Columns = &[
    ("o_orderkey", "integer"),
    ("o_custkey", "integer"),
    ("o_orderstatus", "text"),
    ("o_totalprice", "float"),
    ("o_orderdate", "date"),
    ("o_orderpriority", "text"),
    ("o_clerk", "text"),
    ("o_shippriority", "integer"),
    ("o_comment", "text"),
];
const LINEITEM: &Columns = &[
    ("l_orderkey", "integer"),
    ("l_partkey", "integer"),
    ("l_suppkey", "integer"),
    ("l_linenumber", "integer"),
    ("l_quantity", "float"),
    ("l_extendedprice", "float"),
    ("l_discount", "float"),
    ("l_tax", "float"),
    ("l_returnflag", "text"),
    ("l_linestatus", "text"),
    ("l_shipdate", "date"),
    ("l_commitdate", "date"),
    ("l_receiptdate", "date"),
    ("l_shipinstruct", "text"),
    ("l_shipmode", "text"),
    ("l_comment", "text"),
    ("l_custkey", "integer"),
];
const PART: &Columns = &[
    ("p_partkey", "integer"),
    ("p_name", "text"),
    ("p_mfgr", "text"),
    ("p_brand", "text"),
    ("p_type", "text"),
    ("p_size", "integer"),
    ("p_container", "text"),
    ("p_retailprice", "float"),
    ("p_comment", "text"),
];
const SUPPLIER: &Columns = &[
    ("s_suppkey", "integer"),
    ("s_name", "text"),
    ("s_address", "text"),
    ("s_nationkey", "integer"),
    ("s_phone", "text"),
    ("s_acctbal", "float"),
    ("s_comment", "text"),
];
const PARTSUPP: &Columns = &[
    ("ps_partkey", "integer"),
    ("ps_suppkey", "integer"),
    ("ps_availqty", "integer"),
    ("ps_supplycost", "float"),
    ("ps_comment", "text"),
];
const NATION: &Columns =
    &[("n_nationkey", "integer"), ("n_name", "text"), ("n_regionkey", "integer"), ("n_comment", "text")];
const REGION: &Columns = &[("r_regionkey", "integer"), ("r_name", "text"), ("r_comment", "text")];

const TABLES: [(&str, &Columns); 8] = [
    ("customer", CUSTOMER),
    ("orders", ORDERS),
    ("lineitem", LINEITEM),
    ("part", PART),
    ("supplier", SUPPLIER),
    ("partsupp", PARTSUPP),
    ("nation", NATION),
    ("region", REGION),
];

/// CSV text, a header and then rows.
type Files = BTreeMap<&'static str, String>;

fn empty(tables: &[&'static str]) -> Files {
    let header =
        |columns: &Columns| columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",") + "\n";
    let there = TABLES.iter().filter(|(table, _)| tables.contains(table));
    there.map(|(table, columns)| (*table, header(columns))).collect()
}

fn line(files: &mut Files, table: &str, values: &[String]) {
    files.get_mut(table).unwrap().push_str(&(values.join(",") + "\n"));
}

fn day(draw: &mut Draw) -> String {
    format!("{}-{:02}-{:02}", 1993 + draw.below(5), 1 + draw.below(12), 1 + draw.below(28))
}

fn number(draw: &mut Draw, below: usize, unit: f64) -> String {
    format!("{:.2}", (draw.below(below) as f64 + 1.0) * unit)
}

const NATIONS: [(&str, usize); 6] =
    [("FRANCE", 3), ("GERMANY", 3), ("BRAZIL", 1), ("CANADA", 1), ("CHINA", 2), ("JAPAN", 2)];

/// What lies whole at every site.
fn whole(draw: &mut Draw) -> Files {
    let text = || "x".to_owned();
    let mut files = empty(&["part", "supplier", "partsupp", "nation", "region"]);
    for (key, name) in ["AFRICA", "AMERICA", "ASIA", "EUROPE"].iter().enumerate() {
        line(&mut files, "region", &[key.to_string(), (*name).to_owned(), text()]);
    }
    for (key, (name, region)) in NATIONS.iter().enumerate() {
        line(&mut files, "nation", &[key.to_string(), (*name).to_owned(), region.to_string(), text()]);
    }
    for key in 0..12 {
        let nation = draw.below(NATIONS.len()).to_string();
        let balance = number(draw, 900, 1.25);
        line(&mut files, "supplier", &[key.to_string(), text(), text(), nation, text(), balance, text()]);
    }
    for key in 0..30 {
        let name = draw.one_of(&["a green bolt", "a red nut", "green"]).to_owned();
        let brand = draw.one_of(&["Brand#12", "Brand#23"]).to_owned();
        let kind = draw.one_of(&["PROMO TIN", "ECONOMY ANODIZED STEEL", "SMALL"]).to_owned();
        let container = draw.one_of(&["SM CASE", "MED BAG"]).to_owned();
        let (size, price) = ((1 + draw.below(10)).to_string(), number(draw, 90, 10.5));
        line(
            &mut files,
            "part",
            &[key.to_string(), name, text(), brand, kind, size, container, price, text()],
        );
        for supplier in [key % 12, (key + 5) % 12] {
            let cost = number(draw, 90, 0.75);
            line(
                &mut files,
                "partsupp",
                &[key.to_string(), supplier.to_string(), "5".to_owned(), cost, text()],
            );
        }
    }
    files
}

/// The customers of one site, and what they bought. Every third has bought nothing.
fn own(draw: &mut Draw, site: usize) -> Files {
    let text = || "x".to_owned();
    let mut files = empty(&["customer", "orders", "lineitem"]);
    for at in 0..45 {
        let customer = (site * 1000 + at).to_string();
        let nation = draw.below(NATIONS.len()).to_string();
        let segment = draw.one_of(&["BUILDING", "MACHINERY"]).to_owned();
        let (name, balance) = (format!("Customer {customer}"), number(draw, 900, 1.25));
        line(
            &mut files,
            "customer",
            &[customer.clone(), name, text(), nation, text(), balance, segment, text()],
        );
        for order in 0..if at % 3 == 0 { 0 } else { 1 + draw.below(4) } {
            let key = (site * 100_000 + at * 100 + order).to_string();
            let status = draw.one_of(&["F", "O"]).to_owned();
            let priority = draw.one_of(&["1-URGENT", "2-HIGH", "5-LOW"]).to_owned();
            let (price, date) = (number(draw, 9000, 3.5), day(draw));
            let order = [
                key.clone(),
                customer.clone(),
                status,
                price,
                date,
                priority,
                text(),
                "0".to_owned(),
                text(),
            ];
            line(&mut files, "orders", &order);
            for number_of in 1..=1 + draw.below(3) {
                let part = draw.below(30);
                let supplier = draw.one_of(&[part % 12, (part + 5) % 12]);
                let line_of = [
                    key.clone(),
                    part.to_string(),
                    supplier.to_string(),
                    number_of.to_string(),
                    number(draw, 25, 1.0),
                    number(draw, 9000, 2.5),
                    number(draw, 9, 0.01),
                    number(draw, 8, 0.01),
                    draw.one_of(&["A", "N", "R"]).to_owned(),
                    draw.one_of(&["F", "O"]).to_owned(),
                    day(draw),
                    day(draw),
                    day(draw),
                    draw.one_of(&["DELIVER IN PERSON", "NONE"]).to_owned(),
                    draw.one_of(&["AIR", "MAIL", "SHIP"]).to_owned(),
                    text(),
                    customer.clone(),
                ];
                line(&mut files, "lineitem", &line_of);
            }
        }
    }
    files
}

fn model() -> String {
    let mut model = String::new();
    for (table, columns) in TABLES {
        writeln!(model, "[[table]]\nname = \"{table}\"\ndescription = \"of TPC-H\"\ncolumn = [").unwrap();
        for (name, kind) in columns {
            writeln!(model, "    {{ name = \"{name}\", type = \"{kind}\", description = \"of TPC-H\" }},")
                .unwrap();
        }
        model += "]\n";
    }
    model
}

/// Four sites, and the union of their rows.
struct World {
    federation: Federation,
    pooled: SessionContext,
    _files: tempfile::TempDir,
}

async fn world(agreement: &str) -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut draw = Draw::new(7);
    let whole = whole(&mut draw);
    let mut union: Files = whole.clone();
    union.extend(empty(&["customer", "orders", "lineitem"]));
    let mut sites = Vec::new();
    for (number, organisation) in ORGANISATIONS.iter().enumerate() {
        let own = own(&mut draw, number + 1);
        for (table, text) in &own {
            let rows = text.split_once('\n').unwrap().1;
            union.get_mut(table).unwrap().push_str(rows);
        }
        let write = |(table, text): (&&str, &String)| source(folder.path(), organisation, table, text);
        sites.push(SitePlan {
            site: SiteName::new(*organisation),
            organisation: OrganisationName::new(*organisation),
            model: model(),
            agreements: vec![agreement.to_owned()],
            sources: own.iter().chain(&whole).map(write).collect(),
            views: String::new(),
            tables: None,
            connect: Connect::default(),
        });
    }
    let pooled = SessionContext::new();
    for (table, columns) in TABLES {
        let path = file(folder.path(), "union", table);
        std::fs::write(&path, &union[table]).unwrap();
        let kind = |kind: &str| match kind {
            "integer" => DataType::Int64,
            "float" => DataType::Float64,
            "date" => DataType::Date32,
            _ => DataType::Utf8,
        };
        let fields: Vec<_> = columns.iter().map(|(name, of)| Field::new(*name, kind(of), true)).collect();
        let schema = Schema::new(fields);
        let options = CsvReadOptions::new().schema(&schema);
        pooled.register_csv(table, path.to_str().unwrap(), options).await.unwrap();
    }
    let blueprint = Blueprint { name: "tpch".to_owned(), sites };
    let federation = Federation::start(&blueprint, Run::InProcess).await.unwrap();
    World { federation, pooled, _files: folder }
}

fn file(folder: &Path, site: &str, table: &str) -> PathBuf {
    folder.join(format!("{site}-{table}.csv"))
}

fn source(folder: &Path, site: &str, table: &str, text: &str) -> Source {
    let path = file(folder, site, table);
    std::fs::write(&path, text).unwrap();
    Source {
        name: table.to_owned(),
        file: format!("{table}.csv"),
        format: "csv".to_owned(),
        null: None,
        content: Content::File(path),
    }
}

type Rows = Vec<Vec<Option<Value>>>;

impl World {
    /// The federation's answer, and that of one database.
    async fn both(&self, client: &mut Client, sql: &str, pooled: &str) -> (Rows, Rows) {
        let answer = client.ask(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        let got = rows(&answer).into_iter().map(|row| row.into_iter().map(|(value, _)| value).collect());
        let frame = self.pooled.sql(pooled).await.unwrap_or_else(|error| panic!("{pooled}\n{error}"));
        let mut expected = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let cells = |row| batch.columns().iter().map(|column| plain(column, row)).collect();
            expected.extend((0..batch.num_rows()).map(cells));
        }
        (got.collect(), expected)
    }
}

/// One cell; days and narrow numbers as the federation writes them.
fn plain(column: &Arc<dyn arrow::array::Array>, row: usize) -> Option<Value> {
    let wide = match column.data_type() {
        DataType::Int32 => arrow::compute::cast(column, &DataType::Int64).unwrap(),
        DataType::Date32 => arrow::compute::cast(column, &DataType::Utf8).unwrap(),
        _ => Arc::clone(column),
    };
    value(wide.as_ref(), row)
}

/// Equal up to the order of rows and the last digits of floats.
fn same(mut got: Rows, mut expected: Rows) -> Result<(), String> {
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
    let world = world(&example("open/agreement.toml")).await;
    let mut client = world.federation.client(None).unwrap();
    let queries: Queries = toml::from_str(&example("open/queries.toml")).unwrap();
    let mut answered = 0;
    for Query { sql, refused } in queries.query {
        if refused.is_some() || sql.contains("min(") {
            let error = client.ask(&sql).await.expect_err(&sql).to_string();
            assert!(["REFUSED", "_", "min"].iter().any(|word| error.contains(word)), "{sql}\n{error}");
            continue;
        }
        let (got, expected) = world.both(&mut client, &sql, &sql).await;
        assert!(!expected.is_empty(), "nothing to compare: {sql}");
        if let Err(difference) = same(got, expected) {
            panic!("{sql}\n{difference}");
        }
        answered += 1;
    }
    assert_eq!(answered, 11);

    // One database has no column `site`; here it follows from the customer's number.
    let site = "(CASE KEY / 1000 WHEN 1 THEN 'north' WHEN 2 THEN 'south' WHEN 3 THEN 'east' ELSE 'west' END)";
    for sql in MORE {
        let pooled = sql
            .replace("c.site", &site.replace("KEY", "c_custkey"))
            .replace("o.site", &site.replace("KEY", "o_custkey"));
        let (got, expected) = world.both(&mut client, sql, &pooled).await;
        assert!(!expected.is_empty(), "nothing to compare: {sql}");
        if let Err(difference) = same(got, expected) {
            panic!("{sql}\n{difference}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_would_miss_rows_at_other_sites_is_refused() {
    let overlapping = example("open/agreement.toml").replacen("entities = \"disjoint\"\n", "", 1);
    let world = world(&overlapping).await;
    let sql = "SELECT count(*) FROM customer JOIN orders ON c_custkey = o_custkey";
    let mut client = world.federation.client(None).unwrap();
    let refusal = client.ask(sql).await.expect_err("refused").to_string();
    assert!(refusal.contains("NOT_FEDERABLE") || refusal.contains("would miss some"), "{refusal}");
    // Tables of other entities than these, and one with what lies whole at every site, are joined as before.
    for sql in [
        "SELECT count(*) FROM orders JOIN lineitem ON o_orderkey = l_orderkey",
        "SELECT count(*) FROM customer JOIN nation ON c_nationkey = n_nationkey",
    ] {
        let (got, expected) = world.both(&mut client, sql, sql).await;
        assert_eq!(same(got, expected), Ok(()), "{sql}");
    }
    // A node that is asked directly joins what it has.
    let mut site = world.federation.site_client("north", None).unwrap();
    assert_eq!(site.ask(sql).await.unwrap().rows(), 1);
}

/// Ten customers behind every number, and behind whom the join leaves out: 15 at each site have bought nothing.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_minimum_joins_are_answered_and_whoever_they_leave_out_is_hidden() {
    let world = world(&example("customers/agreement.toml")).await;
    let mut client = world.federation.client(None).unwrap();
    for sql in [
        "SELECT o_orderpriority, avg(o_totalprice), count(*) FROM customer JOIN orders ON c_custkey = o_custkey GROUP BY o_orderpriority",
        "SELECT l_shipmode, sum(l_extendedprice * (1 - l_discount)) FROM orders, lineitem, customer WHERE o_orderkey = l_orderkey AND o_custkey = c_custkey GROUP BY l_shipmode",
        "SELECT count(*), count(DISTINCT o_custkey), avg(l_quantity) FROM orders JOIN lineitem ON o_orderkey = l_orderkey",
        "SELECT p_brand, sum(l_quantity) FROM lineitem JOIN part ON l_partkey = p_partkey GROUP BY p_brand",
    ] {
        let (got, expected) = world.both(&mut client, sql, sql).await;
        // A domain of the agreement shows values that no row has; they are withheld, and one database does not know them.
        let known = got.into_iter().filter(|row| row.iter().all(Option::is_some)).collect();
        assert_eq!(same(known, expected), Ok(()), "{sql}");
    }
    // Fewer than ten of each segment have bought nothing, so `count` here beside the count of all would tell how few.
    let sql = "SELECT c_mktsegment, count(*) FROM customer JOIN orders ON c_custkey = o_custkey GROUP BY c_mktsegment";
    let hidden = client.ask(sql).await.unwrap();
    assert!(rows(&hidden).iter().all(|row| row[1].0.is_none()), "{sql}");
    let all = client.ask("SELECT c_mktsegment, count(*) FROM customer GROUP BY c_mktsegment").await.unwrap();
    assert_eq!(rows(&all).iter().filter(|row| row[1].0.is_some()).count(), 2);
    // A join on no key, or by more than one customer, is refused before anything is read.
    for sql in [
        "SELECT count(*) FROM customer a JOIN customer b ON a.c_nationkey = b.c_nationkey",
        "SELECT count(*) FROM customer, orders",
    ] {
        let refusal = client.ask(sql).await.expect_err("refused").to_string();
        assert!(refusal.contains("join"), "{refusal}");
    }
}
