//! What is tried against a node, through its real Flight port: every line of `attacks/attacks.toml` in many spellings is refused
//! with the one code that stands there, before anything is computed, and what is harmless is answered. The list for readers,
//! `policies/attacks.md`, is published from it (`LIQUID_PUBLISH=1`).

mod port;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use arrow::array::{Array as _, RecordBatch};
use liquid_local::blueprint::{Blueprint, Connect, Content, SitePlan, Source};
use liquid_local::client::Client;
use liquid_local::{Federation, Run};
use liquid_node_api::Error;
use liquid_policy::id::{OrganisationName, SiteName};

const AGREEMENT: &str = include_str!("attacks/agreement.toml");

/// Four hundred people, up to eleven crimes each. Seven are in band Z, three have nobody's word on their arrears, and one makes up nearly all of
/// some sums.
fn tables() -> [(&'static str, String); 3] {
    let mut person =
        "upi,nhs_no,name,dob,postcode,ward,sex,beat,ethnicity,benefit_amt,arrears,band,note\n".to_owned();
    let mut crime = "upi,offence,ts,fine\n".to_owned();
    let mut hh = "upi,hh_id\n".to_owned();
    for i in 0..400 {
        let name = if i == 17 { "Ann Lee".to_owned() } else { format!("Person {i}") };
        let _ = writeln!(
            person,
            "U{i},N943{i:05},{name},19{:02}-01-01,PC{i},W{},{},B{},E{},{}.37,{},{},seven",
            40 + i % 50,
            i % 4 + 1,
            if (i / 4) % 2 == 0 { "F" } else { "M" },
            i % 2 + 1,
            i % 3,
            if i == 17 { 400_000 } else { 500 + i },
            if i % 150 == 3 { String::new() } else { format!("{i}.5") },
            match i {
                393.. => "Z",
                _ if i % 2 == 0 => "A",
                _ => "B",
            },
        );
        for crimes in 0..i % 12 {
            let offence = ["theft", "fraud", "assault"][(i + crimes) % 3];
            let fine = if i == 17 { 100_000 } else { 10 + crimes };
            let _ = writeln!(crime, "U{i},{offence},202{}-0{}-15,{fine}.5", crimes % 5, crimes % 9 + 1);
        }
        let _ = writeln!(hh, "U{i},H{}", i / 3);
    }
    [("person", person), ("crime", crime), ("hh", hh)]
}

fn model() -> String {
    let columns = [
        (
            "person",
            "upi nhs_no name dob:date postcode ward sex beat ethnicity benefit_amt:float arrears:float band note",
        ),
        ("crime", "upi offence ts:date fine:float"),
        ("hh", "upi hh_id"),
    ];
    let mut text = String::new();
    for (table, columns) in columns {
        let _ = writeln!(text, "[[table]]\nname = \"{table}\"\ndescription = \"-\"\ncolumn = [");
        for column in columns.split(' ') {
            let (name, kind) = column.split_once(':').unwrap_or((column, "text"));
            let _ = writeln!(text, "    {{ name = \"{name}\", type = \"{kind}\", description = \"-\" }},");
        }
        text.push_str("]\n");
    }
    text
}

fn blueprint(folder: &Path) -> Blueprint {
    let source = |(name, text): (&str, String)| {
        let file = folder.join(format!("{name}.csv"));
        std::fs::write(&file, text).unwrap();
        Source {
            name: name.to_owned(),
            file: format!("{name}.csv"),
            format: "csv".to_owned(),
            null: None,
            delimiter: None,
            content: Content::File(file),
        }
    };
    let expired = AGREEMENT
        .replace("id = \"ATTACKS\"", "id = \"EXPIRED\"")
        .replace("expires = 2099-12-31", "expires = 2026-01-02");
    Blueprint {
        name: "attacked".to_owned(),
        sites: vec![SitePlan {
            site: SiteName::new("north"),
            organisation: OrganisationName::new("north"),
            model: model(),
            agreements: vec![AGREEMENT.to_owned(), expired],
            beside: vec![],
            sources: tables().into_iter().map(source).collect(),
            views: String::new(),
            tables: None,
            connect: Connect::default(),
        }],
    }
}

/// A line of the list.
struct Attack {
    number: i64,
    wants: String,
    /// The code of the refusal, or [`WITHHELD`].
    code: String,
    ask: Vec<String>,
}

/// What comes of a question that is answered with no value in its column `target`.
const WITHHELD: &str = "withheld";

fn attacks() -> Vec<Attack> {
    let list: toml::Table = include_str!("attacks/attacks.toml").parse().unwrap();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    list["attack"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attack| Attack {
            number: attack["number"].as_integer().unwrap(),
            wants: text(&attack["wants"]),
            code: text(&attack["code"]),
            ask: attack["ask"].as_array().unwrap().iter().map(text).collect(),
        })
        .collect()
}

/// The same question in other words: in other letters, with comments, tables in full, in quotes, aliased, through subqueries and
/// a CTE, and as a part of a larger question.
fn spellings(sql: &str) -> Vec<String> {
    let mut all = vec![
        sql.to_owned(),
        format!("  {sql} ;"),
        sql.replace("SELECT", "select /* x */").replace("FROM", "from -- y\n").replace("WHERE", "\twhere"),
    ];
    let table =
        ["person", "crime"].into_iter().find(|table| sql.matches(&format!("FROM {table}")).count() == 1);
    let Some(table) = table.filter(|table| sql.starts_with("SELECT") && !sql.contains(&format!("{table}.")))
    else {
        return all;
    };
    let (from, next) =
        (format!("FROM {table}"), sql.split(&format!("FROM {table}")).nth(1).unwrap_or_default());
    let is_bare = ["", " WHERE", " GROUP", " ORDER", " HAVING"]
        .iter()
        .any(|word| if word.is_empty() { next.is_empty() } else { next.starts_with(word) });
    if is_bare {
        let instead = [
            format!("FROM \"{table}\""),
            format!("FROM public.{table}"),
            format!("FROM {table} AS zzz"),
            format!("FROM (SELECT * FROM {table}) AS zzz"),
            format!("FROM (SELECT * FROM (SELECT *, 1 AS one FROM {table} WHERE true) a) b"),
        ];
        all.extend(instead.iter().map(|other| sql.replace(&from, other)));
        all.push(format!("WITH zzz AS (SELECT * FROM {table}) {}", sql.replace(&from, "FROM zzz")));
    }
    all
}

/// What comes of a question, as the list writes it.
async fn outcome(client: &mut Client, sql: &str) -> String {
    match client.ask(sql).await {
        Ok(answer) if answer.batches().iter().all(has_no_target) => WITHHELD.to_owned(),
        Ok(_) => "answered".to_owned(),
        Err(Error::Refused { refusal }) => refusal.code.to_string(),
        Err(Error::Invalid { .. }) => "invalid".to_owned(),
        Err(other) => format!("{other}"),
    }
}

/// There is a column `target`, and no value in it: its cells are withheld, or their groups are absent.
fn has_no_target(batch: &RecordBatch) -> bool {
    batch.column_by_name("target").is_some_and(|target| target.null_count() == target.len())
}

const BENIGN: [&str; 16] = [
    "SELECT ward, count(*) FROM person GROUP BY ward",
    "SELECT offence, avg(fine) FROM crime JOIN person ON crime.upi = person.upi GROUP BY offence",
    "SELECT ward, count(*) FROM person GROUP BY ward HAVING count(*) > 100",
    "WITH a AS (SELECT ward AS w FROM person) SELECT w, count(*) FROM a GROUP BY w",
    "SELECT CASE WHEN band IN ('A','B') THEN 'low' ELSE 'high' END AS level, count(*) FROM person GROUP BY level",
    "SELECT ward, count(*) AS n FROM person GROUP BY ward ORDER BY n DESC",
    "SELECT ward, count(*) FROM person GROUP BY ward",
    "SELECT count(*) FROM person WHERE ward IN ('W1', 'W2')",
    "SELECT count(*) FROM person WHERE ward IN ('W3', 'W4')",
    "SELECT count(DISTINCT upi) FROM person",
    "SELECT date_part('year', ts) AS y, count(*) FROM crime GROUP BY y",
    "SELECT sum(count(*)) OVER (ORDER BY ward) FROM person GROUP BY ward",
    "SELECT count(*) AS target FROM person WHERE band = 'A'",
    "SELECT sum(benefit_amt) AS target FROM person WHERE ward = 'W1' AND sex = 'F'",
    "SELECT count(*) AS n, count(*) FILTER (WHERE sex = 'F') AS target FROM person",
    "SELECT count(*) AS target FROM crime JOIN person ON crime.upi = person.upi WHERE person.ward = 'W1'",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_list_is_refused_with_its_code_and_what_is_harmless_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::Processes(env!("CARGO_BIN_EXE_liquid").into());
    let mut federation = Federation::start(&blueprint(folder.path()), run).await.unwrap();
    let mut client = federation.site_client("north", None).unwrap();
    client.set("liquid.agreement", "ATTACKS").unwrap();
    let (mut asked, mut wrong) = (BTreeMap::<(i64, String), usize>::new(), Vec::new());
    for attack in attacks() {
        assert!(attack.ask.len() >= 5, "{} has too few variants", attack.number);
        for sql in attack.ask.iter().flat_map(|sql| spellings(sql)) {
            let came = outcome(&mut client, &sql).await;
            if came != attack.code {
                wrong.push(format!("{} ({}): `{sql}`: {came}", attack.number, attack.code));
            }
            *asked.entry((attack.number, attack.code.clone())).or_default() += 1;
        }
    }
    for sql in BENIGN {
        let came = outcome(&mut client, sql).await;
        if came != "answered" {
            wrong.push(format!("harmless: `{sql}`: {came}"));
        }
    }
    let (sent, astray) = port::send(&federation).await;
    wrong.extend(astray);
    client.set("liquid.purpose", "fraud").unwrap();
    assert_eq!(outcome(&mut client, BENIGN[0]).await, "PURPOSE");
    client.set("liquid.purpose", "statistics").unwrap();
    client.set("liquid.agreement", "EXPIRED").unwrap();
    assert_eq!(outcome(&mut client, BENIGN[0]).await, "NOT_IN_FORCE");
    federation.stop().await;
    let total = asked.values().sum::<usize>() + sent.values().sum::<usize>();
    assert!(wrong.is_empty(), "{} of {total}:\n{}", wrong.len(), wrong.join("\n"));
    println!(
        "{total} of {total} attacks stopped, {} of {} harmless questions answered",
        BENIGN.len(),
        BENIGN.len()
    );
    publish(&asked, &sent);
}

/// Writes the list for readers, or holds it against what was asked.
fn publish(asked: &BTreeMap<(i64, String), usize>, sent: &BTreeMap<(i64, String, String), usize>) {
    let mut text = "# What is tried against a node\n\nEach line is asked of a node through its port, in the spellings that the last column counts: other letters, \
        comments, quotes, aliases,\nsubqueries, CTEs. Each is refused with its code before anything is computed; *invalid* is a question that is none of the language.\n\
        What can be told only when data is looked at is answered, and what it wants is *withheld*.\n\
        `deploy/cli/tests/it/attacks/attacks.toml` has the questions, `deploy/cli/tests/it/attacks/port.rs` what is sent in the place of one (*unimplemented*:\n\
        Flight's own word), and the test over both writes this page. Differences between questions\nare not on it.\n\n| # | what it wants | code | asked |\n|---|---|---|---|\n".to_owned();
    let mut lines: Vec<(i64, String, String, usize)> = Vec::new();
    for attack in attacks() {
        let count = asked.get(&(attack.number, attack.code.clone())).copied().unwrap_or_default();
        lines.push((attack.number, attack.wants, attack.code, count));
    }
    for (number, wants, code) in port::ROWS {
        let count = sent.get(&(number, wants.to_owned(), code.to_owned())).copied().unwrap_or_default();
        lines.push((number, wants.to_owned(), code.to_owned(), count));
    }
    lines.sort_by_key(|line| line.0);
    for (number, wants, code, count) in lines {
        let is_code = code.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
        let code = if is_code { format!("`{code}`") } else { code };
        let _ = writeln!(text, "| {number} | {wants} | {code} | {count} |");
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/attacks.md");
    if std::env::var_os("LIQUID_PUBLISH").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&page).unwrap(), text, "publish it again with LIQUID_PUBLISH=1");
}
