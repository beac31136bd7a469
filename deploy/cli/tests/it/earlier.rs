//! Answers beside all that were given before, at a real site: nothing that can be worked out from several of them tells of few, whoever asked, for
//! what, when, and over which data; and what tells nothing new is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use liquid_local::blueprint::{Blueprint, Connect, Content, SitePlan, Source};
use liquid_local::client::Client;
use liquid_local::{Federation, Run};
use liquid_node::history_path;
use liquid_policy::id::{OrganisationName, SiteName};

use crate::hostile_sql::agreement;

const MODEL: &str = r#"
[[table]]
name = "visits"
description = "one row a visit"
column = [
    { name = "person", type = "integer", description = "a pseudonym" },
    { name = "age", type = "integer", description = "in years" },
    { name = "ward", type = "text", description = "where" },
    { name = "cost", type = "integer", description = "in pounds" },
]
"#;

const COLUMNS: &str = r#"
person = { use = [] }
age = { use = ["filter"], required = true }
ward = { use = ["group", "filter"], domain = { values = ["A", "B", "C"] }, required = true }
cost = { use = ["measure"], aggregates = ["sum", "avg"], required = true }
"#;

const HISTORY: &str = "[history]\nscope = \"table\"\nminimum_difference = 10\n[release]\n";

/// Four people of each age from 30 to 79, in wards by their number.
fn people() -> Vec<(u32, u32, &'static str, u32)> {
    (0..200).map(|person| (person, 30 + person / 4, ["A", "B"][person as usize % 2], 100 + person)).collect()
}

fn write(file: &Path, people: &[(u32, u32, &str, u32)]) {
    let mut text = "person,age,ward,cost\n".to_owned();
    for (person, age, ward, cost) in people {
        writeln!(text, "{person},{age},{ward},{cost}").unwrap();
    }
    std::fs::write(file, text).unwrap();
}

/// A site with two agreements on one table, of which the first keeps a history, and the second is about some of its people.
async fn site(folder: &Path) -> (Federation, PathBuf) {
    site_with(folder, str::to_owned).await
}

/// The same with agreements that are edited.
async fn site_with(folder: &Path, edit: impl Fn(&str) -> String) -> (Federation, PathBuf) {
    let file = folder.join("visits.csv");
    write(&file, &people());
    let first = agreement("north", "visits", "person", COLUMNS).replace("[release]\n", HISTORY);
    let second = agreement("north", "visits", "person", COLUMNS)
        .replace("TST-visits", "TST-other")
        .replace("\"research\"", "\"planning\"")
        .replace("entities = \"disjoint\"", "entities = \"disjoint\"\nrow_filter = \"age <> 40\"");
    let plan = SitePlan {
        site: SiteName::new("north"),
        organisation: OrganisationName::new("north"),
        model: MODEL.to_owned(),
        agreements: vec![edit(&first), edit(&second)],
        beside: vec![],
        sources: vec![Source {
            name: "visits".to_owned(),
            file: "visits.csv".to_owned(),
            format: "csv".to_owned(),
            null: None,
            delimiter: None,
            content: Content::File(file.clone()),
        }],
        views: String::new(),
        tables: None,
        connect: Connect::default(),
    };
    let blueprint = Blueprint { name: "earlier".to_owned(), sites: vec![plan] };
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_liquid"));
    (Federation::start(&blueprint, Run::Processes(binary)).await.unwrap(), file)
}

/// Which cells of the first row an answer shows.
async fn shows(client: &mut Client, columns: &str) -> Vec<bool> {
    let answer = client.ask(&format!("SELECT {columns} FROM visits")).await.unwrap();
    let names = answer.names().to_vec();
    names.iter().map(|name| answer.cell(0, name).unwrap().is_some()).collect()
}

/// The one figure of an answer, if it is shown.
async fn figure(client: &mut Client, column: &str) -> Option<String> {
    let answer = client.ask(&format!("SELECT {column} FROM visits")).await.unwrap();
    answer.cell(0, "n").unwrap()
}

