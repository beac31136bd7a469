//! Persons, their visits and treatments, and where they live: as files of a site and as rows of the oracle.

use std::collections::{BTreeMap, BTreeSet};

use liquid_policy::Agreement;
use proptest::prelude::*;

use crate::site::{Front, Site};

pub(super) const MODEL: &str = r#"
[[table]]
name = "person"
description = "one row a person"
column = [
    { name = "pid", type = "integer", description = "a pseudonym" },
    { name = "sex", type = "text", description = "sex" },
    { name = "area", type = "text", description = "home" },
]
[[table]]
name = "visit"
description = "one row a visit"
column = [
    { name = "pid", type = "integer", description = "a pseudonym" },
    { name = "vid", type = "integer", description = "the visit" },
    { name = "ward", type = "text", description = "where" },
    { name = "cost", type = "integer", description = "of the visit" },
]
[[table]]
name = "treat"
description = "one row a treatment"
column = [
    { name = "pid", type = "integer", description = "a pseudonym" },
    { name = "vid", type = "integer", description = "the visit" },
    { name = "drug", type = "text", description = "what" },
]
[[table]]
name = "area"
description = "one row an area"
column = [
    { name = "area", type = "text", description = "its code" },
    { name = "region", type = "text", description = "its region" },
]
"#;

pub(super) const CONFIG: &str = r#"
    model = "model.toml"
    source = [
        { name = "person", path = "person.csv", format = "csv" },
        { name = "visit", path = "visit.csv", format = "csv" },
        { name = "treat", path = "treat.csv", format = "csv" },
        { name = "area", path = "area.csv", format = "csv" },
    ]
"#;

/// Where every row has one partner: a visit its person, a treatment its visit, a person its area; and each visit a treatment.
pub(super) const FACTS: [&str; 3] = [
    "join.references = { area = \"area.area\" }",
    "join.references = { pid = \"person.pid\", vid = \"treat.vid\" }\njoin.unique = [\"vid\"]",
    "join.references = { vid = \"visit.vid\", pid = \"person.pid\" }",
];

/// What is said of persons, visits and treatments beside their keys and columns.
pub(super) fn agreement(minimum: u32, [person, visit, treat]: [&str; 3]) -> Agreement {
    let tables = format!(
        r#"[table.person]
entity = "pid"
join.keys = ["pid", "area"]
join.unique = ["pid"]
{person}
[table.person.columns]
pid = {{ use = ["join"] }}
sex = {{ use = ["group", "filter"], required = true }}
area = {{ use = ["group", "filter", "join"], required = true }}
[table.visit]
entity = "pid"
keys_within = ["vid"]
join.keys = ["pid", "vid"]
{visit}
[table.visit.columns]
pid = {{ use = ["join"] }}
vid = {{ use = ["join"] }}
ward = {{ use = ["group", "filter"], required = true }}
cost = {{ use = ["measure"], required = true }}
[table.treat]
entity = "pid"
keys_within = ["vid"]
join.keys = ["pid", "vid"]
{treat}
[table.treat.columns]
pid = {{ use = ["join"] }}
vid = {{ use = ["join", "filter"] }}
drug = {{ use = ["group", "filter"], required = true }}
[table.area]
replicated = true
join.keys = ["area"]
join.unique = ["area"]
[table.area.columns]
area = {{ use = ["join"] }}
region = {{ use = ["group", "filter"], required = true }}
"#
    );
    crate::site::agreement(minimum, &tables)
}

/// One row, by column.
pub(super) type Row = BTreeMap<&'static str, String>;

/// A table's columns, in order.
pub(super) fn columns(table: &str) -> &'static [&'static str] {
    match table {
        "person" => &["pid", "sex", "area"],
        "visit" => &["pid", "vid", "ward", "cost"],
        "treat" => &["pid", "vid", "drug"],
        "area" => &["area", "region"],
        other => panic!("there is no table `{other}`"),
    }
}

/// What a site holds.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) tables: BTreeMap<&'static str, Vec<Row>>,
}

