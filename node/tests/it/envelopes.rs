//! Envelopes at a node's port: what a coordinator did not sign for this site, this caller and this time, and what was here
//! before, is not looked at; not after a restart either, and not with the clock set back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow_flight::Ticket;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::Any;
use chrono::TimeDelta;
use liquid_node::audit::{Asked, Body, Outcome};
use liquid_node_api::Error;
use liquid_node_api::channel::Token;
use liquid_node_api::envelope::{AnswerCaps, Envelope, Issuer, SignedEnvelope};
use liquid_node_api::request::SiteRequest;
use liquid_node_api::sql::site_ticket;
use liquid_node_api::tls::{Material, connect};
use prost::Message;
use ring::digest::{SHA256, digest};
use tonic::Request;
use tonic::transport::Channel;

use crate::port::{Open, start, start_with};
use crate::site::{COORDINATOR, Site, changed, noon, request};

/// A coordinator that says what it likes.
struct Hostile {
    issuer: Arc<Issuer>,
    channel: Channel,
}

/// A token that is good whatever the clock says.
fn lasting() -> Token {
    changed(|claims| (claims["nbf"], claims["exp"]) = (0.into(), 4_000_000_000_i64.into()))
}

impl Hostile {
    fn new(open: &Open, identity: &str) -> Self {
        let tls = open.authority.material("hostile", &[identity]).client().unwrap();
        Self { issuer: open.issuer(identity), channel: connect(&open.target, tls).unwrap() }
    }

    fn seal(&self, sql: &str) -> SignedEnvelope {
        self.issuer.seal(&lasting(), &"cleveland".into(), request(sql)).unwrap()
    }

    fn changed(&self, change: impl FnOnce(&mut Envelope)) -> SignedEnvelope {
        let mut envelope = self.seal("counted").unverified().clone();
        change(&mut envelope);
        self.issuer.sign(envelope).unwrap()
    }

    async fn present(&self, envelope: &SignedEnvelope) -> Result<usize, Error> {
        self.send(site_ticket(envelope), &lasting()).await
    }

    /// Sends a ticket; how many messages came back.
    async fn send(&self, ticket: Ticket, token: &Token) -> Result<usize, Error> {
        let mut request = Request::new(ticket);
        let bearer = format!("Bearer {}", token.secret()).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        let typed = |status: tonic::Status| Error::from_status(&status).unwrap_or_else(|| panic!("{status}"));
        let mut stream =
            FlightServiceClient::new(self.channel.clone()).do_get(request).await.map_err(typed)?.into_inner();
        let mut messages = 0;
        while stream.message().await.map_err(typed)?.is_some() {
            messages += 1;
        }
        Ok(messages)
    }
}

impl Open {
    fn asked(&self) -> Vec<Asked> {
        let asked = |body| match body {
            Body::Asked(asked) => Some(*asked),
            _ => None,
        };
        self.site.records().into_iter().filter_map(asked).collect()
    }

    fn planned(&self) -> usize {
        self.site.seen.planned.load(Ordering::SeqCst)
    }

    /// Stops the node, and starts one again over the same folder.
    async fn again(mut self) -> Self {
        self.serving.abort();
        // The log is released when the last of the node is gone.
        let site = std::mem::replace(&mut self.site, Site::new());
        let authority = std::mem::replace(&mut self.authority, crate::certificates::Authority::new());
        drop(self);
        tokio::time::sleep(Duration::from_millis(300)).await;
        start_with(site, authority).await
    }
}

fn text(envelope: &SignedEnvelope) -> Vec<u8> {
    let bytes = envelope.to_bytes();
    let begin = bytes.windows(2).position(|pair| pair == b"{\"").unwrap();
    bytes[begin..].to_vec()
}

