//! The contract that a site offers, and the messages between a front process and its engine. No DataFusion here.
//!
//! 1. [`config`]: reading a part's configuration file.
//!
//! A request meets the rest in this order:
//!
//! 2. [`request`]: one question to one site, with everything the site checks; [`parameter`] for its bound values;
//!    [`call`] for approved queries; [`envelope`] for the coordinator's signature.
//! 3. [`channel`]: [`NodeChannel`], which hides who dialled whom and whether there is a network at all; [`flight`] is the
//!    networked one.
//! 4. [`tls`]: TLS 1.3 with certificates of both sides, the accept loop, the client's connector.
//! 5. [`sql`]: Flight SQL for clients, once for node and coordinator, over a [`sql::Backend`].
//! 6. [`token`]: callers' tokens, validated by whoever is asked.
//! 7. [`catalogue`]: the tables that a site shows to one caller.
//! 8. [`governance`]: how the parties' people speak with nodes; [`preview`]: what their own node tells them of a draft.
//! 9. [`engine`]: the messages to a node's engine, over [`worker::Worker`], the seam to a planning process.
//! 10. [`child`]: a worker in a child process of the same binary, killed when it is late.
//! 11. [`wire`]: released tables become Arrow Flight messages, nothing else can; and the gate for what other processes send.
//! 12. [`report`]: what travels beside an answer: completeness and clauses.
//! 13. [`error`]: refusal, fault and bad input, in [`status`] typed over gRPC.

pub mod call;
pub mod catalogue;
pub mod channel;
pub mod child;
pub mod config;
pub mod engine;
pub mod envelope;
pub mod error;
pub mod flight;
pub mod governance;
pub mod parameter;
pub mod preview;
pub mod report;
pub mod request;
pub mod sql;
pub mod status;
pub mod tls;
pub mod token;
pub mod wire;
pub mod worker;

pub use channel::NodeChannel;
pub use error::Error;

/// The time of day, given from outside.
pub type Clock = std::sync::Arc<dyn Fn() -> chrono::DateTime<chrono::Utc> + Send + Sync>;
