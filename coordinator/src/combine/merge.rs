//! Pass: the sites' partial results of one cut become the cut's own result, cell by cell, each with its mark.
//!
//! Federated = pooled: NULL keys are one group, a group that one site lacks is none there, counts start at 0 and sums at
//! NULL. Whole numbers are added in 128 bits and never wrap; floats are added in the order of the sites, so that the
//! same answers give the same bits. Of marks the greater wins: a cell of which one site withheld its part is withheld.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt8Array};
use arrow::error::ArrowError;
use arrow::row::{OwnedRow, RowConverter, SortField};
use liquid_engine::federated::recipe::{KeySource, PartialKind, Recipe, Share};
use liquid_policy::id::SiteName;

use super::cells::{self, Accumulated};
use super::columns::{Columns, Problem, one_zero};

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum MergeError {
    /// A site's answer contradicts itself or the question.
    Unusable(SiteName, &'static str),
    /// A sum of whole numbers is beyond 64 bits; the answer of this number added the most.
    Overflow(usize),
    /// Our own fault.
    Bug(String),
}

impl From<ArrowError> for MergeError {
    fn from(error: ArrowError) -> Self {
        Self::Bug(error.to_string())
    }
}

/// Merges the answers, which stand in the order of the sites.
pub(crate) fn merge(recipe: &Recipe, answers: &[(&Share, RecordBatch)]) -> Result<RecordBatch, MergeError> {
    let fields = recipe.keys.iter().map(|kind| SortField::new(kind.clone())).collect();
    let converter = RowConverter::new(fields)?;
    let mut groups = Groups { converter, found: HashMap::new(), cells: Vec::new(), last: Vec::new() };
    if recipe.keys.is_empty() {
        // Without GROUP BY there is one group, even over no site at all.
        groups.found.insert(None, 0);
        groups.add(recipe);
    }
    for (number, (share, batch)) in answers.iter().enumerate() {
        groups.take(recipe, share, batch, number).map_err(|problem| match problem {
            Problem::Unusable(why) => MergeError::Unusable(share.site.clone(), why),
            Problem::Arrow(error) => error.into(),
        })?;
    }
    groups.finish(recipe)
}

/// What is known of each group so far.
struct Groups {
    converter: RowConverter,
    /// The number of each group; none is the key of the one group without keys.
    found: HashMap<Option<OwnedRow>, usize>,
    /// Group by group, one for each partial result.
    cells: Vec<Vec<Accumulated>>,
    /// The answer that spoke of each group last, so that none does twice.
    last: Vec<Option<usize>>,
}

impl Groups {
    fn add(&mut self, recipe: &Recipe) -> usize {
        self.cells.push(vec![Accumulated::default(); recipe.partials.len()]);
        self.last.push(None);
        self.cells.len() - 1
    }

    fn take(
        &mut self,
        recipe: &Recipe,
        share: &Share,
        batch: &RecordBatch,
        number: usize,
    ) -> Result<(), Problem> {
        let rows = batch.num_rows();
        let sends_keys = share.keys.iter().any(|key| matches!(key, KeySource::Sent(_)));
        if !sends_keys && rows != 1 {
            return Err(Problem::Unusable("an aggregate without groups has exactly one row"));
        }
        let columns = Columns::of(batch, share.columns)?;
        let present = share.presence.map(|column| columns.partial(column, PartialKind::Count)).transpose()?;
        let partials = share
            .partials
            .iter()
            .zip(&recipe.partials)
            .map(|(column, kind)| column.map(|column| columns.partial(column, *kind)).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        let keys = self.keys(recipe, share, &columns, rows)?;
        for (row, key) in keys.into_iter().enumerate() {
            if present.as_ref().is_some_and(|counts| counts.is_zero(row)) {
                continue;
            }
            let group = match self.found.get(&key) {
                Some(group) => *group,
                None => {
                    let group = self.add(recipe);
                    self.found.insert(key, group);
                    group
                }
            };
            let (Some(cells), Some(last)) = (self.cells.get_mut(group), self.last.get_mut(group)) else {
                continue;
            };
            if last.replace(number) == Some(number) {
                return Err(Problem::Unusable("it speaks of one group twice"));
            }
            for (cell, partial) in cells.iter_mut().zip(&partials) {
                if let Some(partial) = partial {
                    cell.add(partial, row, number);
                }
            }
        }
        Ok(())
    }

    /// The key of each row.
    fn keys(
        &self,
        recipe: &Recipe,
        share: &Share,
        columns: &Columns<'_>,
        rows: usize,
    ) -> Result<Vec<Option<OwnedRow>>, Problem> {
        if recipe.keys.is_empty() {
            return Ok(vec![None; rows]);
        }
        let arrays = share
            .keys
            .iter()
            .map(|key| match key {
                KeySource::Sent(column) => columns.key(*column),
                KeySource::Constant(value) => value
                    .to_array_of_size(rows)
                    .map(|array| one_zero(&array))
                    .map_err(|error| Problem::Arrow(error.into())),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let converted = self.converter.convert_columns(&arrays)?;
        Ok(converted.iter().map(|row| Some(row.owned())).collect())
    }

    /// The released table, its rows in the order of their keys.
    fn finish(self, recipe: &Recipe) -> Result<RecordBatch, MergeError> {
        let mut order: Vec<(Option<OwnedRow>, usize)> = self.found.into_iter().collect();
        order.sort();
        let rows = order.iter().filter_map(|(key, _)| key.as_ref()).map(OwnedRow::row);
        let mut values =
            if recipe.keys.is_empty() { Vec::new() } else { self.converter.convert_rows(rows)? };
        let mut marks: Vec<ArrayRef> =
            vec![Arc::new(UInt8Array::from(vec![0; order.len()])) as ArrayRef; recipe.keys.len()];
        let groups: Vec<&[Accumulated]> =
            order.iter().filter_map(|(_, group)| self.cells.get(*group)).map(Vec::as_slice).collect();
        for cell in &recipe.cells {
            let (value, mark) = cells::columns(*cell, recipe, &groups)?;
            values.push(value);
            marks.push(mark);
        }
        values.extend(marks);
        let options = RecordBatchOptions::new().with_row_count(Some(order.len()));
        Ok(RecordBatch::try_new_with_options(recipe.schema.clone(), values, &options)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::{Array, AsArray, Float64Array, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, UInt8Type};
    use datafusion::common::ScalarValue;
    use proptest::prelude::*;

    use super::*;
    use liquid_engine::federated::recipe::Cell;

    /// `SELECT k, count(*), sum(i), sum(f), avg(f) … GROUP BY k`
    fn recipe(keys: Vec<DataType>) -> Recipe {
        let kinds = [DataType::Int64, DataType::Int64, DataType::Float64, DataType::Float64];
        let columns = keys.len() + kinds.len();
        let fields = keys.iter().cloned().chain(kinds).chain(vec![DataType::UInt8; columns]);
        let fields: Vec<_> =
            fields.enumerate().map(|(at, kind)| Field::new(format!("c{at}"), kind, true)).collect();
        Recipe {
            keys,
            partials: vec![PartialKind::Count, PartialKind::IntegerSum, PartialKind::FloatSum],
            cells: vec![Cell::Count(0), Cell::Sum(1), Cell::Sum(2), Cell::Avg { sum: 2, count: 0 }],
            schema: Arc::new(Schema::new(fields)),
        }
    }

    fn share(keys: Vec<KeySource>, sent: usize, presence: Option<usize>) -> Share {
        let partials = vec![Some(sent), Some(sent + 1), Some(sent + 2)];
        Share { site: "a".into(), keys, partials, presence, columns: sent + 3 }
    }

    /// One group at one site: count, sums, and the mark of all three.
    type Row = (Option<String>, i64, Option<i64>, Option<f64>, u8);

    fn answer(rows: &[Row], keyed: bool) -> RecordBatch {
        let shown = |row: &Row| row.4 != 2;
        let mark: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.4)).collect::<UInt8Array>());
        let plain: ArrayRef = Arc::new(UInt8Array::from(vec![0; rows.len()]));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| shown(row).then_some(row.1)).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.2.filter(|_| shown(row))).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.3.filter(|_| shown(row))).collect::<Float64Array>()),
        ];
        let mut marks = vec![mark.clone(), mark.clone(), mark];
        if keyed {
            columns.insert(0, Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringArray>()));
            marks.insert(0, plain);
        }
        let named = columns.into_iter().chain(marks).enumerate();
        RecordBatch::try_from_iter_with_nullable(named.map(|(at, column)| (at.to_string(), column, true)))
            .unwrap()
    }

    fn keyed(rows: &[Row]) -> (Share, RecordBatch) {
        (share(vec![KeySource::Sent(0)], 1, None), answer(rows, true))
    }

    fn merged(recipe: &Recipe, sites: &[(Share, RecordBatch)]) -> Result<RecordBatch, MergeError> {
        let answers: Vec<_> = sites.iter().map(|(share, batch)| (share, batch.clone())).collect();
        merge(recipe, &answers)
    }

    fn floats(batch: &RecordBatch, column: usize) -> Vec<Option<f64>> {
        batch.column(column).as_primitive::<Float64Type>().iter().collect()
    }

    fn integers(batch: &RecordBatch, column: usize) -> Vec<Option<i64>> {
        batch.column(column).as_primitive::<Int64Type>().iter().collect()
    }

    /// Count, sums and mark of one group.
    type Sums<I, F> = (i64, Option<I>, Option<F>, u8);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let marks = prop::sample::select(vec![0, 0, 0, 1, 2]);
        let sums = (0..9_i64, any::<Option<i32>>(), prop::option::of(-99..99_i32), marks);
        let key = prop::option::of(prop::sample::select(vec!["f", "m", ""]));
        prop::collection::btree_map(key, sums, 0..4).prop_map(|rows| {
            let row = |(key, (count, integer, float, mark)): (Option<&str>, Sums<i32, i32>)| {
                (
                    key.map(str::to_owned),
                    count,
                    integer.map(i64::from),
                    float.map(|f| f64::from(f) / 4.0),
                    mark,
                )
            };
            rows.into_iter().map(row).collect()
        })
    }

    proptest! {
        #[test]
        fn cells_are_sums_over_sites_and_the_greater_mark_wins(sites in prop::collection::vec(rows(), 0..4)) {
            let mut expected: BTreeMap<Option<String>, Sums<i64, f64>> = BTreeMap::new();
            for (key, count, integer, float, mark) in sites.iter().flatten() {
                let cell = expected.entry(key.clone()).or_default();
                cell.0 += count;
                cell.1 = integer.map_or(cell.1, |integer| Some(cell.1.unwrap_or(0) + integer));
                cell.2 = float.map_or(cell.2, |float| Some(cell.2.unwrap_or(0.0) + float));
                cell.3 = cell.3.max(*mark);
            }
            let answers: Vec<_> = sites.iter().map(|rows| keyed(rows)).collect();
            let batch = merged(&recipe(vec![DataType::Utf8]), &answers).unwrap();
            prop_assert_eq!(batch.num_rows(), expected.len());
            for (row, (key, (count, integer, float, mark))) in expected.into_iter().enumerate() {
                let keys = batch.column(0).as_string::<i32>();
                prop_assert_eq!(keys.is_valid(row).then(|| keys.value(row).to_owned()), key);
                let shown = mark != 2;
                prop_assert_eq!(integers(&batch, 1)[row], shown.then_some(count));
                prop_assert_eq!(integers(&batch, 2)[row], integer.filter(|_| shown));
                prop_assert_eq!(floats(&batch, 3)[row], float.filter(|_| shown));
                prop_assert_eq!(floats(&batch, 4)[row], float.filter(|_| shown && count > 0).map(|f| f / count as f64));
                for column in 6..10 {
                    prop_assert_eq!(batch.column(column).as_primitive::<UInt8Type>().value(row), mark);
                }
            }
        }
    }

    #[test]
    fn without_groups_there_is_one_row_even_over_no_site() {
        let batch = merged(&recipe(Vec::new()), &[]).unwrap();
        assert_eq!((integers(&batch, 0), integers(&batch, 1)), (vec![Some(0)], vec![None]));
        let none = (share(Vec::new(), 0, None), answer(&[], false));
        assert!(matches!(merged(&recipe(Vec::new()), &[none]), Err(MergeError::Unusable(..))));
    }

    #[test]
    fn a_constant_group_is_there_where_rows_are_or_where_none_may_say() {
        let site = |name: &str, count, mark| {
            let key = KeySource::Constant(ScalarValue::Utf8(Some(name.to_owned())));
            (share(vec![key], 0, Some(0)), answer(&[(None, count, None, None, mark)], false))
        };
        let sites = [site("a", 3, 0), site("b", 0, 0), site("c", 0, 2)];
        let batch = merged(&recipe(vec![DataType::Utf8]), &sites).unwrap();
        assert_eq!(batch.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(integers(&batch, 1), [Some(3), None]);
    }

    #[test]
    fn floats_are_added_in_the_order_of_the_sites() {
        let site = |float| keyed(&[(None, 1, None, Some(float), 0)]);
        let sum = |sites: &[(Share, RecordBatch)]| {
            floats(&merged(&recipe(vec![DataType::Utf8]), sites).unwrap(), 3)
        };
        assert_eq!(sum(&[site(1e16), site(1.0), site(-1e16)]), [Some(0.0)]);
        assert_eq!(sum(&[site(1e16), site(-1e16), site(1.0)]), [Some(1.0)]);
    }

    #[test]
    fn whole_numbers_never_wrap() {
        let site = |integer| keyed(&[(None, 1, Some(integer), None, 0)]);
        let sum = |sites: &[(Share, RecordBatch)]| merged(&recipe(vec![DataType::Utf8]), sites);
        assert!(matches!(sum(&[site(i64::MAX), site(1)]), Err(MergeError::Overflow(0))));
        // What is beyond 64 bits on the way is none at the end.
        let batch = sum(&[site(i64::MAX), site(1), site(-2)]).unwrap();
        assert_eq!(integers(&batch, 2), [Some(i64::MAX - 1)]);
    }

    #[test]
    fn both_zeros_are_one_group() {
        let keys = |value: f64| {
            let columns: [ArrayRef; 8] = [
                Arc::new(Float64Array::from(vec![value])),
                Arc::new(Int64Array::from(vec![1])),
                Arc::new(Int64Array::from(vec![1])),
                Arc::new(Float64Array::from(vec![1.0])),
                Arc::new(UInt8Array::from(vec![0])),
                Arc::new(UInt8Array::from(vec![0])),
                Arc::new(UInt8Array::from(vec![0])),
                Arc::new(UInt8Array::from(vec![0])),
            ];
            let named = columns.into_iter().enumerate().map(|(at, column)| (at.to_string(), column));
            (share(vec![KeySource::Sent(0)], 1, None), RecordBatch::try_from_iter(named).unwrap())
        };
        let batch = merged(&recipe(vec![DataType::Float64]), &[keys(0.0), keys(-0.0)]).unwrap();
        assert_eq!(integers(&batch, 1), [Some(2)]);
    }
}
