//! A coordinator that lies. It has a good certificate and good tokens, and alters, replays, redirects, reorders and invents
//! what it sends to real nodes. Whatever it does, it gets nothing that an analyst with the same token would not get by
//! asking the node directly; and every request that is on record has one outcome.
//!
//! `LIQUID_BYZANTINE_SEED=7 LIQUID_BYZANTINE_STEPS=5000` asks for another run than the usual one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{Any, CommandStatementQuery, ProstMessageExt};
use arrow_flight::{FlightData, FlightDescriptor, Ticket};
use liquid_local::{Federation, Run, heart};
use liquid_node::audit::{Body, Outcome, Record, verify_file};
use liquid_node_api::Error;
use liquid_node_api::channel::Token;
use liquid_node_api::envelope::{AnswerCaps, Envelope, Issuer, SignedEnvelope};
use liquid_node_api::parameter::Parameter;
use liquid_node_api::request::{DIALECT, SiteRequest};
use liquid_node_api::sql::{request_id, site_ticket};
use liquid_node_api::tls::{Certificates, Files, Target, connect};
use liquid_node_api::wire::{assemble, gate};
use prost::Message;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// What is asked: some of it is permitted, some withheld in part, the rest refused.
const QUESTIONS: [&str; 9] = [
    "SELECT count(*) AS a FROM cardiac",
    "SELECT sex AS g, count(*) AS a FROM cardiac GROUP BY sex",
    "SELECT sex AS g, avg(age) AS a FROM cardiac GROUP BY sex",
    "SELECT count(*) AS a FROM cardiac WHERE age >= 60",
    "SELECT count(*) AS a FROM cardiac WHERE age > 100",
    "SELECT patient AS g, count(*) AS a FROM cardiac GROUP BY patient",
    "SELECT * FROM cardiac",
    "SELECT max(age) AS a FROM cardiac",
    "SELECT count(*) AS a FROM nowhere",
];

/// A small generator: the same seed, the same run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.roll(all.len())]
    }
}

/// What came back, in a form that can be compared: the rows as text, whatever their order.
type Came = Result<Vec<String>, Error>;

struct Node {
    site: String,
    channel: Channel,
}

struct Scene {
    federation: Federation,
    issuer: Arc<Issuer>,
    nodes: Vec<Node>,
    /// Good ones, and one that is none.
    tokens: Vec<Token>,
    /// What a question gives when a token's owner asks the node directly.
    direct: BTreeMap<(String, String, String), Came>,
}

/// The certificate that some part of the federation shows.
pub(crate) fn files(folder: &Path) -> Files {
    let file = |name: &str| folder.join(name);
    Files { cert: file("certificate.pem"), key: file("key.pem"), ca: file("ca.pem"), crl: None }
}

fn typed(status: Status) -> Error {
    Error::from_status(&status).unwrap_or_else(|| panic!("not an error of ours: {status}"))
}

fn with_token<T>(body: T, token: &Token) -> Request<T> {
    let mut request = Request::new(body);
    request.metadata_mut().insert("authorization", format!("Bearer {}", token.secret()).parse().unwrap());
    request.metadata_mut().insert("x-liquid-marks", "columns".parse().unwrap());
    request
}

async fn fetch(channel: &Channel, request: Request<Ticket>) -> Came {
    let mut client = FlightServiceClient::new(channel.clone());
    let mut stream = client.do_get(request).await.map_err(typed)?.into_inner();
    let mut messages: Vec<FlightData> = Vec::new();
    while let Some(message) = stream.message().await.map_err(typed)? {
        messages.push(message);
    }
    let batch = gate::decode(&assemble(&messages), &gate::Quota::default(), |_| Ok(())).unwrap();
    let mut lines: Vec<String> =
        pretty_format_batches(&[batch]).unwrap().to_string().lines().map(str::to_owned).collect();
    lines.sort();
    Ok(lines)
}

impl Scene {
    async fn start() -> Self {
        let federation = Federation::start(&heart::blueprint(), Run::InProcess).await.unwrap();
        let certificates = Certificates::open(&files(&federation.root().join("coordinator"))).unwrap();
        let caps = AnswerCaps { rows: 1_000_000, bytes: 1 << 30 };
        let issuer = Issuer::new(certificates.clone(), Arc::new(chrono::Utc::now), caps).unwrap();
        let client = certificates.client().unwrap();
        let mut nodes = Vec::new();
        for site in &federation.connection().sites {
            let url = site.url.clone().unwrap();
            let target = Target { url, server_name: None, identity: None, proxy: None };
            let channel = connect(&target, Arc::clone(&client)).unwrap();
            nodes.push(Node { site: site.name.clone(), channel });
        }
        let mut tokens: Vec<_> =
            federation.connection().tokens.iter().map(|(_, token)| Token::new(token)).collect();
        tokens.push(Token::new("nobody's"));
        Self { federation, issuer, nodes, tokens, direct: BTreeMap::new() }
    }

