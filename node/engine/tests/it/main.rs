//! The engine as a front meets it: files on disk, questions over [`liquid_node_api::worker::Worker`], answers as Arrow IPC.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    reason = "tests stop at the first surprise"
)]

mod bounds;
mod broken;
mod filters;
mod grains;
mod joins;
mod offline;
mod opening;
mod oracle;
mod pinning;
mod plans;
mod site;
mod steps;
mod working;
