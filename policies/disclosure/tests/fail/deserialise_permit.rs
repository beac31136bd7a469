//! A permit cannot come over the wire: each site decides for itself.

use liquid_policy::Permit;

fn received<T: for<'de> serde::Deserialize<'de>>() {}

pub fn leak() {
    received::<Permit>();
}