#[tokio::test]
async fn the_record_names_the_envelope() {
    let open = start().await;
    let coordinator = Hostile::new(&open, COORDINATOR);
    let envelope = coordinator.seal("counted");
    coordinator.present(&envelope).await.unwrap();
    let asked = open.asked();
    let carried = asked[0].envelope.as_ref().unwrap();
    assert_eq!(carried.issuer.to_string(), COORDINATOR);
    assert_eq!(carried.nonce, envelope.unverified().nonce);
    assert_eq!(
        carried.hash,
        hex::encode(digest(&SHA256, &text(&envelope))),
        "of the very text that was signed"
    );
}

#[tokio::test]
async fn an_envelope_is_taken_once_over_restarts_and_whatever_the_clock_says() {
    let open = start().await;
    let coordinator = Hostile::new(&open, COORDINATOR);
    let (one, refused) = (coordinator.seal("counted"), coordinator.seal("named"));
    coordinator.present(&one).await.unwrap();
    assert!(matches!(coordinator.present(&refused).await, Err(Error::Refused { .. })));
    let again = async |open: &Open, says: &str| {
        let coordinator = Hostile::new(open, COORDINATOR);
        for envelope in [&one, &refused] {
            for _ in 0..3 {
                let error = coordinator.present(envelope).await.unwrap_err();
                assert!(error.to_string().contains(says), "{error}");
            }
        }
    };
    again(&open, "presented before").await;
    assert_eq!(open.planned(), 2, "nothing of a replay is looked at");
    assert_eq!(open.site.outcomes().len(), 4, "and each is on record once");
    let open = open.again().await;
    again(&open, "presented before").await;
    for minutes in [4, -60] {
        *open.site.clock.lock().unwrap() = noon() + TimeDelta::minutes(minutes);
        again(&open, if minutes < 0 { "in the future" } else { "has expired" }).await;
    }
    // A day later everything of that day is forgotten; then the clock goes back to that very minute.
    *open.site.clock.lock().unwrap() = noon() + TimeDelta::days(1);
    Hostile::new(&open, COORDINATOR)
        .present(&Hostile::new(&open, COORDINATOR).seal("counted"))
        .await
        .unwrap();
    *open.site.clock.lock().unwrap() = noon();
    again(&open, "before this site began to remember").await;
    let open = open.again().await;
    again(&open, "presented before").await;
    assert_eq!(open.planned(), 3);
}

