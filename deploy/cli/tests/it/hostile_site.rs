//! A site whose node was taken over: it has its certificate, and sends a real coordinator whatever does harm. The question
//! names it and is answered from the others where the caller allows that; other questions notice nothing; the coordinator's
//! processes grow by no more than what they may keep.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt8Array};
use arrow::ipc::CompressionType;
use arrow::ipc::root_as_message;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::Any;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use liquid_local::{Federation, Run, heart};
use liquid_node_api::Error;
use liquid_node_api::channel::{NodeChannel, Token};
use liquid_node_api::envelope::{AnswerCaps, Issuer, SignedEnvelope};
use liquid_node_api::flight::FlightChannel;
use liquid_node_api::report::SiteReport;
use liquid_node_api::tls::{Certificates, Limits, Target, connect, http2, incoming};
use prost::Message;
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, Streaming};

use crate::byzantine::files;
use crate::fixture::processes;

const COUNT: &str = "SELECT count(*) AS patients FROM cardiac";
const SITE: &str = "cleveland";

/// What the site sends instead of an answer.
#[derive(Clone)]
enum Sends {
    /// These messages, with a report that is in order.
    Messages(Vec<FlightData>),
    /// The first message, and then the second for ever.
    Endless(FlightData, FlightData),
    /// The same, one a second.
    Trickle(FlightData, FlightData),
    /// Nothing, for ever.
    Silence,
    /// These messages, and what it says of them.
    Says(Vec<FlightData>, Bytes),
    /// An error.
    Fails(Status),
}

struct Hostile {
    catalogue: Bytes,
    sends: Arc<Mutex<Sends>>,
}

type Boxed<T> = Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send>>;

fn no<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("no"))
}

#[tonic::async_trait]
impl FlightService for Hostile {
    type HandshakeStream = Boxed<HandshakeResponse>;
    type ListFlightsStream = Boxed<FlightInfo>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = Boxed<PutResult>;
    type DoActionStream = Boxed<arrow_flight::Result>;
    type ListActionsStream = Boxed<ActionType>;
    type DoExchangeStream = Boxed<FlightData>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let any = Any::decode(request.into_inner().ticket).unwrap();
        let envelope = SignedEnvelope::read(&any.value).unwrap();
        let report = SiteReport {
            site: SITE.into(),
            request: envelope.unverified().request.id.clone(),
            agreement: "HRT-2026-01".into(),
            hash: "00".into(),
            withheld: 0,
            groups_may_be_missing: false,
            rows_may_be_missing: false,
            clauses: vec![],
            earlier: None,
        };
        let said = |mut messages: Vec<FlightData>, said: Bytes| {
            messages.last_mut().unwrap().app_metadata = said;
            stream::iter(messages.into_iter().map(Ok)).boxed()
        };
        let sends = self.sends.lock().unwrap().clone();
        Ok(Response::new(match sends {
            Sends::Messages(messages) => said(messages, serde_json::to_vec(&report).unwrap().into()),
            Sends::Says(messages, words) => said(messages, words),
            Sends::Endless(first, again) => {
                stream::iter([Ok(first)]).chain(stream::repeat(again).map(Ok)).boxed()
            }
            Sends::Trickle(first, again) => stream::iter([Ok(first)])
                .chain(
                    stream::repeat(again)
                        .then(async |again| {
                            tokio::time::sleep(Duration::from_secs(1)).await;
                            Ok(again)
                        })
                        .boxed(),
                )
                .boxed(),
            Sends::Silence => stream::pending().boxed(),
            Sends::Fails(status) => return Err(status),
        }))
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let result = arrow_flight::Result { body: self.catalogue.clone() };
        Ok(Response::new(Box::pin(stream::iter([Ok(result)]))))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        no()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        no()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        no()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        no()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        no()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        no()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        no()
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        no()
    }
}

