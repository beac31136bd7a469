//! Who is out altogether: the filters of an agreement, put in below everything else that is asked of a table.
//!
//! An entity is out of every table of its site where any of its rows in a table with a `row_filter` does not meet it, and
//! where it has no row in the table that rules. What is left is all that is ever counted, checked or read.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, in_list};
use liquid_footprint::site_query::base_column;
use liquid_policy::condition::{Comparison, Condition};
use liquid_policy::id::TableName;
use liquid_policy::table::{DomainValue, EntityFilter, TableRules};

use crate::domain;
use crate::error::Failure;
use crate::names;
use crate::tables::Table;

/// One filter over a site's own tables.
#[derive(Debug)]
pub(crate) struct Filter {
    /// The entities of the rows that do not meet the condition, under [`names::OUT`].
    out: LogicalPlan,
    /// The entities that there must be a row of, under [`names::OUT`].
    present: Option<LogicalPlan>,
}

/// The filters that rule for a table.
pub(crate) fn filters(
    opened: &BTreeMap<TableName, Table>,
    rules: &TableRules,
) -> Result<Vec<Filter>, Failure> {
    rules.filters.iter().map(|filter| Filter::new(opened, rules, filter)).collect()
}

impl Filter {
    fn new(
        opened: &BTreeMap<TableName, Table>,
        rules: &TableRules,
        filter: &EntityFilter,
    ) -> Result<Self, Failure> {
        let (ours, theirs) = (&rules.table, &filter.table);
        let Some(table) = opened.get(theirs) else {
            return Err(Failure::data(format!(
                "table `{ours}` stays closed: whom the `row_filter` of `{theirs}` leaves out cannot be known, since there is no \
                 table `{theirs}` at this site; add it"
            )));
        };
        let kind =
            |table: &Table, name: &str| Some(table.schema.field_with_name(name).ok()?.data_type().clone());
        let entity = kind(table, filter.entity.as_str());
        let own = rules.entity.as_ref().and_then(|own| kind(opened.get(ours)?, own.as_str()));
        if entity.is_none() || own != entity || entity.is_some_and(|kind| kind.is_floating()) {
            let own = rules.entity.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(Failure::data(format!(
                "table `{ours}` stays closed: its entity `{own}` and `{}` of `{theirs}`, whose `row_filter` rules for it, must \
                 be of one type other than float; correct the model",
                filter.entity
            )));
        }
        let met = condition(&filter.condition, table).map_err(|reason| {
            Failure::data(format!(
                "table `{ours}` stays closed: the `row_filter` of `{theirs}` does not fit the model: {reason}; correct the \
                 agreement or the model"
            ))
        })?;
        let entity = || base_column(filter.entity.as_str()).alias(names::OUT);
        let rows = || LogicalPlanBuilder::from(table.plan.clone());
        let out = rows().filter(Expr::IsNotTrue(Box::new(met)))?.project([entity()])?.distinct()?.build()?;
        let present = filter.present && ours != theirs;
        let present = present.then(|| rows().project([entity()])?.distinct()?.build()).transpose()?;
        Ok(Self { out, present })
    }

    /// The rows of those who are not out.
    fn keep(&self, rows: LogicalPlan, entity: &str) -> Result<LogicalPlan, Failure> {
        let mut plan = rows;
        let joined = [(Some(&self.out), JoinType::LeftAnti), (self.present.as_ref(), JoinType::LeftSemi)];
        for (others, kind) in joined {
            let Some(others) = others else { continue };
            let on = (vec![Column::from_name(entity)], vec![Column::from_name(names::OUT)]);
            plan = LogicalPlanBuilder::from(plan)
                .join_detailed(others.clone(), kind, on, None, NullEquality::NullEqualsNothing)?
                .build()?;
        }
        Ok(plan)
    }
}

/// The rows of a table that count.
pub(crate) fn kept(table: &Table, rules: &TableRules, filters: &[Filter]) -> Result<LogicalPlan, Failure> {
    let mut plan = table.plan.clone();
    if let Some(entity) = &rules.entity {
        for filter in filters {
            plan = filter.keep(plan, entity.as_str())?;
        }
    }
    Ok(plan)
}

/// A condition over the columns of a table as they are stored: what an agreement shows of them to callers says nothing of who is
/// out. Or why it does not fit.
fn condition(condition: &Condition, table: &Table) -> Result<Expr, String> {
    let inner = |inner: &Condition| self::condition(inner, table);
    let read = |name: &str| {
        let field = table.schema.field_with_name(name).map_err(|_| format!("there is no column `{name}`"))?;
        Ok::<_, String>((base_column(name), field.data_type().clone()))
    };
    let value = |name: &str, value: &DomainValue, kind| {
        domain::scalar(value, kind)
            .map(|scalar| Expr::Literal(scalar, None))
            .map_err(|reason| format!("column `{name}`: {reason}"))
    };
    Ok(match condition {
        Condition::Holds(name) => {
            let (read, kind) = read(name.as_str())?;
            if kind != DataType::Boolean {
                return Err(format!("column `{name}` is {kind} and no truth value, so it must be compared"));
            }
            read
        }
        Condition::Compare(name, comparison, literal) => {
            let (read, kind) = read(name.as_str())?;
            let literal = value(name.as_str(), literal, &kind)?;
            match comparison {
                Comparison::Equal => read.eq(literal),
                Comparison::Different => read.not_eq(literal),
                Comparison::Less => read.lt(literal),
                Comparison::AtMost => read.lt_eq(literal),
                Comparison::More => read.gt(literal),
                Comparison::AtLeast => read.gt_eq(literal),
            }
        }
        Condition::In(name, literals) => {
            let (read, kind) = read(name.as_str())?;
            let literals = literals.iter().map(|literal| value(name.as_str(), literal, &kind));
            in_list(read, literals.collect::<Result<_, _>>()?, false)
        }
        Condition::Missing(name) => read(name.as_str())?.0.is_null(),
        Condition::Not(negated) => Expr::Not(Box::new(inner(negated)?)),
        Condition::All(parts) => {
            conjunction(parts.iter().map(inner).collect::<Result<Vec<_>, _>>()?).ok_or("it is empty")?
        }
        Condition::Any(parts) => {
            disjunction(parts.iter().map(inner).collect::<Result<Vec<_>, _>>()?).ok_or("it is empty")?
        }
    })
}
