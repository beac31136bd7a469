//! Which envelopes were taken already. Each is taken once, for as long as it could be presented.
//!
//! The audit log remembers: the record of a question names issuer and nonce of its envelope, and is on disk before the
//! question is planned. So there is nothing else to write, nothing that can differ from the log, and a node that starts
//! reads from it what was taken before. In between, this window holds the same in memory.
//!
//! An envelope that was made before the window begins is not taken, whatever the clock says. While the node runs, that
//! beginning only moves on: setting the clock back opens nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use liquid_node_api::envelope::{Envelope, Nonce};
use liquid_node_api::tls::Identity;

use crate::audit::Carried;

/// Clocks of coordinator and site may differ by this much.
pub const SKEW_MS: i64 = 30_000;
/// Longest time for which an envelope may be good.
pub const LIFE_MS: i64 = 5 * 60_000;
/// An envelope that is older than this cannot be good any more.
pub const MEMORY_MS: i64 = LIFE_MS + 2 * SKEW_MS;
/// Envelopes that are remembered of one coordinator: more than a site can answer in [`MEMORY_MS`].
const REMEMBERED_MAX: usize = 100_000;
/// Envelopes of which it is remembered that they were turned away.
const TURNED_AWAY_MAX: usize = 10_000;
/// How often what is too old is forgotten.
const FORGOTTEN_EVERY_MS: i64 = 10_000;

/// The window of one node.
pub struct Window(Mutex<State>);

struct State {
    /// Made before this: not taken. It only grows.
    begins_ms: i64,
    /// With the time at which each was made.
    taken: HashMap<(Identity, Nonce), i64>,
    counts: BTreeMap<Identity, usize>,
    /// The latest time at which something was forgotten.
    forgot_ms: i64,
    /// Hashes of envelopes that were turned away, and that is on record.
    turned_away: HashSet<String>,
}

/// What is to be done with an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was not there before. From now on it was.
    Take,
    /// It was taken before.
    Replayed,
    /// It was made before the window begins, so nobody knows whether it was taken.
    TooOld,
    /// Its coordinator has sent more than is remembered.
    Full,
}

impl Window {
    /// A window over what the log says was taken.
    pub fn new(begins_ms: i64, past: impl IntoIterator<Item = Carried>) -> Self {
        let mut state = State {
            begins_ms,
            taken: HashMap::new(),
            counts: BTreeMap::new(),
            forgot_ms: i64::MIN,
            turned_away: HashSet::new(),
        };
        for Carried { issuer, nonce, issued_ms, hash: _ } in past {
            state.insert(issuer, nonce, issued_ms);
        }
        Self(Mutex::new(state))
    }

    /// Takes an envelope, or says why not. Two of the same at one time: one of them is taken.
    pub fn take(&self, envelope: &Envelope, now_ms: i64) -> Verdict {
        let mut state = self.lock();
        state.forget(now_ms);
        let Envelope { issuer, nonce, issued_ms, .. } = envelope;
        if *issued_ms < state.begins_ms {
            return Verdict::TooOld;
        }
        if state.taken.contains_key(&(issuer.clone(), *nonce)) {
            return Verdict::Replayed;
        }
        if state.counts.get(issuer).is_some_and(|count| *count >= REMEMBERED_MAX) {
            return Verdict::Full;
        }
        state.insert(issuer.clone(), *nonce, *issued_ms);
        Verdict::Take
    }

    /// Whether an envelope is turned away for the first time, so that whoever presents it a thousand times fills no disk.
    pub fn first_turned_away(&self, hash: &str) -> bool {
        let turned_away = &mut self.lock().turned_away;
        if turned_away.len() >= TURNED_AWAY_MAX {
            turned_away.clear();
        }
        turned_away.insert(hash.to_owned())
    }