/// The answer to [`COUNT`], as a site sends it, with other values.
fn counts(values: ArrayRef, marks: Vec<u8>) -> RecordBatch {
    let marks: ArrayRef = Arc::new(UInt8Array::from(marks));
    RecordBatch::try_from_iter_with_nullable([("a0", values, true), ("a0_mark", marks, true)]).unwrap()
}

pub(crate) fn count(values: Vec<i64>) -> RecordBatch {
    let marks = vec![0; values.len()];
    counts(Arc::new(Int64Array::from(values)), marks)
}

/// A batch as Flight messages: the schema, and the rows.
pub(crate) fn messages(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<FlightData> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    let written = writer.into_inner().unwrap();
    let (mut rest, mut found) = (written.as_slice(), Vec::new());
    loop {
        let header = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        if header == 0 {
            return found;
        }
        let (header, after) = rest[8..].split_at(header);
        let (body, after) = after.split_at(root_as_message(header).unwrap().bodyLength() as usize);
        found.push(FlightData {
            data_header: header.to_vec().into(),
            data_body: body.to_vec().into(),
            ..FlightData::default()
        });
        rest = after;
    }
}

/// A compressed answer that says that it is this long when it is unpacked.
pub(crate) fn packed(kind: CompressionType, length: u64, rows: usize) -> Vec<FlightData> {
    let mut all = messages(&count(vec![0; rows]), Some(kind));
    let message = root_as_message(&all[1].data_header).unwrap();
    let at = message.header_as_record_batch().unwrap().buffers().unwrap().get(1).offset() as usize;
    let mut body = all[1].data_body.to_vec();
    body[at..at + 8].copy_from_slice(&length.to_le_bytes());
    all[1].data_body = body.into();
    all
}

/// What is sent, and a word of what is said of it.
fn scenes() -> Vec<(Sends, &'static str)> {
    let good = messages(&count(vec![304]), None);
    let empty = messages(&count(vec![]), None);
    let large = messages(&count(vec![0; 100_000]), None);
    let used = "its answer cannot be used";
    let mut scenes = vec![
        (Sends::Endless(empty[0].clone(), empty[1].clone()), "sent more than was asked for"),
        (Sends::Endless(large[0].clone(), large[1].clone()), "sent more than was asked for"),
        (Sends::Trickle(good[0].clone(), good[1].clone()), "did not answer"),
        (Sends::Silence, "did not answer"),
        (Sends::Messages(messages(&count(vec![0; 3_000_000]), None)), "cannot be reached"),
        (Sends::Messages(messages(&count(vec![1, 2]), None)), used),
        (Sends::Messages(messages(&count(vec![]), None)), used),
        (Sends::Messages(messages(&count(vec![-1]), None)), "a count that cannot be"),
        (Sends::Messages(messages(&count(vec![i64::MAX]), None)), "largest part"),
        (
            Sends::Messages(messages(&counts(Arc::new(Int64Array::from(vec![7])), vec![9]), None)),
            "a mark that does not",
        ),
        (
            Sends::Messages(messages(&counts(Arc::new(Float64Array::from(vec![f64::NAN])), vec![0]), None)),
            "another type",
        ),
        (Sends::Messages(messages(&count(vec![1]).project(&[1, 0]).unwrap(), None)), "other columns"),
        (Sends::Messages(messages(&count(vec![1]).project(&[0]).unwrap(), None)), "other columns"),
        (Sends::Messages(vec![good[1].clone(), good[0].clone()]), used),
        (Sends::Messages([good.clone(), good[..1].to_vec()].concat()), used),
        (Sends::Says(good.clone(), Bytes::new()), "not understood"),
        (Sends::Says(good.clone(), Bytes::from(vec![b'['; 100_000])), "not understood"),
        (Sends::Fails(Status::internal("x".repeat(20_000))), "cannot be reached"),
        (Sends::Fails(Error::invalid("\u{1b}[2J".repeat(99), "x".repeat(9_999)).into()), "[2J"),
    ];
    for kind in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        for length in [1 << 40, i64::MAX as u64] {
            scenes.push((Sends::Messages(packed(kind, length, 1000)), used));
        }
    }
    scenes
}

