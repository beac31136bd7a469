//! The audit log: append-only, hash-chained, signed, on disk before anything is released.
//!
//! One line a record, in JSON. A line counts as it was written: what an earlier version wrote still verifies. Each names
//! the hash of the line before it, so a record that is changed, removed, doubled or moved breaks the chain where it
//! stands; each is signed with the site's key, so a chain cannot be made anew by somebody else.
//!
//! What the chain cannot show, that records are missing at its end, shows in the *head*: number and hash of the last
//! record, signed, in a file beside the log. Whoever can put back an old copy of both shows an old log; note the head
//! elsewhere to notice that.
//!
//! Every request has one `asked` record and one `closed` record, whatever happens in between: an [`Open`] request that
//! is dropped closes as `failed`, and one that a crash cut off closes as `crashed` when the log is opened again.
//!
//! - [`record`]: what a line says, and how it is chained and signed; [`previewed`]: what it says of previews.
//! - [`seal`]: what a permitted question was, whole, for the site's key alone.
//! - [`store`]: the file underneath, as a seam for injected faults.
//! - [`log`]: appending, durably, and recovery after a crash.
//! - [`verify`]: an independent reading that finds the first bad record.

pub mod log;
pub mod previewed;
pub mod record;
pub mod seal;
pub mod store;
pub mod verify;

pub use log::{Log, LogError, Open, Unread};
pub use previewed::{Previewed, Told};
pub use record::{Asked, Body, Carried, Key, Outcome, Record, Said, Touched};
pub use seal::{Facts, Salt32, SaltName, Sealed};
pub use store::{FileStore, Store};
pub use verify::{Bad, Summary, is_public_key, verify_file};

#[cfg(test)]
mod tests;
