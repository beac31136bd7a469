//! `date_trunc('month', day)` over days: the first day of the step that a day lies in, a day itself.
//!
//! DataFusion's own goes through nanoseconds, so it fails on days before 1677 and after 2262, and gives a timestamp, which the shared
//! model does not have. This one gives NULL where the calendar ends. An engine puts it below a cut, too, where an agreement names a
//! column's `grain`.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Date32Array};
use arrow::datatypes::{DataType, Date32Type};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use liquid_policy::grain::Grain;

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(DateTrunc {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
});

/// The function.
pub(crate) fn function() -> Arc<ScalarUDF> {
    Arc::clone(&FUNCTION)
}

/// A day as the first of its step.
pub fn date_trunc(grain: Grain, day: Expr) -> Expr {
    let word = Expr::Literal(ScalarValue::Utf8(Some(grain.word().to_owned())), None);
    FUNCTION.call(vec![word, day])
}

/// The step that a word names.
pub(crate) fn grain(word: &str) -> Option<Grain> {
    Grain::ALL.into_iter().find(|grain| grain.word().eq_ignore_ascii_case(word))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DateTrunc {
    signature: Signature,
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        "date_trunc"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [word, DataType::Date32 | DataType::Null | DataType::Utf8 | DataType::Utf8View]
                if word.is_string() =>
            {
                Ok(vec![DataType::Utf8, DataType::Date32])
            }
            _ => plan_err!("`date_trunc` takes a word such as 'month' and a date"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(ScalarValue::Utf8(Some(word))), days] = arguments.args.as_slice() else {
            return exec_err!("`date_trunc` takes its first argument as a literal");
        };
        let Some(grain) = grain(word) else {
            return exec_err!("`date_trunc` takes 'year', 'quarter', 'month', 'week' or 'day'");
        };
        let start = |day: Option<i32>| grain.start_of(day?);
        match days {
            ColumnarValue::Scalar(ScalarValue::Date32(day)) => {
                Ok(ColumnarValue::Scalar(ScalarValue::Date32(start(*day))))
            }
            ColumnarValue::Array(days) => match days.as_primitive_opt::<Date32Type>() {
                Some(days) => {
                    let starts: Date32Array = days.iter().map(start).collect();
                    Ok(ColumnarValue::Array(Arc::new(starts) as ArrayRef))
                }
                None => exec_err!("`date_trunc` takes a date"),
            },
            ColumnarValue::Scalar(_) => exec_err!("`date_trunc` takes a date"),
        }
    }
}
