//! What stands above the cuts: marks and flags go on, and a value cannot come back.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, NullArray, UInt8Array, UInt32Array};
use arrow::record_batch::RecordBatch;
use liquid_disclosure::{Layout, Mark, Released, Table, disclose, finish};

use crate::support::{batch, cells, footprint, permit, withheld};

fn input(minimum: u32, declared: bool) -> Released<Table> {
    let permit = permit(minimum, &footprint(&["g"], &[]));
    let layout = Layout::of(&permit, declared, vec![], None);
    disclose(withheld(batch(&layout, &[]), layout), &permit, None).expect("fits")
}

fn above(value: ArrayRef, mark: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("ratio", value, true), ("m", mark, true)]).expect("fits")
}

fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn marks(marks: &[u8]) -> ArrayRef {
    Arc::new(UInt8Array::from(marks.to_vec()))
}

#[test]
fn a_withheld_value_is_null_whatever_was_computed() {
    let finished =
        finish(&[&input(5, true)], above(numbers(&[7, 8, 9]), marks(&[0, 1, 2])), false).expect("fits");
    assert_eq!(cells(&finished), [[(Some(7), 0)], [(Some(8), 1)], [(None, 2)]]);
    let table = finished.get();
    assert_eq!((table.withheld(), table.rows()), (1, 3));
    assert_eq!(table.batch().schema().field(0).name(), "ratio");
    assert!(table.rows_may_be_missing(), "a cell is marked as incomplete");
    assert!(table.batch().schema().field(0).is_nullable() && !table.batch().schema().field(1).is_nullable());
    // A column of nothing but NULL has no room for a value.
    let nothing = finish(&[], above(Arc::new(NullArray::new(2)), marks(&[0, 2])), false).expect("fits");
    assert_eq!(nothing.get().withheld(), 1);
}

#[test]
fn what_may_be_missing_below_may_be_missing_above() {
    let one = || above(numbers(&[1]), marks(&[0]));
    for (inputs, said, groups, rows, clauses) in [
        (vec![input(1, false)], false, false, false, 0),
        (vec![input(5, true)], false, false, false, 1),
        (vec![input(1, false), input(5, false)], false, true, false, 1),
        (vec![input(5, true)], true, false, true, 1),
        (vec![], false, false, false, 0),
    ] {
        let inputs: Vec<_> = inputs.iter().collect();
        let finished = finish(&inputs, one(), said).expect("fits");
        let table = finished.get();
        let found = (table.groups_may_be_missing(), table.rows_may_be_missing(), table.clauses().len());
        assert_eq!(found, (groups, rows, clauses));
        let again = finish(&[&finished], one(), false).expect("fits");
        assert_eq!(again.get().rows_may_be_missing(), rows, "once missing, always missing");
    }
}

#[test]
fn columns_without_marks_are_caught() {
    let refuses = |batch: RecordBatch| assert!(finish(&[&input(5, true)], batch, false).is_err());
    refuses(RecordBatch::try_from_iter([("ratio", numbers(&[1]))]).expect("fits"));
    refuses(above(numbers(&[1]), Arc::new(UInt32Array::from(vec![0]))));
    refuses(above(numbers(&[1]), Arc::new(UInt8Array::from(vec![None]))));
    refuses(above(numbers(&[1]), marks(&[3])));
    refuses(above(marks(&[0]), numbers(&[1])));
}

#[test]
fn marks_are_ordered_by_what_they_hide() {
    assert!(Mark::Plain < Mark::Incomplete && Mark::Incomplete < Mark::Withheld);
    for mark in [Mark::Plain, Mark::Incomplete, Mark::Withheld] {
        assert_eq!(Mark::from_u8(mark as u8), Some(mark));
    }
    assert_eq!(Mark::from_u8(3), None);
}
