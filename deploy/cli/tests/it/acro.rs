//! Threshold, dominance and p-ratio beside a tool that statisticians check tables with: the same cells are withheld.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::fixture::{Demo, Ended, python};

/// Its rules stand at what it takes by itself: 10 people, the two largest at most 90 % of a cell, all others at least 10 % of the largest.
const AGREEMENT: &str = r#"schema = "liquid/agreement/1"
[agreement]
id = "CST-1"
title = "Costs"
version = "1"
purposes = ["planning"]
in_force = 2026-01-01
expires = 2029-12-31
lead = "north"
[[party]]
organisation = "north"
role = "controller"
[[recipient]]
organisation = "lab"
roles = ["analyst"]
purposes = ["planning"]
[table.costs]
entity = "person"
[table.costs.columns]
person = { use = [] }
ward = { use = ["group"] }
sex = { use = ["group"] }
cost = { use = ["measure"], aggregates = ["sum"], required = true }
[disclosure]
minimum_contributors = 10
dominance = { n = 2, share = 0.90 }
p_ratio = 0.10
"#;

/// A line a person: wards of 4 to 60 people, in some of which a few cost nearly all.
fn costs() -> String {
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut rows = "person,ward,sex,cost\n".to_owned();
    let mut person = 0;
    for ward in 0..60 {
        for sex in ["F", "M"] {
            let people = 4 + next(56);
            let (largest, great) = (next(4), 1 + next(4000));
            for at in 0..people {
                let cost = 1 + next(20) + if at < largest { great * (1 + next(10)) } else { 0 };
                writeln!(rows, "{person},W{ward:02},{sex},{cost}").unwrap();
                person += 1;
            }
        }
    }
    rows
}

#[test]
fn it_withholds_the_cells_that_acro_suppresses() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("north");
    std::fs::create_dir_all(site.join("data")).unwrap();
    std::fs::write(site.join("agreement.toml"), AGREEMENT).unwrap();
    let rows = site.join("data/costs.csv");
    std::fs::write(&rows, costs()).unwrap();

    let checked: Ended = Command::new(python("acro", "acro==1.0.2\n"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/suppressed.py"))
        .arg(&rows)
        .output()
        .unwrap()
        .into();
    assert_eq!(checked.code, 0, "{}", checked.err);
    let checked: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(&checked.out).unwrap();

    let demo = Demo::serve_more(&["--from", folder.path().to_str().unwrap()]);
    let sql = "SELECT ward, sex, sum(cost) AS cost FROM costs GROUP BY ward, sex";
    let ended = demo.query(&["--format", "csv", "--set", "liquid.marks=columns", sql]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let header: Vec<&str> = ended.out.lines().next().unwrap().split(',').collect();
    let place = |name| header.iter().position(|column| *column == name).unwrap();
    let answered = ended.out.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        (format!("{} {}", fields[place("ward")], fields[place("sex")]), fields[place("cost_mark")] == "0")
    });
    let answered: BTreeMap<String, bool> = answered.collect();

    assert_eq!(checked.len(), 120);
    for (cell, failed) in &checked {
        // Groups of fewer than ten people are not even named.
        let released = answered.get(cell).copied().unwrap_or(false);
        assert_eq!(released, failed.is_empty(), "{cell}: {failed:?}, {:?}", answered.get(cell));
    }
    // Each check has cells that it fails alone, or with the other one, and many pass all.
    let with = |wanted: &[&str]| {
        let wanted: BTreeSet<String> = wanted.iter().map(|check| (*check).to_owned()).collect();
        checked.values().filter(|failed| **failed == wanted).count()
    };
    let seen = [
        with(&[]),
        with(&["MinimumThresholdCheck"]),
        with(&["NKCheck", "PPercentCheck"]),
        with(&["NKCheck"]) + with(&["PPercentCheck"]),
    ];
    assert!(seen.iter().all(|cells| *cells > 2), "{seen:?} of {checked:?}");
}
