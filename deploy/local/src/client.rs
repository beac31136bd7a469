//! A Flight SQL client: what `liquid query`, the demo and the tests ask with.

use std::io;
use std::path::Path;

use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, FlightDescriptor, FlightInfo, Ticket};
use futures::TryStreamExt;
use liquid_node_api::Error;
use liquid_node_api::catalogue::OpenTemplate;
use liquid_node_api::governance::{GOVERNANCE_ACTION, Governance, Heard};
use liquid_node_api::preview::{PREVIEW_ACTION, Preview, PreviewRequest};
use liquid_node_api::sql::TEMPLATES_ACTION;
use liquid_node_api::tls::{self, Identity, Material, Proxy, Target};
use liquid_policy::id::SiteName;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::answer::{Answer, Report};

/// The longest message that is taken.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// A connection with a caller's token.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    flight: FlightServiceClient<Channel>,
    headers: MetadataMap,
}

impl Client {
    /// A client of `https://host:port` or `grpc+tls://host:port` that trusts the authority in the PEM file `authority`.
    /// It connects when it first asks, and again when the connection is lost.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the address or the file is none.
    pub fn new(url: &str, authority: &Path, token: &str) -> Result<Self, Error> {
        Self::through(None, url, authority, token, None)
    }

    /// The same, through the proxy that HTTPS_PROXY and NO_PROXY name for this address.
    ///
    /// # Errors
    /// As for [`Client::new`], and where the proxy cannot be used.
    pub fn by_environment(url: &str, authority: &Path, token: &str) -> Result<Self, Error> {
        Self::through(of_environment(url)?, url, authority, token, None)
    }

    /// The same to one site's node and to nobody else: the server must show that site's certificate before it is sent anything.
    ///
    /// # Errors
    /// As for [`Client::by_environment`].
    pub fn of_site(url: &str, authority: &Path, token: &str, site: &SiteName) -> Result<Self, Error> {
        let identity = Some(Identity::Site(site.clone()));
        Self::through(of_environment(url)?, url, authority, token, identity)
    }

    fn through(
        proxy: Option<Proxy>,
        url: &str,
        authority: &Path,
        token: &str,
        identity: Option<Identity>,
    ) -> Result<Self, Error> {
        let wrong = |error: tls::Error| Error::invalid(error.to_string(), "see `liquid query --help`");
        let config = Material::anonymous(authority).map_err(wrong)?;
        let target = Target { url: url.to_owned(), proxy, identity, ..Target::default() };
        let channel = tls::connect(&target, config).map_err(wrong)?;
        let flight = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let mut client = Self { url: url.to_owned(), flight, headers: MetadataMap::new() };
        client.header("authorization", &format!("Bearer {}", token.trim()))?;
        Ok(client)
    }

