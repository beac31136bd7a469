//! Whether few make up too much of a sum.

use liquid_policy::table::Concentration;

/// How many of the largest contributions must be known to judge by the rules.
pub fn largest_needed(rules: &Concentration) -> usize {
    let most = rules.dominance.map_or(0, |(most, _)| usize::try_from(most).unwrap_or(usize::MAX));
    if rules.p_ratio.is_some() { most.max(2) } else { most }
}

/// Whether a sum is spread over enough contributors: `largest` are its largest contributions, the greatest first, and `rest` is
/// what all others add, both without their signs. A contribution that is no number is never spread.
///
/// The boundary itself passes, as with the tools of statistical offices.
pub fn is_spread(rules: &Concentration, largest: &[f64], rest: f64) -> bool {
    let total: f64 = largest.iter().sum::<f64>() + rest;
    if !total.is_finite() {
        return false;
    }
    let beyond = |most: usize| largest.iter().skip(most).sum::<f64>() + rest;
    let dominated = rules.dominance.is_some_and(|(most, share)| {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        total > 0.0 && (total - beyond(most)) / total > share
    });
    let estimated = rules
        .p_ratio
        .is_some_and(|ratio| largest.first().is_some_and(|first| *first > 0.0 && beyond(2) / first < ratio));
    !dominated && !estimated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(dominance: Option<(u32, f64)>, p_ratio: Option<f64>) -> Concentration {
        Concentration { dominance, p_ratio }
    }

    #[test]
    fn the_largest_may_make_up_the_share_and_no_more() {
        let two = rules(Some((2, 0.9)), None);
        assert!(is_spread(&two, &[5.0, 4.0], 1.0));
        assert!(!is_spread(&two, &[5.0, 4.5], 1.0));
        assert!(!is_spread(&two, &[9.0], 0.0), "one alone is all of it");
        assert!(is_spread(&two, &[0.0, 0.0], 0.0), "nobody makes up a sum of nothing");
        assert!(!is_spread(&two, &[f64::NAN, 1.0], 9.0) && !is_spread(&two, &[f64::INFINITY], 1.0));
    }

    #[test]
    fn the_second_largest_must_not_work_out_the_largest() {
        let tenth = rules(None, Some(0.1));
        assert!(is_spread(&tenth, &[100.0, 50.0], 10.0));
        assert!(!is_spread(&tenth, &[100.0, 50.0], 9.0));
        assert!(!is_spread(&tenth, &[100.0, 50.0], 0.0));
        assert!(is_spread(&tenth, &[0.0, 0.0], 0.0));
    }

    #[test]
    fn a_rule_of_one_looks_past_the_first_and_both_must_pass() {
        let one = rules(Some((1, 0.5)), None);
        assert!(is_spread(&one, &[5.0, 4.0], 1.0) && !is_spread(&one, &[6.0, 4.0], 1.0));
        let both = rules(Some((1, 0.6)), Some(0.5));
        assert!(!is_spread(&both, &[5.0, 4.0], 1.0), "a fifth is below a half");
        assert!(is_spread(&both, &[5.0, 4.0], 3.0));
        assert_eq!(
            [largest_needed(&one), largest_needed(&both), largest_needed(&rules(None, None))],
            [1, 2, 0]
        );
    }
}
