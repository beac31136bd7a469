//! No bytes but those that were sealed here, unchanged, open as a ticket.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use liquid_node_api::channel::Token;
use liquid_node_api::sql::seal::{Holder, Seals, Ticket, Use};
use liquid_node_api::sql::{SessionOptions, Statement, request_id};

static SEALED: LazyLock<(Seals, Holder, Vec<u8>)> = LazyLock::new(|| {
    let seals = Seals::new().expect("randomness");
    let holder = Holder::of(Some(&Token::new("somebody")), None);
    let statement = Statement { id: request_id(), sql: "SELECT 1".to_owned(), parameters: vec![] };
    let ticket = Ticket { statement, pinned: None, options: SessionOptions::default() };
    let handle = seals.seal(Use::Ticket, &holder, &ticket).expect("a seal").to_vec();
    (seals, holder, handle)
});

fuzz_target!(|bytes: &[u8]| {
    let (seals, holder, handle) = &*SEALED;
    assert!(seals.open(Use::Ticket, holder, bytes).is_err(), "bytes that were never sealed");
    assert!(seals.in_use(holder, bytes).is_none());
    // The same bytes laid over a good ticket: it opens only where nothing was changed.
    let changed: Vec<u8> = handle.iter().enumerate().map(|(at, byte)| byte ^ bytes.get(at).unwrap_or(&0)).collect();
    assert_eq!(seals.open(Use::Ticket, holder, &changed).is_ok(), changed == *handle);
    assert!(seals.open(Use::Prepared, holder, &changed).is_err());
});
