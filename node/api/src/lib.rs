//! The contract that a site offers, and the messages between a front process and its engine. No DataFusion here.
//!
//! A request meets the modules in this order:
//!
//! 1. [`request`]: one question to one site, with everything the site checks.
//! 2. [`channel`]: [`NodeChannel`], which hides who dialled whom and whether there is a network at all.
//! 3. [`tls`]: TLS 1.3 with certificates of both sides, the accept loop, the client's connector.
//! 4. [`catalogue`]: the tables that a site shows to one caller.
//! 5. [`engine`]: the messages to a node's engine, over [`worker::Worker`], the seam to a planning process.
//! 6. [`child`]: a worker in a child process of the same binary, killed when it is late.
//! 7. [`sql`]: Flight SQL for clients, once for node and coordinator, over a [`sql::Backend`].
//! 8. [`wire`]: released tables become Arrow Flight messages; nothing else can.
//! 9. [`flight`]: the networked [`NodeChannel`].
//! 10. [`report`]: what travels beside an answer: completeness and clauses.
//! 11. [`error`]: refusal, fault and bad input, in [`status`] typed over gRPC.

pub mod catalogue;
pub mod channel;
pub mod child;
pub mod engine;
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
