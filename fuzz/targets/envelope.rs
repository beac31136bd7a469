//! Any bytes are an envelope in its one spelling, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liquid_node_api::envelope::SignedEnvelope;

fuzz_target!(|bytes: &[u8]| {
    let Ok(envelope) = SignedEnvelope::read(bytes) else { return };
    assert_eq!(envelope.to_bytes(), bytes, "an envelope has one spelling");
    let _ = envelope.unverified().request.deadline();
});
