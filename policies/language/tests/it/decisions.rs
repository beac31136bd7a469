//! What one cut may touch: every use against every position, and that tightening never permits more.

use liquid_policy::decide::judge;
use liquid_policy::document::{Aggregate as Grant, Use};
use liquid_policy::footprint::{Aggregate, Argument, Footprint, Function, GroupKey, Term};
use liquid_policy::id::ColumnName;
use liquid_policy::{Agreement, Code, admit, decide};
use proptest::prelude::*;

use crate::support::{SMALL, agreement, caller, day, nothing_named, signed};

fn subsets<T: Copy>(all: &[T]) -> Vec<Vec<T>> {
    let chosen =
        |bits: usize| all.iter().enumerate().filter(move |(i, _)| bits >> i & 1 == 1).map(|(_, t)| *t);
    (0..1 << all.len()).map(|bits| chosen(bits).collect()).collect()
}

const USES: [Use; 3] = [Use::Group, Use::Filter, Use::Measure];
const GRANTS: [Grant; 3] = [Grant::Count, Grant::Sum, Grant::Avg];
const FUNCTIONS: [Function; 4] = [Function::Count, Function::CountDistinct, Function::Sum, Function::Avg];

/// What one column of the agreement says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Says {
    uses: Vec<Use>,
    grants: Vec<Grant>,
}

impl Says {
    fn text(&self, name: &str) -> String {
        let quote = |words: Vec<&str>| {
            format!("[{}]", words.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>().join(", "))
        };
        let uses = quote(self.uses.iter().map(|u| u.word()).collect());
        let grants = quote(self.grants.iter().map(|g| g.word()).collect());
        if self.uses.contains(&Use::Measure) {
            format!("{name} = {{ use = {uses}, aggregates = {grants} }}\n")
        } else {
            format!("{name} = {{ use = {uses} }}\n")
        }
    }

    fn tighter_than(&self, other: &Self) -> bool {
        let within = |a: &[Use], b: &[Use]| a.iter().all(|u| b.contains(u));
        let sums = |s: &Self| s.grants.iter().filter(|g| **g != Grant::Count).count() > 0;
        within(&self.uses, &other.uses) && (!self.uses.contains(&Use::Measure) || !sums(self) || sums(other))
    }

    /// Everything that can be said of a column.
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for uses in subsets(&USES) {
            if uses.contains(&Use::Measure) {
                let grants = subsets(&GRANTS).into_iter().filter(|grants| !grants.is_empty());
                all.extend(grants.map(|grants| Self { uses: uses.clone(), grants }));
            } else {
                all.push(Self { uses, grants: Vec::new() });
            }
        }
        all
    }
}

fn with_columns(columns: &str) -> Agreement {
    let text = SMALL.replace("person = { use = [] }\n", &format!("person = {{ use = [] }}\n{columns}"));
    agreement(&text).as_ref().clone()
}

fn columns(names: &[&str]) -> Vec<ColumnName> {
    names.iter().map(|name| (*name).into()).collect()
}

fn term(names: &[&str]) -> Argument {
    Argument::Term(Term { columns: columns(names), factors: vec![] })
}

fn empty() -> Footprint {
    Footprint {
        tables: vec!["t".into()],
        joins: vec![],
        mixed: false,
        filter: vec![],
        groups: vec![],
        aggregates: vec![],
        dates: vec![],
        step: None,
    }
}

fn computes(function: Function, argument: Argument, filter: &[&str]) -> Footprint {
    Footprint { aggregates: vec![Aggregate { function, argument, filter: columns(filter) }], ..empty() }
}

fn case(conditions: &[&str], branches: &[&[&str]]) -> Argument {
    let branches = branches.iter().map(|names| Term { columns: columns(names), factors: vec![] }).collect();
    Argument::Case { conditions: columns(conditions), branches }
}

