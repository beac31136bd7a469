//! What a source holds: its columns and their types, or what is wrong in which file, on which line, in which column, and
//! how to mend it. No value is ever quoted.

use std::io::{self, BufRead, Read as _};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use datafusion::datasource::file_format::FileFormat;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionContext;
use futures::FutureExt as _;
use object_store::ObjectStore;

use super::files::File;
use super::read::with_reader;
use super::seen::{Seen, Sort};
use super::{csv_text, magic, ndjson};
use crate::config::{Format, SourceConfig};
use crate::error::{OpenError, Place};

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(super) reason: String,
    pub(super) fix: String,
    line: Option<u64>,
    column: Option<String>,
}

impl Problem {
    pub(crate) fn new(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { reason: reason.into(), fix: fix.into(), line: None, column: None }
    }

    pub(crate) fn io(error: io::Error) -> Self {
        Self::new(format!("it cannot be read: {error}"), "check the disk or the store that it lies on")
    }

    pub(crate) fn line(self, line: u64) -> Self {
        Self { line: Some(line), ..self }
    }

    pub(crate) fn column(self, name: &str) -> Self {
        Self { column: Some(name.to_owned()), ..self }
    }

    /// The operator's text, where it is not about a file.
    pub(crate) fn of_source(self, source: &SourceConfig) -> OpenError {
        OpenError::source(source, self.reason, self.fix)
    }

    /// The operator's text.
    pub(crate) fn of(self, source: &SourceConfig, file: &File) -> OpenError {
        let place = Box::new(Place { file: file.shown.clone(), line: self.line, column: self.column });
        OpenError::Data { name: source.name.clone(), place, reason: self.reason, fix: self.fix }
    }
}

/// What one text file holds.
#[derive(Debug)]
pub(crate) struct Seens {
    pub(crate) columns: Vec<(String, Seen)>,
    pub(crate) complete: bool,
}

/// One column of a source.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    /// Of a text file: which sorts of values stand on which lines.
    pub(crate) seen: Option<Seen>,
}

/// What a source holds.
#[derive(Debug, Clone)]
pub(crate) struct Looked {
    pub(crate) columns: Vec<Found>,
    /// Whether all rows were looked at.
    pub(crate) complete: bool,
}

impl Looked {
    /// The columns that the engine reads: all but nested ones, which no model has.
    pub(crate) fn schema(&self) -> Schema {
        let fields = self.columns.iter().filter(|found| !found.data_type.is_nested());
        Schema::new(
            fields.map(|found| Field::new(&found.name, found.data_type.clone(), true)).collect::<Vec<_>>(),
        )
    }
}

/// Rows of a CSV or NDJSON source that are read to find the types of its columns.
pub(crate) const TYPED_BY: u64 = 1_000_000;

/// Looks through the files of a source.
pub(crate) async fn look(
    session: &SessionContext,
    source: &SourceConfig,
    files: &[File],
    format: &dyn FileFormat,
    store: &Arc<dyn ObjectStore>,
    rows: u64,
) -> Result<Looked, OpenError> {
    let mut all: Option<Looked> = None;
    let mut left = rows;
    for (at, file) in files.iter().enumerate() {
        let looked = match source.format {
            Format::Csv | Format::Ndjson => {
                let looked = text(source, file, at, left.max(1)).await?;
                left = left.saturating_sub(if looked.complete { 0 } else { left });
                looked
            }
            Format::Parquet | Format::Arrow => binary(session, source, file, format, store).await?,
        };
        all = Some(match (all, files.first()) {
            (Some(all), Some(first)) => join(source, all, (first, file), looked)?,
            _ => looked,
        });
    }
    let mut looked = all.unwrap_or(Looked { columns: Vec::new(), complete: true });
    for column in &mut looked.columns {
        if let Some(seen) = &column.seen {
            column.data_type = text_type(source, files, &column.name, seen, looked.complete)?;
        }
    }
    if looked.schema().fields().is_empty() {
        let problem = Problem::new("it has no column", "write at least one row, or take the file away");
        return Err(files.first().map_or_else(
            || OpenError::source(source, "it has no file", "check `path` of this [[engine.source]]"),
            |file| problem.of(source, file),
        ));
    }
    Ok(looked)
}

async fn text(source: &SourceConfig, file: &File, at: usize, rows: u64) -> Result<Looked, OpenError> {
    let given = source.clone();
    let work = move |mut reader: Box<dyn BufRead>| {
        if let Some(problem) = magic::other_than(given.format, reader.fill_buf().map_err(Problem::io)?) {
            return Err(problem);
        }
        match given.format {
            Format::Csv => csv_text::look(reader, &given, at, rows),
            _ => ndjson::look(reader, at, rows),
        }
    };
    let seens = with_reader(file, work).await.map_err(|error| OpenError::unread(source, file, &error))?;
    let Seens { columns, complete } = seens.map_err(|problem| problem.of(source, file))?;
    let columns =
        columns.into_iter().map(|(name, seen)| Found { name, data_type: DataType::Null, seen: Some(seen) });
    Ok(Looked { columns: columns.collect(), complete })
}

