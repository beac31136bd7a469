//! The ways in which one key can change: for each kind of key, an order in which *tighter* never lets anybody learn more.
//!
//! Every function compares an old with a new value and says nothing where they are the same. Each is transitive: a way from *a*
//! to *b* and from *b* to *c* that both tighten tighten from *a* to *c*. That is why two roundings, or two words without an
//! order, are `neither`.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::Direction;

/// Which way a key goes; none where it says what it said.
pub(super) type Step = Option<Direction>;

/// For readers alone.
pub(super) fn recorded<T: PartialEq>((old, new): (&T, &T)) -> Step {
    (old != new).then_some(Direction::Same)
}

/// Without an order: another word, a declared fact, whom the rules are about.
pub(super) fn neither<T: PartialEq>((old, new): (&T, &T)) -> Step {
    (old != new).then_some(Direction::Neither)
}

/// The lower the tighter.
pub(super) fn lower<T: PartialOrd>((old, new): (&T, &T)) -> Step {
    match new.partial_cmp(old) {
        Some(Ordering::Equal) => None,
        Some(Ordering::Less) => Some(Direction::Tightens),
        Some(Ordering::Greater) => Some(Direction::Loosens),
        None => Some(Direction::Neither),
    }
}

/// The higher the tighter.
pub(super) fn higher<T: PartialOrd>((old, new): (&T, &T)) -> Step {
    lower((new, old))
}

/// A limit that is off where it is omitted; the lower the tighter.
pub(super) fn limit<T: PartialOrd>(pair: (&Option<T>, &Option<T>)) -> Step {
    switched(pair, lower)
}

/// A floor that is off where it is omitted; the higher the tighter.
pub(super) fn floor<T: PartialOrd>(pair: (&Option<T>, &Option<T>)) -> Step {
    switched(pair, higher)
}

/// A protection that is off where it is omitted, with an order of its own where it is on in both.
pub(super) fn switched<T>((old, new): (&Option<T>, &Option<T>), on: impl FnOnce((&T, &T)) -> Step) -> Step {
    match (old, new) {
        (None, None) => None,
        (None, Some(_)) => Some(Direction::Tightens),
        (Some(_), None) => Some(Direction::Loosens),
        (Some(old), Some(new)) => on((old, new)),
    }
}

/// A grant that is not given where it is omitted.
pub(super) fn granted<T>((old, new): (&Option<T>, &Option<T>), given: impl FnOnce((&T, &T)) -> Step) -> Step {
    match (old, new) {
        (None, None) => None,
        (None, Some(_)) => Some(Direction::Loosens),
        (Some(_), None) => Some(Direction::Tightens),
        (Some(old), Some(new)) => given((old, new)),
    }
}

/// Something that is on or off by itself, where only going from `tight` to anything else loosens: of two values, the named one is
/// the tighter.
pub(super) fn tighter_is<T: PartialEq>(tight: &T, (old, new): (&T, &T)) -> Step {
    match (old == tight, new == tight) {
        _ if old == new => None,
        (false, true) => Some(Direction::Tightens),
        (true, false) => Some(Direction::Loosens),
        _ => Some(Direction::Neither),
    }
}

/// Leave to do something.
pub(super) fn leave(pair: (&bool, &bool)) -> Step {
    tighter_is(&false, pair)
}

/// Grants: fewer of them are tighter.
pub(super) fn fewer<T: Ord>(old: &BTreeSet<T>, new: &BTreeSet<T>) -> Step {
    match (new.is_subset(old), old.is_subset(new)) {
        (true, true) => None,
        (true, false) => Some(Direction::Tightens),
        (false, true) => Some(Direction::Loosens),
        (false, false) => Some(Direction::Neither),
    }
}

/// Several parts of one clause.
pub(super) fn all(steps: impl IntoIterator<Item = Step>) -> Step {
    steps.into_iter().flatten().reduce(Direction::and)
}
