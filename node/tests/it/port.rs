//! The node behind its TLS port: Flight SQL for analysts, envelopes for coordinators.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, Schema};
use arrow::ipc::reader::StreamReader;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{FlightInfo, IpcMessage};
use futures::TryStreamExt;
use liquid_node::Node;
use liquid_node::audit::{Body, Outcome};
use liquid_node::serve::Doors;
use liquid_node_api::Error;
use liquid_node_api::channel::NodeChannel;
use liquid_node_api::envelope::{AnswerCaps, Issuer};
use liquid_node_api::flight::FlightChannel;
use liquid_node_api::report::SiteReport;
use liquid_node_api::sql::{Backend, SessionOptions, Statement, request_id};
use liquid_node_api::tls::{Files, Identity, Material, Target, connect, listen};
use liquid_node_api::wire;
use liquid_policy::Code;
use ring::digest::{SHA256, digest};
use tonic::transport::Channel;

use crate::certificates::Authority;
use crate::site::{COORDINATOR, Site, changed, request, token};

pub(crate) struct Open {
    pub(crate) site: Site,
    pub(crate) authority: Authority,
    pub(crate) target: Target,
    pub(crate) serving: tokio::task::JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(crate) async fn start() -> Open {
    start_with(Site::new(), Authority::new()).await
}

/// Starts a node over what there is.
pub(crate) async fn start_with(mut site: Site, authority: Authority) -> Open {
    let files = authority.files("node", &["liquid://site/cleveland"]);
    site.tls = format!(
        "cert = \"{}\"\nkey = \"{}\"\nca = \"{}\"",
        files.cert.display(),
        files.key.display(),
        files.ca.display()
    );
    let node: Arc<Node> = site.open().await;
    let listener = listen(node.config().node.listen.unwrap()).await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let identity = Some(Identity::Site("cleveland".into()));
    let target = Target { url, identity, ..Target::default() };
    let doors = Doors::open(node.config(), Some(listener)).await.unwrap();
    let serving = tokio::spawn(async move {
        liquid_node::serve::serve(node, doors, std::future::pending()).await.unwrap();
    });
    Open { site, authority, target, serving }
}

impl Open {
    /// What signs a coordinator's envelopes, by the site's clock.
    pub(crate) fn issuer(&self, identity: &str) -> Arc<Issuer> {
        let clock = Arc::clone(&self.site.clock);
        let caps = AnswerCaps { rows: 1_000_000, bytes: 1 << 30 };
        let certificates = self.authority.certificates(identity);
        Issuer::new(certificates, Arc::new(move || *clock.lock().unwrap()), caps).unwrap()
    }

