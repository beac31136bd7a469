//! `atoms(hash, population, …)`: who has a row in which of several populations, as pairs of a bit for each population and a
//! person; for each set of populations at most k people, which tells exactly whether any of them together are fewer than k.
//!
//! What a row is in counts by itself. Where people are counted, who is in counts: all of a person's rows are put together first.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use liquid_disclosure::differences::written;

use crate::distinct::AsIs;
use crate::lists::{item, lists};

/// The aggregate over `populations` of rows, or of people; at most 64.
pub(crate) fn atoms(k: u32, of_people: bool, populations: usize) -> Arc<AggregateUDF> {
    let mut arguments = vec![DataType::UInt64];
    arguments.resize(populations + 1, DataType::Boolean);
    let signature = Signature::exact(arguments, Volatility::Immutable);
    Arc::new(AggregateUDF::new_from_impl(Atoms { k, of_people, signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Atoms {
    k: u32,
    of_people: bool,
    signature: Signature,
}

impl AggregateUDFImpl for Atoms {
    fn name(&self) -> &str {
        "atoms"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(
            format!("{}[pairs]", arguments.name),
            DataType::List(item(DataType::UInt64)),
            false,
        ))])
    }

    fn accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One(Many::new(self.k, self.of_people))))
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Many::new(self.k, self.of_people)))
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

/// What is known of a group: by a set of populations people, or by a person a set of populations.
#[derive(Debug, Clone, Default)]
struct Known {
    people: HashMap<u64, Vec<u64>, BuildHasherDefault<AsIs>>,
    populations: HashMap<u64, u64, BuildHasherDefault<AsIs>>,
}

/// Many groups at once.
#[derive(Debug)]
struct Many {
    k: usize,
    of_people: bool,
    groups: Vec<Known>,
}

impl Many {
    fn new(k: u32, of_people: bool) -> Self {
        Self { k: usize::try_from(k).unwrap_or(usize::MAX), of_people, groups: Vec::new() }
    }

    fn grow(&mut self, groups: usize) {
        if groups > self.groups.len() {
            self.groups.resize_with(groups, Known::default);
        }
    }

    #[inline]
    fn insert(&mut self, group: usize, populations: u64, person: u64) {
        let Some(known) = self.groups.get_mut(group).filter(|_| populations != 0) else { return };
        if self.of_people {
            *known.populations.entry(person).or_default() |= populations;
        } else {
            add(&mut known.people, populations, person, self.k);
        }
    }

    /// The people of each set of populations of a group.
    fn atoms(&self, group: Known) -> Vec<(u64, Vec<u64>)> {
        let mut people = group.people;
        for (person, populations) in group.populations {
            add(&mut people, populations, person, self.k);
        }
        people.into_iter().collect()
    }
}

