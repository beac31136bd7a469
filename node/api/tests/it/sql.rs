//! Flight SQL through TLS, with arrow-flight's own client.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::record_batch::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTables, CommandGetXdbcTypeInfo,
    CommandStatementQuery, ProstMessageExt, SqlInfo,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, FlightClient, FlightData, FlightDescriptor,
    FlightInfo, IpcMessage,
};
use futures::TryStreamExt;
use liquid_node_api::Error;
use liquid_node_api::parameter::Parameter;
use liquid_node_api::sql::Marks;
use liquid_node_api::tls::Limits;
use liquid_node_api::wire;
use prost::Message;
use tonic::transport::Channel;

use crate::backend::{Fake, OTHER, Server, TOKEN};

async fn start(rows: usize) -> (Arc<Fake>, Server, FlightSqlServiceClient<Channel>) {
    let fake = Fake::with_rows(rows);
    let server = Server::start(Arc::clone(&fake), Limits::default()).await;
    let mut client = FlightSqlServiceClient::new(server.anonymous());
    client.set_token(TOKEN.to_owned());
    (fake, server, client)
}

async fn fetch(
    client: &mut FlightSqlServiceClient<Channel>,
    info: &FlightInfo,
) -> Result<Vec<RecordBatch>, FlightError> {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    client.do_get(ticket).await?.try_collect().await
}

async fn run(
    client: &mut FlightSqlServiceClient<Channel>,
    sql: &str,
) -> Result<Vec<RecordBatch>, FlightError> {
    let info = client.execute(sql.to_owned(), None).await?;
    fetch(client, &info).await
}

fn typed(error: &FlightError) -> Error {
    match error {
        FlightError::Tonic(status) => {
            Error::from_status(status).unwrap_or_else(|| panic!("untyped: {status}"))
        }
        other => panic!("not a status: {other}"),
    }
}

#[tokio::test]
async fn a_statement_is_described_and_answered_alike() {
    let (fake, _server, mut client) = start(3).await;
    let info =
        client.execute("SELECT sex, count(*) FROM cardiac GROUP BY sex".to_owned(), None).await.unwrap();
    let described = Schema::try_from(IpcMessage(info.schema.clone())).unwrap();
    let batches = fetch(&mut client, &info).await.unwrap();
    assert_eq!(batches[0].schema().fields(), described.fields());
    assert!(described.fields().iter().all(|f| f.is_nullable()), "every column is nullable");
    let counts = batches[0].column(1).as_primitive::<Int64Type>();
    assert_eq!(counts, &Int64Array::from(vec![Some(0), None, Some(2)]));
    let answered = fake.answered.lock().unwrap();
    assert!(
        info.app_metadata.windows(36).any(|w| w == answered[0].0.id.as_str().as_bytes()),
        "the id is told"
    );
}

#[tokio::test]
async fn what_is_said_of_an_answer_lies_in_its_last_message() {
    for rows in [0, 1, 200_000] {
        let (_, server, mut client) = start(rows).await;
        let info = client.execute("SELECT 1".to_owned(), None).await.unwrap();
        let mut raw = FlightServiceClient::new(server.anonymous());
        let mut request = tonic::Request::new(info.endpoint[0].ticket.clone().unwrap());
        request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
        let messages: Vec<FlightData> =
            raw.do_get(request).await.unwrap().into_inner().try_collect().await.unwrap();
        assert!(messages.len() >= 2, "a schema and at least one batch, for {rows} rows");
        assert!(messages.iter().all(|m| m.data_body.len() < 2 << 20), "messages stay small");
        let (last, others) = messages.split_last().unwrap();
        assert_eq!(last.app_metadata.as_ref(), b"{\"withheld\":1}");
        assert!(others.iter().all(|m| m.app_metadata.is_empty()));
        let batches = fetch(&mut client, &info).await.unwrap();
        assert_eq!(
            batches[0].schema().metadata()[wire::REPORT],
            "{\"withheld\":1}",
            "readers keep the schema"
        );
        let described = Schema::try_from(IpcMessage(info.schema.clone())).unwrap();
        let id = format!("\"{}\"}}", described.metadata()[wire::REQUEST]);
        assert!(info.app_metadata.ends_with(id.as_bytes()), "the id leads to what is said of the answer");
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows);
    }
}

