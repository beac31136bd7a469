//! Released tables become Arrow Flight messages; nothing else can. [`IntoWire`] is sealed, and what an engine produced
//! ([`liquid_disclosure::Withheld`]) does not have it.
//!
//! What is said of an answer travels in the `app_metadata` of its last message, and under [`REPORT`] in its schema, which
//! readers keep that drop the former.
//!
//! The hash that an audit log holds of an answer is taken over [`Encoded::ipc`]: the Arrow IPC stream that anyone who
//! received the messages can put together again with [`assemble`].

pub mod gate;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightData;
use bytes::{BufMut, Bytes, BytesMut};
use liquid_disclosure::{Released, Table};

use crate::error::Error;

/// What ends the name of a mark column.
pub const MARK_SUFFIX: &str = "_mark";

/// The key under which an answer's schema holds what is said of the answer, as JSON.
pub const REPORT: &str = "liquid.report";

/// The key under which a described schema holds the request's id.
pub const REQUEST: &str = "liquid.request";

/// A value that may be put on the wire.
pub trait IntoWire: sealed::Sealed + Send + 'static {
    /// Encodes it; `marks` adds, after all columns, one `<column>_mark` (UInt8: 0 plain, 1 incomplete, 2 withheld) each,
    /// and `report` goes into the schema.
    ///
    /// # Errors
    /// [`Error::Fault`] where Arrow cannot encode the rows.
    fn into_wire(self, marks: bool, report: Option<&str>) -> Result<Encoded, Error>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for liquid_disclosure::Released<liquid_disclosure::Table> {}
    impl Sealed for super::Combined {}
    impl Sealed for super::Encoded {}
}

impl IntoWire for Released<Table> {
    fn into_wire(self, marks: bool, report: Option<&str>) -> Result<Encoded, Error> {
        Encoded::new(self.get().batch(), marks, report)
    }
}

/// Rows that a coordinator computed over sites' released tables. A coordinator holds nothing else, and a site, which
/// does, never makes one: `deploy/cli/tests/it/structure.rs` looks for the constructor's name.
#[derive(Debug, Clone)]
pub struct Combined(RecordBatch);

impl Combined {
    /// Takes `n` columns of values and then their `n` marks, computed over released tables alone.
    pub fn of_released_tables(batch: RecordBatch) -> Self {
        Self(batch)
    }
}

impl IntoWire for Combined {
    fn into_wire(self, marks: bool, report: Option<&str>) -> Result<Encoded, Error> {
        Encoded::new(&self.0, marks, report)
    }
}

/// Rows as Flight messages. Only the types above become one.
#[derive(Debug, Clone)]
pub struct Encoded {
    schema: SchemaRef,
    messages: Vec<FlightData>,
}

/// What was encoded stays as it is: its hash may be on record.
impl IntoWire for Encoded {
    fn into_wire(self, _marks: bool, _report: Option<&str>) -> Result<Encoded, Error> {
        Ok(self)
    }
}

/// Bodies stay under this size, unless a single row is larger.
const BODY_BYTES_MAX: usize = 1 << 20;

impl Encoded {
    fn new(batch: &RecordBatch, marks: bool, report: Option<&str>) -> Result<Self, Error> {
        let batch = outgoing(batch, marks)?;
        let schema = report.map_or_else(|| batch.schema(), |report| noted(&batch.schema(), REPORT, report));
        let header = gate::encode_schema(&schema).into();
        let mut messages = vec![FlightData { data_header: header, ..FlightData::default() }];
        let mut tracker = DictionaryTracker::new(false);
        let mut context = IpcWriteContext::default();
        let mut waiting = vec![batch.clone()];
        while let Some(part) = waiting.pop() {
            let (_, data) = IpcDataGenerator::default()
                .encode(&part, &mut tracker, &IpcWriteOptions::default(), &mut context)
                .map_err(|_| unencodable())?;
            let rows = part.num_rows();
            if data.arrow_data.len() > BODY_BYTES_MAX && rows > 1 {
                let half = rows / 2;
                waiting.push(part.slice(half, rows - half));
                waiting.push(part.slice(0, half));
                continue;
            }
            messages.push(FlightData {
                data_header: data.ipc_message.into(),
                data_body: data.arrow_data.into(),
                ..FlightData::default()
            });
        }
        Ok(Self { schema, messages })
    }

    /// The schema on the wire.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The messages: the schema first, then at least one batch.
    pub fn messages(&self) -> &[FlightData] {
        &self.messages
    }

    /// The messages, with `metadata` in the `app_metadata` of the last.
    pub fn into_messages(self, metadata: impl Into<Bytes>) -> Vec<FlightData> {
        let mut messages = self.messages;
        if let Some(last) = messages.last_mut() {
            last.app_metadata = metadata.into();
        }
        messages
    }

    /// The same rows as one Arrow IPC stream.
    pub fn ipc(&self) -> Bytes {
        assemble(&self.messages)
    }
}

/// The schema of an answer on the wire, from its value columns: names and types alone, every column nullable.
pub fn schema(values: &Schema, marks: bool) -> SchemaRef {
    let mut fields: Vec<Field> =
        values.fields().iter().map(|f| Field::new(f.name(), f.data_type().clone(), true)).collect();
    if marks {
        fields.extend(
            values
                .fields()
                .iter()
                .map(|f| Field::new(format!("{}{MARK_SUFFIX}", f.name()), DataType::UInt8, true)),
        );
    }
    Arc::new(Schema::new(fields))
}

/// The same schema with a note about the whole answer.
pub fn noted(schema: &Schema, key: &str, note: &str) -> SchemaRef {
    Arc::new(schema.clone().with_metadata([(key.to_owned(), note.to_owned())].into()))
}

/// Puts an Arrow IPC stream together from Flight messages, without reading them.
pub fn assemble<'a>(messages: impl IntoIterator<Item = &'a FlightData>) -> Bytes {
    let mut stream = BytesMut::new();
    for message in messages.into_iter().filter(|m| !m.data_header.is_empty()) {
        let padding = message.data_header.len().wrapping_neg() % 8;
        stream.put_slice(&[0xFF; 4]);
        // No header comes near 4 GiB: it fits into a message.
        stream.put_u32_le((message.data_header.len() + padding) as u32);
        stream.put_slice(&message.data_header);
        stream.put_bytes(0, padding);
        stream.put_slice(&message.data_body);
    }
    stream.put_slice(&[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]);
    stream.freeze()
}

/// A batch of released cells (`n` values, `n` marks) as the columns that leave.
fn outgoing(batch: &RecordBatch, marks: bool) -> Result<RecordBatch, Error> {
    let columns = batch.columns();
    let (values, flags) = columns.split_at_checked(columns.len() / 2).ok_or_else(unencodable)?;
    if values.len() != flags.len() || flags.iter().any(|c| c.data_type() != &DataType::UInt8) {
        return Err(unencodable());
    }
    let fields: Vec<_> = batch.schema().fields().iter().take(values.len()).cloned().collect();
    let schema = schema(&Schema::new(fields), marks);
    let leaving: Vec<ArrayRef> =
        if marks { columns.to_vec() } else { values.iter().map(Arc::clone).collect() };
    let options = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema, leaving, &options).map_err(|_| unencodable())
}

fn unencodable() -> Error {
    Error::fault("the answer could not be encoded", false, "send the reference to the site's operator")
}