    /// Sets an option for everything that is asked from now on, for example `liquid.purpose`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it cannot be an option.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let short = name.strip_prefix("liquid.").unwrap_or(name);
        self.header(&format!("x-liquid-{short}"), value)
    }

    /// Asks a question and waits for the whole answer.
    ///
    /// # Errors
    /// What the other end says, with its type; [`Error::Fault`] where the connection breaks.
    pub async fn ask(&mut self, sql: &str) -> Result<Answer, Error> {
        let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let request = self.request(descriptor);
        let info = self.flight.get_flight_info(request).await.map_err(|status| self.error(status))?;
        self.fetch(info.into_inner()).await
    }

    /// Says something of agreements to a node, or to a coordinator that carries it to all of its nodes, and waits for what each
    /// of them answers.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn governance(&mut self, message: &Governance) -> Result<Vec<Heard>, Error> {
        self.act(GOVERNANCE_ACTION, message).await
    }

    /// Has a node hold a draft against its past questions.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn preview(&mut self, request: &PreviewRequest) -> Result<Preview, Error> {
        self.act(PREVIEW_ACTION, request).await
    }

    /// The approved queries that may be called.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn templates(&mut self) -> Result<Vec<OpenTemplate>, Error> {
        self.action(TEMPLATES_ACTION, Vec::new()).await
    }

    async fn act<T: DeserializeOwned>(&mut self, name: &str, message: &impl Serialize) -> Result<T, Error> {
        let body = serde_json::to_vec(message)
            .map_err(|e| Error::invalid(e.to_string(), "say it in plain values"))?;
        self.action(name, body).await
    }

    async fn action<T: DeserializeOwned>(&mut self, name: &str, body: Vec<u8>) -> Result<T, Error> {
        let strange = || {
            Error::fault(
                "the other end gives no answer that is understood",
                false,
                "run the same version of liquid at both ends",
            )
        };
        let action = Action { r#type: name.to_owned(), body: body.into() };
        let request = self.request(action);
        let answer = self.flight.do_action(request).await.map_err(|status| self.error(status))?;
        let first = answer.into_inner().message().await.map_err(|status| self.error(status))?;
        serde_json::from_slice(&first.ok_or_else(strange)?.body).map_err(|_| strange())
    }

    async fn fetch(&mut self, info: FlightInfo) -> Result<Answer, Error> {
        let Some(ticket) = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket) else {
            return Err(Error::fault("the answer has no ticket", false, "tell the coordinator's operator"));
        };
        let request = self.request::<Ticket>(ticket);
        let stream = self.flight.do_get(request).await.map_err(|status| self.error(status))?.into_inner();
        let mut messages = FlightDataDecoder::new(stream.map_err(FlightError::from));
        let (mut schema, mut batches, mut report) = (None, Vec::new(), None);
        while let Some(message) = messages.try_next().await.map_err(|error| self.broken(error))? {
            if !message.inner.app_metadata.is_empty() {
                report = Report::read(&message.inner.app_metadata).or(report);
            }
            match message.payload {
                DecodedPayload::Schema(it) => schema = Some(it),
                DecodedPayload::RecordBatch(batch) => batches.push(batch),
                DecodedPayload::None => {}
            }
        }
        let schema =
            schema.ok_or_else(|| Error::fault("the answer ended before its first row", true, "ask again"))?;
        Ok(Answer::new(schema, batches, report))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.headers.clone();
        request
    }

    fn header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let wrong = || {
            Error::invalid(format!("`{name}` cannot have this value"), "use plain letters, digits and signs")
        };
        let key = MetadataKey::<Ascii>::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let value = MetadataValue::<Ascii>::try_from(value).map_err(|_| wrong())?;
        self.headers.insert(key, value);
        Ok(())
    }

    fn broken(&self, error: FlightError) -> Error {
        match error {
            FlightError::Tonic(status) => self.error(*status),
            _ => Error::fault("the answer is not readable", true, "ask again"),
        }
    }

    /// An error of the other end keeps its type; one of the connection is a fault.
    fn error(&self, status: Status) -> Error {
        Error::from_status(&status).unwrap_or_else(|| {
            let (trouble, fix) = trouble(&status);
            Error::fault(format!("{} {trouble}", self.url), true, fix)
        })
    }
}

/// The proxy that HTTPS_PROXY and NO_PROXY name for an address.
fn of_environment(url: &str) -> Result<Option<Proxy>, Error> {
    Proxy::of_environment(url).map_err(|error| Error::invalid(error.to_string(), "then ask again"))
}

/// What is the matter with the connection, and what to do about it.
fn trouble(status: &Status) -> (String, &'static str) {
    let running = "see whether it still runs, then ask again";
    let mut cause: &dyn std::error::Error = status;
    loop {
        if cause.downcast_ref().is_some_and(broken) {
            return ("broke the connection off before it had answered".to_owned(), running);
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => break,
        }
    }
    match status.code() {
        Code::Unavailable => (
            format!("cannot be reached: {cause}"),
            "see whether it runs there and whether the authority is its own, then ask again",
        ),
        Code::DeadlineExceeded => ("did not answer in time".to_owned(), running),
        Code::ResourceExhausted | Code::OutOfRange => {
            ("sent or was sent more than it may".to_owned(), "ask for less, or in several questions")
        }
        _ => (format!("broke off: {cause}"), running),
    }
}

/// The other end was there and is not any more; the words for this of the libraries below help nobody.
fn broken(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_broke_is_said_in_plain_words() {
        let said = "peer closed connection without sending TLS close_notify: https://docs.rs/rustls";
        let status = Status::from_error(Box::new(io::Error::new(io::ErrorKind::UnexpectedEof, said)));
        let (text, fix) = trouble(&status);
        assert_eq!(text, "broke the connection off before it had answered");
        assert!(fix.contains("still runs"));
        let (text, fix) = trouble(&Status::unavailable("connection refused"));
        assert!(text.contains("cannot be reached") && fix.contains("authority"), "{text}");
    }
}
