//! What the libraries below do to a process that trusts them, and which test fails if it happens to a node of ours. Each
//! test asks a real node one more question after the harm, and gets its answer.
//!
//! | the libraries | tests |
//! |---|---|
//! | 0.1 planning a flat chain of some hundred terms overflows the stack | `hostile_sql::what_breaks_an_engine…`, by bound values `hostile_parameters::a_bound_value…` |
//! | 0.2 parsing some ten thousand does, before anything is planned | `hostile_sql::what_breaks_an_engine…` |
//! | 0.3 a compressed batch reserves the memory that it says it needs | towards a node `hostile_parameters::what_is_no_value…`, towards a coordinator `hostile_site`, all forms `bombs` in `node/api` |
//! | 0.4 a foreign schema panics the decoder | `hostile_parameters::what_is_no_value…`, `gate` in `node/api` |
//! | 0.5 a running plan starves its own deadline | [`an_engine_that_never_answers_is_replaced_at_the_deadline`], `child` in `node/api`; such joins are refused in `hostile_sql` |
//! | 0.6 the memory pool counts only some operators | `bounds::an_engine_that_wants_too_much_memory…`; functions that swell are refused in `hostile_sql` |
//! | 0.7 statements that are no queries run although others are switched off | `hostile_sql::what_breaks_an_engine…`, prepared ones `hostile_parameters` |
//! | 0.8 errors quote values, and whether there is one tells of a row | `hostile_sql`, `hostile_parameters`, `broken` in `node/engine`; the caller's text never comes from data |
//! | 0.9 connections, streams, resets and handshakes have no limit | [`floods_of_frames_end_their_connection_alone`], [`half_open_handshakes_keep_nobody_out`], [`a_node_without_descriptors_answers_when_it_has_some_again`], `vanished` |
//! | 0.10 a store of local files follows links out of its root | [`a_link_out_of_the_folder_is_not_followed`], `pinning` in `node/engine` |
//! | 0.11 tickets are plain statements that anybody can write | [`a_ticket_that_was_not_made_here_asks_nothing`], `tickets` in `node/api`, envelopes `byzantine` |

use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{Any, CommandStatementQuery, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, Ticket};
use liquid_local::issuer::Claims;
use liquid_node_api::Error;
use liquid_node_api::tls::Material;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tonic::{Request, Status};

use crate::fixture::{processes, signal, wait_for};
use crate::hostile_sql::Node;

const COUNT: &str = "SELECT count(*) AS n FROM person";

