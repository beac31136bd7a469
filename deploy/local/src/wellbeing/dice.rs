//! Randomness that is the same on every machine: whole numbers, divisions and square roots, nothing that rounds differently.
//!
//! Each person and each topic has dice of their own, so that more people, or one more column, change nothing about the others.

/// What is thrown for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Topic {
    Household,
    Person,
    Member(super::Holder),
    Events(super::Holder),
    Incident,
}

impl Topic {
    fn number(self) -> u64 {
        match self {
            Self::Household => 1,
            Self::Person => 2,
            Self::Incident => 3,
            Self::Member(holder) => 10 + holder as u64,
            Self::Events(holder) => 20 + holder as u64,
        }
    }
}

/// A sequence of throws.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn of(seed: u64, topic: Topic, number: u64) -> Self {
        Self(mix(mix(mix(seed).wrapping_add(topic.number())).wrapping_add(number)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// From 0 to below 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// From 0 to below `end`; 0 where that is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// From `least` to `most`, both included.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        least.saturating_add_unsigned(self.below(most.abs_diff(least) + 1))
    }

    pub(super) fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        let at = self.below(from.len() as u64) as usize;
        from.get(at).copied().unwrap_or_default()
    }

    /// One of several, each as often as its weight says.
    pub(super) fn weighted<T: Copy + Default>(&mut self, from: &[(T, u64)]) -> T {
        let mut left = self.below(from.iter().map(|(_, weight)| weight).sum());
        for (value, weight) in from {
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => return *value,
            }
        }
        T::default()
    }

    /// How often in a row a chance comes true.
    pub(super) fn run(&mut self, share: f64, most: usize) -> usize {
        (0..most).take_while(|_| self.chance(share)).count()
    }

    /// An amount with a heavy tail, in pennies: many near the least, few of many times as much (Pareto, alpha 2).
    pub(super) fn tail(&mut self, least: f64) -> f64 {
        let amount = least / (1.0 - self.share()).sqrt().max(0.005);
        (amount * 100.0).round() / 100.0
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throws_are_fair_enough_and_the_same_each_time() {
        let mut dice = Dice::of(1, Topic::Person, 7);
        let first = dice.clone().next();
        assert_eq!(first, Dice::of(1, Topic::Person, 7).next());
        assert_ne!(first, Dice::of(1, Topic::Household, 7).next());
        assert_ne!(first, Dice::of(1, Topic::Person, 8).next());
        let heads = (0..10_000).filter(|_| dice.chance(0.3)).count();
        assert!((2_850..3_150).contains(&heads), "{heads}");
        let weighted = (0..10_000).filter(|_| dice.weighted(&[("a", 1), ("b", 3)]) == "b").count();
        assert!((7_350..7_650).contains(&weighted), "{weighted}");
        assert!((0..1_000).map(|_| dice.between(-2, 2)).all(|throw| (-2..=2).contains(&throw)));
        assert_eq!(dice.weighted::<&str>(&[]), "");
    }

    #[test]
    fn the_tail_is_heavy() {
        let mut dice = Dice::of(1, Topic::Person, 1);
        let mut amounts: Vec<f64> = (0..10_000).map(|_| dice.tail(100.0)).collect();
        amounts.sort_by(f64::total_cmp);
        let median = amounts[5_000];
        assert!((130.0..155.0).contains(&median), "{median}");
        assert!(amounts[9_999] > 20.0 * median, "{}", amounts[9_999]);
    }
}