fn asking(federation: &Federation, purpose: &str) -> Client {
    let mut client = federation.site_client("north", None).unwrap();
    client.set("liquid.purpose", purpose).unwrap();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn several_answers_tell_of_no_few() {
    let folder = tempfile::tempdir().unwrap();
    let (mut federation, file) = site(folder.path()).await;
    let mut client = asking(&federation, "research");
    let count = |condition: &str| format!("count(*) FILTER (WHERE {condition}) AS n");

    // A group is the same as a condition on its key.
    let wards =
        client.ask("SELECT ward, count(*) AS n FROM visits GROUP BY ward ORDER BY ward").await.unwrap();
    let cell = |row: usize| wards.cell(row, "n").unwrap();
    assert_eq!(
        [cell(0).as_deref(), cell(1).as_deref(), cell(2).as_deref()],
        [Some("100"), Some("100"), None]
    );
    assert_eq!(shows(&mut client, &count("ward = 'A'")).await, [true]);

    // One question, and the same with four more people in it, and with forty.
    assert_eq!(shows(&mut client, &count("age <= 50")).await, [true]);
    assert_eq!(shows(&mut client, &count("age <= 51")).await, [false]);
    assert_eq!(shows(&mut client, &count("age <= 60")).await, [true]);
    assert_eq!(shows(&mut client, &count("age <= 50")).await, [true], "as before");
    // In other words, and for another purpose under an agreement that keeps none of its own.
    let mut other = asking(&federation, "planning");
    for words in [
        "count(DISTINCT person) FILTER (WHERE age < 52) AS n",
        "sum(CASE WHEN age <= 51 THEN 1 ELSE 0 END) AS n",
    ] {
        assert_eq!(shows(&mut client, words).await, [false], "{words}");
        assert_eq!(shows(&mut other, words).await, [false], "{words}");
    }
    // Four people fewer than the first agreement's, who are other people than were told of under the same words.
    assert_eq!(shows(&mut other, &count("age <= 60")).await, [false]);
    // Of another measure it tells nothing, until that is asked beside it.
    assert_eq!(shows(&mut other, "sum(cost) FILTER (WHERE age <= 51) AS n").await, [true]);
    assert_eq!(shows(&mut client, "avg(cost) FILTER (WHERE age <= 50) AS n").await, [false]);

    // Three questions, of which each two differ by many: of everybody, up to 60, and from 60.
    assert_eq!(shows(&mut client, &count("age >= 60")).await, [false], "four of 60 are in both");

    // A month later: one person more, and one who has moved. Who asks again gets what they got; in new words they get nothing.
    let mut later = people();
    later.push((200, 40, "A", 1));
    write(&file, &later);
    assert_eq!(figure(&mut client, &count("ward = 'A'")).await.as_deref(), Some("100"), "and not 101");
    assert_eq!(figure(&mut client, &count("ward = 'A' AND age < 200")).await, None, "one is new");
    assert_eq!(figure(&mut client, &count("ward = 'B'")).await.as_deref(), Some("100"), "nobody is");
    later[1].2 = "A";
    write(&file, &later);
    assert_eq!(figure(&mut client, &count("ward = 'B'")).await.as_deref(), Some("100"), "and not 99");
    assert_eq!(figure(&mut client, "avg(cost) FILTER (WHERE ward = 'B') AS n").await, None);
    // The site knows what it knew, after it was stopped as well.
    federation.stop_site("north").await.unwrap();
    federation.start_site("north").await.unwrap();
    let mut client = asking(&federation, "research");
    assert_eq!(figure(&mut client, &count("ward = 'B'")).await.as_deref(), Some("100"));
    assert_eq!(figure(&mut client, &count("age <= 51")).await, None);
    later.extend((201..230).map(|person| (person, 40, "B", 1)));
    write(&file, &later);
    assert_eq!(figure(&mut client, &count("ward = 'B'")).await.as_deref(), Some("128"), "thirty differ");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_has_lost_what_it_released_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let (mut federation, _file) = site(folder.path()).await;
    let mut client = asking(&federation, "research");
    let log = federation.audit_logs().pop().unwrap().path;
    let kept = history_path(&log);
    assert_eq!(shows(&mut client, "count(*) AS n").await, [true]);
    let older = std::fs::read(&kept).unwrap();
    assert_eq!(shows(&mut client, "count(*) FILTER (WHERE age < 50) AS n").await, [true]);
    assert_eq!(shows(&mut client, "count(*) FILTER (WHERE age < 4711047110) AS n").await, [false]);
    let whole = std::fs::read(&kept).unwrap();
    assert!(!String::from_utf8(whole.clone()).unwrap().contains("4711047110"), "conditions are hashed");
    assert_eq!(kept.file_name().unwrap(), "audit.jsonl.history", "as the impact assessment names it");
    assert!(whole.len() > older.len() && whole.starts_with(&older));
    federation.stop_site("north").await.unwrap();
    let mut cut = whole.clone();
    cut[100] ^= 1;
    for (what, bytes) in [("an older copy", &older), ("another text", &cut), ("nothing", &vec![])] {
        std::fs::write(&kept, bytes).unwrap();
        let failed = federation.start_site("north").await.err();
        assert!(failed.is_some(), "{what}: it starts");
    }
    // A line that was not finished was never released.
    let mut torn = whole;
    torn.extend(b"0123 [{");
    std::fs::write(&kept, torn).unwrap();
    federation.start_site("north").await.unwrap();
    let mut client = asking(&federation, "research");
    assert_eq!(shows(&mut client, "count(*) FILTER (WHERE age < 51) AS n").await, [false]);
    federation.stop().await;
}

/// What a figure adds up: how often each person's each value.
type Row = BTreeMap<(u32, u32), i64>;

/// Questions by chance, the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn question(&mut self) -> Question {
        Question {
            from: 30 + self.below(14) as u32,
            to: 44 + self.below(14) as u32,
            ward: [None, Some("A"), Some("B")][self.below(3) as usize],
            is_sum: self.below(2) == 0,
        }
    }
}

