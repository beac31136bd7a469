//! When an answer leaves: at the end of its plan's time class, so that how long it took tells nothing of the data.
//!
//! The class follows from the plan alone: a cut over one table is of the first one, and each further table, step by entity or cut moves it
//! on by one. What is not ready then leaves at the end of the next class, and after the last one at the end of as many of the last as it
//! takes: that much can be seen.

use std::time::Duration;

use liquid_policy::Footprint;

/// How long after it came a question that took so long is answered, under classes that end after so many milliseconds, in
/// ascending order.
pub(crate) fn leaves_after(classes: &[u64], cuts: &[Footprint], took: Duration) -> Duration {
    let ends = |ms: &u64| Duration::from_millis(*ms);
    let class = weight(cuts).min(classes.len().saturating_sub(1));
    if let Some(end) = classes.iter().skip(class).map(ends).find(|end| took <= *end) {
        return end;
    }
    let Some(last) = classes.last().map(ends).filter(|last| !last.is_zero()) else { return took };
    let rounds = took.as_nanos().div_ceil(last.as_nanos());
    last.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
}

/// What there is in a plan beyond one cut over one table.
fn weight(cuts: &[Footprint]) -> usize {
    let of_cut = |cut: &Footprint| cut.tables.len().max(1) + usize::from(cut.step.is_some());
    cuts.iter().map(of_cut).sum::<usize>().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(tables: usize) -> Footprint {
        Footprint {
            tables: vec!["t".into(); tables],
            joins: vec![],
            mixed: false,
            filter: vec![],
            groups: vec![],
            aggregates: vec![],
            dates: vec![],
            step: None,
        }
    }

    fn after(classes: &[u64], cuts: &[Footprint], took: u64) -> u128 {
        leaves_after(classes, cuts, Duration::from_millis(took)).as_millis()
    }

    #[test]
    fn an_answer_leaves_at_the_end_of_a_class() {
        let classes = [250, 2000, 10_000];
        let one = [cut(1)];
        assert_eq!([0, 250, 251, 2001].map(|took| after(&classes, &one, took)), [250, 250, 2000, 10_000]);
        assert_eq!(
            [10_000, 10_001, 20_001].map(|took| after(&classes, &one, took)),
            [10_000, 20_000, 30_000]
        );
        assert_eq!(after(&[], &one, 7), 7, "as soon as it is ready");
    }

    #[test]
    fn the_class_follows_from_the_plan() {
        let classes = [250, 2000, 10_000];
        assert_eq!(
            [1, 2, 3, 9].map(|tables| after(&classes, &[cut(tables)], 5)),
            [250, 2000, 10_000, 10_000]
        );
        assert_eq!(after(&classes, &[cut(1), cut(1)], 5), 2000);
    }
}
