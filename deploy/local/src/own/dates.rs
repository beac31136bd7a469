//! Days that are written in other ways than 2024-12-31: for a computer they are texts until a view says how they are
//! written. What is offered reads every day of the file.

use chrono::{Datelike as _, NaiveDate};

use super::files::DataFile;

/// Days without anything between their parts, as 20241231.
pub(super) const COMPACT: &str = "%Y%m%d";

/// How the days of a column are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notation {
    /// As `to_date` takes it.
    pub(super) pattern: String,
    /// Another one that all of them could be written in as well.
    pub(super) other: Option<String>,
}

impl Notation {
    /// What the other way to read it is, and what is taken for granted.
    pub(super) fn doubt(&self) -> String {
        let other = self.other.as_ref();
        let other = other.map(|other| format!(" (or '{other}', where the month stands first)"));
        let century = self.pattern.contains("%y").then_some("; years up to 69 become 20.., others 19..");
        other.unwrap_or_default() + century.unwrap_or_default()
    }
}

/// How a column of a CSV file writes its days, where it holds nothing but such days.
pub(super) fn notation(file: &DataFile, column: &str) -> Option<Notation> {
    let mut days: Option<Days> = None;
    each(file, column, |value| {
        let day = Days::of(value)?;
        days = Some(days.map_or(Some(day), |days| days.with(day))?);
        Some(())
    })?;
    let reads = |pattern: &str| {
        each(file, column, |value| NaiveDate::parse_from_str(value, pattern).ok().map(|_| ())).is_some()
    };
    let found = days?.notation()?;
    let other = found.other.filter(|other| reads(other));
    reads(&found.pattern).then_some(Notation { pattern: found.pattern, other })
}

/// Whether whole numbers are days as 20241231, every one of them a day that can have been meant.
pub(super) fn is_compact(file: &DataFile, column: &str) -> bool {
    let is_day = |value: &str| {
        let day = NaiveDate::parse_from_str(value, COMPACT).ok().filter(|_| value.len() == 8)?;
        (1800..2200).contains(&day.year()).then_some(())
    };
    each(file, column, is_day).is_some()
}

/// Looks at every value of a column; nothing where one of them does not fit, or there is none.
fn each(file: &DataFile, column: &str, mut look: impl FnMut(&str) -> Option<()>) -> Option<()> {
    let mut reader = file.csv_reader()?;
    let at = reader.byte_headers().ok()?.iter().position(|name| name == column.as_bytes())?;
    let mut any = None;
    for record in reader.byte_records().map_while(Result::ok) {
        let value = std::str::from_utf8(record.get(at).unwrap_or_default()).ok()?.trim();
        if !value.is_empty() && file.null.as_deref() != Some(value) {
            look(value)?;
            any = Some(());
        }
    }
    any
}

/// What is known of the parts of days and their order.
#[derive(Clone, Copy)]
struct Days {
    separator: char,
    /// How `to_date` calls the year, and whether it stands first.
    year: &'static str,
    year_first: bool,
    /// Whether the month stands there by its name, between day and year.
    named: bool,
    /// Whether the first of the two others is beyond 12 somewhere, and whether the second is.
    beyond: (bool, bool),
}

