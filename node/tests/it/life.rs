//! Agreements change while a node runs: by files, by what their parties say, and in the middle of a question.

use std::sync::Arc;
use std::time::Duration;

use liquid_node::Node;
use liquid_node::audit::{Body, Outcome};
use liquid_node_api::Error;
use liquid_node_api::channel::{NodeChannel, Token};
use liquid_node_api::governance::{Governance, SiteGovernance};
use liquid_node_api::request::SiteRequest;
use liquid_policy::signature::SignatureFile;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Code, parse};

use crate::site::{
    AGREEMENT, CONTROLLER_SEED, Site, ask, ask_with, changed, noon, request, say, say_at, token, way,
};

/// Of the controller's own people; they may not ask for data.
pub(crate) fn board() -> Token {
    changed(|claims| {
        claims["org"] = "cleveland".into();
        claims["roles"] = serde_json::json!(["board"]);
        claims["purposes"] = serde_json::json!([]);
    })
}

pub(crate) async fn tell(node: &Arc<Node>, message: Governance) -> Result<SiteGovernance, Error> {
    way(node).governance(&board(), &message).await
}

pub(crate) async fn said(node: &Arc<Node>, statements: Vec<Statement>) -> Result<SiteGovernance, Error> {
    tell(node, Governance::Say { statements }).await
}

pub(crate) fn code(answer: Result<liquid_node_api::channel::SiteAnswer, Error>) -> Option<Code> {
    match answer {
        Ok(_) => None,
        Err(Error::Refused { refusal }) => Some(refusal.code),
        Err(other) => panic!("{other}"),
    }
}

/// A version after [`AGREEMENT`], with `edit` made to its text.
pub(crate) fn follower(version: &str, edit: (&str, &str)) -> String {
    let hash = parse(AGREEMENT, "one").unwrap().hash().clone();
    let text = AGREEMENT
        .replace("version = \"1.0.0\"", &format!("version = \"{version}\"\nsupersedes = \"sha256:{hash}\""))
        .replace(edit.0, edit.1);
    assert_ne!(text, AGREEMENT);
    text
}

pub(crate) fn suspend() -> Statement {
    say(CONTROLLER_SEED, Act::Suspend { id: "A-1".into() })
}

#[tokio::test]
async fn files_count_as_they_change_and_the_last_good_copy_stays() {
    let mut site = Site::new();
    let node = site.open().await;
    let file = site.path("agreements/one.toml");
    let refresh = || node.agreements().refresh().unwrap();
    ask(&node, "counted").await.unwrap();
    // What nobody can read is no agreement, and the one before stays; also for a node that starts only now.
    std::fs::write(&file, "schema = ").unwrap();
    refresh();
    assert_eq!(node.agreements().unreadable().len(), 1);
    ask(&node, "counted").await.unwrap();
    drop(node);
    let node = site.open().await;
    let refresh = || node.agreements().refresh().unwrap();
    ask(&node, "counted").await.unwrap();
    // What can be read and is not signed is another agreement.
    std::fs::write(&file, AGREEMENT.replace("rows_out_max = 2", "rows_out_max = 3")).unwrap();
    refresh();
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Unsigned));
    std::fs::write(&file, AGREEMENT).unwrap();
    refresh();
    ask(&node, "counted").await.unwrap();
    // What is taken away is gone, and no copy brings it back.
    std::fs::rename(&file, site.path("away")).unwrap();
    refresh();
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Recipient));
    std::fs::write(&file, "schema = ").unwrap();
    refresh();
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Unsigned));
}

#[tokio::test]
async fn a_suspension_stops_what_runs_and_outlives_the_node() {
    let mut site = Site::new();
    let node = site.open().await;
    let running = tokio::spawn({
        let node = Arc::clone(&node);
        async move { ask(&node, "slow").await }
    });
    while site.seen.ran() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let standing = said(&node, vec![suspend()]).await.unwrap();
    assert_eq!(standing.agreements[0].suspended[0].organisation.as_str(), "cleveland");
    assert_eq!(standing.statements, [suspend()], "whoever lifts it sees what was signed");
    let stopped = tokio::time::timeout(Duration::from_secs(1), running).await.expect("at once").unwrap();
    assert_eq!(code(stopped), Some(Code::Suspended));
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Suspended));
    let records = site.records();
    let Some(Body::Said(recorded)) = records.iter().find(|body| matches!(body, Body::Said(_))) else {
        panic!("{records:?}")
    };
    assert_eq!(recorded.statement, suspend());
    assert_eq!(recorded.sent_by.as_ref().unwrap().organisation.as_str(), "cleveland");
    assert!(matches!(site.outcomes()[0], Outcome::Refused { code: Code::Suspended, .. }));
    drop(node);
    let node = site.open().await;
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Suspended));
    let resume = Act::Resume { id: "A-1".into(), suspensions: [suspend().hash()].into() };
    said(&node, vec![say(CONTROLLER_SEED, resume)]).await.unwrap();
    ask(&node, "counted").await.unwrap();
}

