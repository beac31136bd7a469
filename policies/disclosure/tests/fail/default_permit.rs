//! There is no permit by default.

use liquid_policy::Permit;

pub fn leak() -> Permit {
    Permit::default()
}