impl Days {
    fn of(value: &str) -> Option<Self> {
        let separator = ['/', '.', '-', ' '].into_iter().find(|separator| value.contains(*separator))?;
        let [first, middle, last] = value.split(separator).collect::<Vec<_>>().try_into().ok()?;
        let digits =
            |part: &str, most: usize| part.len() <= most && part.bytes().all(|it| it.is_ascii_digit());
        let number = |part: &str| {
            part.parse::<u8>().ok().filter(|number| digits(part, 2) && (1..=31).contains(number))
        };
        let year = |part: &str| match part.len() {
            4 if digits(part, 4) => Some("%Y"),
            2 if digits(part, 2) => Some("%y"),
            _ => None,
        };
        if middle.len() >= 3 && middle.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            number(first)?;
            let (year, beyond) = (year(last)?, (true, false));
            return Some(Self { separator, year, year_first: false, named: true, beyond });
        }
        let (year, year_first, first, second) = match (year(first), year(last)) {
            (Some("%Y"), _) => ("%Y", true, middle, last),
            // Of 24-12-31 nobody can say where the year stands.
            (_, Some("%y")) if !matches!(separator, '/' | '.') => return None,
            (_, Some(year)) => (year, false, first, middle),
            _ => return None,
        };
        let (first, second) = (number(first)?, number(second)?);
        Some(Self { separator, year, year_first, named: false, beyond: (first > 12, second > 12) })
    }

    fn with(self, other: Self) -> Option<Self> {
        let parts = |it: Self| (it.separator, it.year, it.year_first, it.named);
        let beyond = (self.beyond.0 || other.beyond.0, self.beyond.1 || other.beyond.1);
        (parts(self) == parts(other)).then_some(Self { beyond, ..self })
    }

    fn notation(self) -> Option<Notation> {
        let (one, year) = (self.separator, self.year);
        let day_first = format!("%d{one}%m{one}{year}");
        let (pattern, other) = match (self.year_first, self.beyond) {
            _ if self.named => (format!("%d{one}%b{one}{year}"), None),
            (_, (true, true)) => return None,
            (true, (false, _)) => (format!("%Y{one}%m{one}%d"), None),
            (true, (true, false)) => (format!("%Y{one}%d{one}%m"), None),
            (false, (true, false)) => (day_first, None),
            (false, (false, true)) => (format!("%m{one}%d{one}{year}"), None),
            (false, (false, false)) => (day_first, Some(format!("%m{one}%d{one}{year}"))),
        };
        Some(Notation { pattern, other })
    }
}

#[cfg(test)]
mod tests {
    use liquid_engine::Format;

    use super::*;

    #[test]
    fn the_order_of_day_and_month_is_found_out_or_left_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let file = DataFile { path, format: Format::Csv, null: Some("NA".to_owned()), delimiter: Some(';') };
        let written = |days: &[&str]| {
            std::fs::write(&file.path, format!("a;day\n1;{}\n", days.join("\n1;"))).unwrap();
        };
        let of = |days: &[&str]| {
            written(days);
            notation(&file, "day").map(|found| format!("{}{}", found.pattern, found.doubt()))
        };
        for (days, expected) in [
            (&["31/12/2024", "1/2/2024", "", "NA"][..], Some("%d/%m/%Y")),
            (&["12/31/2024"], Some("%m/%d/%Y")),
            (&["1.2.2024"], Some("%d.%m.%Y (or '%m.%d.%Y', where the month stands first)")),
            (&["2024/12/31"], Some("%Y/%m/%d")),
            (&["31.12.24", "01.02.24"], Some("%d.%m.%y; years up to 69 become 20.., others 19..")),
            (&["31-Dec-2024", "1-JAN-2024"], Some("%d-%b-%Y")),
            (&["31-Dek-2024"], None),
            (&["31/12/2024", "12/31/2024"], None),
            (&["31/12/2024", "soon"], None),
            (&["31/12/2024", "31.12.2024"], None),
            (&["31/12/2024", "31/12/24"], None),
            (&["31.4.2024"], None),
            (&["1.2.3"], None),
            (&["99/12/2024"], None),
            (&["24-12-31"], None),
            (&["NA", ""], None),
        ] {
            assert_eq!(of(days).as_deref(), expected, "{days:?}");
        }
        for (days, expected) in [
            (&["20241231", "", "19000101", "NA"][..], true),
            (&["20241231", "20241301"], false),
            (&["12345678"], false),
            (&["2024"], false),
            (&[""], false),
        ] {
            written(days);
            assert_eq!(is_compact(&file, "day"), expected, "{days:?}");
        }
    }
}
