//! `terms(person, population, …, value, …)`: for each group whose rows are in which populations, with which values, and how many: everybody who is in
//! one, since what is told tomorrow can be about anybody.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, LargeBinaryArray};
use arrow::datatypes::{DataType, Field, FieldRef, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use liquid_disclosure::measured::written;

use crate::lists::{item, lists};

/// The aggregate over so many populations, at most 64, and hashed values of so many measures.
pub(crate) fn terms(populations: usize, measures: usize) -> Arc<AggregateUDF> {
    let mut arguments = vec![DataType::UInt64];
    arguments.resize(populations + 1, DataType::Boolean);
    arguments.resize(populations + measures + 1, DataType::UInt64);
    let signature = Signature::exact(arguments, Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(Terms { populations, measures, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Terms {
    populations: usize,
    measures: usize,
    signature: Signature,
}

impl Terms {
    fn many(&self) -> Many {
        Many { populations: self.populations, length: self.measures + BEFORE, groups: Vec::new() }
    }
}

impl AggregateUDFImpl for Terms {
    fn name(&self) -> &str {
        "terms"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::LargeBinary)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(
            format!("{}[records]", arguments.name),
            DataType::List(item(DataType::UInt64)),
            false,
        ))])
    }

    fn accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One(self.many())))
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.many()))
    }
}

/// One group: what a query without GROUP BY uses.
#[derive(Debug)]
struct One(Many);

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |hashes| hashes.len());
        self.0.update_batch(values, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.grow(1);
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.grow(1);
        self.0.state(EmitTo::All)?.iter().map(|list| ScalarValue::try_from_array(list, 0)).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |lists| lists.len());
        self.0.merge_batch(states, &vec![0; rows], 1)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

/// Person, populations, how many: what stands before the values of a record.
const BEFORE: usize = 3;

/// How far a group grows, in numbers, before its equal records are put together.
const GROWS: usize = 4096;

/// The records of a group, one after the other; those before `together` are put together.
#[derive(Debug, Clone, Default)]
struct Records {
    numbers: Vec<u64>,
    together: usize,
}

impl Records {
    /// Puts equal records together once there are twice as many as there were.
    fn shrink(&mut self, length: usize, now: bool) {
        if !now && self.numbers.len() < self.together.saturating_mul(2).max(GROWS) {
            return;
        }
        let same = |one: &[u64], other: &[u64]| {
            let whose = |it: &[u64]| (it.first().copied(), it.get(1).copied());
            let values = |one: &[u64], other: &[u64]| one.get(BEFORE..).cmp(&other.get(BEFORE..));
            whose(one).cmp(&whose(other)).then_with(|| values(one, other))
        };
        let mut records: Vec<&[u64]> = self.numbers.chunks(length).collect();
        records.sort_unstable_by(|one, other| same(one, other));
        let mut numbers: Vec<u64> = Vec::new();
        for record in records {
            let last = numbers.len().checked_sub(length);
            let last =
                last.and_then(|from| numbers.get_mut(from..)).filter(|last| same(last, record).is_eq());
            match (last.and_then(|last| last.get_mut(BEFORE - 1)), record.get(BEFORE - 1)) {
                (Some(times), Some(more)) => *times = times.saturating_add(*more),
                _ => numbers.extend(record),
            }
        }
        self.together = numbers.len();
        self.numbers = numbers;
    }
}

/// Many groups at once.
#[derive(Debug)]
struct Many {
    populations: usize,
    length: usize,
    groups: Vec<Records>,
}

impl Many {
    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, Records::default);
        }
    }

    fn taken(&mut self, emit: EmitTo) -> impl Iterator<Item = Vec<u64>> {
        let length = self.length;
        emit.take_needed(&mut self.groups).into_iter().map(move |mut records| {
            records.shrink(length, true);
            records.numbers
        })
    }
}

