//! Prepared statements and their bound values, through a node's real Flight port: a value is judged as the same text in
//! its place would be, so no bomb and no read of a person gets in by this door; what is sent in a value's place and is no
//! value is an error. After each, the next honest question is answered.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array,
    NullArray, RecordBatch, StringArray, StringViewArray,
};
use arrow::datatypes::Int32Type;
use arrow::ipc::CompressionType;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
    CommandPreparedStatementQuery, ProstMessageExt,
};
use arrow_flight::{Action, FlightData, FlightDescriptor};
use futures::{StreamExt, TryStreamExt, stream};
use liquid_node_api::Error;
use liquid_policy::Code;
use prost::Message;
use tonic::Request;
use tonic::transport::Channel;

use crate::hostile_site::{count, messages, packed};
use crate::hostile_sql::Node;

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

fn float(value: f64) -> ArrayRef {
    Arc::new(Float64Array::from(vec![value]))
}

fn whole(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn row(values: Vec<ArrayRef>) -> RecordBatch {
    let names = (0..values.len()).map(|at| format!("p{at}"));
    RecordBatch::try_from_iter_with_nullable(names.zip(values).map(|(name, value)| (name, value, true)))
        .unwrap()
}

fn typed(error: FlightError) -> Error {
    match error {
        FlightError::Tonic(status) => {
            Error::from_status(&status).unwrap_or_else(|| panic!("untyped: {status}"))
        }
        other => panic!("not a status: {other}"),
    }
}

/// Prepares, binds, runs; the first cell.
async fn run(
    client: &mut FlightSqlServiceClient<Channel>,
    sql: &str,
    values: &RecordBatch,
) -> Result<String, Error> {
    let prepared = client.prepare(sql.to_owned(), None).await;
    let mut prepared = prepared.map_err(typed)?;
    prepared.set_parameters(values.clone()).unwrap();
    let info = prepared.execute().await.map_err(typed)?;
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let rows = client.do_get(ticket).await.map_err(typed)?;
    let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(typed)?;
    let cell = batches.first().filter(|batch| batch.num_rows() > 0).map(|batch| batch.column(0).clone());
    Ok(cell.map_or_else(String::new, |cell| arrow::util::display::array_value_to_string(&cell, 0).unwrap()))
}

fn counting(condition: &str) -> String {
    format!("SELECT count(*) AS n FROM person WHERE {condition}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_value_is_judged_like_a_written_one() {
    let mut node = Node::start().await;
    let (channel, token) = node.channel();
    let mut client = FlightSqlServiceClient::new(channel);
    client.set_token(token);
    let many = |part: &str, times: usize| part.repeat(times);
    let people = ["Ann Lee", "U17", "N94300017", "PC17"];

    // What is permitted as text is permitted so.
    for (sql, values, answer) in [
        (counting("ward = ?"), vec![text("W1")], "100"),
        (counting("$1 = ward"), vec![text("W1")], "100"),
        // Clients write such a column out.
        (counting("ward = ?"), vec![Arc::new(DictionaryArray::<Int32Type>::from_iter(["W1"]))], "100"),
        (counting("ward IN (?, ?)"), vec![text("W1"), text("W2")], "200"),
        (counting("ward = ? AND sex = ?"), vec![text("W1"), text("F' OR '1' = '1")], ""),
        (counting("ward = ?"), vec![text("W1'; DROP TABLE person; --")], ""),
        (counting("ward = ? AND true = ?"), vec![text("W5"), Arc::new(BooleanArray::from(vec![true]))], "40"),
    ] {
        let came = run(&mut client, &sql, &row(values)).await;
        assert_eq!(came.as_deref(), Ok(answer), "`{sql}`");
    }

    let long = vec![text("W1"); 900];
    let cases: Vec<(String, Vec<ArrayRef>, &[Code])> = vec![
        // Bombs, whose length lies in the text or in the values.
        (counting(&format!("1{} = 1", many(" + ?", 240))), vec![whole(1); 240], &[Code::Limit]),
        (counting(&format!("sex = 'F'{}", many(" OR sex = ?", 900))), vec![text("F"); 900], &[Code::Limit]),
        (counting(&format!("sex = 'F'{}", many(" || ?", 900))), vec![text("x"); 900], &[Code::Limit]),
        (counting(&format!("{}?{}", many("(", 5000), many(")", 5000))), vec![text("F")], &[Code::Limit]),
        (
            format!(
                "SELECT count(*) FROM person{}",
                many(" UNION ALL SELECT count(*) FROM person WHERE ward = ?", 400)
            ),
            vec![text("W1"); 400],
            &[Code::Limit],
        ),
        (counting("ward = ?"), vec![text(&many("x", 60_000))], &[Code::Limit]),
        (counting("ward = ?"), vec![text(&many("x", 900_000))], &[Code::Limit]),
        (counting("ward = ?"), vec![text(&many("x", 1_100_000))], &[]),
        (
            counting(&format!("ward IN (?{})", many(", ?", 899))),
            vec![text(&many("x", 500)); 900],
            &[Code::Limit],
        ),
        (counting(&format!("ward IN (?{})", many(", ?", 29_999))), vec![text("W1"); 30_000], &[]),
        (
            "SELECT sum(character_length(repeat(name, ?))) FROM person".to_owned(),
            vec![whole(50_000_000)],
            &[Code::Function],
        ),
        ("SELECT count(*) FROM generate_series(1, ?)".to_owned(), vec![whole(i64::MAX)], &[Code::Function]),
        // Reads of a person.
        (counting("name = ?"), vec![text("Ann Lee")], &[Code::LiteralCompare, Code::ColumnUse]),
        (counting("upi IN (?, ?)"), vec![text("U17"), text("U18")], &[Code::LiteralCompare, Code::ColumnUse]),
        (counting("nhs_no LIKE ?"), vec![text("N94300017")], &[Code::LiteralCompare, Code::ColumnUse]),
        (
            counting("concat(postcode, ?) = ?"),
            vec![text("x"), text("PC17x")],
            &[Code::LiteralCompare, Code::ColumnUse],
        ),
        (counting("benefit_amt = ?"), vec![float(517.37)], &[Code::LiteralCompare, Code::ColumnUse]),
        (
            counting("benefit_amt BETWEEN ? AND ?"),
            vec![float(517.0), float(518.0)],
            &[Code::LiteralCompare, Code::ColumnUse],
        ),
        (
            counting("dob < ?"),
            vec![Arc::new(Date32Array::from(vec![0]))],
            &[Code::LiteralCompare, Code::ColumnUse],
        ),
        (
            "SELECT sum(CASE WHEN upi = ? THEN benefit_amt ELSE 0 END) FROM person".to_owned(),
            vec![text("U17")],
            &[Code::LiteralCompare, Code::ColumnUse],
        ),
        ("SELECT ?, name FROM person".to_owned(), vec![whole(1)], &[Code::AggRequired]),
        // Errors that would tell of a row.
        (counting("1 / (benefit_amt - ?) > 0"), vec![float(517.37)], &[Code::Expression]),
        (counting("ward = ?"), vec![whole(5)], &[Code::Expression]),
        (counting("ward = ?"), vec![float(f64::NAN)], &[Code::Expression]),
        // Nothing that is no query is one when it is prepared.
        ("DROP TABLE person".to_owned(), vec![whole(1)], &[Code::Statement]),
        ("SHOW ALL".to_owned(), vec![whole(1)], &[Code::Statement]),
        ("SET datafusion.execution.batch_size = ?".to_owned(), vec![whole(1)], &[Code::Statement]),
        (
            "EXPLAIN SELECT count(*) FROM person WHERE ward = ?".to_owned(),
            vec![text("W1")],
            &[Code::Statement],
        ),
        // Values that do not fit their places.
        (counting("ward = ?"), long, &[]),
        (counting("ward = ? AND sex = ?"), vec![text("W1")], &[]),
        (counting("ward = $2"), vec![text("W1")], &[]),
        // A place whose number is a bomb by itself.
        (counting("ward = $4000000000"), vec![text("W1")], &[]),
        (counting("ward = $18446744073709551615"), vec![text("W1")], &[]),
        (counting("ward = ?"), vec![Arc::new(StringArray::from(vec!["W1", "W2"]))], &[]),
        (counting("ward = ?"), vec![Arc::new(StringArray::from(Vec::<&str>::new()))], &[]),
        (counting("ward = ?"), vec![Arc::new(StringViewArray::from(vec!["W1"]))], &[]),
        (counting("ward = ?"), vec![Arc::new(Decimal128Array::from(vec![1]))], &[]),
    ];
    for (sql, values, codes) in cases {
        let shown: String = sql.chars().take(80).collect();
        let error = match run(&mut client, &sql, &row(values)).await {
            Ok(cell) => panic!("`{shown}` is answered: {cell}"),
            Err(error) => error,
        };
        match &error {
            Error::Refused { refusal } => assert!(codes.contains(&refusal.code), "`{shown}`: {error}"),
            Error::Invalid { .. } => assert!(codes.is_empty(), "`{shown}`: {error}"),
            other => panic!("`{shown}`: {other:?}"),
        }
        for value in people.iter().chain(&["517.37", "xxx", "Person"]) {
            assert!(!error.to_string().contains(value), "`{shown}`: {error}");
        }
        node.answers_after(&shown).await;
    }
    // A NULL is no value of anything; an unknown one none of a text's.
    let nothing: ArrayRef = Arc::new(NullArray::new(1));
    let came = run(&mut client, &counting("ward = ?"), &row(vec![nothing])).await;
    assert_eq!(came.as_deref(), Ok(""), "nobody's ward is NULL");
    node.answers_after("a NULL").await;
    node.federation.stop().await;
}

/// A statement with one place, prepared: its handle.
async fn prepared(channel: &Channel, token: &str) -> Vec<u8> {
    let wanted = ActionCreatePreparedStatementRequest { query: counting("ward = ?"), transaction_id: None };
    let action =
        Action { r#type: "CreatePreparedStatement".to_owned(), body: wanted.as_any().encode_to_vec().into() };
    let mut results =
        FlightServiceClient::new(channel.clone()).do_action(with(action, token)).await.unwrap().into_inner();
    let result = results.next().await.unwrap().unwrap();
    let any = Any::decode(result.body).unwrap();
    any.unpack::<ActionCreatePreparedStatementResult>().unwrap().unwrap().prepared_statement_handle.to_vec()
}

fn with<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_value_is_an_error_and_the_node_lives() {
    let mut node = Node::start().await;
    let (channel, token) = node.channel();
    let handle = prepared(&channel, &token).await;
    let good = messages(&count(vec![1]), None);
    let mut scenes: Vec<(&str, Vec<FlightData>)> = vec![
        ("a schema alone", good[..1].to_vec()),
        ("no schema", good[1..].to_vec()),
        ("two schemas", [good.clone(), good.clone()].concat()),
        ("nothing at all", vec![FlightData::default()]),
    ];
    for kind in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        for length in [1 << 40, i64::MAX as u64] {
            scenes.push(("a length that nobody has", packed(kind, length, 1)));
        }
    }
    // A schema of any other bytes: a decoder of tables that trusts them stops its process.
    for at in (0..good[0].data_header.len()).step_by(3) {
        for byte in [0xFF, 0x7F, 0x15] {
            let mut header = good[0].data_header.to_vec();
            if header[at] != byte {
                header[at] = byte;
                let changed = FlightData { data_header: header.into(), ..good[0].clone() };
                scenes.push(("a changed schema", vec![changed, good[1].clone()]));
            }
        }
    }
    let mut kept = 0;
    for (what, mut scene) in scenes {
        let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.clone().into() };
        scene[0].flight_descriptor = Some(FlightDescriptor::new_cmd(command.as_any().encode_to_vec()));
        let mut client = FlightServiceClient::new(channel.clone());
        let put = async {
            client.do_put(with(stream::iter(scene), &token)).await?.into_inner().try_collect::<Vec<_>>().await
        };
        match put.await {
            // Some bytes say nothing that matters.
            Ok(_) => assert_eq!(what, "a changed schema"),
            Err(status) => {
                let error = Error::from_status(&status).unwrap_or_else(|| panic!("{what}: {status}"));
                assert!(matches!(error, Error::Invalid { .. }), "{what}: {error}");
                kept += 1;
            }
        }
        node.answers_after(what).await;
    }
    assert!(kept > 50, "{kept} were refused");
    node.federation.stop().await;
}
