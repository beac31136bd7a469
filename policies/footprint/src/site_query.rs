//! [`SiteQuery`]: one cut over the base columns of one table or of several that are joined, as a site is asked it and as an engine runs it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{Column, DFSchema, ScalarValue};
use datafusion_expr::Expr;
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::utils::COUNT_STAR_EXPANSION;
use datafusion_functions_aggregate::average::avg_udaf;
use datafusion_functions_aggregate::count::count_udaf;
use datafusion_functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion_functions_aggregate::sum::sum_udaf;
use liquid_policy::Code;
use liquid_policy::footprint::{Function, column_in_cut};
use liquid_policy::id::TableName;

use crate::error::{PlanError, lower};
use crate::expression::{admit, admit_condition, boolean, type_of};
pub use crate::site_step::Step;

/// One cut: `SELECT groups, aggregates FROM tables WHERE joins AND filter GROUP BY groups`.
///
/// Every expression is of the row-level language: already analysed (all casts written out), folded, without aliases,
/// and total, so that no row can make it fail. Columns are unqualified, called as
/// [`column_in_cut`] says: `name` where there is one table, `t0.name` … where there are several. Neither `groups` nor `aggregates` holds the same element twice. Two questions that mean the same to a site are equal values.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SiteQuery {
    /// The tables, in order; one that is joined with itself stands there twice.
    pub tables: Vec<TableName>,
    /// What joins them, inner joins all: pairs of columns of two tables that are equal. The earlier table's column stands
    /// first, the pairs are sorted, each stands there once.
    pub joins: Vec<(String, String)>,
    /// The step by entity, where there is one: `filter`, `groups` and `aggregates` then read its columns.
    pub step: Option<Step>,
    /// WHERE; none where every row counts. A row passes where it is true, neither false nor NULL.
    pub filter: Option<Expr>,
    /// The group keys; none means one group over everything, which is there even if no row is.
    pub groups: Vec<Expr>,
    /// The aggregates; none means that only the presence of groups is asked for (DISTINCT).
    pub aggregates: Vec<SiteAggregate>,
}

/// One aggregate of a cut.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SiteAggregate {
    /// Which function; `CountDistinct` always has a plain column as its argument.
    pub function: Function,
    /// What it is computed over; none for `count(*)`.
    pub argument: Option<Expr>,
    /// Its FILTER.
    pub filter: Option<Expr>,
}

impl SiteQuery {
    /// Every column that the query reads beside its join conditions: of its step, where it has one.
    pub fn columns(&self) -> BTreeSet<String> {
        self.expressions().flat_map(columns_of).collect()
    }

