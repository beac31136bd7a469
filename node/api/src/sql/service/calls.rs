//! Flight SQL's calls, one by one.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::server::{DoPutError, FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionBeginTransactionRequest, ActionBeginTransactionResult, ActionCancelQueryRequest,
    ActionCancelQueryResult, ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, ActionCreatePreparedSubstraitPlanRequest, Any, Command,
    CommandPreparedStatementQuery, CommandPreparedStatementUpdate, CommandStatementIngest,
    CommandStatementQuery, CommandStatementSubstraitPlan, CommandStatementUpdate,
    DoPutPreparedStatementResult, SqlInfo, TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor,
    FlightInfo, HandshakeRequest, HandshakeResponse, IpcMessage, SchemaAsIpc, Ticket as FlightTicket,
};
use bytes::Bytes;
use futures::StreamExt;
use prost::Message;
use tonic::{Request, Response, Status, Streaming};

use super::{Service, send, unencodable};
use crate::error::Error;
use crate::parameter::PARAMETERS_MAX;
use crate::sql::front::{Boxed, DoGetStream, no_command};
use crate::sql::options::SessionOptions;
use crate::sql::seal::{Ticket, Use};
use crate::sql::{Backend, Statement, catalogue, clip, session, text, ticket};
use crate::tls::PeerInfo;
use crate::wire::{self, gate};

/// Bound values may take so many bytes.
const BOUND_BYTES_MAX: usize = 1 << 20;

#[tonic::async_trait]
impl<B: Backend> FlightSqlService for Service<B> {
    type FlightService = Self;

    /// Logs in with the token itself as password, for clients that know names and passwords alone.
    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Boxed<HandshakeResponse>>, Status> {
        let token = session::password(request.metadata())?;
        let peer = request.extensions().get::<PeerInfo>().and_then(|p| p.certificate.clone());
        self.backend.authenticate(Some(token.clone()), peer, SessionOptions::default()).await?;
        let answer = HandshakeResponse { protocol_version: 0, payload: token.secret().to_owned().into() };
        let mut response = Response::new(futures::stream::iter([Ok(answer)]).boxed());
        let header = format!("Bearer {}", token.secret()).parse().map_err(|_| {
            Error::unauthenticated("the token is not plain text", "log in with the token as password")
        })?;
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let (sql, needs) = text::numbered(&query.query);
        if needs > 0 {
            return Err(Error::invalid(
                "the statement has placeholders without values",
                "prepare it and bind one row of values",
            )
            .into());
        }
        let statement = Statement { id: ticket::request_id(), sql, parameters: Vec::new() };
        Ok(Response::new(self.flight(statement, request).await?))
    }

    async fn get_flight_info_fallback(
        &self,
        _: Command,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.call(&request, None).await?;
        Err(no_command().into())
    }

    async fn do_put_fallback(
        &self,
        request: Request<PeekableFlightDataStream>,
        _: Any,
    ) -> Result<Response<<Self as FlightService>::DoPutStream>, Status> {
        self.call(&request, None).await?;
        Err(no_command().into())
    }

    async fn do_put_error_callback(
        &self,
        _: Request<PeekableFlightDataStream>,
        _: DoPutError,
    ) -> Result<Response<<Self as FlightService>::DoPutStream>, Status> {
        Err(no_command().into())
    }

    /// A plan is not taken, whatever made it: a question is text, so that people can read what was asked, and the node plans it.
    async fn get_flight_info_substrait_plan(
        &self,
        _: CommandStatementSubstraitPlan,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.call(&request, None).await?;
        Err(text_alone().into())
    }

    async fn do_action_create_prepared_substrait_plan(
        &self,
        _: ActionCreatePreparedSubstraitPlanRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        self.call(&request, None).await?;
        Err(text_alone().into())
    }

    async fn do_put_substrait_plan(
        &self,
        _: CommandStatementSubstraitPlan,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.call(&request, None).await?;
        Err(text_alone().into())
    }

    /// Nor are rows.
    async fn do_put_statement_ingest(
        &self,
        _: CommandStatementIngest,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.call(&request, None).await?;
        Err(read_only().into())
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        // Under today's options: those that it was prepared with may have been changed since.
        let (_, prepared) = self.open(Use::Prepared, &query.prepared_statement_handle, &request).await?;
        let statement = Statement { id: ticket::request_id(), ..prepared.statement };
        Ok(Response::new(self.flight(statement, request).await?))
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<FlightTicket>,
    ) -> Result<Response<DoGetStream>, Status> {
        self.rows(Use::Ticket, &ticket.statement_handle, &request).await
    }