    fn analyst(&self) -> FlightSqlServiceClient<Channel> {
        let tls = Material::anonymous(&self.authority.ca()).unwrap();
        let mut client = FlightSqlServiceClient::new(connect(&self.target, tls).unwrap());
        client.set_token(token().secret().to_owned());
        client
    }
}

/// What an answer says of itself in its schema, for readers that see nothing else.
fn said(schema: &Schema) -> SiteReport {
    serde_json::from_str(&schema.metadata()[wire::REPORT]).unwrap()
}

fn typed(error: &FlightError) -> Error {
    match error {
        FlightError::Tonic(status) => Error::from_status(status).unwrap(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_coordinator_asks_over_the_network_what_it_may_in_process() {
    let open = start().await;
    let tls = open.authority.material("coordinator", &[COORDINATOR]).client().unwrap();
    let issuer = open.issuer(COORDINATOR);
    let way = FlightChannel::new("cleveland".into(), connect(&open.target, tls).unwrap(), 1 << 20, issuer);
    let answer = way.ask(&token(), request("counted")).await.unwrap();
    let outcomes = open.site.outcomes();
    let [Outcome::Released { answer: recorded, .. }] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_eq!(
        *recorded,
        hex::encode(digest(&SHA256, &answer.ipc)),
        "the record is of the bytes that arrived"
    );
    let stream = StreamReader::try_new(answer.ipc.as_ref(), None).unwrap();
    assert_eq!(said(&stream.schema()), answer.report, "which hold the report too");
    assert_eq!(way.catalogue(&token()).await.unwrap().tables[0].columns.len(), 3);
    let refused = way.ask(&token(), request("named")).await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, Error::Refused { .. }));
    let stranger = open.authority.material("stranger", &["liquid://coordinator/stranger"]).client().unwrap();
    let issuer = open.issuer("liquid://coordinator/stranger");
    let way =
        FlightChannel::new("cleveland".into(), connect(&open.target, stranger).unwrap(), 1 << 20, issuer);
    let error = way.ask(&token(), request("counted")).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
}

#[tokio::test]
async fn an_analyst_asks_a_site_directly() {
    let open = start().await;
    let mut client = open.analyst();
    let info: FlightInfo = client.execute("finished".to_owned(), None).await.unwrap();
    let described = Schema::try_from(IpcMessage(info.schema.clone())).unwrap();
    assert_eq!(open.site.seen.ran(), 0, "describing touches no data");
    assert_eq!(open.site.records().len(), 1, "and leaves no record");
    let stream = client.do_get(info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    let batches: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(batches[0].schema().fields(), described.fields());
    let report = said(&batches[0].schema());
    assert_eq!(report.request.as_str(), described.metadata()[wire::REQUEST], "under the id that was told");
    assert_eq!((report.site.as_str(), report.rows_may_be_missing), ("cleveland", true));
    assert_eq!(batches[0].column(1).as_primitive::<Int64Type>().value(0), 20);
    let records = open.site.records();
    let Some(Body::Asked(asked)) = records.get(1) else { panic!("{records:?}") };
    assert_eq!(asked.carried_by, None, "nobody carried it");
    client.set_header("x-liquid-purpose", "marketing");
    let error = client.execute("counted".to_owned(), None).await.unwrap_err();
    assert!(matches!(typed(&error), Error::Refused { .. }));
    assert_eq!(open.site.outcomes().len(), 2, "a refusal that falls early is an outcome too");
}

#[tokio::test]
async fn a_ticket_that_is_not_the_callers_is_turned_away_on_record() {
    let open = start().await;
    let mut client = open.analyst();
    let info = client.execute("counted".to_owned(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut bob = open.analyst();
    bob.set_token(changed(|claims| claims["sub"] = "bob".into()).secret().to_owned());
    let error = bob.do_get(ticket.clone()).await.map(|_| ()).unwrap_err();
    assert!(typed(&error).to_string().contains("another caller"), "{error}");
    let records = open.site.records();
    let [Body::Opened { .. }, Body::Asked(asked), Body::Closed { outcome, .. }] = records.as_slice() else {
        panic!("{records:?}")
    };
    assert_eq!((asked.caller.subject.as_str(), &asked.sql), ("bob", &None), "who it was, not what it says");
    assert!(matches!(outcome, Outcome::Rejected { kind } if kind == "invalid"), "{outcome:?}");
    client.do_get(ticket).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(open.site.seen.ran(), 1);
}

#[tokio::test]
async fn what_was_described_under_another_version_is_not_answered() {
    let mut site = Site::new();
    let node = site.open().await;
    let session = node.authenticate(Some(&token()), None, SessionOptions::default()).unwrap();
    let statement = Statement { id: request_id(), sql: "counted".to_owned(), parameters: Vec::new() };
    let described = Backend::describe(&*node, &session, &statement).await.unwrap();
    let ask = async |pinned| Backend::answer(&*node, &session, statement.clone(), pinned).await.map(|_| ());
    ask(described.pinned).await.unwrap();
    let error = ask(Some("00".into())).await.unwrap_err();
    assert!(matches!(error, Error::Refused { refusal } if refusal.code == Code::Version));
}

#[tokio::test]
async fn an_answer_says_what_it_is_in_its_metadata() {
    let open = start().await;
    let mut client = open.analyst();
    let info = client.execute("counted".to_owned(), None).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let mut request = tonic::Request::new(ticket);
    request.metadata_mut().insert("authorization", format!("Bearer {}", token().secret()).parse().unwrap());
    let stream = client.inner_mut().do_get(request).await.unwrap().into_inner();
    let messages: Vec<_> = stream.try_collect().await.unwrap();
    let report: SiteReport = serde_json::from_slice(&messages.last().unwrap().app_metadata).unwrap();
    assert_eq!((report.withheld, report.site.as_str()), (1, "cleveland"));
    assert!(
        info.app_metadata.ends_with(format!("\"{}\"}}", report.request).as_bytes()),
        "under the id that was told"
    );
}

/// What `serve` would find wrong is found before anybody is told that the node is ready.
#[test]
fn a_certificate_that_is_not_the_sites_is_found_beforehand() {
    let authority = Authority::new();
    let own = authority.files("own", &["liquid://site/cleveland"]);
    let check = |files: &Files| {
        let mut site = Site::new();
        site.tls = format!(
            "cert = \"{}\"\nkey = \"{}\"\nca = \"{}\"",
            files.cert.display(),
            files.key.display(),
            files.ca.display()
        );
        site.config().check_tls().map_err(|error| error.to_string())
    };
    assert_eq!(check(&own), Ok(()));
    let other = authority.files("other", &["liquid://site/zurich"]);
    let named = check(&other).unwrap_err();
    assert!(named.contains("liquid://site/zurich") && named.contains("`site` in `[node]`"), "{named}");
    let mixed = check(&Files { key: other.key, ..own.clone() }).unwrap_err();
    assert!(mixed.contains("is not the key of"), "{mixed}");
    let missing = check(&Files { key: "not there".into(), ..own }).unwrap_err();
    assert!(missing.contains("not there"), "{missing}");
}
