//! Texts that stand for a missing value in a CSV file, such as `NA`: found where an agreement measures a column that holds
//! numbers but for these.

use std::collections::BTreeMap;
use std::path::Path;

/// What people write for a missing value.
const MISSING: [&str; 12] = ["NA", "N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "None", "?", "-", "."];

/// What keeps some columns of a file from being numbers.
pub(super) enum Texts {
    /// Nothing: they are numbers already, or the file cannot be read that far.
    None,
    /// This text alone, which stands for a missing value.
    Missing(String),
    /// Other texts, or several; the first of them, by line and column.
    Other { line: u64, column: String, texts: Vec<String> },
}

/// Looks for texts in columns that must hold numbers.
pub(super) fn texts(file: &Path, columns: &[&str]) -> Texts {
    let Ok(mut reader) = csv::ReaderBuilder::new().flexible(true).from_path(file) else { return Texts::None };
    let Ok(header) = reader.byte_headers().cloned() else { return Texts::None };
    let wanted: Vec<(usize, &str)> = header
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at, *columns.iter().find(|column| column.as_bytes() == name)?)))
        .collect();
    let mut found: BTreeMap<String, (u64, &str)> = BTreeMap::new();
    for record in reader.byte_records().map_while(Result::ok) {
        let line = record.position().map_or(0, csv::Position::line);
        for (at, column) in &wanted {
            let value = String::from_utf8_lossy(record.get(*at).unwrap_or_default()).into_owned();
            if !value.is_empty() && value.parse::<f64>().map_or(true, f64::is_nan) && found.len() < 5 {
                found.entry(value).or_insert((line, column));
            }
        }
    }
    let mut texts: Vec<(u64, &str, String)> =
        found.into_iter().map(|(text, (line, column))| (line, column, text)).collect();
    texts.sort();
    match texts.as_slice() {
        [] => Texts::None,
        [(_, _, text)] if MISSING.contains(&text.as_str()) => Texts::Missing(text.clone()),
        [(line, column, _), ..] => Texts::Other {
            line: *line,
            column: (*column).to_owned(),
            texts: texts
                .iter()
                .map(|(_, _, text)| text.clone())
                .filter(|it| MISSING.contains(&it.as_str()))
                .collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.csv");
        std::fs::write(&file, text).unwrap();
        match texts(&file, &["mass", "age"]) {
            Texts::None => "none".to_owned(),
            Texts::Missing(text) => format!("missing {text}"),
            Texts::Other { line, column, texts } => format!("{line} {column} {}", texts.join(",")),
        }
    }

    #[test]
    fn one_text_for_missing_values_is_found_and_anything_else_is_not_taken_for_it() {
        assert_eq!(of("who,mass,age\nNA,1,2\n"), "none", "another column may hold it");
        assert_eq!(of("who,mass,age\na,NA,2\nb,3.5,NA\n"), "missing NA");
        assert_eq!(of("who,mass,age\na,,2\nb,-1e3,?\n"), "missing ?");
        assert_eq!(of("who,mass,age\na,1,2\nb,NA,2\nc,?,2\n"), "3 mass NA,?");
        assert_eq!(of("who,mass,age\na,1,2\nb,\"many\",2\n"), "3 mass ");
        assert_eq!(of("who,mass,age\na,NaN,2\n"), "missing NaN");
    }
}
