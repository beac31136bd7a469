//! Permits and results for the tests.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt8Array, UInt32Array};
use arrow::record_batch::RecordBatch;
use liquid_disclosure::{Cells, Layout, Released, Table, Withheld};
use liquid_policy::footprint::{Aggregate, Argument, Function, GroupKey, Term};
use liquid_policy::statement::{Act, Signer};
use liquid_policy::{
    Caller, Footprint, Keyring, Named, Permit, Signed, SigningKey, TrustedKey, admit, decide, parse,
};

/// A permit for a cut over the table `t`, which has an entity `person`, `g` in groups and conditions with a declared
/// domain, `h` the same without one, and a measure `x`.
pub(crate) fn permit(minimum: u32, footprint: &Footprint) -> Permit {
    permit_with(minimum, "", footprint)
}

/// The same with further rules on disclosure.
pub(crate) fn permit_with(minimum: u32, rules: &str, footprint: &Footprint) -> Permit {
    let text = format!(
        r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1.0.0"
purposes = ["care"]
in_force = 2026-01-01
expires = 2026-12-31
[[party]]
organisation = "north"
role = "controller"
[[recipient]]
organisation = "institute"
roles = ["analyst"]
purposes = ["care"]
[table.t]
entity = "person"
[table.t.columns]
person = {{ use = [] }}
g = {{ use = ["group", "filter"], domain = {{ from = 0, to = 3 }} }}
h = {{ use = ["group", "filter"] }}
x = {{ use = ["measure"], aggregates = ["sum"] }}
[disclosure]
minimum_contributors = {minimum}
{rules}
"#
    );
    let agreement = Arc::new(parse(&text, "test.toml").expect("an agreement"));
    let key = SigningKey::from_seed(&[3; 32]).expect("32 bytes");
    let signer = Signer {
        organisation: "north".into(),
        role: "siro".into(),
        key_id: "k1".into(),
        time: "2026-01-01T00:00:00Z".parse().expect("a time"),
    };
    let trusted = TrustedKey {
        organisation: "north".into(),
        key_id: "k1".into(),
        public_key: key.public_key(),
        retired: false,
        roles: Default::default(),
    };
    let approved = key.say(Act::Approve { agreement: agreement.hash().clone() }, signer);
    let signed = Signed::verify(Arc::clone(&agreement), &[approved], &Keyring::new(&[trusted], &[]));
    let caller = Caller {
        organisation: "institute".into(),
        roles: vec!["analyst".into()],
        subject: "somebody".into(),
        purposes: vec!["care".into()],
    };
    let admitted =
        admit(&[signed], &caller, Named::default(), *agreement.in_force().start()).expect("admitted");
    decide(&admitted, footprint).expect("permitted")
}

/// Groups by `keys`, and one aggregate for each number: so many branches.
pub(crate) fn footprint(keys: &[&str], branches: &[usize]) -> Footprint {
    let term = Term { columns: vec!["x".into()], factors: vec![] };
    let aggregate = |branches: &usize| Aggregate {
        function: Function::Sum,
        argument: match branches {
            1 => Argument::Term(term.clone()),
            more => Argument::Case { conditions: vec!["g".into()], branches: vec![term.clone(); *more] },
        },
        filter: vec![],
    };
    Footprint {
        tables: vec!["t".into()],
        joins: vec![],
        mixed: false,
        filter: vec![],
        groups: keys.iter().map(|key| GroupKey { columns: vec![(*key).into()] }).collect(),
        aggregates: branches.iter().map(aggregate).collect(),
        dates: vec![],
        step: None,
    }
}

/// One row of an engine's result, as a test writes it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) keys: Vec<i64>,
    pub(crate) values: Vec<Option<i64>>,
    pub(crate) present: Option<u32>,
    /// For each aggregate, for each branch.
    pub(crate) inside: Vec<Vec<Option<u32>>>,
    pub(crate) outside: Vec<Option<u32>>,
    pub(crate) nobody_out: Vec<Option<bool>>,
    /// For each aggregate, whether it and what is left out of it are spread; read where there is a rule on that.
    pub(crate) spread: Vec<[Option<bool>; 2]>,
}

pub(crate) fn batch(layout: &Layout, rows: &[Row]) -> RecordBatch {
    let mut columns: Vec<ArrayRef> = Vec::new();
    for key in 0..layout.groups {
        columns.push(Arc::new(rows.iter().map(|row| Some(row.keys[key])).collect::<Int64Array>()));
    }
    for aggregate in 0..layout.branches.len() {
        columns.push(Arc::new(rows.iter().map(|row| row.values[aggregate]).collect::<Int64Array>()));
    }
    if layout.guarded {
        columns.push(Arc::new(rows.iter().map(|row| row.present).collect::<UInt32Array>()));
        for (aggregate, branches) in layout.branches.iter().enumerate() {
            for branch in 0..*branches {
                let counts = rows.iter().map(|row| row.inside[aggregate][branch]);
                columns.push(Arc::new(counts.collect::<UInt32Array>()));
            }
        }
        for aggregate in 0..layout.branches.len() {
            columns.push(Arc::new(rows.iter().map(|row| row.outside[aggregate]).collect::<UInt32Array>()));
        }
        for aggregate in 0..layout.branches.len() {
            columns
                .push(Arc::new(rows.iter().map(|row| row.nobody_out[aggregate]).collect::<BooleanArray>()));
        }
    }
    for side in (0..2).filter(|_| layout.concentrated) {
        for aggregate in 0..layout.branches.len() {
            let spread = rows.iter().map(|row| row.spread[aggregate][side]);
            columns.push(Arc::new(spread.collect::<BooleanArray>()));
        }
    }
    let names =
        layout.visible_names().into_iter().chain(layout.hidden().into_iter().map(|f| f.name().clone()));
    RecordBatch::try_from_iter_with_nullable(names.zip(columns).map(|(name, column)| (name, column, true)))
        .expect("columns fit")
}

pub(crate) fn withheld(batch: RecordBatch, layout: Layout) -> Withheld<Cells> {
    Withheld::new(Cells { batch, layout })
}

/// A released cell: its value, or none where it is withheld; the mark must say the same.
pub(crate) fn cells(released: &Released<Table>) -> Vec<Vec<(Option<i64>, u8)>> {
    let table = released.get();
    let (values, marks) = table.batch().columns().split_at(table.columns());
    (0..table.rows())
        .map(|row| {
            let cell = |column: usize| {
                let values: &Int64Array = values[column].as_any().downcast_ref().expect("numbers");
                let marks: &UInt8Array = marks[column].as_any().downcast_ref().expect("marks");
                ((!values.is_null(row)).then(|| values.value(row)), marks.value(row))
            };
            (0..table.columns()).map(cell).collect()
        })
        .collect()
}
