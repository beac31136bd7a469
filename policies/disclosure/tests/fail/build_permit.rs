//! A permit is made by `decide`, and not changed afterwards.

use liquid_policy::{Obligations, Permit};

pub fn leak(permit: Permit, obligations: Obligations) -> Permit {
    Permit { obligations: Obligations { minimum: None, ..obligations }, ..permit }
}
