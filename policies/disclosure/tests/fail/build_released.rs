//! Released values are made by `disclose` and `finish`, and by nothing else.

use liquid_disclosure::Released;

pub fn leak(secret: u64) -> Released<u64> {
    Released(secret)
}
