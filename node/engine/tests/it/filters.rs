//! Who is out altogether. One oracle for everything: plain Rust strikes out all rows of those who are out, and an engine without
//! filters over what is left must say the same, hidden columns, checks and refusals of data included.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use liquid_node_api::Error;
use liquid_node_api::engine::Told;
use liquid_policy::Agreement;
use liquid_policy::decide::judge;
use proptest::prelude::*;

use crate::oracle::language::{Pred, Row, Val, pred, question};
use crate::oracle::{batch, rows};
use crate::site::{Front, Site, caps, decode, lines};

const MODEL: &str = r#"
[[table]]
name = "t"
description = "says who is out"
column = [
    { name = "id", type = "integer", description = "the entity" },
    { name = "sex", type = "text", description = "" },
    { name = "band", type = "text", description = "" },
    { name = "age", type = "integer", description = "" },
    { name = "x", type = "integer", description = "" },
    { name = "y", type = "integer", description = "" },
]
[[table]]
name = "visit"
description = "several an entity"
column = [
    { name = "id", type = "integer", description = "the entity" },
    { name = "ward", type = "text", description = "" },
    { name = "cost", type = "integer", description = "" },
]
[[table]]
name = "home"
description = "one an entity"
column = [
    { name = "pid", type = "integer", description = "the entity" },
    { name = "area", type = "text", description = "" },
]
"#;

const CONFIG: &str = r#"
    model = "model.toml"
    source = [
        { name = "t", path = "t.parquet", format = "parquet" },
        { name = "visit", path = "visit.parquet", format = "parquet" },
        { name = "home", path = "home.parquet", format = "parquet" },
    ]
"#;

/// An agreement; `t`, `visit` and `home` are what it says of these tables beside columns.
fn agreement(minimum: u32, [t, visit, home]: [&str; 3]) -> Agreement {
    let tables = format!(
        r#"[table.t]
entity = "id"
{t}
[table.t.columns]
id = {{ use = [] }}
sex = {{ use = ["group", "filter"], domain = {{ values = ["F", "M"] }} }}
band = {{ use = ["group", "filter"], missing = "public" }}
age = {{ use = ["group", "filter", "measure"] }}
x = {{ use = ["filter", "measure"], missing = "public" }}
y = {{ use = ["measure"], domain = {{ from = 0, to = 2 }} }}
[table.visit]
entity = "id"
join.keys = ["id"]
join.references = {{ id = "home.pid" }}
{visit}
[table.visit.columns]
id = {{ use = ["join"] }}
ward = {{ use = ["group", "filter"], domain = {{ values = ["A", "B"] }} }}
cost = {{ use = ["measure"], required = true }}
[table.home]
entity = "pid"
join.keys = ["pid"]
join.unique = ["pid"]
{home}
[table.home.columns]
pid = {{ use = ["join"] }}
area = {{ use = ["group", "filter"], required = true }}
"#
    );
    crate::site::agreement(minimum, &tables)
}

