//! The contract over real sockets and real processes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

#[path = "../../../../policies/disclosure/tests/it/compile.rs"]
mod compile;

mod backend;
mod bombs;
mod certificates;
mod child;
mod envelope;
mod gate;
mod hostile;
mod line;
mod outbound;
mod proxy;
mod renewal;
mod sql;
mod tickets;
mod tls;

/// No way to put anything but released tables on the wire compiles.
#[test]
fn what_is_withheld_cannot_be_sent() {
    let others = ["liquid_disclosure", "arrow", "bytes"];
    compile::Compiler::new(env!("CARGO_MANIFEST_DIR"), "liquid_node_api", &others).check();
}
