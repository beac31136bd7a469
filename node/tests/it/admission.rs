//! Who is turned away, with which code, and that nothing was done for them.

use std::sync::atomic::Ordering;

use liquid_node::audit::{Body, Outcome};
use liquid_node_api::Error;
use liquid_node_api::channel::{NodeChannel, Token};
use liquid_node_api::request::SiteRequest;
use liquid_policy::Code;

use crate::site::{AGREEMENT, Site, ask, ask_with, changed, noon, request, token, token_by, way, way_of};

/// Asks and expects a refusal; nothing may have been planned, and the refusal must be the request's one outcome.
#[track_caller]
fn refused(site: &Site, answer: Result<liquid_node_api::channel::SiteAnswer, Error>, code: Code) {
    let error = answer.map(|_| ()).unwrap_err();
    let Error::Refused { refusal } = &error else { panic!("{error}") };
    assert_eq!(refusal.code, code, "{error}");
    assert!(!refusal.fix.is_empty() && !refusal.clause.is_empty(), "{error}");
    assert_eq!(site.seen.planned.load(Ordering::SeqCst), 0, "nothing was planned");
    let outcomes = site.outcomes();
    assert!(
        matches!(outcomes.as_slice(), [Outcome::Refused { code: recorded, .. }] if *recorded == code),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn tokens_must_be_the_issuers_for_here_and_for_now() {
    let mut site = Site::new();
    let node = site.open().await;
    let now = noon().timestamp();
    let bad: Vec<(&str, Token)> = vec![
        ("nonsense", Token::new("nonsense")),
        ("somebody else's signature", token_by(9, |_| {})),
        ("expired", changed(|c| c["exp"] = (now - 31).into())),
        ("not yet valid", changed(|c| c["nbf"] = (now + 31).into())),
        ("another audience", changed(|c| c["aud"] = "liver".into())),
        ("another issuer", changed(|c| c["iss"] = "https://evil.example".into())),
        ("no organisation", changed(|c| drop(c.as_object_mut().unwrap().remove("org")))),
        ("no expiry", changed(|c| drop(c.as_object_mut().unwrap().remove("exp")))),
    ];
    for (what, token) in bad {
        let error = ask_with(&node, token.clone(), request("counted")).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Unauthenticated { .. }), "{what}: {error}");
        assert!(way(&node).catalogue(&token).await.is_err(), "{what}");
    }
    assert_eq!(site.seen.planned.load(Ordering::SeqCst), 0);
    assert_eq!(site.records().len(), 1, "strangers leave no record, or they could fill the disk");
    *site.clock.lock().unwrap() += chrono::TimeDelta::hours(2);
    let late = ask(&node, "counted").await.map(|_| ()).unwrap_err();
    assert!(matches!(late, Error::Unauthenticated { .. }), "the node's own clock counts");
}

#[tokio::test]
async fn callers_must_be_recipients_with_a_purpose() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(Code, Change, Option<&str>); 6] = [
        (Code::Recipient, |c| c["org"] = "newspaper".into(), None),
        (Code::Recipient, |c| c["roles"] = serde_json::json!(["intern"]), None),
        (Code::Recipient, |c| c["roles"] = serde_json::json!([]), None),
        (Code::Purpose, |c| c["purposes"] = serde_json::json!(["marketing"]), None),
        (Code::Purpose, |c| c["purposes"] = serde_json::json!([]), None),
        (Code::Purpose, |_| {}, Some("marketing")),
    ];
    for (code, change, purpose) in cases {
        let mut site = Site::new();
        let node = site.open().await;
        let request = SiteRequest { purpose: purpose.map(Into::into), ..request("counted") };
        refused(&site, ask_with(&node, changed(change), request).await, code);
    }
}

#[tokio::test]
async fn agreements_count_only_in_their_time() {
    for (day, code) in [
        ("2025-12-31", Code::NotInForce),
        ("2027-01-01", Code::NotInForce),
        ("2026-07-15", Code::ReviewOverdue),
    ] {
        let mut site = Site::new();
        let time: chrono::DateTime<chrono::Utc> = format!("{day}T12:00:00Z").parse().unwrap();
        *site.clock.lock().unwrap() = time;
        let node = site.open().await;
        let token = changed(|c| {
            c["nbf"] = (time.timestamp() - 5).into();
            c["exp"] = (time.timestamp() + 5).into();
        });
        refused(&site, ask_with(&node, token, request("counted")).await, code);
    }
}

