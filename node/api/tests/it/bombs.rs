//! Arrow streams that were made to do harm. Each is an error that says what is wrong; none takes memory that it does not
//! have itself, and the process that looks at them lives on. The same streams are sent to a real coordinator elsewhere.

use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Float64Array, Int64Array, StringArray, StringViewArray};
use arrow::datatypes::{Int32Type, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::root_as_message;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use liquid_node_api::wire::gate::{Quota, Unacceptable, decode};

/// What every stream pretends to answer.
fn honest(rows: usize) -> RecordBatch {
    saying("f", rows)
}

fn saying(text: &str, rows: usize) -> RecordBatch {
    let texts = StringArray::from_iter_values((0..rows).map(|_| text));
    let columns: Vec<(&str, ArrayRef)> =
        vec![("g0", Arc::new(texts)), ("a0", Arc::new(Int64Array::from_iter_values((0..rows).map(|_| 0))))];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, it)| (name, it, true))).unwrap()
}

fn stream(batches: &[RecordBatch], compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let schema = batches[0].schema();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap()
}

/// The messages of a stream, each with its length and its body; the end is left out.
fn messages(stream: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut found) = (stream, Vec::new());
    loop {
        let header = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        if header == 0 {
            return found;
        }
        let body = root_as_message(&rest[8..8 + header]).unwrap().bodyLength() as usize;
        found.push(rest[..8 + header + body].to_vec());
        rest = &rest[8 + header + body..];
    }
}

/// Messages in this order as a stream that ends.
fn of(messages: &[&[u8]]) -> Vec<u8> {
    [messages.concat(), vec![0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]].concat()
}

/// The last message with some bytes of its body changed.
fn with_body(stream: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut all = messages(stream);
    let last = all.last_mut().unwrap();
    let begin = 8 + u32::from_le_bytes(last[4..8].try_into().unwrap()) as usize;
    last[begin + at..begin + at + bytes.len()].copy_from_slice(bytes);
    of(&all.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Where in the body of a batch without gaps the offsets of its first column lie.
fn offsets_at(stream: &[u8]) -> usize {
    let all = messages(stream);
    let last = all.last().unwrap();
    let header = u32::from_le_bytes(last[4..8].try_into().unwrap()) as usize;
    let message = root_as_message(&last[8..8 + header]).unwrap();
    message.header_as_record_batch().unwrap().buffers().unwrap().get(1).offset() as usize
}

/// A stream; large ones are made when they are needed.
enum Bomb {
    Bytes(Vec<u8>),
    /// The same message so many times.
    Many(Vec<u8>, usize),
    /// Zeros that take next to no room.
    Zeros(CompressionType),
}

impl Bomb {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Many(message, times) => {
                let schema = messages(&stream(&[honest(0)], None)).swap_remove(0);
                [schema, message.repeat(*times), of(&[])].concat()
            }
            Self::Zeros(kind) => {
                let plain = stream(&[saying("", 500_000)], None).len();
                let zeros = stream(&[saying("", 500_000)], Some(*kind));
                assert!(zeros.len() * 100 < plain, "it is small and says much");
                zeros
            }
        }
    }
}

