//! An answer in the four formats: data alone, so that each can go to a file or a pipe as it is.

mod legend;
mod table;

use std::io::Write;

use arrow::csv;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;

pub(crate) use legend::legend;
pub(crate) use table::table;

use crate::args::Format;
use crate::terminal::{self, Paint};
use liquid_local::answer::Answer;

/// Writes the answer's rows.
///
/// # Errors
/// Where the output cannot be written to.
pub(crate) fn write(
    answer: &Answer,
    format: Format,
    paint: Paint,
    out: &mut impl Write,
) -> Result<(), ArrowError> {
    match format {
        Format::Table => {
            for line in table(answer, paint, terminal::width())? {
                writeln!(out, "{line}")?;
            }
        }
        Format::Csv => {
            let mut writer = csv::WriterBuilder::new().with_header(true).build(out);
            for batch in answer.batches() {
                writer.write(batch)?; // the first one writes the header, even if it has no rows
            }
        }
        Format::Json => {
            let mut writer =
                WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut *out);
            for batch in answer.batches() {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
        Format::Arrow => {
            let mut writer = StreamWriter::try_new(out, answer.schema())?;
            for batch in answer.batches() {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
    }
    Ok(())
}
