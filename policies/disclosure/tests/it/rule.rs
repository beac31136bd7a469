//! Which cells leave: held against the rule written down a second time, and against brute force over people.

use std::collections::{BTreeMap, BTreeSet};

use liquid_disclosure::{Layout, disclose};
use proptest::prelude::*;

use crate::support::{Row, batch, cells, footprint, permit, permit_with, withheld};

/// Over a few aggregates, counts around the minimum, and every flag.
fn rows(branches: Vec<usize>) -> impl Strategy<Value = (Vec<usize>, Vec<Row>)> {
    let count = || prop_oneof![9 => (0..8_u32).prop_map(Some), 1 => Just(None)];
    let inside: Vec<_> = branches.iter().map(|n| prop::collection::vec(count(), *n)).collect();
    let n = branches.len();
    let flag = prop_oneof![1 => Just(Some(true)), 3 => Just(Some(false)), 1 => Just(None)];
    let spread = || prop_oneof![8 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)];
    let spread = prop::array::uniform2(spread());
    let flags = (prop::collection::vec(flag, n), prop::collection::vec(spread, n));
    let row = (count(), inside, prop::collection::vec(count(), n), flags).prop_map(
        move |(present, inside, outside, (nobody_out, spread))| Row {
            keys: vec![0],
            values: (0..n).map(|v| i64::try_from(v).ok()).collect(),
            present,
            inside,
            outside,
            nobody_out,
            spread,
        },
    );
    prop::collection::vec(row, 0..12).prop_map(move |mut rows| {
        for (key, row) in rows.iter_mut().enumerate() {
            row.keys = vec![i64::try_from(key).expect("few")];
        }
        (branches.clone(), rows)
    })
}

fn any_rows() -> impl Strategy<Value = (Vec<usize>, Vec<Row>)> {
    prop::collection::vec(1..4_usize, 0..4).prop_flat_map(rows)
}

/// Key, aggregate and value of every cell that left, and the keys that stand there.
fn released(
    branches: &[usize],
    rows: &[Row],
    minimum: u32,
    rules: &str,
    declared: bool,
) -> (BTreeSet<(i64, usize)>, BTreeSet<i64>) {
    let permit = permit_with(minimum, rules, &footprint(&["g"], branches));
    let layout = Layout::of(&permit, declared, vec![], None);
    let released = disclose(withheld(batch(&layout, rows), layout), &permit, None).expect("fits");
    let (mut open, mut keys) = (BTreeSet::new(), BTreeSet::new());
    let mut hidden = 0;
    for row in cells(&released) {
        let key = row[0].0.expect("keys are never hidden");
        assert_eq!(row[0].1, 0, "keys are never marked");
        keys.insert(key);
        for (aggregate, cell) in row[1..].iter().enumerate() {
            match cell {
                (Some(value), 0) => {
                    assert_eq!(usize::try_from(*value), Ok(aggregate), "the value of its own column");
                    open.insert((key, aggregate));
                }
                (None, 2) => hidden += 1,
                other => panic!("a cell has its value, or NULL and the mark: {other:?}"),
            }
        }
    }
    assert_eq!(released.get().withheld(), hidden);
    assert_eq!(released.get().columns(), 1 + branches.len(), "hidden columns stay behind");
    (open, keys)
}

/// Without a rule on concentration, with one, and with both.
fn rules() -> impl Strategy<Value = &'static str> {
    let both = "dominance = { n = 2, share = 0.9 }\np_ratio = 0.1";
    prop::sample::select(vec!["", "p_ratio = 0.1", "dominance = { n = 1, share = 0.5 }", both])
}

