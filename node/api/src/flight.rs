//! The networked [`NodeChannel`]: a site's Flight port, its answers put together without being read.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, FlightData};
use async_trait::async_trait;
use futures::{Stream, StreamExt};
use liquid_policy::id::SiteName;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::catalogue::Catalogue;
use crate::channel::{NodeChannel, SiteAnswer, Token};
use crate::envelope::Issuer;
use crate::error::Error;
use crate::request::SiteRequest;
use crate::sql::{CATALOGUE_ACTION, MESSAGE_BYTES_MAX, site_ticket};
use crate::wire::assemble;
use crate::wire::gate::BATCHES_MAX;

/// A site behind a [`Channel`], as [`crate::tls::connect`] makes it.
#[derive(Clone)]
pub struct FlightChannel {
    site: SiteName,
    channel: Channel,
    answer_bytes_max: usize,
    issuer: Arc<Issuer>,
}

/// A site that does not publish its catalogue within this time counts as missing; the caller may give up sooner.
const CATALOGUE_TIMEOUT: Duration = Duration::from_secs(10);

/// gRPC cannot write down arbitrarily long timeouts.
const DEADLINE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a network may add to a site's own deadline.
const NETWORK_ALLOWANCE: Duration = Duration::from_secs(2);

impl FlightChannel {
    /// A way to `site`; answers may have up to `answer_bytes_max` bytes, and `issuer` signs what is asked.
    pub fn new(site: SiteName, channel: Channel, answer_bytes_max: usize, issuer: Arc<Issuer>) -> Self {
        Self { site, channel, answer_bytes_max, issuer }
    }

    fn client(&self) -> FlightServiceClient<Channel> {
        FlightServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn request<T>(&self, body: T, token: &Token, timeout: Duration) -> Result<Request<T>, Error> {
        let mut request = Request::new(body);
        let bearer = format!("Bearer {}", token.secret()).parse().map_err(|_| {
            Error::unauthenticated("the token is not plain text", "log in again for a new token")
        })?;
        request.metadata_mut().insert("authorization", bearer);
        request.set_timeout(timeout);
        Ok(request)
    }

    /// The site's own error, typed; or that there is no answer of it.
    fn error(&self, status: &Status) -> Error {
        if let Some(error) = Error::from_status(status) {
            return error;
        }
        tracing::warn!(site = %self.site, code = ?status.code(), detail = status.message(), "site gave no answer");
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

#[async_trait]
impl NodeChannel for FlightChannel {
    fn site(&self) -> &SiteName {
        &self.site
    }

    async fn catalogue(&self, token: &Token) -> Result<Catalogue, Error> {
        let action = Action { r#type: CATALOGUE_ACTION.to_owned(), body: Default::default() };
        let request = self.request(action, token, CATALOGUE_TIMEOUT)?;
        let answer = async {
            let mut stream = self.client().do_action(request).await?.into_inner();
            stream.message().await
        };
        let answer = tokio::time::timeout(CATALOGUE_TIMEOUT, answer).await;
        let body = answer
            .map_err(|_| self.missing("did not answer in time"))?
            .map_err(|status| self.error(&status))?
            .map(|result| result.body)
            .unwrap_or_default();
        serde_json::from_slice(&body).map_err(|error| {
            tracing::warn!(site = %self.site, %error, "catalogue not understood");
            self.missing("sent a catalogue that is not understood")
        })
    }

    async fn ask(&self, token: &Token, request: SiteRequest) -> Result<SiteAnswer, Error> {
        let timeout = request.deadline().min(DEADLINE_MAX) + NETWORK_ALLOWANCE;
        let envelope = self.issuer.seal(token, &self.site, request)?;
        let request = self.request(site_ticket(&envelope), token, timeout)?;
        let answer = async {
            let stream =
                self.client().do_get(request).await.map_err(|status| self.error(&status))?.into_inner();
            self.collect(stream).await
        };
        tokio::time::timeout(timeout, answer).await.map_err(|_| self.missing("did not answer in time"))?
    }
}
