//! What is withheld cannot be looked at.

use liquid_disclosure::{Cells, Withheld};

pub fn leak(withheld: Withheld<Cells>) -> Cells {
    withheld.0
}
