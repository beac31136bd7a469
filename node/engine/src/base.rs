//! The rows that a cut is asked of: those of everybody whom no filter leaves out, the columns that it reads, each value outside
//! its declared domain NULL; of one table, or of several that are joined.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, Schema};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use liquid_footprint::date_trunc;
use liquid_footprint::site_query::{base_column, base_schema};
use liquid_policy::footprint::{column_in_cut, place_in_cut};
use liquid_policy::id::{ColumnName, TableName};
use liquid_policy::table::{ColumnRule, Obligations};

use crate::domain;
use crate::error::Failure;
use crate::filter::{self, Filter};
use crate::names;
use crate::tables::Table;

/// The tables of a cut, with what the permit says of them.
#[derive(Debug)]
pub(crate) struct Base<'a> {
    /// All tables of the site.
    pub(crate) opened: &'a BTreeMap<TableName, Table>,
    pub(crate) tables: Vec<&'a Table>,
    /// What keeps entities out of each of them.
    filters: Vec<Vec<Filter>>,
    pub(crate) obligations: &'a Obligations,
    /// All columns, as the cut calls them.
    pub(crate) schema: Schema,
}

impl<'a> Base<'a> {
    /// Finds the tables that the permit is for.
    pub(crate) fn new(
        opened: &'a BTreeMap<TableName, Table>,
        obligations: &'a Obligations,
    ) -> Result<Self, Failure> {
        let tables = obligations.tables.iter().map(|rules| {
            let known = opened.get(&rules.table);
            known.ok_or_else(|| Failure::engine(format!("there is no table `{}`", rules.table)))
        });
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        let filters = obligations.tables.iter().map(|rules| filter::filters(opened, rules));
        let filters = filters.collect::<Result<Vec<_>, _>>()?;
        let schema = base_schema(tables.iter().map(|table| table.schema.as_ref()));
        Ok(Self { opened, tables, filters, obligations, schema })
    }

    /// All joined rows.
    pub(crate) fn rows(&self, columns: &BTreeSet<String>) -> Result<LogicalPlan, Failure> {
        self.part(&(0..self.tables.len()).collect(), columns)
    }

    /// The rows of some tables alone, joined with one another on whatever the whole join makes equal.
    pub(crate) fn part(
        &self,
        part: &BTreeSet<usize>,
        columns: &BTreeSet<String>,
    ) -> Result<LogicalPlan, Failure> {
        let mut waiting = part.clone();
        let Some(first) = waiting.pop_first() else { return Err(Failure::engine("a cut over no table")) };
        let mut reached = BTreeSet::from([first]);
        let mut plan = LogicalPlanBuilder::from(self.table(first, columns)?);
        while !waiting.is_empty() {
            let next = waiting.iter().find_map(|at| Some((*at, self.pairs(&reached, *at)?)));
            let Some((at, (left, right))) = next else {
                return Err(Failure::engine("tables of a cut are not joined"));
            };
            let table = self.table(at, columns)?;
            plan = plan.join_detailed(
                table,
                JoinType::Inner,
                (left, right),
                None,
                NullEquality::NullEqualsNothing,
            )?;
            waiting.remove(&at);
            reached.insert(at);
        }
        Ok(plan.build()?)
    }

    /// The columns of a part that the conditions make equal to columns of other tables: whether one of its rows has a
    /// partner there hangs on these alone.
    pub(crate) fn border(&self, part: &BTreeSet<usize>) -> BTreeSet<String> {
        let inside = |column: &&ColumnName| self.place(column).is_some_and(|at| part.contains(&at));
        let classes = self.obligations.equal.iter().filter(|class| !class.iter().all(|c| inside(&c)));
        classes.flat_map(|class| class.iter().filter(inside)).map(|c| c.as_str().to_owned()).collect()
    }

    /// Whether an expression reads columns of some tables alone, and any at all.
    pub(crate) fn reads_only(&self, part: &BTreeSet<usize>, columns: &BTreeSet<String>) -> bool {
        columns.iter().all(|column| self.place(&ColumnName::new(column)).is_some_and(|at| part.contains(&at)))
    }

    /// The protected entity of some tables: all of theirs are the same.
    pub(crate) fn entity(&self, part: &BTreeSet<usize>) -> Result<Expr, Failure> {
        let entity = part.iter().find_map(|at| {
            let own = self.obligations.tables.get(*at)?.entity.as_ref()?;
            Some(base_column(column_in_cut(self.tables.len(), *at, own.as_str()).as_str()))
        });
        entity.ok_or_else(|| Failure::engine("a part of a join without an entity"))
    }

