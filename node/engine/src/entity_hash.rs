//! `entity_hash(entity)`: a 64-bit hash a row under a seed of this process, NULL where there is no entity.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::array::UInt64Array;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::hash_utils::{QualityRandomState, create_hashes};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The function that hashes an entity column of any type, a batch at a time.
pub(crate) fn entity_hash() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(EntityHash { signature: Signature::any(1, Volatility::Immutable) }))
}

/// Hashes never leave the process, and nobody outside can know which entities share one.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());

#[derive(Debug, PartialEq, Eq, Hash)]
struct EntityHash {
    signature: Signature,
}

impl ScalarUDFImpl for EntityHash {
    fn name(&self) -> &str {
        "entity_hash"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let rows = arrays.first().map_or(0, |array| array.len());
        let mut hashes = vec![0; rows];
        create_hashes(&arrays, &QualityRandomState::with_seed(*SEED), &mut hashes)?;
        let nulls = arrays.first().and_then(|array| array.logical_nulls());
        Ok(ColumnarValue::Array(Arc::new(UInt64Array::new(hashes.into(), nulls))))
    }
}
