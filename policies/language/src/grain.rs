//! Steps of the calendar: the finest that a column of days may be seen on.

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
}
