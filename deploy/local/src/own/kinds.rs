//! Types of Arrow as types of the shared tables, and in words.

use arrow::datatypes::DataType;
use liquid_node_api::catalogue::Kind;

/// The model's type for a type of Arrow, where a cast to it loses nothing that counts.
pub(super) fn of(found: &DataType) -> Option<Kind> {
    use DataType::{
        Boolean, Date32, Decimal32, Decimal64, Decimal128, Dictionary, Float16, Float32, Float64, Int8,
        Int16, Int32, Int64, LargeUtf8, UInt8, UInt16, UInt32, Utf8, Utf8View,
    };
    match found {
        Dictionary(_, values) => of(values),
        Boolean => Some(Kind::Boolean),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 => Some(Kind::Integer),
        Float16 | Float32 | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) => Some(Kind::Float),
        Utf8 | LargeUtf8 | Utf8View => Some(Kind::Text),
        Date32 => Some(Kind::Date),
        _ => None,
    }
}

/// What to cast another type to.
pub(super) fn nearest(found: &DataType) -> Kind {
    match found {
        DataType::Timestamp(..) | DataType::Date64 => Kind::Date,
        DataType::UInt64 => Kind::Integer,
        DataType::Decimal256(..) => Kind::Float,
        _ => Kind::Text,
    }
}

/// What a person calls another type.
pub(super) fn type_words(found: &DataType) -> String {
    match found {
        DataType::Timestamp(..) | DataType::Date64 => "a day with a time".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "a time of day".to_owned(),
        DataType::UInt64 => "a whole number that may be too large".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "a row of bytes".to_owned(),
        other => other.to_string(),
    }
}

pub(super) fn words(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "true or false",
        Kind::Integer => "a whole number",
        Kind::Float => "a number with decimals",
        Kind::Text => "a text",
        Kind::Date => "a date",
    }
}