impl World {
    /// Persons 1 to `n` with a sex and an area; visits and treatments of persons that may not be there.
    pub(super) fn strategy() -> impl Strategy<Value = Self> {
        let person = (0..3_usize, 0..3_usize);
        let visit = (1..15_i64, 0..3_usize, 0..4_i64);
        let treat = (0..40_usize, 0..2_usize, any::<bool>());
        (
            prop::collection::vec(person, 4..12),
            prop::collection::vec(visit, 0..30),
            prop::collection::vec(treat, 0..30),
        )
            .prop_map(|(persons, visits, treats)| {
                let row = |columns: &[(&'static str, String)]| columns.iter().cloned().collect::<Row>();
                let persons: Vec<Row> = persons
                    .iter()
                    .enumerate()
                    .map(|(at, (sex, area))| {
                        row(&[
                            ("pid", (at + 1).to_string()),
                            ("sex", ["F", "M", "M"][*sex].to_owned()),
                            ("area", ["A1", "A2", "A9"][*area].to_owned()),
                        ])
                    })
                    .collect();
                let visits: Vec<Row> = visits
                    .iter()
                    .enumerate()
                    .map(|(at, (pid, ward, cost))| {
                        row(&[
                            ("pid", pid.to_string()),
                            ("vid", (100 + at).to_string()),
                            ("ward", ["W1", "W2", "W3"][*ward].to_owned()),
                            ("cost", cost.to_string()),
                        ])
                    })
                    .collect();
                let treats = treats
                    .iter()
                    .map(|(of, drug, orphan)| {
                        let visit = visits.get(*of).filter(|_| !orphan);
                        let or = |key: &str, other: i64| visit.map_or(other.to_string(), |v| v[key].clone());
                        row(&[
                            ("pid", or("pid", 20 + i64::try_from(*of).unwrap())),
                            ("vid", or("vid", 900 + i64::try_from(*of).unwrap())),
                            ("drug", ["D1", "D2"][*drug].to_owned()),
                        ])
                    })
                    .collect();
                let areas = [("A1", "north"), ("A2", "south"), ("A3", "south")];
                let areas = areas
                    .map(|(area, region)| row(&[("area", area.to_owned()), ("region", region.to_owned())]));
                let tables =
                    [("person", persons), ("visit", visits), ("treat", treats), ("area", areas.to_vec())];
                Self { tables: tables.into() }
            })
    }

    /// The same rows, as far as [`FACTS`] are true of them.
    pub(super) fn whole(mut self) -> Self {
        for (table, key, of) in [
            ("person", "area", "area"),
            ("visit", "pid", "person"),
            ("visit", "vid", "treat"),
            ("treat", "vid", "visit"),
        ] {
            let there: BTreeSet<String> = self.tables[of].iter().map(|row| row[key].clone()).collect();
            let rows = self.tables.get_mut(table).unwrap();
            rows.retain(|row| there.contains(&row[key]));
        }
        self
    }

    fn write(&self, site: &Site) {
        for (table, rows) in &self.tables {
            let columns = columns(table);
            let mut text = columns.join(",") + "\n";
            for row in rows {
                let values: Vec<_> = columns.iter().map(|column| row[column].as_str()).collect();
                text += &(values.join(",") + "\n");
            }
            site.write(&format!("{table}.csv"), &text);
        }
    }
}

pub(super) async fn site(world: &World) -> (Site, Front) {
    let site = Site::new();
    site.write("model.toml", MODEL);
    world.write(&site);
    let front = site.open(CONFIG).await.unwrap();
    (site, front)
}

pub(super) fn row(columns: &[(&'static str, &str)]) -> Row {
    columns.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Twenty persons, two visits each, one treatment a visit.
pub(super) fn regular() -> World {
    let mut tables: BTreeMap<&'static str, Vec<Row>> = BTreeMap::new();
    for at in 1..=20 {
        let (pid, area) = (at.to_string(), if at % 2 == 0 { "A1" } else { "A2" });
        tables.entry("person").or_default().push(row(&[("pid", &pid), ("sex", "F"), ("area", area)]));
        for visit in 0..2 {
            let vid = (at * 10 + visit).to_string();
            tables.entry("visit").or_default().push(row(&[
                ("pid", &pid),
                ("vid", &vid),
                ("ward", "W1"),
                ("cost", "3"),
            ]));
            tables.entry("treat").or_default().push(row(&[("pid", &pid), ("vid", &vid), ("drug", "D1")]));
        }
    }
    for (area, region) in [("A1", "north"), ("A2", "south")] {
        tables.entry("area").or_default().push(row(&[("area", area), ("region", region)]));
    }
    World { tables }
}
