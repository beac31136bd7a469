//! A site that dials: asked as if it had been dialled, through cuts and restarts, and nobody takes its place.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::sql::client::FlightSqlServiceClient;
use liquid_node_api::channel::{NodeChannel, SiteAnswer, Token};
use liquid_node_api::envelope::{AnswerCaps, Issuer};
use liquid_node_api::flight::FlightChannel;
use liquid_node_api::request::{DIALECT, SiteRequest};
use liquid_node_api::tls::outbound::{Callers, Expected, Outbound, keep};
use liquid_node_api::tls::{Certificates, Files, Identity, Limits, Material, Proxy, Target, connect, listen};
use liquid_node_api::{Error, sql};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::backend::{Fake, Server, TOKEN};
use crate::certificates::Authority;
use crate::line::{Line, State};
use crate::proxy::{FakeProxy, Manner};

const COORDINATOR: &str = "liquid://coordinator/demo";
const CLEVELAND: &str = "liquid://site/cleveland";

/// A coordinator's port, on which Cleveland and Zurich are expected to dial. It ends when this is dropped.
struct Coordinator {
    port: u16,
    sites: HashMap<&'static str, Arc<Callers>>,
    issuer: Arc<Issuer>,
    serving: JoinHandle<()>,
}

impl Coordinator {
    async fn start(authority: &Authority) -> Self {
        Self::start_at(0, authority, COORDINATOR).await
    }

    async fn start_at(port: u16, authority: &Authority, identity: &str) -> Self {
        Self::with(port, authority.material("coordinator", &[identity]), None).await
    }

    /// Expects sites of any authority that the port accepts, or of this one alone.
    async fn with(port: u16, material: Material, pinned: Option<Certificates>) -> Self {
        let mut bound = listen(([127, 0, 0, 1], port).into()).await;
        while port != 0 && bound.is_err() {
            // The one before it lets go in its own time.
            tokio::time::sleep(Duration::from_millis(10)).await;
            bound = listen(([127, 0, 0, 1], port).into()).await;
        }
        let listener = bound.unwrap();
        let port = listener.local_addr().unwrap().port();
        let certificates = Certificates::fixed(material);
        let mut expected = Expected::new();
        let sites = ["cleveland", "zurich"].map(|site| (site, expected.expect(site.into(), pinned.clone())));
        let clients = expected.incoming(listener, &certificates, Limits::default()).unwrap();
        let serving = tokio::spawn(async move {
            sql::serve(Fake::with_rows(1), clients, std::future::pending()).await.unwrap();
        });
        let caps = AnswerCaps { rows: 1_000_000, bytes: 1 << 30 };
        let issuer = Issuer::new(certificates, Arc::new(chrono::Utc::now), caps).unwrap();
        Self { port, sites: sites.into(), issuer, serving }
    }

    fn way(&self, site: &str) -> FlightChannel {
        FlightChannel::new(site.into(), Arc::clone(&self.sites[site]), 1 << 20, Arc::clone(&self.issuer))
    }

    async fn ask(&self, sql: &str) -> Result<SiteAnswer, Error> {
        self.way("cleveland").ask(&Token::new(TOKEN), request(sql)).await
    }

