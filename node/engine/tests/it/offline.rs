//! What questions would be told without any data: every question of the examples, and what is wrong with schemas.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use liquid_engine::OpenError;
use liquid_engine::offline::{Question, Tables, explain, unusable};
use liquid_node_api::Error;
use liquid_node_api::parameter::Parameter;
use liquid_policy::admit::{Caller, Named};
use liquid_policy::diff::{Example, diff};
use liquid_policy::id::Purpose;
use liquid_policy::verdict::Verdict;
use liquid_policy::{Agreement, Code, Refusal, parse, parse_beside};
use serde::Deserialize;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/examples")
}

#[derive(Deserialize)]
struct Queries {
    query: Vec<Query>,
}

#[derive(Deserialize)]
struct Query {
    sql: String,
    #[serde(rename = "as")]
    who: Option<String>,
    purpose: Option<Purpose>,
    on: Option<String>,
    refused: Option<Refusal>,
}

/// An agreement with its tables.
struct World {
    agreement: Agreement,
    tables: Tables,
}

async fn tables(text: &str) -> Result<Tables, OpenError> {
    Tables::read(text, Path::new("schema.sql")).await
}

impl World {
    async fn example(folder: &Path) -> Self {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let beside = |name: &str, _: &str| Ok(read(name).into_bytes());
        let agreement = parse_beside(&read("agreement.toml"), "agreement.toml", &beside).unwrap();
        Self { agreement, tables: tables(&read("schema.sql")).await.unwrap() }
    }

    async fn heart() -> Self {
        Self::example(&examples().join("heart")).await
    }

    /// Asked by the first recipient, on the first day, unless said otherwise.
    async fn ask(&self, query: &Query, parameters: &[Parameter]) -> Result<Verdict, Error> {
        let first = &self.agreement.recipients()[0];
        let role = first.roles.first().unwrap();
        let (organisation, role) = match query.who.as_deref() {
            Some(who) => who.split_once('/').unwrap(),
            None => (first.organisation.as_str(), role.as_str()),
        };
        let purpose = query.purpose.as_ref().unwrap_or_else(|| first.purposes.first().unwrap());
        let caller = Caller {
            organisation: organisation.into(),
            roles: vec![role.into()],
            subject: "ann".into(),
            purposes: vec![purpose.clone()],
        };
        let today = query.on.as_deref().map_or(*self.agreement.in_force().start(), |on| on.parse().unwrap());
        let named = Named { purpose: Some(purpose), ..Named::default() };
        let question = Question { caller: &caller, named, today, sql: &query.sql, parameters };
        explain(&self.agreement, &self.tables, &question).await
    }

    async fn sql(&self, sql: &str) -> Result<Verdict, Error> {
        self.ask(&asked(sql), &[]).await
    }
}

fn asked(sql: &str) -> Query {
    Query { sql: sql.to_owned(), who: None, purpose: None, on: None, refused: None }
}

fn json(verdict: &Verdict) -> String {
    serde_json::to_string(verdict).unwrap()
}

#[tokio::test]
async fn every_question_of_the_examples_is_told_what_is_written_down() {
    let mut seen = (0, 0);
    for folder in std::fs::read_dir(examples()).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.join("schema.sql").exists() {
            continue;
        }
        let world = World::example(&folder).await;
        let queries = std::fs::read_to_string(folder.join("queries.toml")).unwrap();
        let queries: Queries = toml::from_str(&queries).unwrap();
        for query in queries.query {
            let verdict =
                world.ask(&query, &[]).await.unwrap_or_else(|error| panic!("{}: {error}", query.sql));
            assert_eq!(verdict.is_permit(), query.refused.is_none(), "{}: {verdict}", query.sql);
            if let Some(refused) = query.refused {
                assert_eq!(verdict, Verdict::from(refused), "{}", query.sql);
                seen.1 += 1;
            } else {
                let minimum = world.agreement.minimum().map(|_| "disclosure.minimum_contributors");
                let clauses: Vec<_> = verdict.obligations().iter().map(|o| o.clause.as_str()).collect();
                assert!(minimum.is_none_or(|minimum| clauses.contains(&minimum)), "{verdict}");
                seen.0 += 1;
            }
        }
    }
    assert!(seen.0 >= 30 && seen.1 >= 30, "{seen:?}");
}

