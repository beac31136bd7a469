//! What is found out beside a cut so that its cells can be judged beside all that were released before: of which measures each adds up which
//! populations, in words, and who is in them, in numbers.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use liquid_disclosure::differences::{POPULATIONS, Summand};
use liquid_disclosure::measured::{Condition, Measured, MeasuredCell};
use liquid_footprint::SiteQuery;
use liquid_footprint::site_query::{base_column, columns_of};
use liquid_node_api::engine::HashKey;
use liquid_policy::table::Obligations;

use crate::error::Failure;
use crate::guard::Guard;
use crate::keyed_hash::value_hash;
use crate::names;
use crate::terms::terms;

/// What to find out, and under which key.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) key: HashKey,
    conditions: Vec<Option<Expr>>,
    measures: Vec<Vec<String>>,
    pub(crate) measured: Measured,
}

impl Remembered {
    /// Of a cut, by the guards of its aggregates.
    pub(crate) fn of(
        query: &SiteQuery,
        guards: &[Guard],
        obligations: &Obligations,
        key: HashKey,
    ) -> Result<Self, Failure> {
        // Rows are counted by the first measure, which has no columns.
        let (mut conditions, mut measures) = (Vec::new(), vec![Vec::new()]);
        let mut cells = Vec::new();
        for (aggregate, guard) in guards.iter().enumerate() {
            for added in guard.added.iter().filter(|added| added.of_people == guard.entities) {
                let summand = |summand: &crate::added::Summand| Summand {
                    population: position(&mut conditions, &summand.condition),
                    measure: position(&mut measures, &summand.measure),
                    negative: summand.negative,
                };
                let mut summands: Vec<Summand> = added.summands.iter().map(summand).collect();
                summands.sort();
                cells.push(MeasuredCell { aggregate, of_people: added.of_people, summands });
            }
        }
        let in_words = InWords::of(query, obligations);
        let populations = conditions.iter().map(|condition| in_words.all_of(condition.as_ref()));
        let populations = populations.collect::<Result<_, Failure>>()?;
        let keys = query.groups.iter().map(|key| {
            let is_one = key.column_refs().is_empty();
            (!is_one).then(|| in_words.expression(key))
        });
        let aggregates = query.aggregates.iter().map(|it| match &it.argument {
            Some(argument) => format!("{:?}({argument})", it.function),
            None => format!("{:?}(*)", it.function),
        });
        let measured = Measured {
            populations,
            keys: keys.collect(),
            measures: measures.len().saturating_sub(1),
            cells,
            aggregates: aggregates.collect(),
        };
        Ok(Self { key, conditions, measures, measured })
    }

    /// The aggregate that finds it out: `condition` gives the column of a condition. And what must be computed a row for it.
    pub(crate) fn plan(self, mut condition: impl FnMut(Option<Expr>) -> Expr) -> (Expr, Vec<Expr>) {
        let Self { key, mut conditions, measures, .. } = self;
        conditions.truncate(POPULATIONS);
        let measures = measures.into_iter().skip(1);
        let rows = measures.enumerate().map(|(at, columns)| {
            let factors = columns.iter().map(|column| base_column(column)).collect();
            value_hash(key).call(factors).alias(names::value(at))
        });
        let rows: Vec<Expr> = rows.collect();
        let terms = terms(conditions.len(), rows.len());
        let populations = conditions.into_iter().map(&mut condition);
        let values = (0..rows.len()).map(|at| base_column(&names::value(at)));
        let arguments = [base_column(names::ENTITY)].into_iter().chain(populations).chain(values);
        (terms.call(arguments.collect()).alias(names::TERMS), rows)
    }
}

/// How conditions of a cut are told.
struct InWords {
    /// Where the rows are those of a table, its name. What is said of joined tables or of a step is not taken apart.
    table: Option<String>,
    /// What the rows are.
    rows: Condition,
}

impl InWords {
    fn of(query: &SiteQuery, obligations: &Obligations) -> Self {
        let table = match query.tables.as_slice() {
            [table] if query.step.is_none() => Some(format!("of table {}", table.as_str())),
            _ => None,
        };
        let tables: Vec<&str> = query.tables.iter().map(|table| table.as_str()).collect();
        // Who is on a register is a condition as well, and agreements can differ in it.
        let filters: Vec<_> = obligations.tables.iter().map(|rules| &rules.filters).collect();
        let text = format!("{tables:?} {:?} {:?} {filters:?}", query.joins, query.step);
        let rows = Condition { text, columns: table.clone().into_iter().collect() };
        Self { table, rows }
    }

    fn all_of(&self, condition: Option<&Expr>) -> Result<BTreeSet<Condition>, Failure> {
        let each = condition.into_iter().flat_map(split_conjunction).map(|each| self.condition(each));
        each.chain([Ok(self.rows.clone())]).collect()
    }

    fn expression(&self, expression: &Expr) -> Condition {
        let columns = if self.table.is_some() { columns_of(expression) } else { BTreeSet::new() };
        Condition { text: expression.to_string(), columns }
    }

    /// A group by a column is the same as a condition that it has a value.
    fn condition(&self, condition: &Expr) -> Result<Condition, Failure> {
        let of = |column: &Expr, value: &ScalarValue| {
            let value = value.to_array()?;
            let told = Condition::equal(&self.expression(column), &value, 0);
            told.map_err(|bug| Failure::engine(bug.to_string()))
        };
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (&**left, &**right) {
                (column @ Expr::Column(_), Expr::Literal(value, _))
                | (Expr::Literal(value, _), column @ Expr::Column(_)) => of(column, value),
                _ => Ok(self.expression(condition)),
            },
            _ => Ok(self.expression(condition)),
        }
    }
}

/// Where an element stands in a list; it is added if it does not.
fn position<T: PartialEq + Clone>(list: &mut Vec<T>, element: &T) -> usize {
    list.iter().position(|known| known == element).unwrap_or_else(|| {
        list.push(element.clone());
        list.len() - 1
    })
}
