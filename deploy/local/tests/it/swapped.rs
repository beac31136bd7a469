//! Swapping any row's values leaves every refusal, every other error and every description as it was, byte for byte.
//!
//! A node is asked random questions over random tables, then again over other rows: values swapped between rows, replaced, absent, out of
//! their domains, of one person alone, none at all. What may differ with the data is named here, one by one: what an answer
//! says; whether it has more rows than may leave; and where rows break a fact that the agreement declares, one fault in the place of
//! answers. `LIQUID_SWAPS` asks of more worlds than one does in a hurry.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{FlightDescriptor, IpcMessage, Ticket};
use liquid_local::blueprint::{Blueprint, Connect, Content, SitePlan, Source};
use liquid_local::{Federation, Run};
use liquid_node_api::tls::{Material, Target, connect};
use liquid_node_api::{Error, wire};
use liquid_policy::Code;
use liquid_policy::id::{OrganisationName, SiteName};
use prost::Message;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::plans::dice::Dice;
use crate::plans::generate::question;
use crate::plans::world::{Kind, World};
use rows::{STATES, State};

/// Questions to one world.
const EACH: usize = 60;

fn model(world: &World) -> String {
    let mut text = String::new();
    for table in &world.tables {
        text += &format!("[[table]]\nname = {:?}\ndescription = \"-\"\ncolumn = [\n", table.name);
        for column in &table.columns {
            let kind = match column.kind {
                Kind::Text => "text",
                Kind::Int => "integer",
                Kind::Float => "float",
                Kind::Date => "date",
                Kind::Bool => "boolean",
            };
            text += &format!("    {{ name = {:?}, type = {kind:?}, description = \"-\" }},\n", column.name);
        }
        text += "]\n";
    }
    text
}

fn blueprint(world: &World, folder: &Path, rows_out_max: usize) -> Blueprint {
    let source = |name: &str| Source {
        name: name.to_owned(),
        file: format!("{name}.parquet"),
        format: "parquet".to_owned(),
        null: None,
        delimiter: None,
        content: Content::File(folder.join(format!("{name}.parquet"))),
    };
    Blueprint {
        name: "swapped".to_owned(),
        sites: vec![SitePlan {
            site: SiteName::new("north"),
            organisation: OrganisationName::new("north"),
            model: model(world),
            agreements: vec![format!("{}[release]\nrows_out_max = {rows_out_max}\n", world.agreement())],
            beside: vec![],
            sources: world.tables.iter().map(|table| source(table.name)).collect(),
            views: String::new(),
            tables: None,
            connect: Connect::default(),
        }],
    }
}

/// What a question is told before it is run, and when it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    /// The columns, or the error.
    described: Result<String, Said>,
    /// Nothing where there is an answer; what it says is the data's.
    answered: Result<(), Said>,
}

/// A status, as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    code: i32,
    message: String,
    details: Vec<u8>,
}

impl Said {
    fn of(status: Status) -> Self {
        Self {
            code: status.code().into(),
            message: status.message().to_owned(),
            details: status.details().to_vec(),
        }
    }

    fn typed(&self) -> Error {
        Error::from_status(&Status::with_details(
            self.code.into(),
            self.message.as_str(),
            self.details.clone().into(),
        ))
        .unwrap_or_else(|| panic!("an error of no kind: {self:?}"))
    }

    fn refusal(&self) -> Option<(Code, String)> {
        match self.typed() {
            Error::Refused { refusal } => Some((refusal.code, refusal.clause)),
            _ => None,
        }
    }
}

struct Node {
    federation: Federation,
}

impl Node {
    fn flight(&self) -> (FlightServiceClient<Channel>, String) {
        let connection = self.federation.connection();
        let target = Target { url: connection.sites[0].url.clone().unwrap(), ..Target::default() };
        let channel = connect(&target, Material::anonymous(&connection.ca).unwrap()).unwrap();
        (FlightServiceClient::new(channel), connection.tokens.first().unwrap().1.trim().to_owned())
    }

    async fn told(&self, questions: &[String]) -> Vec<Told> {
        let (mut flight, token) = self.flight();
        let with = |message| -> Request<FlightDescriptor> { with(message, &token) };
        let mut all = Vec::new();
        for sql in questions {
            let command = CommandStatementQuery { query: sql.clone(), transaction_id: None };
            let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
            let told = match flight.get_flight_info(with(descriptor)).await {
                Err(status) => {
                    let said = Said::of(status);
                    Told { described: Err(said.clone()), answered: Err(said) }
                }
                Ok(info) => {
                    let info = info.into_inner();
                    let schema = arrow::datatypes::Schema::try_from(IpcMessage(info.schema)).unwrap();
                    let mut metadata: BTreeMap<_, _> = schema.metadata().clone().into_iter().collect();
                    metadata.remove(wire::REQUEST);
                    let described = Ok(format!("{:?} {metadata:?}", schema.fields()));
                    let ticket = info.endpoint[0].ticket.clone().unwrap();
                    Told { described, answered: fetch(&mut flight, &token, ticket).await.map_err(Said::of) }
                }
            };
            all.push(told);
        }
        all
    }

