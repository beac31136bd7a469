//! Approved queries at a node: what is asked by name, what else is turned away, who sees which, and texts that are not the agreed
//! ones. The engine is a script here; real plans are compared in the tests of the whole federation.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use liquid_node::Node;
use liquid_node_api::Error;
use liquid_node_api::call::{Argument, Call};
use liquid_node_api::catalogue::Catalogue;
use liquid_node_api::channel::NodeChannel;
use liquid_node_api::governance::{FileBeside, Governance};
use liquid_node_api::parameter::Parameter;
use liquid_node_api::request::SiteRequest;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Code, SignatureFile, parse_beside};
use ring::digest::{SHA256, digest};

use crate::site::{AGREEMENT, CONTROLLER_SEED, Site, ask_with, changed, request, say, token, way};

const TEXT: &str = "-- How many.\nSELECT sex, count(*) FROM cardiac WHERE age > $least GROUP BY sex";

fn written(only: bool, text: &str) -> String {
    let hash = hex::encode(digest(&SHA256, text.as_bytes()));
    let template =
        format!("[[template]]\nname = \"counted\"\nsha256 = \"{hash}\"\nroles = [\"analyst\"]\n[release]");
    let only = format!("{template}\ntemplates_only = {only}");
    AGREEMENT
        .replace("[release]", &only)
        .replace("roles = [\"analyst\"]\npurposes", "roles = [\"analyst\", \"clerk\"]\npurposes")
}

fn approval(text: &str, content: &str) -> Statement {
    let agreement = parse_beside(text, "one", &|_, _| Ok(content.into())).unwrap();
    say(CONTROLLER_SEED, Act::Approve { agreement: agreement.hash().clone() })
}

/// A site at which the query is approved.
fn approving(only: bool) -> Site {
    let site = Site::new();
    let text = written(only, TEXT);
    let signatures = SignatureFile { signatures: vec![approval(&text, TEXT)] }.to_string();
    std::fs::write(site.path("agreements/counted.sql"), TEXT).unwrap();
    std::fs::write(site.path("agreements/one.toml"), text).unwrap();
    std::fs::write(site.path("agreements/one.sig.toml"), signatures).unwrap();
    site
}

fn call(name: &str) -> Call {
    let argument = Argument { name: None, value: Parameter::Int64(Some(18)) };
    Call { name: name.into(), arguments: vec![argument] }
}

/// A coordinator that says that `sql` is a cut of an approved query.
async fn cut_of(node: &Arc<Node>, sql: &str, name: &str) -> Result<(), Error> {
    let asked = SiteRequest { call: Some(call(name)), ..request(sql) };
    ask_with(node, token(), asked).await.map(drop)
}

async fn freely(node: &Arc<Node>, sql: &str) -> Result<(), Error> {
    ask_with(node, token(), request(sql)).await.map(drop)
}

fn code(asked: Result<(), Error>) -> Option<Code> {
    match asked {
        Err(Error::Refused { refusal }) => Some(refusal.code),
        Err(other) => panic!("{other}"),
        Ok(()) => None,
    }
}

#[tokio::test]
async fn nothing_but_approved_queries_is_planned_where_nothing_else_may_be_asked() {
    let mut site = approving(true);
    let node = site.open().await;
    for sql in ["counted", "named", "invalid", "SELECT 1", TEXT] {
        assert_eq!(code(freely(&node, sql).await), Some(Code::TemplateOnly), "{sql}");
    }
    assert_eq!(site.seen.planned.load(Ordering::SeqCst), 0, "no engine has seen them");
    let Err(Error::Refused { refusal }) = freely(&node, "SELECT 1").await else { panic!("refused") };
    assert_eq!(refusal.clause, "release.templates_only");
    assert!(refusal.fix.contains("`liquid templates`"), "{}", refusal.fix);
    // By name the node runs its own text; a coordinator's cut must be one of it.
    freely(&node, "EXECUTE \"counted\"(18)").await.unwrap();
    cut_of(&node, "cut", "counted").await.unwrap();
    assert_eq!(code(cut_of(&node, "another cut", "counted").await), Some(Code::TemplateOnly));
    assert_eq!(site.seen.ran(), 2);
    for (asked, name) in
        [(cut_of(&node, "cut", "unknown").await, "unknown"), (cut_of(&node, "cut", "").await, "")]
    {
        let error = asked.unwrap_err();
        assert!(matches!(&error, Error::Invalid { fix, .. } if fix.contains("`counted`")), "{name}: {error}");
    }
    assert_eq!(site.outcomes().len(), 11, "each of them is on record");
}

#[tokio::test]
async fn a_cut_that_claims_to_be_approved_is_compared_where_any_question_may_be_asked_too() {
    let mut site = approving(false);
    let node = site.open().await;
    assert_eq!(code(freely(&node, "counted").await), None);
    assert_eq!(code(cut_of(&node, "another cut", "counted").await), Some(Code::TemplateOnly));
}

