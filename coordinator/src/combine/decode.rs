//! A site's answer becomes one batch of the schema that was computed here, or a reason why it is unusable.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use bytes::Bytes;
use liquid_node_api::wire::gate::{self, Quota};

/// Decodes a stream that came from a peer: the gate first, then every column held against what was asked for.
pub(crate) fn decode(stream: &Bytes, expected: &SchemaRef, quota: &Quota) -> Result<RecordBatch, String> {
    let batch =
        gate::decode(stream, quota, |told| compare(told, expected)).map_err(|error| error.to_string())?;
    // Names and types are equal by now; what the peer says of NULLs and metadata does not count.
    RecordBatch::try_new(expected.clone(), batch.columns().to_vec())
        .map_err(|_| "its columns do not fit together".to_owned())
}

fn compare(told: &Schema, expected: &Schema) -> Result<(), String> {
    let names =
        |schema: &Schema| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    if names(told) != names(expected) {
        return Err("it has other columns than asked for".to_owned());
    }
    match told
        .fields()
        .iter()
        .zip(expected.fields())
        .find(|(told, wanted)| told.data_type() != wanted.data_type())
    {
        Some((_, wanted)) => Err(format!("its column `{}` has another type than asked for", wanted.name())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, UInt8Array};
    use arrow::ipc::writer::StreamWriter;

    use super::*;

    fn batch() -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([
            ("g0", Arc::new(StringArray::from(vec![Some("f"), None])) as ArrayRef, true),
            ("a0", Arc::new(Int64Array::from(vec![Some(1), None])), true),
            ("g0_mark", Arc::new(UInt8Array::from(vec![0, 0])), true),
            ("a0_mark", Arc::new(UInt8Array::from(vec![0, 2])), true),
        ])
        .unwrap()
    }

    fn write(batch: &RecordBatch) -> Bytes {
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
        writer.into_inner().unwrap().into()
    }

    #[test]
    fn only_the_columns_that_were_asked_for_are_read() {
        let check = |answer: &RecordBatch| decode(&write(answer), &batch().schema(), &Quota::default());
        assert_eq!(check(&batch()), Ok(batch()));
        let fewer = batch().project(&[0, 1]).unwrap();
        assert!(check(&fewer).unwrap_err().contains("other columns"));
        let swapped = batch().project(&[1, 0, 2, 3]).unwrap();
        assert!(check(&swapped).unwrap_err().contains("other columns"));
        let floats = RecordBatch::try_from_iter([
            ("g0", batch().column(0).clone()),
            ("a0", Arc::new(Float64Array::from(vec![1.0, 2.0])) as ArrayRef),
            ("g0_mark", batch().column(2).clone()),
            ("a0_mark", batch().column(3).clone()),
        ]);
        assert!(check(&floats.unwrap()).unwrap_err().contains("`a0` has another type"));
        assert!(decode(&Bytes::from_static(b"hello"), &batch().schema(), &Quota::default()).is_err());
    }

    #[test]
    fn what_a_peer_says_of_nulls_does_not_count() {
        let columns = batch().project(&[1]).unwrap().slice(0, 1);
        let boast =
            RecordBatch::try_from_iter_with_nullable([("a0", columns.column(0).clone(), false)]).unwrap();
        assert_eq!(decode(&write(&boast), &columns.schema(), &Quota::default()), Ok(columns));
    }
}
