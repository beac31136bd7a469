//! Drafts held against the questions of the past: what is told is what deciding each question anew says, to the site's own people
//! alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use liquid_node::Node;
use liquid_node::audit::{Body, Told, Touched};
use liquid_node::preview::preview;
use liquid_node_api::Error;
use liquid_node_api::channel::Token;
use liquid_node_api::governance::{FileBeside, Governance};
use liquid_node_api::preview::{Cells, Preview, PreviewRequest, Shown};
use liquid_node_api::sql::SessionOptions;
use liquid_node_api::tls::PeerCertificate;
use liquid_policy::decide::judge;
use liquid_policy::parse::version_of;
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{Code, Direction, SignatureFile, SigningKey, diff, parse};
use ring::digest::{SHA256, digest};

use crate::site::{AGREEMENT, CONTROLLER_SEED, COORDINATOR, Site, ask, changed, noon, say, token, way};

/// Of the site's own organisation; the token opens no data.
fn board() -> Token {
    changed(|claims| {
        claims["org"] = "cleveland".into();
        claims["sub"] = "guardian".into();
        claims["roles"] = serde_json::json!(["board"]);
        claims["purposes"] = serde_json::json!([]);
    })
}

fn nonce() -> String {
    liquid_node_api::sql::request_id().to_string()
}

/// A request that is signed for this text.
fn request(text: &str, days: u32) -> PreviewRequest {
    let draft = version_of(text).unwrap();
    let asked = say(CONTROLLER_SEED, Act::Preview { draft, site: "cleveland".into(), days, nonce: nonce() });
    PreviewRequest { text: text.to_owned(), files: vec![], asked }
}

/// Asks the node itself, as somebody without a certificate.
async fn asked(node: &Arc<Node>, token: Token, request: PreviewRequest) -> Result<Preview, Error> {
    let session = node.authenticate(Some(&token), None, SessionOptions::default())?;
    let bytes = preview(node, &session, request).await?;
    Ok(serde_json::from_slice(&bytes).unwrap())
}

/// A draft: the agreement with edits.
fn draft(edits: &[(&str, &str)]) -> String {
    let text = edits.iter().fold(AGREEMENT.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    });
    text.replace("1.0.0", "2.0.0")
}

fn tighter(minimum: u32) -> String {
    draft(&[("minimum_contributors = 10", &format!("minimum_contributors = {minimum}"))])
}

const CLOSES_SEX: (&str, &str) = ("use = [\"group\", \"filter\"], domain", "use = [\"filter\"], domain");
const OPENS_NAME: (&str, &str) = ("name = { use = [] }", "name = { use = [\"group\"] }");

/// Asks what the scripted engine knows: five questions, of which one is refused and one is not understood.
async fn past(node: &Arc<Node>) {
    for sql in ["counted", "counted", "counted", "finished", "named", "invalid"] {
        let _told = ask(node, sql).await;
    }
}

