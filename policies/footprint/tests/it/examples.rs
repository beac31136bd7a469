//! The TPC-H examples: each question in SQL is planned, cut and decided as it is written down. To write the decisions anew:
//! `LIQUID_PUBLISH=1 cargo test -p liquid-footprint --test it examples`, then read the difference.

use std::path::{Path, PathBuf};

use arrow::datatypes::DataType::{self, Date32, Float64, Int64, Utf8};
use liquid_footprint::{Catalogue, PlanError, TableKind, cut, footprint, plan, roundtrip};
use liquid_policy::decide::judge;
use liquid_policy::{Agreement, Refusal, parse};
use serde::Deserialize;

use crate::fixture::table;

fn file(example: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example).join(name)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Queries {
    query: Vec<Query>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    sql: String,
    refused: Option<Refusal>,
}

/// TPC-H's tables; `lineitem` has the order's customer, too.
fn tpch() -> Catalogue {
    let tables: [(&str, &[(&str, DataType)]); 8] = [
        (
            "customer",
            &[
                ("c_custkey", Int64),
                ("c_name", Utf8),
                ("c_address", Utf8),
                ("c_nationkey", Int64),
                ("c_phone", Utf8),
                ("c_acctbal", Float64),
                ("c_mktsegment", Utf8),
                ("c_comment", Utf8),
            ],
        ),
        (
            "orders",
            &[
                ("o_orderkey", Int64),
                ("o_custkey", Int64),
                ("o_orderstatus", Utf8),
                ("o_totalprice", Float64),
                ("o_orderdate", Date32),
                ("o_orderpriority", Utf8),
                ("o_clerk", Utf8),
                ("o_shippriority", Int64),
                ("o_comment", Utf8),
            ],
        ),
        (
            "lineitem",
            &[
                ("l_orderkey", Int64),
                ("l_partkey", Int64),
                ("l_suppkey", Int64),
                ("l_linenumber", Int64),
                ("l_quantity", Float64),
                ("l_extendedprice", Float64),
                ("l_discount", Float64),
                ("l_tax", Float64),
                ("l_returnflag", Utf8),
                ("l_linestatus", Utf8),
                ("l_shipdate", Date32),
                ("l_commitdate", Date32),
                ("l_receiptdate", Date32),
                ("l_shipinstruct", Utf8),
                ("l_shipmode", Utf8),
                ("l_comment", Utf8),
                ("l_custkey", Int64),
            ],
        ),
        (
            "part",
            &[
                ("p_partkey", Int64),
                ("p_name", Utf8),
                ("p_mfgr", Utf8),
                ("p_brand", Utf8),
                ("p_type", Utf8),
                ("p_size", Int64),
                ("p_container", Utf8),
                ("p_retailprice", Float64),
                ("p_comment", Utf8),
            ],
        ),
        (
            "supplier",
            &[
                ("s_suppkey", Int64),
                ("s_name", Utf8),
                ("s_address", Utf8),
                ("s_nationkey", Int64),
                ("s_phone", Utf8),
                ("s_acctbal", Float64),
                ("s_comment", Utf8),
            ],
        ),
        (
            "partsupp",
            &[
                ("ps_partkey", Int64),
                ("ps_suppkey", Int64),
                ("ps_availqty", Int64),
                ("ps_supplycost", Float64),
                ("ps_comment", Utf8),
            ],
        ),
        ("nation", &[("n_nationkey", Int64), ("n_name", Utf8), ("n_regionkey", Int64), ("n_comment", Utf8)]),
        ("region", &[("r_regionkey", Int64), ("r_name", Utf8), ("r_comment", Utf8)]),
    ];
    let protected = |(name, columns): (&str, &[(&str, DataType)])| table(name, TableKind::Protected, columns);
    tables.into_iter().map(protected).fold(Catalogue::new(), Catalogue::with)
}

/// Plans, cuts and decides; what is permitted also reads back as it is sent to a site.
fn decided(sql: &str, agreement: &Agreement) -> Option<Refusal> {
    let tables = tpch();
    let refused = |error: PlanError| match error {
        PlanError::Refused(refusal) => refusal,
        other => panic!("{sql}: {other}"),
    };
    let request = match plan(sql, &[], &tables).and_then(cut) {
        Ok(request) => request,
        Err(error) => return Some(refused(error)),
    };
    assert!(!request.cuts.is_empty(), "{sql}");
    let verdict = request.cuts.iter().find_map(|cut| judge(agreement, &footprint(&cut.query)).err());
    for cut in &request.cuts {
        roundtrip(&cut.query, &tables).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    verdict
}

#[track_caller]
fn check(example: &str, permitted: usize) {
    let text = std::fs::read_to_string(file(example, "agreement.toml")).unwrap();
    let agreement =
        parse(&text, "agreement.toml").unwrap_or_else(|e| panic!("{:?}", e.problems().collect::<Vec<_>>()));
    let path = file(example, "queries.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    let queries: Queries = toml::from_str(&text).unwrap();
    let mut seen = 0;
    for Query { sql, refused } in queries.query {
        let found = decided(&sql, &agreement);
        seen += usize::from(found.is_none());
        if std::env::var_os("LIQUID_PUBLISH").is_some() && found != refused {
            assert!(refused.is_none(), "take the old decision out of {example} first");
            let new = found.map(|refusal| toml::to_string(&refusal).unwrap()).unwrap_or_default();
            let new: String = new.lines().map(|line| format!("refused.{line}\n")).collect();
            text = text.replace(&format!("{sql}\"\"\"\n"), &format!("{sql}\"\"\"\n{new}"));
            std::fs::write(&path, &text).unwrap();
        } else {
            assert_eq!(found, refused, "{sql}");
        }
    }
    assert_eq!(seen, permitted, "of {example}");
}

#[test]
fn everything_that_can_be_written_is_permitted_under_the_open_agreement() {
    check("open", 12);
}

#[test]
fn statistics_are_permitted_under_the_customers_agreement_and_single_customers_are_not() {
    check("customers", 7);
}