/// Bombs with what the error says.
fn bombs() -> Vec<(&'static str, Bomb, &'static str)> {
    let plain = stream(&[honest(1000)], None);
    let offsets = offsets_at(&plain);
    let mut all = Vec::new();
    let mut add = |name, bytes, says| all.push((name, Bomb::Bytes(bytes), says));
    for (kind, name) in [(CompressionType::LZ4_FRAME, "lz4"), (CompressionType::ZSTD, "zstd")] {
        let packed = stream(&[honest(1000)], Some(kind));
        for length in [1_u64 << 40, i64::MAX as u64, u64::MAX - 1] {
            let at = offsets_at(&packed);
            add(name, with_body(&packed, at, &length.to_le_bytes()), "compressed");
        }
    }
    let one = messages(&plain);
    let (schema, batch) = (one[0].as_slice(), one[1].as_slice());
    let (empty, single) = (messages(&stream(&[honest(0)], None)), messages(&stream(&[honest(1)], None)));
    let words: DictionaryArray<Int32Type> = vec!["f", "m", "f"].into_iter().collect();
    let listed = RecordBatch::try_from_iter([("g0", Arc::new(words) as ArrayRef)]).unwrap();
    let listed = messages(&stream(&[listed], None));
    add("a dictionary", of(&[&listed[0], &listed[1], &listed[2]]), "not flat");
    add("a dictionary before its schema", of(&[&listed[1], &listed[0], &listed[2]]), "begin with a schema");
    add("a dictionary in between", of(&[schema, &listed[1], batch]), "not a batch");
    let views = StringViewArray::from_iter_values(["a text that is far too long for a view", "b"]);
    let views = RecordBatch::try_from_iter([("g0", Arc::new(views) as ArrayRef)]).unwrap();
    let views = messages(&stream(&[views], None));
    add("views", of(&[&views[0], &views[1]]), "not used here");
    add("views under another schema", of(&[schema, &views[1]]), "has views");
    add("two schemas", of(&[schema, schema, batch]), "not a batch");
    add("no schema", of(&[batch]), "begin with a schema");
    add("nothing", of(&[]), "empty");
    add("no end", [schema, batch].concat(), "ends early");
    add("more after the end", [of(&[schema, batch]), vec![0; 8]].concat(), "follow the end");
    for offset in [-1_i32, i32::MAX, i32::MIN] {
        add("offsets", with_body(&plain, offsets + 4, &offset.to_le_bytes()), "does not decode");
        add("last offset", with_body(&plain, offsets + 4000, &offset.to_le_bytes()), "does not decode");
    }
    let other = Arc::new(Float64Array::from(vec![0.0; 1000])) as ArrayRef;
    let fewer = honest(1000).project(&[0]).unwrap();
    let other = RecordBatch::try_from_iter([("g0", honest(1000).column(0).clone()), ("a0", other)]).unwrap();
    for batch in [fewer.clone(), other] {
        add("another schema", stream(&[batch], None), "other than asked");
    }
    // The batch of one schema behind another.
    let fewer = messages(&stream(&[fewer], None));
    add("a batch of fewer columns", of(&[schema, &fewer[1]]), "columns differ");
    for (name, message, times, says) in [
        ("empty batches", &empty[1], 100_000, "more batches"),
        ("batches of one row", &single[1], 100_000, "more batches"),
        ("a million of them", &empty[1], 1_000_000, "larger than its quota"),
    ] {
        all.push((name, Bomb::Many(message.clone(), times), says));
    }
    all.push(("lz4 zeros", Bomb::Zeros(CompressionType::LZ4_FRAME), "compressed"));
    all.push(("zstd zeros", Bomb::Zeros(CompressionType::ZSTD), "compressed"));
    all
}

fn expect(told: &Schema) -> Result<(), String> {
    let wanted = honest(0).schema();
    let same = |(told, wanted): (&Arc<_>, &Arc<arrow::datatypes::Field>)| {
        let told: &Arc<arrow::datatypes::Field> = told;
        told.name() == wanted.name() && told.data_type() == wanted.data_type()
    };
    let fits = told.fields().len() == 2 && told.fields().iter().zip(wanted.fields()).all(same);
    if fits { Ok(()) } else { Err("it has other columns than asked for: other than asked".to_owned()) }
}

fn opened(stream: Vec<u8>) -> Result<RecordBatch, Unacceptable> {
    decode(&Bytes::from(stream), &Quota::default(), expect)
}

#[test]
fn each_is_an_error_that_says_what_is_wrong() {
    opened(stream(&[honest(1000)], None)).unwrap();
    for (name, bomb, says) in bombs() {
        let error = opened(bomb.bytes()).map(|batch| batch.num_rows()).unwrap_err().to_string();
        assert!(error.contains(says), "{name}: {error}");
    }
}

/// Most memory that this process has had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

#[test]
#[ignore = "runs as a child of the next one"]
fn opens_one() {
    let Ok(number) = std::env::var("LIQUID_BOMB") else { return };
    let (name, bomb, _) = bombs().swap_remove(number.parse().unwrap());
    let bytes = bomb.bytes();
    let before = peak();
    assert!(opened(bytes).is_err(), "{name}");
    let after = peak();
    assert!(after < before + (64 << 20), "{name}: {} MiB more", (after - before) >> 20);
    opened(stream(&[honest(1000)], None)).unwrap();
}

#[test]
fn none_takes_memory_that_it_does_not_bring() {
    for (number, (name, ..)) in bombs().into_iter().enumerate() {
        // The large ones are only there to be counted; making them takes the memory that is measured.
        if name == "a million of them" {
            continue;
        }
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "bombs::opens_one"])
            .env("LIQUID_BOMB", number.to_string())
            .output()
            .unwrap();
        assert!(child.status.success(), "{name}: {}", String::from_utf8_lossy(&child.stdout));
        assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "{name} was opened");
    }
}
