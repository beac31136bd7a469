//! What stands in the columns of a text file: which sorts of values, and on which line each was seen first, so that an
//! error can name it.

use arrow::array::types::Date32Type;
use arrow::compute::kernels::cast_utils::{Parser as _, string_to_datetime};
use arrow::datatypes::{DataType, TimeUnit};
use chrono::Utc;

/// A sort of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Whole,
    Number,
    Truth,
    Day,
    Moment,
    Text,
    /// A number that would lose a zero at its end, which tells it from another one, as 1.10 from 1.1.
    Code,
    /// A list or an object, in JSON.
    Nested,
}

impl Sort {
    /// All, with what a person calls one value of it.
    pub(crate) const ALL: [(Self, &'static str); 8] = [
        (Self::Whole, "a whole number"),
        (Self::Number, "a number"),
        (Self::Truth, "true or false"),
        (Self::Day, "a date"),
        (Self::Moment, "a time"),
        (Self::Text, "a text"),
        (Self::Code, "a number that ends in 0 where others do not, as codes do"),
        (Self::Nested, "a list or an object"),
    ];

    pub(crate) fn called(self) -> &'static str {
        Self::ALL.iter().find(|(sort, _)| *sort == self).map_or("", |(_, called)| called)
    }
}

/// Where something was seen: which of the files, which line.
pub(crate) type Line = (usize, u64);

/// What was seen in one column.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    first: [Option<Line>; 8],
    unit: Option<TimeUnit>,
    written: Written,
}

/// How the numbers of a CSV column are written. As long as all are written in one way, two texts are two numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Written {
    /// Fewest and most digits behind the point.
    digits: Option<(usize, usize)>,
    /// Not as short as can be: 5.0.
    not_short: bool,
    /// Not as short as can be with a digit behind the point: 5, 5.10.
    not_pointed: bool,
}

impl Written {
    fn note(&mut self, field: &str) {
        let fraction = field.split_once('.').map_or("", |(_, fraction)| fraction);
        let (fewest, most) = self.digits.unwrap_or((usize::MAX, 0));
        self.digits = Some((fewest.min(fraction.len()), most.max(fraction.len())));
        self.not_short |= fraction.ends_with('0');
        self.not_pointed |= fraction.is_empty() || fraction.len() > 1 && fraction.ends_with('0');
    }

    fn merge(&mut self, other: Self) {
        if let Some((fewest, most)) = other.digits {
            let known = self.digits.unwrap_or((usize::MAX, 0));
            self.digits = Some((known.0.min(fewest), known.1.max(most)));
        }
        self.not_short |= other.not_short;
        self.not_pointed |= other.not_pointed;
    }

    /// Whether two texts can be one number.
    fn can_merge(&self) -> bool {
        self.not_short && self.not_pointed && self.digits.is_some_and(|(fewest, most)| fewest != most)
    }
}

impl Seen {
    pub(crate) fn note(&mut self, sort: Sort, line: Line) {
        if let Some(first) = self.first.get_mut(sort as usize) {
            first.get_or_insert(line);
        }
    }

    /// Notes a field of a CSV file.
    pub(crate) fn note_field(&mut self, field: &str, line: Line) {
        if field.is_empty() {
            return;
        }
        let sort = sort_of(field);
        if sort == Sort::Moment {
            self.unit = self.unit.max(Some(unit(field)));
        }
        if matches!(sort, Sort::Whole | Sort::Number) && !field.contains(['e', 'E']) {
            self.written.note(field);
            if field.contains('.') && field.ends_with('0') {
                self.note(Sort::Code, line);
            }
        }
        self.note(sort, line);
    }

    pub(crate) fn first(&self, sort: Sort) -> Option<Line> {
        self.first.get(sort as usize).copied().flatten()
    }

    /// The first value that is of none of these sorts.
    pub(crate) fn first_but(&self, sorts: &[Sort]) -> Option<(Line, Sort)> {
        let others = Sort::ALL.iter().filter(|(sort, _)| !sorts.contains(sort) && *sort != Sort::Code);
        let first =
            others.filter_map(|(sort, _)| Some((self.first(*sort)?, *sort))).min_by_key(|(line, _)| *line);
        // It is a number too, so it is named only where nothing else keeps the column from being numbers.
        let code = self.written.can_merge() && sorts.contains(&Sort::Number);
        first.or_else(|| Some((self.first(Sort::Code).filter(|_| code)?, Sort::Code)))
    }

    /// Takes in what was seen in another file.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (first, other) in self.first.iter_mut().zip(other.first) {
            *first = first.or(other);
        }
        self.unit = self.unit.max(other.unit);
        self.written.merge(other.written);
    }

    /// The type that all values have; none where no one type fits, which a CSV file reads as text.
    pub(crate) fn data_type(&self) -> Option<DataType> {
        let only = |sorts: &[Sort]| self.first_but(sorts).is_none();
        Some(if only(&[]) {
            DataType::Null
        } else if only(&[Sort::Whole]) {
            DataType::Int64
        } else if only(&[Sort::Whole, Sort::Number]) {
            DataType::Float64
        } else if only(&[Sort::Truth]) {
            DataType::Boolean
        } else if only(&[Sort::Day]) {
            DataType::Date32
        } else if only(&[Sort::Moment]) {
            DataType::Timestamp(self.unit.unwrap_or(TimeUnit::Second), None)
        } else if only(&[Sort::Text]) {
            DataType::Utf8
        } else {
            return None;
        })
    }
}