    /// Every expression of the query above its step: filter, groups, arguments, FILTERs.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let inner = self.aggregates.iter().flat_map(|a| a.argument.iter().chain(a.filter.iter()));
        self.filter.iter().chain(self.groups.iter()).chain(inner)
    }

    /// The columns that `filter`, `groups` and `aggregates` read, over those of the tables.
    fn read(&self, base: &Schema) -> Result<DFSchema, PlanError> {
        let base = DFSchema::try_from(base.clone()).map_err(PlanError::bug)?;
        match &self.step {
            Some(step) => DFSchema::try_from(step.output(&base)?).map_err(PlanError::bug),
            None => Ok(base),
        }
    }

    /// The columns of the result, named `g0` … and `a0` …, with DataFusion's own types; all nullable, since any cell
    /// can be withheld.
    ///
    /// # Errors
    /// A column that `base` ([`base_schema`]) does not have, which is a bug of the caller.
    pub fn output(&self, base: &Schema) -> Result<SchemaRef, PlanError> {
        let base = self.read(base)?;
        let groups = self.groups.iter().enumerate().map(|(i, e)| (format!("g{i}"), e.clone()));
        let aggregates = self.aggregates.iter().enumerate();
        let aggregates = aggregates.map(|(i, a)| (format!("a{i}"), a.expression(a.filter.clone())));
        let fields =
            groups.chain(aggregates).map(|(name, e)| Ok(Field::new(name, type_of(&e, &base)?, true)));
        Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>, PlanError>>()?)))
    }

    /// The same question at a place where some columns have one known value, one a table: they are replaced by the literal,
    /// and what has become constant is folded. Such columns may be joined with each other alone. A condition that can never hold is left as the literal `false`
    /// ([`SiteQuery::never`], [`SiteAggregate::never`]); group keys that read nothing else have become literals.
    ///
    /// Groups and aggregates keep their number and order, so one may come to stand there twice: two groups over one of
    /// them become the same literal. An argument that read one may leave the grammar of arguments.
    ///
    /// # Errors
    /// A constant that cannot be computed; a join of such a column with another.
    pub fn bind(
        &self,
        columns: &BTreeSet<String>,
        value: &ScalarValue,
        base: &Schema,
    ) -> Result<Self, PlanError> {
        if self.step.is_some() {
            return self.bind_below(columns, value, base);
        }
        let base = DFSchema::try_from(base.clone()).map_err(PlanError::bug)?;
        let condition = |e: &Expr| admit_condition(&substitute(e, columns, value)?, &base);
        let expression = |e: &Expr| Ok(admit(&substitute(e, columns, value)?, &base)?.expr);
        let known = |(left, right): &(String, String)| (columns.contains(left), columns.contains(right));
        if self.joins.iter().any(|pair| matches!(known(pair), (true, false) | (false, true))) {
            return Err(PlanError::refused(
                Code::JoinKey,
                "joins",
                "a column that is one value at each site is joined with another",
                "join on keys, and compare it with a literal",
            ));
        }
        let aggregate = |a: &SiteAggregate| {
            let filter = a.filter.as_ref().map(condition).transpose()?.filter(|f| *f != boolean(true));
            Ok(SiteAggregate {
                function: a.function,
                argument: a.argument.as_ref().map(expression).transpose()?,
                filter,
            })
        };
        Ok(Self {
            tables: self.tables.clone(),
            step: None,
            joins: self.joins.iter().filter(|pair| known(pair) == (false, false)).cloned().collect(),
            filter: self.filter.as_ref().map(condition).transpose()?.filter(|f| *f != boolean(true)),
            groups: self.groups.iter().map(expression).collect::<Result<_, PlanError>>()?,
            aggregates: self.aggregates.iter().map(aggregate).collect::<Result<_, PlanError>>()?,
        })
    }

    /// The same for a query with a step: the step is bound as a query is, and what stands above follows its columns.
    fn bind_below(
        &self,
        columns: &BTreeSet<String>,
        value: &ScalarValue,
        base: &Schema,
    ) -> Result<Self, PlanError> {
        let Some(step) = &self.step else { return Err(PlanError::bug("a query without a step")) };
        let below = Self {
            tables: self.tables.clone(),
            joins: self.joins.clone(),
            step: None,
            filter: step.filter.clone(),
            groups: step.keys.clone(),
            aggregates: step.values.clone(),
        };
        let below = below.bind(columns, value, base)?;
        let (step, lifted, becomes) = Step::rebuilt(below.filter, &below.groups, &below.aggregates)?;
        let follow = |e: &Expr| renamed(e, |name| becomes.get(name).cloned());
        let above = Self {
            tables: below.tables,
            joins: below.joins,
            step: Some(step),
            filter: lifted
                .into_iter()
                .map(Ok)
                .chain(self.filter.iter().map(follow))
                .collect::<Result<Vec<_>, PlanError>>()?
                .into_iter()
                .reduce(Expr::and),
            groups: self.groups.iter().map(follow).collect::<Result<_, PlanError>>()?,
            aggregates: self.aggregates.iter().map(|a| a.with(follow)).collect::<Result<_, PlanError>>()?,
        };
        above.folded(base)
    }

    /// What stands above a step, folded: some of its columns may have become literals.
    fn folded(self, base: &Schema) -> Result<Self, PlanError> {
        let base = self.read(base)?;
        let condition = |e: &Expr| admit_condition(e, &base);
        let expression = |e: &Expr| Ok(admit(e, &base)?.expr);
        let aggregate = |a: &SiteAggregate| {
            let filter = a.filter.as_ref().map(condition).transpose()?.filter(|f| *f != boolean(true));
            let argument = a.argument.as_ref().map(expression).transpose()?;
            Ok(SiteAggregate { function: a.function, argument, filter })
        };
        Ok(Self {
            filter: self.filter.as_ref().map(condition).transpose()?.filter(|f| *f != boolean(true)),
            groups: self.groups.iter().map(expression).collect::<Result<_, PlanError>>()?,
            aggregates: self.aggregates.iter().map(aggregate).collect::<Result<_, PlanError>>()?,
            ..self
        })
    }

    /// No row can pass WHERE, here or below a step: it is the literal `false`.
    pub fn never(&self) -> bool {
        let below = self.step.as_ref().and_then(|step| step.filter.as_ref());
        self.filter.iter().chain(below).any(|f| *f == boolean(false))
    }
}

