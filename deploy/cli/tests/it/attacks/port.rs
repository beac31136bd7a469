//! What is sent to a node's port in the place of SQL: plans of other engines, rows, commands, tickets and actions that there are
//! none of. Each is turned away in one way, and nothing runs.

use std::collections::BTreeMap;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionBeginTransactionRequest, ActionCreatePreparedSubstraitPlanRequest, Any, CommandStatementIngest,
    CommandStatementQuery, CommandStatementSubstraitPlan, CommandStatementUpdate, ProstMessageExt,
    SubstraitPlan, TicketStatementQuery,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, Ticket};
use futures::{TryFutureExt, TryStreamExt};
use liquid_local::Federation;
use liquid_node::audit::{Body, Outcome, Record};
use liquid_node_api::Error;
use liquid_node_api::tls::{Material, Target, connect};
use prost::Message;
use tonic::transport::Channel;
use tonic::{IntoRequest, Request, Status, Streaming};

/// A number of the list; what it wants; the way in which it is turned away.
pub(super) const ROWS: [(i64, &str, &str); 3] = [
    (61, "a plan or rows in the place of SQL: Substrait, uploads, updates", "STATEMENT"),
    (61, "commands, tickets and actions that there are none of", "invalid"),
    (61, "calls that lead nowhere", "unimplemented"),
];

struct Sender {
    flight: FlightServiceClient<Channel>,
    token: String,
    /// What came of each, by what it was.
    came: Vec<(&'static str, String, String)>,
}

/// Sends all of them, and says how often each row of the list was asked and what went another way.
pub(super) async fn send(federation: &Federation) -> (BTreeMap<(i64, String, String), usize>, Vec<String>) {
    let connection = federation.connection();
    let url = connection.sites[0].url.clone().unwrap();
    let token = connection.tokens.first().unwrap().1.trim().to_owned();
    let channel =
        connect(&Target { url, ..Target::default() }, Material::anonymous(&connection.ca).unwrap()).unwrap();
    let mut sender = Sender { flight: FlightServiceClient::new(channel), token, came: Vec::new() };
    let before = released(federation);
    sender.plans().await;
    sender.strangers().await;
    sender.nowhere().await;
    let mut wrong = Vec::new();
    if released(federation) > before {
        wrong.push("61: something was released".to_owned());
    }
    let mut asked = BTreeMap::new();
    for (wanted, what, came) in sender.came {
        if came != wanted {
            wrong.push(format!("61 ({wanted}): {what}: {came}"));
        }
        let row = ROWS.iter().find(|(_, _, code)| *code == wanted).unwrap();
        *asked.entry((row.0, row.1.to_owned(), wanted.to_owned())).or_default() += 1;
    }
    (asked, wrong)
}

/// Answers that the node's log knows of.
fn released(federation: &Federation) -> usize {
    let log = std::fs::read_to_string(&federation.audit_logs()[0].path).unwrap();
    let records = log.lines().map(|line| serde_json::from_str::<Record>(line).unwrap().body);
    records.filter(|body| matches!(body, Body::Closed { outcome: Outcome::Released { .. }, .. })).count()
}

impl Sender {
    fn with<T>(&self, message: impl IntoRequest<T>) -> Request<T> {
        let mut request = message.into_request();
        let headers = [
            ("authorization", format!("Bearer {}", self.token)),
            ("x-liquid-agreement", "ATTACKS".to_owned()),
        ];
        for (name, value) in headers {
            request.metadata_mut().insert(name, value.parse().unwrap());
        }
        request
    }

    fn note(&mut self, wanted: &'static str, what: impl Into<String>, came: Result<(), Status>) {
        let came = match came {
            Ok(()) => "answered".to_owned(),
            Err(status) => match Error::from_status(&status) {
                Some(Error::Refused { refusal }) => refusal.code.to_string(),
                Some(Error::Invalid { .. }) => "invalid".to_owned(),
                _ => format!("{:?}: {}", status.code(), status.message()).to_lowercase(),
            },
        };
        // Of what has no error of ours, its kind counts and not its words.
        let came = if came.starts_with("unimplemented: ") { "unimplemented".to_owned() } else { came };
        self.came.push((wanted, what.into(), came));
    }

    async fn describe(&mut self, wanted: &'static str, what: &str, command: &[u8]) {
        let descriptor = || FlightDescriptor::new_cmd(command.to_vec());
        let (one, two, three) = (self.with(descriptor()), self.with(descriptor()), self.with(descriptor()));
        let came = self.flight.get_flight_info(one).await.map(drop);
        self.note(wanted, format!("{what}, described"), came);
        let came = self.flight.poll_flight_info(two).await.map(drop);
        self.note(wanted, format!("{what}, polled"), came);
        let came = self.flight.get_schema(three).await.map(drop);
        self.note(wanted, format!("{what}, its schema"), came);
    }

    async fn put(&mut self, wanted: &'static str, what: &str, command: &[u8]) {
        let data = FlightData::new().with_descriptor(FlightDescriptor::new_cmd(command.to_vec()));
        let request = self.with(futures::stream::iter([data]));
        let came = all(self.flight.do_put(request)).await;
        self.note(wanted, format!("{what}, put"), came);
    }

    async fn get(&mut self, wanted: &'static str, what: &str, ticket: &[u8]) {
        let request = self.with(Ticket::new(ticket.to_vec()));
        let came = all(self.flight.do_get(request)).await;
        self.note(wanted, format!("{what}, fetched"), came);
    }