#[tokio::test]
async fn nothing_is_kept_that_does_not_count() {
    let mut site = Site::new();
    let node = site.open().await;
    let known = parse(AGREEMENT, "one").unwrap().hash().clone();
    let approve = |hash: &str| Act::Approve { agreement: hash.into() };
    let mut forged = suspend();
    forged.organisation = "institute".into();
    let mut moved = suspend();
    moved.time += chrono::TimeDelta::seconds(1);
    let bad = [
        (vec![say(9, Act::Suspend { id: "A-1".into() })], "did not make this signature"),
        (vec![forged], "is not trusted here"),
        (vec![moved], "did not make this signature"),
        (vec![say(CONTROLLER_SEED, approve("00"))], "does not know"),
        (vec![say(CONTROLLER_SEED, Act::Suspend { id: "A-2".into() })], "does not know"),
        (vec![suspend(), say(9, approve(known.as_str()))], "did not make this signature"),
    ];
    for (statements, why) in bad {
        let error = said(&node, statements).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains(why), "{error}");
    }
    ask(&node, "counted").await.unwrap();
    assert!(!site.path("agreements/held/statements").exists(), "a bad one among good ones spoils them all");
    // Who is no party sees nothing of it.
    let asked = Governance::Status { texts: vec![known.clone()], files: vec![] };
    let strange = way(&node).governance(&token(), &asked).await.unwrap();
    assert!(strange.agreements.is_empty() && strange.texts.is_empty());
    let own = tell(&node, asked).await.unwrap();
    assert_eq!(own.texts.get(&known).map(String::as_str), Some(AGREEMENT));
    assert_eq!(own.agreements[0].stands.as_ref(), Some(&known));
    let nobody = way(&node)
        .governance(&Token::new("nonsense"), &Governance::Status { texts: vec![], files: vec![] })
        .await;
    assert!(matches!(nobody, Err(Error::Unauthenticated { .. })));
}

#[tokio::test]
async fn a_proposal_is_held_and_takes_over_at_its_instant() {
    let mut site = Site::new();
    let node = site.open().await;
    let text = follower(
        "2.0.0",
        ("purposes = [\"care\"]\n[table", "purposes = [\"care\"]\nresidency = [\"GB\"]\n[table"),
    );
    let hash = parse(&text, "two").unwrap().hash().clone();
    let propose = |statements| Governance::Propose { text: text.clone(), statements, files: vec![] };
    let write = say(CONTROLLER_SEED, Act::Write { agreement: hash.clone() });
    for unsigned in [vec![], vec![say(9, write.act.clone())]] {
        assert!(matches!(tell(&node, propose(unsigned)).await, Err(Error::Invalid { .. })));
    }
    let broken =
        Governance::Propose { text: "schema = ".into(), statements: vec![write.clone()], files: vec![] };
    assert!(tell(&node, broken).await.unwrap_err().to_string().contains("line 1"));
    let standing = tell(&node, propose(vec![write])).await.unwrap();
    let held = &standing.agreements[0].versions[1];
    assert_eq!((held.version.as_str(), held.placed, held.lacks.len()), ("2.0.0", false, 1));
    let approve = say(CONTROLLER_SEED, Act::Approve { agreement: hash.clone() });
    let at = noon() + chrono::TimeDelta::minutes(5);
    let activate = say(CONTROLLER_SEED, Act::Activate { agreement: hash.clone(), at });
    said(&node, vec![approve, activate]).await.unwrap();
    let answer = ask(&node, "counted").await.unwrap();
    assert_ne!(answer.report.hash, hash);
    *site.clock.lock().unwrap() = at;
    let answer = ask(&node, "counted").await.unwrap();
    assert_eq!(answer.report.hash, hash);
    let old =
        SiteRequest { pinned: Some(parse(AGREEMENT, "one").unwrap().hash().clone()), ..request("counted") };
    assert_eq!(code(ask_with(&node, token(), old).await), Some(Code::Version));
}

