//! Examples as data: agreements that are good, agreements with a mistake and the message that their author reads, and
//! questions with what is decided for them. To write the expected messages anew:
//! `LIQUID_PUBLISH=1 cargo test -p liquid-policy --test it examples`, then read the difference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use liquid_policy::id::Purpose;
use liquid_policy::table::{Domain, DomainValue};
use liquid_policy::{Code, Footprint, Named, Refusal, admit, decide, parse, parse_beside};
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde::Deserialize;

use crate::support::{agreement, caller, day, signed};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(examples().join("heart").join(file)).expect(file)
}

/// The folders of all examples.
fn folders() -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(examples()).expect("the folder is there");
    entries.map(|entry| entry.expect("readable").path()).filter(|path| path.is_dir())
}

/// The bad agreements of one example.
fn bad_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder.join("bad")).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

/// The bad agreements of all examples.
fn bad() -> impl Iterator<Item = PathBuf> {
    folders().flat_map(|folder| bad_of(&folder))
}

/// What an example's folder lacks.
fn lacks(folder: &Path) -> Vec<&'static str> {
    let mut lacks: Vec<&str> = ["README.md", "agreement.toml", "queries.toml", "schema.sql"]
        .into_iter()
        .filter(|file| !folder.join(file).is_file())
        .collect();
    if bad_of(folder).len() < 3 {
        lacks.push("bad/");
    }
    lacks
}