#[tokio::test]
async fn values_are_bound_to_prepared_statements() {
    let (fake, _server, mut client) = start(1).await;
    for (sql, planned) in
        [("SELECT ? WHERE a = ?", "SELECT $1 WHERE a = $2"), ("SELECT $1, $2", "SELECT $1, $2")]
    {
        let mut prepared = client.prepare(sql.to_owned(), None).await.unwrap();
        assert_eq!(prepared.parameter_schema().unwrap().fields().len(), 2);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("a", Arc::new(StringArray::from(vec!["Ann"]))),
            ("b", Arc::new(Int64Array::from(vec![None::<i64>]))),
        ];
        prepared.set_parameters(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let info = prepared.execute().await.unwrap();
        fetch(&mut client, &info).await.unwrap();
        let (statement, _) = fake.answered.lock().unwrap().pop().unwrap();
        assert_eq!(statement.sql, planned);
        assert_eq!(statement.parameters, [Parameter::Utf8(Some("Ann".to_owned())), Parameter::Int64(None)]);
    }
    let mut plain = client.prepare("SELECT sex".to_owned(), None).await.unwrap();
    assert_eq!(plain.dataset_schema().unwrap().fields().len(), 2, "it is described when it is prepared");
    plain.execute().await.unwrap();
    let error = client.execute("SELECT ?".to_owned(), None).await.unwrap_err();
    assert!(matches!(typed(&error), Error::Invalid { .. }));
}

#[tokio::test]
async fn errors_keep_their_type() {
    let (_, _server, mut client) = start(1).await;
    for (sql, code) in [
        ("refused", tonic::Code::PermissionDenied),
        ("missing", tonic::Code::Unavailable),
        ("broken", tonic::Code::Internal),
        ("wrong", tonic::Code::InvalidArgument),
    ] {
        let error = client.execute(sql.to_owned(), None).await.unwrap_err();
        let FlightError::Tonic(status) = &error else { panic!("{error}") };
        assert_eq!(status.code(), code);
        assert_eq!(status.message(), typed(&error).to_string());
        assert!(client.prepare(sql.to_owned(), None).await.is_err());
    }
    client.set_token("bad".to_owned());
    let error = client.execute("SELECT 1".to_owned(), None).await.unwrap_err();
    assert!(matches!(typed(&error), Error::Unauthenticated { .. }));
    let mut update = FlightSqlServiceClient::new(_server.anonymous());
    update.set_token(TOKEN.to_owned());
    let error = update.execute_update("DROP TABLE cardiac".to_owned(), None).await.unwrap_err();
    assert!(matches!(typed(&error), Error::Refused { .. }));
}

#[tokio::test]
async fn the_password_is_the_token() {
    let (_, server, _) = start(1).await;
    let mut client = FlightSqlServiceClient::new(server.anonymous());
    client.handshake("anybody", TOKEN).await.unwrap();
    run(&mut client, "SELECT 1").await.unwrap();
    let mut other = FlightSqlServiceClient::new(server.anonymous());
    assert!(other.handshake("anybody", "bad").await.is_err());
    assert!(run(&mut other, "SELECT 1").await.is_err(), "nobody without a token");
}

