//! Nothing is disclosed without a permit; a refusal is none.

use liquid_disclosure::{Cells, Withheld, disclose};
use liquid_policy::Refusal;

pub fn leak(cells: Withheld<Cells>) {
    let _ = disclose(cells, None);
}

pub fn leak_under_refusal(cells: Withheld<Cells>, refusal: &Refusal) {
    let _ = disclose(cells, refusal, None);
}
