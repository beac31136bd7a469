//! Cells of one answer of which one could be taken from the others, through the real command: enough of them are withheld that nothing
//! that is left tells of few.

use std::fmt::Write as _;

use crate::fixture::Demo;

const AGREEMENT: &str = r#"schema = "liquid/agreement/1"
[agreement]
id = "AGE-1"
title = "Ages"
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
[table.visits]
entity = "person"
[table.visits.columns]
person = { use = [] }
age = { use = ["filter"], required = true }
kind = { use = ["filter"], required = true }
cost = { use = ["measure"], aggregates = ["sum", "avg"], required = true }
flag = { use = ["filter", "measure"], aggregates = ["sum", "avg"], domain = { from = 0, to = 1 }, required = true }
[disclosure]
minimum_contributors = 10
"#;

/// Two hundred people of 30 to 79, four of each age but two of 50, each with a visit of kind `a` and some with one of kind `b`.
fn visits() -> String {
    let mut rows = "person,age,kind,cost,flag\n".to_owned();
    for person in 0..200 {
        let age = 30 + person / 4;
        if age == 50 && person % 4 > 1 {
            continue;
        }
        writeln!(rows, "{person},{age},a,{},{}", 100 + person, person % 2).unwrap();
        if person % 3 == 0 {
            writeln!(rows, "{person},{age},b,{},{}", 10 + person, person % 2).unwrap();
        }
    }
    rows
}

#[test]
fn no_cell_of_an_answer_is_taken_from_another() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("north");
    std::fs::create_dir_all(site.join("data")).unwrap();
    std::fs::write(site.join("agreement.toml"), AGREEMENT).unwrap();
    std::fs::write(site.join("data/visits.csv"), visits()).unwrap();
    let demo = Demo::serve_more(&["--from", folder.path().to_str().unwrap()]);
    let withheld = |columns: &str| -> Vec<bool> {
        let sql = format!("SELECT {columns} FROM visits");
        let ended = demo.query(&["--format", "csv", "--set", "liquid.marks=columns", &sql]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let rows: Vec<Vec<&str>> = ended.out.lines().map(|line| line.split(',').collect()).collect();
        let marks = rows[0].iter().zip(&rows[1]).filter(|(name, _)| name.ends_with("_mark"));
        marks.map(|(_, mark)| *mark != "0").collect()
    };
    let count = |name: &str, condition: &str| format!("count(*) FILTER (WHERE {condition}) AS {name}");
    let sum = |name: &str, condition: &str| format!("sum(cost) FILTER (WHERE {condition}) AS {name}");

    // Forty people are between these, and two between those.
    let wide = [count("a", "age < 50"), count("b", "age < 60")].join(", ");
    assert_eq!(withheld(&wide), [false, false]);
    let narrow = [count("a", "age < 50"), count("b", "age < 51")].join(", ");
    assert_eq!(withheld(&narrow), [false, true], "the first that is asked stays");
    let sums = [sum("a", "age < 51"), sum("b", "age < 50"), count("c", "age < 50")].join(", ");
    assert_eq!(withheld(&sums), [false, true, false], "a count and a sum do not make one another out");
    // An average brings the sum and the count with it.
    let average =
        format!("avg(cost) FILTER (WHERE age < 50) AS a, {}, {}", sum("b", "age < 51"), sum("c", "age < 40"));
    assert_eq!(withheld(&average), [false, true, false]);

    // Each two of these differ by many; the three together tell of those of 50.
    let three =
        [count("a", "age <= 50"), count("b", "age >= 50"), count("c", "age <> 30 OR age = 30")].join(", ");
    assert_eq!(withheld(&three), [false, false, true]);
    // Everybody has a visit of kind a: whoever has one of the other kind is among them, which tells nothing of few.
    let kinds = [
        "count(DISTINCT person) FILTER (WHERE kind = 'a') AS a",
        "count(DISTINCT person) FILTER (WHERE kind = 'b') AS b",
    ];
    assert_eq!(
        withheld(&kinds.join(", ")),
        [true, false],
        "that nobody lacks a visit of kind a is told to nobody"
    );
    let people = [
        "count(DISTINCT person) FILTER (WHERE age < 50) AS a",
        "count(DISTINCT person) FILTER (WHERE age < 51) AS b",
    ];
    assert_eq!(withheld(&people.join(", ")), [false, true]);
    // The same in other words: whoever has one row, flags that are 0 or 1, factors that are multiplied out.
    for (one, other) in [
        ("count(*) FILTER (WHERE age < 50)", "count(DISTINCT person) FILTER (WHERE age < 51)"),
        ("count(*) FILTER (WHERE age < 50 AND flag = 1)", "sum(flag) FILTER (WHERE age < 51)"),
        ("sum(flag) FILTER (WHERE age < 50)", "sum(flag * flag) FILTER (WHERE age < 51)"),
        (
            "sum(cost * flag) FILTER (WHERE age < 50)",
            "sum(CASE WHEN age < 51 AND flag = 1 THEN cost ELSE 0 END)",
        ),
        ("count(CASE WHEN age < 50 THEN 1 END)", "sum(CASE WHEN age < 51 THEN 1 ELSE 0 END)"),
    ] {
        assert_eq!(withheld(&format!("{one} AS a, {other} AS b")), [false, true], "{one} and {other}");
        assert_eq!(withheld(&format!("{other} AS b")), [false], "{other} alone");
    }
    let factors = "sum(cost * (1 + flag)) FILTER (WHERE age < 51) AS a, sum(cost) FILTER (WHERE age < 50) AS b, \
                   sum(cost * flag) FILTER (WHERE age < 50) AS c";
    assert_eq!(withheld(factors), [false, false, true]);

    // Whichever arm a row takes, it counts.
    let arms = "count(*) AS a, avg(CASE WHEN age < 50 THEN cost ELSE 0 END) AS b, sum(CASE WHEN age < 50 THEN 1 ELSE 0 END) AS c";
    assert_eq!(withheld(arms), [false, false, false]);

    // The same condition is one population, however often it is asked.
    let average = "avg(cost) FILTER (WHERE age < 50) AS c";
    let same = [&sum("a", "age < 50"), &count("b", "age < 50"), average].map(|it: &str| it.to_owned());
    assert_eq!(withheld(&same.join(", ")), [false, false, false]);
}