/// A question that runs while a new version takes over is answered only where the new one permits it too, and asks for no more.
#[tokio::test]
async fn a_question_is_held_against_the_version_that_stands_when_it_leaves() {
    let cases = [
        ("rows_out_max = 2", "rows_out_max = 20", None),
        ("minimum_contributors = 10", "minimum_contributors = 20", Some(Code::Version)),
        ("use = [\"group\", \"filter\"]", "use = [\"filter\"]", Some(Code::ColumnUse)),
        ("roles = [\"analyst\"]", "roles = [\"lead\"]", Some(Code::Recipient)),
    ];
    for (from, to, expected) in cases {
        let mut site = Site::new();
        let node = site.open().await;
        let text = follower("2.0.0", (from, to));
        site.agree("two", &text, CONTROLLER_SEED);
        std::fs::rename(site.path("agreements/two.toml"), site.path("agreements/two")).unwrap();
        let running = tokio::spawn({
            let node = Arc::clone(&node);
            async move { ask(&node, "brief").await }
        });
        while site.seen.ran() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::rename(site.path("agreements/two"), site.path("agreements/two.toml")).unwrap();
        node.agreements().refresh().unwrap();
        assert_eq!(code(running.await.unwrap()), expected, "{from} → {to}");
        if expected.is_none() {
            assert_eq!(
                ask(&node, "counted").await.unwrap().report.hash,
                *parse(&text, "two").unwrap().hash()
            );
        }
    }
}

/// Whatever was sent and cannot be read any more could be a suspension, so nothing leaves until it can.
#[tokio::test]
async fn what_was_sent_and_is_lost_closes_the_node() {
    let mut site = Site::new();
    let node = site.open().await;
    said(&node, vec![suspend()]).await.unwrap();
    let statements = site.path("agreements/held/statements");
    let file = std::fs::read_dir(&statements).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read_to_string(&file).unwrap();
    assert!(whole.starts_with("heard = \"2026-03-01T12:00:00.000Z\""), "{whole}");
    std::fs::write(&file, "x").unwrap();
    node.agreements().refresh().unwrap();
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Unsigned));
    drop(node);
    let node = site.open().await;
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Unsigned));
    std::fs::write(&file, &whole).unwrap();
    node.agreements().refresh().unwrap();
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Suspended));
}

/// A version that cannot be read any more stands in nobody's way, unless somebody has activated it: then it may be the one that stands.
#[tokio::test]
async fn a_version_that_is_lost_closes_its_agreement_alone_and_only_once_it_is_active() {
    let mut site = Site::new();
    let node = site.open().await;
    let versions = site.path("agreements/held/versions");
    let hold = |text: &str| {
        std::fs::create_dir_all(&versions).unwrap();
        std::fs::write(versions.join("00.toml"), text).unwrap();
        node.agreements().refresh().unwrap();
    };
    let of = |id: &str| format!("schema = \"liquid/agreement/1\"\n[agreement]\nid = \"{id}\"\n");
    for text in ["schema = ".to_owned(), of("B-1"), of("A-1")] {
        hold(&text);
        assert_eq!(node.agreements().unreadable().len(), 1);
        assert_eq!(code(ask(&node, "counted").await), None, "nobody has activated it: {text}");
    }
    let active = say(CONTROLLER_SEED, Act::Activate { agreement: "00".into(), at: noon() });
    let forged = say(9, active.act.clone());
    let statement = site.path("agreements/held/statements/00.toml");
    for (statements, open) in [(vec![forged], true), (vec![active], false)] {
        std::fs::create_dir_all(statement.parent().unwrap()).unwrap();
        std::fs::write(&statement, SignatureFile { signatures: statements }.to_string()).unwrap();
        hold(&of("A-1"));
        assert_eq!(code(ask(&node, "counted").await), (!open).then_some(Code::Unsigned));
        hold(&of("B-1 "));
        assert_eq!(code(ask(&node, "counted").await), None, "it is of another agreement");
        hold("schema = ");
        assert_eq!(
            code(ask(&node, "counted").await),
            (!open).then_some(Code::Unsigned),
            "nobody knows of which"
        );
    }
    std::fs::remove_file(versions.join("00.toml")).unwrap();
    node.agreements().refresh().unwrap();
    assert_eq!(code(ask(&node, "counted").await), None);
}