/// A count or a sum of whoever is of these ages, in a ward or in any.
#[derive(Debug, Clone)]
struct Question {
    from: u32,
    to: u32,
    ward: Option<&'static str>,
    is_sum: bool,
}

impl Question {
    fn sql(&self) -> String {
        let Self { from, to, .. } = self;
        let figure = if self.is_sum { "sum(cost)" } else { "count(*)" };
        let ward = self.ward.map(|ward| format!(" AND ward = '{ward}'")).unwrap_or_default();
        format!("{figure} FILTER (WHERE age BETWEEN {from} AND {to}{ward}) AS n")
    }

    fn row(&self, people: &[(u32, u32, &str, u32)]) -> Row {
        let is_in = |(_, age, of, _): &&(u32, u32, &str, u32)| {
            (self.from..=self.to).contains(age) && self.ward.is_none_or(|ward| *of == ward)
        };
        let term =
            |(person, _, _, cost): &(u32, u32, &str, u32)| (*person, if self.is_sum { *cost } else { 1 });
        people.iter().filter(is_in).map(|person| (term(person), 1)).collect()
    }
}

/// How many of some rows are independent, when terms of these people are left out.
fn rank(rows: &[Row], without: &[u32]) -> usize {
    const PRIME: i64 = 2_147_483_629;
    let inverse = |number: i64| {
        let (mut power, mut base, mut left) = (1, number, PRIME - 2);
        while left > 0 {
            if left & 1 == 1 {
                power = power * base % PRIME;
            }
            base = base * base % PRIME;
            left >>= 1;
        }
        power
    };
    let mut reduced: Vec<((u32, u32), Row)> = Vec::new();
    for row in rows {
        let mut row: Row =
            row.iter().filter(|((person, _), _)| !without.contains(person)).map(|(k, v)| (*k, *v)).collect();
        for (lead, other) in &reduced {
            let factor = row.get(lead).copied().unwrap_or(0);
            if factor != 0 {
                for (term, number) in other {
                    let sum = row.entry(*term).or_default();
                    *sum = (*sum - factor * number % PRIME + PRIME) % PRIME;
                }
                row.retain(|_, number| *number != 0);
            }
        }
        if let Some((lead, number)) = row.first_key_value().map(|(k, v)| (*k, *v)) {
            let scale = inverse(number);
            row.values_mut().for_each(|number| *number = *number * scale % PRIME);
            reduced.push((lead, row));
        }
    }
    reduced.len()
}

/// Sixty questions by chance, some of them asked before, and people come, go, move and change between them: no combination of what is shown, with any
/// weights, tells of one or two.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_asked_nothing_tells_of_one_or_two() {
    for seed in 1..4 {
        attack(seed).await;
    }
}

async fn attack(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (mut federation, file) = site_with(folder.path(), |text| text.replace(" = 10", " = 3")).await;
    let mut client = asking(&federation, "research");
    let mut chance = Chance(seed);
    let mut now: Vec<_> = people().into_iter().step_by(3).collect();
    let mut rows: Vec<Row> = Vec::new();
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    let mut asked: Vec<Question> = Vec::new();
    let (mut figures, mut again) = (0, 0);
    for round in 0..4_u32 {
        write(&file, &now);
        for turn in 0..15_usize {
            let question = match asked.get(turn * 2) {
                Some(known) if turn % 2 == 1 => known.clone(),
                _ => chance.question(),
            };
            let (sql, row) = (question.sql(), question.row(&now));
            asked.push(question);
            let Some(figure) = figure(&mut client, &sql).await else { continue };
            figures += 1;
            let total: i64 = row.iter().map(|((_, value), times)| i64::from(*value) * times).sum();
            if shown.get(&sql) == Some(&figure) {
                // As many as before, or as before: nobody can tell.
                again += 1;
                continue;
            }
            assert_eq!(figure, total.to_string(), "{sql} is neither what it is nor what it was");
            rows.push(row);
            shown.insert(sql, figure);
        }
        let whole = rank(&rows, &[]);
        let who: BTreeSet<u32> = rows.iter().flat_map(|row| row.keys().map(|term| term.0)).collect();
        for one in &who {
            for other in who.range(one..) {
                let rest = rank(&rows, &[*one, *other]);
                assert_eq!(rest, whole, "seed {seed}, round {round} tells of {one} and {other}: {asked:?}");
            }
        }
        now.remove(chance.below(now.len() as u64) as usize);
        let moves = chance.below(now.len() as u64) as usize;
        now[moves].2 = if now[moves].2 == "A" { "B" } else { "A" };
        let changes = chance.below(now.len() as u64) as usize;
        now[changes].3 += 1000;
        now.push((1000 + round, 40, "B", 5000 + round));
    }
    assert!(figures > 20 && again > 2, "{figures} of 60 are shown, {again} as they were");
    federation.stop().await;
}
