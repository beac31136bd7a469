//! What an agreement says of a table's values, held against the data once for each state of its files.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::common::{Column, JoinType};
use datafusion::execution::context::SessionContext;
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, lit};
use liquid_footprint::site_query::base_column;
use liquid_node_api::engine::Caps;
use liquid_policy::footprint::{column_in_cut, place_in_cut};
use liquid_policy::id::{ColumnName, TableName};
use liquid_policy::table::{Obligations, TableRules};

use crate::base::{Base, column, misfit};
use crate::error::Failure;
use crate::session::collect;

/// What these files were found to meet. With each finding, the columns in which nobody lacks a value that could be missing.
#[derive(Debug, Default)]
pub(crate) struct Checked(Mutex<HashMap<String, BTreeSet<ColumnName>>>);

/// Every row has an entity, and every required column a value in its domain; each key within an entity has one entity, no
/// entity has more rows than it may, every reference leads somewhere, and joined rows speak of one entity.
///
/// Who lacks a value is public where the agreement says so. Then it is public, too, that nobody does: such a column comes
/// back as required.
pub(crate) async fn check(
    session: &SessionContext,
    base: &Base<'_>,
    checked: &Checked,
    caps: &Caps,
) -> Result<Obligations, Failure> {
    let check = Check { session, base, checked, caps };
    let mut met = base.obligations.clone();
    let mut broken = Broken::default();
    for (at, rules) in base.obligations.tables.iter().enumerate() {
        if !rules.filters.is_empty() {
            broken.note(check.once(&("named", rules), check.named(at, rules)).await);
        }
        let whole = check.once(&("table", rules), check.table(at, rules)).await;
        for own in &broken.note(whole).unwrap_or_default() {
            let called = column_in_cut(base.tables.len(), at, own.as_str());
            met.columns.entry(called).and_modify(|rule| rule.required = true);
        }
        for (own, (table, key)) in &rules.references {
            let target = base.obligations.tables.iter().enumerate().find(|(_, other)| other.table == *table);
            if let Some((to, target)) = target {
                let reference = check.reference(at, own, to, key);
                broken.note(check.once(&("reference", rules, own, target), reference).await);
            }
        }
    }
    for (left, right) in &base.obligations.tied {
        let rules = &base.obligations.tables;
        broken.note(check.once(&("tie", rules, left, right), check.tie(left, right)).await);
    }
    broken.end()?;
    Ok(met)
}

/// What was found to be broken: all of it is told at once, so that it is mended at once.
#[derive(Default)]
struct Broken(Option<Failure>);

impl Broken {
    fn note<T>(&mut self, found: Result<T, Failure>) -> Option<T> {
        match found {
            Ok(found) => return Some(found),
            Err(failure) => {
                self.0 = Some(match self.0.take() {
                    Some(first) => first.and(&failure),
                    None => failure,
                });
            }
        }
        None
    }

    fn end(self) -> Result<(), Failure> {
        self.0.map_or(Ok(()), Err)
    }
}

/// What a check needs.
struct Check<'a> {
    session: &'a SessionContext,
    base: &'a Base<'a>,
    checked: &'a Checked,
    caps: &'a Caps,
}