    /// Asks until the node of so many rows answers: one that dials takes its time.
    async fn answers_with(&self, wanted: usize) -> SiteAnswer {
        let mut last = None;
        for _ in 0..100 {
            match self.ask("SELECT 1").await {
                Ok(answer) if rows(&answer) == wanted => return answer,
                other => last = Some(other),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the node does not answer: {last:?}");
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A node that dials, and nothing else. It is cut off when this is dropped.
struct Node {
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Node {
    async fn start(port: u16, authority: &Authority, rows: usize) -> Self {
        let tls = Certificates::fixed(authority.material("node", &[CLEVELAND]));
        Self::with(port, &tls, rows, COORDINATOR).await
    }

    /// With one connection alone, so that none of it can come after those of a node that is started later.
    async fn with_one_line(port: u16, authority: &Authority, rows: usize) -> Self {
        let tls = Certificates::fixed(authority.material("node", &[CLEVELAND]));
        Self::dialling(port, &tls, rows, COORDINATOR, 1).await
    }

    async fn with(port: u16, tls: &Certificates, rows: usize, known: &str) -> Self {
        Self::dialling(port, tls, rows, known, 2).await
    }

    async fn dialling(port: u16, tls: &Certificates, rows: usize, known: &str, lines: usize) -> Self {
        let known: Vec<Identity> = vec![known.parse().unwrap()];
        let dialled = keep(vec![Outbound::new(&target(port), known, lines, tls).unwrap()]).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            sql::serve(Fake::with_rows(rows), dialled, async { drop(stopped.await) }).await.unwrap();
        });
        Self { stop: Some(stop), serving }
    }

    /// Ends it in good order.
    async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.serving).await.unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn target(port: u16) -> Target {
    Target { url: format!("https://localhost:{port}"), ..Target::default() }
}

fn request(sql: &str) -> SiteRequest {
    SiteRequest {
        dialect: DIALECT,
        id: "0190b3a2-7c00-7000-8000-000000000001-0".into(),
        sql: sql.to_owned(),
        parameters: vec![],
        call: None,
        purpose: None,
        agreement: None,
        pinned: None,
        deadline_ms: 20_000,
        marks: true,
    }
}

fn missing(asked: Result<SiteAnswer, Error>) -> String {
    match asked {
        Err(Error::SiteMissing { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_site_that_dials_answers_as_one_that_is_dialled() {
    let authority = Arc::new(Authority::new());
    let coordinator = Coordinator::start(&authority).await;
    let _node = Node::start(coordinator.port, &authority, 3).await;
    let answer = coordinator.ask("SELECT 1").await.unwrap();

    let dialled = Server::start_at(0, Fake::with_rows(3), Limits::default(), Arc::clone(&authority)).await;
    let way = FlightChannel::new("cleveland".into(), dialled.coordinator(), 1 << 20, dialled.issuer());
    let same = way.ask(&Token::new(TOKEN), request("SELECT 1")).await.unwrap();
    assert_eq!((&answer.ipc, &answer.report), (&same.ipc, &same.report));
    let token = Token::new(TOKEN);
    let tables = coordinator.way("cleveland").catalogue(&token).await.unwrap();
    assert_eq!(tables, way.catalogue(&token).await.unwrap());
    let refused = coordinator.ask("refused").await.map(|_| ());
    assert!(matches!(refused, Err(Error::Refused { .. })), "an error keeps its type: {refused:?}");
    assert_eq!(
        missing(coordinator.way("zurich").ask(&token, request("SELECT 1")).await),
        "site `zurich` has not connected"
    );

    // Clients of the coordinator come to the same port.
    let anonymous = Material::anonymous(&authority.ca()).unwrap();
    let mut client = FlightSqlServiceClient::new(connect(&target(coordinator.port), anonymous).unwrap());
    client.set_token(TOKEN.to_owned());
    client.execute("SELECT 1".to_owned(), None).await.unwrap();
}

#[tokio::test]
async fn nobody_takes_a_sites_place() {
    let authority = Authority::new();
    let coordinator = Coordinator::start(&authority).await;
    let material = |uri: &str| Certificates::fixed(authority.material("impostor", &[uri]));
    let foreign = Authority::new();
    let mut mixed = foreign.files("foreign", &[CLEVELAND]);
    mixed.ca = authority.ca();
    let impostors = [
        ("another site that is expected", material("liquid://site/zurich")),
        ("a site that is not expected", material("liquid://site/budapest")),
        ("a coordinator", material("liquid://coordinator/cleveland")),
        ("a site of another authority", Certificates::fixed(mixed.load().unwrap())),
    ];
    let mut nodes = Vec::new();
    for (_, tls) in &impostors {
        nodes.push(Node::with(coordinator.port, tls, 1, COORDINATOR).await);
    }
    assert_eq!(missing(coordinator.ask("SELECT 1").await), "site `cleveland` has not connected");
    let zurich = coordinator.way("zurich").ask(&Token::new(TOKEN), request("SELECT 1")).await.unwrap();
    assert_eq!(
        zurich.report.site.as_str(),
        "cleveland",
        "which the coordinator finds out: the report names another site"
    );
    let _node = Node::start(coordinator.port, &authority, 1).await;
    coordinator.ask("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_node_serves_only_coordinators_that_it_knows() {
    let authority = Authority::new();
    let tls = Certificates::fixed(authority.material("node", &[CLEVELAND]));
    let stranger = Coordinator::start_at(0, &authority, "liquid://coordinator/stranger").await;
    let site = Coordinator::start_at(0, &authority, CLEVELAND).await;
    let foreign = Coordinator::start(&Authority::new()).await;
    for coordinator in [&stranger, &site, &foreign] {
        let _node = Node::with(coordinator.port, &tls, 1, COORDINATOR).await;
        assert_eq!(missing(coordinator.ask("SELECT 1").await), "site `cleveland` has not connected");
    }
    let _node = Node::with(stranger.port, &tls, 1, "liquid://coordinator/stranger").await;
    stranger.ask("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_node_and_its_coordinator_find_each_other_again() {
    let authority = Authority::new();
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let node = Node::start(port, &authority, 2).await; // nobody is there yet
    let coordinator = Coordinator::start_at(port, &authority, COORDINATOR).await;
    let first = coordinator.answers_with(2).await;
    drop(coordinator);
    let coordinator = Coordinator::start_at(port, &authority, COORDINATOR).await;
    assert_eq!(coordinator.answers_with(2).await.ipc, first.ipc, "the coordinator was restarted");
    drop(node);
    let _node = Node::start(port, &authority, 2).await;
    assert_eq!(coordinator.answers_with(2).await.ipc, first.ipc, "the node was restarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_question() {
    let authority = Authority::new();
    let coordinator = Coordinator::start(&authority).await;
    let mut node = Node::start(coordinator.port, &authority, 1).await;
    let way = coordinator.way("cleveland");
    let (done, is_done) = tokio::sync::watch::channel(false);
    let askers: Vec<_> = (0..4)
        .map(|_| {
            let (way, is_done) = (way.clone(), is_done.clone());
            tokio::spawn(async move {
                let mut asked = 0;
                while !*is_done.borrow() {
                    way.ask(&Token::new(TOKEN), request("SELECT 1")).await.unwrap();
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    let mut last = 0;
    for rows in 2..7 {
        let next = Node::start(coordinator.port, &authority, rows).await;
        node.stop().await;
        node = next;
        last = rows;
    }
    coordinator.answers_with(last).await;
    done.send(true).unwrap();
    for asker in askers {
        assert!(asker.await.unwrap() > 10, "questions were asked all the while");
    }
}

/// A second node with the certificate of the first is asked from then on, and the first again when it goes.
#[tokio::test]
async fn of_two_nodes_with_one_identity_the_newer_is_asked() {
    let authority = Authority::new();
    let coordinator = Coordinator::start(&authority).await;
    let _old = Node::with_one_line(coordinator.port, &authority, 3).await;
    coordinator.answers_with(3).await;
    let new = Node::start(coordinator.port, &authority, 5).await;
    coordinator.answers_with(5).await;
    new.stop().await;
    coordinator.answers_with(3).await;
}

/// How many rows an answer has.
fn rows(answer: &SiteAnswer) -> usize {
    let reader = arrow::ipc::reader::StreamReader::try_new(answer.ipc.as_ref(), None).unwrap();
    reader.map(|batch| batch.unwrap().num_rows()).sum()
}

#[tokio::test]
async fn a_cut_in_the_middle_is_a_missing_site_and_then_it_is_back() {
    let authority = Authority::new();
    let coordinator = Coordinator::start(&authority).await;
    let line = Line::to(coordinator.port).await;
    let _node = Node::start(line.port, &authority, 1).await;
    coordinator.ask("SELECT 1").await.unwrap();
    let way = coordinator.way("cleveland");
    let slow = tokio::spawn(async move { way.ask(&Token::new(TOKEN), request("slow")).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!slow.is_finished());
    line.is(State::Cut);
    assert_eq!(missing(slow.await.unwrap()), "site `cleveland` cannot be reached");
    line.is(State::Carries);
    coordinator.answers_with(1).await;
}

/// Nobody says that the line is dead; pings find out. The node hears of it later, by its own.
#[tokio::test]
async fn a_dead_line_is_found_without_a_question() {
    let authority = Authority::new();
    let coordinator = Coordinator::start(&authority).await;
    let line = Line::to(coordinator.port).await;
    let _old = Node::with_one_line(coordinator.port, &authority, 3).await;
    coordinator.answers_with(3).await;
    let _node = Node::start(line.port, &authority, 1).await;
    coordinator.answers_with(1).await;
    line.is(State::Dead);
    tokio::time::sleep(Duration::from_secs(20)).await;
    coordinator.answers_with(3).await;
}

#[tokio::test]
async fn a_coordinator_that_says_nothing_holds_up_nobody() {
    let authority = Authority::new();
    // One takes connections and is silent, one shakes hands and is silent, one is not there.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let polite = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let absent = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut server = authority.material("polite", &[COORDINATOR]).server().unwrap();
    Arc::make_mut(&mut server).alpn_protocols = vec![b"liquid-outbound/1".to_vec()];
    let ports = [silent.local_addr().unwrap().port(), polite.local_addr().unwrap().port(), absent];
    let shaking = tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(server);
        let mut open = Vec::new();
        loop {
            let (stream, _) = polite.accept().await.unwrap();
            open.push(acceptor.accept(stream).await.unwrap());
        }
    });
    let real = Coordinator::start(&authority).await;
    let tls = Certificates::fixed(authority.material("node", &[CLEVELAND]));
    let outbound = |port| Outbound::new(&target(port), vec![COORDINATOR.parse().unwrap()], 2, &tls).unwrap();
    let all = ports.into_iter().chain([real.port]).map(outbound).collect();
    let dialled =
        tokio::time::timeout(Duration::from_secs(8), keep(all)).await.expect("the node does not start");
    let serving = tokio::spawn(sql::serve(Fake::with_rows(1), dialled, std::future::pending()));
    real.ask("SELECT 1").await.unwrap();
    serving.abort();
    shaking.abort();
}

/// HTTP/2 lets a site say of every request that it was never looked at, so that it may be sent again.
#[tokio::test]
async fn a_site_that_takes_up_no_request_is_not_asked_for_ever() {
    let authority = Authority::new();
    let coordinator = Coordinator::start(&authority).await;
    let mut tls = authority.material("node", &[CLEVELAND]).client().unwrap();
    Arc::make_mut(&mut tls).alpn_protocols = vec![b"liquid-outbound/1".to_vec()];
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(("127.0.0.1", coordinator.port)).await.unwrap();
    let stream = tokio_rustls::TlsConnector::from(tls).connect(name, stream).await.unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let declining = tokio::spawn(async move {
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_reset(h2::Reason::REFUSED_STREAM);
        }
    });
    assert_eq!(missing(coordinator.ask("SELECT 1").await), "site `cleveland` cannot be reached");
    declining.abort();
}

#[tokio::test]
async fn a_node_dials_through_a_proxy() {
    let authority = Authority::new();
    let coordinator = Coordinator::start(&authority).await;
    let proxy = FakeProxy::start(Manner::Tunnels).await;
    let tls = Certificates::fixed(authority.material("node", &[CLEVELAND]));
    let through = Target { proxy: Some(Proxy::new(&proxy.url(), None).unwrap()), ..target(coordinator.port) };
    let outbound = Outbound::new(&through, vec![COORDINATOR.parse().unwrap()], 1, &tls).unwrap();
    let dialled = keep(vec![outbound]).await;
    let serving = tokio::spawn(sql::serve(Fake::with_rows(1), dialled, std::future::pending()));
    coordinator.ask("SELECT 1").await.unwrap();
    let wanted = format!("CONNECT localhost:{} ", coordinator.port);
    assert!(proxy.seen.lock().unwrap()[0].starts_with(&wanted), "{:?}", proxy.seen);
    serving.abort();
}

/// Each organisation has its own authority: the node trusts the coordinator's alone, and of all authorities that the
/// coordinator's port accepts, only the site's own speaks for the site.
#[tokio::test]
async fn each_side_has_an_authority_of_its_own() {
    let (ours, sites, others) = (Authority::new(), Authority::new(), Authority::new());
    let accepted = ours.ca().with_file_name("accepted.pem");
    let bundle = [sites.ca(), others.ca()].map(|ca| std::fs::read_to_string(ca).unwrap()).concat();
    std::fs::write(&accepted, bundle).unwrap();
    let material = Files { ca: accepted, ..ours.files("coordinator", &[COORDINATOR]) }.load().unwrap();
    let coordinator = Coordinator::with(0, material, Some(sites.certificates(CLEVELAND))).await;

    let dialling = |authority: &Authority, trusted: &Authority| {
        let files = Files { ca: trusted.ca(), ..authority.files("node", &[CLEVELAND]) };
        Certificates::fixed(files.load().unwrap())
    };
    let _other = Node::with(coordinator.port, &dialling(&others, &ours), 1, COORDINATOR).await;
    let _distrusting = Node::with(coordinator.port, &dialling(&sites, &sites), 1, COORDINATOR).await;
    assert_eq!(missing(coordinator.ask("SELECT 1").await), "site `cleveland` has not connected");
    let _node = Node::with(coordinator.port, &dialling(&sites, &ours), 1, COORDINATOR).await;
    coordinator.ask("SELECT 1").await.unwrap();
}