/// Every position in which a column `x` can stand, with what the agreement must say of it there, written down a second
/// time and in another way than the code: the uses of which one is needed, and whether sums must be granted.
fn positions() -> Vec<(Footprint, &'static [Use], bool, Code)> {
    let group = Footprint { groups: vec![GroupKey { columns: columns(&["sex", "x"]) }], ..empty() };
    let mut positions = vec![
        (
            Footprint { filter: columns(&["sex", "x"]), ..empty() },
            &[Use::Filter][..],
            false,
            Code::LiteralCompare,
        ),
        (group, &[Use::Group], false, Code::ColumnUse),
        (computes(Function::Count, Argument::Rows, &["x"]), &[Use::Filter], false, Code::LiteralCompare),
        (computes(Function::Count, term(&[]), &["x"]), &[Use::Filter], false, Code::LiteralCompare),
        (computes(Function::Count, case(&["x"], &[&[]]), &[]), &[Use::Filter], false, Code::LiteralCompare),
        (
            computes(Function::Sum, case(&["sex", "x"], &[&[], &[]]), &[]),
            &[Use::Filter],
            false,
            Code::LiteralCompare,
        ),
        (computes(Function::Count, term(&["x"]), &[]), &[Use::Measure, Use::Filter], false, Code::ColumnUse),
        (
            computes(Function::Count, case(&["sex"], &[&["x"]]), &[]),
            &[Use::Measure, Use::Filter],
            false,
            Code::ColumnUse,
        ),
        (computes(Function::Count, term(&["x", "x"]), &[]), &[Use::Measure], true, Code::ColumnUse),
        (
            computes(Function::CountDistinct, case(&["x"], &[&["person"]]), &[]),
            &[Use::Filter],
            false,
            Code::LiteralCompare,
        ),
    ];
    for function in [Function::Sum, Function::Avg] {
        positions.push((computes(function, term(&["x"]), &["sex"]), &[Use::Measure], true, Code::ColumnUse));
        positions.push((computes(function, term(&["x", "x"]), &[]), &[Use::Measure], true, Code::ColumnUse));
        positions.push((
            computes(function, case(&["sex"], &[&[], &["x"]]), &[]),
            &[Use::Measure],
            true,
            Code::ColumnUse,
        ));
    }
    positions
}

#[test]
fn every_use_in_every_position() {
    let (mut permitted, mut refused) = (0, 0);
    for says in Says::all() {
        let agreement = with_columns(&says.text("x"));
        let sums = says.grants.contains(&Grant::Sum) || says.grants.contains(&Grant::Avg);
        for (footprint, needs, needs_sums, code) in positions() {
            let used = needs.iter().any(|position| says.uses.contains(position));
            let expected = if !used {
                Err((code, "table.t.columns.x.use"))
            } else if needs_sums && !sums {
                Err((Code::Function, "table.t.columns.x.aggregates"))
            } else {
                Ok(())
            };
            let found = judge(&agreement, &footprint);
            let found = found.as_ref().map(|_| ()).map_err(|refusal| (refusal.code, refusal.clause.as_str()));
            assert_eq!(found, expected, "{says:?} in {footprint:?}");
            permitted += usize::from(found.is_ok());
            refused += usize::from(found.is_err());
        }
    }
    assert!(permitted > 100 && refused > 100);
}

#[test]
fn every_tightening_of_one_column() {
    let all: Vec<_> = Says::all().into_iter().map(|says| (with_columns(&says.text("x")), says)).collect();
    let (mut pairs, mut lost) = (0, 0);
    for (loose, wide) in &all {
        for (tight, narrow) in all.iter().filter(|(_, says)| says.tighter_than(wide)) {
            for (footprint, ..) in positions() {
                let (before, after) = (judge(loose, &footprint).is_ok(), judge(tight, &footprint).is_ok());
                assert!(before || !after, "{wide:?} -> {narrow:?}: {footprint:?}");
                pairs += 1;
                lost += usize::from(before && !after);
            }
        }
    }
    assert!(pairs > 2000 && lost > 200, "{pairs} {lost}");
}

/// Nothing can be said of these that would make them pass.
#[test]
fn shapes_that_no_agreement_permits() {
    let all = Says { uses: USES.to_vec(), grants: GRANTS.to_vec() };
    let agreement = with_columns(&all.text("x"));
    let shape = "table.t.columns";
    for (footprint, code, clause) in [
        (computes(Function::Sum, Argument::Rows, &[]), Code::Expression, shape),
        (computes(Function::Avg, Argument::Rows, &[]), Code::Expression, shape),
        (computes(Function::CountDistinct, Argument::Rows, &[]), Code::Expression, shape),
        (computes(Function::Sum, case(&["x"], &[]), &[]), Code::Expression, shape),
        (computes(Function::Sum, term(&["x", "x", "x"]), &[]), Code::Expression, shape),
        (computes(Function::CountDistinct, term(&["x"]), &[]), Code::Function, "table.t.entity"),
        (computes(Function::CountDistinct, term(&[]), &[]), Code::Function, "table.t.entity"),
        (
            computes(Function::CountDistinct, term(&["person", "person"]), &[]),
            Code::Function,
            "table.t.entity",
        ),
        (
            computes(Function::CountDistinct, case(&["x"], &[&["person"], &["x"]]), &[]),
            Code::Function,
            "table.t.entity",
        ),
        (computes(Function::Count, term(&["person"]), &[]), Code::ColumnUse, "table.t.columns.person.use"),
        (computes(Function::Sum, term(&["person"]), &[]), Code::ColumnUse, "table.t.columns.person.use"),
        (Footprint { tables: vec!["raw".into()], ..empty() }, Code::ColumnUse, "table"),
    ] {
        let refusal = judge(&agreement, &footprint).expect_err("refused");
        assert_eq!((refusal.code, refusal.clause.as_str()), (code, clause), "{footprint:?}");
    }
    let distinct = computes(Function::CountDistinct, term(&["person"]), &[]);
    assert!(judge(&agreement, &distinct).is_ok(), "entities can always be counted");
}

