//! A CSV file, looked through: its header, each row's length and letters, and what its columns hold.

use std::io::BufRead;

use ::csv::{ByteRecord, ReaderBuilder};

use super::look::{Problem, Seens};
use super::seen::Seen;
use crate::config::SourceConfig;

/// Reads up to `rows` rows of file number `at`.
pub(crate) fn look(
    mut reader: impl BufRead,
    source: &SourceConfig,
    at: usize,
    rows: u64,
) -> Result<Seens, Problem> {
    let begin = reader.fill_buf().map_err(Problem::io)?;
    if begin.is_empty() {
        let fix = "write a header line with the names of the columns, or take the file away";
        return Err(Problem::new("it is empty", fix));
    }
    let delimiter = delimiter(source)?;
    let mut reader = ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(reader);
    let header = reader.byte_headers().map_err(unreadable)?.clone();
    let names = names(&header, delimiter)?;
    let mut columns = vec![Seen::default(); names.len()];
    let null = source.null.as_deref().unwrap_or("");
    let (mut record, mut read) = (ByteRecord::new(), 0);
    while read < rows {
        if !reader.read_byte_record(&mut record).map_err(unreadable)? {
            return Ok(Seens { columns: names.into_iter().zip(columns).collect(), complete: true });
        }
        read += 1;
        let line = record.position().map_or(0, ::csv::Position::line);
        if names.len() == 1 && record.len() > 1 {
            let reason = format!("it has one field, and a row below it has {}", record.len());
            let fix = "take out what stands above the line that names the columns";
            return Err(Problem::new(reason, fix).line(1));
        }
        if record.len() != names.len() {
            let fields = if record.len() == 1 { "field" } else { "fields" };
            return Err(Problem::new(
                format!("it has {} {fields} where the header has {}", record.len(), names.len()),
                "correct the row; a field that holds a delimiter, a quote or a line break stands in quotes",
            )
            .line(line));
        }
        for ((field, seen), name) in record.iter().zip(&mut columns).zip(&names) {
            let text = std::str::from_utf8(field).map_err(|_| not_utf8().line(line).column(name))?;
            if text != null {
                seen.note_field(text, (at, line));
            }
        }
    }
    Ok(Seens { columns: names.into_iter().zip(columns).collect(), complete: false })
}

/// What stands between two fields.
pub(crate) fn delimiter(source: &SourceConfig) -> Result<u8, Problem> {
    match source.delimiter {
        None => Ok(b','),
        Some(letter) if letter.is_ascii() && !matches!(letter, '"' | '\n' | '\r') => Ok(letter as u8),
        Some(_) => Err(Problem::new(
            "its `delimiter` cannot stand between fields",
            "write one ASCII letter, such as `;` or `\\t`",
        )),
    }
}

fn names(header: &ByteRecord, delimiter: u8) -> Result<Vec<String>, Problem> {
    let mut names: Vec<String> = Vec::new();
    for field in header {
        let name = std::str::from_utf8(field).map_err(|_| not_utf8().line(1))?;
        if header.len() == 1
            && let Some(other) = [';', '\t', '|', ',']
                .into_iter()
                .find(|it| *it != char::from(delimiter) && name.contains(*it))
        {
            return Err(Problem::new(
                format!(
                    "the header is one field with {other:?} in it, and {:?} delimits",
                    char::from(delimiter)
                ),
                format!("set `delimiter = \"{}\"` in this [[engine.source]]", other.escape_default()),
            )
            .line(1));
        }
        if name.trim().is_empty() {
            let reason = format!("column {} of the header has no name", names.len() + 1);
            return Err(Problem::new(reason, "give it one").line(1));
        }
        if names.iter().any(|known| known == name) {
            return Err(Problem::new("the header has this name twice", "rename one").line(1).column(name));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn not_utf8() -> Problem {
    Problem::new("it is not UTF-8", "save the file as UTF-8; `iconv -f latin1 -t utf8` does so for Latin-1")
}

fn unreadable(error: ::csv::Error) -> Problem {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => Problem::io(error),
        _ => Problem::new("it is no CSV file", "write it anew, or name its real format"),
    }
}
