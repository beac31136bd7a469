//! The columns of a CSV file that must hold numbers: which texts stand among them, and the SQL that makes numbers of these.

use std::collections::{BTreeMap, BTreeSet};

use super::files::DataFile;
use super::sql::{all_replaced, quoted};

/// What people write for a missing value.
const MISSING: [&str; 15] =
    ["NA", "N/A", "n/a", "na", "n.a.", "N.A.", "#N/A", "NaN", "nan", "NULL", "null", "None", "?", "-", "."];

/// What people write for 1 and for 0.
const YES: [&str; 8] = ["yes", "true", "y", "t", "ja", "j", "oui", "si"];
const NO: [&str; 7] = ["no", "false", "n", "f", "nein", "non", "nej"];

/// More different texts than these are no codes that somebody would write down one by one.
const CODES: usize = 8;

/// What keeps some columns of a file from being numbers.
pub(super) enum Texts {
    /// Nothing: they are numbers already, or the file cannot be read that far.
    None,
    /// This text alone, which stands for a missing value.
    Missing(String),
    /// Other texts, or several, by column, the first one first.
    Other(Vec<Odd>),
}

/// A column with texts among its numbers, or in their place.
pub(super) struct Odd {
    /// Where the first one stands.
    pub(super) line: u64,
    pub(super) column: String,
    pub(super) cure: Cure,
}

/// How SQL makes numbers of such a column.
pub(super) enum Cure {
    /// They are numbers in another notation.
    Notation(String),
    /// So many values are no numbers, and become missing ones.
    Losing(String, u64),
    /// They are few texts, each a code; whether it is known which number each of them is.
    Codes(String, bool),
    /// Nobody knows.
    Unknown,
}

/// How to make numbers of columns by a view, where that is known.
pub(super) fn mended(table: &str, odd: &[Odd]) -> String {
    let (mut replaced, mut said, mut unknown) = (Vec::new(), String::new(), Vec::new());
    for Odd { column, cure, .. } in odd {
        let of_column = if odd.len() > 1 { format!(" of `{column}`") } else { String::new() };
        match cure {
            Cure::Notation(number) => replaced.push((column.as_str(), number.as_str())),
            Cure::Losing(number, count) => {
                replaced.push((column.as_str(), number.as_str()));
                said.push_str(&format!(
                    "; it makes missing values of all{of_column} that is no number ({count} in this file), so write it only \
                     where that is meant"
                ));
            }
            Cure::Codes(number, is_known) => {
                replaced.push((column.as_str(), number.as_str()));
                said.push_str(&match is_known {
                    true => format!("; check that the codes{of_column} mean the same at every site"),
                    false => format!(
                        "; put the number that stands for each code{of_column} in the place of its `?`"
                    ),
                });
            }
            Cure::Unknown => unknown.push(format!("`{column}`")),
        }
    }
    if replaced.is_empty() {
        return "make numbers of its texts by a view in `views.sql`".to_owned();
    }
    if !unknown.is_empty() {
        said.push_str(&format!("; what numbers the texts of {} are, add to it", unknown.join(", ")));
    }
    format!("write in `views.sql` `{}`{said}", all_replaced(table, &replaced))
}

/// The texts of one column.
#[derive(Default)]
struct Column {
    line: u64,
    numbers: u64,
    missing: BTreeSet<String>,
    /// How many others there are, the first few different ones, and which notations do not read all of them.
    others: u64,
    different: BTreeSet<String>,
    unread: [bool; NOTATIONS.len()],
}

/// Stands for a column in SQL.
const COLUMN: &str = "\0";

/// How people write numbers, and how SQL reads what they have written.
const NOTATIONS: [(fn(&str) -> bool, &str); 3] = [
    (|text| grouped(text, ',', '.'), "replace(\0, ',', '')"),
    (|text| grouped(text, '.', ','), "replace(replace(\0, '.', ''), ',', '.')"),
    (|text| text.strip_suffix('%').is_some_and(is_number), "replace(\0, '%', '')"),
];

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(|number| !number.is_nan())
}

