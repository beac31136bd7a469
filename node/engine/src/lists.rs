//! States of aggregates that are lists of numbers, one for each group.

use std::sync::Arc;

use arrow::array::{ListArray, PrimitiveArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef};
use datafusion::common::{Result, exec_datafusion_err};

/// Lists of these lengths, of the values in order.
pub(crate) fn lists<T: ArrowPrimitiveType>(
    lengths: impl Iterator<Item = usize>,
    values: Vec<T::Native>,
) -> Result<ListArray> {
    let mut ends = vec![0_i32];
    let mut end = 0_usize;
    for length in lengths {
        end += length;
        ends.push(i32::try_from(end).map_err(|_| exec_datafusion_err!("too many entities at once"))?);
    }
    let values = PrimitiveArray::<T>::from_iter_values(values);
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    Ok(ListArray::try_new(item(T::DATA_TYPE), offsets, Arc::new(values), None)?)
}

/// What such lists hold.
pub(crate) fn item(kind: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(kind, false))
}