/// Most memory that a process has had, in bytes.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_was_taken_over_harms_nobody_else() {
    let binary = env!("CARGO_BIN_EXE_liquid").into();
    let mut federation = Federation::start(&heart::blueprint(), Run::Processes(binary)).await.unwrap();
    let sends = take_over(&mut federation).await;
    let root = federation.root().display().to_string();
    let front = processes(std::process::id(), &["coordinator", &root]);
    let before: u64 = front.iter().map(|process| peak(*process)).sum();
    assert!(before > 0, "the coordinator's process is found");
    for (number, (scene, says)) in scenes().into_iter().enumerate() {
        *sends.lock().unwrap() = scene;
        let mut client = federation.client(None).unwrap();
        client.set("liquid.deadline_ms", "6000").unwrap();
        let mut beside = client.clone();
        // What does not concern that site is answered meanwhile.
        let (error, other) = tokio::join!(
            client.ask(COUNT),
            beside.ask("SELECT count(*) AS patients FROM cardiac WHERE site = 'budapest'")
        );
        let error = error.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(SITE) && error.contains(says), "scene {number}: {error}");
        assert!(!error.contains(char::is_control) && error.len() < 2_000, "scene {number}: {error}");
        assert_eq!(other.unwrap().cell(0, "patients").unwrap().as_deref(), Some("293"), "scene {number}");
        if !says.contains("largest part") {
            client.set("liquid.min_sites", "3").unwrap();
            let partial = client.ask(COUNT).await.unwrap();
            assert_eq!(partial.cell(0, "patients").unwrap().as_deref(), Some("616"), "scene {number}");
        }
    }
    let after: u64 = front.iter().map(|process| peak(*process)).sum();
    // It may keep 64 MiB of one site's answer, for two questions at a time.
    assert!(after < before + (400 << 20), "{} MiB more", (after - before) >> 20);
    for planner in processes(std::process::id(), &["engine", "coordinator"]) {
        assert!(peak(planner) < 600 << 20, "{} MiB", peak(planner) >> 20);
    }
    federation.stop().await;
}

/// Stops the site's node, and serves in its place, with its certificate and its tables.
async fn take_over(federation: &mut Federation) -> Arc<Mutex<Sends>> {
    let url = federation.connection().sites.iter().find(|it| it.name == SITE).unwrap().url.clone().unwrap();
    let port: u16 = url.rsplit_once(':').unwrap().1.parse().unwrap();
    let coordinator = Certificates::open(&files(&federation.root().join("coordinator"))).unwrap();
    let target = Target { url, server_name: None, identity: None, proxy: None };
    let channel = connect(&target, coordinator.client().unwrap()).unwrap();
    let caps = AnswerCaps { rows: 1, bytes: 1 };
    let issuer = Issuer::new(coordinator, Arc::new(chrono::Utc::now), caps).unwrap();
    let (_, token) = federation.connection().tokens.first().unwrap();
    let way = FlightChannel::new(SITE.into(), channel, 1 << 20, issuer);
    let catalogue = way.catalogue(&Token::new(token)).await.unwrap();
    let catalogue = serde_json::to_vec(&catalogue).unwrap().into();
    drop(way);
    federation.stop_site(SITE).await.unwrap();
    let own = Certificates::open(&files(&federation.root().join("sites").join(SITE))).unwrap();
    let sends = Arc::new(Mutex::new(Sends::Silence));
    let hostile = FlightServiceServer::new(Hostile { catalogue, sends: Arc::clone(&sends) })
        .max_encoding_message_size(1 << 30);
    let listener = loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => break listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let connections = incoming(listener, &own, Limits::default()).unwrap();
    tokio::spawn(http2().add_service(hostile).serve_with_incoming(connections));
    sends
}