/// The type of a text file's column over all files.
fn text_type(
    source: &SourceConfig,
    files: &[File],
    name: &str,
    seen: &Seen,
    complete: bool,
) -> Result<DataType, OpenError> {
    match seen.data_type() {
        // What comes later may hold a value.
        Some(DataType::Null) if !complete => Ok(DataType::Utf8),
        Some(known) => Ok(known),
        None if seen.first(Sort::Nested).is_some() && seen.first_but(&[Sort::Nested]).is_none() => {
            Ok(DataType::Struct(Fields::empty()))
        }
        None if source.format == Format::Csv => Ok(DataType::Utf8),
        None => {
            let ((at, line), sort) = seen.first_but(&[]).unwrap_or(((0, 0), Sort::Text));
            let alike: &[Sort] = if matches!(sort, Sort::Whole | Sort::Number) {
                &[Sort::Whole, Sort::Number]
            } else {
                &[sort]
            };
            let ((other_at, other_line), other) = seen.first_but(alike).unwrap_or(((at, line), sort));
            let before = if other_at == at { String::new() } else { " of another file".to_owned() };
            let problem = Problem::new(
                format!("it is {} here and {} on line {line}{before}", other.called(), sort.called()),
                "write one type of values in a column",
            );
            match files.get(other_at) {
                Some(file) => Err(problem.line(other_line).column(name).of(source, file)),
                None => Err(OpenError::source(source, problem.reason, problem.fix)),
            }
        }
    }
}

/// Takes the next file of a folder in: the same columns in the same order, except in NDJSON, where each line names them.
fn join(
    source: &SourceConfig,
    mut all: Looked,
    (first, file): (&File, &File),
    looked: Looked,
) -> Result<Looked, OpenError> {
    let differs = |reason: String| {
        let fix = "write the files of one source alike, or make a source of each and unite them in a view";
        Err(Problem::new(format!("{reason} `{}`", first.shown), fix).of(source, file))
    };
    let has = |columns: &[Found], name: &str| columns.iter().any(|column| column.name == name);
    if source.format != Format::Ndjson {
        if let Some(missing) = all.columns.iter().find(|column| !has(&looked.columns, &column.name)) {
            return differs(format!("it has no column `{}`, unlike", missing.name));
        }
        if let Some(more) = looked.columns.iter().find(|column| !has(&all.columns, &column.name)) {
            return differs(format!("it has a column `{}`, unlike", more.name));
        }
        let moved = all.columns.iter().zip(&looked.columns).any(|(one, other)| one.name != other.name);
        if moved && source.format == Format::Csv {
            return differs("it has its columns in another order than".to_owned());
        }
    }
    for column in looked.columns {
        match all.columns.iter_mut().find(|known| known.name == column.name) {
            Some(known) => match (&mut known.seen, &column.seen) {
                (Some(seen), Some(more)) => seen.merge(more),
                _ if known.data_type != column.data_type => {
                    return differs(format!(
                        "its column `{}` is {}, unlike in",
                        column.name, column.data_type
                    ));
                }
                _ => {}
            },
            None => all.columns.push(column),
        }
    }
    all.complete &= looked.complete;
    Ok(all)
}

async fn binary(
    session: &SessionContext,
    source: &SourceConfig,
    file: &File,
    format: &dyn FileFormat,
    store: &Arc<dyn ObjectStore>,
) -> Result<Looked, OpenError> {
    let state = session.state();
    let infer = format.infer_schema(&state, store, std::slice::from_ref(&file.meta));
    // A reader that trusts a damaged length panics.
    let schema = match AssertUnwindSafe(infer).catch_unwind().await {
        Ok(Ok(schema)) => schema,
        Ok(Err(DataFusionError::ObjectStore(error))) => return Err(OpenError::unread(source, file, &error)),
        unread => {
            if let Some(problem) = ends(source, file).await? {
                return Err(problem.of(source, file));
            }
            tracing::debug!(panicked = unread.is_err(), file = file.shown, "file does not open");
            let fix = "write it anew, or name its real format";
            return Err(Problem::new(unreadable(source.format), fix).of(source, file));
        }
    };
    let columns = schema.fields().iter().map(|field| Found {
        name: field.name().clone(),
        data_type: field.data_type().clone(),
        seen: None,
    });
    Ok(Looked { columns: columns.collect(), complete: true })
}

fn unreadable(format: Format) -> &'static str {
    match format {
        Format::Parquet => "it is damaged: its Parquet footer cannot be read",
        _ => "it is no Arrow IPC file or stream, or a damaged one",
    }
}

/// What the first and last bytes of a file say that does not open.
async fn ends(source: &SourceConfig, file: &File) -> Result<Option<Problem>, OpenError> {
    let size = file.meta.size;
    if size == 0 {
        return Ok(Some(Problem::new("it is empty", "write it anew, or take the file away")));
    }
    let format = source.format;
    let mark: &'static [u8] = if format == Format::Parquet { b"PAR1" } else { b"ARROW1" };
    let read = move |mut reader: Box<dyn BufRead>| -> io::Result<(bool, bool, Option<Problem>)> {
        let other = magic::other_than(format, reader.fill_buf()?);
        let mut bytes = Vec::new();
        (&mut reader).take(mark.len() as u64).read_to_end(&mut bytes)?;
        let begins = bytes == mark;
        let mut last = bytes;
        let mut chunk = [0; 8192];
        loop {
            let read = reader.read(&mut chunk)?;
            if read == 0 {
                return Ok((begins, last.ends_with(mark), other));
            }
            last.extend_from_slice(chunk.get(..read).unwrap_or_default());
            let surplus = last.len().saturating_sub(mark.len());
            last.drain(..surplus);
        }
    };
    let (begins, ends, other) = with_reader(file, read)
        .await
        .map_err(|error| OpenError::unread(source, file, &error))?
        .map_err(|error| Problem::io(error).of(source, file))?;
    Ok(other.or(match (format, begins, ends && size > mark.len() as u64) {
        (Format::Parquet, false, _) => {
            Some(Problem::new("it is no Parquet file", "write it anew, or name its real format"))
        }
        (_, true, false) => Some(Problem::new("it is cut off: its end is missing", "copy it anew")),
        _ => None,
    }))
}
