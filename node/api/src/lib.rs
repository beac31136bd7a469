//! The contract that a site offers, and the messages between a front process and its engine. No DataFusion here.
//!
//! A request meets the modules in this order:
//!
//! 1. [`config`]: reading a part's configuration file.
//! 2. [`request`]: one question to one site, with everything the site checks; [`parameter`] for its bound values;
//!    [`envelope`] for the coordinator's signature.
//! 3. [`channel`]: [`NodeChannel`], which hides who dialled whom and whether there is a network at all.
//! 4. [`tls`]: TLS 1.3 with certificates of both sides, the accept loop, the client's connector.
//! 5. [`token`]: callers' tokens, validated by whoever is asked.
//! 6. [`catalogue`]: the tables that a site shows to one caller.
//! 7. [`engine`]: the messages to a node's engine, over [`worker::Worker`], the seam to a planning process.
//! 8. [`child`]: a worker in a child process of the same binary, killed when it is late.
//! 9. [`sql`]: Flight SQL for clients, once for node and coordinator, over a [`sql::Backend`].
//! 10. [`wire`]: released tables become Arrow Flight messages, nothing else can; and the gate for what other processes send.
//! 11. [`flight`]: the networked [`NodeChannel`].
//! 12. [`report`]: what travels beside an answer: completeness and clauses.
//! 13. [`error`]: refusal, fault and bad input, in [`status`] typed over gRPC.

pub mod catalogue;
pub mod channel;
pub mod child;
pub mod config;
pub mod engine;
pub mod envelope;
pub mod error;
pub mod flight;
pub mod parameter;
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