/// What a site holds.
#[derive(Debug, Clone, PartialEq)]
struct World {
    t: Vec<Row>,
    visits: Vec<(i64, &'static str, i64)>,
    homes: Vec<(i64, &'static str)>,
}

fn world() -> impl Strategy<Value = World> {
    let ward = proptest::sample::select(vec!["A", "B", "C"]);
    let area = proptest::sample::select(vec!["n", "s"]);
    // Some of those who visit have no row in `t`, and some who have one do not visit.
    let visits = proptest::collection::vec((0..16_i64, ward, 0..4_i64), 0..40);
    (rows(), visits, proptest::collection::vec(area, 16)).prop_map(|(t, visits, areas)| {
        let homes = areas.into_iter().enumerate().map(|(id, area)| (i64::try_from(id).unwrap(), area));
        World { t, visits, homes: homes.collect() }
    })
}

impl World {
    /// What is left where each of these holds of every row of a person: the rows of everybody else are struck out.
    fn without(&self, out: impl Fn(i64) -> bool) -> Self {
        Self {
            t: self.t.iter().filter(|row| !out(row.id)).cloned().collect(),
            visits: self.visits.iter().filter(|(id, ..)| !out(*id)).copied().collect(),
            homes: self.homes.iter().filter(|(id, _)| !out(*id)).copied().collect(),
        }
    }

    async fn open(&self) -> (Site, Front) {
        let site = Site::new();
        site.write("model.toml", MODEL);
        site.write_parquet("t.parquet", &batch(&self.t));
        let ids = |ids: Vec<i64>| Arc::new(Int64Array::from(ids)) as ArrayRef;
        let texts = |texts: Vec<&str>| Arc::new(StringArray::from(texts)) as ArrayRef;
        let visits = [
            ("id", ids(self.visits.iter().map(|visit| visit.0).collect())),
            ("ward", texts(self.visits.iter().map(|visit| visit.1).collect())),
            ("cost", ids(self.visits.iter().map(|visit| visit.2).collect())),
        ];
        let homes = [
            ("pid", ids(self.homes.iter().map(|home| home.0).collect())),
            ("area", texts(self.homes.iter().map(|home| home.1).collect())),
        ];
        site.write_parquet("visit.parquet", &RecordBatch::try_from_iter(visits).unwrap());
        site.write_parquet("home.parquet", &RecordBatch::try_from_iter(homes).unwrap());
        let front = site.open(CONFIG).await.unwrap();
        (site, front)
    }
}

/// Everything that an engine says to a question: what its columns mean, all rows; or the operator's text.
async fn said(front: &mut Front, sql: &str, agreement: &Agreement) -> Option<Result<String, String>> {
    let told = front.try_plan(sql, &[], &["t", "visit", "home"]).await;
    let Told::Planned { plan, cuts, .. } = told else { return None };
    let obligations = judge(agreement, &cuts[0]).ok()?;
    let (told, attached) = front.try_run(plan, 0, &obligations, caps()).await;
    Some(match told {
        Told::Ran { layout } => {
            let mut lines = lines(&decode(&attached[0]));
            lines.sort();
            Ok(format!("{layout:?}\n{}", lines.join("\n")))
        }
        Told::Failed { error, detail } => {
            assert!(matches!(error, Error::Fault { .. }), "{sql}: {error}");
            Err(detail)
        }
        other => panic!("{other:?}"),
    })
}

/// Questions over every table and the joins of them.
const ASKED: [&str; 9] = [
    "SELECT ward, count(*), count(DISTINCT id), sum(cost) FROM visit GROUP BY ward",
    "SELECT count(*) FROM visit WHERE ward = 'A'",
    "SELECT avg(cost) FILTER (WHERE ward <> 'B') FROM visit",
    "SELECT count(DISTINCT pid), count(*) FROM home WHERE area = 'n'",
    "SELECT area, count(*), sum(cost) FROM visit JOIN home ON id = pid GROUP BY area",
    "SELECT area, ward, count(DISTINCT pid) FROM visit JOIN home ON id = pid WHERE area = 's' GROUP BY area, ward",
    "SELECT count(x), sum(x) FROM t",
    "SELECT band, count(band), avg(x) FROM t WHERE sex = 'F' GROUP BY band",
    "SELECT DISTINCT sex FROM t",
];

/// A condition reads what is stored, whatever the agreement declares of the column.
fn out_by(world: &World, filter: &Pred) -> BTreeSet<i64> {
    world.t.iter().filter(|row| !filter.holds(row)).map(|row| row.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_out_might_as_well_not_be_there(
        world in world(), filter in pred(), own in proptest::option::of(0..3_i64),
        questions in proptest::collection::vec(question(), 4), k in 1..4_u32,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let row_filter = format!("row_filter = {:?}", filter.sql());
            let visit = own.map(|most| format!("row_filter = \"cost <= {most}\"\n")).unwrap_or_default();
            let from = "filter_from = \"t\"";
            let filtered = agreement(k, [&row_filter, &format!("{visit}{from}"), from]);
            let plain = agreement(k, ["", "", ""]);
            let out = out_by(&world, &filter);
            let ruled: BTreeSet<i64> = world.t.iter().map(|row| row.id).collect();
            let dear = |id: i64| own.is_some_and(|most| world.visits.iter().any(|visit| visit.0 == id && visit.2 > most));
            let left = world.without(|id| out.contains(&id) || !ruled.contains(&id) || dear(id));
            let (_one, mut all) = world.open().await;
            let (_two, mut rest) = left.open().await;
            let mut asked = 0;
            let random = questions.iter().map(|question| question.sql());
            for sql in ASKED.iter().map(|sql| (*sql).to_owned()).chain(random) {
                let found = said(&mut all, &sql, &filtered).await;
                let wanted = said(&mut rest, &sql, &plain).await;
                asked += usize::from(wanted.is_some());
                prop_assert_eq!(found, wanted, "{} with {} over {:?}", sql, row_filter, world);
            }
            prop_assert!(asked >= ASKED.len(), "{}", asked);
            Ok(())
        })?;
    }
}

const FROM: &str = "filter_from = \"t\"";

fn small() -> World {
    use Val::{Int, Null, Text};
    let row = |id, sex, age| Row { id, values: [sex, Text("A"), age, Int(1), Int(1)] };
    World {
        t: vec![
            row(1, Text("F"), Int(3)),
            row(1, Text("F"), Int(0)), // of two rows one fails
            row(2, Text("M"), Null),   // nobody knows
            row(3, Text("M"), Int(4)),
        ],
        visits: vec![(1, "A", 10), (2, "A", 20), (3, "B", 30), (4, "B", 40)],
        homes: vec![(1, "n"), (2, "n"), (3, "s"), (4, "s")],
    }
}

/// In words: one failing row, an unknown one and none at all are all out, everywhere.
#[tokio::test]
async fn out_is_who_fails_who_is_unknown_and_who_is_not_there() {
    let agreement = agreement(1, ["row_filter = \"age > 1\"", FROM, FROM]);
    let (_site, mut front) = small().open().await;
    for (sql, cell) in [
        ("SELECT count(*), sum(age) FROM t", "1 4"),
        ("SELECT count(*), sum(cost) FROM visit", "1 30"),
        ("SELECT count(DISTINCT pid), count(*) FROM home", "1 1"),
        ("SELECT sum(cost) FROM visit JOIN home ON id = pid", "30"),
    ] {
        let said = said(&mut front, sql, &agreement).await.unwrap().unwrap();
        assert_eq!(said.lines().last(), Some(cell), "{sql}");
    }
}

/// What is broken in the rows of those who are out is nobody's to know; a row that names nobody is.
#[tokio::test]
async fn facts_are_held_against_those_who_are_left() {
    let agreement = agreement(1, ["row_filter = \"age > 1\"", FROM, FROM]);
    let mut world = small();
    world.homes.push((1, "s")); // two homes of one who is out
    world.visits.push((9, "A", 90)); // a visit of one without a home, who is out
    let (_site, mut front) = world.open().await;
    let joined = "SELECT sum(cost) FROM visit JOIN home ON id = pid";
    assert_eq!(said(&mut front, joined, &agreement).await.unwrap().unwrap().lines().last(), Some("30"));
    world.homes.push((3, "n"));
    let (_site, mut front) = world.open().await;
    let detail = said(&mut front, joined, &agreement).await.unwrap().unwrap_err();
    assert!(detail.contains("1 values of `pid` stand in several rows"), "{detail}");
}

#[tokio::test]
async fn a_row_that_names_nobody_closes_every_table_that_it_could_be_about() {
    let site = Site::new();
    site.write("model.toml", MODEL);
    site.write("visit.csv", "id,ward,cost\n3,A,1\n");
    site.write("home.csv", "pid,area\n3,n\n");
    let nobody = "id,sex,band,age,x,y\n3,F,A,4,1,1\n,F,A,0,1,1\n";
    site.write("t.csv", nobody);
    let config = r#"
        model = "model.toml"
        source = [
            { name = "t", path = "t.csv", format = "csv" },
            { name = "visit", path = "visit.csv", format = "csv" },
            { name = "home", path = "home.csv", format = "csv" },
        ]
    "#;
    let mut front = site.open(config).await.unwrap();
    let agreement = agreement(1, ["row_filter = \"age > 1\"", FROM, FROM]);
    for sql in ["SELECT count(*) FROM t", "SELECT count(*) FROM visit", "SELECT count(*) FROM home"] {
        let detail = said(&mut front, sql, &agreement).await.unwrap().unwrap_err();
        assert!(detail.contains("table `t`: 1 rows have no value in `id`"), "{sql}: {detail}");
    }
}

/// What does not fit is the operator's to mend, and the table stays closed until then.
#[tokio::test]
async fn a_filter_that_does_not_fit_closes_its_tables() {
    let (_site, mut front) = small().open().await;
    for (filter, reason) in [
        ("opted_out = false", "there is no column `opted_out`"),
        ("age = 'many'", "column `age`"),
        ("sex = 3", "column `sex`"),
        ("sex", "column `sex` is Utf8 and no truth value"),
        ("sex IN ('F', 'M') AND NOT age IN (true)", "column `age`"),
    ] {
        let agreement = agreement(2, [&format!("row_filter = {filter:?}"), FROM, FROM]);
        for sql in ["SELECT count(*) FROM t", "SELECT count(*) FROM visit"] {
            let detail = said(&mut front, sql, &agreement).await.unwrap().unwrap_err();
            assert!(detail.contains("stays closed") && detail.contains(reason), "{filter}: {detail}");
        }
        let problems = front.engine.check(&agreement).await.unwrap_err();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.contains(reason)), "{problems:?}");
    }
    let fine = agreement(2, ["row_filter = \"sex = 'F' OR age > 1\"", FROM, FROM]);
    front.engine.check(&fine).await.unwrap();
}

/// A site without the table that rules opens none of the others: nobody there knows who is out.
#[tokio::test]
async fn without_the_table_that_rules_the_others_stay_closed() {
    let site = Site::new();
    let at = MODEL.find("[[table]]\nname = \"visit\"").unwrap();
    site.write("model.toml", &MODEL[at..]);
    site.write("visit.csv", "id,ward,cost\n3,A,1\n");
    site.write("home.csv", "pid,area\n3,n\n");
    let config = r#"
        model = "model.toml"
        source = [{ name = "visit", path = "visit.csv", format = "csv" }, { name = "home", path = "home.csv", format = "csv" }]
    "#;
    let mut front = site.open(config).await.unwrap();
    let agreement = agreement(1, ["row_filter = \"age > 1\"", FROM, FROM]);
    let detail = said(&mut front, "SELECT count(*) FROM visit", &agreement).await.unwrap().unwrap_err();
    assert!(detail.contains("there is no table `t` at this site"), "{detail}");
}
