//! What Flight SQL's calls have in common: who asks, under which options, then the [`Backend`]. The calls are in `calls`.

mod calls;

use std::future::Future;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_flight::sql::metadata::{SqlInfoData, XdbcTypeInfoData};
use arrow_flight::sql::{Command, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket as FlightTicket};
use futures::StreamExt;
use liquid_policy::id::RequestId;
use prost::Message;
use tonic::{Request, Response, Status};

use super::front::DoGetStream;
use super::options::SessionOptions;
use super::seal::{Holder, Seals, Ticket, Use};
use super::ticket::Running;
use super::{Answer, Backend, Statement, catalogue, info, session, text};
use crate::channel::Token;
use crate::error::Error;
use crate::tls::{self, PeerInfo};
use crate::wire::{self, IntoWire};

/// Flight SQL over a backend.
pub(super) struct Service<B: Backend> {
    backend: Arc<B>,
    info: SqlInfoData,
    types: XdbcTypeInfoData,
    running: Running,
    seals: Seals,
}

/// Who asks, and how.
struct Call<S> {
    session: S,
    options: SessionOptions,
    token: Option<Token>,
    holder: Holder,
}

impl<B: Backend> Service<B> {
    pub(super) fn new(backend: Arc<B>) -> Result<Self, tls::Error> {
        let failed =
            |e| tls::Error::new(format!("the server's description cannot be written: {e}"), "report this");
        let info = info::sql_info(backend.server_name()).map_err(failed)?;
        let types = info::type_info().map_err(failed)?;
        Ok(Self { backend, info, types, running: Running::default(), seals: Seals::new()? })
    }

    /// Authenticates a request under the options of its connection and its metadata, or under those of its ticket.
    async fn call<T>(
        &self,
        request: &Request<T>,
        ticket: Option<&SessionOptions>,
    ) -> Result<Call<B::Session>, Error> {
        let token = session::bearer(request.metadata())?;
        let peer = request.extensions().get::<PeerInfo>();
        let options = match ticket {
            Some(options) => options.clone(),
            None => {
                let kept = peer.map(|p| p.options.get(token.as_ref())).unwrap_or_default();
                session::with_metadata(kept, request.metadata())?
            }
        };
        let certificate = peer.and_then(|p| p.certificate.clone());
        let holder = Holder::of(token.as_ref(), certificate.as_ref());
        let session = self.backend.authenticate(token.clone(), certificate, options.clone()).await?;
        Ok(Call { session, options, token, holder })
    }

    /// Opens a sealed handle for whoever presents it. One that is not good for them is on record, if they are somebody.
    async fn open<T>(
        &self,
        r#use: Use,
        handle: &[u8],
        request: &Request<T>,
    ) -> Result<(Call<B::Session>, Ticket), Error> {
        let token = session::bearer(request.metadata())?;
        let certificate = request.extensions().get::<PeerInfo>().and_then(|p| p.certificate.as_ref());
        match self.seals.open(r#use, &Holder::of(token.as_ref(), certificate), handle) {
            Ok(ticket) => Ok((self.call(request, Some(&ticket.options)).await?, ticket)),
            Err(error) => {
                let call = self.call(request, Some(&SessionOptions::default())).await?;
                Err(self.backend.turn_away(&call.session, error).await)
            }
        }
    }

    /// Cancels this caller's request of a flight; false where it is not running.
    fn cancel(&self, call: &Call<B::Session>, info: &FlightInfo) -> bool {
        self.running.cancel(&self.seals, &call.holder, call.token.as_ref(), info)
    }

    /// Changes what the connection keeps for this caller.
    fn change<T, R>(
        &self,
        request: &Request<T>,
        change: impl FnOnce(&mut SessionOptions) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let token = session::bearer(request.metadata())?;
        let Some(peer) = request.extensions().get::<PeerInfo>() else {
            return Err(Error::invalid(
                "this connection keeps no options",
                "send `x-liquid-<name>` metadata",
            ));
        };
        let mut options = peer.options.get(token.as_ref());
        let result = change(&mut options)?;
        peer.options.put(token.as_ref(), options);
        Ok(result)
    }

