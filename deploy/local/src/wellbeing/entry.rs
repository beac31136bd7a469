//! The life of a row: the day on which something happens, the month in which it is written down, perhaps corrected, perhaps
//! taken out again.

use chrono::NaiveDate;

use super::dice::Dice;
use super::month::Month;

/// When a row is there, and when it still says something wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) day: NaiveDate,
    recorded: Month,
    corrected: Option<Month>,
    removed: Option<Month>,
}

impl Entry {
    /// Something on any day of the two years.
    pub(super) fn any(dice: &mut Dice) -> Self {
        let day = Month::any_day(dice);
        Self::on(dice, day)
    }

    /// Something on this day.
    pub(super) fn on(dice: &mut Dice, day: NaiveDate) -> Self {
        let recorded = Month::of(day).later(dice.run(0.08, 3) as u64);
        let corrected = dice.chance(0.03).then(|| recorded.later(1 + dice.below(6)));
        let removed = dice.chance(0.006).then(|| recorded.later(1 + dice.below(8)));
        Self { day, recorded, corrected, removed }
    }

    pub(super) fn is_there(&self, month: Month) -> bool {
        self.recorded <= month && self.removed.is_none_or(|removed| month < removed)
    }

    /// What the row says at the end of a month: `first` until it is corrected.
    pub(super) fn says<T>(&self, month: Month, first: T, corrected: T) -> T {
        if self.corrected.is_some_and(|corrected| month < corrected) { first } else { corrected }
    }

    /// Whether so many months have gone by since it was written down.
    pub(super) fn is_older(&self, month: Month, months: u64) -> bool {
        self.recorded.later(months) <= month
    }
}