fn add(
    people: &mut HashMap<u64, Vec<u64>, BuildHasherDefault<AsIs>>,
    populations: u64,
    person: u64,
    k: usize,
) {
    let people = people.entry(populations).or_default();
    if people.len() < k && !people.contains(&person) {
        people.push(person);
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
        let wrong = || exec_datafusion_err!("atoms works on entity hashes and conditions");
        let (hashes, populations) = values.split_first().ok_or_else(wrong)?;
        let hashes = hashes.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
        let populations = populations.iter().map(|population| population.as_boolean_opt().ok_or_else(wrong));
        let populations = populations.collect::<Result<Vec<&BooleanArray>>>()?;
        let holds = |condition: &BooleanArray, row| condition.is_valid(row) && condition.value(row);
        for (row, &group) in groups.iter().enumerate() {
            if hashes.is_null(row) || filter.is_some_and(|filter| !holds(filter, row)) {
                continue;
            }
            let bits = populations.iter().enumerate();
            let bits = bits.fold(0, |bits, (at, condition)| bits | u64::from(holds(condition, row)) << at);
            self.insert(group, bits, hashes.value(row));
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let groups = emit.take_needed(&mut self.groups);
        let texts = groups.into_iter().map(|group| {
            // Which people they are is told by numbers that mean nothing outside the group.
            let mut numbers: HashMap<u64, u64, BuildHasherDefault<AsIs>> = HashMap::default();
            let atoms = self.atoms(group).into_iter();
            let people = atoms.flat_map(|(bits, people)| people.into_iter().map(move |one| (bits, one)));
            written(people.map(|(bits, person)| {
                let next = numbers.len() as u64;
                (bits, *numbers.entry(person).or_insert(next))
            }))
        });
        Ok(Arc::new(texts.map(Some).collect::<StringArray>()))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit.take_needed(&mut self.groups);
        let (mut lengths, mut pairs) = (Vec::new(), Vec::new());
        for group in groups {
            let before = pairs.len();
            for (bits, people) in group.people {
                pairs.extend(people.into_iter().flat_map(|one| [bits, one]));
            }
            pairs.extend(group.populations.into_iter().flat_map(|(person, bits)| [bits, person]));
            lengths.push(pairs.len() - before);
        }
        Ok(vec![Arc::new(lists::<UInt64Type>(lengths.into_iter(), pairs)?)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.grow(total);
        let wrong = || exec_datafusion_err!("a state of atoms is lists of pairs");
        let lists = states.first().and_then(|state| state.as_list_opt::<i32>()).ok_or_else(wrong)?;
        for (list, &group) in lists.iter().zip(groups) {
            let Some(list) = list else { continue };
            let pairs = list.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
            for pair in pairs.values().chunks(2) {
                let [populations, person] = pair else { return Err(wrong()) };
                self.insert(group, *populations, *person);
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |hashes| hashes.len());
        let mut each = Self { groups: Vec::new(), ..*self };
        each.update_batch(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        let map = size_of::<(u64, Vec<u64>)>() * 8 / 7 + 1;
        let of = |known: &Known| {
            known.people.capacity() * (map + self.k.min(64) * size_of::<u64>())
                + known.populations.capacity() * (size_of::<(u64, u64)>() * 8 / 7 + 1)
        };
        self.groups.capacity() * size_of::<Known>() + self.groups.iter().map(of).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use arrow::array::UInt64Array;
    use liquid_disclosure::differences::read;
    use proptest::prelude::*;

    use super::*;

    /// One row: its group, its entity if it has one, and whether it is in each of three populations, if that is known.
    type Row = (usize, Option<u64>, [Option<bool>; 3]);

    const GROUPS: usize = 3;

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let flag = || proptest::option::weighted(0.9, any::<bool>());
        let row = (0..GROUPS, proptest::option::weighted(0.9, 0..9_u64), [flag(), flag(), flag()]);
        proptest::collection::vec(row, 0..80)
    }

    fn columns(rows: &[Row]) -> (Vec<ArrayRef>, Vec<usize>) {
        let hashes: UInt64Array = rows.iter().map(|row| row.1).collect();
        let mut values: Vec<ArrayRef> = vec![Arc::new(hashes)];
        for at in 0..3 {
            values.push(Arc::new(rows.iter().map(|row| row.2[at]).collect::<BooleanArray>()));
        }
        (values, rows.iter().map(|row| row.0).collect())
    }

    /// For each choice of atoms, whether a row or a person is in exactly these populations of a group, min(k, people).
    fn expected(rows: &[Row], k: usize, of_people: bool) -> Vec<BTreeMap<u64, usize>> {
        let bits =
            |row: &Row| (0..3).filter(|at| row.2[*at] == Some(true)).map(|at| 1_u64 << at).sum::<u64>();
        let of_group = |group: usize| {
            let own = || rows.iter().filter(move |row| row.0 == group && row.1.is_some());
            let mut people: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
            for row in own() {
                let all = own().filter(|other| other.1 == row.1).fold(0, |all, other| all | bits(other));
                let bits = if of_people { all } else { bits(row) };
                people.entry(bits).or_default().extend(row.1);
            }
            people.remove(&0);
            // Of any of them together, since that is what they are kept for.
            let mut counts = BTreeMap::new();
            for chosen in 0..1_u64 << 7 {
                let together = people.iter().filter(|(bits, _)| chosen >> (*bits - 1) & 1 == 1);
                let together: BTreeSet<u64> = together.flat_map(|(_, people)| people).copied().collect();
                counts.insert(chosen, together.len().min(k));
            }
            counts
        };
        (0..GROUPS).map(of_group).collect()
    }

    fn found(many: &mut Many, k: usize) -> Vec<BTreeMap<u64, usize>> {
        let array = many.evaluate(EmitTo::All).unwrap();
        let of_group = |text: &str| {
            let people: BTreeMap<u64, BTreeSet<u64>> =
                read(text).unwrap().into_iter().map(|atom| (atom.populations, atom.people)).collect();
            assert!(people.values().all(|people| people.len() <= k));
            let together = |chosen: u64| {
                let of = people.iter().filter(move |(bits, _)| chosen >> (*bits - 1) & 1 == 1);
                of.flat_map(|(_, people)| people).collect::<BTreeSet<_>>().len().min(k)
            };
            (0..1_u64 << 7).map(|chosen| (chosen, together(chosen))).collect()
        };
        array.as_string::<i32>().iter().map(|text| of_group(text.unwrap())).collect()
    }

    proptest! {
        #[test]
        fn any_sets_of_populations_together_have_so_many_people(
            rows in rows(), split in 0..80_usize, emitted in 0..GROUPS, k in 1..5_u32, of_people in any::<bool>()
        ) {
            let (first, second) = rows.split_at(split.min(rows.len()));
            let mut whole = Many::new(k, of_people);
            let mut part = Many::new(k, of_people);
            let (values, groups) = columns(first);
            part.update_batch(&values, &groups, None, GROUPS).unwrap();
            let early = part.state(EmitTo::First(emitted)).unwrap();
            whole.merge_batch(&early, &(0..emitted).collect::<Vec<_>>(), GROUPS).unwrap();
            let late = part.state(EmitTo::All).unwrap();
            whole.merge_batch(&late, &(emitted..GROUPS).collect::<Vec<_>>(), GROUPS).unwrap();
            let (values, groups) = columns(second);
            let each = part.convert_to_state(&values, None).unwrap();
            whole.merge_batch(&each, &groups, GROUPS).unwrap();
            let k = k as usize;
            prop_assert_eq!(found(&mut whole, k), expected(&rows, k, of_people));
        }
    }
}