/// A column that the agreement does not list gets the same bytes as one that it lists without a use.
#[test]
fn unlisted_columns_look_like_unused_ones() {
    let listed = with_columns("x = { use = [] }\n");
    let unlisted = with_columns("");
    for (footprint, ..) in positions() {
        assert_eq!(judge(&listed, &footprint), judge(&unlisted, &footprint));
        assert!(judge(&listed, &footprint).is_err());
    }
}

#[test]
fn odd_names_are_quoted_in_clauses() {
    let agreement = with_columns("\"ward no\" = { use = [] }\n");
    let refusal =
        judge(&agreement, &Footprint { filter: columns(&["ward no"]), ..empty() }).expect_err("refused");
    assert_eq!(refusal.clause, "table.t.columns.\"ward no\".use");
}

#[test]
fn a_permit_says_what_it_is_for() {
    let small = agreement(SMALL);
    let who = caller("institute", "analyst", &["care"]);
    let admitted = admit(&[signed(&small)], &who, nothing_named(), day("2026-03-01")).expect("admitted");
    let footprint = computes(Function::Count, Argument::Rows, &["sex"]);
    let permit = decide(&admitted, &footprint).expect("permitted");
    assert_eq!((permit.agreement(), permit.hash(), permit.caller()), (small.id(), small.hash(), &who));
    assert_eq!((permit.footprint(), permit.purpose().as_str()), (&footprint, "care"));
    assert_eq!(permit.obligations().minimum, Some(10));
    assert_eq!(permit.obligations().entity.as_str(), "person");
    assert_eq!(permit.rows_out_max(), 10_000);
    let open = agreement(&SMALL.replace("minimum_contributors = 10", "minimum_contributors = 1"));
    let admitted = admit(&[signed(&open)], &who, nothing_named(), day("2026-03-01")).expect("admitted");
    assert_eq!(decide(&admitted, &footprint).expect("permitted").obligations().minimum, None);
}

const NAMES: [&str; 4] = ["x", "y", "person", "sex"];

fn says() -> impl Strategy<Value = Says> {
    (prop::sample::subsequence(USES.to_vec(), 0..=3), prop::sample::subsequence(GRANTS.to_vec(), 1..=3))
        .prop_map(|(uses, grants)| Says {
            grants: if uses.contains(&Use::Measure) { grants } else { vec![] },
            uses,
        })
}

fn some(most: usize) -> impl Strategy<Value = Vec<ColumnName>> {
    prop::collection::vec(prop::sample::select(NAMES.to_vec()).prop_map(ColumnName::from), 0..=most)
}

fn argument() -> impl Strategy<Value = Argument> {
    let term = || some(2).prop_map(|columns| Term { columns, factors: vec![] });
    prop_oneof![
        Just(Argument::Rows),
        term().prop_map(Argument::Term),
        (some(2), prop::collection::vec(term(), 0..3))
            .prop_map(|(conditions, branches)| Argument::Case { conditions, branches }),
    ]
}

fn footprints() -> impl Strategy<Value = Footprint> {
    let aggregate = (prop::sample::select(FUNCTIONS.to_vec()), argument(), some(1))
        .prop_map(|(function, argument, filter)| Aggregate { function, argument, filter });
    let key = some(2).prop_map(|columns| GroupKey { columns });
    (some(2), prop::collection::vec(key, 0..2), prop::collection::vec(aggregate, 0..3))
        .prop_map(|(filter, groups, aggregates)| Footprint { filter, groups, aggregates, ..empty() })
}

