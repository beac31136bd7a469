//! Rows for the tables of a random agreement. They keep the facts that it declares, which a node checks: nothing is missing that is
//! required, keys are unique and refer to one another where it says so. Everything else is as bad as it can be.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;

use crate::plans::dice::Dice;
use crate::plans::world::{Column, Kind, Table, World};

/// What the rows are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Plain,
    /// The same values in other rows.
    Swapped,
    /// Values that make casts, divisions and sums go wrong, and values outside of all domains.
    Wild,
    /// Whatever may be missing is.
    Missing,
    OnePerson,
    Empty,
    More,
    /// Values are missing that are required.
    Broken,
}

/// Those that a node is reopened over.
pub(crate) const STATES: [State; 7] =
    [State::Swapped, State::Wild, State::Missing, State::OnePerson, State::Empty, State::More, State::Broken];

#[derive(Debug, Clone)]
enum Value {
    Null,
    Text(String),
    Int(i64),
    Float(f64),
    Date(i32),
    Bool(bool),
}

/// Writes a file for each table.
pub(crate) fn write(world: &World, folder: &Path, state: State, dice: &mut Dice) {
    let people = match state {
        State::Empty => 0,
        State::OnePerson => 1,
        State::More => 60,
        _ => 40,
    };
    let people: Vec<String> = (0..people).map(|at| format!("P{at}")).collect();
    let visits: Vec<(String, String)> = people
        .iter()
        .flat_map(|person| (0..3).map(move |at| (person.clone(), format!("{person}-{at}"))))
        .collect();
    for table in &world.tables {
        let keys: Vec<Vec<(&str, String)>> = match table.name {
            "person" => people.iter().map(|person| vec![("pid", person.clone())]).collect(),
            "code" => ["A", "B", "C", "D"].map(|code| vec![("code", code.to_owned())]).into(),
            name => visits
                .iter()
                .filter(|_| name == "visit" || dice.percent(50))
                .map(|(person, visit)| vec![("pid", person.clone()), ("vid", visit.clone())])
                .collect(),
        };
        let mut rows: Vec<Vec<Value>> = keys.iter().map(|keys| row(table, keys, state, dice)).collect();
        if state == State::Swapped {
            swap(table, &mut rows, dice);
        }
        save(table, &rows, &folder.join(format!("{}.parquet", table.name)));
    }
}

fn is_key(column: &Column) -> bool {
    matches!(column.name, "pid" | "vid" | "code")
}

fn row(table: &Table, keys: &[(&str, String)], state: State, dice: &mut Dice) -> Vec<Value> {
    let value = |column: &Column, dice: &mut Dice| {
        let key = keys.iter().find(|(name, _)| *name == column.name);
        match key {
            Some((_, value)) => Value::Text(value.clone()),
            None if column.name == "code" => Value::Text(dice.pick(&["A", "B", "C", "D"]).to_owned()),
            None => any(column, state, dice),
        }
    };
    table.columns.iter().map(|column| value(column, dice)).collect()
}

fn any(column: &Column, state: State, dice: &mut Dice) -> Value {
    let missing = match state {
        State::Missing => 100,
        State::Wild => 30,
        _ => 5,
    };
    if (!column.required && dice.percent(missing)) || (column.required && state == State::Broken) {
        return Value::Null;
    }
    // A value outside its domain counts as missing, which one that is required may not be.
    let wild = state == State::Wild && !(column.required && (column.domain || column.grain.is_some()));
    match column.kind {
        Kind::Text if wild => {
            Value::Text(dice.pick(&["", "'; DROP", "\u{0}", "9999999999999999999", "ß", " A"]).to_owned())
        }
        Kind::Text => Value::Text(dice.pick(&["A", "B", "C"]).to_owned()),
        Kind::Int if wild => Value::Int(dice.pick(&[i64::MIN, i64::MAX, -1, 0, 10])),
        Kind::Int => Value::Int(dice.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])),
        Kind::Float if wild => {
            Value::Float(dice.pick(&[f64::MAX, f64::MIN, -0.0, 0.0, 1e-320, f64::INFINITY, f64::NAN]))
        }
        Kind::Float => Value::Float(f64::from(u32::try_from(dice.below(1000)).unwrap()) / 8.0),
        Kind::Date if wild => Value::Date(dice.pick(&[i32::MIN, i32::MAX, 0, 2_932_897, -719_163])),
        Kind::Date => Value::Date(19_700 + i32::try_from(dice.below(400)).unwrap()),
        Kind::Bool => Value::Bool(dice.percent(50)),
    }
}

/// Each column's values in another order; keys stay.
fn swap(table: &Table, rows: &mut [Vec<Value>], dice: &mut Dice) {
    for at in (0..table.columns.len()).filter(|at| !is_key(&table.columns[*at])) {
        for one in 0..rows.len() {
            let other = dice.below(rows.len());
            let value = rows[one][at].clone();
            rows[one][at] = std::mem::replace(&mut rows[other][at], value);
        }
    }
}

fn save(table: &Table, rows: &[Vec<Value>], path: &Path) {
    let arrays = table.columns.iter().enumerate().map(|(at, column)| {
        let values = rows.iter().map(|row| &row[at]);
        let (kind, array): (DataType, ArrayRef) = match column.kind {
            Kind::Text => (DataType::Utf8, {
                let texts = values.map(|it| if let Value::Text(it) = it { Some(it.as_str()) } else { None });
                Arc::new(texts.collect::<StringArray>())
            }),
            Kind::Int => (DataType::Int64, {
                let numbers = values.map(|it| if let Value::Int(it) = it { Some(*it) } else { None });
                Arc::new(numbers.collect::<Int64Array>())
            }),
            Kind::Float => (DataType::Float64, {
                let numbers = values.map(|it| if let Value::Float(it) = it { Some(*it) } else { None });
                Arc::new(numbers.collect::<Float64Array>())
            }),
            Kind::Date => (DataType::Date32, {
                let days = values.map(|it| if let Value::Date(it) = it { Some(*it) } else { None });
                Arc::new(days.collect::<Date32Array>())
            }),
            Kind::Bool => (DataType::Boolean, {
                let truths = values.map(|it| if let Value::Bool(it) = it { Some(*it) } else { None });
                Arc::new(truths.collect::<BooleanArray>())
            }),
        };
        (Field::new(column.name, kind, true), array)
    });
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = arrays.unzip();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}