/// A number in groups of three digits, as in 1,234.50, or without groups.
fn grouped(text: &str, group: char, point: char) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = text.split_once(point).unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut groups = whole.split(group);
    let first = groups.next().unwrap_or_default();
    let in_groups = whole.contains(group);
    digits(first)
        && digits(fraction)
        && (!in_groups || first.len() <= 3)
        && groups.all(|part| part.len() == 3 && digits(part))
}

/// Looks for texts in columns that must hold numbers.
pub(super) fn texts(file: &DataFile, columns: &[&str]) -> Texts {
    let mut found = columns_with_texts(file, columns).unwrap_or_default();
    found.retain(|_, column| column.line > 0 && !column.is_truths());
    let missing: BTreeSet<&String> = found.values().flat_map(|column| &column.missing).collect();
    let one = missing.len() == 1 && found.values().all(|column| column.others == 0);
    if let (Some(text), true) = (missing.first(), one) {
        return Texts::Missing((*text).clone());
    }
    let mut odd: Vec<Odd> = found
        .iter()
        .map(|(name, column)| Odd { line: column.line, column: name.clone(), cure: column.cure(name) })
        .collect();
    odd.sort_by_key(|odd| odd.line);
    if odd.is_empty() { Texts::None } else { Texts::Other(odd) }
}

fn columns_with_texts(file: &DataFile, columns: &[&str]) -> Option<BTreeMap<String, Column>> {
    let mut reader = file.csv_reader()?;
    let header = reader.byte_headers().ok()?.clone();
    let known = |name: &[u8]| columns.iter().find(|column| column.as_bytes() == name);
    let mut found: Vec<(usize, &str, Column)> = header
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at, *known(name)?, Column::default())))
        .collect();
    for record in reader.byte_records().map_while(Result::ok) {
        let line = record.position().map_or(0, csv::Position::line);
        for (at, _, column) in &mut found {
            let value = String::from_utf8_lossy(record.get(*at).unwrap_or_default());
            if !value.is_empty() && file.null.as_deref() != Some(&value) {
                column.note(&value, line);
            }
        }
    }
    Some(found.into_iter().map(|(_, name, column)| (name.to_owned(), column)).collect())
}

impl Column {
    fn note(&mut self, value: &str, line: u64) {
        if is_number(value) {
            self.numbers += 1;
            // Where commas stand before decimals, 1.5 among them is in another notation, and 1.234 is not.
            for (unread, (reads, _)) in self.unread.iter_mut().zip(NOTATIONS).take(2) {
                *unread |= !reads(value);
            }
            return;
        }
        if self.line == 0 {
            self.line = line;
        }
        if MISSING.contains(&value) {
            self.missing.insert(value.to_owned());
            return;
        }
        self.others += 1;
        if self.different.len() <= CODES {
            self.different.insert(value.to_owned());
        }
        for (unread, (reads, _)) in self.unread.iter_mut().zip(NOTATIONS) {
            *unread |= !reads(value);
        }
    }

    /// Whether it is read as true and false, so that how numbers are made of it is a question of its type.
    fn is_truths(&self) -> bool {
        let is_truth = |text: &String| ["true", "false"].iter().any(|it| text.eq_ignore_ascii_case(it));
        self.numbers == 0 && self.missing.is_empty() && self.different.iter().all(is_truth)
    }

    /// Whether it holds nothing but a few words.
    fn is_codes(&self) -> bool {
        let is_word = |text: &String| {
            text.starts_with(char::is_alphabetic) && !text.contains(|it: char| it == '`' || it.is_control())
        };
        self.numbers == 0 && (1..=CODES).contains(&self.different.len()) && self.different.iter().all(is_word)
    }

