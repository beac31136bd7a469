//! Bound values: the literals of a query on the wire, typed, so that a text is the same text at every site. Numbers of 64
//! bits travel as text: canonical JSON knows none beyond 53.

use serde::{Deserialize, Serialize};

/// So many values may be bound to one statement. The number of a place (`$7`) is its sender's to choose, so no memory is
/// taken by it.
pub const PARAMETERS_MAX: usize = 1_000;

/// One bound value. Floats travel as their bits, so that no decimal notation rounds them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// NULL without a type.
    Null,
    /// A truth value, or a NULL of that type.
    Boolean(Option<bool>),
    /// A 64-bit whole number, or a NULL of that type.
    Int64(#[serde(with = "digits")] Option<i64>),
    /// The bits of a 64-bit float, or a NULL of that type.
    Float64(#[serde(with = "digits")] Option<u64>),
    /// A text, or a NULL of that type.
    Utf8(Option<String>),
    /// Days since 1970-01-01, or a NULL of that type.
    Date32(Option<i32>),
}

/// A number as its decimal digits.
mod digits {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ToString::to_string).serialize(to)
    }

    pub(super) fn deserialize<'a, T: FromStr, D: Deserializer<'a>>(from: D) -> Result<Option<T>, D::Error> {
        let digits = Option::<String>::deserialize(from)?;
        let read = |digits: String| digits.parse().map_err(|_| D::Error::custom("not a 64-bit whole number"));
        digits.map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parameters() -> impl Strategy<Value = Parameter> {
        prop_oneof![
            Just(Parameter::Null),
            any::<Option<bool>>().prop_map(Parameter::Boolean),
            any::<Option<i64>>().prop_map(Parameter::Int64),
            any::<Option<f64>>().prop_map(|value| Parameter::Float64(value.map(f64::to_bits))),
            "\\PC{0,20}".prop_map(|text| Parameter::Utf8(Some(text))),
            any::<Option<i32>>().prop_map(Parameter::Date32),
        ]
    }

    proptest! {
        #[test]
        fn values_survive_canonical_json(values in prop::collection::vec(parameters(), 0..5)) {
            let text = serde_json_canonicalizer::to_vec(&values).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Vec<Parameter>>(&text).unwrap(), values);
        }
    }
}