    async fn act(&mut self, wanted: &'static str, name: &str, body: &[u8]) {
        let request = self.with(Action { r#type: name.to_owned(), body: body.to_vec().into() });
        let came = all(self.flight.do_action(request)).await;
        self.note(wanted, format!("action `{name}`"), came);
    }

    async fn plans(&mut self) {
        // Substrait's own message: a version, one relation that reads `person` by name. The wire format is all that counts here.
        let named =
            b"\x32\x02\x10\x2d\x1a\x16\x12\x14\x0a\x12\x0a\x10\x12\x02\x0a\x00\x3a\x0a\x0a\x08\x0a\x06person"
                .to_vec();
        for (what, plan) in [
            ("an empty plan", Vec::new()),
            ("a plan that reads a table", named),
            ("bytes that are no plan", vec![0xff; 64]),
            ("text in the place of a plan", b"SELECT * FROM person".to_vec()),
            ("a large plan", vec![0x0a; 100_000]),
        ] {
            let plan = SubstraitPlan { plan: plan.into(), version: "0.55.0".to_owned() };
            let command = CommandStatementSubstraitPlan { plan: Some(plan.clone()), transaction_id: None };
            let command = command.as_any().encode_to_vec();
            self.describe("STATEMENT", what, &command).await;
            self.put("STATEMENT", what, &command).await;
            self.get("invalid", what, &command).await;
            let prepare = ActionCreatePreparedSubstraitPlanRequest { plan: Some(plan), transaction_id: None };
            self.act("STATEMENT", "CreatePreparedSubstraitPlan", &prepare.as_any().encode_to_vec()).await;
        }
        for table in ["person", "other"] {
            let ingest = CommandStatementIngest {
                table: table.to_owned(),
                temporary: table == "other",
                ..CommandStatementIngest::default()
            };
            self.put("STATEMENT", "rows", &ingest.as_any().encode_to_vec()).await;
        }
        for sql in ["INSERT INTO person SELECT * FROM person", "SELECT * FROM person", "DROP TABLE person"] {
            let update = CommandStatementUpdate { query: sql.to_owned(), transaction_id: None };
            self.put("STATEMENT", "an update", &update.as_any().encode_to_vec()).await;
        }
    }

    async fn strangers(&mut self) {
        let named = |url: &str, value: &[u8]| {
            Any { type_url: format!("type.googleapis.com/{url}"), value: value.to_vec().into() }
                .encode_to_vec()
        };
        let sql = b"SELECT * FROM person";
        let query = CommandStatementQuery { query: "SELECT * FROM person".to_owned(), transaction_id: None };
        for (what, bytes) in [
            ("nothing", Vec::new()),
            ("text", sql.to_vec()),
            ("bytes", vec![0x80; 40]),
            ("Substrait's message", named("substrait.Plan", b"\x32\x02\x10\x2d")),
            ("a physical plan", named("datafusion.PhysicalPlanNode", b"\x0a\x00")),
            ("a logical plan", named("datafusion.LogicalPlanNode", b"\x0a\x00")),
            ("a command of no kind", named("arrow.flight.protocol.sql.CommandRunPlan", sql)),
            (
                "a query of another name",
                named("arrow.flight.protocol.sql.CommandStatementQuery2", &query.encode_to_vec()),
            ),
            ("a query of bytes", named("arrow.flight.protocol.sql.CommandStatementQuery", &[0xff; 8])),
            ("an update of bytes", named("arrow.flight.protocol.sql.CommandStatementUpdate", &[0xff; 8])),
            ("a query that is cut off", query.as_any().encode_to_vec()[..12].to_vec()),
        ] {
            self.describe("invalid", what, &bytes).await;
            self.get("invalid", what, &bytes).await;
            self.put("invalid", what, &bytes).await;
        }
        for handle in [&b""[..], &b"\x00"[..], sql, &[0xff; 200]] {
            let ticket = TicketStatementQuery { statement_handle: handle.to_vec().into() };
            self.get("invalid", "a ticket of nobody", &ticket.as_any().encode_to_vec()).await;
        }
        self.get("invalid", "a statement for a ticket", &query.as_any().encode_to_vec()).await;
        for name in [
            "RunPlan",
            "SubmitPhysicalPlan",
            "ExecuteSubstrait",
            "createpreparedsubstraitplan",
            "",
            "liquid.engine",
            "Run",
        ] {
            self.act("invalid", name, sql).await;
        }
        self.act("invalid", "CreatePreparedSubstraitPlan", sql).await;
        self.act("invalid", "CreatePreparedStatement", &named("substrait.Plan", sql)).await;
    }

    async fn nowhere(&mut self) {
        let data =
            FlightData::new().with_descriptor(FlightDescriptor::new_cmd(b"SELECT * FROM person".to_vec()));
        let request = self.with(futures::stream::iter([data]));
        let came = all(self.flight.do_exchange(request)).await;
        self.note("unimplemented", "an exchange", came);
        let begin = ActionBeginTransactionRequest {}.as_any().encode_to_vec();
        self.act("unimplemented", "BeginTransaction", &begin).await;
    }
}

/// Reads an answer to its end.
async fn all<T>(
    call: impl Future<Output = Result<tonic::Response<Streaming<T>>, Status>>,
) -> Result<(), Status> {
    call.and_then(|answer| answer.into_inner().try_collect::<Vec<T>>().map_ok(drop)).await
}
