//! A whole node over a scripted engine: who is admitted, what leaves, what is recorded, whatever breaks.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

#[path = "../../api/tests/it/certificates.rs"]
mod certificates;

mod admission;
mod breakage;
mod engine;
mod envelopes;
mod port;
mod release;
mod site;
