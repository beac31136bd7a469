//! The engine runs a cut under its permit, and what comes back is `Withheld` before anybody can look at it.

use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use liquid_disclosure::{Cells, Layout, Released, Table, Withheld, finish};
use liquid_node_api::Error;
use liquid_node_api::engine::{Ask, Caps, HashKey, Told};
use liquid_node_api::wire::IntoWire as _;
use liquid_node_api::wire::gate::{Quota, decode};
use liquid_policy::Permit;

use crate::check::{Engine, ask_engine, broke_its_word};

/// Runs one permitted cut.
///
/// # Errors
/// A fault: the engine died, was late, failed, or sent something of another form than the permit demands.
pub async fn execute(
    engine: &mut Engine,
    plan: u64,
    cut: usize,
    permit: &Permit,
    caps: &Caps,
    known_by: Option<HashKey>,
) -> Result<Withheld<Cells>, Error> {
    let obligations = permit.obligations().clone();
    let ask = Ask::Run { plan, cut, obligations, known_by, caps: caps.clone() };
    let (told, attached) = ask_engine(engine, ask, vec![]).await?;
    let Told::Ran { layout } = told else { return Err(broke_its_word("another answer to `Run`")) };
    withhold(attached, layout, permit, caps)
}

/// The one decoder of rows that came from data.
fn withhold(
    attached: Vec<Bytes>,
    layout: Layout,
    permit: &Permit,
    caps: &Caps,
) -> Result<Withheld<Cells>, Error> {
    let demanded = Layout::of(permit, layout.declared, layout.families.clone(), layout.measured.clone());
    let batch = only(attached, caps, |schema| demanded.accepts(schema))?;
    Ok(Withheld::new(Cells { batch, layout }))
}

/// Runs what lies above the cuts, over released tables alone.
///
/// # Errors
/// As [`execute`].
pub async fn finish_above(
    engine: &mut Engine,
    plan: u64,
    released: &[Released<Table>],
    caps: &Caps,
) -> Result<Released<Table>, Error> {
    let tables = released
        .iter()
        .map(|table| Ok(table.clone().into_wire(true, None)?.ipc()))
        .collect::<Result<Vec<_>, Error>>()?;
    let (told, attached) = ask_engine(engine, Ask::Finish { plan, caps: caps.clone() }, tables).await?;
    let Told::Finished { rows_may_be_missing } = told else {
        return Err(broke_its_word("another answer to `Finish`"));
    };
    let batch = only(attached, caps, |schema| {
        let marks = schema.fields().iter().skip(schema.fields().len() / 2);
        let wrong = marks.filter(|mark| *mark.data_type() != DataType::UInt8).count();
        if wrong > 0 || schema.fields().len() % 2 != 0 {
            Err("a column has no mark".to_owned())
        } else {
            Ok(())
        }
    })?;
    let inputs: Vec<_> = released.iter().collect();
    finish(&inputs, batch, rows_may_be_missing).map_err(|bug| broke_its_word(&bug.to_string()))
}

fn only(
    attached: Vec<Bytes>,
    caps: &Caps,
    expect: impl FnOnce(&Schema) -> Result<(), String>,
) -> Result<RecordBatch, Error> {
    let [stream] = attached.as_slice() else { return Err(broke_its_word("not one table")) };
    let rows = usize::try_from(caps.rows).unwrap_or(usize::MAX);
    let bytes = usize::try_from(caps.memory_bytes).unwrap_or(usize::MAX);
    decode(stream, &Quota { bytes, rows, ..Quota::default() }, expect)
        .map_err(|unacceptable| broke_its_word(&unacceptable.to_string()))
}
