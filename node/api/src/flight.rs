//! The networked [`NodeChannel`]: a site's Flight port, its answers put together without being read.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, FlightData};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use liquid_policy::id::SiteName;
use serde::de::DeserializeOwned;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::catalogue::Catalogue;
use crate::channel::{NodeChannel, SiteAnswer, Token};
use crate::envelope::Issuer;
use crate::error::Error;
use crate::governance::{GOVERNANCE_ACTION, Governance, Heard, SiteGovernance};
use crate::request::SiteRequest;
use crate::sql::{CATALOGUE_ACTION, MESSAGE_BYTES_MAX, site_ticket};
use crate::tls::Link;
use crate::wire::assemble;
use crate::wire::gate::BATCHES_MAX;

/// A site behind a [`Link`]: one of us has dialled the other.
#[derive(Clone)]
pub struct FlightChannel {
    site: SiteName,
    link: Link,
    answer_bytes_max: usize,
    issuer: Arc<Issuer>,
}

/// A site that does not publish its catalogue within this time counts as missing; the caller may give up sooner.
const CATALOGUE_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest catalogue that is read. It is kept for a while, for each caller.
const CATALOGUE_BYTES_MAX: usize = 4 << 20;

/// gRPC cannot write down arbitrarily long timeouts.
const DEADLINE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a network may add to a site's own deadline.
const NETWORK_ALLOWANCE: Duration = Duration::from_secs(2);

/// More than the connections that end while a node is restarted.
const TRIES_MAX: u32 = 16;

impl FlightChannel {
    /// A way to `site`; answers may have up to `answer_bytes_max` bytes, and `issuer` signs what is asked.
    pub fn new(site: SiteName, link: impl Into<Link>, answer_bytes_max: usize, issuer: Arc<Issuer>) -> Self {
        Self { site, link: link.into(), answer_bytes_max, issuer }
    }

    /// Calls the site, on another of its connections where the one that was chosen has just ended. A site that takes up no
    /// request at all is not asked for ever.
    async fn call<T, F>(&self, call: impl Fn(FlightServiceClient<Channel>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let channel = self.link.channel().await.ok_or_else(|| self.missing("has not connected"))?;
            let client = FlightServiceClient::new(channel)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX);
            match call(client).await {
                Err(status) if tries < TRIES_MAX && self.link.is_unseen(&status) => {}
                called => return called.map_err(|status| self.error(&status)),
            }
        }
    }

    fn bearer(token: &Token) -> Result<MetadataValue<Ascii>, Error> {
        format!("Bearer {}", token.secret()).parse().map_err(|_| {
            Error::unauthenticated("the token is not plain text", "log in again for a new token")
        })
    }

    /// The site's own error, typed; or that there is no answer of it.
    fn error(&self, status: &Status) -> Error {
        if let Some(error) = Error::from_status(status) {
            return error;
        }
        let mut cause: &dyn StdError = status;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        tracing::warn!(site = %self.site, code = ?status.code(), %cause, "site gave no answer");
        let late = matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled);
        self.missing(if late { "did not answer in time" } else { "cannot be reached" })
    }

    fn missing(&self, what: &str) -> Error {
        Error::SiteMissing {
            sites: vec![self.site.to_string()],
            message: format!("site `{}` {what}", self.site),
            fix: "ask again later".to_owned(),
        }
    }

    /// Collects an answer; bytes over the quota are never kept.
    async fn collect(
        &self,
        mut stream: impl Stream<Item = Result<FlightData, Status>> + Unpin,
    ) -> Result<SiteAnswer, Error> {
        let (mut messages, mut bytes) = (Vec::new(), 0_usize);
        while let Some(message) = stream.next().await {
            let message = message.map_err(|status| self.error(&status))?;
            bytes += message.data_header.len() + message.data_body.len() + message.app_metadata.len() + 64;
            if bytes > self.answer_bytes_max || messages.len() > BATCHES_MAX {
                tracing::warn!(site = %self.site, "answer larger than its quota");
                return Err(self.missing("sent more than was asked for"));
            }
            messages.push(message);
        }
        let report = messages.last().and_then(|last| serde_json::from_slice(&last.app_metadata).ok());
        match report {
            Some(report) => Ok(SiteAnswer { ipc: assemble(&messages), report }),
            None => {
                tracing::warn!(site = %self.site, "answer without a report");
                Err(self.missing("sent an answer that is not understood"))
            }
        }
    }
}

impl FlightChannel {
    /// Asks for an action and reads its JSON; within [`CATALOGUE_TIMEOUT`], and not without end.
    async fn action<T: DeserializeOwned>(&self, token: &Token, name: &str, body: Bytes) -> Result<T, Error> {
        let action = Action { r#type: name.to_owned(), body };
        let bearer = Self::bearer(token)?;
        let answer = self.call(|mut client| {
            let request = request(action.clone(), &bearer, CATALOGUE_TIMEOUT);
            async move { client.do_action(request).await?.into_inner().message().await }
        });
        let answer = tokio::time::timeout(CATALOGUE_TIMEOUT, answer).await;
        let body = answer
            .map_err(|_| self.missing("did not answer in time"))??
            .map(|result| result.body)
            .unwrap_or_default();
        if body.len() > CATALOGUE_BYTES_MAX {
            return Err(self.missing("publishes more than is read here"));
        }
        serde_json::from_slice(&body).map_err(|error| {
            tracing::warn!(site = %self.site, %error, name, "answer to an action not understood");
            self.missing("sent an answer that is not understood")
        })
    }
}

fn request<T>(body: T, bearer: &MetadataValue<Ascii>, timeout: Duration) -> Request<T> {
    let mut request = Request::new(body);
    request.metadata_mut().insert("authorization", bearer.clone());
    request.set_timeout(timeout);
    request
}

#[async_trait]
impl NodeChannel for FlightChannel {
    fn site(&self) -> &SiteName {
        &self.site
    }

    async fn catalogue(&self, token: &Token) -> Result<Catalogue, Error> {
        self.action(token, CATALOGUE_ACTION, Bytes::new()).await
    }

    async fn governance(&self, token: &Token, message: &Governance) -> Result<SiteGovernance, Error> {
        let body = serde_json::to_vec(message).map_err(|_| self.missing("cannot be asked that"))?;
        let heard: Vec<Heard> = self.action(token, GOVERNANCE_ACTION, body.into()).await?;
        let answer = heard.into_iter().find(|heard| heard.site == self.site).map(|heard| heard.answer);
        match answer {
            Some(Ok(answer)) if answer.site == self.site => Ok(answer),
            _ => Err(self.missing("answers for another site")),
        }
    }

    async fn ask(&self, token: &Token, request: SiteRequest) -> Result<SiteAnswer, Error> {
        let timeout = request.deadline().min(DEADLINE_MAX) + NETWORK_ALLOWANCE;
        let envelope = self.issuer.seal(token, &self.site, request)?;
        let (ticket, bearer) = (site_ticket(&envelope), Self::bearer(token)?);
        let answer = async {
            let stream = self.call(|mut client| {
                let request = self::request(ticket.clone(), &bearer, timeout);
                async move { client.do_get(request).await }
            });
            self.collect(stream.await?.into_inner()).await
        };
        tokio::time::timeout(timeout, answer).await.map_err(|_| self.missing("did not answer in time"))?
    }
}