/// Whoever says very much keeps neither others nor themselves from stopping the agreement.
#[tokio::test]
async fn nobody_is_kept_from_suspending() {
    let mut site = Site::new();
    let node = site.open().await;
    let hash = parse(AGREEMENT, "one").unwrap().hash().clone();
    let activate = |n: i64| {
        let at = noon() + chrono::TimeDelta::days(1000 + n);
        say(CONTROLLER_SEED, Act::Activate { agreement: hash.clone(), at })
    };
    said(&node, (0..200).map(activate).collect()).await.unwrap();
    let error = said(&node, vec![activate(200)]).await.unwrap_err();
    assert!(error.to_string().contains("said too much of one kind"), "{error}");
    said(&node, vec![activate(0)]).await.expect("it is known");
    let many = said(&node, (0..201).map(|_| activate(0)).collect()).await.unwrap_err();
    assert!(many.to_string().contains("too many at once"), "{many}");
    // What one message says is counted too, and nothing of it is kept.
    let revoke =
        |n: usize| say(CONTROLLER_SEED, Act::Revoke { revoked: format!("other-{n}").as_str().into() });
    said(&node, (0..150).map(revoke).collect()).await.unwrap();
    let held = || std::fs::read_dir(site.path("agreements/held/statements")).unwrap().count();
    let before = held();
    let error = said(&node, (100..201).map(revoke).collect()).await.unwrap_err();
    assert!(error.to_string().contains("said too much of one kind"), "{error}");
    assert_eq!(held(), before);
    said(&node, (150..200).map(revoke).collect()).await.unwrap();
    // Suspensions have a count of their own.
    let later = |n: i64| {
        say_at(CONTROLLER_SEED, Act::Suspend { id: "A-1".into() }, noon() - chrono::TimeDelta::minutes(n))
    };
    said(&node, (1..50).map(later).collect()).await.unwrap();
    let error = said(&node, (51..53).map(later).collect()).await.unwrap_err();
    assert!(error.to_string().contains("said too much of one kind"), "{error}");
    said(&node, vec![suspend()]).await.unwrap();
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Suspended));
    // Whoever has stolen the key and said all that it may say does not keep its owner from giving it up.
    said(&node, vec![say(CONTROLLER_SEED, Act::Revoke { revoked: suspend().key_id })]).await.unwrap();
    let error = said(&node, vec![activate(0)]).await.unwrap_err();
    assert!(error.to_string().contains("was revoked"), "{error}");
}

/// A suspension counts on a full disk, says so, and is kept as soon as it can be.
#[tokio::test]
async fn a_suspension_that_cannot_be_written_counts_and_is_written_when_it_is_sent_again() {
    let mut site = Site::new();
    let node = site.open().await;
    let held = site.path("agreements/held");
    let kept = site.path("kept");
    std::fs::rename(&held, &kept).unwrap();
    std::fs::write(&held, "no folder").unwrap();
    let error = said(&node, vec![suspend()]).await.unwrap_err();
    assert!(error.to_string().contains("cannot write"), "{error}");
    assert!(matches!(code(ask(&node, "counted").await), Some(Code::Suspended | Code::Unsigned)));
    std::fs::remove_file(&held).unwrap();
    std::fs::rename(&kept, &held).unwrap();
    node.agreements().refresh().unwrap();
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Suspended));
    said(&node, vec![suspend()]).await.unwrap();
    drop(node);
    let node = site.open().await;
    assert_eq!(code(ask(&node, "counted").await), Some(Code::Suspended));
}

/// A text that was made to be hard to read is not read before somebody who counts has signed it.
#[tokio::test]
async fn a_strangers_proposal_is_not_read() {
    let mut site = Site::new();
    let node = site.open().await;
    let values = vec!["\"a\""; 50_000].join(", ");
    let text = AGREEMENT.replace("values = [\"F\", \"M\"]", &format!("values = [{values}]"));
    let proposal = Governance::Propose {
        text,
        statements: vec![say(9, Act::Write { agreement: "00".into() })],
        files: vec![],
    };
    let error = tell(&node, proposal).await.unwrap_err();
    // Read in full, it would be told that its values stand there twice.
    assert!(error.to_string().contains("no party whose key counts"), "{error}");
}