proptest! {
    #[test]
    fn the_rule_cell_by_cell(
        (branches, rows) in any_rows(), minimum in 2..7_u32, rules in rules(), declared: bool
    ) {
        let (open, keys) = released(&branches, &rows, minimum, rules, declared);
        for row in &rows {
            let enough = |count: &Option<u32>| count.unwrap_or(0) >= minimum;
            let key = row.keys[0];
            prop_assert_eq!(keys.contains(&key), declared || enough(&row.present));
            for aggregate in 0..branches.len() {
                let few_inside = row.inside[aggregate].iter().any(|count| !enough(count));
                let is_spread = |side: usize| rules.is_empty() || row.spread[aggregate][side] == Some(true);
                let few_inside = few_inside || !is_spread(0);
                let few_outside = !(enough(&row.outside[aggregate]) && is_spread(1));
                let few_outside = few_outside && row.nobody_out[aggregate] != Some(true);
                let hidden = !enough(&row.present) || few_inside || few_outside;
                prop_assert_eq!(open.contains(&(key, aggregate)), !hidden, "{:?}", row);
            }
        }
    }

    /// A greater minimum, or a rule more, never lets more out, neither cells nor groups.
    #[test]
    fn tighter_never_releases_more(
        (branches, rows) in any_rows(), minimum in 2..7_u32, more in 0..4_u32, rules in rules(), declared: bool
    ) {
        let (open, keys) = released(&branches, &rows, minimum, "", declared);
        let (open_after, keys_after) = released(&branches, &rows, minimum + more, rules, declared);
        prop_assert!(open_after.is_subset(&open));
        prop_assert!(keys_after.is_subset(&keys));
    }
}

/// A row of a protected table.
#[derive(Debug, Clone)]
struct Visit {
    person: u8,
    ward: i64,
    /// WHERE.
    seen: Option<bool>,
    /// FILTER and CASE.
    flag: Option<bool>,
    x: Option<i64>,
}

fn visits() -> impl Strategy<Value = Vec<Visit>> {
    let maybe = || prop_oneof![6 => Just(Some(true)), 2 => Just(Some(false)), 1 => Just(None)];
    let x = prop_oneof![5 => (-9..9_i64).prop_map(Some), 1 => Just(None)];
    let visit = (0..12_u8, 0..3_i64, maybe(), maybe(), x).prop_map(|(person, ward, seen, flag, x)| Visit {
        person,
        ward,
        seen,
        flag,
        x,
    });
    prop::collection::vec(visit, 0..60)
}

/// The columns of the test's cut: what each adds up, and over which branches.
/// `sum(x)`, `sum(x) FILTER (WHERE flag)`, `sum(CASE WHEN flag THEN x ELSE -x END)`.
type Branch = fn(&Visit) -> Option<i64>;
const CUT: [&[Branch]; 3] = [
    &[|v| v.x],
    &[|v| v.x.filter(|_| v.flag == Some(true))],
    &[|v| v.x.filter(|_| v.flag == Some(true)), |v| v.x.map(|x| -x).filter(|_| v.flag != Some(true))],
];

fn people<'a>(visits: impl Iterator<Item = &'a Visit>) -> BTreeSet<u8> {
    visits.map(|visit| visit.person).collect()
}

/// What an engine that keeps its word computes, one column after the other.
fn engine(visits: &[Visit], minimum: u32, declared: bool) -> Vec<Row> {
    let seen = |v: &&Visit| v.seen == Some(true);
    let capped = |people: BTreeSet<u8>| u32::try_from(people.len()).ok().map(|n| n.min(minimum));
    let wards: BTreeSet<i64> =
        if declared { (0..4).collect() } else { visits.iter().filter(seen).map(|v| v.ward).collect() };
    wards
        .into_iter()
        .map(|ward| {
            let group: Vec<_> = visits.iter().filter(|v| v.ward == ward).collect();
            let rows = || group.iter().copied();
            let value = |branches: &&[Branch]| {
                let parts: Vec<i64> =
                    rows().filter(seen).flat_map(|v| branches.iter().filter_map(|b| b(v))).collect();
                (!parts.is_empty()).then(|| parts.iter().sum())
            };
            let inside = |branches: &&[Branch]| {
                branches
                    .iter()
                    .map(|b| capped(people(rows().filter(seen).filter(|v| b(v).is_some()))))
                    .collect()
            };
            let outside = |branches: &&[Branch]| {
                capped(people(rows().filter(|v| !(seen(v) && branches.iter().any(|b| b(v).is_some())))))
            };
            Row {
                keys: vec![ward],
                values: CUT.iter().map(value).collect(),
                present: capped(people(rows().filter(seen))),
                inside: CUT.iter().map(inside).collect(),
                outside: CUT.iter().map(outside).collect(),
                nobody_out: vec![Some(false); CUT.len()],
                spread: vec![],
            }
        })
        .collect()
}