    /// How SQL makes numbers of all of its texts.
    fn cure(&self, name: &str) -> Cure {
        let name = quoted(name);
        let inner = self.missing.iter().fold(COLUMN.to_owned(), |it, text| format!("nullif({it}, '{text}')"));
        let number =
            |reads: &str| format!("CAST({} AS DOUBLE)", reads.replace(COLUMN, &inner).replace(COLUMN, &name));
        if self.others == 0 {
            return Cure::Notation(number(COLUMN));
        }
        let read = self.unread.iter().zip(NOTATIONS).find(|(unread, _)| !**unread);
        if let Some((_, (_, reads))) = read {
            return Cure::Notation(number(reads));
        }
        if self.numbers > self.others {
            return Cure::Losing(format!("try_cast({name} AS DOUBLE)"), self.others);
        }
        match self.is_codes().then(|| codes(&name, &self.different, ["1", "0"])) {
            Some((sql, is_known)) => Cure::Codes(sql, is_known),
            None => Cure::Unknown,
        }
    }
}

/// The few texts of a column, made the values of a yes and of a no; and whether it is known which is which.
fn codes(name: &str, texts: &BTreeSet<String>, [yes, no]: [&str; 2]) -> (String, bool) {
    let meant = |text: &String| {
        let text = text.to_lowercase();
        match (YES.contains(&text.as_str()), NO.contains(&text.as_str())) {
            (true, _) => Some(yes),
            (_, true) => Some(no),
            _ => None,
        }
    };
    let is_known = texts.iter().all(|text| meant(text).is_some());
    let when = |text: &String| {
        let number = meant(text).filter(|_| is_known).unwrap_or("?");
        format!(" WHEN '{}' THEN {number}", text.replace('\'', "''"))
    };
    (format!("CASE {name}{} END", texts.iter().map(when).collect::<String>()), is_known)
}

/// The view that makes truths of a column of few texts, and whether it is known which are true.
pub(super) fn truths(file: &DataFile, column: &str) -> Option<(String, bool)> {
    let found = columns_with_texts(file, &[column])?;
    let found = found.get(column)?;
    found.is_codes().then(|| codes(&quoted(column), &found.different, ["true", "false"]))
}

