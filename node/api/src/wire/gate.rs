//! Arrow IPC between processes. The one way from the bytes of another to a batch: every length, count and type is held against the
//! bytes that are there before Arrow's own decoder sees them, since that decoder trusts them.
//!
//! Compressed bodies, dictionaries and nested types do not pass: no message between Liquid's processes has them.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, StreamWriter};
use arrow::ipc::{self, MessageHeader, MetadataVersion, root_as_message};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

/// What a stream may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of the whole stream.
    pub bytes: usize,
    /// Rows over all batches.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Batches: empty ones cost time, too.
    pub batches: usize,
}

/// Batches of an answer that is split as Liquid splits it, up to 4 GiB.
pub const BATCHES_MAX: usize = 4_096;

impl Default for Quota {
    fn default() -> Self {
        Self { bytes: 64 << 20, rows: 1_000_000, columns: 1_000, batches: BATCHES_MAX }
    }
}

/// Why a stream was not decoded; for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("arrow data from another process was not accepted: {0}")]
pub struct Unacceptable(String);

impl Unacceptable {
    /// Says why.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// Encodes a batch as one uncompressed stream, for a process of our own at the other end of a pipe.
///
/// # Errors
/// Where Arrow cannot encode it.
pub fn encode(batch: &RecordBatch) -> Result<Bytes, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?.into())
}

/// Encodes a schema as an IPC message without its length before it.
pub fn encode_schema(schema: &Schema) -> Vec<u8> {
    let (mut tracker, options) = (DictionaryTracker::new(false), IpcWriteOptions::default());
    let data = IpcDataGenerator::default();
    data.schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options).ipc_message
}

/// Decodes a stream into one batch. `expect` sees the schema before any row is read and says what is wrong with it.
///
/// # Errors
/// [`Unacceptable`], with the first thing that is wrong.
pub fn decode(
    stream: &Bytes,
    quota: &Quota,
    expect: impl FnOnce(&Schema) -> Result<(), String>,
) -> Result<RecordBatch, Unacceptable> {
    if stream.len() > quota.bytes {
        return Err(Unacceptable::new("the stream is larger than its quota"));
    }
    let mut rest = stream.clone();
    let header = next_header(&mut rest)?.ok_or_else(|| Unacceptable::new("the stream is empty"))?;
    let schema = schema(&header, quota)?;
    expect(&schema).map_err(Unacceptable)?;
    let mut batches = Vec::new();
    let mut rows = 0_usize;
    while let Some(header) = next_header(&mut rest)? {
        if batches.len() >= quota.batches {
            return Err(Unacceptable::new("there are more batches than the quota allows"));
        }
        let batch = batch(&header, &mut rest, &schema, quota.rows - rows)?;
        rows += batch.num_rows();
        batches.push(batch);
    }
    if !rest.is_empty() {
        return Err(Unacceptable::new("bytes follow the end of the stream"));
    }
    concat_batches(&schema, &batches).map_err(|_| Unacceptable::new("batches do not fit together"))
}

/// Decodes a schema that another process made: an IPC message, with its length before it or without.
///
/// # Errors
/// [`Unacceptable`], where it is none or has other than flat columns of the types that Liquid uses.
pub fn decode_schema(message: &[u8]) -> Result<SchemaRef, Unacceptable> {
    let mut message = Bytes::copy_from_slice(message);
    if message.starts_with(&[0xFF; 4]) {
        let none = || Unacceptable::new("the stream is empty");
        message = next_header(&mut message)?.ok_or_else(none)?;
    }
    schema(&message, &Quota::default())
}

/// The next message's header, or none at the end-of-stream marker.
fn next_header(rest: &mut Bytes) -> Result<Option<Bytes>, Unacceptable> {
    let short = || Unacceptable::new("the stream ends early");
    let marker = take(rest, 4).ok_or_else(short)?;
    if marker.as_ref() != [0xFF; 4] {
        return Err(Unacceptable::new("a message does not begin with its marker"));
    }
    let length = take(rest, 4).and_then(|l| Some(u32::from_le_bytes(l.as_ref().try_into().ok()?)));
    match length.ok_or_else(short)? {
        0 => Ok(None),
        length => Ok(Some(take(rest, length as usize).ok_or_else(short)?)),
    }
}

