//! Valid agreements of any size: more and more tables of ten columns each; and two at the edges, one with a single long list
//! of values, one with very many tables of one entity.

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

/// Agreements of at least so many bytes, each with what it consists of.
pub(crate) fn of_size(bytes: usize) -> [(&'static str, String); 3] {
    let mut values = String::from(
        "[table.t]\nentity = \"p\"\n[table.t.columns]\np = { use = [] }\nward = { domain = { values = [",
    );
    grow(&mut values, bytes, |at| format!("\"W{at}\", "));
    values.push_str("] } }\n");
    let mut tables = String::new();
    grow(&mut tables, bytes, |at| {
        format!("[table.t{at}]\nentity = \"p\"\n[table.t{at}.columns]\np = {{ use = [] }}\n")
    });
    let mut wide = String::new();
    grow(&mut wide, bytes, |at| {
        format!(
            "[table.visits_{at}]\nentity = \"person_{at}\"\nentities = \"disjoint\"\nrow_filter = \"sex <> 'M' OR age >= 18\"\n\
             [table.visits_{at}.columns]\nperson_{at} = {{ use = [] }}\n{COLUMNS}"
        )
    });
    [("tables of ten columns", wide), ("one list of values", values), ("tables of one column", tables)]
        .map(|(of, tables)| (of, format!("{HEAD}{tables}")))
}

fn grow(text: &mut String, bytes: usize, part: impl Fn(usize) -> String) {
    let mut at = 0;
    while HEAD.len() + text.len() < bytes {
        text.push_str(&part(at));
        at += 1;
    }
}