#[tokio::test]
async fn the_answer_has_these_keys_and_the_same_bytes_whatever_the_order() {
    let world = World::heart().await;
    let permit =
        world.sql("SELECT sex, avg(cholesterol) FROM cardiac WHERE age > 50 GROUP BY sex").await.unwrap();
    assert_eq!(
        json(&permit),
        concat!(
            r#"{"verdict":"permit","code":null,"clause":null,"message":null,"fix":null,"obligations":["#,
            r#"{"clause":"disclosure.minimum_contributors","message":"a cell is withheld unless at least 10 distinct "#,
            r#"`patient` are behind it, and as many are among those whom the question leaves out of it, or nobody can be"},"#,
            r#"{"clause":"release.rows_out_max","message":"an answer has at most 10000 rows"},"#,
            r#"{"clause":"table.cardiac.columns.age.domain","message":"a value of `age` that is not declared counts as missing"},"#,
            r#"{"clause":"table.cardiac.columns.sex.domain","message":"a value of `sex` that is not declared counts as missing"}]}"#
        )
    );
    let refusal = world.sql("SELECT count(*) FROM cardiac WHERE patient = 'P1'").await.unwrap();
    let value: serde_json::Value = serde_json::from_str(&json(&refusal)).unwrap();
    assert_eq!(value["verdict"], "refusal");
    assert_eq!(value["code"], "LITERAL_COMPARE");
    assert_eq!(value["clause"], "table.cardiac.columns.patient.use");
    assert_eq!(value["obligations"], serde_json::json!([]));
    assert_eq!(value.as_object().unwrap().len(), 6);

    // Another order of tables and columns, other spaces, no comments.
    let schema = std::fs::read_to_string(examples().join("heart/schema.sql")).unwrap();
    let plain: String = schema.lines().map(|line| line.split("--").next().unwrap().trim()).collect();
    let mut statements: Vec<String> = Vec::new();
    for statement in plain.split(';').filter(|statement| !statement.is_empty()) {
        let (head, columns) = statement.trim_end_matches(')').split_once('(').unwrap();
        let columns: Vec<&str> = columns.split(',').rev().collect();
        statements.insert(0, format!("{head}({});", columns.join(", ")));
    }
    let around = statements.join("\n");
    let other = World { tables: tables(&around).await.unwrap(), ..world };
    let again =
        other.sql("SELECT sex, avg(cholesterol) FROM cardiac WHERE age > 50 GROUP BY sex").await.unwrap();
    assert_eq!(json(&again), json(&permit));
}

