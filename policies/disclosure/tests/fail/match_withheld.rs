//! Nor does a pattern open it.

use liquid_disclosure::{Cells, Withheld};

pub fn leak(withheld: Withheld<Cells>) -> Cells {
    let Withheld(cells) = withheld;
    cells
}
