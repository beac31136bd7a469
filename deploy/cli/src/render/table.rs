//! The format for people: columns aligned, numbers to the right, withheld cells named instead of left empty. On a
//! terminal that is too narrow, long texts go on in the next line; nothing is cut off.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use console::{Alignment, measure_text_width, pad_str};
use liquid_local::answer::{Answer, Mark};

use liquid_policy::unseen::marked;

use crate::terminal::Paint;

/// What stands in a cell that an agreement hides.
pub(crate) const WITHHELD: &str = "WITHHELD";
/// What stands behind a value that is computed from rows of which some may be missing.
pub(crate) const INCOMPLETE: &str = "*";

const GAP: &str = "   ";
const MARGIN: &str = "  ";
/// No column becomes narrower than this.
const NARROW: usize = 16;

struct Column {
    name: String,
    alignment: Alignment,
    cells: Vec<String>,
    width: usize,
}

/// The answer as lines, within `width` if that is possible.
///
/// # Errors
/// Where a column has a type that cannot be printed.
pub(crate) fn table(answer: &Answer, paint: Paint, width: Option<usize>) -> Result<Vec<String>, ArrowError> {
    let mut columns: Vec<Column> =
        (0..answer.width()).map(|at| column(answer, at, paint)).collect::<Result<_, _>>()?;
    if let Some(width) = width {
        fit(&mut columns, width);
    }
    let mut lines = row(&columns, |column| paint.bold(&column.name));
    lines.extend(row(&columns, |column| paint.dim(&"─".repeat(column.width))));
    for at in 0..answer.rows() {
        lines.extend(row(&columns, |column| column.cells.get(at).cloned().unwrap_or_default()));
    }
    if answer.rows() == 0 {
        lines.push(format!("{MARGIN}{}", paint.dim("no rows")));
    }
    Ok(lines)
}

fn column(answer: &Answer, at: usize, paint: Paint) -> Result<Column, ArrowError> {
    let mut cells = Vec::with_capacity(answer.rows());
    for batch in answer.batches() {
        let shown = text(batch.column(at))?;
        for (row, text) in shown.into_iter().enumerate() {
            cells.push(match (answer.mark(batch, at, row), text) {
                (Mark::Withheld, _) => paint.warn(WITHHELD),
                (Mark::Incomplete, Some(text)) => format!("{text}{INCOMPLETE}"),
                (Mark::Incomplete, None) => format!("{}{INCOMPLETE}", paint.dim("NULL")),
                (Mark::Plain, Some(text)) => text,
                (Mark::Plain, None) => paint.dim("NULL"),
            });
        }
    }
    let number = answer.schema().fields().get(at).is_some_and(|field| field.data_type().is_numeric());
    let alignment = if number { Alignment::Right } else { Alignment::Left };
    let name = answer.names().get(at).map(|name| plain(name)).unwrap_or_default();
    let widest = cells.iter().map(|cell| measure_text_width(cell)).max().unwrap_or(0);
    Ok(Column { width: widest.max(measure_text_width(&name)), name, alignment, cells })
}

/// Makes the widest columns narrower until the table fits, or until nothing more can be done.
fn fit(columns: &mut [Column], width: usize) {
    loop {
        let gaps = GAP.len() * columns.len().saturating_sub(1) + MARGIN.len();
        let total = columns.iter().map(|column| column.width).sum::<usize>() + gaps;
        let floor = |column: &Column| NARROW.max(measure_text_width(&column.name));
        let widest = columns.iter_mut().filter(|c| c.width > floor(c)).max_by_key(|column| column.width);
        match widest {
            Some(column) if total > width => {
                column.width = column.width.saturating_sub(total - width).max(floor(column));
            }
            _ => return,
        }
    }
}