/// The sort of a CSV field: what the reader will read without an error, and nothing more.
fn sort_of(field: &str) -> Sort {
    let bytes = field.as_bytes();
    match bytes.first() {
        Some(b'-' | b'.' | b'0'..=b'9') => {}
        _ if field.eq_ignore_ascii_case("true") || field.eq_ignore_ascii_case("false") => return Sort::Truth,
        _ => return Sort::Text,
    }
    let digits = field.strip_prefix('-').unwrap_or(field).as_bytes();
    if digits.iter().all(u8::is_ascii_digit) && !digits.is_empty() {
        // A row of digits that begins with 0 is a code, and as a number would be another one's; a longer row than a number
        // can hold is a name too: as a float it would lose its end.
        let is_code = digits.len() > 1 && digits.starts_with(b"0");
        return if !is_code && field.parse::<i64>().is_ok() { Sort::Whole } else { Sort::Text };
    }
    if bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        && field.parse::<f64>().is_ok()
    {
        let is_code = digits.first() == Some(&b'0') && digits.get(1).is_some_and(u8::is_ascii_digit);
        return if is_code { Sort::Text } else { Sort::Number };
    }
    let dashes = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
    if dashes && bytes.len() == 10 && Date32Type::parse(field).is_some() {
        Sort::Day
    } else if dashes && bytes.len() >= 19 && string_to_datetime(&Utc, field).is_ok() {
        Sort::Moment
    } else {
        Sort::Text
    }
}

/// The coarsest unit that holds a time's digits.
fn unit(field: &str) -> TimeUnit {
    let fraction = field.split_once('.').map_or("", |(_, fraction)| fraction);
    match fraction.bytes().take_while(u8::is_ascii_digit).count() {
        0 => TimeUnit::Second,
        1..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &[&str], expected: Option<DataType>) {
        let mut seen = Seen::default();
        for (at, field) in fields.iter().enumerate() {
            seen.note_field(field, (0, at as u64 + 2));
        }
        assert_eq!(seen.data_type(), expected, "{fields:?}");
    }

    #[test]
    fn a_column_has_the_narrowest_type_that_reads_all_of_it() {
        check(&["", ""], Some(DataType::Null));
        check(&["1", "-2", ""], Some(DataType::Int64));
        check(&["1", "2.5", ".5", "1e3", "-4.", "1.5E-3"], Some(DataType::Float64));
        check(&["true", "False"], Some(DataType::Boolean));
        check(&["2024-02-29"], Some(DataType::Date32));
        check(&["2023-02-29"], Some(DataType::Utf8));
        check(
            &["2024-02-29 10:00:00", "2024-02-29T10:00:00.25"],
            Some(DataType::Timestamp(TimeUnit::Millisecond, None)),
        );
        check(&["12345678901234567890"], Some(DataType::Utf8));
        check(&["01234", "00"], Some(DataType::Utf8));
        check(&["0", "-1", "10"], Some(DataType::Int64));
        check(&["1234", "01234"], None);
        check(&["1-2", "--1", "1e", "+1", "NaN", "-"], Some(DataType::Utf8));
        check(&["1", "x"], None);
    }

    /// A column of measured values is written in one way; one of codes is not, and 1.10 must not become 1.1.
    #[test]
    fn numbers_that_would_become_one_another_stay_texts() {
        check(&["1.1", "1.10"], None);
        check(&["2", "1.10"], None);
        check(&["1", "1.0"], None);
        check(&["2.25", "1.50", "1.5"], None);
        check(&["01.5", "007.25"], Some(DataType::Utf8));
        check(&["1.10", "1.25", "0.00", "-3.50"], Some(DataType::Float64));
        check(&["5.0", "5.25", "0.5"], Some(DataType::Float64));
        check(&["5", "5.25", "10", "1e10"], Some(DataType::Float64));
        let mut seen = Seen::default();
        for (line, field) in [(2, "1.10"), (3, "1.5"), (4, "2")] {
            seen.note_field(field, (0, line));
        }
        let numbers = [Sort::Whole, Sort::Number];
        assert_eq!(seen.first_but(&numbers), Some(((0, 2), Sort::Code)));
        let mut other = Seen::default();
        other.note_field("many", (1, 9));
        seen.merge(&other);
        assert_eq!(
            seen.first_but(&numbers),
            Some(((1, 9), Sort::Text)),
            "what is no number at all comes first"
        );
    }

    #[test]
    fn the_first_value_of_another_sort_is_known() {
        let mut seen = Seen::default();
        for (line, field) in [(2, "1"), (3, "2.5"), (4, "many"), (5, "more")] {
            seen.note_field(field, (0, line));
        }
        assert_eq!(seen.first_but(&[Sort::Whole, Sort::Number]), Some(((0, 4), Sort::Text)));
        assert_eq!(seen.first_but(&[Sort::Whole]), Some(((0, 3), Sort::Number)));
    }
}
