//! Any text is refused or planned, never a crash; every cut has a footprint and reads back as it is printed.
#![no_main]

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema};
use libfuzzer_sys::fuzz_target;
use liquid_footprint::{Catalogue, Opaque, PlanError, TableKind, cut, footprint, plan, roundtrip};

static TABLES: LazyLock<Catalogue> = LazyLock::new(|| {
    use DataType::{Boolean, Date32, Float64, Int64, Utf8};
    let table = |name: &str, kind, columns: &[(&str, DataType)]| {
        let fields: Vec<_> = columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect();
        Opaque::new(name, kind, Arc::new(Schema::new(fields)))
    };
    let person = [
        ("upi", Utf8),
        ("ward", Utf8),
        ("sex", Utf8),
        ("age", Int64),
        ("born", Date32),
        ("smokes", Boolean),
        ("cost", Float64),
    ];
    let visit = [("upi", Utf8), ("ward", Utf8), ("day", Date32), ("days", Int64)];
    Catalogue::new()
        .with(table("person", TableKind::Protected, &person))
        .with(table("visit", TableKind::Protected, &visit))
        .with(table("area", TableKind::Public, &[("ward", Utf8), ("people", Int64)]))
});

fuzz_target!(|sql: &str| {
    // A bug is neither a refusal nor a mistake of whoever asks: none may be reached from outside.
    let no_bug = |error: PlanError| assert!(!matches!(error, PlanError::Bug { .. }), "{error:?}");
    let request = match plan(sql, &[], &TABLES).and_then(cut) {
        Ok(request) => request,
        Err(error) => return no_bug(error),
    };
    for cut in &request.cuts {
        let _ = footprint(&cut.query);
        if let Err(error) = roundtrip(&cut.query, &TABLES) {
            no_bug(error);
        }
    }
});
