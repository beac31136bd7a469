//! Steps of the calendar: the finest that a column of days may be seen on.

use chrono::{Datelike as _, Duration, NaiveDate, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A step of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "kebab-case",
    expecting = "`\"year\"`, `\"quarter\"`, `\"month\"`, `\"week\"` or `\"day\"`"
)]
pub enum Grain {
    /// A calendar year.
    Year,
    /// A quarter of a calendar year.
    Quarter,
    /// A calendar month.
    Month,
    /// A week, from Monday to Sunday.
    Week,
    /// A day.
    Day,
}

impl Grain {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Year, Self::Quarter, Self::Month, Self::Week, Self::Day];

    /// The word that stands for it in an agreement, and in `date_trunc`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
        }
    }

    /// The parts of a date that all days of a step have in common.
    pub fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Year => &["year"],
            Self::Quarter => &["year", "quarter"],
            Self::Month => &["year", "quarter", "month"],
            Self::Week => &["isoyear", "week"],
            Self::Day => &["year", "isoyear", "quarter", "month", "week", "day", "dow", "doy", "isodow"],
        }
    }

    /// How a step of it is written in an agreement: for example `2026-03` for a month.
    pub fn example(self) -> &'static str {
        match self {
            Self::Year => "2026",
            Self::Quarter => "2026-Q2",
            Self::Month => "2026-03",
            Self::Week => "2026-W10",
            Self::Day => "2026-03-31",
        }
    }

    /// The first day of the step that a day lies in; none where the calendar ends.
    pub fn start(self, day: NaiveDate) -> Option<NaiveDate> {
        self.nth(self.number(day))
    }

    /// The same over days since the first of January 1970.
    pub fn start_of(self, day: i32) -> Option<i32> {
        let day = epoch().checked_add_signed(Duration::days(day.into()))?;
        i32::try_from(since_epoch(self.start(day)?)).ok()
    }

    /// The first day of a step that is written as [`Self::example`] is.
    pub fn step(self, text: &str) -> Option<NaiveDate> {
        let written = |day: &NaiveDate| match self {
            Self::Year => day.format("%Y").to_string(),
            Self::Quarter => format!("{}-Q{}", day.format("%Y"), day.month0() / 3 + 1),
            Self::Month => day.format("%Y-%m").to_string(),
            Self::Week => day.format("%G-W%V").to_string(),
            Self::Day => day.format("%Y-%m-%d").to_string(),
        };
        let year = text.get(..4).filter(|year| year.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
        let rest: Option<u32> =
            text.get(4..).and_then(|rest| rest.trim_start_matches(['-', 'Q', 'W']).parse().ok());
        let first = match self {
            Self::Year => NaiveDate::from_ymd_opt(year, 1, 1),
            Self::Quarter => NaiveDate::from_ymd_opt(year, rest?.checked_mul(3)?.checked_sub(2)?, 1),
            Self::Month => NaiveDate::from_ymd_opt(year, rest?, 1),
            Self::Week => NaiveDate::from_isoywd_opt(year, rest?, Weekday::Mon),
            Self::Day => text.parse().ok(),
        };
        // One spelling each.
        first.filter(|day| written(day) == text)
    }

    /// Steps are numbered one after another.
    pub(crate) fn number(self, day: NaiveDate) -> i64 {
        let (year, month) = (i64::from(day.year()), i64::from(day.month0()));
        match self {
            Self::Year => year,
            Self::Quarter => year * 4 + month / 3,
            Self::Month => year * 12 + month,
            Self::Week => (since_epoch(day) - MONDAY).div_euclid(7),
            Self::Day => since_epoch(day),
        }
    }

    /// The first day of the step with this number.
    pub(crate) fn nth(self, number: i64) -> Option<NaiveDate> {
        let first = |steps: i64| {
            let year = i32::try_from(number.div_euclid(steps)).ok()?;
            let month = u32::try_from(number.rem_euclid(steps) * (12 / steps) + 1).ok()?;
            NaiveDate::from_ymd_opt(year, month, 1)
        };
        let day = |days: i64| epoch().checked_add_signed(Duration::try_days(days)?);
        match self {
            Self::Year => first(1),
            Self::Quarter => first(4),
            Self::Month => first(12),
            Self::Week => day(number.checked_mul(7)?.checked_add(MONDAY)?),
            Self::Day => day(number),
        }
    }
}

/// Days from the first of January 1970 to the first Monday.
const MONDAY: i64 = 4;

/// The first of January 1970.
fn epoch() -> NaiveDate {
    NaiveDate::default()
}

fn since_epoch(day: NaiveDate) -> i64 {
    day.signed_duration_since(epoch()).num_days()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each day lies in one step of each grain: no step begins between its first day and it, and the next one after it.
        #[test]
        fn steps_part_the_calendar(day in -1_000_000..1_000_000_i32) {
            for grain in Grain::ALL {
                let start = grain.start_of(day).unwrap();
                prop_assert!(start <= day);
                prop_assert_eq!(grain.start_of(start), Some(start));
                let begins = |day: i32| grain.start_of(day) == Some(day);
                prop_assert!((start + 1..=day).all(|day| !begins(day)));
                let length = (1..400).find(|days| begins(start + days)).unwrap();
                let (shortest, longest) = match grain {
                    Grain::Year => (365, 366),
                    Grain::Quarter => (90, 92),
                    Grain::Month => (28, 31),
                    Grain::Week => (7, 7),
                    Grain::Day => (1, 1),
                };
                prop_assert!(start + length > day && (shortest..=longest).contains(&length), "{:?} {}", grain, length);
            }
        }
    }

    #[test]
    fn far_days_have_no_step() {
        for grain in Grain::ALL {
            assert_eq!((grain.start_of(i32::MIN), grain.start_of(i32::MAX)), (None, None));
        }
    }

    #[test]
    fn steps_are_written_in_one_way() {
        let days = |grain: Grain, text| grain.step(text).map(|day| day.to_string());
        for (grain, text, day) in [
            (Grain::Year, "2024", "2024-01-01"),
            (Grain::Quarter, "2024-Q4", "2024-10-01"),
            (Grain::Month, "2024-02", "2024-02-01"),
            (Grain::Week, "2025-W01", "2024-12-30"),
            (Grain::Week, "2020-W53", "2020-12-28"),
            (Grain::Day, "2024-02-29", "2024-02-29"),
        ] {
            assert_eq!(days(grain, text).as_deref(), Some(day));
            assert_eq!(grain.start(grain.step(text).unwrap()), grain.step(text));
            assert!(grain.step(grain.example()).is_some(), "{grain:?}");
        }
        for (grain, text) in [
            (Grain::Year, "24"),
            (Grain::Year, "2024-01"),
            (Grain::Quarter, "2024-Q5"),
            (Grain::Quarter, "2024-4"),
            (Grain::Month, "2024-2"),
            (Grain::Month, "2024-13"),
            (Grain::Month, "2024-02-01"),
            (Grain::Month, "snapshot"),
            (Grain::Week, "2021-W53"),
            (Grain::Day, "2023-02-29"),
            (Grain::Day, "2024-02"),
        ] {
            assert_eq!(days(grain, text), None, "{text}");
        }
    }
}