#[tokio::test]
async fn any_changed_byte_of_an_agreement_voids_it() {
    let mut kept = 0;
    for at in (0..AGREEMENT.len()).step_by(7) {
        let mut bytes = AGREEMENT.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
        let mut site = Site::new();
        std::fs::write(site.path("agreements/one.toml"), &bytes).unwrap();
        let node = site.open().await;
        let error = ask(&node, "counted").await.map(|_| ()).unwrap_err();
        let Error::Refused { refusal } = &error else { panic!("{error}") };
        assert_eq!(site.seen.planned.load(Ordering::SeqCst), 0);
        if node.agreements().unreadable().is_empty() {
            kept += 1;
            // It is an agreement still, perhaps another one, and nobody signed it.
            let recipient = refusal.code == Code::Recipient || refusal.code == Code::Purpose;
            assert!(recipient || refusal.code == Code::Unsigned, "byte {at}: {error}");
        } else {
            assert_eq!(refusal.code, Code::Unsigned, "byte {at}: {error}");
            assert!(refusal.fix.contains("restore the signed file"), "{error}");
        }
    }
    assert!(kept > 5, "some changes leave a readable agreement");
}

#[tokio::test]
async fn signatures_must_be_there_and_of_a_trusted_key() {
    let mut unsigned = Site::new();
    std::fs::remove_file(unsigned.path("agreements/one.sig.toml")).unwrap();
    let node = unsigned.open().await;
    refused(&unsigned, ask(&node, "counted").await, Code::Unsigned);
    let mut untrusted = Site::new();
    untrusted.agree("one", AGREEMENT, 9);
    let node = untrusted.open().await;
    refused(&untrusted, ask(&node, "counted").await, Code::Unsigned);
}

#[tokio::test]
async fn without_agreements_everybody_is_refused() {
    let mut site = Site::new();
    std::fs::remove_file(site.path("agreements/one.toml")).unwrap();
    let node = site.open().await;
    refused(&site, ask(&node, "counted").await, Code::Recipient);
}

#[tokio::test]
async fn one_bad_file_does_not_stop_the_others() {
    let mut site = Site::new();
    std::fs::write(site.path("agreements/broken.toml"), "schema = ").unwrap();
    let node = site.open().await;
    ask(&node, "counted").await.unwrap();
    assert_eq!(node.agreements().unreadable().len(), 1);
    assert!(node.agreements().unreadable()[0].1.contains("line 1"), "{:?}", node.agreements().unreadable());
    let named = SiteRequest { agreement: Some("A-1".into()), ..request("counted") };
    ask_with(&node, token(), named).await.unwrap();
}

#[tokio::test]
async fn the_pinned_version_and_the_dialect_count() {
    let mut site = Site::new();
    let node = site.open().await;
    let pinned = SiteRequest { pinned: Some("00".into()), ..request("counted") };
    refused(&site, ask_with(&node, token(), pinned).await, Code::Version);
    let other = SiteRequest { dialect: 2, ..request("counted") };
    let error = ask_with(&node, token(), other).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error}");
    assert_eq!(site.outcomes().len(), 2);
}

#[tokio::test]
async fn only_a_known_coordinator_sends_envelopes() {
    let mut site = Site::new();
    let node = site.open().await;
    for identity in ["liquid://coordinator/other", "liquid://site/demo"] {
        let error = way_of(&node, identity).ask(&token(), request("counted")).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
    }
    assert_eq!(site.seen.planned.load(Ordering::SeqCst), 0);
    let carried = site.records().into_iter().filter_map(|body| match body {
        Body::Asked(asked) => asked.carried_by,
        _ => None,
    });
    assert_eq!(carried.collect::<Vec<_>>(), ["liquid://coordinator/other", "liquid://site/demo"]);
    assert!(matches!(site.outcomes().as_slice(), [Outcome::Rejected { .. }, Outcome::Rejected { .. }]));
}
