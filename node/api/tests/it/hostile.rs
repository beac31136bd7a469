//! Peers that are slow, many, silent or rude: they are cut off, and everybody else is served meanwhile.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{Action, Ticket};
use futures::future::join_all;
use liquid_node_api::tls::{Limits, Material};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Channel;

use crate::backend::{Fake, Server, TOKEN};

async fn start(limits: Limits) -> (Arc<Fake>, Server) {
    let fake = Fake::with_rows(100_000);
    (Arc::clone(&fake), Server::start(fake, limits).await)
}

fn client(server: &Server) -> FlightSqlServiceClient<Channel> {
    let mut client = FlightSqlServiceClient::new(server.anonymous());
    client.set_token(TOKEN.to_owned());
    client
}

/// Whether a question is described on a connection of its own, soon.
async fn asks(server: &Server) -> Result<(), String> {
    let mut client = client(server);
    let asked = client.execute("SELECT 1".to_owned(), None);
    let asked = tokio::time::timeout(Duration::from_secs(5), asked).await;
    asked.map_err(|_| "late".to_owned())?.map(|_| ()).map_err(|e| e.to_string())
}

async fn tcp(server: &Server) -> TcpStream {
    TcpStream::connect(("127.0.0.1", server.port)).await.unwrap()
}

async fn tls(server: &Server) -> TlsStream<TcpStream> {
    let config = Material::anonymous(&server.authority.ca()).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(config).connect(name, tcp(server).await).await.unwrap()
}

/// Whether the other end closes within a few seconds, whatever it says before.
async fn is_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> bool {
    let reading = async {
        let mut bytes = [0; 4096];
        while matches!(stream.read(&mut bytes).await, Ok(read) if read > 0) {}
    };
    tokio::time::timeout(Duration::from_secs(8), reading).await.is_ok()
}

