//! A line goes dead, and nobody is told: who was at its other end holds no turn, no place and no connection for ever.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{FlightDescriptor, Ticket};
use liquid_local::{Federation, heart};
use liquid_node::audit::verify_file;
use liquid_node_api::tls::{Material, Target, connect};
use prost::Message;
use tonic::Request;
use tonic::transport::Channel;

use crate::bounds::limited;
use crate::fixture::{Ended, liquid, processes, signal, wait_for};
use crate::line::{Line, State};
use crate::own::{Part, edit};

const COUNT: &str = "SELECT count(*) AS patients FROM cardiac";

/// One site with these limits, and a line to it.
async fn by_line(limits: &str) -> (Federation, PathBuf, Line) {
    let mut blueprint = heart::blueprint();
    blueprint.sites.truncate(1);
    let (federation, config) = limited(&blueprint, limits).await;
    let url = federation.connection().sites[0].url.clone().unwrap();
    let line = Line::to(url.rsplit_once(':').unwrap().1.parse().unwrap()).await;
    (federation, config, line)
}

/// A caller at the other end of a line.
struct Caller {
    flight: FlightServiceClient<Channel>,
    token: String,
}

impl Caller {
    fn new(federation: &Federation, line: &Line) -> Self {
        let connection = federation.connection();
        let target = Target { url: format!("https://localhost:{}", line.port), ..Target::default() };
        let channel = connect(&target, Material::anonymous(&connection.ca).unwrap()).unwrap();
        let token = connection.tokens.first().unwrap().1.to_owned();
        Self { flight: FlightServiceClient::new(channel), token }
    }

    fn with<T>(&self, message: T, deadline_ms: u64) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request.metadata_mut().insert("x-liquid-deadline_ms", deadline_ms.into());
        request
    }

    async fn describe(&mut self, deadline_ms: u64) -> Request<Ticket> {
        let command = CommandStatementQuery { query: COUNT.to_owned(), transaction_id: None };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let request = self.with(descriptor, deadline_ms);
        let info = self.flight.get_flight_info(request).await.unwrap().into_inner();
        self.with(info.endpoint[0].ticket.clone().unwrap(), deadline_ms)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_line_dies_keeps_no_engine() {
    let (mut federation, config, line) = by_line("engines = 1").await;
    let mut other = federation.site_client("cleveland", None).unwrap();
    let log = federation.audit_logs().remove(0);
    let asked = || std::fs::read_to_string(&log.path).unwrap().matches("\"what\":\"asked\"").count();
    for (goes_on, deadline_ms) in [(true, 30_000), (false, 3_000)] {
        line.is(State::Carries);
        let mut caller = Caller::new(&federation, &line);
        let ticket = caller.describe(deadline_ms).await;
        let engine = processes(std::process::id(), &["engine", config.to_str().unwrap()])[0];
        signal("-STOP", engine);
        let before = asked();
        let asking = tokio::spawn(async move { caller.flight.do_get(ticket).await.map(drop) });
        wait_for("the question", || asked() > before);
        line.is(State::Dead);
        if goes_on {
            // Its answer is sent to nobody.
            signal("-CONT", engine);
        }
        let answer = other.ask(COUNT).await.unwrap();
        assert_eq!(answer.cell(0, "patients").unwrap().as_deref(), Some("304"));
        assert!(!asking.is_finished(), "nobody has told the caller");
        let same = processes(std::process::id(), &["engine", config.to_str().unwrap()]) == [engine];
        assert_eq!(same, goes_on, "an engine that stands still is replaced, and no other");
    }
    federation.stop().await;
    let summary = verify_file(&log.path, Some(&log.key)).unwrap();
    assert!(summary.open.is_empty(), "{:?}", summary.open);
}

/// Pings find out, after 30 seconds and 20 more.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_line_dies_keeps_no_connection() {
    let (mut federation, _, line) = by_line("connections = 1").await;
    let mut caller = Caller::new(&federation, &line);
    caller.describe(30_000).await;
    let mut other = federation.site_client("cleveland", None).unwrap();
    assert!(other.ask(COUNT).await.is_err(), "there is one place");
    line.is(State::Dead);
    until("the place is free", async || other.ask(COUNT).await.is_ok()).await;
    federation.stop().await;
}

/// Asks now and then, for at most two minutes.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_so().await {
        assert!(Instant::now() < end, "{what}: it does not come about");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dials_finds_its_coordinator_again() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own");
    assert!(liquid().arg("init").arg(&own).output().unwrap().status.success());
    let (node, coordinator) = (own.join("sites/first/node.toml"), own.join("coordinator/coordinator.toml"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    edit(&coordinator, "127.0.0.1:7433", &format!("127.0.0.1:{port}"));
    edit(&coordinator, "url = \"https://127.0.0.1:7434\"", "connect = \"outbound\"");
    let line = Line::to(port).await;
    for text in
        ["[connect]", "mode = \"outbound\"", "[[connect.coordinator]]", "url = \"https://localhost:7433\""]
    {
        edit(&node, &format!("# {text}"), &text.replace("7433", &line.port.to_string()));
    }
    // A second connection could come up after the line is dead, and hide that the first is never missed.
    edit(&node, "mode = \"outbound\"", "mode = \"outbound\"\nconnections = 1");
    edit(&node, "listen = \"127.0.0.1:7434\"\n", "");
    let _coordinator = Part::start("coordinator", &coordinator);
    let _node = Part::start("node", &node);
    let ask = || -> Ended {
        let mut query = liquid();
        query.args(["query", "--format", "csv", "--url", &format!("https://127.0.0.1:{port}"), "--ca"]);
        query.arg(own.join("ca.pem")).arg("--token-file").arg(own.join("tokens/own.analyst"));
        query
            .args(["--set", "liquid.deadline_ms=3000", "SELECT count(*) > 0 AS some FROM visits"])
            .output()
            .unwrap()
            .into()
    };
    let whole = ask();
    assert_eq!((whole.code, whole.out.as_str()), (0, "some\ntrue\n"), "{whole:?}");

    line.is(State::Cut);
    until("a cut is seen", async || ask().code == 5).await;
    line.is(State::Carries);
    until("the node is back after a cut", async || ask().code == 0).await;

    line.is(State::Dead);
    let missing = ask();
    assert!(missing.code == 5 && missing.err.contains("`first`"), "{missing:?}");
    // What was dead stays so: the node has to find out and to dial once more.
    line.is(State::Carries);
    until("the node is back after a dead line", async || ask().code == 0).await;
}
