//! The stage below and the stage of a guarded aggregate: each condition is computed once a row, each count once a
//! group, however many cells need it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::functions_aggregate::expr_fn::{count, count_distinct};
use datafusion::logical_expr::{
    AggregateUDF, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, cast, lit, when,
};
use liquid_footprint::SiteQuery;
use liquid_footprint::site_query::{base_column, columns_of};
use liquid_policy::table::Concentration;

use crate::contributors::contributors;
use crate::entity_hash::entity_hash;
use crate::error::Failure;
use crate::families::Families;
use crate::keyed_hash::person_hash;
use crate::names;
use crate::remembered::Remembered;
use crate::spread::Weights;

/// Gathers what one pass over the rows must compute.
#[derive(Debug)]
pub(crate) struct Hidden {
    k: u32,
    /// Each row is of another entity, so that rows are counted in their place.
    one_row_each: bool,
    contributors: Arc<AggregateUDF>,
    conditions: Vec<Expr>,
    counts: Vec<Option<Expr>>,
    aggregates: Vec<Expr>,
    weights: Weights,
    families: Families,
    remembered: Option<Remembered>,
    entities: bool,
}

impl Hidden {
    /// Nothing yet; counts stop at `k`, sums are judged by `rules`, and these cells together, or beside all that were released before.
    pub(crate) fn new(
        k: u32,
        one_row_each: bool,
        rules: Concentration,
        families: Families,
        remembered: Option<Remembered>,
    ) -> Self {
        Self {
            k,
            one_row_each,
            contributors: contributors(k),
            conditions: Vec::new(),
            counts: Vec::new(),
            aggregates: Vec::new(),
            weights: Weights::new(rules),
            families,
            remembered,
            entities: false,
        }
    }

    /// The column that holds a condition; none stays none.
    fn condition(&mut self, condition: Option<Expr>) -> Option<Expr> {
        let condition = condition?;
        let at = position(&mut self.conditions, condition);
        Some(base_column(&names::condition(at)))
    }

    /// The expression that will hold the contributors under a condition, at most k: a UInt32 that is NULL only where there is no row.
    pub(crate) fn contributors(&mut self, condition: Option<Expr>) -> Result<Expr, Failure> {
        let at = position(&mut self.counts, condition);
        let counted = base_column(&names::count(at));
        if !self.one_row_each {
            return Ok(counted);
        }
        let most = lit(i64::from(self.k));
        let capped = when(counted.clone().gt_eq(most.clone()), most).otherwise(counted)?;
        Ok(cast(capped, DataType::UInt32))
    }

    /// The expression that will hold whether what rows add under a condition is spread over enough entities.
    pub(crate) fn spread(&mut self, condition: Option<Expr>, weight: Option<Expr>) -> Expr {
        self.weights.judged(condition, weight)
    }

    /// Adds the next aggregate as asked: `build` makes it from the column that holds its condition.
    pub(crate) fn aggregate(&mut self, condition: Option<Expr>, build: impl FnOnce(Option<Expr>) -> Expr) {
        let condition = self.condition(condition);
        self.aggregates.push(build(condition));
    }

    /// The column that will hold the number of all distinct entities of a group.
    pub(crate) fn entities(&mut self) -> Expr {
        self.entities = true;
        base_column(names::ENTITIES)
    }

    /// One pass over `base`: GROUP BY the keys, everything that was gathered.
    pub(crate) fn plan(
        mut self,
        base: LogicalPlan,
        query: &SiteQuery,
        entity: Expr,
    ) -> Result<LogicalPlan, Failure> {
        let mut counts = Vec::new();
        for (at, condition) in std::mem::take(&mut self.counts).into_iter().enumerate() {
            let counted = match self.one_row_each {
                true => count(lit(1_i64)),
                false => self.contributors.call(vec![base_column(names::ENTITY)]),
            };
            let counted = match self.condition(condition) {
                Some(condition) => counted.filter(condition).build()?,
                None => counted,
            };
            counts.push(counted.alias(names::count(at)));
        }
        let aggregates = std::mem::take(&mut self.aggregates).into_iter().enumerate();
        let mut aggregates: Vec<Expr> =
            aggregates.map(|(at, aggregate)| aggregate.alias(names::aggregate(at))).collect();
        aggregates.append(&mut counts);
        let weights = std::mem::replace(&mut self.weights, Weights::new(Concentration::default()));
        let (weights, judged) = weights.plan()?;
        aggregates.extend(judged);
        for (at, (atoms, populations)) in std::mem::take(&mut self.families).plan().into_iter().enumerate() {
            let populations = populations.into_iter().map(|condition| self.condition(condition));
            let populations = populations.map(|condition| condition.unwrap_or_else(|| lit(true)));
            let arguments = std::iter::once(base_column(names::ENTITY)).chain(populations).collect();
            aggregates.push(atoms.call(arguments).alias(names::family(at)));
        }
        let mut hash = entity_hash();
        let mut values = Vec::new();
        if let Some(remembered) = self.remembered.take() {
            hash = person_hash(remembered.key);
            let condition = |it| self.condition(it).unwrap_or_else(|| lit(true));
            let (terms, computed) = remembered.plan(condition);
            aggregates.push(terms);
            values = computed;
        }
        if self.entities {
            aggregates.push(count_distinct(entity.clone()).alias(names::ENTITIES));
        }

        let mut rows = vec![hash.call(vec![entity.clone()]).alias(names::ENTITY)];
        rows.extend(values);
        let arguments: BTreeSet<String> = query
            .aggregates
            .iter()
            .filter_map(|aggregate| aggregate.argument.as_ref())
            .flat_map(columns_of)
            .collect();
        rows.extend(arguments.iter().map(|column| base_column(column)));
        let read = entity.try_as_col().is_some_and(|entity| arguments.contains(&entity.name));
        if self.entities && !read {
            rows.push(entity);
        }
        let keys = query.groups.iter().enumerate();
        rows.extend(keys.map(|(at, group)| group.clone().alias(names::key(at))));
        rows.extend(weights);
        let conditions = std::mem::take(&mut self.conditions).into_iter().enumerate();
        rows.extend(conditions.map(|(at, condition)| condition.alias(names::condition(at))));

        let keys = (0..query.groups.len()).map(|at| base_column(&names::key(at)));
        let plan = LogicalPlanBuilder::from(base).project(rows)?.aggregate(keys, aggregates)?.build()?;
        Ok(plan)
    }
}

/// Where an element stands in a list; it is added if it does not.
fn position<T: PartialEq>(list: &mut Vec<T>, element: T) -> usize {
    list.iter().position(|known| *known == element).unwrap_or_else(|| {
        list.push(element);
        list.len() - 1
    })
}
