//! Tickets and prepared handles: whoever did not get them from this server for themselves is turned away, on record.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandPreparedStatementQuery, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{Action, FlightDescriptor, Ticket};
use futures::TryStreamExt;
use liquid_node_api::Error;
use liquid_node_api::tls::Limits;
use prost::Message;
use tonic::transport::Channel;

use crate::backend::{Fake, OTHER, Server, TOKEN};

struct Scene {
    fake: Arc<Fake>,
    server: Server,
}

impl Scene {
    async fn start() -> Self {
        let fake = Fake::with_rows(1);
        let server = Server::start(Arc::clone(&fake), Limits::default()).await;
        Self { fake, server }
    }

    fn client(&self, token: &str) -> FlightSqlServiceClient<Channel> {
        let mut client = FlightSqlServiceClient::new(self.server.anonymous());
        client.set_token(token.to_owned());
        client
    }

    async fn ticket(&self) -> Ticket {
        let info = self.client(TOKEN).execute("SELECT 1".to_owned(), None).await.unwrap();
        info.endpoint[0].ticket.clone().unwrap()
    }

    /// How often somebody was turned away so far.
    fn turned_away(&self) -> usize {
        self.fake.turned_away.lock().unwrap().len()
    }
}

async fn fetch(client: &mut FlightSqlServiceClient<Channel>, ticket: Ticket) -> Result<usize, Error> {
    let typed = |error: FlightError| match error {
        FlightError::Tonic(status) => {
            Error::from_status(&status).unwrap_or_else(|| panic!("untyped: {status}"))
        }
        other => panic!("not a status: {other}"),
    };
    let stream = match client.do_get(ticket).await {
        Ok(stream) => stream,
        Err(arrow_error) => return Err(typed(arrow_error)),
    };
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(typed)?;
    Ok(batches.iter().map(RecordBatch::num_rows).sum())
}

fn handle(ticket: &Ticket) -> Vec<u8> {
    let any = Any::decode(ticket.ticket.clone()).unwrap();
    any.unpack::<TicketStatementQuery>().unwrap().unwrap().statement_handle.to_vec()
}

fn with_handle(handle: Vec<u8>) -> Ticket {
    Ticket::new(TicketStatementQuery { statement_handle: handle.into() }.as_any().encode_to_vec())
}

#[tokio::test]
async fn a_ticket_is_good_on_every_connection_of_its_caller_and_says_what_it_rests_on() {
    let scene = Scene::start().await;
    let ticket = scene.ticket().await;
    for _ in 0..2 {
        assert_eq!(fetch(&mut scene.client(TOKEN), ticket.clone()).await, Ok(1));
    }
    assert_eq!(*scene.fake.pinned.lock().unwrap(), [Some("version 1".into()), Some("version 1".into())]);
    assert_eq!(scene.turned_away(), 0);
}

#[tokio::test]
async fn a_changed_ticket_is_turned_away_wherever_it_was_changed() {
    let scene = Scene::start().await;
    let (good, mut client) = (handle(&scene.ticket().await), scene.client(TOKEN));
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x55;
        let error = fetch(&mut client, with_handle(changed)).await.unwrap_err();
        let Error::Invalid { message, fix } = &error else { panic!("{error}") };
        assert_eq!(message, "the ticket was not made here, or was changed");
        assert_eq!(fix, "ask for the statement's FlightInfo again");
    }
    // A ticket of the old, open form is none either.
    let open = br#"{"statement":{"id":"0190b3a2-7c00-7000-8000-000000000001","sql":"SELECT 1"}}"#;
    for other in [vec![], open.to_vec(), good[..40].to_vec(), [good.clone(), vec![0]].concat()] {
        assert!(fetch(&mut client, with_handle(other)).await.is_err());
    }
    assert_eq!(scene.turned_away(), good.len() + 4, "each is on record");
    assert!(scene.fake.answered.lock().unwrap().is_empty());
    assert_eq!(fetch(&mut client, with_handle(good)).await, Ok(1));
}

#[tokio::test]
async fn anothers_ticket_is_turned_away_and_nobodys_leaves_no_record() {
    let scene = Scene::start().await;
    let ticket = scene.ticket().await;
    let error = fetch(&mut scene.client(OTHER), ticket.clone()).await.unwrap_err();
    assert!(error.to_string().contains("was made for another caller"), "{error}");
    let mut carried = FlightSqlServiceClient::new(scene.server.coordinator());
    carried.set_token(TOKEN.to_owned());
    let error = fetch(&mut carried, ticket.clone()).await.unwrap_err();
    assert!(error.to_string().contains("was made for another caller"), "not with a certificate: {error}");
    assert_eq!(scene.turned_away(), 2);
    let error = fetch(&mut scene.client("bad"), ticket.clone()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthenticated { .. }), "{error}");
    assert_eq!(scene.turned_away(), 2);
    let elsewhere = Scene::start().await;
    let error = fetch(&mut elsewhere.client(TOKEN), ticket).await.unwrap_err();
    assert!(error.to_string().contains("not made here"), "{error}");
    assert_eq!((elsewhere.turned_away(), elsewhere.fake.answered.lock().unwrap().len()), (1, 0));
}

#[tokio::test]
async fn a_prepared_statement_is_its_callers_alone() {
    let scene = Scene::start().await;
    let (mut ann, mut bob) = (scene.client(TOKEN), scene.client(OTHER));
    let mut prepared = ann.prepare("SELECT ?".to_owned(), None).await.unwrap();
    let one: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    prepared.set_parameters(RecordBatch::try_from_iter([("a", one)]).unwrap()).unwrap();
    let info = prepared.execute().await.unwrap();
    let bound = info.endpoint[0].ticket.clone().unwrap();
    assert_eq!(fetch(&mut ann, bound.clone()).await, Ok(1));
    assert!(fetch(&mut bob, bound).await.unwrap_err().to_string().contains("another caller"));
    // Bob presents Ann's handle itself, by every way there is.
    let said = prepared_handle(&mut ann).await;
    let command = CommandPreparedStatementQuery { prepared_statement_handle: said.clone().into() };
    let any = command.as_any().encode_to_vec();
    let mut ask = tonic::Request::new(FlightDescriptor::new_cmd(any.clone()));
    ask.metadata_mut().insert("authorization", format!("Bearer {OTHER}").parse().unwrap());
    let status = bob.inner_mut().get_flight_info(ask).await.unwrap_err();
    assert!(status.message().contains("another caller; prepare the statement again"), "{status}");
    assert!(
        fetch(&mut bob, Ticket::new(any.clone())).await.unwrap_err().to_string().contains("another caller")
    );
    assert_eq!(fetch(&mut ann, Ticket::new(any)).await, Ok(1));
    // And a prepared handle is no ticket.
    let error = fetch(&mut ann, with_handle(said)).await.unwrap_err();
    assert!(error.to_string().contains("another use"), "{error}");
    assert_eq!(scene.turned_away(), 4);
}

/// The handle of a freshly prepared statement, as it travels.
async fn prepared_handle(client: &mut FlightSqlServiceClient<Channel>) -> Vec<u8> {
    let wanted = ActionCreatePreparedStatementRequest { query: "SELECT 1".to_owned(), transaction_id: None };
    let action =
        Action { r#type: "CreatePreparedStatement".to_owned(), body: wanted.as_any().encode_to_vec().into() };
    let answer = client.do_action(action).await.unwrap().message().await.unwrap().unwrap();
    let any = Any::decode(answer.body).unwrap();
    let result: ActionCreatePreparedStatementResult = any.unpack().unwrap().unwrap();
    result.prepared_statement_handle.to_vec()
}
