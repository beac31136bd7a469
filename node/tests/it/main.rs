//! A whole node over a scripted engine: who is admitted, what leaves, what is recorded, whatever breaks.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

#[path = "../../api/tests/it/certificates.rs"]
mod certificates;

#[path = "../../api/tests/it/line.rs"]
mod line;

mod admission;
mod breakage;
mod engine;
mod envelopes;
mod gaps;
mod life;
mod outbound;
mod port;
mod preview;
mod release;
mod site;
mod templates;
mod times;
mod values;
