//! `person_hash(entity)` and `value_hash(factor, …)`: 64-bit hashes a row under a key of the site, by which a person and a value of theirs are known
//! again in a later question, whatever process answers it. SipHash-2-4 (Aumasson and Bernstein, 2012).

use std::hash::Hasher as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use liquid_node_api::engine::HashKey;
use siphasher::sip::SipHasher24;

/// The function that hashes an entity column of any type; NULL where there is none. The same person is the same in whatever type a key is written.
pub(crate) fn person_hash(key: HashKey) -> Arc<ScalarUDF> {
    let signature = Signature::any(1, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(KeyedHash { key: key.0, of_values: false, signature }))
}

/// The function that hashes a product of numbers by its factors; 0 where there is none but 1, and where one is NULL.
pub(crate) fn value_hash(key: HashKey) -> Arc<ScalarUDF> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(KeyedHash { key: key.0, of_values: true, signature }))
}

#[derive(PartialEq, Eq, Hash)]
struct KeyedHash {
    key: [u8; 16],
    of_values: bool,
    signature: Signature,
}

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl ScalarUDFImpl for KeyedHash {
    fn name(&self) -> &str {
        if self.of_values { "value_hash" } else { "person_hash" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let hashes = if self.of_values {
            products(&arrays, &self.key)?
        } else {
            let entities = arrays.first().ok_or_else(|| exec_datafusion_err!("nobody to hash"))?;
            let texts = cast(entities, &DataType::LargeUtf8)?;
            let texts = texts.as_string::<i64>().iter();
            texts.map(|text| text.map(|text| hashed(&self.key, text.as_bytes()))).collect::<UInt64Array>()
        };
        Ok(ColumnarValue::Array(Arc::new(hashes)))
    }
}

fn hashed(key: &[u8; 16], bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(key);
    hasher.write(bytes);
    hasher.finish()
}

/// A number as it is hashed: as itself where it is whole, whatever type it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Factor {
    Whole(i128),
    Decimal(i128, i8),
    Float(u64),
    Other(u64),
}

fn products(arrays: &[ArrayRef], key: &[u8; 16]) -> Result<UInt64Array> {
    let columns = arrays.iter().map(|array| factors(array, key)).collect::<Result<Vec<_>>>()?;
    let rows = arrays.first().map_or(0, |array| array.len());
    let product = |row: usize| {
        let mut own: Vec<Factor> = Vec::with_capacity(columns.len());
        for column in &columns {
            own.push((*column.get(row)?)?);
        }
        own.retain(|factor| *factor != Factor::Whole(1));
        own.sort_unstable();
        let bytes: Vec<u8> = own.iter().flat_map(bytes).collect();
        Some(if bytes.is_empty() { 0 } else { hashed(key, &bytes) })
    };
    Ok((0..rows).map(|row| product(row).unwrap_or(0)).collect::<Vec<_>>().into())
}

fn bytes(factor: &Factor) -> [u8; 18] {
    let (kind, number, scale) = match *factor {
        Factor::Whole(number) => (0, number, 0),
        Factor::Decimal(number, scale) => (1, number, scale),
        Factor::Float(bits) => (2, i128::from(bits), 0),
        Factor::Other(hash) => (3, i128::from(hash), 0),
    };
    let mut bytes = [kind; 18];
    let (tail, rest) = bytes.split_at_mut(16);
    tail.copy_from_slice(&number.to_le_bytes());
    rest.iter_mut().skip(1).for_each(|byte| *byte = scale.cast_unsigned());
    bytes
}

/// Whole numbers of this size and less are themselves as floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

fn factors(array: &ArrayRef, key: &[u8; 16]) -> Result<Vec<Option<Factor>>> {
    Ok(match array.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let whole = cast(array, &DataType::Int64)?;
            let whole = whole.as_primitive::<Int64Type>().iter();
            whole.map(|number| number.map(|number| Factor::Whole(number.into()))).collect()
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            let whole = cast(array, &DataType::Decimal128(20, 0))?;
            let whole = whole.as_primitive::<Decimal128Type>().iter();
            whole.map(|number| number.map(Factor::Whole)).collect()
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let floats = cast(array, &DataType::Float64)?;
            floats.as_primitive::<Float64Type>().iter().map(|number| number.map(float)).collect()
        }
        DataType::Decimal128(_, scale) => {
            let decimals = array.as_primitive::<Decimal128Type>().iter();
            decimals.map(|number| number.map(|number| decimal(number, *scale))).collect()
        }
        _ => {
            let texts = cast(array, &DataType::LargeUtf8)?;
            let texts = texts.as_string::<i64>().iter();
            texts.map(|text| text.map(|text| Factor::Other(hashed(key, text.as_bytes())))).collect()
        }
    })
}

#[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
fn float(number: f64) -> Factor {
    match number.fract() == 0.0 && number.abs() <= EXACT {
        true => Factor::Whole(number as i128),
        false => Factor::Float(number.to_bits()),
    }
}

fn decimal(mut number: i128, mut scale: i8) -> Factor {
    while scale > 0 && number % 10 == 0 {
        number /= 10;
        scale -= 1;
    }
    if scale == 0 { Factor::Whole(number) } else { Factor::Decimal(number, scale) }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray};

    use super::*;

    const KEY: [u8; 16] = [7; 16];

    fn of(arrays: &[ArrayRef]) -> Vec<u64> {
        products(arrays, &KEY).unwrap().values().to_vec()
    }

    #[test]
    fn a_number_is_the_same_in_each_type_and_a_product_in_each_order() {
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![2, 1, 30, -4]));
        let small: ArrayRef = Arc::new(Int32Array::from(vec![2, 1, 30, -4]));
        let float: ArrayRef = Arc::new(Float64Array::from(vec![2.0, 1.0, 30.0, -4.0]));
        let decimals = Decimal128Array::from(vec![200, 100, 3000, -400]).with_precision_and_scale(9, 2);
        let decimal: ArrayRef = Arc::new(decimals.unwrap());
        let hashes = of(&[Arc::clone(&whole)]);
        for other in [&small, &float, &decimal] {
            assert_eq!(of(&[Arc::clone(other)]), hashes);
        }
        assert_eq!(hashes[1], 0, "1 is what rows count as");
        assert_eq!(hashes.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        let other: ArrayRef = Arc::new(Int64Array::from(vec![5, 30, 1, 2]));
        let product = of(&[Arc::clone(&whole), Arc::clone(&other)]);
        assert_eq!(product, of(&[other, whole]));
        assert_eq!(product[1], hashes[2], "1 times 30");
        assert_eq!(product[2], hashes[2], "30 times 1");
        let half: ArrayRef = Arc::new(Float64Array::from(vec![Some(0.5), None]));
        assert_ne!(of(&[Arc::clone(&half)])[0], 0);
    }

    #[test]
    fn a_person_is_the_same_in_each_type_of_key_and_another_one_under_another_key() {
        let hash = |array: ArrayRef| {
            let texts = cast(&array, &DataType::LargeUtf8).unwrap();
            hashed(&KEY, texts.as_string::<i64>().value(0).as_bytes())
        };
        let number = hash(Arc::new(Int64Array::from(vec![17])));
        assert_eq!(number, hash(Arc::new(StringArray::from(vec!["17"]))));
        assert_ne!(hashed(&[8; 16], b"17"), number);
    }
}