/// How SQL makes whole numbers of a column whose numbers, as they are written, all could have dots between thousands: 1.234
/// or 12.500, and 850 among them, but no 1.5 and no 1234.
pub(super) fn thousands(file: &DataFile, column: &str, is_text: bool) -> Option<String> {
    let mut reader = file.csv_reader()?;
    let at = reader.byte_headers().ok()?.iter().position(|name| name == column.as_bytes())?;
    let (mut dotted, mut plain) = (false, false);
    for record in reader.byte_records().map_while(Result::ok) {
        let value = std::str::from_utf8(record.get(at).unwrap_or_default()).ok()?;
        if value.is_empty() || file.null.as_deref() == Some(value) {
            continue;
        }
        let digits = value.strip_prefix('-').unwrap_or(value);
        let first = digits.split('.').next().unwrap_or_default();
        if !grouped(digits, '.', ',') || digits.contains(',') || first.len() > 3 {
            return None;
        }
        let has_dot = digits.contains('.');
        // Nobody writes 0.125 for a hundred and twenty-five.
        if has_dot && first.starts_with('0') {
            return None;
        }
        dotted |= has_dot;
        plain |= !has_dot;
    }
    let name = quoted(column);
    dotted.then(|| match (is_text, plain) {
        (true, _) => format!("CAST(replace({name}, '.', '') AS BIGINT)"),
        (false, false) => format!("CAST(round({name} * 1000) AS BIGINT)"),
        // What has no dot was read as it is; what ends in `.000` would have been read as a text.
        (false, true) => {
            format!(
                "CAST(CASE WHEN {name} = floor({name}) THEN {name} ELSE round({name} * 1000) END AS BIGINT)"
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use liquid_engine::Format;

    use super::*;

    fn file(folder: &tempfile::TempDir, text: &str) -> DataFile {
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        DataFile { path, format: Format::Csv, null: None, delimiter: None }
    }

    fn of(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        match texts(&file(&folder, text), &["mass", "age"]) {
            Texts::None => "none".to_owned(),
            Texts::Missing(text) => format!("missing {text}"),
            Texts::Other(odd) => {
                let said = odd.iter().map(|Odd { line, column, cure }| match cure {
                    Cure::Notation(sql) => format!("{line} {column} {sql}"),
                    Cure::Losing(sql, count) => format!("{line} {column} {sql} loses {count}"),
                    Cure::Codes(sql, is_known) => format!("{line} {column} {sql} {is_known}"),
                    Cure::Unknown => format!("{line} {column} ?"),
                });
                said.collect::<Vec<_>>().join("; ")
            }
        }
    }

    #[test]
    fn one_text_for_missing_values_is_found_and_anything_else_is_not_taken_for_it() {
        for (text, expected) in [
            ("who,mass,age\nNA,1,2\n", "none"),
            ("who,mass,age\na,NA,2\nb,3.5,NA\n", "missing NA"),
            ("who,mass,age\na,True,2\nb,false,2\nc,,2\n", "none"),
            ("who,mass,age\na,True,NA\n", "missing NA"),
            ("who,mass,age\na,True,2\nb,NA,2\n", "2 mass CASE \"mass\" WHEN 'True' THEN 1 END true"),
            ("who,mass,age\na,,2\nb,-1e3,?\n", "missing ?"),
            ("who,mass,age\na,n.a.,2\n", "missing n.a."),
            ("who,mass,age\na,NaN,2\n", "missing NaN"),
            (
                "who,mass,age\na,1,2\nb,NA,2\nc,?,2\n",
                "3 mass CAST(nullif(nullif(\"mass\", '?'), 'NA') AS DOUBLE)",
            ),
            ("who,mass,age\na,1,2\nb,1,2\nc,many,2\n", "4 mass try_cast(\"mass\" AS DOUBLE) loses 1"),
            ("who,mass,age\na,1,2\nb,some,2\nc,many,2\n", "3 mass ?"),
            ("who,mass,age\na,\"1,234.50\",2\nb,7,2\n", "2 mass CAST(replace(\"mass\", ',', '') AS DOUBLE)"),
            (
                "who,mass,age\na,\"1.234,50\",2\nb,\"7,5\",\"2,5\"\nc,NA,1\n",
                "2 mass CAST(replace(replace(nullif(\"mass\", 'NA'), '.', ''), ',', '.') AS DOUBLE); \
                 3 age CAST(replace(replace(\"age\", '.', ''), ',', '.') AS DOUBLE)",
            ),
            (
                "who,mass,age\na,8.7%,2\nb,NA,2\n",
                "2 mass CAST(replace(nullif(\"mass\", 'NA'), '%', '') AS DOUBLE)",
            ),
            ("who,mass,age\na,\"1,234.50\",2\nb,5 kg,2\n", "2 mass ?"),
            ("who,mass,age\na,\"1,5\",2\nb,1.5,2\nc,1.5,2\n", "2 mass try_cast(\"mass\" AS DOUBLE) loses 1"),
            (
                "who,mass,age\na,yes,2\nb,No,2\nc,,2\n",
                "2 mass CASE \"mass\" WHEN 'No' THEN 0 WHEN 'yes' THEN 1 END true",
            ),
            ("who,mass,age\na,O'F,2\n", "2 mass CASE \"mass\" WHEN 'O''F' THEN ? END false"),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn dots_are_taken_for_thousands_only_where_all_numbers_could_be_written_so() {
        let folder = tempfile::tempdir().unwrap();
        let of = |values: &str, is_text| {
            thousands(&file(&folder, &format!("x\n{}\n", values.replace(' ', "\n"))), "x", is_text)
        };
        assert_eq!(of("1.234 12.500", false).unwrap(), "CAST(round(\"x\" * 1000) AS BIGINT)");
        assert!(of("1.234 850 -7.001", false).unwrap().contains("CASE WHEN"));
        assert_eq!(of("1.234 850 2.000", true).unwrap(), "CAST(replace(\"x\", '.', '') AS BIGINT)");
        for values in ["1.5 1.234", "1234 1.234", "0.125 1.234", "850 12", "1234.567", "\"1.234,5\""] {
            assert_eq!(of(values, false), None, "{values}");
        }
    }
}