#[tokio::test]
async fn a_hello_of_a_byte_at_a_time_is_cut_off() {
    let (_, server) = start(Limits { handshake: Duration::from_millis(500), ..Limits::default() }).await;
    let mut slow = tcp(&server).await;
    // The beginning of a ClientHello that announces 300 bytes.
    for byte in [0x16, 3, 1, 1, 44, 1, 0, 1, 40].into_iter().chain([7; 60]) {
        if slow.write_all(&[byte]).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    assert!(is_closed(&mut slow).await, "after half a second, though it never was silent");
}

#[tokio::test]
async fn half_open_connections_give_way_to_honest_ones() {
    let limits = Limits {
        handshakes: 8,
        per_address: 10_000,
        handshake: Duration::from_secs(60),
        ..Limits::default()
    };
    let (_, server) = start(limits).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.extend(join_all((0..80).map(|_| tcp(&server))).await);
        asks(&server).await.unwrap();
    }
    let (open, closed) = silent.split_at_mut(8);
    assert!(is_closed(&mut open[0]).await && is_closed(&mut closed[0]).await, "the oldest went first");
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() {
    let (_, server) = start(Limits { per_address: 3, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(tls(&server).await);
    }
    assert!(asks(&server).await.is_err(), "the fourth");
    drop(held.pop());
    let mut answered = asks(&server).await;
    for _ in 0..50 {
        if answered.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        answered = asks(&server).await;
    }
    answered.unwrap();
}

#[tokio::test]
async fn a_full_server_says_so_at_once() {
    let (_, server) = start(Limits { connections: 2, ..Limits::default() }).await;
    let (mut one, mut two) = (client(&server), client(&server));
    one.execute("SELECT 1".to_owned(), None).await.unwrap();
    two.execute("SELECT 1".to_owned(), None).await.unwrap();
    let refused = asks(&server).await.unwrap_err();
    assert_ne!(refused, "late");
    one.execute("SELECT 1".to_owned(), None).await.unwrap();
}

#[tokio::test]
async fn large_metadata_and_messages_are_refused() {
    let (_, server) = start(Limits::default()).await;
    let mut client = client(&server);
    client.set_header("x-liquid-purpose", "a".repeat(40 << 10));
    client.execute("SELECT 1".to_owned(), None).await.unwrap_err();
    let mut client = FlightServiceClient::new(server.anonymous());
    for (bytes, taken) in [(1 << 20, true), ((2 << 20) + 1, false)] {
        let body = vec![0; bytes].into();
        let mut request = tonic::Request::new(Action { r#type: "liquid.catalogue".to_owned(), body });
        request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
        assert_eq!(client.do_action(request).await.is_ok(), taken, "{bytes}");
    }
    asks(&server).await.unwrap();
}

#[tokio::test]
async fn nothing_of_a_strangers_request_is_read() {
    let (_, server) = start(Limits::default()).await;
    for token in [None, Some("Bearer bad"), Some("Basic bad")] {
        // A message that never comes: whoever waits for it waits for ever.
        let mut request = tonic::Request::new(futures::stream::pending());
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", token.parse().unwrap());
        }
        let mut client = FlightServiceClient::new(server.anonymous());
        let answered = tokio::time::timeout(Duration::from_secs(5), client.do_put(request)).await;
        let status = answered.expect("it is not waited for").map(|_| ()).unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unauthenticated);
    }
}

#[tokio::test]
async fn who_does_not_fetch_an_answer_is_cut_off() {
    let (_, server) = start(Limits { fetch: Duration::from_millis(300), ..Limits::default() }).await;
    let mut client = client(&server);
    let info = client.execute("SELECT 1".to_owned(), None).await.unwrap();
    let ticket: Ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut raw = client.inner().clone();
    let mut request = tonic::Request::new(ticket);
    request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    let mut stream = raw.do_get(request).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    // An answer of a few megabytes may take some seconds more; this peer takes nothing at all.
    let cut = async {
        tokio::time::sleep(Duration::from_secs(13)).await;
        while stream.message().await?.is_some() {}
        Ok::<_, tonic::Status>(())
    };
    asks(&server).await.unwrap();
    assert!(cut.await.is_err(), "the answer was given up");
    asks(&server).await.unwrap();
}

#[tokio::test]
async fn a_storm_of_cancelled_questions_leaves_nothing_behind() {
    let (fake, server) = start(Limits::default()).await;
    let client = client(&server);
    let info = client.clone().execute("slow".to_owned(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    for wait in 0..200_u64 {
        let (mut client, ticket) = (client.clone(), ticket.clone());
        let asking = tokio::spawn(async move { client.do_get(ticket).await.map(|_| ()) });
        tokio::time::sleep(Duration::from_millis(wait % 7)).await;
        asking.abort();
    }
    for _ in 0..100 {
        if *fake.running.lock().unwrap() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(*fake.running.lock().unwrap(), 0);
    asks(&server).await.unwrap();
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `POST` to `/` by https, from the static table.
const HEADERS: [u8; 3] = [0x83, 0x87, 0x84];

#[tokio::test]
async fn floods_of_frames_end_their_connection_alone() {
    let (_, server) = start(Limits::default()).await;
    let open = |number: u32| frame(1, 4, number * 2 + 1, &HEADERS);
    let floods: [(&str, Vec<u8>); 4] = [
        (
            "streams that are reset at once",
            (0..20_000)
                .flat_map(|n| [open(n), frame(3, 0, n * 2 + 1, &8_u32.to_be_bytes())].concat())
                .collect(),
        ),
        ("more streams than are allowed, over and over", (0..20_000).flat_map(open).collect()),
        (
            "headers that never end",
            [frame(1, 0, 1, &HEADERS), frame(9, 0, 1, &[0x40, 1, b'a', 1, b'b'].repeat(2_000)).repeat(40)]
                .concat(),
        ),
        ("data that is empty", [open(0), frame(0, 0, 1, &[]).repeat(200_000)].concat()),
    ];
    for (name, flood) in floods {
        let mut stream = tls(&server).await;
        stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.unwrap();
        // The other end may close while it is still being written to.
        let writing = tokio::time::timeout(Duration::from_secs(20), stream.write_all(&flood)).await;
        let cut = writing.is_ok_and(|written| written.is_err()) || is_closed(&mut stream).await;
        assert!(cut, "{name}");
        asks(&server).await.unwrap();
    }
}