fn take(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= rest.len()).then(|| rest.split_to(length))
}

/// Reads a schema of flat columns of the types that Liquid uses.
fn schema(header: &Bytes, quota: &Quota) -> Result<SchemaRef, Unacceptable> {
    let message = root_as_message(header).map_err(|_| Unacceptable::new("a header is malformed"))?;
    let schema = (message.version() == MetadataVersion::V5 && message.bodyLength() == 0)
        .then(|| message.header_as_schema())
        .flatten()
        .ok_or_else(|| Unacceptable::new("the stream does not begin with a schema"))?;
    if schema.endianness() != ipc::Endianness::Little {
        return Err(Unacceptable::new("the byte order is foreign"));
    }
    let fields = schema.fields().ok_or_else(|| Unacceptable::new("the schema has no fields"))?;
    if fields.is_empty() || fields.len() > quota.columns {
        return Err(Unacceptable::new("there is no column, or more than the quota allows"));
    }
    let fields: Result<Vec<Field>, Unacceptable> = fields.iter().map(field).collect();
    Ok(Arc::new(Schema::new(fields?)))
}

fn field(field: ipc::Field<'_>) -> Result<Field, Unacceptable> {
    let name = field.name().ok_or_else(|| Unacceptable::new("a column has no name"))?;
    if field.dictionary().is_some() || field.children().is_some_and(|c| !c.is_empty()) {
        return Err(Unacceptable::new(format!("column `{name}` is not flat")));
    }
    let kind = kind(field)
        .ok_or_else(|| Unacceptable::new(format!("column `{name}` has a type that is not used here")))?;
    Ok(Field::new(name, kind, field.nullable()))
}

/// The closed list of types.
fn kind(field: ipc::Field<'_>) -> Option<DataType> {
    Some(match field.type_type() {
        ipc::Type::Null => DataType::Null,
        ipc::Type::Bool => DataType::Boolean,
        ipc::Type::Int => {
            let int = field.type_as_int()?;
            match (int.bitWidth(), int.is_signed()) {
                (8, true) => DataType::Int8,
                (16, true) => DataType::Int16,
                (32, true) => DataType::Int32,
                (64, true) => DataType::Int64,
                (8, false) => DataType::UInt8,
                (16, false) => DataType::UInt16,
                (32, false) => DataType::UInt32,
                (64, false) => DataType::UInt64,
                _ => return None,
            }
        }
        ipc::Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
            ipc::Precision::SINGLE => DataType::Float32,
            ipc::Precision::DOUBLE => DataType::Float64,
            _ => return None,
        },
        ipc::Type::Utf8 => DataType::Utf8,
        ipc::Type::LargeUtf8 => DataType::LargeUtf8,
        ipc::Type::LargeBinary => DataType::LargeBinary,
        ipc::Type::Decimal => {
            let decimal = field.type_as_decimal()?;
            let (precision, scale) = (decimal.precision(), decimal.scale());
            let sound = decimal.bitWidth() == 128
                && (1..=38).contains(&precision)
                && (0..=precision).contains(&scale);
            let precision = u8::try_from(precision).ok().filter(|_| sound)?;
            DataType::Decimal128(precision, i8::try_from(scale).ok()?)
        }
        ipc::Type::Date => match field.type_as_date()?.unit() {
            ipc::DateUnit::DAY => DataType::Date32,
            _ => return None,
        },
        ipc::Type::Timestamp => {
            let timestamp = field.type_as_timestamp()?;
            if timestamp.timezone().is_some() {
                return None;
            }
            DataType::Timestamp(unit(timestamp.unit())?, None)
        }
        _ => return None,
    })
}

fn unit(unit: ipc::TimeUnit) -> Option<TimeUnit> {
    Some(match unit {
        ipc::TimeUnit::SECOND => TimeUnit::Second,
        ipc::TimeUnit::MILLISECOND => TimeUnit::Millisecond,
        ipc::TimeUnit::MICROSECOND => TimeUnit::Microsecond,
        ipc::TimeUnit::NANOSECOND => TimeUnit::Nanosecond,
        _ => return None,
    })
}