#[tokio::test]
async fn two_of_the_same_at_one_time_are_one() {
    let open = start().await;
    let coordinator = Hostile::new(&open, COORDINATOR);
    let envelope = coordinator.seal("counted");
    let all = futures::future::join_all((0..20).map(|_| coordinator.present(&envelope))).await;
    assert_eq!(all.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(open.planned(), 1);
}

#[tokio::test]
async fn what_was_signed_for_something_else_is_not_looked_at() {
    let open = start().await;
    let coordinator = Hostile::new(&open, COORDINATOR);
    let noon_ms = noon().timestamp_millis();
    let scenes: [(&str, fn(&mut Envelope, i64)); 8] = [
        ("for another site", |it, _| it.audience = "zurich".into()),
        ("another caller's token", |it, _| it.token = "00".repeat(32)),
        ("not its issuer's", |it, _| it.issuer = "liquid://coordinator/other".parse().unwrap()),
        ("in the future", |it, now| (it.issued_ms, it.expires_ms) = (now + 31_000, now + 60_000)),
        ("has expired", |it, now| (it.issued_ms, it.expires_ms) = (now - 60_000, now - 31_000)),
        ("for too long", |it, now| it.expires_ms = now + 5 * 60_000 + 1),
        ("for too long", |it, now| it.expires_ms = now - 1),
        ("before this site began", |it, now| it.issued_ms = now - 1),
    ];
    for (says, change) in &scenes {
        let error = coordinator.present(&coordinator.changed(|it| change(it, noon_ms))).await.unwrap_err();
        assert!(error.to_string().contains(says), "{says}: {error}");
    }
    assert_eq!((open.planned(), open.site.outcomes().len()), (0, scenes.len()), "each is on record");
    // With the token of another caller it is another caller's question, and that one did not ask it.
    let bob = changed(|claims| claims["sub"] = "bob".into());
    let error = coordinator.send(site_ticket(&coordinator.seal("counted")), &bob).await.unwrap_err();
    assert!(error.to_string().contains("another caller's token"), "{error}");
    for good in [30_000, -30_000] {
        let envelope = coordinator.changed(|it| {
            it.issued_ms = (noon_ms + good).max(noon_ms);
            it.expires_ms = noon_ms + good.max(1) + 60_000;
        });
        coordinator.present(&envelope).await.unwrap();
    }
}

#[tokio::test]
async fn only_the_coordinator_that_signed_may_carry() {
    let open = start().await;
    let known = Hostile::new(&open, COORDINATOR);
    let others = [
        Hostile::new(&open, "liquid://coordinator/other"),
        Hostile::new(&open, "liquid://site/demo"),
        Hostile {
            issuer: open.issuer(COORDINATOR),
            channel: connect(&open.target, Material::anonymous(&open.authority.ca()).unwrap()).unwrap(),
        },
    ];
    for other in &others {
        let error = other.present(&known.seal("counted")).await.unwrap_err();
        assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
    }
    let error = known.present(&others[0].seal("counted")).await.unwrap_err();
    assert!(error.to_string().contains("another coordinator than the one that carries"), "{error}");
    // A certificate of another authority, that names the known coordinator.
    let stranger = start().await;
    let error = known.present(&Hostile::new(&stranger, COORDINATOR).seal("counted")).await.unwrap_err();
    assert!(error.to_string().contains("certificate is not taken"), "{error}");
    assert_eq!(open.planned(), 0);
    assert_eq!(open.site.outcomes().len(), 5);
}

#[tokio::test]
async fn changed_bytes_and_other_spellings_are_not_read() {
    let open = start().await;
    let coordinator = Hostile::new(&open, COORDINATOR);
    let ticket = |value: Vec<u8>| {
        Ticket::new(Any { type_url: "liquid/Envelope/1".to_owned(), value: value.into() }.encode_to_vec())
    };
    let envelope = coordinator.seal("counted");
    let good = envelope.to_bytes();
    assert_eq!(SignedEnvelope::read(&good).unwrap(), envelope);
    let (head, said) = good.split_at(good.len() - text(&envelope).len());
    let said = std::str::from_utf8(said).unwrap();
    for other in [
        said.replacen(':', ": ", 1),
        said.replacen('{', "{\"colour\":1,", 1),
        said.replace("\"deadline_ms\":60000", "\"deadline_ms\":6e4"),
        said.replace("counted", "c\\u006funted"),
        format!("{said} "),
    ] {
        assert_ne!(other, said);
        let error =
            coordinator.send(ticket([head, other.as_bytes()].concat()), &lasting()).await.unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{other}: {error}");
    }
    // One bit at a time; every seventh byte, so that it takes no minute.
    for at in (0..good.len()).step_by(7) {
        let mut changed = good.clone();
        changed[at] ^= 1 << (at % 8);
        let error = coordinator.send(ticket(changed), &lasting()).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. } | Error::Unauthenticated { .. }), "byte {at}: {error}");
    }
    assert_eq!(open.planned(), 0);
    assert!(open.site.outcomes().iter().all(|outcome| matches!(outcome, Outcome::Rejected { .. })));
    coordinator.send(ticket(good), &lasting()).await.unwrap();
}

#[tokio::test]
async fn what_the_coordinator_would_throw_away_is_not_sent() {
    let open = start().await;
    let coordinator = Hostile::new(&open, COORDINATOR);
    for (caps, says) in [
        (AnswerCaps { rows: 1, bytes: 1 << 30 }, "more than 1 rows"),
        (AnswerCaps { rows: 1000, bytes: 100 }, "larger than its coordinator takes"),
    ] {
        let error = coordinator.present(&coordinator.changed(|it| it.caps = caps)).await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let long = SiteRequest { sql: "counted".to_owned() + &" ".repeat(70_000), ..request("counted") };
    let error = coordinator.present(&coordinator.changed(|it| it.request = long)).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "its length is the site's own matter: {error}");
}
