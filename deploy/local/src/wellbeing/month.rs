//! The months of the data: 24 of them in which something happens, the last 12 of which end with a snapshot.

use std::fmt;

use chrono::{Datelike as _, Months, NaiveDate};

/// A month; months are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(u32);

/// The first year.
const YEAR: i32 = 2024;

impl Month {
    /// The month before everything.
    pub const FIRST: Self = Self(0);
    /// The month of the newest snapshot.
    pub const NEWEST: Self = Self(23);

    /// The months that end with a snapshot.
    pub fn snapshots() -> impl Iterator<Item = Self> {
        (12..24).map(Self)
    }

    /// The month of a day; the first one for days before it.
    pub(super) fn of(day: NaiveDate) -> Self {
        let years = u32::try_from(day.year() - YEAR).unwrap_or_default();
        Self(if day.year() < YEAR { 0 } else { years * 12 + day.month0() })
    }

    /// So many months later.
    pub(super) fn later(self, months: u64) -> Self {
        Self(self.0.saturating_add(u32::try_from(months).unwrap_or(u32::MAX)))
    }

    pub(super) fn last_day(self) -> NaiveDate {
        let start = NaiveDate::from_ymd_opt(YEAR, 1, 31).unwrap_or_default();
        start.checked_add_months(Months::new(self.0)).unwrap_or_default() // keeps to the month's end
    }

    /// A day of the 24 months.
    pub(super) fn any_day(dice: &mut super::dice::Dice) -> NaiveDate {
        let start = NaiveDate::from_ymd_opt(YEAR, 1, 1).unwrap_or_default();
        let days = Self::NEWEST.last_day().signed_duration_since(start).num_days();
        start + chrono::Duration::days(dice.between(0, days))
    }
}

/// `2025-01`.
impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.last_day().format("%Y-%m").to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        assert_eq!(Month::of(day(2024, 2, 29)), Month(1));
        assert_eq!(Month(1).last_day(), day(2024, 2, 29));
        assert_eq!(Month(15).last_day(), day(2025, 4, 30));
        assert_eq!(Month::of(day(1990, 6, 1)), Month::FIRST);
        let names: Vec<String> = Month::snapshots().map(|month| month.to_string()).collect();
        assert_eq!((names.len(), names[0].as_str(), names[11].as_str()), (12, "2025-01", "2025-12"));
        assert_eq!(Month::of(day(2025, 12, 31)), Month::NEWEST);
    }
}
