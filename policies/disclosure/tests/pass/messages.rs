//! What an engine needs crosses the channel to it.

use liquid_disclosure::Layout;
use liquid_policy::Obligations;

fn sent<T: serde::Serialize>(_: T) {}

fn received<T: for<'de> serde::Deserialize<'de>>() {}

pub fn messages(layout: Layout, obligations: Obligations) {
    sent(layout.clone());
    sent(obligations);
    received::<Obligations>();
}
