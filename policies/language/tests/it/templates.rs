//! Approved queries in an agreement: their names, files and roles; who may call which; and that nothing else may be asked where
//! it says so.

use std::sync::Arc;

use liquid_policy::admit::{Named, admit};
use liquid_policy::footprint::{Aggregate, Argument, Footprint, Function};
use liquid_policy::template::{callable, description};
use liquid_policy::{Agreement, Code, ParseError, decide, parse_beside};
use ring::digest::{SHA256, digest};

use crate::support::{SMALL, caller, day, signed};

const TEXT: &str = "-- Visits in one ward.\n--   By sex.\n\nSELECT count(*) FROM t -- all of them\n";

/// A count of all rows.
fn cell() -> Footprint {
    let aggregates = vec![Aggregate { function: Function::Count, argument: Argument::Rows, filter: vec![] }];
    Footprint {
        tables: vec!["t".into()],
        joins: vec![],
        mixed: false,
        filter: vec![],
        groups: vec![],
        aggregates,
        dates: vec![],
        step: None,
    }
}

fn hash(text: &[u8]) -> String {
    hex::encode(digest(&SHA256, text))
}

fn written(lines: &str, only: bool) -> String {
    let release = if only { "[release]\ntemplates_only = true\n" } else { "" };
    format!("{SMALL}[[template]]\n{lines}\n{release}")
}

fn read(lines: &str, only: bool, content: &[u8]) -> Result<Agreement, ParseError> {
    parse_beside(&written(lines, only), "t.toml", &|name, _| {
        if name == "by-ward.sql" { Ok(content.to_vec()) } else { Err("it is not there".to_owned()) }
    })
}

fn good() -> String {
    format!("name = \"by-ward\"\nsha256 = \"{}\"\nroles = [\"analyst\"]", hash(TEXT.as_bytes()))
}

#[test]
fn the_text_is_the_one_that_the_parties_agreed_on() {
    let agreement = read(&good(), false, TEXT.as_bytes()).expect("an agreement");
    let template = &agreement.templates()[&"by-ward".into()];
    assert_eq!((template.text(), template.sha256()), (TEXT, hash(TEXT.as_bytes()).as_str()));
    assert_eq!(template.description(), "Visits in one ward. By sex.");
    let beside: Vec<_> = agreement.file().beside().into_iter().collect();
    assert_eq!(beside, [("by-ward.sql".to_owned(), hash(TEXT.as_bytes()))]);
}

#[test]
fn a_template_that_is_not_in_order_is_pointed_at() {
    let other = TEXT.replace("count(*)", "sum(x)");
    for (lines, content, says, at) in [
        (good(), other.as_bytes(), "is not the file that is agreed on", "\""),
        (
            good().replace("by-ward", "by-age"),
            TEXT.as_bytes(),
            "cannot be read: it is not there",
            "\"by-age\"",
        ),
        (good().replace("by-ward", "By Ward"), TEXT.as_bytes(), "is called by its name", "\"By Ward\""),
        (good().replace("by-ward", "../by-ward"), TEXT.as_bytes(), "is called by its name", "\"../by-ward\""),
        (good().replace("by-ward", "-by"), TEXT.as_bytes(), "is called by its name", "\"-by\""),
        (good().replace("\"analyst\"", ""), TEXT.as_bytes(), "`roles` is empty", "[]"),
        (good().replace("\nroles = [\"analyst\"]", ""), TEXT.as_bytes(), "`roles` is empty", "[[template]]"),
        (
            good().replace("\"analyst\"", "\"clerk\""),
            TEXT.as_bytes(),
            "no recipient has the role `clerk`",
            "\"clerk\"",
        ),
        (good() + "\nreserve = true", TEXT.as_bytes(), "is enforced by this version as `false` only", "true"),
    ] {
        let error = read(&lines, false, content).expect_err(&lines);
        let problems: Vec<_> = error.problems().collect();
        let [problem] = problems.as_slice() else { panic!("{lines}: {problems:?}") };
        assert!(problem.message().contains(says), "{lines}: {}", problem.message());
        let text = written(&lines, false);
        assert!(text[problem.span()].starts_with(at), "{lines}: points at {}", &text[problem.span()]);
    }
    assert!(read(&(good() + "\nreserve = false"), false, TEXT.as_bytes()).is_ok());
}

#[test]
fn a_text_that_hides_something_is_no_text_to_sign() {
    let long = vec![b' '; (16 << 10) + 1];
    for content in
        [b"SELECT 1 -- \xff".as_slice(), "SELECT 1 -- \u{202e}".as_bytes(), b"SELECT\x1b[8m 1", &long]
    {
        let lines = good().replace(&hash(TEXT.as_bytes()), &hash(content));
        let error = read(&lines, false, content).expect_err("no plain text");
        let said = error.problems().next().expect("a problem").message();
        assert!(said.contains("no plain text") || said.contains("longer than"), "{said}");
    }
}