impl GroupsAccumulator for Many {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.grow(total);
        let wrong = || exec_datafusion_err!("terms works on hashes and conditions");
        let (people, rest) = values.split_first().ok_or_else(wrong)?;
        let (populations, values) = rest.split_at_checked(self.populations).ok_or_else(wrong)?;
        let people = people.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
        let populations = populations.iter().map(|population| population.as_boolean_opt().ok_or_else(wrong));
        let populations = populations.collect::<Result<Vec<&BooleanArray>>>()?;
        let values = values.iter().map(|value| value.as_primitive_opt::<UInt64Type>().ok_or_else(wrong));
        let values = values.collect::<Result<Vec<_>>>()?;
        let holds = |condition: &BooleanArray, row| condition.is_valid(row) && condition.value(row);
        for (row, &group) in groups.iter().enumerate() {
            if people.is_null(row) || filter.is_some_and(|filter| !holds(filter, row)) {
                continue;
            }
            let bits = populations.iter().enumerate();
            let bits = bits.fold(0, |bits, (at, condition)| bits | u64::from(holds(condition, row)) << at);
            if let Some(records) = self.groups.get_mut(group).filter(|_| bits != 0) {
                let values = values.iter().map(|value| if value.is_null(row) { 0 } else { value.value(row) });
                records.numbers.extend([people.value(row), bits, 1].into_iter().chain(values));
                records.shrink(self.length, false);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let lists: Vec<Vec<u8>> = self.taken(emit).map(|numbers| written(&numbers)).collect();
        Ok(Arc::new(LargeBinaryArray::from_iter_values(lists)))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups: Vec<Vec<u64>> = self.taken(emit).collect();
        let lengths: Vec<usize> = groups.iter().map(Vec::len).collect();
        Ok(vec![Arc::new(lists::<UInt64Type>(lengths.into_iter(), groups.concat())?)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.grow(total);
        let wrong = || exec_datafusion_err!("a state of terms is lists of records");
        let lists = states.first().and_then(|state| state.as_list_opt::<i32>()).ok_or_else(wrong)?;
        for (list, &group) in lists.iter().zip(groups) {
            let Some((list, records)) = list.zip(self.groups.get_mut(group)) else { continue };
            let numbers = list.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?.values();
            if numbers.len() % self.length != 0 {
                return Err(wrong());
            }
            records.numbers.extend_from_slice(numbers);
            records.shrink(self.length, false);
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |hashes| hashes.len());
        let mut each = Self { groups: Vec::new(), ..*self };
        each.update_batch(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        each.grow(rows);
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        let numbers: usize = self.groups.iter().map(|records| records.numbers.capacity()).sum();
        self.groups.capacity() * size_of::<Records>() + numbers * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::UInt64Array;
    use proptest::prelude::*;

    use super::*;

    /// One row: its group, its entity if it has one, whether it is in each of two populations, if that is known, and a value.
    type Row = (usize, Option<u64>, [Option<bool>; 2], Option<u64>);

    const GROUPS: usize = 3;

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let flag = || proptest::option::weighted(0.9, any::<bool>());
        let person = proptest::option::weighted(0.9, 0..5_u64);
        let value = proptest::option::weighted(0.9, 0..3_u64);
        proptest::collection::vec((0..GROUPS, person, [flag(), flag()], value), 0..80)
    }

    fn columns(rows: &[Row]) -> (Vec<ArrayRef>, Vec<usize>) {
        let mut values: Vec<ArrayRef> = vec![Arc::new(rows.iter().map(|row| row.1).collect::<UInt64Array>())];
        for at in 0..2 {
            values.push(Arc::new(rows.iter().map(|row| row.2[at]).collect::<BooleanArray>()));
        }
        values.push(Arc::new(rows.iter().map(|row| row.3).collect::<UInt64Array>()));
        (values, rows.iter().map(|row| row.0).collect())
    }

    fn expected(rows: &[Row]) -> Vec<BTreeMap<(u64, u64, u64), u64>> {
        let mut groups = vec![BTreeMap::new(); GROUPS];
        for (group, person, flags, value) in rows {
            let bits = u64::from(flags[0] == Some(true)) + 2 * u64::from(flags[1] == Some(true));
            if let (Some(person), 1..) = (person, bits) {
                *groups[*group].entry((*person, bits, value.unwrap_or(0))).or_default() += 1;
            }
        }
        groups
    }

    proptest! {
        #[test]
        fn whoever_is_in_a_population_is_told_with_their_values(
            rows in rows(), split in 0..80_usize, emitted in 0..GROUPS
        ) {
            let new = || Many { populations: 2, length: BEFORE + 1, groups: Vec::new() };
            let (first, second) = rows.split_at(split.min(rows.len()));
            let (mut whole, mut part) = (new(), new());
            let (values, groups) = columns(first);
            part.update_batch(&values, &groups, None, GROUPS).unwrap();
            let early = part.state(EmitTo::First(emitted)).unwrap();
            whole.merge_batch(&early, &(0..emitted).collect::<Vec<_>>(), GROUPS).unwrap();
            let late = part.state(EmitTo::All).unwrap();
            whole.merge_batch(&late, &(emitted..GROUPS).collect::<Vec<_>>(), GROUPS).unwrap();
            let (values, groups) = columns(second);
            let each = part.convert_to_state(&values, None).unwrap();
            whole.merge_batch(&each, &groups, GROUPS).unwrap();
            let array = whole.evaluate(EmitTo::All).unwrap();
            let found = array.as_binary::<i64>().iter().map(|bytes| {
                let numbers: Vec<u64> =
                    bytes.unwrap().chunks(8).map(|eight| u64::from_le_bytes(eight.try_into().unwrap())).collect();
                let records = numbers.chunks(BEFORE + 1).map(|it| ((it[0], it[1], it[3]), it[2]));
                let all: BTreeMap<_, _> = records.clone().collect();
                assert_eq!(all.len(), records.count(), "each record stands there once");
                all
            });
            prop_assert_eq!(found.collect::<Vec<_>>(), expected(&rows));
        }
    }
}