impl SiteAggregate {
    /// The aggregate with its expressions made anew.
    fn with(&self, make: impl Fn(&Expr) -> Result<Expr, PlanError>) -> Result<Self, PlanError> {
        Ok(Self {
            function: self.function,
            argument: self.argument.as_ref().map(&make).transpose()?,
            filter: self.filter.as_ref().map(&make).transpose()?,
        })
    }

    /// The aggregate as DataFusion's expression, with this FILTER in the place of its own. An engine that guards a
    /// cell puts WHERE into it.
    pub fn expression(&self, filter: Option<Expr>) -> Expr {
        let function = match self.function {
            Function::Count | Function::CountDistinct => count_udaf(),
            Function::Sum => sum_udaf(),
            Function::Avg => avg_udaf(),
            Function::Min => min_udaf(),
            Function::Max => max_udaf(),
        };
        let distinct = self.function == Function::CountDistinct;
        let argument = self.argument.clone().unwrap_or(Expr::Literal(COUNT_STAR_EXPANSION, None));
        let filter = filter.map(Box::new);
        Expr::AggregateFunction(AggregateFunction::new_udf(
            function,
            vec![argument],
            distinct,
            filter,
            vec![],
            None,
        ))
    }

    /// No row can pass the FILTER: it is the literal `false`.
    pub fn never(&self) -> bool {
        self.filter.as_ref().is_some_and(|f| *f == boolean(false))
    }
}

/// The names of the columns that an expression reads.
pub fn columns_of(expression: &Expr) -> BTreeSet<String> {
    expression.column_refs().into_iter().map(|c| c.name.clone()).collect()
}

/// The columns of some tables, in order, as a cut over them calls them.
pub fn base_schema<'a>(tables: impl ExactSizeIterator<Item = &'a Schema>) -> Schema {
    let count = tables.len();
    let fields = tables.enumerate().flat_map(|(at, table)| {
        let named = move |field: &Arc<Field>| {
            field.as_ref().clone().with_name(column_in_cut(count, at, field.name()).as_str())
        };
        table.fields().iter().map(named)
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// A base column as a SiteQuery holds it: unqualified, its name as it is (no case folding).
pub fn base_column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn substitute(expr: &Expr, columns: &BTreeSet<String>, value: &ScalarValue) -> Result<Expr, PlanError> {
    renamed(expr, |name| columns.contains(name).then(|| Expr::Literal(value.clone(), None)))
}

/// An expression with others in the place of some of its columns.
///
/// # Errors
/// None that a caller could cause.
pub fn renamed(expr: &Expr, by: impl Fn(&String) -> Option<Expr>) -> Result<Expr, PlanError> {
    let replaced = expr.clone().transform_up(|e| match e.try_as_col().and_then(|column| by(&column.name)) {
        Some(other) => Ok(Transformed::yes(other)),
        None => Ok(Transformed::no(e)),
    });
    replaced.data().map_err(lower)
}
