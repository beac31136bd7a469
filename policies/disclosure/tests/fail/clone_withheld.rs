//! What is withheld is used up by `disclose`; there is no second copy.

use liquid_disclosure::{Cells, Withheld};

fn copied<T: Clone>(_: &T) {}

pub fn leak(withheld: &Withheld<u64>, cells: &Withheld<Cells>) {
    copied(withheld);
    copied(cells);
}
