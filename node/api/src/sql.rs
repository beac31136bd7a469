//! Flight SQL for clients, written once for node and coordinator over a [`Backend`].
//!
//! Tickets and prepared handles carry the statement itself, sealed for one caller and a few minutes, and give no rights:
//! whatever they hold is checked anew when they are presented. Options come as gRPC metadata `x-liquid-<name>`, through
//! `SetSessionOptions`, and as `SET liquid.<name> = '…'`; the latter two last as long as the connection.

mod catalogue;
mod door;
mod front;
mod info;
mod options;
pub mod seal;
mod service;
mod session;
pub mod text;
mod ticket;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow_flight::flight_service_server::FlightServiceServer;
use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use liquid_policy::id::{AgreementHash, RequestId};
use serde::{Deserialize, Serialize};

use crate::catalogue::{ModelColumn, ModelTable, OpenTemplate, PublishedTemplate};
use crate::channel::Token;
use crate::envelope::Verified;
use crate::error::Error;
use crate::parameter::Parameter;
use crate::tls::{self, PeerCertificate};
use crate::wire::IntoWire;

pub(crate) use options::clip;
pub use options::{ConnectionOptions, Marks, SessionOptions};
pub use ticket::{request_id, site_ticket};

/// What stands behind the Flight SQL port.
///
/// # Errors
/// Every method's error reaches the caller as it is, typed, in a gRPC status: text must be safe for them.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// An authenticated caller with their options.
    type Session: Clone + Send + Sync + 'static;
    /// What answers are made of: released tables at a node, combined ones at a coordinator.
    type Rows: IntoWire;

    /// The name that clients show, for example `Liquid node cleveland`.
    fn server_name(&self) -> &str;

    /// The catalog that clients see, for example `liquid`.
    fn catalog(&self) -> &str;

    /// Who asks. Called for every single request; nobody stays logged in.
    async fn authenticate(
        &self,
        token: Option<Token>,
        peer: Option<PeerCertificate>,
        options: SessionOptions,
    ) -> Result<Self::Session, Error>;

    /// The tables that this caller may see.
    async fn catalogue(&self, session: &Self::Session) -> Result<Vec<PublishedTable>, Error>;

    /// The columns of a statement's answer. Touches no data.
    async fn describe(&self, session: &Self::Session, statement: &Statement) -> Result<Described, Error>;

    /// Answers a statement; `pinned` is what its description said.
    async fn answer(
        &self,
        session: &Self::Session,
        statement: Statement,
        pinned: Option<AgreementHash>,
    ) -> Result<Answer<Self::Rows>, Error>;

    /// Puts on record that a caller was turned away before their question was looked at, and gives back why.
    async fn turn_away(&self, session: &Self::Session, error: Error) -> Error;

    /// Answers a coordinator's envelope, whose signature is good; only a site does.
    async fn ask(&self, _: &Self::Session, _: Verified) -> Result<Answer<Self::Rows>, Error> {
        Err(Error::invalid("this is not a site", "send site requests to a node"))
    }

    /// Answers an action beyond Flight SQL's own, for example `liquid.catalogue`; none where there is no such action.
    async fn action(&self, _: &Self::Session, _name: &str, _body: Bytes) -> Result<Option<Bytes>, Error> {
        Ok(None)
    }

    /// The names of those actions with a sentence each.
    fn actions(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
}

/// Largest message that a [`crate::flight::FlightChannel`] takes, and a server sends.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Largest message that a server takes: an envelope, or a row of values with its statement.
const REQUEST_BYTES_MAX: usize = 2 << 20;

/// How long requests may still run after a server was told to stop.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Serves a backend on connections, as [`tls::incoming`] or [`tls::outbound::keep`] give them, until `shutdown` is ready: no
/// new ones then, and a few seconds for what still runs.
///
/// # Errors
/// Where the server cannot be set up or its loop ends with an error.
pub async fn serve<B: Backend>(
    backend: Arc<B>,
    connections: impl Stream<Item = io::Result<tls::Connection>> + Send,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tls::Error> {
    let failed =
        |e: &dyn std::fmt::Display| tls::Error::new(format!("the server ended: {e}"), "start it again");
    let doors = door::Doors(Arc::clone(&backend));
    let service = service::Service::new(backend)?;
    let service = FlightServiceServer::new(front::Front(service))
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tls::http2().layer(doors).add_service(service);
    let serving = server.serve_with_incoming_shutdown(connections, async move {
        shutdown.await;
        // Nobody listens if the server has ended by itself.
        let _ = stopping.send(());
    });
    tokio::select! {
        ended = serving => ended.map_err(|e| failed(&e)),
        () = async {
            // An error means that the server ended by itself, and the other branch will say how.
            match stopped.await {
                Ok(()) => tokio::time::sleep(SHUTDOWN_GRACE).await,
                Err(_) => std::future::pending().await,
            }
        } => Ok(()),
    }
}

/// The action that gives a site's [`crate::catalogue::Catalogue`] as JSON.
pub const CATALOGUE_ACTION: &str = "liquid.catalogue";

/// The action that gives the approved queries that a caller may call, [`crate::catalogue::OpenTemplate`] each, as JSON.
pub const TEMPLATES_ACTION: &str = "liquid.templates";

/// A statement, as it stands in a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The request's id, made when the statement was first described.
    pub id: RequestId,
    /// The query; placeholders are `$1`, `$2`, …
    pub sql: String,
    /// Their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
}