#[test]
fn where_only_templates_may_be_asked_no_other_question_has_a_permit() {
    let ann = caller("institute", "analyst", &["care"]);
    for only in [false, true] {
        let agreement = Arc::new(read(&good(), only, TEXT.as_bytes()).expect("an agreement"));
        let admitted =
            admit(&[signed(&agreement)], &ann, Named::default(), day("2026-03-01")).expect("a recipient");
        let freely = decide(&admitted, &cell());
        assert_eq!(freely.is_err(), only);
        if let Err(refusal) = freely {
            assert_eq!(
                (refusal.code, refusal.clause.as_str()),
                (Code::TemplateOnly, "release.templates_only")
            );
            assert!(refusal.fix.contains("liquid templates"));
        }
        let calling = admitted.calling("by-ward").expect("approved for analysts");
        assert!(decide(&calling, &cell()).is_ok());
        // Approval adds no right: what the agreement refuses is refused in a call too.
        let mut more = cell();
        more.filter = vec!["person".into()];
        assert!(decide(&calling, &more).is_err_and(|refusal| refusal.code != Code::TemplateOnly));
    }
}

#[test]
fn a_template_is_for_its_roles_and_for_nobody_else() {
    let more =
        "[[recipient]]\norganisation = \"bureau\"\nroles = [\"lead\"]\npurposes = [\"care\"]\n[table.t]";
    let text = written(&good().replace("\"analyst\"", "\"lead\""), true).replacen("[table.t]", more, 1);
    let agreement = parse_beside(&text, "t.toml", &|_, _| Ok(TEXT.into())).expect("an agreement");
    let may = |organisation: &str, roles: &[&str], purpose: &str| {
        let mut who = caller(organisation, roles[0], &["care"]);
        who.roles = roles.iter().map(|role| (*role).into()).collect();
        callable(&agreement, &who, Some(&purpose.into())).next().is_some()
    };
    assert!(may("bureau", &["lead"], "care"));
    assert!(may("bureau", &["guest", "lead"], "care"));
    assert!(!may("bureau", &["lead"], "audit"));
    assert!(!may("institute", &["analyst"], "care"));
    // A role that the agreement gives to another organisation, or for another purpose, is none here.
    assert!(!may("institute", &["analyst", "lead"], "care"));
    assert!(may("institute", &["analyst", "lead"], "research"));
    assert!(!may("bureau", &["lead"], "research"));
    let agreement = Arc::new(agreement);
    let ann = caller("institute", "analyst", &["care"]);
    let admitted =
        admit(&[signed(&agreement)], &ann, Named::default(), day("2026-03-01")).expect("a recipient");
    let unknown = admitted.calling("by-age").expect_err("there is none");
    assert_eq!(admitted.calling("by-ward").expect_err("not for analysts"), unknown, "both sound the same");
}

#[test]
fn lint_says_who_can_call_nothing() {
    let said = |lines: &str, only: bool| -> Vec<String> {
        let file = liquid_policy::parse::read(&written(lines, only), "t.toml").expect("keys");
        let advice = liquid_policy::lint::lint(&file, day("2026-03-01")).into_iter();
        advice
            .map(|it| it.message)
            .filter(|it| it.contains("approved queries") || it.contains("same text"))
            .collect()
    };
    assert_eq!(said(&good(), false), [""; 0]);
    assert_eq!(
        said(&good(), true),
        ["only approved queries may be asked, and `institute` may call none as `lead`"]
    );
    let twice = good() + "\n[[template]]\n" + &good().replace("by-ward", "by-town");
    assert_eq!(said(&twice, false), ["the templates `by-ward` and `by-town` are the same text"]);
    let none = written("x", true).replace("[[template]]\nx\n", "");
    let file = liquid_policy::parse::read(&none, "t.toml").expect("keys");
    let advice = liquid_policy::lint::lint(&file, day("2026-03-01"));
    assert!(advice.iter().any(|it| it.message.contains("there is none, so nobody can ask anything")));
}

#[test]
fn a_description_is_what_stands_before_the_query() {
    for (text, said) in [
        ("SELECT 1 -- no", ""),
        ("\n  -- one\n--- two ---\n--\n-- three\nSELECT 1", "one two --- three"),
        ("/* no */ -- no\nSELECT 1", ""),
        ("", ""),
    ] {
        assert_eq!(description(text), said, "{text}");
    }
}

#[test]
fn those_who_sign_read_what_a_query_asks() {
    let file = liquid_policy::parse::read(&written(&good(), true), "t.toml").expect("keys");
    let page = |text: Option<&str>| {
        liquid_policy::render::plain(&liquid_policy::render::render_with(&file, &|_, _| {
            text.map(str::to_owned)
        }))
    };
    let flat = |text: Option<&str>| page(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let told = flat(Some(TEXT));
    for part in ["by-ward", "Visits in one ward. By sex.", "SELECT count(*) FROM t -- all of them", "analyst"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!flat(None).contains("SELECT"));
    assert!(flat(Some("SELECT 1")).contains("does not say in words what it asks"));
    assert_ne!(
        flat(Some(TEXT)),
        flat(Some(&TEXT.replace("all", "some"))),
        "another text is told in other words"
    );
}
