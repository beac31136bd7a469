//! One site's answer, column by column, each held against what it may be before it is merged.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, UInt8Array};
use arrow::compute::kernels::arity::unary;
use arrow::datatypes::{Float64Type, Int64Type, UInt8Type};
use arrow::error::ArrowError;
use liquid_disclosure::Mark;

use liquid_engine::federated::recipe::PartialKind;

/// The mark of a withheld cell.
pub(super) const WITHHELD: u8 = Mark::Withheld as u8;

/// What is wrong with an answer, or with us.
pub(super) enum Problem {
    Unusable(&'static str),
    Arrow(ArrowError),
}

impl From<ArrowError> for Problem {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

/// One site's answer, values and marks side by side.
pub(super) struct Columns<'a> {
    batch: &'a RecordBatch,
    values: usize,
}

/// A partial result of one site, held against what it may be.
pub(super) struct Partial {
    pub(super) values: Values,
    pub(super) marks: UInt8Array,
}

pub(super) enum Values {
    Integer(Int64Array),
    Float(Float64Array),
}

impl<'a> Columns<'a> {
    pub(super) fn of(batch: &'a RecordBatch, values: usize) -> Result<Self, Problem> {
        if batch.num_columns() != values * 2 {
            return Err(Problem::Unusable("it has other columns than asked for"));
        }
        Ok(Self { batch, values })
    }

    fn pair(&self, column: usize) -> Result<(&'a ArrayRef, &'a UInt8Array), Problem> {
        const OTHER: Problem = Problem::Unusable("it has other columns than asked for");
        let columns = self.batch.columns();
        let (value, mark) =
            (columns.get(column).ok_or(OTHER)?, columns.get(self.values + column).ok_or(OTHER)?);
        let mark = mark.as_primitive_opt::<UInt8Type>().ok_or(OTHER)?;
        if mark.null_count() > 0 || mark.values().iter().any(|mark| Mark::from_u8(*mark).is_none()) {
            return Err(Problem::Unusable("it has a mark that does not exist"));
        }
        Ok((value, mark))
    }

    pub(super) fn key(&self, column: usize) -> Result<ArrayRef, Problem> {
        let (value, mark) = self.pair(column)?;
        if mark.values().iter().any(|mark| *mark != Mark::Plain as u8) {
            return Err(Problem::Unusable("it has a mark on a group key"));
        }
        Ok(one_zero(value))
    }

    pub(super) fn partial(&self, column: usize, kind: PartialKind) -> Result<Partial, Problem> {
        const OTHER: Problem = Problem::Unusable("it has another type than asked for");
        let (value, marks) = self.pair(column)?;
        if marks.values().iter().enumerate().any(|(row, mark)| *mark == WITHHELD && value.is_valid(row)) {
            return Err(Problem::Unusable("it has a value where it withholds one"));
        }
        let endless = |sums: &Float64Array| sums.iter().flatten().any(|sum| !sum.is_finite());
        let values = match kind {
            PartialKind::FloatSum => match value.as_primitive_opt::<Int64Type>() {
                // A whole-number sum that serves as a float sum too.
                Some(sums) => Values::Float(unary(sums, |sum| sum as f64)),
                None => {
                    let sums = value.as_primitive_opt::<Float64Type>().ok_or(OTHER)?.clone();
                    if endless(&sums) {
                        return Err(Problem::Unusable(
                            "it has a sum that is no finite number; its data may hold NaN or infinity",
                        ));
                    }
                    Values::Float(sums)
                }
            },
            PartialKind::IntegerSum => {
                Values::Integer(value.as_primitive_opt::<Int64Type>().ok_or(OTHER)?.clone())
            }
            PartialKind::Count => {
                let counts = value.as_primitive_opt::<Int64Type>().ok_or(OTHER)?.clone();
                let absent = |(row, mark): (usize, &u8)| *mark != WITHHELD && counts.is_null(row);
                if marks.values().iter().enumerate().any(absent)
                    || counts.iter().flatten().any(|count| count < 0)
                {
                    return Err(Problem::Unusable("it has a count that cannot be"));
                }
                Values::Integer(counts)
            }
        };
        Ok(Partial { values, marks: marks.clone() })
    }
}

impl Partial {
    /// A count that is released and 0; a withheld one can be anything.
    pub(super) fn is_zero(&self, row: usize) -> bool {
        match &self.values {
            Values::Integer(values) => values.is_valid(row) && values.value(row) == 0,
            Values::Float(_) => false,
        }
    }
}

/// -0.0 and 0.0 are one group, as they are to DataFusion.
pub(super) fn one_zero(array: &ArrayRef) -> ArrayRef {
    match array.as_primitive_opt::<Float64Type>() {
        Some(floats) => {
            let floats: Float64Array = unary(floats, |value| if value == 0.0 { 0.0 } else { value });
            Arc::new(floats)
        }
        None => array.clone(),
    }
}
