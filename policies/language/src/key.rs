//! Every key of an agreement with its class, and how far this version of the node enforces it.
//!
//! The classes are shown to readers beside each clause. A key that a node would have to enforce and cannot yet refuses the
//! whole agreement, so that nobody signs a rule that nothing keeps. The JSON Schema carries this list, and a test holds the
//! two together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// Who keeps what a key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The node enforces it.
    Enforced,
    /// The recipient promises it.
    Promised,
    /// It is written for the record.
    Recorded,
}

impl Class {
    /// The letter that stands for it.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Enforced => "E",
            Self::Promised => "P",
            Self::Recorded => "R",
        }
    }
}

/// How far this version does what a key of class [`Class::Enforced`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Support {
    /// Wholly; keys of the other classes are always so.
    Full,
    /// As long as it says this; another value refuses the agreement.
    Only(Fixed),
    /// Not yet: written, it refuses the agreement.
    None,
}

/// The one value that a key may have for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fixed {
    /// A word in quotes.
    Word(&'static str),
    /// True or false.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A list without anything in it.
    EmptyList,
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "\"{word}\""),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::EmptyList => f.write_str("[]"),
        }
    }
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Where it stands; `*` for a name that the agreement chooses. What lies below it has the same class.
    pub path: &'static str,
    /// Who keeps it.
    pub class: Class,
    /// How far.
    pub support: Support,
}

impl Key {
    /// The key that rules for a path such as `table.*.columns.*.use`: itself, or the nearest one above it.
    pub fn of(path: &str) -> Option<&'static Self> {
        let (mut at, mut key) = (Step::first(), None);
        for name in path.split('.') {
            let Some(next) = at.below.get(name) else { break };
            at = next;
            key = at.key.or(key);
        }
        key
    }
}

/// The list as a tree, by which a whole file is walked without a text for each of its paths.
#[derive(Default)]
pub(crate) struct Step {
    /// The key that ends here.
    pub(crate) key: Option<&'static Key>,
    below: BTreeMap<&'static str, Self>,
}

impl Step {
    /// Above all keys.
    pub(crate) fn first() -> &'static Self {
        static FIRST: LazyLock<Step> = LazyLock::new(|| {
            let mut first = Step::default();
            for key in KEYS {
                key.path.split('.').fold(&mut first, |at, name| at.below.entry(name).or_default()).key =
                    Some(key);
            }
            first
        });
        &FIRST
    }

    /// One step down, by a name as a file writes it: a key of the language, or one that the agreement chooses.
    pub(crate) fn below(&self, name: &str) -> Option<&Self> {
        self.below.get(name).or_else(|| self.below.get("*"))
    }
}

const fn key(path: &'static str, class: Class, support: Support) -> Key {
    Key { path, class, support }
}

const fn enforced(path: &'static str) -> Key {
    key(path, Class::Enforced, Support::Full)
}

const fn only(path: &'static str, value: Fixed) -> Key {
    key(path, Class::Enforced, Support::Only(value))
}

const fn later(path: &'static str) -> Key {
    key(path, Class::Enforced, Support::None)
}

const fn promised(path: &'static str) -> Key {
    key(path, Class::Promised, Support::Full)
}

const fn recorded(path: &'static str) -> Key {
    key(path, Class::Recorded, Support::Full)
}

/// All keys, in the order of the file.
pub const KEYS: &[Key] = &[
    enforced("schema"),
    enforced("agreement.id"),
    recorded("agreement.title"),
    recorded("agreement.version"),
    enforced("agreement.supersedes"),
    enforced("agreement.marking"),
    enforced("agreement.purposes"),
    recorded("agreement.purpose_text"),
    recorded("agreement.benefits"),
    recorded("agreement.legal_basis"),
    recorded("agreement.dpia"),
    recorded("agreement.privacy_notice"),
    recorded("agreement.rights_procedure"),
    recorded("agreement.breach_contact"),
    recorded("agreement.security_controls"),
    recorded("agreement.termination"),
    recorded("agreement.lead"),
    recorded("agreement.contact"),
    enforced("agreement.in_force"),
    enforced("agreement.expires"),
    enforced("agreement.review"),
    promised("agreement.retention.results_days"),
    enforced("agreement.retention.logs_days"),
    promised("agreement.onward"),
    enforced("party.organisation"),
    enforced("party.role"),
    recorded("party.point_of_contact"),
    recorded("party.deputies"),
    enforced("party.approvers"),
    enforced("signoff.rule"),
    enforced("signoff.roles_per_party"),
    enforced("signoff.author_may_sign"),
    enforced("recipient.organisation"),
    enforced("recipient.roles"),
    enforced("recipient.purposes"),
    promised("recipient.residency"),
    enforced("table.*.entity"),
    enforced("table.*.replicated"),
    enforced("table.*.rows_per_entity_max"),
    enforced("table.*.keys_within"),
    enforced("table.*.entity_counts"),
    later("table.*.impossible"),
    enforced("table.*.entities"),
    enforced("table.*.row_filter"),
    enforced("table.*.filter_from"),
    enforced("table.*.columns.*.use"),
    enforced("table.*.columns.*.domain.values"),
    enforced("table.*.columns.*.domain.from"),
    enforced("table.*.columns.*.domain.to"),
    enforced("table.*.columns.*.domain.file"),
    enforced("table.*.columns.*.domain.sha256"),
    enforced("table.*.columns.*.grain"),
    enforced("table.*.columns.*.aggregates"),
    enforced("table.*.columns.*.bounds"),
    enforced("table.*.columns.*.required"),
    enforced("table.*.columns.*.missing"),
    later("table.*.columns.*.quantiles"),
    later("table.*.columns.*.transform"),
    enforced("table.*.join.keys"),
    enforced("table.*.join.references"),
    enforced("table.*.join.unique"),
    only("table.*.join.anti_join", Fixed::Flag(false)),
    later("table.*.join.meeting"),
    later("table.*.join.send"),
    enforced("disclosure.minimum_contributors"),
    only("disclosure.scope", Fixed::Word("site")),
    later("disclosure.combiner"),
    enforced("disclosure.dominance"),
    enforced("disclosure.p_ratio"),
    only("disclosure.zeros", Fixed::Word("suppress")),
    only("disclosure.left_out", Fixed::Word("always")),
    later("disclosure.secondary"),
    later("disclosure.protection"),
    later("disclosure.round_base"),
    only("disclosure.perturb", Fixed::Word("none")),
    later("disclosure.degrees_of_freedom"),
    later("disclosure.parameters_per_observation"),
    later("disclosure.openings_per_observation"),
    enforced("history.scope"),
    later("history.snapshot"),
    later("history.opt_out_days"),
    later("history.window_days"),
    enforced("history.minimum_difference"),
    later("history.search"),
    enforced("history.max_rank"),
    enforced("history.max_atoms"),
    later("history.max_share"),
    later("privacy"),
    later("models"),
    enforced("template.name"),
    enforced("template.sha256"),
    enforced("template.roles"),
    only("template.reserve", Fixed::Flag(false)),
    only("release.rows", Fixed::Flag(false)),
    enforced("release.templates_only"),
    enforced("release.rows_out_max"),
    enforced("release.time_class_ms"),
];