#[tokio::test]
async fn caps_come_before_the_parser() {
    let world = World::heart().await;
    for sql in [
        format!("SELECT count(*) FROM cardiac WHERE age > {}", "1 + ".repeat(500) + "1"),
        format!("SELECT count(*) FROM cardiac WHERE age > {}1{}", "(".repeat(200), ")".repeat(200)),
        format!("SELECT count(*) FROM cardiac WHERE sex = '{}'", "x".repeat(100_000)),
    ] {
        assert_eq!(world.sql(&sql).await.unwrap().code(), Some(Code::Limit));
    }
    // Who may not ask at all is told so first, as at a node.
    let mut stranger = asked("SELECT nothing");
    stranger.who = Some("bureau/analyst".into());
    assert_eq!(world.ask(&stranger, &[]).await.unwrap().code(), Some(Code::Recipient));
    for (sql, message, fix) in [
        ("SELECT count(*) FROM nowhere", "table `nowhere` is not known", "cardiac"),
        ("SELECT count(*) FROM cardiac WHERE weight > 1", "`weight` is not known", ""),
        ("SELEC 1", "", ""),
    ] {
        match world.sql(sql).await {
            Err(Error::Invalid { message: said, fix: cure }) => {
                assert!(said.contains(message) && cure.contains(fix) && !cure.is_empty(), "{said}; {cure}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn values_are_bound_before_the_decision() {
    let world = World::heart().await;
    let query = asked("SELECT count(*) FROM cardiac WHERE age > $1 AND sex = $2");
    let values = [Parameter::Int64(Some(50)), Parameter::Utf8(Some("F".into()))];
    assert!(world.ask(&query, &values).await.unwrap().is_permit());
    assert!(matches!(world.ask(&query, &[]).await, Err(Error::Invalid { .. })));
}

/// A view is a table like any other, in the types of the model.
#[tokio::test]
async fn views_can_stand_in_the_schema() {
    let schema = std::fs::read_to_string(examples().join("heart/schema.sql")).unwrap();
    let schema = schema
        .replace("CREATE TABLE cardiac", "CREATE TABLE raw")
        .replace("age                BIGINT", "born INT")
        + "CREATE VIEW cardiac AS SELECT *, CAST(2026 - born AS SMALLINT) AS age FROM raw;";
    let world = World { tables: tables(&schema).await.unwrap(), ..World::heart().await };
    let sql = |table: &str| format!("SELECT age, count(*) FROM {table} GROUP BY age");
    assert!(world.sql(&sql("cardiac")).await.unwrap().is_permit());
    let raw = world.sql(&sql("raw").replace("age", "born")).await.unwrap();
    assert_eq!(raw.code(), Some(Code::ColumnUse), "{raw}");
    // Nothing is permitted that names it, though nothing of it is read.
    let unread = "WITH x AS (SELECT * FROM raw) SELECT count(*) FROM cardiac";
    assert!(world.sql(unread).await.unwrap_err().to_string().contains("`raw` is not known"));
}

#[tokio::test]
async fn what_is_wrong_with_a_schema_is_said_with_its_line() {
    for (text, expected) in [
        ("\nCREATE TABLE t (a TIMESTAMP);", "line 2: column `a` of table `t` has the type TIMESTAMP"),
        ("CREATE TABLE t (a INT, A TEXT);", "line 1: column `a` of table `t` stands there twice; drop one"),
        ("CREATE TABLE t (a INT);\nCREATE TABLE t (a INT);", "line 2: there is a table `t` already"),
        ("CREATE TABLE t AS SELECT 1 AS a;", "line 1: table `t` lists no columns"),
        ("DROP TABLE t;", "line 1: `DROP TABLE t` gives no table its columns; keep only"),
        ("CREATE TABLE t (a INT", "the file ends where"),
        ("CREATE TABLE t (a INT);\nCREATE VIEW v AS SELECT b FROM t;", "line 2: view `v` reads a column `b`"),
        ("CREATE VIEW v AS SELECT now() AS a;", "column `a` of `v` has the type Timestamp"),
    ] {
        let error = tables(text).await.expect_err(text).to_string();
        assert!(error.contains("schema.sql") && error.contains(expected), "{error}");
    }
}

/// The examples that `diff` finds are questions in SQL: planned, they are told what `diff` says of them.
#[tokio::test]
async fn questions_that_show_a_difference_do_show_it() {
    let mut shown = 0;
    for example in ["heart", "customers"] {
        let folder = examples().join(example);
        let world = World::example(&folder).await;
        let text = std::fs::read_to_string(folder.join("agreement.toml")).unwrap();
        // Each line that says what a column may be used for, with less.
        for line in text.lines().filter(|line| line.contains("use = [\"")) {
            let (name, _) = line.split_once('=').unwrap();
            let less = format!("{name}= {{ use = [] }}");
            let Ok(draft) = parse(&text.replacen(line, &less, 1), "draft.toml") else { continue };
            let found = diff(&world.agreement, &draft);
            let drafted = World { agreement: draft, tables: world.tables.clone() };
            for change in found.changes() {
                let Some(Example::Question(question)) = change.example() else { continue };
                let query = Query {
                    who: Some(format!("{}/{}", question.organisation, question.role)),
                    purpose: Some(question.purpose.clone()),
                    on: Some(NaiveDate::to_string(&question.day)),
                    ..asked(&question.sql)
                };
                let before = world.ask(&query, &[]).await.unwrap();
                let after = drafted.ask(&query, &[]).await.unwrap();
                let expected = |refusal: &Option<Refusal>| refusal.clone().map(Verdict::from);
                assert_eq!(
                    (!before.is_permit()).then_some(before),
                    expected(&question.before),
                    "{}",
                    query.sql
                );
                assert_eq!((!after.is_permit()).then_some(after), expected(&question.after), "{}", query.sql);
                shown += 1;
            }
        }
    }
    assert!(shown >= 30, "{shown}");
}

/// The example with nothing but its approved query open, and that query in other words.
async fn approved(text: &str) -> World {
    let folder = examples().join("benchmarking");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let written = read("agreement.toml");
    let before = written.split("sha256 = \"").nth(1).unwrap()[..64].to_owned();
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let written =
        written.replace(&before, &hash).replace("rows = false", "rows = false\ntemplates_only = true");
    let agreement = parse_beside(&written, "t.toml", &|_, _| Ok(text.into())).unwrap();
    World { agreement, tables: tables(&read("schema.sql")).await.unwrap() }
}

const APPROVED: &str =
    "SELECT region, count(*) AS n FROM orders WHERE quarter = $quarter AND late = $late GROUP BY region";

#[tokio::test]
async fn a_call_is_told_what_its_text_would_be_and_nothing_else_may_be_asked() {
    let world = approved(APPROVED).await;
    for call in [
        "EXECUTE \"delivery-by-region\"('2026-Q1', TRUE)",
        "EXECUTE \"delivery-by-region\"(late => 'false', quarter => NULL)",
        "SELECT * FROM template.\"delivery-by-region\"('2026-Q1'' OR 1=1', FALSE)",
    ] {
        let verdict = world.sql(call).await.unwrap_or_else(|error| panic!("{call}: {error}"));
        assert!(verdict.is_permit(), "{call}: {verdict}");
    }
    for sql in [APPROVED.replace("$quarter", "'2026-Q1'").replace("$late", "true"), "SELECT 1".to_owned()] {
        assert_eq!(world.sql(&sql).await.unwrap().code(), Some(Code::TemplateOnly), "{sql}");
    }
    for (call, says) in [
        ("EXECUTE \"delivery-by-region\"('2026-Q1')", "needs a value for `late`"),
        ("EXECUTE \"delivery-by-region\"()", "needs a value for `quarter`, `late`"),
        ("EXECUTE \"delivery-by-region\"('2026-Q1', TRUE, 1)", "takes 2 values, and 3 are given"),
        ("EXECUTE \"delivery-by-region\"('2026-Q1', 'soon')", "`late` takes TRUE or FALSE"),
        ("EXECUTE \"delivery-by-region\"(1, TRUE)", "`quarter` takes a text in quotes"),
        ("EXECUTE \"delivery-by-region\"(quarter => 'a', region => 'b')", "no parameter `region`"),
        ("EXECUTE \"delivery-by-region\"('a', quarter => 'b')", "`quarter` is given twice"),
        ("EXECUTE \"delivery-by-region\"(quarter => 'a', TRUE)", "behind one with a name"),
        ("EXECUTE \"delivery-by-town\"('a', TRUE)", "no approved query of this name"),
    ] {
        let error = world.sql(call).await.expect_err(call).to_string();
        assert!(error.contains(says), "{call}: {error}");
        assert!(error.contains("delivery-by-region"), "it says what there is: {error}");
    }
    let alder = Query {
        who: Some("alder/benchmark-analyst".into()),
        ..asked("EXECUTE \"delivery-by-region\"('a', TRUE)")
    };
    assert_eq!(world.ask(&alder, &[]).await.unwrap().code(), Some(Code::Recipient));
}

/// Approval adds no right, and an operator is told which approved query nobody can be answered.
#[tokio::test]
async fn an_approved_query_that_its_agreement_refuses_is_refused_and_told() {
    for (text, code, says) in [
        (APPROVED, None, ""),
        ("SELECT avg(price) FROM orders WHERE quarter = $quarter", Some(Code::ColumnUse), "price"),
        (
            "SELECT count(*) FROM orders WHERE delivery_cost > $least",
            Some(Code::LiteralCompare),
            "delivery_cost",
        ),
        ("SELECT * FROM orders WHERE quarter = $quarter", Some(Code::AggRequired), "single rows"),
    ] {
        let world = approved(text).await;
        let told = unusable(&world.agreement, Some(&world.tables)).await;
        assert_eq!(told.is_empty(), code.is_none(), "{text}: {told:?}");
        assert!(told.iter().all(|(_, why)| why.contains(says)), "{told:?}");
        let places = text.matches('$').count();
        let values = vec!["'1'"; places].join(", ").replacen("', '1'", "', 'true'", 1);
        let verdict = world.sql(&format!("EXECUTE \"delivery-by-region\"({values})")).await.unwrap();
        assert_eq!(verdict.code(), code, "{text}: {verdict}");
    }
    for (text, says) in [
        ("SELECT count(*) FROM nowhere WHERE a = $b", "`nowhere` is not known"),
        ("SELECT count(*) FROM orders WHERE $a IS NULL", "nothing gives parameter `$a` a type"),
        ("SELECT count(*) FROM orders WHERE late = $a OR region = $a", "parameter `$a` is "),
        ("SELECT count(*) FROM orders WHERE late = $1", "has no name"),
        ("SELECT count(*) FROM orders WHERE late = ?", "has no name"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("DROP TABLE orders", "DROP"),
        ("-- nothing", "empty"),
    ] {
        let world = approved(text).await;
        let told = unusable(&world.agreement, Some(&world.tables)).await;
        assert!(matches!(told.as_slice(), [(_, why)] if why.contains(says)), "{text}: {told:?}");
    }
    // Without tables only the text itself can be looked at.
    assert_eq!(unusable(&approved("SELECT a FROM b").await.agreement, None).await, []);
    assert_eq!(unusable(&approved("SELECT a FRM b c d").await.agreement, None).await.len(), 1);
}