/// What is known of an answer before it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The columns, without mark columns.
    pub schema: SchemaRef,
    /// The version of the agreement that this rests on, at a site: under another one the statement must be described anew.
    pub pinned: Option<AgreementHash>,
}

/// An answer: rows, and what is said of them as JSON, in the `app_metadata` of the last message and in the schema.
#[derive(Debug, Clone)]
pub struct Answer<R> {
    /// The rows.
    pub rows: R,
    /// A [`crate::report::SiteReport`] or [`crate::report::Completeness`] as JSON.
    pub metadata: String,
}

/// A table as clients list it.
#[derive(Debug, Clone)]
pub struct PublishedTable {
    /// The schema it lies in, for example `public`.
    pub schema_name: String,
    /// Its name.
    pub name: String,
    /// `TABLE`, `SYSTEM TABLE`, …
    pub table_type: String,
    /// Its columns, with remarks in their metadata.
    pub schema: SchemaRef,
}

impl PublishedTable {
    /// A table of the shared model; descriptions, units and code lists become remarks. `more` columns come after it.
    pub fn of_model(schema_name: &str, table: &ModelTable, more: Vec<Field>) -> Self {
        let name = table.name.as_str();
        let columns =
            table.fields().zip(&table.columns).map(|(plain, column)| described(plain, column, name));
        let schema = Schema::new(columns.chain(more).collect::<Vec<Field>>())
            .with_metadata([(REMARKS.to_owned(), table.description.clone())].into());
        Self {
            schema_name: schema_name.to_owned(),
            name: table.name.to_string(),
            table_type: "TABLE".to_owned(),
            schema: Arc::new(schema),
        }
    }
}

impl PublishedTable {
    /// An approved query beside the tables, with its answer's columns. What it takes stands in its remarks.
    pub fn of_template(open: &OpenTemplate) -> Self {
        let PublishedTemplate { name, description, parameters, columns, .. } = &open.template;
        let takes: Vec<_> =
            parameters.iter().map(|it| format!("{} {}", it.name, it.kind.sql_name())).collect();
        let remarks = format!("{description} Called as EXECUTE \"{name}\"({})", takes.join(", "));
        let columns = columns.iter().map(|it| Field::new(&it.name, it.kind.arrow_type(), true));
        let schema = Schema::new(columns.collect::<Vec<Field>>())
            .with_metadata([(REMARKS.to_owned(), remarks.trim_start().to_owned())].into());
        Self {
            schema_name: crate::call::SCHEMA.to_owned(),
            name: name.to_string(),
            table_type: "TEMPLATE".to_owned(),
            schema: Arc::new(schema),
        }
    }
}

/// Where Flight SQL clients look for a column's description.
pub const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";

fn described(plain: Field, column: &ModelColumn, table: &str) -> Field {
    let mut remarks = column.description.clone();
    if let Some(unit) = &column.unit {
        remarks.push_str(&format!(" [{unit}]"));
    }
    if !column.codes.is_empty() {
        let codes: Vec<String> =
            column.codes.iter().map(|(code, means)| format!("{code} = {means}")).collect();
        remarks.push_str(&format!(" ({})", codes.join(", ")));
    }
    plain.with_metadata(
        [
            (REMARKS.to_owned(), remarks),
            ("ARROW:FLIGHT:SQL:TABLE_NAME".to_owned(), table.to_owned()),
            ("ARROW:FLIGHT:SQL:TYPE_NAME".to_owned(), column.kind.sql_name().to_owned()),
            ("ARROW:FLIGHT:SQL:IS_READ_ONLY".to_owned(), "1".to_owned()),
            ("ARROW:FLIGHT:SQL:IS_AUTO_INCREMENT".to_owned(), "0".to_owned()),
        ]
        .into(),
    )
}
