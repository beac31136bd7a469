//! The tables of the attack list and of the heart data, and helpers that plan against them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::ScalarValue;
use liquid_footprint::{Catalogue, Opaque, PlanError, Request, TableKind, cut, plan};

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
        ("band", Utf8),
        ("note", Utf8),
    ];
    let crime = [("upi", Utf8), ("offence", Utf8), ("ts", Date32), ("fine", Float64)];
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
    let queries = [("id", Utf8), ("elapsed_ms", Int64)];
    let shown = ["age", "sex", "chol"];
    Catalogue::new()
        .with(table("person", TableKind::Protected, &person))
        .with(table("crime", TableKind::Protected, &crime))
        .with(table("hh", TableKind::Protected, &[("upi", Utf8), ("hh_id", Utf8)]))
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
