//! Answers of earlier days: who asks again gets what they got, where nothing or too little has changed, and is told of which day that is.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, LargeBinaryArray};
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;
use liquid_disclosure::differences::Summand;
use liquid_disclosure::history::{Bounds, History};
use liquid_disclosure::measured::{Condition, Measured, MeasuredCell, written};
use liquid_disclosure::{Bug, Earlier, Layout, Memory, Released, Table, disclose};
use liquid_policy::Permit;

use crate::support::{Row, batch, cells, footprint, permit, withheld};

const MINIMUM: u32 = 3;

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, day).expect("a day")
}

/// `SELECT g, sum(x) FROM t GROUP BY g`, where a condition leaves out nobody.
fn measured() -> Measured {
    let of_table = Condition { text: "of table t".to_owned(), columns: BTreeSet::from(["t".to_owned()]) };
    let key = Condition { text: "g".to_owned(), columns: BTreeSet::from(["g".to_owned()]) };
    Measured {
        populations: vec![BTreeSet::from([of_table])],
        keys: vec![Some(key)],
        measures: 1,
        cells: vec![MeasuredCell {
            aggregate: 0,
            of_people: false,
            summands: vec![Summand { population: 0, measure: 1, negative: false }],
        }],
        aggregates: vec!["sum(x)".to_owned()],
    }
}

/// Of one group: who is in it, with what value.
fn result(layout: &Layout, groups: &[(i64, Vec<(u64, u64)>)], enough: bool) -> RecordBatch {
    let row = |(key, people): &(i64, Vec<(u64, u64)>)| {
        let many = u32::try_from(people.len()).expect("few");
        Row {
            keys: vec![*key],
            values: vec![people.iter().map(|(_, value)| i64::try_from(*value).ok()).sum()],
            present: Some(many),
            inside: vec![vec![Some(if enough { many } else { 0 })]],
            outside: vec![Some(0)],
            nobody_out: vec![Some(true)],
            spread: vec![],
        }
    };
    let rows: Vec<Row> = groups.iter().map(row).collect();
    let told = groups.iter().map(|(_, people)| {
        let records: Vec<u64> = people.iter().flat_map(|(person, value)| [*person, 1, 1, *value]).collect();
        written(&records)
    });
    let terms: ArrayRef = Arc::new(LargeBinaryArray::from_iter_values(told));
    let bare = Layout { measured: None, ..layout.clone() };
    let known = batch(&bare, &rows);
    let fields = known.schema();
    let columns = fields.fields().iter().map(|field| field.name().clone()).zip(known.columns().to_vec());
    let columns = columns.chain([("terms".to_owned(), terms)]);
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .expect("fits")
}

struct Site {
    history: History,
    permit: Permit,
}

impl Site {
    fn new() -> Self {
        Self { history: History::new(3), permit: permit(MINIMUM, &footprint(&["g"], &[1])) }
    }

    fn ask(&mut self, on: u32, people: &[(u64, u64)], enough: bool) -> Released<Table> {
        let layout = Layout::of(&self.permit, true, vec![], Some(measured()));
        let batch = result(&layout, &[(0, people.to_vec())], enough);
        let bounds = Bounds { rank: 100, classes: 100 };
        let memory = Memory { history: &mut self.history, bounds, today: day(on) };
        disclose(withheld(batch, layout), &self.permit, Some(memory)).expect("fits")
    }

    /// Goes on with what is made again of all that was kept.
    fn restart(&mut self) {
        let mut again = History::new(self.history.k());
        for entry in self.history.take_unsaved() {
            let line = serde_json::to_string(&entry).expect("is spelled");
            again.remember(serde_json::from_str(&line).expect("reads")).expect("in order");
        }
        self.history = again;
    }
}

fn people(many: u64) -> Vec<(u64, u64)> {
    (0..many).map(|person| (person, 100 + person)).collect()
}

