//! One site with TPC-H's lines under several names, each under an agreement of its own.

use std::path::Path;

use liquid_local::Blueprint;
use liquid_local::blueprint::{Connect, Content, SitePlan, Source};
use liquid_policy::id::{OrganisationName, SiteName};

/// An agreement of the bench.
pub(crate) struct Rules {
    /// Its table, and its id.
    pub(crate) table: &'static str,
    /// What it demands, in words.
    pub(crate) what: &'static str,
    entity: &'static str,
    disclosure: &'static str,
}

/// From the one that demands nothing to the one that demands most.
pub(crate) const RULES: [Rules; 4] = [
    Rules { table: "off", what: "off", entity: "customer", disclosure: "minimum_contributors = 1" },
    Rules {
        table: "each",
        what: "minimum, one row an entity",
        entity: "line",
        disclosure: "minimum_contributors = 10",
    },
    Rules {
        table: "people",
        what: "minimum, many rows an entity",
        entity: "customer",
        disclosure: "minimum_contributors = 10",
    },
    Rules {
        table: "few",
        what: "minimum, dominance and p-ratio, many rows an entity",
        entity: "customer",
        disclosure: "minimum_contributors = 10\ndominance = { n = 2, share = 0.9 }\np_ratio = 0.1",
    },
];

const COLUMNS: [(&str, &str, &str); 13] = [
    ("customer", "integer", "use = []"),
    ("line", "integer", "use = []"),
    (
        "l_returnflag",
        "text",
        "use = [\"group\"], domain = { values = [\"A\", \"N\", \"R\"] }, required = true",
    ),
    ("l_linestatus", "text", "use = [\"group\"], domain = { values = [\"F\", \"O\"] }, required = true"),
    ("l_shipdate", "date", "use = [\"filter\"], required = true"),
    ("discount", "integer", "use = [\"filter\"], domain = { from = 0, to = 10 }, required = true"),
    ("quantity", "integer", "use = [\"filter\"], domain = { from = 1, to = 50 }, required = true"),
    ("l_quantity", "float", MEASURE),
    ("l_extendedprice", "float", MEASURE),
    ("l_discount", "float", MEASURE),
    ("disc_price", "float", MEASURE),
    ("charge", "float", MEASURE),
    ("revenue", "float", MEASURE),
];
const MEASURE: &str = "use = [\"measure\"], aggregates = [\"sum\", \"avg\"], required = true";

const HEAD: &str = r#"[agreement]
title = "Bench"
version = "1.0.0"
purposes = ["measuring"]
purpose_text = "Measure what disclosure control costs."
in_force = 2026-01-01
expires = 2099-12-31
"#;
const PEOPLE: &str = r#"
[[party]]
organisation = "north"
role = "controller"

[[recipient]]
organisation = "north"
roles = ["analyst"]
purposes = ["measuring"]
"#;

/// The site over data that `tpch::generate` has written.
pub(crate) fn blueprint(folder: &Path) -> Blueprint {
    let view = |rules: &Rules| {
        format!(
            "CREATE VIEW {} AS SELECT l_custkey AS customer, l_orderkey * 8 + l_linenumber AS line, l_returnflag, l_linestatus, \
             l_shipdate, CAST(round(l_discount * 100) AS BIGINT) AS discount, CAST(round(l_quantity) AS BIGINT) AS quantity, l_quantity, \
             l_extendedprice, l_discount, l_extendedprice * (1 - l_discount) AS disc_price, \
             l_extendedprice * (1 - l_discount) * (1 + l_tax) AS charge, l_extendedprice * l_discount AS revenue FROM raw_lineitem;\n",
            rules.table
        )
    };
    let plan = SitePlan {
        site: SiteName::new("north"),
        organisation: OrganisationName::new("north"),
        model: RULES.iter().map(model).collect(),
        agreements: RULES.iter().map(agreement).collect(),
        beside: vec![],
        sources: vec![Source {
            name: "raw_lineitem".to_owned(),
            file: "lineitem.parquet".to_owned(),
            format: "parquet".to_owned(),
            null: None,
            delimiter: None,
            content: Content::File(folder.join("north/lineitem.parquet")),
        }],
        views: RULES.iter().map(view).collect(),
        tables: None,
        connect: Connect::Inbound,
    };
    Blueprint { name: "bench".to_owned(), sites: vec![plan] }
}

fn model(rules: &Rules) -> String {
    let column = |(name, kind, _): &(&str, &str, &str)| {
        format!("[[table.column]]\nname = \"{name}\"\ntype = \"{kind}\"\ndescription = \"{name}\"\n\n")
    };
    let columns: String = COLUMNS.iter().map(column).collect();
    format!("[[table]]\nname = \"{}\"\ndescription = \"Lines of orders\"\n\n{columns}", rules.table)
}

fn agreement(rules: &Rules) -> String {
    let Rules { table, entity, disclosure, .. } = rules;
    let head = HEAD.replacen('\n', &format!("\nid = \"{table}\"\n"), 1);
    let column = |(name, _, rules): &(&str, &str, &str)| format!("{name} = {{ {rules} }}\n");
    let columns: String = COLUMNS.iter().map(column).collect();
    format!(
        "schema = \"liquid/agreement/1\"\n\n{head}{PEOPLE}\n[table.{table}]\nentity = \"{entity}\"\n\n[table.{table}.columns]\n{columns}\n\
         [disclosure]\n{disclosure}\n"
    )
}
