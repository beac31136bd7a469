//! `spread(hash, weight, …)`: for each weight, whether what it adds up to is spread over enough entities, by the agreement's
//! rules on concentration. It answers with a number, of which bit 0 is that of the first weight, and so on.
//!
//! Every entity's rows are added up first; the sums of all entities of a group are kept until its end. All weights of a pass share
//! one table of entities, so that each row is looked up once. A weight that is NULL adds nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, PrimitiveArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, BinaryExpr, EmitTo, Expr, GroupsAccumulator, Operator,
    Signature, Volatility, cast, lit, when,
};
use liquid_disclosure::concentration::{is_spread, largest_needed};
use liquid_footprint::site_query::base_column;
use liquid_policy::table::Concentration;

use crate::lists::{item, lists};
use crate::names;
use crate::sums::Sums;

/// The aggregate that judges `width` weights by rules.
pub(crate) fn spread(rules: Concentration, width: usize) -> Arc<AggregateUDF> {
    let mut arguments = vec![DataType::UInt64];
    arguments.resize(width + 1, DataType::Float64);
    Arc::new(AggregateUDF::new_from_impl(Spread {
        rules: Rules(rules),
        width,
        signature: Signature::exact(arguments, Volatility::Immutable),
    }))
}

/// How many weights one aggregate takes: a bit each of a number that has a sign.
const WIDTH: usize = 60;

/// The sums of one pass that are judged; without a rule, none is.
#[derive(Debug)]
pub(crate) struct Weights {
    rules: Concentration,
    rows: Vec<(Option<Expr>, Expr)>,
}

impl Weights {
    /// Nothing yet.
    pub(crate) fn new(rules: Concentration) -> Self {
        Self { rules, rows: Vec::new() }
    }

    /// An expression that holds, beside the aggregate, whether what rows add under a condition is spread; never NULL. Where
    /// nothing is added up (`weight` is none), it always is: everybody adds one.
    pub(crate) fn judged(&mut self, condition: Option<Expr>, weight: Option<Expr>) -> Expr {
        let Some(weight) = weight.filter(|_| self.rules.is_some()) else { return lit(true) };
        let row = (condition, weight);
        let at = self.rows.iter().position(|known| *known == row).unwrap_or_else(|| {
            self.rows.push(row);
            self.rows.len() - 1
        });
        let flags = base_column(&names::spread(at / WIDTH));
        let flag = Expr::BinaryExpr(BinaryExpr::new(
            Box::new(flags),
            Operator::BitwiseAnd,
            Box::new(lit(1_i64 << (at % WIDTH))),
        ));
        coalesce(vec![flag.not_eq(lit(0_i64)), lit(false)])
    }

    /// What each row must have beside its entity's hash, and the aggregates over it.
    pub(crate) fn plan(self) -> Result<(Vec<Expr>, Vec<Expr>)> {
        let numbers: Vec<usize> = (0..self.rows.len()).collect();
        let judged = numbers.chunks(WIDTH).enumerate().map(|(chunk, numbers)| {
            let weights = numbers.iter().map(|at| base_column(&names::weight(*at)));
            let arguments = std::iter::once(base_column(names::ENTITY)).chain(weights).collect();
            spread(self.rules, numbers.len()).call(arguments).alias(names::spread(chunk))
        });
        let judged = judged.collect();
        let mut rows = Vec::with_capacity(numbers.len());
        for (at, (condition, weight)) in self.rows.into_iter().enumerate() {
            let weight = cast(weight, DataType::Float64);
            let weight = match condition {
                Some(condition) => when(condition, weight).end()?,
                None => weight,
            };
            rows.push(weight.alias(names::weight(at)));
        }
        Ok((rows, judged))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Spread {
    rules: Rules,
    width: usize,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rules(Concentration);

impl std::hash::Hash for Rules {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.dominance.map(|(most, share)| (most, share.to_bits())).hash(state);
        self.0.p_ratio.map(f64::to_bits).hash(state);
    }
}

impl AggregateUDFImpl for Spread {
    fn name(&self) -> &str {
        "spread"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = arguments.name;
        let list = |what: String, kind| {
            Arc::new(Field::new(format!("{name}[{what}]"), DataType::List(item(kind)), false))
        };
        let sums = (0..self.width).map(|at| list(format!("w{at}"), DataType::Float64));
        Ok(std::iter::once(list("entities".into(), DataType::UInt64)).chain(sums).collect())
    }

    fn accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One(Judge::new(self))))
    }

    fn groups_accumulator_supported(&self, _arguments: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Judge::new(self)))
    }
}

