//! TLS 1.3 with certificates of both sides: who is at the other end of a connection.
//!
//! 1. [`Files`] are loaded into [`Material`], with errors that name the file; [`Certificates`] are those in use, which are
//!    renewed when the files change.
//! 2. [`listen`] binds, [`incoming`] accepts: a cap on connections, a limit on handshakes. Each becomes a [`Connection`] with
//!    [`PeerInfo`] for its requests.
//! 3. [`connect`] makes a lazy client channel that presents its own certificate and insists on the peer's identity.
//!    Behind a [`Proxy`], it does so inside a tunnel.
//! 4. [`outbound`] turns the roles: a site's node dials, and serves on the connection that it opened. [`Link`] is a way to
//!    a site whoever dialled.
//!
//! Organisations are known by exactly one URI in their certificate, [`Identity`], never by their address.

mod certificates;
mod connect;
mod connection;
mod dial;
mod ending;
mod identity;
mod incoming;
mod link;
mod material;
pub mod outbound;
mod proxy;
mod seats;

pub use certificates::Certificates;
pub use connect::connect;
pub use connection::{Connection, PeerInfo};
pub use dial::Target;
pub(crate) use ending::Ending;
pub use identity::{Identity, PeerCertificate};
pub use incoming::{Limits, http2, incoming, listen};
pub use link::Link;
pub(crate) use material::provider;
pub use material::{Files, Material, install_provider};
pub use proxy::Proxy;

/// Why TLS or a listener could not be set up; for operators, and it names the cure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {fix}")]
pub struct Error {
    message: String,
    fix: String,
}

impl Error {
    /// Says what is wrong, and the way out.
    pub fn new(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { message: message.into(), fix: fix.into() }
    }
}