    async fn do_get_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightTicket>,
    ) -> Result<Response<DoGetStream>, Status> {
        self.rows(Use::Prepared, &query.prepared_statement_handle, &request).await
    }

    /// Whatever is no Flight SQL ticket may be a coordinator's envelope. One that is not good is on record.
    async fn do_get_fallback(
        &self,
        request: Request<FlightTicket>,
        message: Any,
    ) -> Result<Response<DoGetStream>, Status> {
        let call = self.call(&request, None).await?;
        let verified =
            ticket::envelope(&message).and_then(|envelope| match request.extensions().get::<PeerInfo>() {
                Some(peer) => envelope.verify(&peer.certificates),
                None => Err(Error::unauthenticated("this connection has no certificates", "connect by TLS")),
            });
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => return Err(self.backend.turn_away(&call.session, error).await.into()),
        };
        let asked = &verified.envelope().request;
        let (id, marks) = (asked.id.clone(), asked.marks);
        let answer = self.backend.ask(&call.session, verified);
        send(self.unless_cancelled(&call, &id, answer).await?, marks, &request)
    }

    /// Prepares a statement. One without placeholders is described, so that clients see its columns.
    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let call = self.call(&request, None).await?;
        let (sql, needs) = text::numbered(&query.query);
        if needs > PARAMETERS_MAX {
            return Err(Error::invalid(
                "the statement has more places for values than can be bound",
                format!("use at most {PARAMETERS_MAX}, numbered from `$1` on"),
            )
            .into());
        }
        let statement = Statement { id: ticket::request_id(), sql, parameters: Vec::new() };
        let (columns, pinned): (Option<SchemaRef>, _) = if text::set_option(&statement.sql)?.is_some() {
            (Some(catalogue::option_schema()), None)
        } else if needs == 0 {
            let described = self.backend.describe(&call.session, &statement).await?;
            (Some(wire::schema(&described.schema, call.options.wants_marks())), described.pinned)
        } else {
            (None, None)
        };
        let values: Vec<Field> =
            (1..=needs).map(|n| Field::new(format!("${n}"), DataType::Null, true)).collect();
        let prepared = Ticket { statement, pinned, options: call.options };
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: self.seals.seal(Use::Prepared, &call.holder, &prepared)?,
            dataset_schema: columns.map(|c| schema_bytes(&c)).transpose()?.unwrap_or_default(),
            parameter_schema: schema_bytes(&Schema::new(values))?,
        })
    }

    /// Handles hold everything, so there is nothing to close.
    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        self.call(&request, None).await?;
        Ok(())
    }

    /// Binds values: the answer is a new handle that holds them.
    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let (call, mut prepared) =
            self.open(Use::Prepared, &query.prepared_statement_handle, &request).await?;
        let (mut messages, mut bytes, mut stream) = (Vec::new(), 0, request.into_inner());
        while let Some(message) = stream.next().await.transpose()? {
            bytes += message.data_header.len() + message.data_body.len();
            if bytes > BOUND_BYTES_MAX {
                return Err(Error::invalid("the bound values are too large", "bind less than 1 MiB").into());
            }
            messages.push(message);
        }
        let quota = gate::Quota {
            bytes: 2 * BOUND_BYTES_MAX,
            rows: 1,
            columns: PARAMETERS_MAX,
            ..gate::Quota::default()
        };
        let batch = gate::decode(&wire::assemble(&messages), &quota, |_| Ok(())).map_err(|_| {
            Error::invalid(
                "the bound values cannot be read",
                "bind one row of booleans, numbers, texts or days, neither compressed nor as dictionary or view",
            )
        })?;
        prepared.statement.parameters = ticket::parameters(&batch)?;
        let handle = self.seals.seal(Use::Prepared, &call.holder, &prepared)?;
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) })
    }

    /// The only update there is sets an option.
    async fn do_put_statement_update(
        &self,
        command: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.call(&request, None).await?;
        let (name, value) = text::set_option(&command.query)?.ok_or_else(read_only)?;
        self.change(&request, |options| options.set(&name, &value))?;
        Ok(0)
    }

    /// As above, prepared beforehand.
    async fn do_put_prepared_statement_update(
        &self,
        command: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let (_, prepared) = self.open(Use::Prepared, &command.prepared_statement_handle, &request).await?;
        let (name, value) = text::set_option(&prepared.statement.sql)?.ok_or_else(read_only)?;
        self.change(&request, |options| options.set(&name, &value))?;
        Ok(0)
    }

    async fn do_action_begin_transaction(
        &self,
        _: ActionBeginTransactionRequest,
        _: Request<Action>,
    ) -> Result<ActionBeginTransactionResult, Status> {
        Err(Status::unimplemented("there are no transactions; every statement stands alone"))
    }

    async fn do_action_cancel_query(
        &self,
        query: ActionCancelQueryRequest,
        request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        let call = self.call(&request, None).await?;
        let cancelled = FlightInfo::decode(query.info).is_ok_and(|info| self.cancel(&call, &info));
        let result = if cancelled { CancelStatus::Cancelling } else { CancelStatus::NotCancellable };
        Ok(ActionCancelQueryResult { result: i32::from(result) })
    }

    /// Session options, CancelFlightInfo, and the backend's own actions.
    async fn do_action_fallback(
        &self,
        request: Request<Action>,
    ) -> Result<Response<<Self as FlightService>::DoActionStream>, Status> {
        let call = self.call(&request, None).await?;
        let Action { r#type: name, body } = request.get_ref();
        let malformed =
            |_| Error::invalid("the action's body is malformed", "send the message of Flight's definition");
        let catalog = self.backend.catalog();
        let answer: Bytes = match name.as_str() {
            "SetSessionOptions" => {
                let wanted = session::SetRequest::decode(body.as_ref()).map_err(malformed)?;
                let result = self.change(&request, |options| Ok(session::set(options, wanted, catalog)))?;
                result.encode_to_vec().into()
            }
            "GetSessionOptions" => session::get(&call.options, catalog).encode_to_vec().into(),
            "CloseSession" => {
                self.change(&request, |options| {
                    *options = SessionOptions::default();
                    Ok(())
                })?;
                session::CloseResult { status: session::CLOSED }.encode_to_vec().into()
            }
            "CancelFlightInfo" => {
                let wanted = CancelFlightInfoRequest::decode(body.as_ref()).map_err(malformed)?;
                let cancelled = wanted.info.is_some_and(|info| self.cancel(&call, &info));
                let status = if cancelled { CancelStatus::Cancelling } else { CancelStatus::NotCancellable };
                CancelFlightInfoResult { status: i32::from(status) }.encode_to_vec().into()
            }
            other => self.backend.action(&call.session, other, body.clone()).await?.ok_or_else(|| {
                Error::invalid(
                    format!("there is no action `{}`", clip(other)),
                    "ListActions names those that there are",
                )
            })?,
        };
        Ok(Response::new(futures::stream::iter([Ok(arrow_flight::Result { body: answer })]).boxed()))
    }

    async fn list_custom_actions(&self) -> Option<Vec<Result<ActionType, Status>>> {
        let standard = [
            ("SetSessionOptions", "Sets options of this connection."),
            ("GetSessionOptions", "Shows them."),
            ("CloseSession", "Forgets them."),
            ("CancelFlightInfo", "Cancels a running statement."),
        ];
        let all = standard.into_iter().chain(self.backend.actions());
        Some(
            all.map(|(name, says)| Ok(ActionType { r#type: name.to_owned(), description: says.to_owned() }))
                .collect(),
        )
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

fn text_alone() -> Error {
    Error::Refused {
        refusal: liquid_policy::Refusal::new(
            liquid_policy::Code::Statement,
            "liquid.text_alone",
            "plans are not taken, in no format; a question is SQL text, and each node plans it",
            "ask with the text of a SELECT",
        ),
    }
}

fn read_only() -> Error {
    Error::Refused {
        refusal: liquid_policy::Refusal::new(
            liquid_policy::Code::Statement,
            "liquid.read_only",
            "statements that change something are not taken, and none runs for several rows of values",
            "ask with SELECT and one row of values, or set an option with `SET liquid.<name> = '…'`",
        ),
    }
}

fn schema_bytes(schema: &Schema) -> Result<Bytes, Error> {
    let IpcMessage(bytes) =
        SchemaAsIpc::new(schema, &IpcWriteOptions::default()).try_into().map_err(|_| unencodable())?;
    Ok(bytes)
}