    /// Closes the node, and opens it over other rows.
    async fn reopen(&mut self, world: &World, folder: &Path, state: State, seed: u64) {
        self.federation.stop_site("north").await.unwrap();
        rows::write(world, folder, state, &mut Dice::new(seed));
        self.federation.start_site("north").await.unwrap();
    }
}

fn with<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

async fn fetch(flight: &mut FlightServiceClient<Channel>, token: &str, ticket: Ticket) -> Result<(), Status> {
    let mut stream = flight.do_get(with(ticket, token)).await?.into_inner();
    while stream.message().await?.is_some() {}
    Ok(())
}

/// What came of all questions: how many were told what.
#[derive(Debug, Default)]
struct Tally {
    compared: usize,
    refused: BTreeMap<String, usize>,
    invalid: usize,
    answered: usize,
    /// Answers that had too many rows over some data, and not over other.
    too_long: usize,
    /// Answers that became a fault, over rows that break a declared fact; and what was said.
    broken: usize,
    faults: BTreeSet<String>,
}

impl Tally {
    fn compare(&mut self, sql: &str, before: &Told, after: &Told, state: State) {
        self.compared += 1;
        assert_eq!(before.described, after.described, "{state:?}: {sql}");
        // The one cap that is judged on an answer's rows, which are released.
        let too_long = |told: &Told| {
            let clause = told.answered.as_ref().err().and_then(Said::refusal);
            clause == Some((Code::Limit, "release.rows_out_max".to_owned()))
        };
        if let (State::Broken, Err(said)) = (state, &after.answered)
            && (before.answered.is_ok() || too_long(before))
            && let Error::Fault { .. } = said.typed()
        {
            // Without the request's own id, to which it leads the operator.
            self.faults.insert(said.message.split("(reference ").next().unwrap_or_default().to_owned());
            self.broken += 1;
            return;
        }
        if before.answered != after.answered {
            let either = [before, after].into_iter().all(|told| told.answered.is_ok() || too_long(told));
            assert!(either, "{state:?}: {sql}\n{before:?}\n{after:?}");
            self.too_long += 1;
            return;
        }
        match &before.answered {
            Ok(()) => self.answered += 1,
            Err(said) => match said.typed() {
                Error::Refused { refusal } => *self.refused.entry(refusal.code.to_string()).or_default() += 1,
                Error::Invalid { .. } => self.invalid += 1,
                other => panic!("{state:?}: {sql}: {other}"),
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rows_change_no_refusal_no_error_and_no_description() {
    let worlds = std::env::var("LIQUID_SWAPS").map_or(4, |text| text.parse().unwrap());
    let mut tally = Tally::default();
    for seed in 0..worlds {
        let mut dice = Dice::new(seed);
        let world = World::roll(&mut dice);
        let questions: Vec<String> = (0..EACH).map(|_| question(&world, &mut dice).sql(&world)).collect();
        let folder = tempfile::tempdir().unwrap();
        rows::write(&world, folder.path(), State::Plain, &mut Dice::new(seed));
        let blueprint = blueprint(&world, folder.path(), if seed % 2 == 0 { 10_000 } else { 2 });
        let federation = Federation::start(&blueprint, Run::InProcess).await.unwrap();
        let mut node = Node { federation };
        let before = node.told(&questions).await;
        for (at, state) in STATES.into_iter().enumerate() {
            node.reopen(&world, folder.path(), state, seed * 100 + at as u64).await;
            let after = node.told(&questions).await;
            for (sql, (before, after)) in questions.iter().zip(before.iter().zip(&after)) {
                tally.compare(sql, before, after, state);
            }
        }
        node.federation.stop().await;
    }
    println!("{tally:?}");
    let refused: usize = tally.refused.values().sum();
    assert!(refused * 3 > tally.compared, "{tally:?}");
    assert!(tally.answered * 5 > tally.compared, "{tally:?}");
    // One text, and no figure in it.
    assert!(tally.broken > 0 && tally.faults.len() == 1, "{tally:?}");
    assert!(
        !tally.faults.iter().any(|fault| fault.contains(|letter: char| letter.is_ascii_digit())),
        "{tally:?}"
    );
    assert!(tally.invalid > 0 && tally.too_long > 0 && tally.refused.len() >= 6, "{tally:?}");
}
