//! The tables of the attack list and of the heart data, and helpers that plan against them.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::ScalarValue;
use liquid_footprint::{Catalogue, Opaque, PlanError, Request, TableKind, cut, plan};
use liquid_policy::{Agreement, parse};

/// A protected or public table.
pub(crate) fn table(name: &str, kind: TableKind, columns: &[(&str, DataType)]) -> Opaque {
    let fields: Vec<_> = columns.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect();
    Opaque::new(name, kind, Arc::new(Schema::new(fields)))
}

/// Everything that the tests ask about.
pub(crate) fn catalogue() -> Catalogue {
    use DataType::{Boolean, Date32, Float64, Int64, Utf8};
    let person = [
        ("upi", Utf8),
        ("nhs_no", Utf8),
        ("name", Utf8),
        ("dob", Date32),
        ("postcode", Utf8),
        ("ward", Utf8),
        ("sex", Utf8),
        ("beat", Utf8),
        ("ethnicity", Utf8),
        ("benefit_amt", Float64),
        ("bonus", Float64),
        ("band", Utf8),
        ("note", Utf8),
    ];
    let crime = [
        ("upi", Utf8),
        ("offence", Utf8),
        ("ts", Date32),
        ("fine", Float64),
        ("damage", Int64),
        ("note", Utf8),
    ];
    let cardiac = [
        ("patient", Utf8),
        ("age", Int64),
        ("sex", Utf8),
        ("chest_pain", Utf8),
        ("pressure", Int64),
        ("chol", Float64),
        ("exang", Boolean),
        ("seen", Date32),
        ("site", Utf8),
        ("Odd Name", Int64),
        ("ratio", Float64),
        ("note", Utf8),
    ];
    let visit = [("upi", Utf8), ("visit_id", Int64), ("day", Date32)];
    let treatment = [("upi", Utf8), ("visit_id", Int64), ("cost", Float64)];
    let queries = [("id", Utf8), ("elapsed_ms", Int64)];
    let shown = ["age", "sex", "chol"];
    Catalogue::new()
        .with(table("person", TableKind::Protected, &person).standing_for_one(["upi"]))
        .with(table("crime", TableKind::Protected, &crime).standing_for_one(["upi"]))
        .with(table("hh", TableKind::Protected, &[("upi", Utf8), ("hh_id", Utf8)]))
        .with(table("visit", TableKind::Protected, &visit).standing_for_one(["upi", "visit_id"]))
        .with(table("treatment", TableKind::Protected, &treatment).standing_for_one(["upi", "visit_id"]))
        .with(table("ward", TableKind::Protected, &[("ward", Utf8), ("region", Utf8), ("people", Int64)]))
        .with(table("cardiac", TableKind::Protected, &cardiac).showing(shown))
        .with(table("system.queries", TableKind::Public, &queries))
}

/// Plans and cuts a query.
pub(crate) fn request(sql: &str) -> Result<Request, PlanError> {
    request_with(sql, &[])
}

/// Plans and cuts a query with bound values.
pub(crate) fn request_with(sql: &str, parameters: &[ScalarValue]) -> Result<Request, PlanError> {
    cut(plan(sql, parameters, &catalogue())?)
}

/// The agreement of the list of attacks, and some tables more.
pub(crate) static AGREEMENT: LazyLock<Agreement> = LazyLock::new(|| {
    parse(
        r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1"
purposes = ["p"]
in_force = 2026-01-01
expires = 2026-12-31
[[party]]
organisation = "north"
role = "controller"
[table.person]
entity = "upi"
entities = "disjoint"
join = { keys = ["upi", "ward"], unique = ["upi"], references = { ward = "ward.ward", upi = "crime.upi" } }
[table.person.columns]
upi = { use = ["join"] }
ward = { use = ["group", "filter", "join"] }
sex = { use = ["group", "filter"] }
beat = { use = ["group", "filter"] }
band = { use = ["group", "filter"] }
benefit_amt = { use = ["measure"] }
bonus = { use = ["measure", "filter"] }
[table.crime]
entity = "upi"
entity_counts = [1, 2, 3, 5, 10]
entities = "disjoint"
join = { keys = ["upi"], references = { upi = "person.upi" } }
[table.crime.columns]
upi = { use = ["join"] }
offence = { use = ["group", "filter"] }
ts = { use = ["group", "filter"], grain = "year" }
fine = { use = ["measure"] }
damage = { use = ["measure"], required = true }
note = { use = [] }
[table.hh]
entity = "upi"
join = { keys = ["upi"], unique = ["upi"], references = { upi = "person.upi" } }
[table.hh.columns]
upi = { use = ["join"] }
hh_id = { use = [] }
[table.visit]
entity = "upi"
keys_within = ["visit_id"]
join = { keys = ["visit_id", "upi"], unique = ["visit_id"], references = { upi = "person.upi", visit_id = "treatment.visit_id" } }
[table.visit.columns]
upi = { use = ["join"] }
visit_id = { use = ["join"] }
[table.treatment]
entity = "upi"
keys_within = ["visit_id"]
join = { keys = ["visit_id", "upi"], references = { visit_id = "visit.visit_id", upi = "person.upi" } }
[table.treatment.columns]
upi = { use = ["join"] }
visit_id = { use = ["join"] }
[table.ward]
replicated = true
join = { keys = ["ward"], unique = ["ward"] }
[table.ward.columns]
ward = { use = ["join", "filter"] }
region = { use = ["group", "filter"] }
people = { use = ["filter", "measure"] }
[disclosure]
minimum_contributors = 10
"#,
        "attacks.toml",
    )
    .unwrap()
});