/// One group: what a query without GROUP BY uses.
#[derive(Debug)]
struct One(Judge);

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |hashes| hashes.len());
        self.0.update_batch(values, &vec![0; rows], None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.0.sums.grow(1);
        ScalarValue::try_from_array(&self.0.evaluate(EmitTo::All)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.sums.grow(1);
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

/// Many groups at once.
#[derive(Debug)]
struct Judge {
    rules: Concentration,
    sums: Sums,
}

impl Judge {
    fn new(spread: &Spread) -> Self {
        Self { rules: spread.rules.0, sums: Sums::new(spread.width) }
    }
}

impl GroupsAccumulator for Judge {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.sums.grow(total);
        let (hashes, weights) = split(values, self.sums.width())?;
        let passes = |row: usize| filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        for (row, &group) in groups.iter().enumerate() {
            let counts = weights.iter().any(|weight| weight.is_valid(row));
            if !counts || hashes.is_null(row) || !passes(row) {
                continue;
            }
            let sums = self.sums.of(group, hashes.value(row));
            for (sum, weight) in sums.iter_mut().zip(&weights) {
                if weight.is_valid(row) {
                    *sum += weight.value(row);
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let taken = self.sums.take(emit);
        let width = taken.width();
        let mut tops = vec![Top::default(); taken.groups() * width];
        let needed = largest_needed(&self.rules);
        for (group, _, sums) in taken.all() {
            let of_group = tops.iter_mut().skip(group * width);
            of_group.zip(sums).for_each(|(top, sum)| top.take(sum.abs(), needed));
        }
        let passes = |top: &Top| is_spread(&self.rules, &top.largest, top.rest);
        let flags = tops.chunks(width.max(1)).map(|tops| {
            let bits = tops.iter().enumerate().map(|(at, top)| i64::from(passes(top)) << at);
            bits.fold(0, |all, bit| all | bit)
        });
        Ok(Arc::new(flags.collect::<Int64Array>()))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let taken = self.sums.take(emit);
        let mut of_group = vec![Vec::new(); taken.groups()];
        for (group, entity, sums) in taken.all() {
            if let Some(all) = of_group.get_mut(group) {
                all.push((entity, sums));
            }
        }
        let lengths = || of_group.iter().map(Vec::len);
        let entities = of_group.iter().flatten().map(|(entity, _)| *entity).collect();
        let mut state: Vec<ArrayRef> = vec![Arc::new(lists::<UInt64Type>(lengths(), entities)?)];
        for at in 0..taken.width() {
            let sums = of_group.iter().flatten().filter_map(|(_, sums)| sums.get(at).copied()).collect();
            state.push(Arc::new(lists::<Float64Type>(lengths(), sums)?));
        }
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.sums.grow(total);
        let mut lists = Vec::with_capacity(states.len());
        for state in states {
            lists.push(
                state
                    .as_list_opt::<i32>()
                    .ok_or_else(|| exec_datafusion_err!("a state of spread is lists"))?,
            );
        }
        for (row, &group) in groups.iter().enumerate() {
            if lists.iter().any(|list| list.is_null(row)) {
                continue;
            }
            let values: Vec<ArrayRef> = lists.iter().map(|list| list.value(row)).collect();
            let (hashes, added) = split(&values, self.sums.width())?;
            for (at, &hash) in hashes.values().iter().enumerate() {
                let sums = self.sums.of(group, hash);
                for (sum, added) in sums.iter_mut().zip(&added) {
                    *sum += added.value(at);
                }
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let rows = values.first().map_or(0, |hashes| hashes.len());
        let mut each = Self { rules: self.rules, sums: Sums::new(self.sums.width()) };
        each.update_batch(values, &(0..rows).collect::<Vec<_>>(), filter, rows)?;
        each.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.sums.size()
    }
}

/// The largest contributions of a group, the greatest first, and what the others add.
#[derive(Debug, Clone, Default)]
struct Top {
    largest: Vec<f64>,
    rest: f64,
}

impl Top {
    fn take(&mut self, contribution: f64, needed: usize) {
        if contribution.is_nan() {
            self.rest = contribution; // and stays so
            return;
        }
        let at = self.largest.partition_point(|known| *known >= contribution);
        if at < needed {
            self.largest.insert(at, contribution);
            if self.largest.len() > needed {
                self.rest += self.largest.pop().unwrap_or_default();
            }
        } else {
            self.rest += contribution;
        }
    }
}

/// Hashes, and the weights beside them.
fn split(
    values: &[ArrayRef],
    width: usize,
) -> Result<(&PrimitiveArray<UInt64Type>, Vec<&PrimitiveArray<Float64Type>>)> {
    let wrong = || exec_datafusion_err!("spread works on entity hashes and numbers");
    let (hashes, weights) = values.split_first().ok_or_else(wrong)?;
    if weights.len() != width {
        return Err(wrong());
    }
    let hashes = hashes.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
    let weights = weights.iter().map(|weight| weight.as_primitive_opt::<Float64Type>().ok_or_else(wrong));
    Ok((hashes, weights.collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::{Float64Array, UInt64Array};
    use proptest::prelude::*;

    use super::*;

    /// One row: its group, its entity if it has one, two weights, and whether it passes the filter if that is known.
    type Row = (usize, Option<u64>, [Option<i32>; 2], Option<bool>);

    const GROUPS: usize = 4;
    const RULES: [Concentration; 3] = [
        Concentration { dominance: Some((2, 0.6)), p_ratio: None },
        Concentration { dominance: None, p_ratio: Some(0.5) },
        Concentration { dominance: Some((1, 0.4)), p_ratio: Some(0.75) },
    ];

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let weight = || proptest::option::weighted(0.8, -9..20_i32);
        let entity = proptest::option::weighted(0.9, 0..8_u64);
        let row = (0..GROUPS, entity, [weight(), weight()], proptest::option::weighted(0.9, any::<bool>()));
        proptest::collection::vec(row, 0..120)
    }

    fn judge(rules: Concentration) -> Judge {
        Judge { rules, sums: Sums::new(2) }
    }

    /// By the definition: add up, drop the sign, sort.
    fn expected(rows: &[Row], rules: &Concentration) -> Vec<[bool; 2]> {
        let of = |group: usize, at: usize| {
            let mut sums: BTreeMap<u64, i32> = BTreeMap::new();
            for (own, entity, weights, passes) in rows {
                if let (true, Some(entity), Some(weight), Some(true)) =
                    (*own == group, entity, weights[at], passes)
                {
                    *sums.entry(*entity).or_default() += weight;
                }
            }
            let mut sizes: Vec<f64> = sums.into_values().map(|sum| f64::from(sum.abs())).collect();
            sizes.sort_by(|one, other| other.total_cmp(one));
            let total: f64 = sizes.iter().sum();
            let first = |most: u32| sizes.iter().take(most as usize).sum::<f64>();
            let dominated =
                rules.dominance.is_some_and(|(most, share)| total > 0.0 && first(most) / total > share);
            let estimated =
                rules.p_ratio.is_some_and(|ratio| total > 0.0 && (total - first(2)) / sizes[0] < ratio);
            !dominated && !estimated
        };
        (0..GROUPS).map(|group| [of(group, 0), of(group, 1)]).collect()
    }

    fn columns(rows: &[Row]) -> (Vec<ArrayRef>, Vec<usize>, BooleanArray) {
        let weight = |at: usize| rows.iter().map(|row| row.2[at].map(f64::from)).collect::<Float64Array>();
        let entities: UInt64Array = rows.iter().map(|row| row.1).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(entities), Arc::new(weight(0)), Arc::new(weight(1))];
        (columns, rows.iter().map(|row| row.0).collect(), rows.iter().map(|row| row.3).collect())
    }

    fn update(judge: &mut Judge, rows: &[Row]) {
        let (values, groups, filter) = columns(rows);
        judge.update_batch(&values, &groups, Some(&filter), GROUPS).unwrap();
    }

    fn bits(flags: i64) -> [bool; 2] {
        [flags & 1 != 0, flags & 2 != 0]
    }

    fn found(judge: &mut Judge, emit: EmitTo) -> Vec<[bool; 2]> {
        let flags = judge.evaluate(emit).unwrap();
        flags
            .as_primitive::<arrow::datatypes::Int64Type>()
            .values()
            .iter()
            .map(|flags| bits(*flags))
            .collect()
    }

    proptest! {
        #[test]
        fn parts_merge_to_what_the_definition_says(rows in rows(), split in 0..120_usize, emitted in 0..=GROUPS) {
            for rules in RULES {
                let (first, second) = rows.split_at(split.min(rows.len()));
                let mut whole = judge(rules);
                // The first part is emitted in two pieces, as a partial aggregation under memory pressure does.
                let mut part = judge(rules);
                part.sums.grow(GROUPS);
                update(&mut part, first);
                let early = part.state(EmitTo::First(emitted)).unwrap();
                whole.merge_batch(&early, &(0..emitted).collect::<Vec<_>>(), GROUPS).unwrap();
                let late = part.state(EmitTo::All).unwrap();
                whole.merge_batch(&late, &(emitted..GROUPS).collect::<Vec<_>>(), GROUPS).unwrap();
                // The second skips partial aggregation: a state a row.
                let (values, groups, filter) = columns(second);
                let states = part.convert_to_state(&values, Some(&filter)).unwrap();
                whole.merge_batch(&states, &groups, GROUPS).unwrap();
                prop_assert_eq!(found(&mut whole, EmitTo::All), expected(&rows, &rules));
            }
        }

        #[test]
        fn groups_that_stay_after_an_emission_go_on(rows in rows(), split in 0..120_usize, emitted in 0..=GROUPS) {
            for rules in RULES {
                let (first, second) = rows.split_at(split.min(rows.len()));
                let second: Vec<Row> = second.iter().copied().filter(|row| row.0 >= emitted).collect();
                let mut judge = judge(rules);
                judge.sums.grow(GROUPS);
                update(&mut judge, first);
                let mut all = found(&mut judge, EmitTo::First(emitted));
                let (values, groups, filter) = columns(&second);
                let groups: Vec<usize> = groups.iter().map(|group| group - emitted).collect();
                judge.update_batch(&values, &groups, Some(&filter), GROUPS - emitted).unwrap();
                all.extend(found(&mut judge, EmitTo::All));
                let rows: Vec<Row> = first.iter().chain(&second).copied().collect();
                prop_assert_eq!(all, expected(&rows, &rules));
            }
        }

        #[test]
        fn one_group_is_judged_as_many_are(rows in rows(), split in 0..120_usize) {
            let rows: Vec<Row> = rows.into_iter().map(|row| (0, row.1, row.2, Some(true))).collect();
            for rules in RULES {
                let one = |rows: &[Row]| {
                    let mut one = One(judge(rules));
                    one.update_batch(&columns(rows).0).unwrap();
                    one
                };
                let (first, second) = rows.split_at(split.min(rows.len()));
                let (mut first, mut second) = (one(first), one(second));
                let state: Vec<ArrayRef> = second.state().unwrap().iter().map(|list| list.to_array().unwrap()).collect();
                first.merge_batch(&state).unwrap();
                let ScalarValue::Int64(Some(flags)) = first.evaluate().unwrap() else { panic!("flags") };
                prop_assert_eq!(bits(flags), expected(&rows, &rules)[0]);
            }
        }
    }
}