    /// The rows of a catalogue call; none where the command is something else.
    pub(super) async fn listing<T>(
        &self,
        command: &Command,
        request: &Request<T>,
    ) -> Result<Option<RecordBatch>, Status> {
        if !catalogue::is_listing(command) {
            return Ok(None);
        }
        let call = self.call(request, None).await?;
        let tables = match catalogue::needs_tables(command) {
            true => self.backend.catalogue(&call.session).await?,
            false => Vec::new(),
        };
        let about = catalogue::About {
            info: &self.info,
            types: &self.types,
            catalog: self.backend.catalog(),
            tables,
        };
        catalogue::rows(command.clone(), &about).map(Some).map_err(|_| unencodable().into())
    }

    /// Describes a statement; a `SET` of ours takes effect here.
    async fn flight(
        &self,
        statement: Statement,
        request: Request<FlightDescriptor>,
    ) -> Result<FlightInfo, Error> {
        let call = self.call(&request, None).await?;
        let id = statement.id.clone();
        let (schema, pinned) = match text::set_option(&statement.sql)? {
            Some((name, value)) => {
                self.change(&request, |options| options.set(&name, &value))?;
                (catalogue::option_schema(), None)
            }
            None => {
                let described = self.backend.describe(&call.session, &statement).await?;
                let schema = wire::schema(&described.schema, call.options.wants_marks());
                // Some drivers show nothing but this schema: the id leads them to what is said of the answer.
                (wire::noted(&schema, wire::REQUEST, id.as_str()), described.pinned)
            }
        };
        let ticket = Ticket { statement, pinned, options: call.options };
        let handle = self.seals.seal(Use::Ticket, &call.holder, &ticket)?;
        let ticket = TicketStatementQuery { statement_handle: handle }.as_any().encode_to_vec();
        Ok(FlightInfo::new()
            .try_with_schema(&schema)
            .map_err(|_| unencodable())?
            .with_endpoint(FlightEndpoint::new().with_ticket(FlightTicket::new(ticket)))
            .with_descriptor(request.into_inner())
            .with_app_metadata(format!("{{\"request\":\"{id}\"}}")))
    }

    /// Answers a described statement.
    async fn rows(
        &self,
        r#use: Use,
        handle: &[u8],
        request: &Request<FlightTicket>,
    ) -> Result<Response<DoGetStream>, Status> {
        let (call, Ticket { statement, pinned, options }) = self.open(r#use, handle, request).await?;
        if let Some((name, value)) = text::set_option(&statement.sql)? {
            self.change(request, |options| options.set(&name, &value))?;
            return catalogue::send(catalogue::option_set(&name, &value));
        }
        let id = statement.id.clone();
        let answer = self.backend.answer(&call.session, statement, pinned);
        send(self.unless_cancelled(&call, &id, answer).await?, options.wants_marks(), request)
    }

    /// Waits for the answer to a request that its caller may cancel meanwhile.
    async fn unless_cancelled<T>(
        &self,
        call: &Call<B::Session>,
        id: &RequestId,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Status> {
        let entry = self.running.enter(call.token.as_ref(), id);
        tokio::select! {
            answer = answer => Ok(answer?),
            () = entry.cancelled.notified() => Err(Status::cancelled("the request was cancelled")),
        }
    }
}

fn send<R: IntoWire, T>(
    answer: Answer<R>,
    marks: bool,
    request: &Request<T>,
) -> Result<Response<DoGetStream>, Status> {
    let messages = answer.rows.into_wire(marks, Some(&answer.metadata))?.into_messages(answer.metadata);
    let bytes = messages.iter().map(|message| message.data_body.len()).sum();
    let fetching = request.extensions().get::<PeerInfo>().map(|peer| peer.must_fetch(bytes));
    let stream = futures::stream::iter(messages).map(move |message| {
        // It is dropped with the stream, when the last message was taken.
        let _ = &fetching;
        Ok(message)
    });
    Ok(Response::new(stream.boxed()))
}

fn unencodable() -> Error {
    Error::fault("a schema could not be encoded", false, "send the time of this error to the operator")
}
