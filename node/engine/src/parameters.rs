//! Bound values on the wire become bound values of a plan, and back.

use datafusion::common::ScalarValue;
use liquid_node_api::parameter::Parameter;

/// A value of a request as a plan takes it.
pub fn to_scalar(parameter: &Parameter) -> ScalarValue {
    match parameter {
        Parameter::Null => ScalarValue::Null,
        Parameter::Boolean(value) => ScalarValue::Boolean(*value),
        Parameter::Int64(value) => ScalarValue::Int64(*value),
        Parameter::Float64(bits) => ScalarValue::Float64(bits.map(f64::from_bits)),
        Parameter::Utf8(value) => ScalarValue::Utf8(value.clone()),
        Parameter::Date32(value) => ScalarValue::Date32(*value),
    }
}

/// A value of a plan as a request carries it; none where the dialect has no such type.
pub fn from_scalar(value: &ScalarValue) -> Option<Parameter> {
    Some(match value {
        ScalarValue::Null => Parameter::Null,
        ScalarValue::Boolean(value) => Parameter::Boolean(*value),
        ScalarValue::Int64(value) => Parameter::Int64(*value),
        ScalarValue::Float64(value) => Parameter::Float64(value.map(f64::to_bits)),
        ScalarValue::Utf8(value) => Parameter::Utf8(value.clone()),
        ScalarValue::Date32(value) => Parameter::Date32(*value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_survives_the_way_there_and_back(
            bits in any::<u64>(), number in any::<Option<i64>>(), text in any::<Option<String>>(), day in any::<i32>()
        ) {
            for parameter in [
                Parameter::Null,
                Parameter::Boolean(None),
                Parameter::Boolean(Some(bits % 2 == 0)),
                Parameter::Float64(Some(bits)),
                Parameter::Int64(number),
                Parameter::Utf8(text.clone()),
                Parameter::Date32(Some(day)),
            ] {
                prop_assert_eq!(from_scalar(&to_scalar(&parameter)), Some(parameter));
            }
        }
    }
}
