//! SQL that wants to break a node or to read a person, through a node's real Flight port: each gets a typed error, no value
//! in it, and the next honest question is answered.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use liquid_local::blueprint::{Blueprint, Connect, Content, SitePlan, Source};
use liquid_local::client::Client;
use liquid_local::{Federation, Run};
use liquid_node_api::Error;
use liquid_node_api::tls::{Material, Target, connect};
use liquid_policy::Code;
use liquid_policy::id::{OrganisationName, SiteName};
use tonic::transport::Channel;

/// An agreement of one organisation that lets itself ask, about one table.
pub(crate) fn agreement(organisation: &str, table: &str, entity: &str, columns: &str) -> String {
    format!(
        r#"
schema = "liquid/agreement/1"
[agreement]
id = "TST-{table}"
title = "Test"
version = "1.0.0"
purposes = ["research"]
purpose_text = "Tests."
benefits = "None."
legal_basis = ["GDPR-6-1-e"]
dpia = {{ reference = "D-1", outcome = "low" }}
rights_procedure = "None."
breach_contact = "a@example.org"
security_controls = "None."
termination = "P30D"
lead = "{organisation}"
contact = "a@example.org"
in_force = 2026-01-01
expires = 2029-12-31
review = {{ due = 2029-06-30, grace_days = 30 }}
retention = {{ results_days = 730 }}
onward = "public"
[[party]]
organisation = "{organisation}"
role = "controller"
point_of_contact = "DPO"
[[recipient]]
organisation = "{organisation}"
roles = ["analyst"]
purposes = ["research"]
[table.{table}]
entity = "{entity}"
entities = "disjoint"
[table.{table}.columns]
{columns}
[disclosure]
minimum_contributors = 10
[release]
rows = false
rows_out_max = 10000
"#
    )
}

const MODEL: &str = r#"
[[table]]
name = "person"
description = "one row a person"
column = [
    { name = "upi", type = "text", description = "-" },
    { name = "nhs_no", type = "text", description = "-" },
    { name = "name", type = "text", description = "-" },
    { name = "dob", type = "date", description = "-" },
    { name = "postcode", type = "text", description = "-" },
    { name = "ward", type = "text", description = "-" },
    { name = "sex", type = "text", description = "-" },
    { name = "beat", type = "text", description = "-" },
    { name = "benefit_amt", type = "float", description = "-" },
    { name = "band", type = "text", description = "-" },
    { name = "note", type = "text", description = "-" },
]
"#;

const COLUMNS: &str = r#"
upi = { use = [] }
nhs_no = { use = [] }
name = { use = [] }
dob = { use = [] }
postcode = { use = [] }
note = { use = [] }
ward = { use = ["group", "filter"], domain = { values = ["W1", "W2", "W3", "W4", "W5"] }, required = true }
sex = { use = ["group", "filter"], domain = { values = ["F", "M"] }, required = true }
beat = { use = ["group", "filter"], domain = { values = ["B1", "B2"] }, required = true }
band = { use = ["group", "filter"], domain = { values = ["A", "B", "Z"] }, required = true }
benefit_amt = { use = ["measure"], aggregates = ["sum", "avg"] }
"#;

/// 440 people. In ward W5 are 7 women; band Z has 3 people; 3 lack an amount; Ann Lee is one of all.
fn people() -> String {
    let mut text = String::from("upi,nhs_no,name,dob,postcode,ward,sex,beat,benefit_amt,band,note\n");
    for i in 0..440 {
        let (ward, sex) = match i {
            400..407 => (5, "F"),
            407.. => (5, "M"),
            _ => (i % 4 + 1, if (i / 4) % 2 == 0 { "F" } else { "M" }),
        };
        let name = if i == 17 { "Ann Lee".to_owned() } else { format!("Person {i}") };
        let amount = if i < 3 { String::new() } else { format!("{}.37", 500 + i) };
        let band = match i {
            20..23 => "Z",
            _ if i % 2 == 0 => "A",
            _ => "B",
        };
        let _ = writeln!(
            text,
            "U{i},N943{i:05},{name},19{:02}-01-01,PC{i},W{ward},{sex},B{},{amount},{band},seven",
            40 + i % 50,
            i % 2 + 1
        );
    }
    text
}

