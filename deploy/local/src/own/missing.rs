//! Texts that stand for a missing value in a CSV file, such as `NA`: found where an agreement measures a column that holds
//! numbers but for these.

use std::collections::{BTreeMap, BTreeSet};

use liquid_engine::Format;
use liquid_policy::document::Agreement;

use super::agreement::is_added_up;
use super::files::DataFile;
use super::sql::{quoted, replacing};

/// What people write for a missing value.
const MISSING: [&str; 12] = ["NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "None", "?", "-", "."];

/// What keeps some columns of a file from being numbers.
pub(super) enum Texts {
    /// Nothing: they are numbers already, or the file cannot be read that far.
    None,
    /// This text alone, which stands for a missing value.
    Missing(String),
    /// Other texts, or several: where the first of a column stands, and how SQL makes numbers of all of that column, where
    /// they are numbers in another notation. [`COLUMN`] stands for the column.
    Other { line: u64, column: String, number: Option<String> },
}

/// Stands for a column in SQL.
const COLUMN: &str = "\0";

/// Finds the texts that stand for missing values in columns that the agreement measures, and returns the columns that hold
/// numbers but for these. What other texts in them mean is for the site's views to say.
pub(super) fn values(
    agreement: &Agreement,
    files: &mut BTreeMap<String, DataFile>,
    has_views: bool,
    problems: &mut Vec<String>,
) -> BTreeSet<(String, String)> {
    let mut numbers = BTreeSet::new();
    for (name, table) in agreement.tables() {
        let Some(file) = files.get_mut(name.as_str()).filter(|file| file.format == Format::Csv) else {
            continue;
        };
        let measured = table.columns().iter().filter(|(_, column)| is_added_up(column));
        let measured: Vec<&str> = measured.map(|(name, _)| name.as_str()).collect();
        let found = texts(file, &measured);
        if let Texts::Other { line, column, number } = found {
            if !has_views {
                problems.push(format!(
                    "{}:{line}: column `{column}` holds a text, and the agreement measures it as a number; correct the file, \
                     or {}",
                    file.path.display(),
                    number_view(name.as_str(), &column, number.as_deref()),
                ));
            }
            continue;
        }
        numbers.extend(measured.iter().map(|column| (name.to_string(), (*column).to_owned())));
        if let Texts::Missing(text) = found {
            file.null = Some(text);
        }
    }
    numbers
}

/// How to make numbers of a column by a view, where that is known.
pub(super) fn number_view(table: &str, column: &str, number: Option<&str>) -> String {
    let Some(number) = number else {
        return "make numbers of its texts by a view in `views.sql`".to_owned();
    };
    let number = format!("CAST({} AS DOUBLE)", number.replace(COLUMN, &quoted(column)));
    format!("write in `views.sql` `{}`", replacing(table, column, &number))
}

/// The texts of one column.
#[derive(Default)]
struct Column {
    line: u64,
    missing: BTreeSet<String>,
    /// Whether there are others, and whether all of them are numbers in a notation.
    others: bool,
    unread: [bool; NOTATIONS.len()],
}

/// How people write numbers, and how SQL reads what they have written.
const NOTATIONS: [(fn(&str) -> bool, &str); 2] = [
    (|text| grouped(text, ',', '.'), "replace(\0, ',', '')"),
    (|text| grouped(text, '.', ','), "replace(replace(\0, '.', ''), ',', '.')"),
];

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
    let delimiter = file.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()).unwrap_or(b',');
    let reader = csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_path(&file.path);
    let Ok(mut reader) = reader else { return Texts::None };
    let Ok(header) = reader.byte_headers().cloned() else { return Texts::None };
    let wanted: Vec<(usize, &str)> = header
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at, *columns.iter().find(|column| column.as_bytes() == name)?)))
        .collect();
    let mut found: BTreeMap<usize, Column> = BTreeMap::new();
    for record in reader.byte_records().map_while(Result::ok) {
        let line = record.position().map_or(0, csv::Position::line);
        for (at, _) in &wanted {
            let value = String::from_utf8_lossy(record.get(*at).unwrap_or_default());
            if value.is_empty()
                || file.null.as_deref() == Some(&value)
                || value.parse::<f64>().is_ok_and(|number| !number.is_nan())
            {
                continue;
            }
            let column = found.entry(*at).or_insert_with(|| Column { line, ..Column::default() });
            if MISSING.contains(&value.as_ref()) {
                column.missing.insert(value.into_owned());
            } else {
                column.others = true;
                for (unread, (reads, _)) in column.unread.iter_mut().zip(NOTATIONS) {
                    *unread |= !reads(&value);
                }
            }
        }
    }
    let missing: BTreeSet<&String> = found.values().flat_map(|column| &column.missing).collect();
    let one = missing.len() == 1 && found.values().all(|column| !column.others);
    match (missing.first(), found.iter().min_by_key(|(_, column)| column.line)) {
        (_, None) => Texts::None,
        (Some(text), _) if one => Texts::Missing((*text).clone()),
        (_, Some((at, column))) => Texts::Other {
            line: column.line,
            column: wanted.iter().find(|(known, _)| known == at).map_or("", |(_, name)| *name).to_owned(),
            number: column.number(),
        },
    }
}

impl Column {
    /// How SQL makes numbers of all of its texts.
    fn number(&self) -> Option<String> {
        let column =
            self.missing.iter().fold(COLUMN.to_owned(), |inner, text| format!("nullif({inner}, '{text}')"));
        if !self.others {
            return Some(column);
        }
        let (_, (_, reads)) = self.unread.iter().zip(NOTATIONS).find(|(unread, _)| !**unread)?;
        Some(reads.replace(COLUMN, &column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        let file = DataFile { path, format: Format::Csv, null: None, delimiter: None };
        match texts(&file, &["mass", "age"]) {
            Texts::None => "none".to_owned(),
            Texts::Missing(text) => format!("missing {text}"),
            Texts::Other { line, column, number } => {
                format!("{line} {column} {}", number.unwrap_or_default().replace(COLUMN, "x"))
            }
        }
    }

    #[test]
    fn one_text_for_missing_values_is_found_and_anything_else_is_not_taken_for_it() {
        assert_eq!(of("who,mass,age\nNA,1,2\n"), "none", "another column may hold it");
        assert_eq!(of("who,mass,age\na,NA,2\nb,3.5,NA\n"), "missing NA");
        assert_eq!(of("who,mass,age\na,,2\nb,-1e3,?\n"), "missing ?");
        assert_eq!(of("who,mass,age\na,1,2\nb,NA,2\nc,?,2\n"), "3 mass nullif(nullif(x, '?'), 'NA')");
        assert_eq!(of("who,mass,age\na,1,2\nb,\"many\",2\n"), "3 mass ");
        assert_eq!(of("who,mass,age\na,NaN,2\n"), "missing NaN");
        assert_eq!(of("who,mass,age\na,\"1,234.50\",2\nb,7,2\n"), "2 mass replace(x, ',', '')");
        assert_eq!(
            of("who,mass,age\na,\"1.234,50\",2\nb,\"7,5\",2\nc,NA,1\n"),
            "2 mass replace(replace(nullif(x, 'NA'), '.', ''), ',', '.')"
        );
        assert_eq!(
            of("who,mass,age\na,\"1,234.50\",2\nb,5 kg,2\n"),
            "2 mass ",
            "no view for what is no number"
        );
    }
}