#[tokio::test]
async fn a_preview_says_what_deciding_each_question_anew_says() {
    let mut site = Site::new();
    let node = site.open().await;
    past(&node).await;
    let old = parse(AGREEMENT, "old").unwrap();
    for edits in [
        vec![CLOSES_SEX],
        vec![OPENS_NAME],
        vec![CLOSES_SEX, OPENS_NAME],
        vec![("roles = [\"analyst\"]", "roles = [\"planner\"]")],
        vec![("rows_out_max = 2", "rows_out_max = 1")],
        vec![("minimum_contributors = 10", "minimum_contributors = 12")],
    ] {
        let text = draft(&edits);
        let new = parse(&text, "new").unwrap();
        // Who may ask is one and the same for all of them.
        let admits = text.contains("roles = [\"analyst\"]");
        let (mut told, mut unknown) = (BTreeMap::new(), 0);
        for body in site.records() {
            let Body::Closed { cuts, .. } = body else { continue };
            if cuts.is_empty() {
                unknown += 1;
                continue;
            }
            let decided = |agreement| {
                cuts.iter().all(|cut| match cut {
                    Touched::Footprint(cut) => judge(agreement, cut).is_ok(),
                    Touched::Earlier(_) => panic!("written by this version"),
                })
            };
            *told.entry((decided(&old), admits && decided(&new))).or_insert(0_u64) += 1;
        }
        let preview = asked(&node, board(), request(&text, 30)).await.unwrap();
        assert_eq!(preview.direction, diff(&old, &new).verdict());
        let of = |old, new| {
            let exact = told.get(&(old, new)).copied().unwrap_or_default();
            let rounds = matches!(preview.direction, Direction::Loosens | Direction::Neither);
            if rounds { exact - exact % 10 } else { exact }
        };
        let questions = &preview.questions;
        let found = (
            (questions.still_permitted, questions.newly_refused),
            (questions.newly_permitted, questions.still_refused),
        );
        assert_eq!(
            found,
            ((of(true, true), of(true, false)), (of(false, true), of(false, false))),
            "{edits:?}"
        );
        if preview.rounded_to.is_none() {
            assert_eq!((questions.asked, questions.callers, questions.unknown), (6, 1, unknown));
            let reasons = preview.newly_refused.iter().map(|reason| reason.questions).sum::<u64>();
            assert_eq!(reasons, questions.newly_refused);
        }
    }
}

#[tokio::test]
async fn a_tighter_draft_is_told_cell_by_cell_and_a_looser_one_in_round_totals() {
    let mut site = Site::new();
    let node = site.open().await;
    past(&node).await;
    let ran = site.seen.ran();
    // Twenty women and three men.
    for (minimum, withheld) in [(11, 1), (20, 1), (21, 2)] {
        let preview = asked(&node, board(), request(&tighter(minimum), 30)).await.unwrap();
        let Cells::ByQuestion { answers, too_long, not_run, not_counted } = preview.cells else { panic!() };
        assert_eq!((answers.len(), too_long, not_run, not_counted), (2, 0, 0, 0));
        let counted = &answers[0];
        assert_eq!((counted.question.as_str(), counted.asked), ("counted", 3));
        assert_eq!(counted.standing, Shown { rows: 2, withheld: 1 });
        assert_eq!(counted.draft, Shown { rows: 2, withheld }, "{minimum}");
        assert_eq!((counted.newly_withheld, counted.groups_gone), (withheld - 1, 0));
        assert_eq!(preview.rounded_to, None);
    }
    assert_eq!(site.seen.ran(), ran + 3 * 2 * 2, "each question under both versions");
    let shorter = draft(&[("rows_out_max = 2", "rows_out_max = 1")]);
    let preview = asked(&node, board(), request(&shorter, 30)).await.unwrap();
    assert!(matches!(preview.cells, Cells::ByQuestion { too_long: 2, .. }), "{preview:?}");
    let before = site.seen.ran();
    for edits in [
        vec![("minimum_contributors = 10", "minimum_contributors = 3")],
        // Looser in one place and tighter in another.
        vec![("minimum_contributors = 10", "minimum_contributors = 12"), OPENS_NAME],
        vec![("minimum_contributors = 10", "minimum_contributors = 12"), (", required = true", "")],
    ] {
        let preview = asked(&node, board(), request(&draft(&edits), 30)).await.unwrap();
        let to = u64::from(preview.rounded_to.unwrap());
        assert!(to == 10 || to == 12, "{edits:?}");
        let Cells::Totals { answers, withheld } = preview.cells else { panic!("{edits:?}") };
        let questions = preview.questions;
        for number in [answers, withheld, questions.asked, questions.callers, questions.newly_permitted] {
            assert_eq!(number % to, 0, "{edits:?}");
        }
    }
    assert_eq!(site.seen.ran(), before, "nothing is computed for a draft that may loosen");
}

