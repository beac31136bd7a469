//! A coordinator's way to a site, through TLS.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use liquid_node_api::Error;
use liquid_node_api::channel::{NodeChannel, Token};
use liquid_node_api::flight::FlightChannel;
use liquid_node_api::parameter::Parameter;
use liquid_node_api::request::{DIALECT, SiteRequest};
use liquid_node_api::tls::Limits;
use liquid_node_api::wire::gate::{Quota, decode};

use crate::backend::{Fake, Server, TOKEN};

/// A coordinator's id, with the number of the cut.
const ID: &str = "0190b3a2-7c00-7000-8000-000000000001-0";

fn request(sql: &str, deadline_ms: u64) -> SiteRequest {
    SiteRequest {
        dialect: DIALECT,
        id: ID.into(),
        sql: sql.to_owned(),
        parameters: vec![],
        call: None,
        purpose: None,
        agreement: None,
        pinned: None,
        deadline_ms,
        marks: true,
    }
}

async fn start(rows: usize) -> (Server, FlightChannel, Token) {
    let server = Server::start(Fake::with_rows(rows), Limits::default()).await;
    let channel = FlightChannel::new("cleveland".into(), server.coordinator(), 1 << 20, server.issuer());
    (server, channel, Token::new(TOKEN))
}

#[tokio::test]
async fn an_answer_arrives_undecoded_with_its_report() {
    let (_server, channel, token) = start(3).await;
    let answer = channel.ask(&token, request("SELECT 1", 5_000)).await.unwrap();
    assert_eq!(answer.report.request.as_str(), ID);
    let batch = decode(&answer.ipc, &Quota::default(), |_| Ok(())).unwrap();
    assert_eq!(batch.num_columns(), 4, "two values, two marks");
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().value(2), 2);
    let catalogue = channel.catalogue(&token).await.unwrap();
    assert_eq!(catalogue.tables[0].name.as_str(), "cardiac");
}

#[tokio::test]
async fn a_sites_own_errors_keep_their_type() {
    let (server, channel, token) = start(1).await;
    let refused = channel.ask(&token, request("refused", 5_000)).await.unwrap_err();
    assert!(matches!(refused, Error::Refused { refusal } if refusal.fix == "group by `sex`"));
    let unknown = channel.ask(&Token::new("bad"), request("SELECT 1", 5_000)).await.unwrap_err();
    assert!(matches!(unknown, Error::Unauthenticated { .. }));
    let nobody = FlightChannel::new("cleveland".into(), server.anonymous(), 1 << 20, server.issuer());
    let error = nobody.ask(&token, request("SELECT 1", 5_000)).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "an envelope needs a coordinator's certificate");
}

#[tokio::test]
async fn what_is_late_garbled_or_too_much_counts_as_missing() {
    let (_server, channel, token) = start(100_000).await;
    let missing = |error: Error, says: &str| {
        let Error::SiteMissing { sites, message, .. } = &error else { panic!("{error}") };
        assert_eq!(sites, &["cleveland"]);
        assert!(message.contains(says), "{message}");
    };
    missing(channel.ask(&token, request("SELECT 1", 5_000)).await.unwrap_err(), "more than was asked");
    let (_server, channel, token) = start(1).await;
    missing(channel.ask(&token, request("garbled", 5_000)).await.unwrap_err(), "not understood");
    let begun = Instant::now();
    missing(channel.ask(&token, request("slow", 100)).await.unwrap_err(), "in time");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_question_that_no_site_would_read_is_not_sent() {
    let (_server, channel, token) = start(1).await;
    let long = |bytes: usize| SiteRequest {
        parameters: vec![Parameter::Utf8(Some("x".repeat(bytes)))],
        ..request("SELECT 1", 5_000)
    };
    channel.ask(&token, long(1_000_000)).await.unwrap();
    let error = channel.ask(&token, long(1 << 20)).await.unwrap_err();
    assert!(matches!(&error, Error::Invalid { fix, .. } if fix.contains("shorter values")), "{error}");
}

#[tokio::test]
async fn an_id_of_another_form_is_not_taken() {
    let (_server, channel, token) = start(1).await;
    for id in ["r1".to_owned(), "a".repeat(200_000), format!("{ID}-0")] {
        let request = SiteRequest { id: id.as_str().into(), ..request("SELECT 1", 5_000) };
        let error = channel.ask(&token, request).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_dead_site_is_missing_at_once_and_a_living_one_found_again() {
    let (server, channel, token) = start(1).await;
    channel.ask(&token, request("SELECT 1", 5_000)).await.unwrap();
    let (port, authority) = (server.port, Arc::clone(&server.authority));
    server.ended.abort();
    assert!(server.ended.await.unwrap_err().is_cancelled());
    let begun = Instant::now();
    let error = channel.ask(&token, request("SELECT 1", 5_000)).await.unwrap_err();
    assert!(matches!(error, Error::SiteMissing { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    let mut listening = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    while listening.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        listening = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
    }
    drop(listening);
    let _again = Server::start_at(port, Fake::with_rows(1), Limits::default(), authority).await;
    channel.ask(&token, request("SELECT 1", 5_000)).await.unwrap();
}