fn blueprint(folder: &Path) -> Blueprint {
    let file = folder.join("person.csv");
    std::fs::write(&file, people()).unwrap();
    Blueprint {
        name: "hostile".to_owned(),
        sites: vec![SitePlan {
            site: SiteName::new("north"),
            organisation: OrganisationName::new("north"),
            model: MODEL.to_owned(),
            agreements: vec![agreement("north", "person", "upi", COLUMNS)],
            beside: vec![],
            sources: vec![Source {
                name: "person".to_owned(),
                file: "person.csv".to_owned(),
                format: "csv".to_owned(),
                null: None,
                delimiter: None,
                content: Content::File(file),
            }],
            views: String::new(),
            tables: None,
            connect: Connect::default(),
        }],
    }
}

/// A node of its own process, and a client of its port.
pub(crate) struct Node {
    pub(crate) federation: Federation,
    pub(crate) client: Client,
    pub(crate) folder: tempfile::TempDir,
}

impl Node {
    pub(crate) async fn start() -> Self {
        Self::start_by(env!("CARGO_BIN_EXE_liquid").into()).await
    }

    /// The same by another way to start the binary.
    pub(crate) async fn start_by(binary: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let federation = Federation::start(&blueprint(folder.path()), Run::Processes(binary)).await.unwrap();
        let client = federation.site_client("north", None).unwrap();
        Self { federation, client, folder }
    }

    /// What comes of a question, after which an honest one is answered.
    async fn ask(&mut self, sql: &str) -> Result<Vec<String>, Error> {
        let shown: String = sql.chars().take(100).collect();
        let outcome = match self.client.ask(sql).await {
            Ok(answer) => {
                let names = answer.names().to_vec();
                let row = |row| {
                    let cells = names.iter().map(|name| answer.cell(row, name).unwrap());
                    cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join(" ")
                };
                Ok((0..answer.rows()).map(row).collect())
            }
            Err(error) => Err(error),
        };
        self.answers_after(&shown).await;
        outcome
    }

    /// An honest question is answered, whatever went before.
    pub(crate) async fn answers_after(&self, what: &str) {
        let honest = self.client.clone().ask("SELECT count(*) AS n FROM person").await;
        let honest = honest.unwrap_or_else(|error| panic!("after `{what}` the node says {error}"));
        assert_eq!(honest.cell(0, "n").unwrap().as_deref(), Some("440"), "after `{what}`");
    }

    /// A channel to its port, and the token of somebody who may ask.
    pub(crate) fn channel(&self) -> (Channel, String) {
        let connection = self.federation.connection();
        let target = Target { url: connection.sites[0].url.clone().unwrap(), ..Target::default() };
        let channel = connect(&target, Material::anonymous(&connection.ca).unwrap()).unwrap();
        (channel, connection.tokens.first().unwrap().1.to_owned())
    }

    /// A question that is refused with one of these codes, or, without any, is none of this language.
    async fn refused(&mut self, sql: &str, codes: &[Code]) {
        let shown: String = sql.chars().take(100).collect();
        let error = match self.ask(sql).await {
            Err(error) => error,
            Ok(rows) => panic!("`{shown}` is answered: {rows:?}"),
        };
        match &error {
            Error::Refused { refusal } => assert!(codes.contains(&refusal.code), "`{shown}`: {error}"),
            Error::Invalid { .. } => assert!(codes.is_empty(), "`{shown}`: {error}"),
            // More than a message may hold is not even read.
            Error::Fault { message, .. } if sql.len() > 2 << 20 => {
                assert!(codes.is_empty() && message.contains("more than it may"), "`{shown}`: {error}");
            }
            other => panic!("`{shown}`: {other:?}"),
        }
        // The node repeats the asker's own words at most, never what stands in the table.
        for value in ["Person", "512.37", "seven", "1957", "PC17"] {
            assert!(!error.to_string().contains(value) || sql.contains(value), "`{shown}`: {error}");
        }
    }
}

