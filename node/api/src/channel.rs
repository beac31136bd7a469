//! [`NodeChannel`]: how a coordinator talks to one site, whoever dialled and whether or not there is a network.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use liquid_policy::id::SiteName;

use crate::catalogue::Catalogue;
use crate::error::Error;
use crate::governance::{Governance, SiteGovernance};
use crate::report::SiteReport;
use crate::request::SiteRequest;

/// A caller's bearer token, handed on as it came: each site validates it for itself.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes a token as it came.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token, for an `authorization` header alone.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// One site's answer, not decoded: it came from a peer, and is decoded in a process that may die of it.
#[derive(Debug, Clone)]
pub struct SiteAnswer {
    /// An Arrow IPC stream, put together from the peer's messages without reading them.
    pub ipc: Bytes,
    /// What the site says of it.
    pub report: SiteReport,
}

/// A way to one site.
///
/// # Errors
/// What the site answered, or [`Error::SiteMissing`] where nothing usable came back. Deadlines are the caller's.
#[async_trait]
pub trait NodeChannel: Send + Sync {
    /// The site at the other end.
    fn site(&self) -> &SiteName;

    /// What this caller may see there.
    async fn catalogue(&self, token: &Token) -> Result<Catalogue, Error>;

    /// Carries what somebody says of agreements, and brings back how things stand there.
    async fn governance(&self, token: &Token, message: &Governance) -> Result<SiteGovernance, Error>;

    /// Asks one question.
    async fn ask(&self, token: &Token, request: SiteRequest) -> Result<SiteAnswer, Error>;
}
