//! Presets: settings that belong together, to start an agreement from and to measure one by.
//!
//! A preset is data: what it sets, and which way is stricter. [`Preset::agreement`] writes the settings that this version
//! enforces; the others it names in comments, since a site refuses an agreement that writes them. So a setting moves from
//! the comments to the keys on the day on which [`mod@crate::key`] calls it enforced.

mod draft;

use std::cmp::Ordering;

use serde_json::Value;

use crate::file::File;
use crate::key::{Key, Support};

pub use draft::Start;
pub(crate) use draft::{NAME_TO_FILL_IN, TO_FILL_IN};

/// Settings that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// What it is called.
    pub name: &'static str,
    /// Whom it is for, in a sentence.
    pub about: &'static str,
    /// To whom results may be handed on.
    onward: &'static str,
    /// Days for which results are kept.
    results_days: u32,
    settings: &'static [Setting],
}

/// One key with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The key's path.
    pub key: &'static str,
    /// The value, as TOML writes it.
    pub value: &'static str,
    /// What it does, for a comment.
    pub says: &'static str,
    stricter: Stricter,
}

/// Which way a setting is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stricter {
    Higher,
    Lower,
    /// Any value is stricter than none.
    Written,
}

/// Statistics that anyone may read in the end.
pub const PUBLISHED: Preset = Preset {
    name: "published statistics",
    about: "Figures that may be published: the rules of an office for statistics.",
    onward: "public",
    results_days: 730,
    settings: &[
        setting("disclosure.minimum_contributors", "10", "people behind every figure", Stricter::Higher),
        setting(
            "disclosure.dominance",
            "{ n = 2, share = 0.9 }",
            "no two make up more of a sum",
            Stricter::Written,
        ),
        setting(
            "disclosure.p_ratio",
            "0.1",
            "no one can work out the largest closer than this",
            Stricter::Higher,
        ),
        setting(
            "disclosure.secondary",
            "\"optimal\"",
            "no cell comes back by subtraction",
            Stricter::Written,
        ),
        setting("disclosure.protection", "0.1", "how unclear a withheld sum stays", Stricter::Higher),
        setting("disclosure.round_base", "5", "counts are rounded to this", Stricter::Higher),
        setting("history.scope", "\"table\"", "earlier answers count", Stricter::Written),
        setting("history.snapshot", "\"month\"", "how often questions see new data", Stricter::Written),
        setting("history.minimum_difference", "10", "people by which two answers differ", Stricter::Higher),
        setting("release.rows_out_max", "10000", "lines of an answer", Stricter::Lower),
    ],
};

/// A few people who are known, trained and bound by contract.
pub const TRUSTED: Preset = Preset {
    name: "trusted analysts",
    about: "A few known and trained people, who keep results among the recipients.",
    onward: "recipients",
    results_days: 365,
    settings: &[
        setting("disclosure.minimum_contributors", "5", "people behind every figure", Stricter::Higher),
        setting("disclosure.secondary", "\"greedy\"", "no cell comes back by subtraction", Stricter::Written),
        setting("history.scope", "\"table\"", "earlier answers count", Stricter::Written),
        setting("history.snapshot", "\"day\"", "how often questions see new data", Stricter::Written),
        setting("history.minimum_difference", "5", "people by which two answers differ", Stricter::Higher),
        setting("release.rows_out_max", "100000", "lines of an answer", Stricter::Lower),
    ],
};

/// Models and statistics, reviewed before they are published.
pub const RESEARCH: Preset = Preset {
    name: "research",
    about: "Statistics and models for a study, looked through before they are published.",
    onward: "recipients",
    results_days: 1825,
    settings: &[
        setting("disclosure.minimum_contributors", "10", "people behind every figure", Stricter::Higher),
        setting(
            "disclosure.dominance",
            "{ n = 2, share = 0.9 }",
            "no two make up more of a sum",
            Stricter::Written,
        ),
        setting(
            "disclosure.secondary",
            "\"optimal\"",
            "no cell comes back by subtraction",
            Stricter::Written,
        ),
        setting("disclosure.degrees_of_freedom", "10", "records beyond a model's numbers", Stricter::Higher),
        setting(
            "disclosure.parameters_per_observation",
            "0.1",
            "numbers of a model a record",
            Stricter::Lower,
        ),
        setting(
            "disclosure.openings_per_observation",
            "1.0",
            "numbers of all models a record",
            Stricter::Lower,
        ),
        setting("history.scope", "\"table\"", "earlier answers count", Stricter::Written),
        setting("history.snapshot", "\"quarter\"", "how often questions see new data", Stricter::Written),
        setting("history.minimum_difference", "10", "people by which two answers differ", Stricter::Higher),
        setting("release.rows_out_max", "10000", "lines of an answer", Stricter::Lower),
    ],
};

const fn setting(key: &'static str, value: &'static str, says: &'static str, stricter: Stricter) -> Setting {
    Setting { key, value, says, stricter }
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [PUBLISHED, TRUSTED, RESEARCH];

    /// What it sets, in the order of the file.
    pub fn settings(&self) -> &'static [Setting] {
        self.settings
    }

    /// The settings that this version enforces.
    pub fn enforced(&self) -> impl Iterator<Item = &'static Setting> {
        self.settings.iter().filter(|setting| setting.is_enforced())
    }

    /// How an agreement compares with it: [`Ordering::Greater`] where it is stricter, none where it is stricter in one thing
    /// and weaker in another. Only what this version enforces counts.
    pub fn compare(&self, file: &File) -> Option<Ordering> {
        let orders: Vec<Ordering> = self.enforced().map(|setting| setting.compare(file)).collect();
        match (orders.contains(&Ordering::Less), orders.contains(&Ordering::Greater)) {
            (false, false) => Some(Ordering::Equal),
            (false, true) => Some(Ordering::Greater),
            (true, false) => Some(Ordering::Less),
            (true, true) => None,
        }
    }
}

impl Setting {
    /// Whether this version enforces the key with this value.
    pub fn is_enforced(&self) -> bool {
        match Key::of(self.key).map(|key| key.support) {
            Some(Support::Full) => true,
            Some(Support::Only(fixed)) => fixed.to_string() == self.value,
            Some(Support::None) | None => false,
        }
    }

    /// How an agreement's value compares with this one: [`Ordering::Greater`] where it is stricter.
    pub fn compare(&self, file: &File) -> Ordering {
        let written = self.written(file);
        match (self.stricter, number(&written), self.value.parse::<f64>().ok()) {
            (Stricter::Higher, Some(written), Some(own)) => written.total_cmp(&own),
            (Stricter::Lower, Some(written), Some(own)) => own.total_cmp(&written),
            _ if written.is_null() => Ordering::Less,
            _ => Ordering::Equal,
        }
    }

    /// What an agreement has under this key; null where it has nothing.
    pub fn written(&self, file: &File) -> Value {
        let json = serde_json::to_value(file).unwrap_or_default();
        json.pointer(&format!("/{}", self.key.replace('.', "/"))).cloned().unwrap_or_default()
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}
