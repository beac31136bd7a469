//! An NDJSON file, looked through: whether each line is one object, and what its columns hold.

use std::collections::HashMap;
use std::io::BufRead;

use serde_json::{Map, Value};

use super::look::{Problem, Seens};
use super::seen::{Seen, Sort};

/// Reads up to `rows` objects of file number `at`.
pub(crate) fn look(mut reader: impl BufRead, at: usize, rows: u64) -> Result<Seens, Problem> {
    let (mut columns, mut places): (Vec<(String, Seen)>, HashMap<String, usize>) = Default::default();
    let (mut text, mut line, mut read) = (Vec::new(), 0_u64, 0);
    while read < rows {
        text.clear();
        if reader.read_until(b'\n', &mut text).map_err(Problem::io)? == 0 {
            return Ok(Seens { columns, complete: true });
        }
        line += 1;
        let trimmed = text.trim_ascii();
        if line == 1 {
            beginning(trimmed)?;
        }
        if trimmed.is_empty() {
            continue;
        }
        read += 1;
        let object: Map<String, Value> = serde_json::from_slice(trimmed).map_err(|error| {
            let reason = match error.classify() {
                serde_json::error::Category::Data => "it is JSON, but no object".to_owned(),
                serde_json::error::Category::Eof => "the JSON object ends too early".to_owned(),
                serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                    format!("it is no JSON from letter {} on", error.column())
                }
            };
            Problem::new(reason, "write one whole JSON object a line").line(line)
        })?;
        for (name, value) in object {
            let place = match places.get(&name) {
                Some(place) => *place,
                None => {
                    places.insert(name.clone(), columns.len());
                    columns.push((name, Seen::default()));
                    columns.len() - 1
                }
            };
            if let (Some(sort), Some((_, seen))) = (sort_of(&value), columns.get_mut(place)) {
                seen.note(sort, (at, line));
            }
        }
    }
    Ok(Seens { columns, complete: false })
}

fn beginning(line: &[u8]) -> Result<(), Problem> {
    if line.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Err(Problem::new("it begins with a byte order mark", "save it as UTF-8 without one").line(1));
    }
    if line.starts_with(b"[") {
        return Err(Problem::new(
            "it is one JSON array",
            "write one object a line; `jq -c '.[]' old.json > new.ndjson` does so",
        )
        .line(1));
    }
    Ok(())
}

fn sort_of(value: &Value) -> Option<Sort> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => Sort::Truth,
        Value::Number(number) if number.is_i64() => Sort::Whole,
        Value::Number(_) => Sort::Number,
        Value::String(_) => Sort::Text,
        Value::Array(_) | Value::Object(_) => Sort::Nested,
    })
}