#[tokio::test]
async fn options_come_by_metadata_by_statement_and_by_action() {
    let (fake, server, mut client) = start(1).await;
    let last = || fake.answered.lock().unwrap().last().unwrap().1.clone();
    run(&mut client, "SET liquid.purpose = 'care'").await.unwrap();
    client.execute_update("SET liquid.min_sites TO 3".to_owned(), None).await.unwrap();
    let mut prepared = client.prepare("SET liquid.marks = columns".to_owned(), None).await.unwrap();
    prepared.execute().await.unwrap();
    let batches = run(&mut client, "SELECT 1").await.unwrap();
    assert_eq!(batches[0].schema().field(3).name(), "count(*)_mark");
    assert_eq!(*batches[0].schema().field(3).data_type(), DataType::UInt8);
    let options = last();
    assert_eq!((options.purpose.unwrap().as_str(), options.min_sites), ("care", Some(3)));
    assert_eq!(options.marks, Some(Marks::Columns));

    client.set_header("x-liquid-purpose", "research");
    run(&mut client, "SELECT 1").await.unwrap();
    assert_eq!(last().purpose.unwrap().as_str(), "research");

    let close = Action { r#type: "CloseSession".to_owned(), body: Default::default() };
    client.do_action(close).await.unwrap();
    run(&mut client, "SELECT 1").await.unwrap();
    assert_eq!((last().min_sites, last().marks), (None, None));

    let error = client.execute("SET liquid.purpos = 'care'".to_owned(), None).await.unwrap_err();
    assert!(typed(&error).to_string().contains("liquid.purpose"), "the options are named");
    let mut misspelt = client.clone();
    misspelt.set_header("x-liquid-min_site", "3");
    let error = misspelt.execute("SELECT 1".to_owned(), None).await.unwrap_err();
    assert!(typed(&error).to_string().contains("`liquid.min_sites`"), "in metadata too");
    let two = "SET liquid.min_sites = 2; SELECT 1".to_owned();
    let error = client.execute(two, None).await.unwrap_err();
    assert!(typed(&error).to_string().contains("one statement at a time"));

    let mut other = FlightSqlServiceClient::new(server.anonymous());
    other.set_token(TOKEN.to_owned());
    run(&mut other, "SELECT 1").await.unwrap();
    assert_eq!(last().purpose, None, "another connection has its own options");
}

#[tokio::test]
async fn the_catalogue_shows_tables_with_remarks() {
    let (_, _server, mut client) = start(1).await;
    let info = client.get_catalogs().await.unwrap();
    assert_eq!(fetch(&mut client, &info).await.unwrap()[0].column(0).as_string::<i32>().value(0), "liquid");
    let schemas = CommandGetDbSchemas { catalog: None, db_schema_filter_pattern: Some("pub%".to_owned()) };
    let info = client.get_db_schemas(schemas).await.unwrap();
    assert_eq!(fetch(&mut client, &info).await.unwrap()[0].num_rows(), 1);
    let wanted = |pattern: &str| CommandGetTables {
        catalog: None,
        db_schema_filter_pattern: None,
        table_name_filter_pattern: Some(pattern.to_owned()),
        table_types: vec![],
        include_schema: true,
    };
    let info = client.get_tables(wanted("car%")).await.unwrap();
    let tables = fetch(&mut client, &info).await.unwrap();
    assert_eq!(tables[0].column_by_name("table_name").unwrap().as_string::<i32>().value(0), "cardiac");
    let schema = tables[0].column_by_name("table_schema").unwrap().as_binary::<i32>().value(0).to_vec();
    let schema = Schema::try_from(IpcMessage(schema.into())).unwrap();
    let remarks = schema.field(1).metadata().get("ARROW:FLIGHT:SQL:REMARKS").unwrap();
    assert_eq!(remarks, "the chol [mg/dl] (F = female)");
    assert_eq!(schema.field(2).name(), "site");
    let info = client.get_tables(wanted("none%")).await.unwrap();
    let none: usize = fetch(&mut client, &info).await.unwrap().iter().map(RecordBatch::num_rows).sum();
    assert_eq!(none, 0);

    let info = client.get_table_types().await.unwrap();
    assert_eq!(fetch(&mut client, &info).await.unwrap()[0].num_rows(), 1);
    let info = client.get_sql_info(vec![SqlInfo::FlightSqlServerName]).await.unwrap();
    assert_eq!(fetch(&mut client, &info).await.unwrap()[0].num_rows(), 1);
    let info = client.get_sql_info(vec![]).await.unwrap();
    assert!(fetch(&mut client, &info).await.unwrap()[0].num_rows() > 80);
    let info = client.get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None }).await.unwrap();
    assert_eq!(fetch(&mut client, &info).await.unwrap()[0].num_rows(), 6);
    let keys = CommandGetPrimaryKeys { catalog: None, db_schema: None, table: "cardiac".to_owned() };
    let info = client.get_primary_keys(keys).await.unwrap();
    fetch(&mut client, &info).await.unwrap();
}