proptest! {
    /// Take any uses and aggregates away from two columns at once: no footprint that was refused is permitted then.
    #[test]
    fn tighter_never_permits_more(
        wide in [says(), says()],
        kept in prop::collection::vec(any::<bool>(), 12),
        footprint in footprints(),
    ) {
        let mut kept = kept.into_iter();
        let narrow = wide.clone().map(|mut says| {
            let first = says.grants.first().copied();
            says.uses.retain(|_| kept.next() == Some(true));
            says.grants.retain(|grant| kept.next() == Some(true) || Some(*grant) == first);
            says
        });
        let build = |says: &[Says; 2]| with_columns(&format!("{}{}", says[0].text("x"), says[1].text("y")));
        let (loose, tight) = (build(&wide), build(&narrow));
        if let Ok(obligations) = judge(&tight, &footprint) {
            let before = judge(&loose, &footprint);
            prop_assert!(before.is_ok(), "{wide:?} -> {narrow:?}: {before:?}");
            prop_assert_eq!(before.map(|o| o.minimum), Ok(obligations.minimum));
        }
    }
}

/// Under a minimum and without one, over a measure `m`, one that may be counted alone, and one that may be filtered too.
#[test]
fn factors_are_measures_and_other_expressions_need_the_minimum_off() {
    let guarded = with_columns(
        "m = { use = [\"measure\"] }\nc = { use = [\"measure\"], aggregates = [\"count\"] }\ng = { use = [\"measure\", \"filter\"] }\n",
    );
    let product = |names: &[&str], factors: &[&str]| {
        Argument::Term(Term { columns: columns(names), factors: columns(factors) })
    };
    let asked = |function, argument, filter: &[&str]| {
        judge(&guarded, &computes(function, argument, filter)).map(|_| ()).map_err(|refusal| refusal.code)
    };
    let sum = |names: &[&str], factors: &[&str]| asked(Function::Sum, product(names, factors), &[]);
    assert_eq!(sum(&["m", "m"], &["m", "g"]), Ok(()));
    assert_eq!(asked(Function::Count, product(&["m"], &["g"]), &[]), Ok(()));
    assert_eq!(sum(&["m"], &["c"]), Err(Code::Function));
    assert_eq!(sum(&["m"], &["sex"]), Err(Code::ColumnUse));
    assert_eq!(sum(&["m"], &["m", "m", "m"]), Err(Code::Expression));
    assert_eq!(sum(&[], &["m"]), Err(Code::Expression));
    assert_eq!(asked(Function::Sum, product(&["m"], &["g"]), &["g"]), Err(Code::ColumnUse));
    assert_eq!(asked(Function::CountDistinct, product(&["person"], &["m"]), &[]), Err(Code::Function));

    let any = || Argument::Expression { conditions: columns(&["sex"]), columns: columns(&["m"]) };
    assert_eq!(asked(Function::Sum, any(), &[]), Err(Code::Expression));
    assert_eq!(asked(Function::Max, product(&["m"], &[]), &[]), Err(Code::Function));
    let open = SMALL.replace("minimum_contributors = 10", "minimum_contributors = 1");
    let open = agreement(&open.replace(
        "person = { use = [] }\n",
        "person = { use = [] }\nm = { use = [\"measure\"] }\nno = { use = [] }\nband = { use = [\"filter\"] }\n",
    ));
    let asked = |function, argument| {
        judge(&open, &computes(function, argument, &[])).map(|_| ()).map_err(|refusal| refusal.code)
    };
    for function in [Function::Sum, Function::Avg, Function::Count, Function::Min, Function::Max] {
        assert_eq!(asked(function, any()), Ok(()));
        let with = |conditions: &[&str], names: &[&str]| {
            asked(function, Argument::Expression { conditions: columns(conditions), columns: columns(names) })
        };
        assert_eq!(with(&[], &["m", "no"]), Err(Code::ColumnUse));
        assert_eq!(with(&["m"], &["m"]), Err(Code::LiteralCompare), "a measure chooses nothing");
    }
    let computed = |function| {
        asked(function, Argument::Expression { conditions: columns(&[]), columns: columns(&["band"]) })
    };
    assert_eq!(computed(Function::Sum), Err(Code::ColumnUse), "what may be compared may not be added up");
    assert_eq!(computed(Function::Count), Ok(()));
    assert_eq!(computed(Function::Max), Err(Code::ColumnUse));
    assert_eq!(asked(Function::Min, product(&["sex"], &[])), Ok(()));
    assert_eq!(asked(Function::Min, product(&["no"], &[])), Err(Code::ColumnUse));
    assert_eq!(asked(Function::CountDistinct, any()), Err(Code::Expression));
}
