//! Any bytes are a batch of the expected columns or an error; what is accepted is no larger than the bytes that carried it.
#![no_main]

use arrow::datatypes::{DataType, Schema};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use liquid_node_api::wire::gate::{Quota, decode, decode_schema, encode};

fuzz_target!(|bytes: &[u8]| {
    let _ = decode_schema(bytes);
    let quota = Quota { bytes: 1 << 20, rows: 10_000, columns: 16, batches: 100 };
    let two = |schema: &Schema| match schema.fields().iter().map(|field| field.data_type()).collect::<Vec<_>>()[..] {
        [DataType::Utf8, DataType::Int64] => Ok(()),
        _ => Err("other columns".to_owned()),
    };
    for expect in [true, false] {
        let stream = Bytes::copy_from_slice(bytes);
        let decoded = decode(&stream, &quota, |schema| if expect { two(schema) } else { Ok(()) });
        let Ok(batch) = decoded else { continue };
        assert!(batch.num_rows() <= quota.rows && batch.num_columns() <= quota.columns);
        // What was accepted can be used: it is written and read back without loss.
        let again = encode(&batch).expect("an accepted batch");
        let quota = Quota { bytes: usize::MAX, ..quota };
        assert_eq!(decode(&again, &quota, |_| Ok(())).expect("our own stream"), batch);
    }
});