/// The engines of a node, as they are now.
fn engines(node: &Node) -> Vec<u32> {
    let config = node.federation.root().join("sites/north/node.toml");
    processes(std::process::id(), &["engine", config.to_str().unwrap()])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_never_answers_is_replaced_at_the_deadline() {
    let mut node = Node::start().await;
    let before = engines(&node);
    assert_eq!(before.len(), 2);
    // No task of theirs ever runs again: a starved runtime can do no less.
    before.iter().for_each(|engine| signal("-STOP", *engine));
    let mut hurried = node.client.clone();
    hurried.set("liquid.deadline_ms", "500").unwrap();
    for engine in &before {
        let late = hurried.ask(COUNT).await.unwrap_err();
        assert!(late.to_string().starts_with("the deadline passed"), "engine {engine}: {late}");
    }
    node.answers_after("engines that stand still").await;
    assert!(engines(&node).iter().all(|engine| !before.contains(engine)), "they were killed");
    node.federation.stop().await;
}

fn address(node: &Node) -> SocketAddr {
    let url = node.federation.connection().sites[0].url.clone().unwrap();
    url.trim_start_matches("grpc+tls://").parse().unwrap()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `POST` to `/` by https, from the static table.
const HEADERS: [u8; 3] = [0x83, 0x87, 0x84];

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_end_their_connection_alone() {
    let mut node = Node::start().await;
    let tls = Material::anonymous(&node.federation.connection().ca).unwrap();
    let open = |number: u32| frame(1, 4, number * 2 + 1, &HEADERS);
    let endless = frame(9, 0, 1, &[0x40, 1, b'a', 1, b'b'].repeat(2_000)).repeat(40);
    let floods: [(&str, Vec<u8>); 4] = [
        (
            "streams that are reset at once",
            (0..20_000).flat_map(|n| [open(n), frame(3, 0, n * 2 + 1, &[0, 0, 0, 8])].concat()).collect(),
        ),
        ("more streams than are allowed", (0..20_000).flat_map(open).collect()),
        ("headers that never end", [frame(1, 0, 1, &HEADERS), endless].concat()),
        ("data that is empty", [open(0), frame(0, 0, 1, &[]).repeat(200_000)].concat()),
    ];
    for (name, flood) in floods {
        let stream = TcpStream::connect(address(&node)).await.unwrap();
        let host = "localhost".try_into().unwrap();
        let mut stream = TlsConnector::from(tls.clone()).connect(host, stream).await.unwrap();
        stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.unwrap();
        // It may be closed while it is still being written to.
        let ends = async {
            if stream.write_all(&flood).await.is_ok() {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), ends).await;
        assert!(ended.is_ok(), "{name}: the connection goes on");
        node.answers_after(name).await;
    }
    node.federation.stop().await;
}

/// A connection to a node that says nothing, from an address of this machine.
async fn silent(node: &Node, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(address(node)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_handshakes_keep_nobody_out() {
    rlimit::increase_nofile_limit(4096).unwrap();
    let mut node = Node::start().await;
    // A record that announces 300 bytes, of which nine come.
    const BEGUN: [u8; 9] = [0x16, 3, 1, 1, 44, 1, 0, 1, 40];
    let mut crowd = Vec::new();
    for number in 0..400_u16 {
        let [high, low] = number.to_be_bytes();
        let mut stream = silent(&node, [127, 1, high, low]).await;
        // The oldest give way, so one may be gone already.
        let _begun = stream.write_all(&BEGUN).await;
        crowd.push(stream);
    }
    let mut newcomer = node.federation.site_client("north", None).unwrap();
    let came = newcomer.ask(COUNT).await;
    came.unwrap_or_else(|error| panic!("while 400 addresses have half a handshake each: {error}"));
    drop(crowd);

    // From the caller's own address there may be so many; it waits until theirs have taken too long.
    let mut crowd = Vec::new();
    for _ in 0..400 {
        crowd.push(silent(&node, [127, 0, 0, 1]).await);
    }
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < until, "the caller is kept out");
        let mut newcomer = node.federation.site_client("north", None).unwrap();
        match newcomer.ask(COUNT).await {
            Ok(_) => break,
            Err(Error::Fault { reference, .. }) => {
                assert_eq!(reference, "none", "it is the connection that fails")
            }
            Err(other) => panic!("{other}"),
        }
    }
    drop(crowd);
    node.answers_after("the crowds").await;
    node.federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_descriptors_answers_when_it_has_some_again() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("liquid");
    let script = format!("#!/bin/sh\nulimit -n 56\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_liquid"));
    std::fs::write(&binary, script).unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut node = Node::start_by(binary).await;
    node.answers_after("a start with few descriptors").await;
    let log = node.federation.root().join("sites/north/node.log");
    let mut crowd = Vec::new();
    for _ in 0..120 {
        crowd.push(silent(&node, [127, 0, 0, 1]).await);
    }
    wait_for("the end of the node's descriptors", || {
        std::fs::read_to_string(&log).unwrap().contains("connection not accepted")
    });
    node.answers_after("the descriptors' end, on a connection that it had").await;
    // Who has none needs some to start others.
    engines(&node).iter().for_each(|engine| signal("-KILL", *engine));
    drop(crowd);
    wait_for("the descriptors", || {
        let node = processes(
            std::process::id(),
            &["node", "--until-stdin-closes", log.with_extension("toml").to_str().unwrap()],
        );
        std::fs::read_dir(format!("/proc/{}/fd", node[0])).unwrap().count() < 40
    });
    let mut newcomer = node.federation.site_client("north", None).unwrap();
    assert_eq!(newcomer.ask(COUNT).await.unwrap().cell(0, "n").unwrap().as_deref(), Some("440"));
    node.federation.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_out_of_the_folder_is_not_followed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut node = Node::start().await;
    let (file, kept) = (node.folder.path().join("person.csv"), elsewhere.path().join("person.csv"));
    std::fs::rename(&file, &kept).unwrap();
    for target in [&kept, Path::new("/etc/passwd"), Path::new("/proc/self/environ")] {
        symlink(target, &file).unwrap();
        let error = node.client.ask(COUNT).await.unwrap_err();
        assert!(error.to_string().starts_with("the site's tables are not ready for questions"), "{error}");
        std::fs::remove_file(&file).unwrap();
    }
    std::fs::copy(&kept, &file).unwrap();
    node.answers_after("links in the file's place").await;
    node.federation.stop().await;
}

async fn fetch(node: &Node, ticket: Vec<u8>, token: &str) -> Result<(), Status> {
    let mut request = Request::new(Ticket::new(ticket));
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let mut stream = FlightServiceClient::new(node.channel().0).do_get(request).await?.into_inner();
    while stream.message().await?.is_some() {}
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_not_made_here_asks_nothing() {
    let mut node = Node::start().await;
    let (channel, token) = node.channel();
    let statement = CommandStatementQuery { query: COUNT.to_owned(), transaction_id: None }.as_any();
    let mut request = Request::new(FlightDescriptor::new_cmd(statement.encode_to_vec()));
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let info = FlightServiceClient::new(channel).get_flight_info(request).await.unwrap().into_inner();
    let good = info.endpoint[0].ticket.clone().unwrap().ticket.to_vec();
    fetch(&node, good.clone(), &token).await.unwrap();

    let written = |handle: &[u8]| {
        TicketStatementQuery { statement_handle: handle.to_vec().into() }.as_any().encode_to_vec()
    };
    let mut forged = vec![
        ("a statement in a ticket's place", statement.encode_to_vec()),
        ("a ticket that holds SQL", written(COUNT.as_bytes())),
        ("a ticket that holds a statement", written(&statement.encode_to_vec())),
        ("an empty one", written(&[])),
        ("nothing", Vec::new()),
        (
            "an envelope that is none",
            Any { type_url: "liquid/Envelope/1".to_owned(), value: good.clone().into() }.encode_to_vec(),
        ),
    ];
    for at in (0..good.len()).step_by(good.len() / 24) {
        let mut changed = good.clone();
        changed[at] ^= 1;
        forged.push(("one letter of it changed", changed));
    }
    for (what, ticket) in forged {
        let error = Error::from_status(&fetch(&node, ticket, &token).await.unwrap_err());
        assert!(
            matches!(error, Some(Error::Invalid { .. } | Error::Unauthenticated { .. })),
            "{what}: {error:?}"
        );
        node.answers_after(what).await;
    }
    let claims = |organisation: &str| Claims {
        organisation: organisation.to_owned(),
        roles: vec!["analyst".to_owned()],
        purposes: vec!["research".to_owned()],
        seconds: 60,
    };
    let other = node.federation.folder().issuer().token(&claims("south")).unwrap();
    let error = Error::from_status(&fetch(&node, good, &other).await.unwrap_err());
    assert!(
        matches!(error, Some(Error::Invalid { .. } | Error::Unauthenticated { .. })),
        "another's: {error:?}"
    );
    node.answers_after("another's ticket").await;
    node.federation.stop().await;
}