    /// Every change is a whole one, so what is there is good even where a holder of the lock stopped.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, issuer: Identity, nonce: Nonce, issued_ms: i64) {
        if self.taken.insert((issuer.clone(), nonce), issued_ms).is_none() {
            *self.counts.entry(issuer).or_default() += 1;
        }
    }

    /// Forgets what is too old by the clock, and from then on takes nothing of that age.
    fn forget(&mut self, now_ms: i64) {
        if now_ms < self.forgot_ms.saturating_add(FORGOTTEN_EVERY_MS) {
            return;
        }
        self.forgot_ms = now_ms;
        self.begins_ms = self.begins_ms.max(now_ms.saturating_sub(MEMORY_MS));
        let (begins_ms, counts) = (self.begins_ms, &mut self.counts);
        self.taken.retain(|(issuer, _), issued_ms| {
            let stays = *issued_ms >= begins_ms;
            if let Some(count) = counts.get_mut(issuer).filter(|_| !stays) {
                *count = count.saturating_sub(1);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use liquid_node_api::envelope::AnswerCaps;
    use liquid_node_api::request::SiteRequest;
    use proptest::prelude::*;

    use super::*;

    fn envelope(issuer: &str, number: u64, issued_ms: i64) -> Envelope {
        let request = SiteRequest {
            dialect: 1,
            id: "r".into(),
            sql: String::new(),
            parameters: vec![],
            call: None,
            purpose: None,
            agreement: None,
            pinned: None,
            deadline_ms: 1,
            marks: false,
        };
        Envelope {
            issuer: format!("liquid://coordinator/{issuer}").parse().unwrap(),
            audience: "cleveland".into(),
            token: String::new(),
            nonce: format!("{number:032x}").try_into().unwrap(),
            issued_ms,
            expires_ms: issued_ms + LIFE_MS,
            caps: AnswerCaps { rows: 1, bytes: 1 },
            request,
        }
    }

    fn carried(envelope: &Envelope) -> Carried {
        let Envelope { issuer, nonce, issued_ms, .. } = envelope.clone();
        Carried { issuer, nonce, issued_ms, hash: String::new() }
    }

    #[test]
    fn each_is_taken_once() {
        let window = Window::new(0, []);
        let one = envelope("a", 1, 1_000_000);
        let verdicts = [(); 3].map(|()| window.take(&one, 1_000_000));
        assert_eq!(verdicts, [Verdict::Take, Verdict::Replayed, Verdict::Replayed]);
        assert_eq!(window.take(&envelope("b", 1, 1_000_000), 1_000_000), Verdict::Take, "another's number");
        assert_eq!(window.take(&envelope("a", 2, 1_000_000), 1_000_000), Verdict::Take);
        assert!(window.first_turned_away("h") && !window.first_turned_away("h"));
    }

    #[test]
    fn one_coordinator_does_not_fill_the_window_for_another() {
        let window = Window::new(0, []);
        for number in 0..REMEMBERED_MAX as u64 {
            assert_eq!(window.take(&envelope("a", number, 1_000_000), 1_000_000), Verdict::Take);
        }
        assert_eq!(window.take(&envelope("a", u64::MAX, 1_000_000), 1_000_000), Verdict::Full);
        assert_eq!(window.take(&envelope("b", 0, 1_000_000), 1_000_000), Verdict::Take);
        let later = 1_000_000 + MEMORY_MS + 1;
        assert_eq!(
            window.take(&envelope("a", u64::MAX, later), later),
            Verdict::Take,
            "what is old is forgotten"
        );
        assert_eq!(window.take(&envelope("a", 0, 1_000_000), later), Verdict::TooOld, "and not taken again");
    }

    proptest! {
        /// Whatever the clock does and whenever the node starts again: nothing is taken twice.
        #[test]
        fn nothing_is_taken_twice(steps in prop::collection::vec((0..12u64, -900_000..900_000i64, any::<bool>()), 1..200)) {
            let (mut now, mut log, mut ever) = (10_000_000i64, Vec::<Carried>::new(), BTreeSet::new());
            let mut window = Window::new(0, []);
            for (number, jump, restart) in steps {
                now += jump / 4;
                if restart {
                    // What the log gives back: everything that could still be good by the clock of this moment.
                    let begins = now - MEMORY_MS;
                    let past: Vec<_> = log.iter().filter(|it| it.issued_ms >= begins).cloned().collect();
                    window = Window::new(begins, past);
                }
                let one = envelope("a", number, 10_000_000 + (number as i64 - 6) * 60_000);
                if window.take(&one, now) == Verdict::Take {
                    log.push(carried(&one));
                    prop_assert!(ever.insert(number), "{number} was taken before");
                }
            }
        }
    }
}