/// Reads one batch, after its lengths have been held against the bytes that are there.
fn batch(
    header: &Bytes,
    rest: &mut Bytes,
    schema: &SchemaRef,
    rows_left: usize,
) -> Result<RecordBatch, Unacceptable> {
    let message = root_as_message(header).map_err(|_| Unacceptable::new("a header is malformed"))?;
    let is_batch =
        message.version() == MetadataVersion::V5 && message.header_type() == MessageHeader::RecordBatch;
    let batch = is_batch
        .then(|| message.header_as_record_batch())
        .flatten()
        .ok_or_else(|| Unacceptable::new("a message is not a batch"))?;
    if batch.compression().is_some() || batch.variadicBufferCounts().is_some_and(|c| !c.is_empty()) {
        return Err(Unacceptable::new("a batch is compressed or has views"));
    }
    let body = usize::try_from(message.bodyLength())
        .ok()
        .and_then(|length| take(rest, length))
        .ok_or_else(|| Unacceptable::new("a body is shorter than its header says"))?;
    let rows = batch.length();
    if usize::try_from(rows).map_or(true, |rows| rows > rows_left) {
        return Err(Unacceptable::new("there are more rows than the quota allows"));
    }
    let nodes = batch.nodes().ok_or_else(|| Unacceptable::new("a batch has no columns"))?;
    let fits = nodes.len() == schema.fields().len()
        && nodes.iter().all(|n| n.length() == rows && (0..=rows).contains(&n.null_count()));
    if !fits {
        return Err(Unacceptable::new("columns differ in length"));
    }
    let slices = batch.buffers().ok_or_else(|| Unacceptable::new("a batch has no buffers"))?;
    let wanted = schema.fields().iter().zip(nodes.iter()).flat_map(|(field, node)| lengths(field, node));
    let wanted: Vec<Length> = wanted.collect();
    let sound = slices.len() == wanted.len()
        && slices.iter().zip(wanted).all(|(slice, wanted)| {
            let end = slice.offset().checked_add(slice.length());
            slice.offset() >= 0
                && end.is_some_and(|end| end <= message.bodyLength())
                && slice.length() >= wanted.least
                && slice.length() % wanted.multiple == 0
        });
    if !sound {
        return Err(Unacceptable::new("a buffer lies outside its body or does not fit its column"));
    }
    let (body, none) = (Buffer::from(body), HashMap::new());
    // The decoder still has assertions of its own; none that is known can fail on what has come this far.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        read_record_batch(&body, batch, Arc::clone(schema), &none, None, &message.version())
    }));
    match decoded {
        Ok(Ok(batch)) => Ok(batch),
        Ok(Err(_)) | Err(_) => Err(Unacceptable::new("a batch does not decode")),
    }
}

/// What length a buffer must have, in bytes.
struct Length {
    least: i64,
    multiple: i64,
}

/// The buffers of a column: which values are there, then offsets for texts, then the values.
fn lengths(field: &Field, node: &ipc::FieldNode) -> Vec<Length> {
    let rows = node.length();
    let bits = rows / 8 + i64::from(rows % 8 != 0);
    let there = Length { least: if node.null_count() > 0 { bits } else { 0 }, multiple: 1 };
    let offsets = |width: i64| Length {
        least: if rows > 0 { rows.saturating_add(1).saturating_mul(width) } else { 0 },
        multiple: width,
    };
    match field.data_type() {
        DataType::Null => Vec::new(),
        DataType::Boolean => vec![there, Length { least: bits, multiple: 1 }],
        DataType::Utf8 => vec![there, offsets(4), Length { least: 0, multiple: 1 }],
        DataType::LargeUtf8 | DataType::LargeBinary => {
            vec![there, offsets(8), Length { least: 0, multiple: 1 }]
        }
        other => {
            let width = other.primitive_width().and_then(|w| i64::try_from(w).ok()).unwrap_or(i64::MAX);
            vec![there, Length { least: rows.saturating_mul(width), multiple: width }]
        }
    }
}
