//! A valid agreement of any size: more and more tables of ten columns each.

use std::fmt::Write as _;

const HEAD: &str = r#"schema = "liquid/agreement/1"
[agreement]
id = "LARGE"
version = "1.0.0"
purposes = ["statistics"]
in_force = 2026-01-01
expires = 2099-12-31
[[party]]
organisation = "north"
role = "controller"
[[recipient]]
organisation = "north"
roles = ["analyst"]
purposes = ["statistics"]
[disclosure]
minimum_contributors = 10
"#;

const COLUMNS: &str = r#"sex = { use = ["group", "filter"], domain = { values = ["F", "M"] }, required = true }
ward = { use = ["group", "filter"], domain = { values = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8"] } }
opened = { use = ["group", "filter"], grain = "month", domain = { from = "2024-01", to = "2026-12" } }
age = { use = ["group", "filter"], domain = { from = 0, to = 110 }, missing = "public" }
cost = { use = ["measure"], aggregates = ["sum", "avg"], bounds = [0, 5000], required = true }
stay = { use = ["measure"], aggregates = ["avg"], bounds = [0, 365] }
band = { use = ["group"], domain = { values = ["A", "B", "C", "D", "E"] } } # as the register has it
name = { use = [] }
number = { use = [] }
"#;

/// One of at least so many bytes.
pub(crate) fn of_size(bytes: usize) -> String {
    let mut text = HEAD.to_owned();
    let mut table = 0;
    while text.len() < bytes {
        // A text takes whatever is written to it.
        let _ = writeln!(
            text,
            "[table.visits_{table}]\nentity = \"person_{table}\"\nentities = \"disjoint\"\nrow_filter = \"sex <> 'M' OR age >= 18\"\n\
             [table.visits_{table}.columns]\nperson_{table} = {{ use = [] }}\n{COLUMNS}"
        );
        table += 1;
    }
    text
}
