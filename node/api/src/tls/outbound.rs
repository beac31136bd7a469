//! Outbound mode: a site opens no port. Its node dials the coordinator's usual port, and is asked on that connection.
//!
//! ```text
//! node ── TCP, TLS 1.3 with certificates of both sides, protocol `liquid-outbound/1` ──▶ coordinator
//! node ◀── the first bytes of HTTP/2: from here on the coordinator is the client ─────── it expects this site
//! node ◀── a line of text, and the end ───────────────────────────────────────────────── it does not
//! ```
//!
//! 1. [`keep`]: the node keeps a few such connections to each coordinator, and serves on them as on those of its port.
//! 2. [`Expected`]: the coordinator takes them out of what its port accepts, each for the site that its certificate names.
//! 3. [`Callers`]: one site's connections, the newest of which is asked on.

mod expect;
mod keep;
mod protocol;

pub(super) use expect::Spent;
pub use expect::{Callers, Expected};
pub use keep::{Dialled, Outbound, keep};
