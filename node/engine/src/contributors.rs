//! `contributors(hash)`: min(k, distinct entities), as an aggregate that stops counting at k.
//!
//! It works on 64-bit hashes of entities, made once a row by [`crate::entity_hash`], so that the several counts of one
//! query share that work. A collision can only count two entities as one, and so only withhold more. Once every group
//! is full, a batch costs nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, UInt32Array, UInt64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use crate::distinct::Distinct;
use crate::lists::{item, lists};

/// The aggregate that counts distinct entities up to `k`.
pub(crate) fn contributors(k: u32) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Contributors {
        k,
        signature: Signature::exact(vec![DataType::UInt64], Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Contributors {
    k: u32,
    signature: Signature,
}

impl AggregateUDFImpl for Contributors {
    fn name(&self) -> &str {
        "contributors"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt32)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _kind: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::UInt32(Some(0)))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format!("{}[seen]", arguments.name);
        Ok(vec![Arc::new(Field::new(name, DataType::List(item(DataType::UInt64)), false))])
    }

    fn accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let mut seen = Distinct::new(self.k);
        seen.grow(1);
        Ok(Box::new(One(seen)))
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Many(Distinct::new(self.k))))
    }
}

/// One group: what a query without GROUP BY uses.
#[derive(Debug)]
struct One(Distinct);

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let hashes = hashes(values)?;
        if self.0.all_full() {
            return Ok(());
        }
        match hashes.nulls() {
            None => hashes.values().iter().for_each(|&hash| self.0.insert(0, hash)),
            Some(_) => hashes.iter().flatten().for_each(|hash| self.0.insert(0, hash)),
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::UInt32(Some(self.0.count(0))))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = of_groups(std::iter::once(self.0.values(0)))?;
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in seen(states)?.iter().flatten() {
            for &hash in list.as_primitive::<UInt64Type>().values() {
                self.0.insert(0, hash);
            }
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.0.size()
    }
}

/// Many groups at once.
#[derive(Debug)]
struct Many(Distinct);