    /// What the owner of a token gets who asks the node without any coordinator.
    async fn direct(&mut self, node: usize, token: &Token, sql: &str) -> Came {
        let node = &self.nodes[node];
        let key = (node.site.clone(), token.secret().to_owned(), sql.to_owned());
        if let Some(known) = self.direct.get(&key) {
            return known.clone();
        }
        let ask = async {
            let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
            let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
            let mut client = FlightServiceClient::new(node.channel.clone());
            let info = client.get_flight_info(with_token(descriptor, token)).await.map_err(typed)?;
            let ticket = info.into_inner().endpoint[0].ticket.clone().unwrap();
            fetch(&node.channel, with_token(ticket, token)).await
        };
        let came = ask.await;
        self.direct.insert(key, came.clone());
        came
    }

    fn seal(&self, node: usize, token: &Token, sql: &str) -> SignedEnvelope {
        let request = SiteRequest {
            dialect: DIALECT,
            id: format!("{}-0", request_id()).as_str().into(),
            sql: sql.to_owned(),
            parameters: vec![],
            call: None,
            purpose: None,
            agreement: None,
            pinned: None,
            deadline_ms: 20_000,
            marks: true,
        };
        self.issuer.seal(token, &self.nodes[node].site.as_str().into(), request).unwrap()
    }

    async fn present(&self, node: usize, token: &Token, envelope: &SignedEnvelope) -> Came {
        fetch(&self.nodes[node].channel, with_token(site_ticket(envelope), token)).await
    }

    /// The oracle: what came for an envelope is no more than what its own token's owner gets directly.
    async fn no_more_than_direct(&mut self, node: usize, token: &Token, envelope: &Envelope, came: &Came) {
        let Ok(rows) = came else { return };
        let sql = envelope.request.sql.clone();
        let direct = self.direct(node, token, &sql).await;
        assert_eq!(
            direct.as_ref(),
            Ok(rows),
            "{sql} at {}: more than a direct question gives",
            self.nodes[node].site
        );
    }
}