#[tokio::test]
async fn who_may_not_call_a_query_neither_sees_it_nor_calls_it() {
    let mut site = approving(true);
    let node = site.open().await;
    let clerk = changed(|claims| claims["roles"] = serde_json::json!(["clerk"]));
    let seen = |catalogue: Catalogue| -> Vec<String> {
        catalogue.templates().map(|open| open.template.name.to_string()).collect()
    };
    let open: Vec<_> = way(&node).catalogue(&token()).await.unwrap().templates().collect();
    assert_eq!((open[0].template.description.as_str(), open[0].template.text.as_str()), ("How many.", TEXT));
    assert_eq!(open[0].template.parameters[0].name, "least");
    assert_eq!(seen(way(&node).catalogue(&token()).await.unwrap()), ["counted"]);
    assert_eq!(seen(way(&node).catalogue(&clerk).await.unwrap()), [""; 0]);
    let mut errors = Vec::new();
    for name in ["counted", "unknown"] {
        let asked = SiteRequest { call: Some(call(name)), ..request("cut") };
        errors.push(ask_with(&node, clerk.clone(), asked).await.unwrap_err().to_string());
        let asked = request(&format!("EXECUTE \"{name}\"(18)"));
        errors.push(ask_with(&node, clerk.clone(), asked).await.unwrap_err().to_string());
    }
    errors.dedup_by_key(|error| error.split(" (").next().unwrap().to_owned());
    assert_eq!(errors.len(), 1, "what there is and what there is not sound the same: {errors:?}");
    assert_eq!(site.seen.planned.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn another_text_never_stands_in_for_the_agreed_one() {
    let mut site = approving(true);
    std::fs::write(site.path("agreements/counted.sql"), TEXT.replace("count(*)", "avg(chol)")).unwrap();
    let node = site.open().await;
    assert!(node.agreements().unreadable()[0].1.contains("is not the file that is agreed on"));
    assert_eq!(code(freely(&node, "EXECUTE \"counted\"(18)").await), Some(Code::Unsigned));
    std::fs::write(site.path("agreements/counted.sql"), TEXT).unwrap();
    node.agreements().refresh().unwrap();
    freely(&node, "EXECUTE \"counted\"(18)").await.unwrap();
    // Once it was read, what was agreed on stays in force whatever becomes of the file.
    std::fs::remove_file(site.path("agreements/counted.sql")).unwrap();
    node.agreements().refresh().unwrap();
    freely(&node, "EXECUTE \"counted\"(18)").await.unwrap();
    assert_eq!(code(freely(&node, "counted").await), Some(Code::TemplateOnly));
}

#[tokio::test]
async fn a_new_version_that_takes_questions_away_takes_those_that_run_too() {
    let mut site = approving(false);
    let node = site.open().await;
    let running = {
        let node = Arc::clone(&node);
        tokio::spawn(async move { freely(&node, "brief").await })
    };
    while site.seen.ran() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let text = written(true, TEXT);
    let signatures = SignatureFile { signatures: vec![approval(&text, TEXT)] }.to_string();
    std::fs::write(site.path("agreements/one.sig.toml"), signatures).unwrap();
    std::fs::write(site.path("agreements/one.toml"), text).unwrap();
    node.agreements().refresh().unwrap();
    assert_eq!(code(running.await.unwrap()), Some(Code::TemplateOnly));
}

#[tokio::test]
async fn files_travel_with_a_proposal_and_are_held_by_their_hashes() {
    let mut site = Site::new();
    let node = site.open().await;
    let next = written(true, TEXT).replace("version = \"1.0.0\"", "version = \"2.0.0\"");
    let agreement = parse_beside(&next, "two", &|_, _| Ok(TEXT.into())).unwrap();
    let (hash, file) = (agreement.hash().clone(), hex::encode(digest(&SHA256, TEXT.as_bytes())));
    let board = changed(|claims| {
        (claims["org"], claims["roles"]) = ("cleveland".into(), serde_json::json!(["board"]));
        claims["purposes"] = serde_json::json!([]);
    });
    let wrote = say(CONTROLLER_SEED, Act::Write { agreement: hash.clone() });
    let propose = |files: &[(&str, &str)]| {
        let file = |(name, text): &(&str, &str)| FileBeside { name: (*name).into(), text: (*text).into() };
        let files = files.iter().map(file).collect();
        Governance::Propose { text: next.clone(), statements: vec![wrote.clone()], files }
    };
    let long = "x".repeat(1 << 20);
    for (files, says) in [
        (&[][..], "cannot be read"),
        (&[("counted.sql", "SELECT 1")], "cannot be read"),
        (&[("other.sql", TEXT)], "cannot be read"),
        (&[("counted.sql", TEXT), ("more.csv", &long)], "too large to travel"),
    ] {
        let error = way(&node).governance(&board, &propose(files)).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert!(!site.path("agreements/held/beside").exists(), "nothing of it was kept");
    let sent = propose(&[("counted.sql", TEXT), ("../one.toml", "schema = ")]);
    let answer = way(&node).governance(&board, &sent).await.unwrap();
    let version = answer.agreements.iter().flat_map(|it| &it.versions).find(|it| it.hash == hash).unwrap();
    assert_eq!(version.beside["counted.sql"], file);
    let held: Vec<_> = std::fs::read_dir(site.path("agreements/held/beside")).unwrap().flatten().collect();
    assert_eq!(held.len(), 1, "what the version does not name is not kept");
    // A party's people get it back; nobody else does.
    let wanted = Governance::Status { texts: vec![hash], files: vec![file.clone(), "00".repeat(32)] };
    let answer = way(&node).governance(&board, &wanted).await.unwrap();
    assert_eq!(answer.files.into_iter().collect::<Vec<_>>(), [(file, TEXT.to_owned())]);
    assert!(way(&node).governance(&token(), &wanted).await.unwrap().files.is_empty());
}
