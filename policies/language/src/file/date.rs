//! A day in an agreement, written as TOML writes days: `2026-10-01`, without quotes.

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Date(#[schemars(with = "String", extend("format" = "date"))] pub NaiveDate);

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a day is expected here, written as 2026-10-01 without quotes";
        let written = toml::value::Datetime::deserialize(deserializer).map_err(|error| {
            // A day that is not there at all is another mistake.
            if error.to_string().starts_with("missing field") { error } else { D::Error::custom(EXPECTED) }
        })?;
        match (written.date, written.time, written.offset) {
            (Some(date), None, None) => {
                NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
                    .map(Self)
                    .ok_or_else(|| D::Error::custom("there is no such day in the calendar"))
            }
            _ => Err(D::Error::custom(EXPECTED)),
        }
    }
}