/// Changes one thing of an envelope, as somebody may who can sign it again; and whether nothing may come of it.
fn altered(dice: &mut Dice, mut envelope: Envelope) -> (Envelope, bool) {
    let minutes = (dice.roll(20) as i64 - 10) * 60_000;
    let kind = dice.roll(13);
    match kind {
        0 => envelope.audience = "nowhere".into(),
        1 => envelope.token = "00".repeat(32),
        2 => envelope.issuer = "liquid://coordinator/other".parse().unwrap(),
        3 => envelope.issued_ms += minutes,
        4 => envelope.expires_ms += minutes,
        5 => envelope.request.purpose = Some("curiosity".into()),
        6 => envelope.request.pinned = Some("00".into()),
        7 => envelope.request.agreement = Some("HRT-2026-02".into()),
        8 => envelope.request.dialect += 1,
        9 => envelope.request.sql = QUESTIONS[dice.roll(QUESTIONS.len())].to_owned(),
        10 => envelope.request.parameters = vec![Parameter::Int64(Some(1))],
        11 => envelope.caps = AnswerCaps { rows: 0, bytes: 10 },
        _ => envelope.request.deadline_ms = 1,
    }
    (envelope, matches!(kind, 0..=2 | 5..=8 | 11))
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_coordinator_gets_no_more_than_a_lying_analyst() {
    let mut dice = Dice(number("LIQUID_BYZANTINE_SEED", 20_260_401) | 1);
    let mut scene = Scene::start().await;
    let mut sent: Vec<(usize, Token, SignedEnvelope)> = Vec::new();
    let mut held: Vec<(usize, Token, SignedEnvelope)> = Vec::new();
    let (mut answered, mut refused) = (0, 0);
    for step in 0..number("LIQUID_BYZANTINE_STEPS", 250) {
        let node = dice.roll(scene.nodes.len());
        let token = dice.of(&scene.tokens).clone();
        let fresh = scene.seal(node, &token, QUESTIONS[dice.roll(QUESTIONS.len())]);
        let came = match dice.roll(8) {
            // An honest question, now and then kept back to be sent in another order.
            0 | 1 => {
                let came = scene.present(node, &token, &fresh).await;
                let direct = scene.direct(node, &token, &fresh.unverified().request.sql).await;
                assert_eq!(came.is_ok(), direct.is_ok(), "step {step}: {came:?} and {direct:?}");
                scene.no_more_than_direct(node, &token, fresh.unverified(), &came).await;
                sent.push((node, token, fresh));
                came
            }
            2 => {
                held.push((node, token, fresh));
                continue;
            }
            3 if !held.is_empty() => {
                let (node, token, envelope) = held.swap_remove(dice.roll(held.len()));
                let came = scene.present(node, &token, &envelope).await;
                scene.no_more_than_direct(node, &token, envelope.unverified(), &came).await;
                sent.push((node, token, envelope));
                came
            }
            // Again: here, at another site, or for another caller. Never.
            4 if !sent.is_empty() => {
                let (first, owner, envelope) = dice.of(&sent).clone();
                let (at, token) = match dice.roll(3) {
                    0 => (first, owner),
                    1 => (node, owner),
                    _ => (first, token),
                };
                let came = scene.present(at, &token, &envelope).await;
                assert!(came.is_err(), "step {step}: a replay was answered");
                came
            }
            5 => {
                let token_of_another = dice.of(&scene.tokens).clone();
                let other = dice.roll(scene.nodes.len());
                let came = scene.present(other, &token_of_another, &fresh).await;
                let is_meant = other == node && token_of_another.secret() == token.secret();
                assert!(came.is_err() || is_meant, "step {step}: it was for another site or caller");
                scene.no_more_than_direct(other, &token_of_another, fresh.unverified(), &came).await;
                came
            }
            6 => {
                let (changed, is_void) = altered(&mut dice, fresh.unverified().clone());
                let resigned = scene.issuer.sign(changed.clone()).unwrap();
                let came = scene.present(node, &token, &resigned).await;
                assert!(came.is_err() || !is_void, "step {step}: {changed:?} was answered");
                scene.no_more_than_direct(node, &token, &changed, &came).await;
                came
            }
            // Bytes changed without a new signature, or made up.
            _ => {
                let mut bytes = fresh.to_bytes();
                for _ in 0..=dice.roll(3) {
                    let at = dice.roll(bytes.len());
                    bytes[at] = bytes[at].wrapping_add(1 + u8::try_from(dice.roll(255)).unwrap());
                }
                bytes.truncate(bytes.len() - dice.roll(2) * dice.roll(bytes.len()));
                let ticket = Any { type_url: "liquid/Envelope/1".to_owned(), value: bytes.into() };
                let request = with_token(Ticket::new(ticket.encode_to_vec()), &token);
                let came = fetch(&scene.nodes[node].channel, request).await;
                assert!(came.is_err(), "step {step}: what nobody signed was answered");
                came
            }
        };
        match came {
            Ok(_) => answered += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(answered > 10 && refused > 10, "{answered} answered, {refused} refused: the dice are loaded");
    let direct = scene.direct.values().filter(|came| came.is_ok()).count();
    check_logs(&scene.federation, answered + direct);
}

/// The logs are whole, every request has one outcome, and as many were released as were answered.
fn check_logs(federation: &Federation, answered: usize) {
    let (mut released, mut nonces) = (0, Vec::new());
    for log in federation.audit_logs() {
        let summary = verify_file(&log.path, Some(&log.key)).unwrap();
        assert!(summary.open.is_empty(), "every request has its outcome at {}", log.site);
        let text = std::fs::read_to_string(&log.path).unwrap();
        let (mut carried, mut done) = (BTreeMap::new(), Vec::new());
        for record in text.lines().map(|line| serde_json::from_str::<Record>(line).unwrap()) {
            match record.body {
                Body::Asked(asked) => {
                    if let Some(envelope) = asked.envelope {
                        carried.insert(asked.request.to_string(), envelope.nonce);
                    }
                }
                Body::Closed { request, outcome: Outcome::Released { .. }, .. } => {
                    done.push(request.to_string())
                }
                _ => {}
            }
        }
        released += done.len();
        nonces.extend(done.iter().filter_map(|request| carried.get(request).copied()));
    }
    assert_eq!(released, answered, "as many releases on record as answers that left");
    let all = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), all, "no envelope was answered twice, at any site");
}