/// An example is an agreement that is explained, asked, and shown with its mistakes.
#[test]
fn every_example_has_all_its_parts() {
    for folder in folders() {
        assert_eq!(lacks(&folder), [""; 0], "{}", folder.display());
        let agreement = std::fs::read_to_string(folder.join("agreement.toml")).expect("readable");
        let beside =
            |name: &str, _: &str| std::fs::read(folder.join(name)).map_err(|error| error.to_string());
        parse_beside(&agreement, "agreement.toml", &beside)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for expected in std::fs::read_dir(folder.join("bad")).expect("readable") {
            let path = expected.expect("readable").path();
            assert!(path.with_extension("toml").is_file(), "{}: of which agreement?", path.display());
        }
    }
    assert!(folders().count() >= 7);
    let empty = lacks(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(
        empty,
        ["README.md", "agreement.toml", "queries.toml", "schema.sql", "bad/"],
        "the check can fail"
    );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Queries {
    /// Who asks in the matrix, which is tested with the footprint.
    #[serde(rename = "caller")]
    _callers: Vec<toml::Table>,
    query: Vec<Query>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    /// The question in plain words, for the matrix.
    #[serde(rename = "asks")]
    _asks: Option<String>,
    sql: String,
    touches: Footprint,
    #[serde(default = "analyst", rename = "as")]
    who: String,
    #[serde(default = "care")]
    purpose: String,
    #[serde(default = "november")]
    on: String,
    refused: Option<Refusal>,
}

fn analyst() -> String {
    "heart-institute/analyst".into()
}

fn care() -> String {
    "cardiac-care".into()
}

fn november() -> String {
    "2026-11-01".into()
}

#[test]
fn questions_are_decided_as_written_down() {
    let agreements = [signed(&agreement(&read("agreement.toml")))];
    let queries: Queries = toml::from_str(&read("queries.toml")).expect("queries.toml can be read");
    let mut codes: BTreeMap<Option<Code>, usize> = BTreeMap::new();
    for Query { sql, touches, who, purpose, on, refused, .. } in queries.query {
        let (organisation, role) = who.split_once('/').expect("organisation/role");
        let who = caller(organisation, role, &[&purpose]);
        let purpose = Purpose::new(purpose);
        let named = Named { purpose: Some(&purpose), ..Named::default() };
        let admitted = admit(&agreements, &who, named, day(&on));
        let decision = admitted.and_then(|admitted| decide(&admitted, &touches)).err();
        assert_eq!(decision, refused, "{sql}");
        *codes.entry(refused.map(|refusal| refusal.code)).or_default() += 1;
    }
    for code in [Code::ColumnUse, Code::LiteralCompare, Code::Function, Code::Recipient, Code::Purpose] {
        assert!(codes.contains_key(&Some(code)), "no question shows {code}");
    }
    assert!(codes[&None] >= 10, "{codes:?}");
}

/// What the data and the model of the demo rely on.
#[test]
fn the_heart_agreement_says_what_it_should() {
    let heart = agreement(&read("agreement.toml"));
    assert_eq!(
        heart.controllers().map(|c| c.as_str()).collect::<Vec<_>>(),
        ["budapest", "cleveland", "long-beach", "zurich-basel"]
    );
    let cardiac = &heart.tables()[&"cardiac".into()];
    let rules = cardiac.rules();
    assert_eq!((rules.entity, heart.minimum()), (Some("patient".into()), Some(10)));
    assert_eq!(cardiac.columns().len(), 15);
    assert_eq!(cardiac.visible_columns().count(), 15);
    let rule = |name: &str| &rules.columns[&name.into()];
    assert!(rule("age").required && !rule("age").missing_public);
    assert_eq!(rule("age").domain, Some(Domain::Range { from: 20, to: 90 }));
    assert!(!rule("slope").required && rule("slope").missing_public);
    assert_eq!(rule("sex").domain.as_ref().map(Domain::size), Some(2));
    assert_eq!(rule("vessels").domain.iter().flat_map(Domain::values).nth(3), Some(DomainValue::Integer(3)));
    assert_eq!(rule("patient").domain, None);
    assert_eq!(heart.file().agreement.dpia.as_ref().map(|dpia| dpia.reference.as_str()), Some("DPIA-HRT-7"));
}

#[test]
fn bad_agreements_tell_their_author_what_to_do() {
    let mut seen = 0;
    for path in bad() {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        let text = std::fs::read_to_string(&path).expect("readable");
        let error = parse(&text, name).expect_err(name);
        for problem in error.problems() {
            assert!(!problem.span().is_empty() && problem.span().end <= text.len(), "{name}: points nowhere");
            for word in ["u32", "i64", "struct", "enum", "variant", "untagged"] {
                assert!(!problem.message().contains(word), "{name}: `{word}` is no word for an author");
            }
        }
        let mut message = String::new();
        GraphicalReportHandler::new_themed(GraphicalTheme::none())
            .with_width(100)
            .render_report(&mut message, &error)
            .expect("renders");
        let message: String = message.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        let expected = path.with_extension("expected");
        if std::env::var_os("LIQUID_PUBLISH").is_some() {
            std::fs::write(&expected, &message).expect("writable");
        }
        assert_eq!(message, std::fs::read_to_string(&expected).expect(name), "{name}");
        seen += 1;
    }
    assert!(seen >= 40, "only {seen} bad agreements were found");
}

/// Each bad agreement is one edit away from the same good one: one line of it gives way, to three at most.
#[test]
fn bad_agreements_are_bad_for_their_own_reason_alone() {
    for path in bad() {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        if name == "several-mistakes.toml" {
            continue;
        }
        let zero = std::fs::read_to_string(path.with_file_name("minimum-zero.toml")).expect("readable");
        let good = zero.replace("minimum_contributors = 0", "minimum_contributors = 10");
        parse(&good, "good.toml").expect("good");
        let good: Vec<&str> = good.lines().collect();
        let text = std::fs::read_to_string(&path).expect("readable");
        let bad: Vec<&str> = text.lines().collect();
        let before = good.iter().zip(&bad).take_while(|(good, bad)| good == bad).count();
        let (good, bad) = (good.split_at(before).1, bad.split_at(before).1);
        let after = good.iter().rev().zip(bad.iter().rev()).take_while(|(good, bad)| good == bad).count();
        let (gone, come) = (good.len() - after, bad.len() - after);
        assert!(gone <= 1 && come <= 3 && gone + come > 0, "{name}: {gone} lines give way to {come}");
    }
}
