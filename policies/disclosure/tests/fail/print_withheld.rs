//! What is withheld has no text. Its `Debug` shows the word alone.

use liquid_disclosure::Withheld;

pub fn leak(withheld: &Withheld<u64>) -> String {
    withheld.to_string()
}
