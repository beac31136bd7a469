//! Who gets a connection, and what a listener says when it cannot have its port.

use std::time::Duration;

use arrow_flight::sql::client::FlightSqlServiceClient;
use liquid_node_api::tls::{Identity, Limits, Material, Target, connect, listen};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tonic::transport::Channel;

use crate::backend::{Fake, Server, TOKEN};
use crate::certificates::Authority;

async fn asks(channel: Channel) -> Result<(), String> {
    let mut client = FlightSqlServiceClient::new(channel);
    client.set_token(TOKEN.to_owned());
    let asked =
        tokio::time::timeout(Duration::from_secs(5), client.execute("SELECT 1".to_owned(), None)).await;
    asked.map_err(|_| "late".to_owned())?.map(|_| ()).map_err(|e| e.to_string())
}

#[tokio::test]
async fn certificates_decide_who_connects() {
    let server = Server::start(Fake::with_rows(1), Limits::default()).await;
    asks(server.anonymous()).await.unwrap();
    asks(server.coordinator()).await.unwrap();
    let with = |material: Material| connect(&server.target(), material.client().unwrap()).unwrap();
    for (name, uris) in [
        ("none", [].as_slice()),
        ("two", &["liquid://coordinator/demo", "liquid://site/cleveland"]),
        ("other", &["https://example.org"]),
    ] {
        let error = asks(with(server.authority.material(name, uris))).await;
        assert!(error.is_err(), "a certificate with {name} identity");
    }
    let stranger = Authority::new();
    let files = stranger.files("stranger", &["liquid://coordinator/demo"]);
    let mut mixed = files.clone();
    mixed.ca = server.authority.ca();
    assert!(asks(with(mixed.load().unwrap())).await.is_err(), "another authority's certificate");
    let distrusting = connect(&server.target(), files.load().unwrap().client().unwrap()).unwrap();
    assert!(asks(distrusting).await.is_err(), "a server of another authority");
}

#[tokio::test]
async fn a_client_insists_on_the_site_it_wants() {
    let server = Server::start(Fake::with_rows(1), Limits::default()).await;
    let tls = server.authority.material("coordinator", &["liquid://coordinator/demo"]).client().unwrap();
    let channel = |identity: &str| {
        let identity: Identity = identity.parse().unwrap();
        connect(&Target { identity: Some(identity), ..server.target() }, tls.clone()).unwrap()
    };
    asks(channel("liquid://site/cleveland")).await.unwrap();
    assert!(asks(channel("liquid://site/zurich")).await.is_err());
    let renamed = Target { server_name: Some("other.example".to_owned()), ..server.target() };
    assert!(asks(connect(&renamed, tls.clone()).unwrap()).await.is_err(), "the name counts too");
}

#[tokio::test]
async fn silence_and_crowds_do_not_keep_others_out() {
    let limits = Limits { connections: 2, handshake: Duration::from_millis(300), ..Limits::default() };
    let server = Server::start(Fake::with_rows(1), limits).await;
    let silent: Vec<TcpStream> =
        futures::future::join_all((0..2).map(|_| TcpStream::connect(("127.0.0.1", server.port))))
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
    asks(server.anonymous()).await.unwrap();
    for mut stream in silent {
        let closed = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut [0; 1])).await;
        assert!(!matches!(closed, Err(_) | Ok(Ok(1))), "a silent connection is closed");
    }
    let (one, two) = (server.anonymous(), server.anonymous());
    asks(one.clone()).await.unwrap();
    drop(one);
    asks(two).await.unwrap();
}

#[tokio::test]
async fn older_tls_is_not_spoken() {
    let server = Server::start(Fake::with_rows(1), Limits::default()).await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    // A ClientHello of TLS 1.2 without the extension that offers 1.3.
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xC0, 0x2F, 1, 0]);
    tokio::io::AsyncWriteExt::write_all(&mut stream, &hello).await.unwrap();
    let mut answer = Vec::new();
    drop(tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await);
    assert_eq!(answer.first(), Some(&0x15), "an alert and no handshake: {answer:?}");
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out() {
    let taken = listen(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = listen(address).await.unwrap_err().to_string();
    assert!(error.contains(&address.port().to_string()) && error.contains("in use"), "{error}");
    assert!(error.contains("`listen`"), "it names what to change: {error}");
    let foreign = listen(([203, 0, 113, 7], 0).into()).await.unwrap_err().to_string();
    assert!(foreign.contains("does not belong to this machine"), "{foreign}");
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let authority = Authority::new();
    let good = authority.files("good", &["liquid://site/a"]);
    let ca = authority.ca();
    let folder = ca.parent().unwrap();
    let says = |files: liquid_node_api::tls::Files, part: &str| {
        let error = files.load().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    says(liquid_node_api::tls::Files { cert: folder.join("not there"), ..good.clone() }, "not there");
    std::fs::write(folder.join("empty"), "").unwrap();
    says(liquid_node_api::tls::Files { key: folder.join("empty"), ..good.clone() }, "holds no private key");
    says(liquid_node_api::tls::Files { cert: good.key.clone(), ..good.clone() }, "holds no certificate");
    let other = authority.files("other", &["liquid://site/b"]);
    let mixed = liquid_node_api::tls::Files { key: other.key, ..good };
    says(mixed, "is not the key of the certificate");
    let nobody = authority.material("nobody", &[]).identity().unwrap_err().to_string();
    assert!(nobody.contains("names no party"), "{nobody}");
}

#[test]
fn identities_are_what_they_say() {
    for good in ["liquid://site/cleveland", "liquid://coordinator/demo-1"] {
        assert_eq!(good.parse::<Identity>().unwrap().to_string(), good);
    }
    for bad in [
        "liquid://site/",
        "liquid://site/a/b",
        "liquid://node/a",
        "https://site/a",
        "site/a",
        "liquid://site/ä",
    ] {
        assert!(bad.parse::<Identity>().is_err(), "{bad}");
    }
}
