//! Flight SQL at a site: who asks is settled here, by token for the caller and by certificate for whoever carries it.

use std::future::Future;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use liquid_node_api::Error;
use liquid_node_api::channel::Token;
use liquid_node_api::envelope::{Verified, token_hash};
use liquid_node_api::governance::{GOVERNANCE_ACTION, Heard, read};
use liquid_node_api::preview::PREVIEW_ACTION;
use liquid_node_api::sql::{
    Answer, Backend, CATALOGUE_ACTION, Described, PublishedTable, SessionOptions, Statement,
    TEMPLATES_ACTION, request_id,
};
use liquid_node_api::tls::outbound::keep;
use liquid_node_api::tls::{self, Certificates, PeerCertificate};
use liquid_node_api::wire::Encoded;
use liquid_node_api::wire::gate::decode_schema;
use liquid_policy::admit::Caller;
use liquid_policy::id::AgreementHash;
use tokio::net::TcpListener;

use crate::check::broke_its_word;
use crate::config::{Config, Mode};
use crate::envelope::ask;
use crate::node::Node;
use crate::pipeline::{Question, answer, describe, turn_away};
use crate::preview::preview;

/// A caller who proved who they are, and the way by which the question came.
#[derive(Debug, Clone)]
pub struct Session {
    /// The caller, as the token says.
    pub caller: Caller,
    /// The certificate of whoever carried the question here.
    pub peer: Option<PeerCertificate>,
    /// What the caller set.
    pub options: SessionOptions,
    /// SHA-256 of the caller's token: an envelope is for this token alone.
    pub token_hash: String,
}

/// Where a node's connections come from: its port, coordinators that it has dialled, or both. What is asked on them, and
/// under which limits, is the same.
pub struct Doors(BoxStream<'static, io::Result<tls::Connection>>);

impl Doors {
    /// Opens them. Where the node dials, each coordinator has been tried once when this returns, or does not answer.
    ///
    /// # Errors
    /// Where the certificates cannot be used, which [`crate::Config::check_tls`] says beforehand.
    pub async fn open(config: &Config, listener: Option<TcpListener>) -> Result<Self, tls::Error> {
        let limits = tls::Limits {
            connections: config.limits.connections,
            per_address: config.limits.connections_per_address,
            ..tls::Limits::default()
        };
        let accepted = match listener {
            Some(listener) => tls::incoming(listener, &Certificates::open(&config.tls)?, limits)?.boxed(),
            None => stream::empty().boxed(),
        };
        let dialled = match config.connect.mode {
            Mode::Inbound => stream::empty().boxed(),
            Mode::Outbound => keep(config.outbound()?).await.boxed(),
        };
        Ok(Self(stream::select(accepted, dialled).boxed()))
    }
}

/// Serves a node until `shutdown` is ready.
///
/// # Errors
/// Where the server fails.
pub async fn serve(
    node: Arc<Node>,
    doors: Doors,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tls::Error> {
    tokio::select! {
        served = liquid_node_api::sql::serve(Arc::clone(&node), doors.0, shutdown) => served,
        never = crate::governance::watch(&node) => match never {},
    }
}

impl Node {
    /// Settles who asks.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`].
    pub fn authenticate(
        &self,
        token: Option<&Token>,
        peer: Option<PeerCertificate>,
        options: SessionOptions,
    ) -> Result<Session, Error> {
        let claims = self.issuers.validate(token, self.time().timestamp())?;
        let caller = Caller {
            organisation: claims.organisation,
            roles: claims.roles,
            subject: claims.subject,
            purposes: claims.purposes,
        };
        Ok(Session { caller, peer, options, token_hash: token.map(token_hash).unwrap_or_default() })
    }
}

fn question(session: &Session, statement: &Statement, pinned: Option<AgreementHash>) -> Question {
    let options = &session.options;
    Question {
        id: statement.id.clone(),
        sql: statement.sql.clone(),
        parameters: statement.parameters.clone(),
        cut_of: None,
        purpose: options.purpose.clone(),
        agreement: options.agreement.clone(),
        pinned,
        deadline: options.deadline(),
        marks: options.wants_marks(),
        caps: None,
        carried: None,
    }
}

#[async_trait]
impl Backend for Node {
    type Session = Session;
    type Rows = Encoded;

    fn server_name(&self) -> &str {
        &self.name
    }

    fn catalog(&self) -> &str {
        self.config.node.site.as_str()
    }

    async fn authenticate(
        &self,
        token: Option<Token>,
        peer: Option<PeerCertificate>,
        options: SessionOptions,
    ) -> Result<Session, Error> {
        Self::authenticate(self, token.as_ref(), peer, options)
    }

    async fn catalogue(&self, session: &Session) -> Result<Vec<PublishedTable>, Error> {
        let catalogue = Self::catalogue(self, &session.caller);
        let tables = catalogue.tables.iter().map(|table| PublishedTable::of_model("public", table, vec![]));
        let templates = catalogue.templates().map(|open| PublishedTable::of_template(&open));
        Ok(tables.chain(templates).collect())
    }

    async fn describe(&self, session: &Session, statement: &Statement) -> Result<Described, Error> {
        let (message, hash) = describe(self, session, question(session, statement, None)).await?;
        let schema =
            decode_schema(&message).map_err(|unacceptable| broke_its_word(&unacceptable.to_string()))?;
        Ok(Described { schema, pinned: Some(hash) })
    }

    async fn answer(
        &self,
        session: &Session,
        statement: Statement,
        pinned: Option<AgreementHash>,
    ) -> Result<Answer<Encoded>, Error> {
        answer(self, session, question(session, &statement, pinned)).await
    }

    async fn turn_away(&self, session: &Session, error: Error) -> Error {
        let request = request_id();
        turn_away(self, session, &Question::unread(&request), &request, None, Vec::new(), error).await
    }

    async fn ask(&self, session: &Session, envelope: Verified) -> Result<Answer<Encoded>, Error> {
        ask(self, session, envelope).await
    }

    async fn action(&self, session: &Session, name: &str, body: Bytes) -> Result<Option<Bytes>, Error> {
        let json = match name {
            CATALOGUE_ACTION => serde_json::to_vec(&self.published(&session.caller)?),
            TEMPLATES_ACTION => {
                let catalogue = Self::catalogue(self, &session.caller);
                serde_json::to_vec(&catalogue.templates().collect::<Vec<_>>())
            }
            GOVERNANCE_ACTION => {
                let answer = crate::governance::hear(self, session, read(&body)?).await?;
                serde_json::to_vec(&[Heard { site: answer.site.clone(), answer: Ok(answer) }])
            }
            PREVIEW_ACTION => {
                return preview(self, session, liquid_node_api::preview::read(&body)?)
                    .await
                    .map(|json| Some(json.into()));
            }
            _ => return Ok(None),
        };
        json.map(|json| Some(json.into())).map_err(|e| broke_its_word(&e.to_string()))
    }

    fn actions(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            (CATALOGUE_ACTION, "the tables and agreements that this caller may use, as JSON"),
            (TEMPLATES_ACTION, "the approved queries that this caller may call, as JSON"),
            (GOVERNANCE_ACTION, "how agreements stand, and what their parties say of them, as JSON"),
            (PREVIEW_ACTION, "a draft held against past questions, for the site's own people, as JSON"),
        ]
    }
}