/// What aborts, starves or swells a process that only plans it: refused by its shape.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_an_engine_is_refused_and_the_node_answers_on() {
    use Code::{Expression, Function, JoinKey, Limit, PlanNode, Statement};
    let mut node = Node::start().await;
    let count = |condition: &str| format!("SELECT count(*) FROM person WHERE {condition}");
    let many = |part: &str, n: usize| part.repeat(n);
    let lists = |n: usize| vec!["'W1'"; n].join(", ");
    let bombs: Vec<(String, &[Code])> = vec![
        (format!("SELECT 1{}", many("+1", 240)), &[Limit]),
        (count(&format!("1{} = 1", many("+1", 240))), &[Limit]),
        (count(&format!("sex = 'F'{}", many(" OR sex = 'F'", 1600))), &[Limit]),
        (count(&format!("sex = 'F'{}", many(" || 'x'", 1600))), &[Limit]),
        (
            format!("SELECT count(*) FROM person{}", many(" UNION ALL SELECT count(*) FROM person", 400)),
            &[Limit],
        ),
        (format!("SELECT 1{}", many(" UNION ALL SELECT 1", 30_000)), &[Limit]),
        (format!("SELECT 1{}", many("+1", 40_000)), &[Limit]),
        (format!("SELECT {}1{}", many("(", 5000), many(")", 5000)), &[Limit]),
        (count(&format!("{}true", many("NOT ", 3000))), &[Limit]),
        (count(&format!("{}sex{} = 'F'", many("upper(", 300), many(")", 300))), &[Limit]),
        (count(&format!("{}true{}", many("CASE WHEN ", 300), many(" THEN true END", 300))), &[Limit]),
        (format!("SELECT count(*) FROM {}person{}", many("(SELECT * FROM ", 60), many(") x", 60)), &[Limit]),
        (format!("SELECT count(*) FROM person{}", many(", person", 200)), &[Limit]),
        (count(&format!("ward IN ({})", lists(30_000))), &[Limit]),
        (count(&format!("ward = '{}'", many("x", 60_000))), &[Limit]),
        (count(&format!("ward = '{}'", many("x", 5_000_000))), &[]),
        (
            "SELECT count(*) FROM person a JOIN person b ON a.benefit_amt <> b.benefit_amt".to_owned(),
            &[JoinKey],
        ),
        ("SELECT count(*) FROM person a CROSS JOIN person b CROSS JOIN person c".to_owned(), &[JoinKey]),
        ("SELECT sum(character_length(repeat(name, 50000000))) FROM person".to_owned(), &[Function]),
        ("SELECT count(*) FROM person WHERE lpad('x', 2147483647) = ward".to_owned(), &[Function]),
        ("SELECT count(*) FROM generate_series(1, 1000000000000)".to_owned(), &[Function]),
        (
            "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
                .to_owned(),
            &[PlanNode],
        ),
        ("SHOW ALL".to_owned(), &[Statement]),
        ("SHOW TABLES".to_owned(), &[Statement]),
        ("EXPLAIN SELECT count(*) FROM person".to_owned(), &[Statement]),
        ("EXPLAIN ANALYZE SELECT count(*) FROM person".to_owned(), &[Statement]),
        ("SELECT * FROM information_schema.df_settings".to_owned(), &[]),
        ("COPY (SELECT count(*) FROM person) TO 'out.csv'".to_owned(), &[Statement]),
        ("SET datafusion.execution.batch_size = 1".to_owned(), &[Statement]),
        ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'".to_owned(), &[Statement]),
        ("INSERT INTO person SELECT * FROM person".to_owned(), &[Statement]),
        ("SELECT count(*) FROM '/etc/passwd'".to_owned(), &[]),
        ("SELECT count(*) FROM 'person.csv'".to_owned(), &[]),
        ("SELECT count(*) FROM \"liquid://site/0/00000000\"".to_owned(), &[]),
        ("SELECT sum(CAST(name AS BIGINT)) FROM person".to_owned(), &[Expression]),
        ("SELECT count(*) FROM person WHERE 1 / (benefit_amt - 512.37) > 0".to_owned(), &[Expression]),
        ("SELECT count(*) FROM person; DROP TABLE person".to_owned(), &[Statement]),
        (String::new(), &[]),
        ("\u{0}\u{1}\u{feff}'".to_owned(), &[]),
    ];
    for (sql, codes) in &bombs {
        node.refused(sql, codes).await;
    }
    // Long and within the caps is no offence.
    let rows = node.ask(&count(&format!("ward IN ({})", lists(400)))).await.unwrap();
    assert_eq!(rows, ["100"]);
    node.federation.stop().await;
}

const IDENTIFIER: &[Code] = &[Code::LiteralCompare, Code::ColumnUse];
const FUNCTION: &[Code] = &[Code::Function];
const EXPRESSION: &[Code] = &[Code::Expression];
const PLAN_NODE: &[Code] = &[Code::PlanNode];
const ROWS: &[Code] = &[Code::AggRequired];
const USE: &[Code] = &[Code::ColumnUse];

