//! An engine that forgets an obligation, or says less than it should, releases nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use liquid_disclosure::{Layout, disclose};
use liquid_policy::Permit;

use crate::support::{Row, batch, footprint, permit, permit_with, withheld};

fn row() -> Row {
    Row {
        keys: vec![1, 2],
        values: vec![Some(10), Some(20)],
        present: Some(9),
        inside: vec![vec![Some(9)], vec![Some(9), Some(9)]],
        outside: vec![Some(9), Some(9)],
        nobody_out: vec![Some(false), Some(false)],
        spread: vec![[Some(true); 2]; 2],
    }
}

fn cut() -> Permit {
    permit(5, &footprint(&["g", "h"], &[1, 2]))
}

fn concentrated() -> Permit {
    permit_with(5, "p_ratio = 0.1", &footprint(&["g", "h"], &[1, 2]))
}

fn refuses(permit: &Permit, layout: &Layout, batch: RecordBatch, what: &str) {
    let result = disclose(withheld(batch, layout.clone()), permit, None);
    let bug = result.map(|released| released.get().clone()).expect_err(what);
    assert!(bug.to_string().contains(what), "{bug} is not about {what}");
}

#[test]
fn the_right_form_passes() {
    let layout = Layout::of(&cut(), false, vec![], None);
    assert_eq!(layout.visible_names(), ["g0", "g1", "a0", "a1"]);
    let hidden: Vec<_> = layout.hidden().iter().map(|field| field.name().clone()).collect();
    assert_eq!(hidden, ["present", "c0_0", "c1_0", "c1_1", "l0", "l1", "s0", "s1"]);
    disclose(withheld(batch(&layout, &[row()]), layout), &cut(), None).expect("fits");

    let layout = Layout::of(&concentrated(), false, vec![], None);
    let behind: Vec<_> = layout.hidden().iter().skip(8).map(|field| field.name().clone()).collect();
    assert_eq!(behind, ["d0", "d1", "e0", "e1"]);
    disclose(withheld(batch(&layout, &[row()]), layout), &concentrated(), None).expect("fits");
}

#[test]
fn another_layout_is_caught() {
    let permit = cut();
    let good = Layout::of(&permit, false, vec![], None);
    let said = |change: &dyn Fn(&mut Layout)| {
        let mut layout = good.clone();
        change(&mut layout);
        layout
    };
    // Unguarded under a minimum: every value would leave as it is.
    let open = said(&|layout| layout.guarded = false);
    refuses(&permit, &open, batch(&open, &[row()]), "the layout");
    let unjudged = Layout::of(&permit, false, vec![], None);
    refuses(&concentrated(), &unjudged, batch(&unjudged, &[row()]), "the layout");
    // A key too many would carry a value out as a key.
    let shifted = said(&|layout| {
        layout.groups = 3;
        layout.branches.pop();
    });
    refuses(&permit, &shifted, batch(&good, &[row()]), "the layout");
    let fewer = said(&|layout| layout.branches = vec![1, 1]);
    refuses(&permit, &fewer, batch(&fewer, &[row()]), "the layout");
    // Declared groups stay whatever is behind them, so the claim must hold.
    let declared = said(&|layout| layout.declared = true);
    refuses(&permit, &declared, batch(&declared, &[row()]), "no declared domain");
}

#[test]
fn other_columns_are_caught() {
    let permit = concentrated();
    let layout = Layout::of(&permit, false, vec![], None);
    let full = batch(&layout, &[row()]);
    for column in 0..full.num_columns() {
        let others: Vec<_> = (0..full.num_columns()).filter(|other| *other != column).collect();
        refuses(&permit, &layout, full.project(&others).expect("there"), "number of columns");
        let mut swapped: Vec<_> = (0..full.num_columns()).collect();
        swapped.swap(column, (column + 1) % full.num_columns());
        refuses(&permit, &layout, full.project(&swapped).expect("there"), "order");
    }
    let names: Vec<_> = full.schema().fields().iter().map(|field| field.name().clone()).collect();
    for hidden in layout.visible()..full.num_columns() {
        for other in
            [Arc::new(Int64Array::from(vec![99])) as ArrayRef, Arc::new(StringArray::from(vec!["9"]))]
        {
            let mut columns = full.columns().to_vec();
            columns[hidden] = other;
            let retyped = RecordBatch::try_from_iter(names.iter().cloned().zip(columns)).expect("fits");
            let what = if hidden < full.num_columns() - 6 { "UInt32" } else { "Boolean" };
            refuses(&permit, &layout, retyped, what);
        }
    }
}
