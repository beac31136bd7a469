//! The way into what is withheld is closed to other crates.

use liquid_disclosure::{Cells, Withheld};

pub fn leak(withheld: Withheld<Cells>) -> Cells {
    withheld.unwrap_for_disclosure()
}
