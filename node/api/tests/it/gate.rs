//! Whatever bytes another process sends, they are a batch or an error: no panic, no allocation of what is not there.

use std::cell::Cell;
use std::sync::{Arc, Once};

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, NullArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use liquid_node_api::wire::gate::{Quota, decode, decode_schema};
use proptest::prelude::*;

fn ipc(batches: &[RecordBatch]) -> Bytes {
    let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap().into()
}

fn sample(rows: usize) -> RecordBatch {
    let texts = (0..rows).map(|i| (i % 3 != 0).then(|| "x".repeat(i % 7)));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("text", Arc::new(StringArray::from_iter(texts))),
        ("number", Arc::new(Int64Array::from_iter((0..rows).map(|i| (i % 2 == 0).then_some(i as i64))))),
        ("float", Arc::new(Float64Array::from_iter_values((0..rows).map(|i| i as f64)))),
        ("flag", Arc::new(BooleanArray::from_iter((0..rows).map(|i| Some(i % 2 == 0))))),
        ("day", Arc::new(Date32Array::from_iter_values((0..rows).map(|i| i as i32)))),
        ("null", Arc::new(NullArray::new(rows))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

#[test]
fn good_streams_pass() {
    for rows in [0, 1, 1000] {
        let batch = sample(rows);
        let decoded = decode(&ipc(&[batch.clone(), batch.clone()]), &Quota::default(), |_| Ok(())).unwrap();
        assert_eq!(decoded.num_rows(), 2 * rows);
        assert_eq!(decoded.slice(rows, rows), batch);
    }
}

#[test]
fn quotas_and_the_expected_schema_hold() {
    let stream = ipc(&[sample(100)]);
    let says = |quota: Quota, part: &str| {
        let error = decode(&stream, &quota, |_| Ok(())).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    says(Quota { bytes: 100, ..Quota::default() }, "larger");
    says(Quota { rows: 99, ..Quota::default() }, "rows");
    says(Quota { columns: 5, ..Quota::default() }, "quota");
    let error = decode(&stream, &Quota::default(), |schema| Err(format!("`{}`", schema.field(0).name())));
    assert!(error.unwrap_err().to_string().contains("`text`"));
}

#[test]
fn a_schema_passes_with_and_without_its_length() {
    let (stream, schema) = (ipc(&[sample(0)]), sample(0).schema());
    let length = u32::from_le_bytes(stream[4..8].try_into().unwrap()) as usize;
    assert_eq!(decode_schema(&stream[..8 + length]).unwrap(), schema);
    assert_eq!(decode_schema(&stream[8..8 + length]).unwrap(), schema);
    for cut in 0..8 + length {
        drop(decode_schema(&stream[..cut]));
    }
}

#[test]
fn nested_dictionary_and_view_columns_do_not_pass() {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    for kind in [dictionary, list, DataType::Utf8View, DataType::Binary, DataType::Float16] {
        let schema = Arc::new(Schema::new(vec![Field::new("a", kind.clone(), true)]));
        let stream = ipc(&[RecordBatch::new_empty(schema)]);
        assert!(decode(&stream, &Quota::default(), |_| Ok(())).is_err(), "{kind}");
    }
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// How often this thread has panicked.
fn panics() -> usize {
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            usual(panic);
        }));
    });
    PANICS.get()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn changed_bytes_give_a_batch_or_an_error(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut stream = ipc(&[sample(9)]).to_vec();
        for (at, byte) in changes {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        // A panic is caught by the gate itself, as a last resort; here it counts as a failure.
        let before = panics();
        let decoded = decode(&stream.into(), &Quota::default(), |_| Ok(()));
        prop_assert_eq!(panics(), before, "the decoder panicked");
        if let Ok(batch) = decoded {
            // What passes can be read to its last value.
            arrow::util::pretty::pretty_format_batches(&[batch]).unwrap();
        }
    }

    #[test]
    fn cut_streams_are_errors(cut in any::<prop::sample::Index>()) {
        let whole = ipc(&[sample(9)]);
        let cut = cut.index(whole.len());
        prop_assert!(decode(&whole.slice(..cut), &Quota::default(), |_| Ok(())).is_err());
    }
}
