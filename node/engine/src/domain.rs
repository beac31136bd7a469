//! Declared domains and bounds: their values in a column's own type, and the rules that a value outside a domain is NULL, and one
//! outside of bounds is moved to them.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::functions::math::expr_fn::trunc;
use datafusion::functions::math::isnan;
use datafusion::logical_expr::{Expr, in_list, lit, when};
use liquid_policy::table::{Bounds, Domain, DomainValue};

/// The values of a domain in the column's type; an error names the first one that has no place there.
pub(crate) fn values(domain: &Domain, kind: &DataType) -> Result<Vec<ScalarValue>, String> {
    match domain {
        Domain::Values(values) => values.iter().map(|value| scalar(value, kind)).collect(),
        Domain::Range { from, to } => (*from..=*to).map(|value| whole(value, kind)).collect(),
        Domain::Steps { .. } => domain.values().map(|value| scalar(&value, kind)).collect(),
    }
}

/// The column itself where its value is in the domain, NULL elsewhere.
pub(crate) fn mapped(column: Expr, domain: &Domain, kind: &DataType) -> Result<Expr, String> {
    let inside = match domain {
        Domain::Values(_) => {
            let values = values(domain, kind)?.into_iter().map(lit).collect();
            in_list(column.clone(), values, false)
        }
        Domain::Range { from, to } => {
            let between = column.clone().between(lit(whole(*from, kind)?), lit(whole(*to, kind)?));
            match kind {
                DataType::Float64 => between.and(trunc(vec![column.clone()]).eq(column.clone())),
                _ => between,
            }
        }
        Domain::Steps { from, to, .. } => {
            let day = |day: &chrono::NaiveDate| scalar(&DomainValue::Text(day.to_string()), kind);
            column.clone().between(lit(day(from)?), lit(day(to)?))
        }
    };
    when(inside, column).end().map_err(|error| error.to_string())
}

/// The column's value, moved to the nearest bound where it lies outside; NULL where it is no number.
pub(crate) fn moved(column: Expr, bounds: Bounds, kind: &DataType) -> Result<Expr, String> {
    let bound = |bound: f64| match kind {
        DataType::Float64 => Ok(lit(bound)),
        // Whole numbers up to 2^53 are exact as floats.
        DataType::Int64 if bound.fract() == 0.0 && bound.abs() <= (1_u64 << 53) as f64 => {
            Ok(lit(bound as i64))
        }
        DataType::Int64 => Err(format!("its bound {bound} is no whole number, and the column has no others")),
        kind => Err(format!("it has `bounds`, which are for numbers, and the column is {kind}")),
    };
    let (least, greatest) = (bound(bounds.least())?, bound(bounds.greatest())?);
    let null = ScalarValue::try_from(kind).map_err(|error| error.to_string())?;
    // To comparisons NaN is greater than all numbers, or less.
    let number = match kind {
        DataType::Float64 => Expr::Not(Box::new(isnan().call(vec![column.clone()]))),
        _ => column.clone().is_not_null(),
    };
    when(Expr::IsNotTrue(Box::new(number)), lit(null))
        .when(column.clone().lt(least.clone()), least)
        .when(column.clone().gt(greatest.clone()), greatest)
        .otherwise(column)
        .map_err(|error| error.to_string())
}

/// A value in the column's type.
pub(crate) fn scalar(value: &DomainValue, kind: &DataType) -> Result<ScalarValue, String> {
    match (value, kind) {
        (DomainValue::Boolean(value), DataType::Boolean) => Ok(ScalarValue::Boolean(Some(*value))),
        (DomainValue::Integer(value), _) => whole(*value, kind),
        // A list in a file has no kinds.
        (DomainValue::Text(text), DataType::Int64) => match text.parse::<i64>() {
            Ok(value) if value.to_string() == *text => Ok(ScalarValue::Int64(Some(value))),
            _ => Err(format!("`{text}` is no whole number")),
        },
        (DomainValue::Text(text), DataType::Utf8) => Ok(ScalarValue::Utf8(Some(text.clone()))),
        (DomainValue::Text(text), DataType::Date32) => ScalarValue::Utf8(Some(text.clone()))
            .cast_to(&DataType::Date32)
            .map_err(|_| format!("`{text}` is no day; write it as `2026-01-31`")),
        (value, kind) => Err(format!("{value:?} is no value of a {kind} column")),
    }
}

/// Whole numbers up to 2^53 are exact as floats, and larger ones do not stand in a domain of floats.
fn whole(value: i64, kind: &DataType) -> Result<ScalarValue, String> {
    match kind {
        DataType::Int64 => Ok(ScalarValue::Int64(Some(value))),
        DataType::Float64 if value.unsigned_abs() <= 1 << 53 => Ok(ScalarValue::Float64(Some(value as f64))),
        kind => Err(format!("{value} is no value of a {kind} column")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> DomainValue {
        DomainValue::Text(value.to_owned())
    }

    #[test]
    fn values_take_the_type_of_their_column() {
        let day = Domain::Values(vec![text("1970-01-02")]);
        assert_eq!(values(&day, &DataType::Date32), Ok(vec![ScalarValue::Date32(Some(1))]));
        let listed = Domain::Values(vec![text("7"), text("-1")]);
        let numbers = [7, -1].map(|value| ScalarValue::Int64(Some(value))).to_vec();
        assert_eq!(values(&listed, &DataType::Int64), Ok(numbers));
        let range = Domain::Range { from: -1, to: 1 };
        let floats = [-1.0, 0.0, 1.0].map(|value| ScalarValue::Float64(Some(value))).to_vec();
        assert_eq!(values(&range, &DataType::Float64), Ok(floats));
    }

    #[test]
    fn a_domain_of_another_type_is_named() {
        let wrong = |domain: Domain, kind| values(&domain, &kind).unwrap_err();
        assert!(wrong(Domain::Values(vec![text("F")]), DataType::Int64).contains("no whole number"));
        assert!(wrong(Domain::Values(vec![text("007")]), DataType::Int64).contains("no whole number"));
        assert!(wrong(Domain::Values(vec![text("soon")]), DataType::Date32).contains("`soon` is no day"));
        assert!(wrong(Domain::Values(vec![DomainValue::Boolean(true)]), DataType::Utf8).contains("Utf8"));
        assert!(wrong(Domain::Range { from: 0, to: 1 }, DataType::Utf8).contains("Utf8"));
    }
}
