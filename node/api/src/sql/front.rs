//! The gRPC service itself. arrow-flight's own bridge answers PollFlightInfo and GetSchema with "not implemented", on
//! which ADBC and JDBC rely; this one answers them and hands everything else on.

use std::pin::Pin;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{Any, Command};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::{Stream, StreamExt};
use prost::Message;
use tonic::{Code, Request, Response, Status, Streaming};

use super::service::Service;
use super::{Backend, catalogue};
use crate::error::Error;

pub(super) type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send + 'static>>;

/// The stream of an answer.
pub(super) type DoGetStream = Boxed<FlightData>;

/// The whole service.
pub(super) struct Front<B: Backend>(pub(super) Service<B>);

impl<B: Backend> Front<B> {
    async fn info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let command = command(&request.get_ref().cmd)?;
        match self.0.listing(&command, &request).await? {
            Some(rows) => catalogue::info(command, request.into_inner(), &rows.schema()),
            None => self.0.get_flight_info(request).await,
        }
    }
}

fn command(bytes: &[u8]) -> Result<Command, Status> {
    let command = Any::decode(bytes).ok().and_then(|any| Command::try_from(any).ok());
    command.ok_or_else(|| no_command().into())
}

pub(super) fn no_command() -> Error {
    Error::invalid("the request is no Flight SQL command", "use a Flight SQL client")
}

/// What arrow-flight cannot read of a message it says in words of its own; a client gets an error with a type.
fn typed(status: Status) -> Status {
    match status.code() {
        Code::InvalidArgument | Code::Internal if Error::from_status(&status).is_none() => {
            no_command().into()
        }
        _ => status,
    }
}

#[tonic::async_trait]
impl<B: Backend> FlightService for Front<B> {
    type HandshakeStream = Boxed<HandshakeResponse>;
    type ListFlightsStream = Boxed<FlightInfo>;
    type DoGetStream = DoGetStream;
    type DoPutStream = Boxed<PutResult>;
    type DoActionStream = Boxed<arrow_flight::Result>;
    type ListActionsStream = Boxed<ActionType>;
    type DoExchangeStream = Boxed<FlightData>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        self.0.handshake(request).await
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Ok(Response::new(futures::stream::empty().boxed()))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.info(request).await
    }

    /// A statement is described at once, so the first poll is the last.
    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        let info = self.info(request).await?.into_inner();
        Ok(Response::new(PollInfo { progress: Some(1.0), ..PollInfo::new().with_info(info) }))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let info = self.info(request).await?.into_inner();
        Ok(Response::new(SchemaResult { schema: info.schema }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        match self.0.listing(&command(&request.get_ref().ticket)?, &request).await? {
            Some(rows) => catalogue::send(Ok(rows)),
            None => self.0.do_get(request).await,
        }
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        self.0.do_put(request).await.map_err(typed)
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        self.0.do_action(request).await.map_err(typed)
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        self.0.list_actions(request).await
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("nothing is exchanged here; ask with a statement"))
    }
}