    fn place(&self, column: &ColumnName) -> Option<usize> {
        place_in_cut(self.tables.len(), column).map(|(at, _)| at)
    }

    /// What must be equal where one more table is joined to some; none where nothing must.
    fn pairs(&self, reached: &BTreeSet<usize>, at: usize) -> Option<(Vec<Column>, Vec<Column>)> {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for class in &self.obligations.equal {
            let theirs: Vec<_> = class.iter().filter(|c| self.place(c) == Some(at)).collect();
            // Columns of two tables in the class are equal already; two columns of one table need not be.
            let mut seen = BTreeSet::new();
            let there = class.iter().filter(|c| self.place(c).is_some_and(|place| reached.contains(&place)));
            let ours: Vec<_> =
                there.enumerate().filter(|(n, c)| !seen.insert(self.place(c)) || *n == 0).collect();
            let Some(((_, first), (one, others))) = ours.first().zip(theirs.split_first()) else { continue };
            let all = ours.iter().map(|(_, ours)| (*ours, *one));
            for (ours, theirs) in all.chain(others.iter().map(|theirs| (*first, *theirs))) {
                left.push(Column::from_name(ours.as_str()));
                right.push(Column::from_name(theirs.as_str()));
            }
        }
        (!left.is_empty()).then_some((left, right))
    }

    /// One table, projected onto the columns that are read and those that join it, under the cut's names.
    fn table(&self, at: usize, columns: &BTreeSet<String>) -> Result<LogicalPlan, Failure> {
        let (table, rows) = self.kept(at)?;
        let joining = self.obligations.equal.iter().flatten().map(|column| column.as_str());
        let read: BTreeSet<&str> = columns.iter().map(String::as_str).chain(joining).collect();
        let mut projected = Vec::new();
        for name in read {
            if let Some((place, own)) = place_in_cut(self.tables.len(), &ColumnName::new(name))
                && place == at
            {
                projected.push(self.column(table, at, own.as_str())?.alias(name));
            }
        }
        if projected.is_empty() {
            // `count(*)` reads no column, and a projection needs one.
            projected.push(lit(true).alias(names::ROW));
        }
        Ok(LogicalPlanBuilder::from(rows).project(projected)?.build()?)
    }

    /// One of the tables, and its rows of those who are not out, as they are stored.
    pub(crate) fn kept(&self, at: usize) -> Result<(&'a Table, LogicalPlan), Failure> {
        let table = self.tables.get(at).zip(self.obligations.tables.get(at)).zip(self.filters.get(at));
        let Some(((table, rules), filters)) = table else {
            return Err(Failure::engine("a table beyond the cut"));
        };
        Ok((table, filter::kept(table, rules, filters)?))
    }

    /// A column of one of the tables, with its domain put in.
    pub(crate) fn column(&self, table: &Table, at: usize, own: &str) -> Result<Expr, Failure> {
        let rules = self.obligations.tables.get(at);
        let name = rules.map(|rules| rules.table.as_str()).unwrap_or_default();
        let Ok(field) = table.schema.field_with_name(own) else {
            return Err(Failure::data(format!(
                "table `{name}` has no column `{own}`; the agreement and the model differ"
            )));
        };
        let rule = rules.and_then(|rules| rules.columns.get(&ColumnName::new(own)));
        column(own, rule, field.data_type()).map_err(|reason| misfit(own, &reason))
    }
}

/// A column of a table as questions see it: on the steps of its grain, NULL outside its domain, within
/// its bounds.
pub(crate) fn column(own: &str, rule: Option<&ColumnRule>, kind: &DataType) -> Result<Expr, String> {
    let stored = base_column(own);
    let seen = match rule.and_then(|rule| rule.grain) {
        Some(grain) if *kind == DataType::Date32 => date_trunc(grain, stored),
        Some(_) => return Err(format!("it has a `grain`, which is for dates, and the column is {kind}")),
        None => stored,
    };
    let bounds = rule.and_then(|rule| rule.bounds);
    match (rule.and_then(|rule| rule.domain.as_ref()), bounds) {
        (Some(domain), _) => domain::mapped(seen, domain, kind),
        (None, Some(bounds)) => domain::moved(seen, bounds, kind),
        (None, None) => Ok(seen),
    }
}

/// A grain or a declared domain that does not fit its column.
pub(crate) fn misfit(column: &str, reason: &str) -> Failure {
    Failure::data(format!("what is declared of column `{column}` does not fit the model: {reason}"))
}
