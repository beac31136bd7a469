//! Bound values: the literals of a query on the wire, typed, so that a text is the same text at every site.

use serde::{Deserialize, Serialize};

/// One bound value. Floats travel as their bits, so that no decimal notation rounds them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// NULL without a type.
    Null,
    /// A truth value, or a NULL of that type.
    Boolean(Option<bool>),
    /// A 64-bit whole number, or a NULL of that type.
    Int64(Option<i64>),
    /// The bits of a 64-bit float, or a NULL of that type.
    Float64(Option<u64>),
    /// A text, or a NULL of that type.
    Utf8(Option<String>),
    /// Days since 1970-01-01, or a NULL of that type.
    Date32(Option<i32>),
}