#[tokio::test]
async fn a_draft_that_changes_what_is_computed_is_not_counted() {
    let mut site = Site::new();
    let text = AGREEMENT.replace("required = true", "required = true, missing = \"public\"");
    site.agree("one", &text.replace(", required = true", ""), CONTROLLER_SEED);
    let node = site.open().await;
    past(&node).await;
    let before = site.seen.ran();
    let missing = text.replace(", required = true, missing = \"public\"", "").replace("1.0.0", "2.0.0");
    let preview = asked(&node, board(), request(&missing, 30)).await.unwrap();
    assert_eq!(preview.direction, Direction::Tightens);
    let Cells::ByQuestion { answers, not_counted, .. } = preview.cells else { panic!() };
    assert_eq!((answers.len(), not_counted), (0, 2));
    assert_eq!(site.seen.ran(), before);
}

fn refused(told: Result<Preview, Error>) -> (Code, String) {
    match told {
        Err(Error::Refused { refusal }) => (refusal.code, refusal.clause),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_else_is_told_anything_and_all_of_it_is_on_record() {
    let mut site = Site::new();
    let approvers =
        AGREEMENT.replace("role = \"controller\"", "role = \"controller\"\napprovers = [\"siro\"]");
    site.agree("one", &approvers, CONTROLLER_SEED);
    let node = site.open().await;
    past(&node).await;
    let text = approvers.replace("1.0.0", "2.0.0").replace("= 10", "= 12");
    let good = request(&text, 30);
    // The key of this configuration is bound to no role, and the agreement names those who approve it.
    assert_eq!(
        refused(asked(&node, board(), good.clone()).await),
        (Code::Recipient, "party.approvers".into())
    );
    // Another organisation's token, or signature.
    let own_only = (Code::Recipient, "liquid.preview".to_owned());
    assert_eq!(refused(asked(&node, token(), good.clone()).await), own_only);
    let other =
        Signer { organisation: "institute".into(), role: "siro".into(), key_id: "k1".into(), time: noon() };
    let forged = SigningKey::from_seed(&[CONTROLLER_SEED; 32]).unwrap().say(good.asked.act.clone(), other);
    let forged = PreviewRequest { asked: forged, ..good.clone() };
    assert_eq!(refused(asked(&node, board(), forged).await), own_only);
    // Whoever carries questions carries no preview, with the best of tokens.
    let carrier = Some(PeerCertificate { identity: COORDINATOR.parse().unwrap() });
    let session = node.authenticate(Some(&board()), carrier, SessionOptions::default()).unwrap();
    let carried = preview(&node, &session, good).await;
    assert!(matches!(carried, Err(Error::Refused { refusal }) if refusal.clause == "liquid.preview"));
    let previewed: Vec<_> = site
        .records()
        .into_iter()
        .filter_map(|body| match body {
            Body::Previewed(it) => Some(it),
            _ => None,
        })
        .collect();
    assert_eq!(previewed.len(), 4);
    assert!(previewed.iter().all(|it| matches!(it.told, Told::Refused { code: Code::Recipient, .. })));
    assert_eq!(previewed[3].carried_by.as_deref(), Some(COORDINATOR));
}

#[tokio::test]
async fn a_signature_is_for_one_draft_one_site_some_minutes_and_one_time() {
    let mut site = Site::new();
    let node = site.open().await;
    past(&node).await;
    let good = request(&tighter(12), 30);
    let act = |site: &str, days| {
        let draft = parse(&tighter(12), "draft").unwrap().hash().clone();
        Act::Preview { draft, site: site.into(), days, nonce: nonce() }
    };
    let late = |asked: Statement, minutes| {
        let signer = Signer {
            organisation: asked.organisation,
            role: asked.role,
            key_id: asked.key_id,
            time: noon() + TimeDelta::minutes(minutes),
        };
        SigningKey::from_seed(&[CONTROLLER_SEED; 32]).unwrap().say(asked.act, signer)
    };
    let by = |asked: Statement| PreviewRequest { asked, ..good.clone() };
    for (request, says) in [
        (PreviewRequest { text: tighter(13), ..good.clone() }, "for another draft"),
        (by(say(CONTROLLER_SEED, act("budapest", 30))), "for site `budapest`"),
        (by(say(CONTROLLER_SEED, act("cleveland", 0))), "out of range"),
        (by(say(CONTROLLER_SEED, act("cleveland", 100_000))), "out of range"),
        (by(say(CONTROLLER_SEED, Act::Suspend { id: "A-1".into() })), "something else was signed"),
        (by(late(good.asked.clone(), 6)), "five minutes"),
        (by(late(good.asked.clone(), -6)), "five minutes"),
        (PreviewRequest { text: "schema = ".to_owned(), ..good.clone() }, "could not keep it"),
        (request(&tighter(12).replace("cardiac", "hepatic"), 30), "table `hepatic`"),
        (request(&tighter(12).replace("A-1", "A-2"), 30), "no version of agreement `A-2`"),
    ] {
        let error = asked(&node, board(), request).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains(says), "{error}");
    }
    // A key that is not trusted here made it, or it was changed on the way.
    let by_nobody = by(say(9, act("cleveland", 30)));
    assert_eq!(refused(asked(&node, board(), by_nobody).await).1, "party.approvers");
    let mut changed = good.clone();
    changed.asked.act = act("cleveland", 31);
    assert_eq!(refused(asked(&node, board(), changed).await).1, "party.approvers");
    asked(&node, board(), good.clone()).await.unwrap();
    let again = asked(&node, board(), good.clone()).await.unwrap_err();
    assert!(again.to_string().contains("presented before"), "{again}");
    // It cannot be passed off as something that is said of agreements.
    let said = Governance::Say { statements: vec![good.asked] };
    let kept = liquid_node_api::NodeChannel::governance(&way(&node), &board(), &said).await.unwrap_err();
    assert!(kept.to_string().contains("changes nothing"), "{kept}");
}

/// Calls of approved queries and questions of one's own are told apart, and a call is decided as the query that it was.
#[tokio::test]
async fn approved_queries_are_held_against_a_draft_by_their_name_and_text() {
    let query = "SELECT sex, count(*) FROM cardiac GROUP BY sex\n";
    let mut site = Site::new();
    std::fs::write(site.path("agreements/by-sex.sql"), query).unwrap();
    let template = |query: &str| {
        let sha256 = hex::encode(digest(&SHA256, query.as_bytes()));
        format!("[[template]]\nname = \"by-sex\"\nsha256 = \"{sha256}\"\nroles = [\"analyst\"]\n")
    };
    let text = format!("{AGREEMENT}{}", template(query));
    let approve = say(CONTROLLER_SEED, Act::Approve { agreement: version_of(&text).unwrap() });
    let signatures = SignatureFile { signatures: vec![approve] }.to_string();
    std::fs::write(site.path("agreements/one.toml"), &text).unwrap();
    std::fs::write(site.path("agreements/one.sig.toml"), signatures).unwrap();
    let node = site.open().await;
    for sql in ["counted", "EXECUTE \"by-sex\"", "EXECUTE \"by-sex\""] {
        ask(&node, sql).await.unwrap();
    }
    let only = text.replace("rows_out_max = 2", "rows_out_max = 2\ntemplates_only = true");
    let gone = AGREEMENT.to_owned();
    let own = (Code::TemplateOnly, "release.templates_only");
    for (draft, refused, why, run) in
        [(only, 1, own, 1), (gone, 2, (Code::TemplateOnly, "template.by-sex"), 1)]
    {
        let draft = draft.replace("1.0.0", "2.0.0");
        let preview = asked(&node, board(), request(&draft, 30)).await.unwrap();
        assert_eq!(preview.direction, Direction::Tightens);
        let questions = preview.questions;
        assert_eq!((questions.still_permitted, questions.newly_refused), (3 - refused, refused));
        let reason = &preview.newly_refused[0];
        assert_eq!((reason.code, reason.clause.as_str()), why);
        let Cells::ByQuestion { answers, not_run, .. } = preview.cells else { panic!() };
        assert_eq!((answers.len(), not_run), (run, 0));
    }
    // Another text under the same name is another query.
    let other = "SELECT sex, avg(chol) FROM cardiac GROUP BY sex\n";
    let draft = format!("{AGREEMENT}{}", template(other)).replace("1.0.0", "2.0.0");
    let beside = FileBeside { name: "by-sex.sql".to_owned(), text: other.to_owned() };
    let request = PreviewRequest { files: vec![beside], ..request(&draft, 30) };
    let preview = asked(&node, board(), request).await.unwrap();
    assert_eq!(preview.direction, Direction::Neither);
    assert_eq!(preview.newly_refused[0].clause, "template.by-sex");
}

#[tokio::test]
async fn drafts_that_run_are_few_in_a_day() {
    let mut site = Site::new();
    let node = site.open().await;
    past(&node).await;
    for minimum in 11..31 {
        asked(&node, board(), request(&tighter(minimum), 30)).await.unwrap();
    }
    let more = refused(asked(&node, board(), request(&tighter(31), 30)).await);
    assert_eq!(more, (Code::Limit, "liquid.preview".to_owned()));
    // What touches no data is told all the same, and so is the next day's.
    asked(&node, board(), request(&draft(&[OPENS_NAME]), 30)).await.unwrap();
    *site.clock.lock().unwrap() += TimeDelta::days(1);
    asked_later(&site, &node, &tighter(31), 30).await.unwrap();
}

/// Asks later than [`noon`], with a token that is good by then.
async fn asked_later(site: &Site, node: &Arc<Node>, text: &str, days: u32) -> Result<Preview, Error> {
    let at = site.clock.lock().unwrap().to_owned();
    let draft = parse(text, "draft").unwrap().hash().clone();
    let signer =
        Signer { organisation: "cleveland".into(), role: "siro".into(), key_id: "k1".into(), time: at };
    let act = Act::Preview { draft, site: "cleveland".into(), days, nonce: nonce() };
    let statement = SigningKey::from_seed(&[CONTROLLER_SEED; 32]).unwrap().say(act, signer);
    let board = changed(|claims| {
        claims["org"] = "cleveland".into();
        claims["exp"] = (at.timestamp() + 600).into();
    });
    asked(node, board, PreviewRequest { text: text.to_owned(), files: vec![], asked: statement }).await
}

#[tokio::test]
async fn what_an_agreement_keeps_no_longer_is_destroyed_and_cannot_be_run() {
    let mut site = Site::new();
    let kept = AGREEMENT.replace("[[party]]", "retention = { logs_days = 2 }\n[[party]]");
    site.agree("one", &kept, CONTROLLER_SEED);
    let node = site.open().await;
    past(&node).await;
    let draft = kept.replace("1.0.0", "2.0.0").replace("= 10", "= 12");
    for (days, run) in [(0, 2), (2, 2), (3, 0)] {
        *site.clock.lock().unwrap() = noon() + TimeDelta::days(days);
        liquid_node::governance::forget(&node).await;
        let preview = asked_later(&site, &node, &draft, 30).await.unwrap();
        assert_eq!((preview.questions.asked, preview.questions.still_permitted), (6, 4), "the lines stay");
        let Cells::ByQuestion { answers, not_run, .. } = preview.cells else { panic!() };
        assert_eq!((answers.len(), not_run), (run, 2 - run as u64), "after {days} days");
    }
    let forgotten = |body: &Body| matches!(body, Body::Forgotten { .. });
    assert_eq!(site.records().iter().filter(|body| forgotten(body)).count(), 1);
}

#[tokio::test]
async fn nothing_asked_is_said_and_old_questions_are_not_counted() {
    let mut site = Site::new();
    let node = site.open().await;
    let none = asked(&node, board(), request(&tighter(12), 30)).await.unwrap_err();
    assert!(none.to_string().contains("nobody has asked anything"), "{none}");
    past(&node).await;
    *site.clock.lock().unwrap() += TimeDelta::days(3);
    ask(&node, "counted").await.unwrap_err(); // the token has run out
    let none = asked_later(&site, &node, &tighter(12), 2).await.unwrap_err();
    assert!(none.to_string().contains("last 2 days") && none.to_string().contains("--days"), "{none}");
    assert_eq!(asked_later(&site, &node, &tighter(12), 4).await.unwrap().questions.asked, 6);
}
