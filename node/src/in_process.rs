//! A way to a node in this very process: the same pipeline, no network.

use std::sync::Arc;

use async_trait::async_trait;
use liquid_node_api::Error;
use liquid_node_api::catalogue::Catalogue;
use liquid_node_api::channel::{NodeChannel, SiteAnswer, Token};
use liquid_node_api::request::SiteRequest;
use liquid_node_api::sql::SessionOptions;
use liquid_node_api::tls::{Identity, PeerCertificate};
use liquid_policy::id::SiteName;

use crate::check::broke_its_word;
use crate::node::Node;
use crate::serve::Session;

/// A node, as a coordinator with this identity reaches it.
pub struct InProcess {
    node: Arc<Node>,
    coordinator: Identity,
}

impl InProcess {
    /// A way to `node` for `coordinator`.
    pub fn new(node: Arc<Node>, coordinator: Identity) -> Self {
        Self { node, coordinator }
    }

    fn session(&self, token: &Token) -> Result<Session, Error> {
        let peer = PeerCertificate { identity: self.coordinator.clone() };
        self.node.authenticate(Some(token), Some(peer), SessionOptions::default())
    }
}

#[async_trait]
impl NodeChannel for InProcess {
    fn site(&self) -> &SiteName {
        &self.node.config().node.site
    }

    async fn catalogue(&self, token: &Token) -> Result<Catalogue, Error> {
        Ok(self.node.published(&self.session(token)?.caller)?)
    }

    async fn ask(&self, token: &Token, request: SiteRequest) -> Result<SiteAnswer, Error> {
        let answer = self.node.ask_site(&self.session(token)?, request).await?;
        let report = serde_json::from_str(&answer.metadata).map_err(|e| broke_its_word(&e.to_string()))?;
        Ok(SiteAnswer { ipc: answer.rows.ipc(), report })
    }
}