#[tokio::test]
async fn polling_and_schemas_work_although_the_bridge_cannot() {
    let (_, server, _) = start(1).await;
    let mut client = FlightClient::new(server.anonymous());
    client.add_header("authorization", &format!("Bearer {TOKEN}")).unwrap();
    let command = CommandStatementQuery { query: "SELECT sex".to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let polled = client.poll_flight_info(descriptor.clone()).await.unwrap();
    assert_eq!((polled.progress, polled.flight_descriptor), (Some(1.0), None));
    assert_eq!(polled.info.unwrap().endpoint.len(), 1);
    assert_eq!(client.get_schema(descriptor).await.unwrap().fields().len(), 2);
    let flights: Vec<FlightInfo> = client.list_flights("").await.unwrap().try_collect().await.unwrap();
    assert!(flights.is_empty());
    let actions: Vec<_> = client.list_actions().await.unwrap().try_collect().await.unwrap();
    for name in ["CreatePreparedStatement", "SetSessionOptions", "CancelFlightInfo", "liquid.catalogue"] {
        assert!(actions.iter().any(|a| a.r#type == name), "no action `{name}`");
    }
    let unknown = Action { r#type: "liquid.unknown".to_owned(), body: Default::default() };
    let answer = client.do_action(unknown).await;
    assert!(answer.is_err());
    let nonsense = FlightDescriptor::new_cmd(b"nonsense".to_vec());
    assert!(client.get_flight_info(nonsense).await.is_err());
}

#[tokio::test]
async fn a_running_request_is_cancelled_and_so_is_one_whose_caller_left() {
    let (fake, server, mut client) = start(1).await;
    let running = || *fake.running.lock().unwrap();
    let wait_for = async |count: i64| {
        for _ in 0..500 {
            if running() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} requests run instead of {count}", running());
    };
    let info = client.execute("slow".to_owned(), None).await.unwrap();
    let (mut other, same) = (client.clone(), info.clone());
    let asking = tokio::spawn(async move { fetch(&mut other, &same).await });
    wait_for(1).await;
    let request = CancelFlightInfoRequest::new(info.clone());
    let cancel = Action { r#type: "CancelFlightInfo".to_owned(), body: request.encode_to_vec().into() };
    let mut stranger = FlightSqlServiceClient::new(server.anonymous());
    stranger.set_token(OTHER.to_owned());
    let answer = stranger.do_action(cancel.clone()).await.unwrap().message().await.unwrap().unwrap();
    let status = CancelFlightInfoResult::decode(answer.body.as_ref()).unwrap().status;
    assert_eq!(status, 3, "whoever knows the id of another's request has no right to it");
    // Nor can they fetch under it what would take its place.
    let error = fetch(&mut stranger, &info).await.unwrap_err();
    assert!(typed(&error).to_string().contains("another caller"), "{error}");
    wait_for(1).await;
    let answer = client.do_action(cancel.clone()).await.unwrap().message().await.unwrap().unwrap();
    assert_eq!(CancelFlightInfoResult::decode(answer.body.as_ref()).unwrap().status, 2, "cancelling");
    assert!(asking.await.unwrap().is_err());
    wait_for(0).await;
    let answer = client.do_action(cancel).await.unwrap().message().await.unwrap().unwrap();
    assert_eq!(
        CancelFlightInfoResult::decode(answer.body.as_ref()).unwrap().status,
        3,
        "not running any more"
    );

    let (mut leaving, same) = (FlightSqlServiceClient::new(server.anonymous()), info);
    leaving.set_token(TOKEN.to_owned());
    let asking = tokio::spawn(async move { fetch(&mut leaving, &same).await });
    wait_for(1).await;
    asking.abort();
    wait_for(0).await;
}

#[tokio::test]
async fn hostile_values_are_only_errors() {
    let (_, _server, mut client) = start(1).await;
    let mut prepared = client.prepare("SELECT ?".to_owned(), None).await.unwrap();
    let two: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    prepared.set_parameters(RecordBatch::try_from_iter([("a", two)]).unwrap()).unwrap();
    assert!(matches!(typed(&prepared.execute().await.unwrap_err()), Error::Invalid { .. }));
    run(&mut client, "SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_stops() {
    let (_, mut server, mut client) = start(1).await;
    run(&mut client, "SELECT 1").await.unwrap();
    server.stop.take().unwrap().send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(8), &mut server.ended).await;
    assert!(ended.expect("it ends within its grace").unwrap());
    assert!(run(&mut client, "SELECT 1").await.is_err());
}
