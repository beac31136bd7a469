//! A way to a node in this very process: the same envelopes, the same pipeline, no network.

use std::sync::Arc;

use async_trait::async_trait;
use liquid_node_api::Error;
use liquid_node_api::catalogue::Catalogue;
use liquid_node_api::channel::{NodeChannel, SiteAnswer, Token};
use liquid_node_api::envelope::{AnswerCaps, Issuer};
use liquid_node_api::governance::{Governance, SiteGovernance};
use liquid_node_api::request::SiteRequest;
use liquid_node_api::sql::SessionOptions;
use liquid_node_api::tls::{self, Certificates, PeerCertificate};
use liquid_policy::id::SiteName;

use crate::check::broke_its_word;
use crate::envelope::ask;
use crate::governance::hear;
use crate::node::Node;
use crate::serve::Session;

/// A node, as a coordinator with this certificate reaches it.
pub struct InProcess {
    node: Arc<Node>,
    certificates: Certificates,
    issuer: Arc<Issuer>,
}

/// Whoever is in the same process can take what there is.
const CAPS: AnswerCaps = AnswerCaps { rows: 1 << 40, bytes: 1 << 40 };

impl InProcess {
    /// A way to `node` for the coordinator whose certificate this is; the node trusts the same authority.
    ///
    /// # Errors
    /// Where the certificate speaks for nobody.
    pub fn new(node: Arc<Node>, certificates: Certificates) -> Result<Self, tls::Error> {
        let issuer = Issuer::new(certificates.clone(), Arc::clone(&node.now), CAPS)?;
        Ok(Self { node, certificates, issuer })
    }

    fn session(&self, token: &Token) -> Result<Session, Error> {
        let peer = PeerCertificate { identity: self.issuer.identity().clone() };
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

    async fn governance(&self, token: &Token, message: &Governance) -> Result<SiteGovernance, Error> {
        hear(&self.node, &self.session(token)?, message.clone()).await
    }

    async fn ask(&self, token: &Token, request: SiteRequest) -> Result<SiteAnswer, Error> {
        let envelope = self.issuer.seal(token, self.site(), request)?.verify(&self.certificates)?;
        let answer = ask(&self.node, &self.session(token)?, envelope).await?;
        let report = serde_json::from_str(&answer.metadata).map_err(|e| broke_its_word(&e.to_string()))?;
        Ok(SiteAnswer { ipc: answer.rows.ipc(), report })
    }
}