fn figure(released: &Released<Table>) -> Option<i64> {
    cells(released)[0][1].0
}

fn since(on: u32) -> Option<Earlier> {
    Some(Earlier { figures: 1, since: day(on) })
}

#[test]
fn who_asks_again_cannot_tell_nothing_from_little() {
    let of = |people: &[(u64, u64)]| Some(people.iter().map(|(_, value)| *value as i64).sum::<i64>());
    for more in 0..3 {
        let mut site = Site::new();
        let first = site.ask(1, &people(20), true);
        assert_eq!((figure(&first), first.get().earlier()), (of(&people(20)), None));
        assert!(first.get().clauses().contains("history"));
        let second = site.ask(2, &people(20 + more), true);
        assert_eq!(
            (figure(&second), second.get().earlier().cloned()),
            (of(&people(20)), since(1)),
            "{more} more"
        );
        site.restart();
        let third = site.ask(3, &people(20 + more), true);
        assert_eq!(
            (figure(&third), third.get().earlier().cloned()),
            (of(&people(20)), since(1)),
            "{more} more"
        );
        let many = site.ask(3, &people(24), true);
        assert_eq!((figure(&many), many.get().earlier()), (of(&people(24)), None));
        let back = site.ask(4, &people(20), true);
        assert_eq!((figure(&back), back.get().earlier()), (of(&people(20)), None), "as many have gone again");
    }
}

#[test]
fn what_is_withheld_by_todays_rules_is_not_shown_as_it_was() {
    let mut site = Site::new();
    let first = figure(&site.ask(1, &people(20), true));
    assert_eq!(figure(&site.ask(2, &people(20), false)), first, "the rules are the same");
    site.permit = permit(MINIMUM + 1, &footprint(&["g"], &[1]));
    let stricter = site.ask(3, &people(20), false);
    assert_eq!((figure(&stricter), stricter.get().withheld()), (None, 1));
    assert_eq!(stricter.get().earlier(), None);
}

#[test]
fn a_result_that_does_not_say_what_it_adds_up_releases_nothing() {
    let permit = permit(MINIMUM, &footprint(&["g"], &[1]));
    let mut history = History::new(3);
    let mut ask = |measured: Option<Measured>,
                   spoil: &dyn Fn(RecordBatch) -> RecordBatch,
                   remembers: bool| {
        let layout = Layout::of(&permit, true, vec![], measured);
        let batch = result(&layout, &[(0, people(20))], true);
        let batch = if layout.measured.is_some() {
            batch
        } else {
            batch.project(&(0..6).collect::<Vec<_>>()).expect("columns")
        };
        let bounds = Bounds { rank: 100, classes: 100 };
        let memory = Memory { history: &mut history, bounds, today: day(1) };
        let released = disclose(withheld(spoil(batch), layout), &permit, Some(memory).filter(|_| remembers));
        released.map(|_| ()).map_err(|bug: Bug| bug.to_string())
    };
    let with_terms = |bytes: &'static [u8]| {
        move |batch: RecordBatch| {
            let mut columns = batch.columns().to_vec();
            columns[6] = Arc::new(LargeBinaryArray::from_iter_values([bytes]));
            RecordBatch::try_new(batch.schema(), columns).expect("fits")
        }
    };
    assert!(ask(None, &|batch| batch, true).is_err_and(|why| why.contains("does not say")));
    assert!(ask(Some(measured()), &|batch| batch, false).is_err_and(|why| why.contains("nobody asked")));
    for wrong in [&b"1234567"[..], &[0; 8 * 3]] {
        assert!(ask(Some(measured()), &with_terms(wrong), true).is_err_and(|why| why.contains("terms")));
    }
    let mut far = measured();
    far.cells[0].summands[0].population = 1;
    assert!(ask(Some(far), &|batch| batch, true).is_err_and(|why| why.contains("population")));
    assert_eq!(ask(Some(measured()), &|batch| batch, true), Ok(()));
}
