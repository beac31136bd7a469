//! Texts that stand for a missing value in a CSV file, such as `NA`: found where an agreement measures a column that holds
//! numbers but for these.

use std::collections::{BTreeMap, BTreeSet};

use liquid_engine::Format;
use liquid_policy::document::Agreement;

use super::agreement::is_added_up;
use super::files::DataFile;
use super::numbers::{Odd, Texts, mended, texts};

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
        if let Texts::Other(odd) = found {
            problems.extend((!has_views).then(|| not_numbers(file, name.as_str(), &odd)));
            continue;
        }
        numbers.extend(measured.iter().map(|column| (name.to_string(), (*column).to_owned())));
        if let Texts::Missing(text) = found {
            file.null = Some(text);
        }
    }
    numbers
}

/// All columns of one file at once, so that one view mends them.
fn not_numbers(file: &DataFile, table: &str, odd: &[Odd]) -> String {
    let line = odd.first().map_or(1, |first| first.line);
    let what = match odd {
        [one] => format!("column `{}` holds a text, and the agreement measures it as a number", one.column),
        _ => {
            let named: Vec<String> =
                odd.iter().map(|odd| format!("`{}` (line {})", odd.column, odd.line)).collect();
            format!("columns {} hold texts, and the agreement measures them as numbers", named.join(", "))
        }
    };
    format!("{}:{line}: {what}; correct the file, or {}", file.path.display(), mended(table, odd))
}
