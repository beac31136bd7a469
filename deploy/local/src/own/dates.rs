//! Days that are written with the day or the month first: for a computer they are texts until a view says how they are
//! written.

use super::files::DataFile;

/// Values of a column that are looked at.
const VALUES: usize = 1_000;

/// How the days of a column are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notation {
    /// As `to_date` takes it.
    pub(super) pattern: String,
    /// Another one that all of them could be written in as well.
    pub(super) other: Option<String>,
}

impl Notation {
    /// What the other way to read it is.
    pub(super) fn doubt(&self) -> String {
        let other = self.other.as_ref();
        other.map(|other| format!(" (or '{other}', where the month stands first)")).unwrap_or_default()
    }
}

/// How a column of a CSV file writes its days, where it holds nothing but such days.
pub(super) fn notation(file: &DataFile, column: &str) -> Option<Notation> {
    let delimiter = file.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()).unwrap_or(b',');
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_path(&file.path).ok()?;
    let at = reader.byte_headers().ok()?.iter().position(|name| name == column.as_bytes())?;
    let mut days: Option<Days> = None;
    for record in reader.byte_records().map_while(Result::ok).take(VALUES) {
        let value = std::str::from_utf8(record.get(at).unwrap_or_default()).ok()?.trim();
        if value.is_empty() || file.null.as_deref() == Some(value) {
            continue;
        }
        let day = Days::of(value)?;
        days = Some(days.map_or(Some(day), |days| days.with(day))?);
    }
    days?.notation()
}

/// What is known of the order of day and month.
#[derive(Clone, Copy)]
struct Days {
    separator: char,
    year_first: bool,
    /// Whether the first of the two is beyond 12 somewhere, and whether the second is.
    beyond: (bool, bool),
}

impl Days {
    fn of(value: &str) -> Option<Self> {
        let separator = ['/', '.', '-'].into_iter().find(|separator| value.contains(*separator))?;
        let parts: Vec<&str> = value.split(separator).collect();
        let year = |part: &str| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        let (year_first, first, second) = match parts.as_slice() {
            [first, second, last] if year(last) => (false, first, second),
            [last, first, second] if year(last) => (true, first, second),
            _ => return None,
        };
        let number = |part: &str| {
            let digits = matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u8>().ok().filter(|number| digits && (1..=31).contains(number))
        };
        let (first, second) = (number(first)?, number(second)?);
        Some(Self { separator, year_first, beyond: (first > 12, second > 12) })
    }

    fn with(self, other: Self) -> Option<Self> {
        let alike = self.separator == other.separator && self.year_first == other.year_first;
        let beyond = (self.beyond.0 || other.beyond.0, self.beyond.1 || other.beyond.1);
        alike.then_some(Self { beyond, ..self })
    }

    fn notation(self) -> Option<Notation> {
        let one = self.separator;
        let (pattern, other) = match (self.year_first, self.beyond) {
            (_, (true, true)) => return None,
            (true, (false, _)) => (format!("%Y{one}%m{one}%d"), None),
            (true, (true, false)) => (format!("%Y{one}%d{one}%m"), None),
            (false, (true, false)) => (format!("%d{one}%m{one}%Y"), None),
            (false, (false, true)) => (format!("%m{one}%d{one}%Y"), None),
            (false, (false, false)) => (format!("%d{one}%m{one}%Y"), Some(format!("%m{one}%d{one}%Y"))),
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
        let of = |days: &[&str]| {
            std::fs::write(&file.path, format!("a;day\n1;{}\n", days.join("\n1;"))).unwrap();
            notation(&file, "day").map(|found| format!("{}{}", found.pattern, found.doubt()))
        };
        for (days, expected) in [
            (&["31/12/2024", "1/2/2024", "", "NA"][..], Some("%d/%m/%Y")),
            (&["12/31/2024"], Some("%m/%d/%Y")),
            (&["1.2.2024"], Some("%d.%m.%Y (or '%m.%d.%Y', where the month stands first)")),
            (&["2024/12/31"], Some("%Y/%m/%d")),
            (&["31/12/2024", "12/31/2024"], None),
            (&["31/12/2024", "soon"], None),
            (&["31/12/2024", "31.12.2024"], None),
            (&["1.2.3"], None),
            (&["99/12/2024"], None),
            (&["31/12/24"], None),
            (&["NA", ""], None),
        ] {
            assert_eq!(of(days).as_deref(), expected, "{days:?}");
        }
    }
}