/// Questions that read a person, as far as one table expresses them.
const ATTACKS: &[(&str, &[Code])] = &[
    ("SELECT * FROM person", ROWS),
    ("SELECT ward FROM person WHERE sex = 'F' ORDER BY ward LIMIT 1", ROWS),
    ("SELECT ward, count(*) FROM person WHERE name='Ann Lee' GROUP BY ward", IDENTIFIER),
    ("SELECT ward, count(*) FROM person WHERE name IN ('Ann Lee', 'x') GROUP BY ward", IDENTIFIER),
    ("SELECT ward, count(*) FROM person WHERE upper(name) || '!' = 'ANN LEE!' GROUP BY ward", IDENTIFIER),
    ("SELECT ward, count(*) FROM person WHERE nhs_no LIKE 'N943%' GROUP BY ward", IDENTIFIER),
    ("SELECT ward, count(*) FROM person WHERE left(nhs_no, 4) = 'N943' GROUP BY ward", IDENTIFIER),
    ("SELECT ward, count(*) FROM person WHERE substr(md5(nhs_no),1,2)='a3' GROUP BY ward", FUNCTION),
    ("SELECT min(dob), max(benefit_amt) FROM person", FUNCTION),
    ("SELECT array_agg(name) FROM person", FUNCTION),
    ("SELECT string_agg(note, ',') FROM person", FUNCTION),
    ("SELECT first_value(name) FROM person", FUNCTION),
    ("SELECT median(benefit_amt) FROM person", FUNCTION),
    ("SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY benefit_amt) FROM person", FUNCTION),
    ("SELECT bit_xor(upi) FROM person", FUNCTION),
    ("SELECT bool_and(sex = 'F') FROM person", FUNCTION),
    ("SELECT count(*) FROM person GROUP BY concat(name, postcode)", USE),
    ("SELECT DISTINCT name FROM person", USE),
    ("SELECT benefit_amt, count(*) FROM person GROUP BY benefit_amt", USE),
    ("SELECT sum(CASE WHEN upi='U7' THEN benefit_amt ELSE 0 END) FROM person", IDENTIFIER),
    ("SELECT count(*) FILTER (WHERE name='Ann Lee') FROM person", IDENTIFIER),
    ("SELECT sum(benefit_amt * power(2, benefit_amt)) FROM person", EXPRESSION),
    ("SELECT sum(1 << 3) FROM person", EXPRESSION),
    ("SELECT count(*) FROM person CROSS JOIN generate_series(1,100)", FUNCTION),
    ("SELECT count(*) FROM person p JOIN (VALUES ('U1'),('U2')) v(upi) USING(upi)", PLAN_NODE),
    (
        "SELECT count(*) FROM (SELECT upi FROM person WHERE sex='F' EXCEPT SELECT upi FROM person WHERE band='Z') x",
        &[Code::JoinKey],
    ),
    ("SELECT ward, sex, count(*) FROM person GROUP BY GROUPING SETS ((ward,sex),(ward),())", PLAN_NODE),
    ("SELECT ward, sex, count(*) FROM person GROUP BY CUBE (ward, sex)", PLAN_NODE),
    ("SELECT count(*) FROM person WHERE benefit_amt IS DISTINCT FROM 512.37", IDENTIFIER),
    ("SELECT count(*) FROM person WHERE benefit_amt BETWEEN 512 AND 513", IDENTIFIER),
    ("SELECT benefit_amt FROM person ORDER BY benefit_amt DESC LIMIT 1 OFFSET 3", ROWS),
    ("SELECT sum(x) FROM (SELECT benefit_amt x FROM person ORDER BY benefit_amt DESC LIMIT 11) t", PLAN_NODE),
    ("SELECT row_number() OVER (ORDER BY benefit_amt) FROM person", ROWS),
    ("SELECT count(*) FROM (SELECT lag(benefit_amt) OVER (ORDER BY dob) l FROM person) t", PLAN_NODE),
    ("WITH a AS (SELECT upi u, benefit_amt b FROM person) SELECT u, sum(b) FROM a GROUP BY u", USE),
    (
        "SELECT x, count(*) FROM (SELECT y AS x FROM (SELECT upi AS y, ward AS upi FROM person) a) b GROUP BY x",
        USE,
    ),
    ("WITH person AS (SELECT name AS ward FROM person) SELECT ward, count(*) FROM person GROUP BY ward", USE),
    (
        "SELECT (SELECT benefit_amt FROM person p2 WHERE p2.upi=p.upi), count(*) FROM person p GROUP BY 1",
        EXPRESSION,
    ),
    (
        "SELECT ward, count(*) FROM person WHERE EXISTS (SELECT 1 FROM person WHERE name='Ann Lee') GROUP BY ward",
        EXPRESSION,
    ),
    ("SELECT sum(benefit_amt / (CASE WHEN name='Ann Lee' THEN 0 ELSE 1 END)) FROM person", EXPRESSION),
    ("SELECT sum(CAST(note AS INT)) FROM person", EXPRESSION),
    ("SELECT sum(TRY_CAST(note AS BIGINT)) FROM person", EXPRESSION),
    ("SELECT count(*) FROM person WHERE ward = 5", EXPRESSION),
    ("SELECT sum(CAST(benefit_amt AS TINYINT)) FROM person", EXPRESSION),
    ("SELECT count(*) FROM person WHERE random()<0.5", FUNCTION),
    ("SELECT count(*) FROM person WHERE dob < now()", FUNCTION),
    ("SELECT count(*) FROM person WHERE regexp_like(note, '(a+)+$')", FUNCTION),
    ("SELECT approx_distinct(upi) FROM person", FUNCTION),
    ("DESCRIBE person", &[Code::Statement]),
    ("SELECT * FROM information_schema.columns", &[]),
    ("PREPARE q AS SELECT count(*) FROM person WHERE ward='W1'", &[Code::Statement]),
    ("SELECT count(*) FROM person WHERE ward=$1", &[]),
    // The call of an approved query, of which there is none here.
    ("EXECUTE q('W1')", &[]),
    ("CREATE VIEW v AS SELECT * FROM person", &[Code::Statement]),
    ("CREATE FUNCTION f(DOUBLE) RETURNS DOUBLE RETURN 1", &[Code::Statement]),
    ("SELECT my_udf(benefit_amt) FROM person", FUNCTION),
    ("SELECT unnest(array_agg(benefit_amt)) FROM person", &[Code::Function, Code::PlanNode]),
    ("SELECT count(*) FROM person p, LATERAL (SELECT p.name) x", PLAN_NODE),
    ("SELECT upi, count(*), sum(benefit_amt) FROM person GROUP BY upi", USE),
    ("SELECT count(*) FROM person WHERE person.NHS_NO = '943'", IDENTIFIER),
    ("SELECT count(*) FROM person WHERE \"Nhs_No\" = '943'", &[]),
    ("SELECT count(*) FROM person WHERE nhs_nо = '943'", &[]), // a Cyrillic о
    ("SELECT person.name, count(*) FROM person AS person GROUP BY person.name", USE),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_reads_a_person_is_refused_or_withheld_and_what_is_benign_is_answered() {
    let mut node = Node::start().await;
    for (sql, codes) in ATTACKS {
        node.refused(sql, codes).await;
    }
    for (sql, answer) in [
        // A cell of 7, and the one band of 3: withheld, wherever they show.
        (
            "SELECT sex, count(*) AS n FROM person WHERE ward = 'W5' GROUP BY sex ORDER BY sex",
            vec!["F -", "M 33"],
        ),
        ("SELECT band, count(*) AS n FROM person GROUP BY band ORDER BY band", vec!["A 218", "B 219", "Z -"]),
        ("SELECT count(*) FILTER (WHERE band = 'Z') AS n FROM person", vec!["-"]),
        (
            "SELECT sum(CASE WHEN ward = 'W1' AND band = 'Z' AND sex = 'F' THEN benefit_amt ELSE 0 END) AS s FROM person",
            vec!["-"],
        ),
        ("SELECT count(*) AS n FROM person WHERE ward = 'W1' AND band = 'Z' AND sex = 'F'", vec!["-"]),
        ("SELECT count(benefit_amt) AS n FROM person", vec!["-"]),
        ("SELECT ward, count(*) AS n FROM person GROUP BY ward HAVING count(*) = 7", vec![]),
        // Benign.
        (
            "SELECT ward, count(*) AS n FROM person GROUP BY ward ORDER BY ward",
            vec!["W1 100", "W2 100", "W3 100", "W4 100", "W5 40"],
        ),
        ("SELECT count(DISTINCT upi) AS n FROM person", vec!["440"]),
        ("SELECT ward, count(*) AS n FROM person GROUP BY ward HAVING count(*) < 50", vec!["W5 40"]),
        (
            "WITH a AS (SELECT sex AS s FROM person) SELECT s, count(*) AS n FROM a GROUP BY s ORDER BY s",
            vec!["F 207", "M 233"],
        ),
    ] {
        let rows = node.ask(sql).await.unwrap_or_else(|error| panic!("`{sql}`: {error}"));
        assert_eq!(rows, answer, "`{sql}`");
    }
    node.federation.stop().await;
}