impl GroupsAccumulator for Many {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let hashes = hashes(values)?;
        self.0.grow(total);
        if self.0.all_full() {
            return Ok(());
        }
        match passing(filter, hashes.nulls()) {
            None => self.0.insert_all(groups, hashes.values()),
            Some(mask) => {
                for (start, end) in mask.set_slices() {
                    let (Some(groups), Some(hashes)) =
                        (groups.get(start..end), hashes.values().get(start..end))
                    else {
                        continue;
                    };
                    self.0.insert_all(groups, hashes);
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(UInt32Array::from(self.0.take(emit).counts())))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let taken = self.0.take(emit);
        let groups = taken.groups();
        Ok(vec![Arc::new(of_groups((0..groups).map(|group| taken.values(group)))?)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.0.grow(total);
        if self.0.all_full() {
            return Ok(());
        }
        for (list, &group) in seen(states)?.iter().zip(groups) {
            let Some(list) = list else { continue };
            for &hash in list.as_primitive::<UInt64Type>().values() {
                self.0.insert(group, hash);
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let hashes = hashes(values)?;
        let mask = passing(filter, hashes.nulls());
        let list = match mask {
            None => {
                let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(1, hashes.len()));
                ListArray::try_new(item(DataType::UInt64), offsets, Arc::new(hashes.clone()), None)?
            }
            Some(mask) => {
                let offsets = OffsetBuffer::from_lengths(mask.iter().map(usize::from));
                let kept = arrow::compute::filter(hashes, &BooleanArray::new(mask, None))?;
                let kept = UInt64Array::new(kept.as_primitive::<UInt64Type>().values().clone(), None);
                ListArray::try_new(item(DataType::UInt64), offsets, Arc::new(kept), None)?
            }
        };
        Ok(vec![Arc::new(list)])
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}

/// The rows that pass the filter and have an entity; none means all.
fn passing(filter: Option<&BooleanArray>, entities: Option<&NullBuffer>) -> Option<BooleanBuffer> {
    let filter = filter.map(|filter| match filter.nulls() {
        None => filter.values().clone(),
        Some(known) => filter.values() & known.inner(),
    });
    match (filter, entities.map(NullBuffer::inner)) {
        (None, None) => None,
        (Some(filter), None) => Some(filter),
        (None, Some(entities)) => Some(entities.clone()),
        (Some(filter), Some(entities)) => Some(&filter & entities),
    }
}

fn hashes(values: &[ArrayRef]) -> Result<&UInt64Array> {
    values
        .first()
        .and_then(|array| array.as_primitive_opt::<UInt64Type>())
        .ok_or_else(|| exec_datafusion_err!("contributors works on entity hashes"))
}

fn seen(states: &[ArrayRef]) -> Result<&ListArray> {
    states
        .first()
        .and_then(|array| array.as_list_opt::<i32>())
        .ok_or_else(|| exec_datafusion_err!("a state of contributors is a list of entity hashes"))
}

fn of_groups(groups: impl Iterator<Item = Vec<u64>>) -> Result<ListArray> {
    let (mut lengths, mut hashes) = (Vec::new(), Vec::new());
    for group in groups {
        lengths.push(group.len());
        hashes.extend(group);
    }
    lists::<UInt64Type>(lengths.into_iter(), hashes)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// One row: its group, its entity if it has one, and whether it passes the filter if that is known.
    type Row = (usize, Option<u64>, Option<bool>);

    const GROUPS: usize = 5;

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (
            0..GROUPS,
            proptest::option::weighted(0.9, 0..40_u64),
            proptest::option::weighted(0.9, any::<bool>()),
        );
        proptest::collection::vec(row, 0..200)
    }

    fn expected(rows: &[Row], k: u32) -> Vec<u32> {
        let mut seen: BTreeMap<usize, BTreeSet<u64>> = BTreeMap::new();
        for (group, entity, passes) in rows {
            if let (Some(entity), Some(true)) = (entity, passes) {
                seen.entry(*group).or_default().insert(*entity);
            }
        }
        let count = |group| seen.get(&group).map_or(0, BTreeSet::len) as u32;
        (0..GROUPS).map(|group| count(group).min(k)).collect()
    }

    fn columns(rows: &[Row]) -> ([ArrayRef; 1], Vec<usize>, BooleanArray) {
        let entities: UInt64Array = rows.iter().map(|row| row.1).collect();
        ([Arc::new(entities)], rows.iter().map(|row| row.0).collect(), rows.iter().map(|row| row.2).collect())
    }

    fn update(many: &mut Many, rows: &[Row]) {
        let (values, groups, filter) = columns(rows);
        many.update_batch(&values, &groups, Some(&filter), GROUPS).unwrap();
    }

    fn counts(many: &mut Many, emit: EmitTo) -> Vec<u32> {
        let array = many.evaluate(emit).unwrap();
        array.as_primitive::<arrow::datatypes::UInt32Type>().values().to_vec()
    }

    /// A cap that the groups reach, one that they do not, and both ways to store a group.
    const CAPS: [u32; 6] = [0, 1, 3, 10, 33, 64];

    proptest! {
        #[test]
        fn one_pass_counts_distinct_entities_up_to_k(rows in rows(), split in 0..200_usize) {
            for k in CAPS {
                let mut many = Many(Distinct::new(k));
                let (first, second) = rows.split_at(split.min(rows.len()));
                update(&mut many, first);
                update(&mut many, second);
                prop_assert_eq!(counts(&mut many, EmitTo::All), expected(&rows, k));
            }
        }

        #[test]
        fn parts_merge_to_the_whole_whichever_way_their_states_are_made(
            rows in rows(), split in 0..200_usize, emitted in 0..GROUPS
        ) {
            for k in CAPS {
                let (first, second) = rows.split_at(split.min(rows.len()));
                let mut whole = Many(Distinct::new(k));

                // The first part is emitted in two pieces, as a partial aggregation under memory pressure does.
                let mut part = Many(Distinct::new(k));
                update(&mut part, first);
                if part.0.groups() == GROUPS {
                    let early = part.state(EmitTo::First(emitted)).unwrap();
                    let groups: Vec<usize> = (0..emitted).collect();
                    whole.merge_batch(&early, &groups, GROUPS).unwrap();
                    let late = part.state(EmitTo::All).unwrap();
                    let groups: Vec<usize> = (emitted..GROUPS).collect();
                    whole.merge_batch(&late, &groups, GROUPS).unwrap();
                }

                // The second skips partial aggregation: a state a row.
                let (values, groups, filter) = columns(second);
                let states = part.convert_to_state(&values, Some(&filter)).unwrap();
                whole.merge_batch(&states, &groups, GROUPS).unwrap();
                prop_assert_eq!(counts(&mut whole, EmitTo::All), expected(&rows, k));
            }
        }

        #[test]
        fn groups_that_stay_after_an_emission_go_on_counting(rows in rows(), split in 0..200_usize, emitted in 0..GROUPS) {
            for k in CAPS {
                let (first, second) = rows.split_at(split.min(rows.len()));
                let second: Vec<Row> = second.iter().copied().filter(|row| row.0 >= emitted).collect();
                let mut many = Many(Distinct::new(k));
                update(&mut many, first);
                many.0.grow(GROUPS);
                let mut found = counts(&mut many, EmitTo::First(emitted));
                let (values, groups, filter) = columns(&second);
                let groups: Vec<usize> = groups.iter().map(|group| group - emitted).collect();
                many.update_batch(&values, &groups, Some(&filter), GROUPS - emitted).unwrap();
                found.extend(counts(&mut many, EmitTo::All));
                let all: Vec<Row> = first.iter().chain(&second).copied().collect();
                prop_assert_eq!(found, expected(&all, k));
            }
        }

        #[test]
        fn one_group_counts_as_many_groups_do(rows in rows(), split in 0..200_usize) {
            let rows: Vec<Row> = rows.into_iter().map(|row| (0, row.1, Some(true))).collect();
            for k in CAPS {
                let one = |rows: &[Row]| {
                    let mut seen = Distinct::new(k);
                    seen.grow(1);
                    let mut one = One(seen);
                    one.update_batch(&columns(rows).0).unwrap();
                    one
                };
                let (first, second) = rows.split_at(split.min(rows.len()));
                let (mut first, mut second) = (one(first), one(second));
                let state = second.state().unwrap();
                first.merge_batch(&[state[0].to_array().unwrap()]).unwrap();
                prop_assert_eq!(first.evaluate().unwrap(), ScalarValue::UInt32(Some(expected(&rows, k)[0])));
            }
        }
    }
}