impl Check<'_> {
    /// Finds something out, unless it is known.
    async fn once(
        &self,
        what: &impl serde::Serialize,
        find: impl Future<Output = Result<BTreeSet<ColumnName>, Failure>>,
    ) -> Result<BTreeSet<ColumnName>, Failure> {
        let key = serde_json::to_string(what).map_err(|error| Failure::engine(error.to_string()))?;
        if let Some(known) = self.checked.0.lock().ok().and_then(|known| known.get(&key).cloned()) {
            return Ok(known);
        }
        let found = find.await?;
        if let Ok(mut known) = self.checked.0.lock() {
            known.insert(key, found.clone());
        }
        Ok(found)
    }

    /// What is said of one table alone.
    async fn table(&self, at: usize, rules: &TableRules) -> Result<BTreeSet<ColumnName>, Failure> {
        let mut columns: BTreeSet<ColumnName> = rules.entity.iter().cloned().collect();
        let looked_at = rules.columns.iter().filter(|(_, rule)| rule.required || rule.missing_public);
        columns.extend(looked_at.map(|(name, _)| name.clone()));
        let (mut whole, mut broken) = (BTreeSet::new(), Broken::default());
        if !columns.is_empty() {
            let missing = columns.iter().map(|name| {
                let gaps = count(lit(1_i64)).filter(base_column(name.as_str()).is_null()).build();
                gaps.map(|gaps| gaps.alias(name.as_str()))
            });
            let missing = missing.collect::<Result<Vec<Expr>, _>>()?;
            let plan = LogicalPlanBuilder::from(self.columns(at, &columns)?)
                .aggregate(Vec::<Expr>::new(), missing)?
                .build()?;
            let found = collect(self.session, plan, self.caps).await?;
            for (name, counts) in columns.iter().zip(found.columns()) {
                let rows = counts.as_primitive::<Int64Type>().iter().next().flatten().unwrap_or(0);
                let rule = rules.columns.get(name);
                if rows == 0 {
                    whole.extend(rule.filter(|rule| rule.missing_public).map(|_| name.clone()));
                } else if Some(name) == rules.entity.as_ref() || rule.is_some_and(|rule| rule.required) {
                    broken.note::<()>(Err(missing_values(rules, name, rows)));
                }
            }
        }
        broken.note(self.unique(at, rules).await);
        if let Some(entity) = &rules.entity {
            broken.note(self.keys_within(at, rules, entity).await);
            broken.note(self.rows_per_entity(at, rules, entity).await);
        }
        broken.end()?;
        Ok(whole)
    }

    /// Every row that somebody could be out by has an entity, and every row that they could be out of: nobody knows of
    /// the others whom they would leave out.
    async fn named(&self, at: usize, rules: &TableRules) -> Result<BTreeSet<ColumnName>, Failure> {
        let mut broken = Broken::default();
        let own = rules.entity.as_ref().zip(self.base.tables.get(at).copied());
        let own = own.map(|(entity, table)| (&rules.table, entity, rules.columns.get(entity), table));
        let theirs = rules.filters.iter().filter(|filter| filter.table != rules.table).filter_map(|filter| {
            let table = self.base.opened.get(&filter.table)?;
            Some((&filter.table, &filter.entity, None, table))
        });
        for (name, entity, rule, table) in own.into_iter().chain(theirs) {
            let kind = table.schema.field_with_name(entity.as_str()).map(|field| field.data_type().clone());
            let kind = kind.map_err(|error| Failure::engine(error.to_string()))?;
            let read =
                column(entity.as_str(), rule, &kind).map_err(|reason| misfit(entity.as_str(), &reason))?;
            let rows =
                self.count(LogicalPlanBuilder::from(table.plan.clone()).filter(read.is_null())?).await?;
            if rows > 0 {
                broken.note::<()>(Err(nameless(name, entity, rows)));
            }
        }
        broken.end()?;
        Ok(BTreeSet::new())
    }

    async fn keys_within(&self, at: usize, rules: &TableRules, entity: &ColumnName) -> Result<(), Failure> {
        for key in &rules.keys_within {
            let of = base_column(entity.as_str());
            let plan = LogicalPlanBuilder::from(self.columns(at, &[key.clone(), entity.clone()].into())?)
                .filter(base_column(key.as_str()).is_not_null())?
                .aggregate(
                    vec![base_column(key.as_str())],
                    vec![min(of.clone()).alias("liquid:least"), max(of).alias("liquid:greatest")],
                )?
                .filter(base_column("liquid:least").not_eq(base_column("liquid:greatest")))?;
            let values = self.count(plan).await?;
            if values > 0 {
                return Err(Failure::data(format!(
                    "table `{}`: {values} values of `{key}` stand with more than one `{entity}`, but the agreement says \
                     that each belongs to one (`keys_within`); correct the source or the view, or the agreement",
                    rules.table
                )));
            }
        }
        Ok(())
    }

    async fn unique(&self, at: usize, rules: &TableRules) -> Result<(), Failure> {
        for key in &rules.unique {
            let plan = LogicalPlanBuilder::from(self.columns(at, &[key.clone()].into())?);
            let kind = plan.schema().field(0).data_type();
            if kind.is_floating() {
                // Two floats can be equal to a join and yet differ to a grouping, as 0 and -0 do.
                return Err(Failure::data(format!(
                    "table `{}`: `{key}` is a {kind}, which cannot be a unique key (`join.unique`); give it another type \
                     in the model, or leave it out of the agreement",
                    rules.table
                )));
            }
            let rows = count(lit(1_i64)).alias("liquid:rows");
            let plan = plan
                .filter(base_column(key.as_str()).is_not_null())?
                .aggregate(vec![base_column(key.as_str())], vec![rows])?
                .filter(base_column("liquid:rows").gt(lit(1_i64)))?;
            let values = self.count(plan).await?;
            if values > 0 {
                return Err(Failure::data(format!(
                    "table `{}`: {values} values of `{key}` stand in several rows, but the agreement says that none does \
                     (`join.unique`); correct the source or the view, or the agreement",
                    rules.table
                )));
            }
        }
        Ok(())
    }

    async fn rows_per_entity(
        &self,
        at: usize,
        rules: &TableRules,
        entity: &ColumnName,
    ) -> Result<(), Failure> {
        let Some(most) = rules.rows_per_entity_max else { return Ok(()) };
        let plan = LogicalPlanBuilder::from(self.columns(at, &[entity.clone()].into())?)
            .aggregate(vec![base_column(entity.as_str())], vec![count(lit(1_i64)).alias("liquid:rows")])?
            .filter(base_column("liquid:rows").gt(lit(i64::from(most))))?;
        let entities = self.count(plan).await?;
        if entities > 0 {
            return Err(Failure::data(format!(
                "table `{}`: {entities} values of `{entity}` have more than {most} rows, the most that the agreement \
                 allows (`rows_per_entity_max`); correct the source or the view, or the agreement",
                rules.table
            )));
        }
        Ok(())
    }

    /// Every value of a column stands in a column of another table; a missing value stands nowhere.
    async fn reference(
        &self,
        at: usize,
        own: &ColumnName,
        to: usize,
        key: &ColumnName,
    ) -> Result<BTreeSet<ColumnName>, Failure> {
        let table = |at: usize| self.base.obligations.tables.get(at).map(|rules| rules.table.as_str());
        let (from, into) = (table(at).unwrap_or_default(), table(to).unwrap_or_default());
        let source = self.columns(at, &[own.clone()].into())?;
        let target = self.columns(to, &[key.clone()].into())?;
        let kind = |plan: &LogicalPlan| plan.schema().field(0).data_type().clone();
        if kind(&source) != kind(&target) {
            return Err(Failure::data(format!(
                "`{from}.{own}` is a {}, and `{into}.{key}`, to which it refers, a {}; give both one type in the model, with \
                 a CAST in a view where it takes one",
                kind(&source),
                kind(&target)
            )));
        }
        let target = LogicalPlanBuilder::from(target)
            .project(vec![base_column(key.as_str()).alias("liquid:target")])?
            .build()?;
        let on = (vec![Column::from_name(own.as_str())], vec![Column::from_name("liquid:target")]);
        let plan = LogicalPlanBuilder::from(source).join(target, JoinType::LeftAnti, on, None)?;
        let rows = self.count(plan).await?;
        if rows > 0 {
            return Err(Failure::data(format!(
                "table `{from}`: {rows} rows have a `{own}` that stands nowhere in `{into}.{key}`, but the agreement says \
                 that each does (`join.references`); correct the sources or the views, or the agreement"
            )));
        }
        Ok(BTreeSet::new())
    }

    /// Rows of two tables that agree in a key within the entity agree in the entity.
    async fn tie(&self, left: &ColumnName, right: &ColumnName) -> Result<BTreeSet<ColumnName>, Failure> {
        let tables = self.base.tables.len();
        let side = |column: &ColumnName, prefix: &str| {
            let (at, own) = place_in_cut(tables, column)
                .ok_or_else(|| Failure::engine("a tie by something that is no column"))?;
            let rules = self.base.obligations.tables.get(at);
            let entity = rules.and_then(|rules| rules.entity.clone());
            let entity = entity.ok_or_else(|| Failure::engine("a tie of a table without an entity"))?;
            let named = |column: &ColumnName, what: &str| {
                base_column(column.as_str()).alias(format!("liquid:{prefix}_{what}"))
            };
            let plan = LogicalPlanBuilder::from(self.columns(at, &[own.clone(), entity.clone()].into())?)
                .project(vec![named(&own, "key"), named(&entity, "entity")])?
                .distinct()?
                .build()?;
            Ok::<_, Failure>((plan, rules.map(|rules| rules.table.to_string()), own))
        };
        let (one, table, key) = side(left, "left")?;
        let (other, its, its_key) = side(right, "right")?;
        let on = (vec![Column::from_name("liquid:left_key")], vec![Column::from_name("liquid:right_key")]);
        let differ = base_column("liquid:left_entity").not_eq(base_column("liquid:right_entity"));
        let plan = LogicalPlanBuilder::from(one).join(other, JoinType::Inner, on, None)?.filter(differ)?;
        let rows = self.count(plan).await?;
        if rows > 0 {
            let (table, its) = (table.unwrap_or_default(), its.unwrap_or_default());
            return Err(Failure::data(format!(
                "{rows} values of `{table}.{key}` stand with another entity in `{its}.{its_key}`, but the agreement says \
                 that both are keys within one entity (`keys_within`); correct the sources or the views, or the agreement"
            )));
        }
        Ok(BTreeSet::new())
    }

    /// Some columns of one table under their own names, with their domains put in.
    fn columns(&self, at: usize, columns: &BTreeSet<ColumnName>) -> Result<LogicalPlan, Failure> {
        let (table, rows) = self.base.kept(at)?;
        let read =
            columns.iter().map(|own| Ok(self.base.column(table, at, own.as_str())?.alias(own.as_str())));
        let read = read.collect::<Result<Vec<_>, Failure>>()?;
        Ok(LogicalPlanBuilder::from(rows).project(read)?.build()?)
    }

    async fn count(&self, plan: LogicalPlanBuilder) -> Result<i64, Failure> {
        let plan =
            plan.aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)).alias("liquid:count")])?.build()?;
        let found = collect(self.session, plan, self.caps).await?;
        let counted =
            found.column_by_name("liquid:count").and_then(|column| column.as_primitive_opt::<Int64Type>());
        Ok(counted.and_then(|counts| counts.iter().next().flatten()).unwrap_or(0))
    }
}

fn missing_values(rules: &TableRules, column: &ColumnName, rows: i64) -> Failure {
    let table = &rules.table;
    let declared = rules.columns.get(column).is_some_and(|rule| rule.domain.is_some());
    if Some(column) == rules.entity.as_ref() {
        return nameless(table, column, rows);
    }
    Failure::data(if declared {
        format!(
            "table `{table}`: {rows} rows have no value of the declared domain in `{column}`, which the agreement says is \
             required: none at all, or another one, of which a blank too much makes one; correct the source or the view, \
             or the agreement"
        )
    } else {
        format!(
            "table `{table}`: {rows} rows have no value in `{column}`, which the agreement says is required; correct the \
             source or the view, or the agreement"
        )
    })
}

fn nameless(table: &TableName, entity: &ColumnName, rows: i64) -> Failure {
    Failure::data(format!(
        "table `{table}`: {rows} rows have no value in `{entity}`, which names the protected entity; correct the source, or leave \
         these rows out of the view with `WHERE {entity} IS NOT NULL`"
    ))
}