proptest! {
    /// From the table itself: whoever is behind a released number, and whoever its plan left out, are enough people.
    #[test]
    fn nobody_is_singled_out(visits in visits(), minimum in 2..5_u32, declared: bool) {
        let branches: Vec<_> = CUT.iter().map(|branches| branches.len()).collect();
        let permit = permit(minimum, &footprint(&["g"], &branches));
        let layout = Layout::of(&permit, declared, vec![], None);
        let rows = engine(&visits, minimum, declared);
        let released = disclose(withheld(batch(&layout, &rows), layout), &permit, None).expect("fits");
        let mut wards = BTreeMap::new();
        for row in cells(&released) {
            wards.insert(row[0].0.expect("a key"), row[1..].to_vec());
        }
        for ward in 0..4 {
            let group = || visits.iter().filter(|v| v.ward == ward);
            let seen: BTreeSet<_> = group().filter(|v| v.seen == Some(true)).map(|v| v.person).collect();
            let shown = wards.get(&ward);
            prop_assert_eq!(shown.is_some(), declared || seen.len() >= minimum as usize);
            let Some(shown) = shown else { continue };
            for (aggregate, cell) in shown.iter().enumerate() {
                let mut behind = vec![BTreeSet::new(); CUT[aggregate].len()];
                let (mut out, mut total) = (BTreeSet::new(), 0);
                for visit in group() {
                    let mut used = false;
                    for (branch, part) in CUT[aggregate].iter().enumerate() {
                        if let (Some(true), Some(value)) = (visit.seen, part(visit)) {
                            behind[branch].insert(visit.person);
                            total += value;
                            used = true;
                        }
                    }
                    if !used {
                        out.insert(visit.person);
                    }
                }
                let enough = |people: &BTreeSet<u8>| people.len() >= minimum as usize;
                let safe = behind.iter().all(enough) && enough(&out);
                prop_assert_eq!(*cell, if safe { (Some(total), 0) } else { (None, 2) });
            }
        }
    }
}

/// With a minimum of one there is nothing to hide, and nothing is said to be hidden.
#[test]
fn a_minimum_of_one_switches_the_rules_off() {
    let permit = permit(1, &footprint(&["h"], &[1]));
    let layout = Layout::of(&permit, false, vec![], None);
    assert!(layout.hidden().is_empty());
    let row = |key, value| Row {
        keys: vec![key],
        values: vec![value],
        present: None,
        inside: vec![],
        outside: vec![],
        nobody_out: vec![],
        spread: vec![],
    };
    let rows = [row(1, Some(5)), row(2, None)];
    let released = disclose(withheld(batch(&layout, &rows), layout), &permit, None).expect("fits");
    assert_eq!(cells(&released), [[(Some(1), 0), (Some(5), 0)], [(Some(2), 0), (None, 0)]]);
    let table = released.get();
    assert!(!table.groups_may_be_missing() && !table.rows_may_be_missing() && table.clauses().is_empty());
}

#[test]
fn a_guarded_answer_says_what_can_hide_something() {
    let permit = permit(3, &footprint(&["g"], &[]));
    for declared in [true, false] {
        let layout = Layout::of(&permit, declared, vec![], None);
        let released = disclose(withheld(batch(&layout, &[]), layout), &permit, None).expect("fits");
        assert_eq!(released.get().groups_may_be_missing(), !declared);
        assert!(released.get().clauses().iter().eq(["disclosure.minimum_contributors"]));
        assert_eq!((released.get().rows(), released.get().columns()), (0, 1));
    }
    let permit = permit_with(3, "dominance = { n = 2, share = 0.9 }\np_ratio = 0.1", &footprint(&["g"], &[]));
    let layout = Layout::of(&permit, true, vec![], None);
    let released = disclose(withheld(batch(&layout, &[]), layout), &permit, None).expect("fits");
    let clauses = ["disclosure.dominance", "disclosure.minimum_contributors", "disclosure.p_ratio"];
    assert!(released.get().clauses().iter().eq(clauses));
}
