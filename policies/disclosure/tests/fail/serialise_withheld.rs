//! What is withheld cannot be written anywhere.

use liquid_disclosure::Withheld;

fn sent<T: serde::Serialize>(_: T) {}

pub fn leak(withheld: Withheld<u64>) {
    sent(withheld);
}