/// One row, which takes as many lines as its longest cell.
fn row(columns: &[Column], cell: impl Fn(&Column) -> String) -> Vec<String> {
    let cells: Vec<Vec<String>> = columns.iter().map(|column| folded(&cell(column), column.width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    (0..height)
        .map(|at| {
            let parts: Vec<_> = columns
                .iter()
                .zip(&cells)
                .map(|(column, lines)| {
                    let text = lines.get(at).map_or("", String::as_str);
                    pad_str(text, column.width, column.alignment, None)
                })
                .collect();
            format!("{MARGIN}{}", parts.join(GAP)).trim_end().to_owned()
        })
        .collect()
}

/// A cell's text in lines of at most `width`.
fn folded(text: &str, width: usize) -> Vec<String> {
    if measure_text_width(text) <= width {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for letter in text.chars() {
        if measure_text_width(&line) >= width {
            lines.push(std::mem::take(&mut line));
        }
        line.push(letter);
    }
    lines.push(line);
    lines
}

/// Each value as text; none for NULL.
fn text(values: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    if *values.data_type() == DataType::Float64 {
        return Ok(values.as_primitive::<Float64Type>().iter().map(|value| value.map(short)).collect());
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(values.as_ref(), &options)?;
    Ok((0..values.len())
        .map(|row| values.is_valid(row).then(|| plain(&formatter.value(row).to_string())))
        .collect())
}

/// Neither a value nor a name that the question gave can steer the terminal or break the table.
fn plain(text: &str) -> String {
    let seen = |letter: char| if letter.is_control() { ' ' } else { letter };
    marked(&text.chars().map(seen).collect::<String>())
}

/// Four decimals are enough to read; the other formats give every digit.
fn short(value: f64) -> String {
    if value.is_finite() && value != 0.0 && (value.abs() < 0.001 || value.abs() >= 1e15) {
        return format!("{value:e}");
    }
    let text = format!("{value:.4}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch, StringArray, UInt8Array};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn floats_are_short_but_never_empty() {
        let cases = [
            (53.510_869_565, "53.5109"),
            (2.0, "2"),
            (0.0, "0"),
            (-0.0, "0"),
            (0.000_25, "2.5e-4"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
            (100.0, "100"),
        ];
        for (value, expected) in cases {
            assert_eq!(short(value), expected);
        }
    }

    fn answer() -> Answer {
        let schema = Arc::new(Schema::new(vec![
            Field::new("ward", DataType::Utf8, true),
            Field::new("n", DataType::Int64, true),
            Field::new("ward_mark", DataType::UInt8, true),
            Field::new("n_mark", DataType::UInt8, true),
        ]));
        let wards = StringArray::from(vec![Some("a very long name of a ward"), None, Some("c\u{1b}[2J")]);
        let numbers = Int64Array::from(vec![Some(12), None, Some(7)]);
        let (first, second) = (UInt8Array::from(vec![0, 0, 0]), UInt8Array::from(vec![0, 2, 1]));
        let columns: Vec<ArrayRef> =
            vec![Arc::new(wards), Arc::new(numbers), Arc::new(first), Arc::new(second)];
        Answer::new(schema.clone(), vec![RecordBatch::try_new(schema, columns).unwrap()], None)
    }

    #[test]
    fn withheld_missing_and_incomplete_look_different() {
        let lines = table(&answer(), Paint::plain(), None).unwrap();
        let expected = [
            "  ward                                n",
            "  ──────────────────────────   ────────",
            "  a very long name of a ward         12",
            "  NULL                         WITHHELD",
            "  c [2J                              7*",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_narrow_terminal_folds_and_cuts_nothing() {
        let lines = table(&answer(), Paint::plain(), Some(30)).unwrap();
        assert_eq!(lines[2], "  a very long name          12");
        assert_eq!(lines[3], "  of a ward");
        assert!(lines.iter().all(|line| measure_text_width(line) <= 30), "{lines:#?}");
    }
    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let schema = Arc::new(Schema::new(vec![Field::new("a\u{1b}[2J\nb", DataType::Int64, true)]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let batch = RecordBatch::try_new(schema.clone(), vec![numbers]).unwrap();
        let lines = table(&Answer::new(schema, vec![batch], None), Paint::plain(), None).unwrap();
        assert_eq!(lines[0], "  a [2J b");
    }
}
