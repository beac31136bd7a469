//! [`Step`]: the aggregate by entity below a cut, as a site is asked it.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{Field, Schema};
use datafusion_common::DFSchema;
use datafusion_expr::Expr;
use liquid_policy::footprint::{step_key, step_value};

use crate::draft::position_or_push;
use crate::error::PlanError;
use crate::expression::type_of;
use crate::fold::is_constant;
use crate::join::conjuncts;
use crate::site_query::{SiteAggregate, base_column, columns_of, renamed};

/// An aggregate below the cut, grouped by the entity or a key within it: `SELECT keys, values FROM tables WHERE joins AND filter
/// GROUP BY keys`. Its columns are called [`step_key`] and [`step_value`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// WHERE below it, without the conditions that read its plain keys alone: these stand above it.
    pub filter: Option<Expr>,
    /// Its keys, none of them a literal.
    pub keys: Vec<Expr>,
    /// Its values.
    pub values: Vec<SiteAggregate>,
}

impl Step {
    /// Its columns over those of the tables.
    ///
    /// # Errors
    /// A column that the tables do not have, which is a bug of the caller.
    pub fn output(&self, base: &DFSchema) -> Result<Schema, PlanError> {
        let keys = self.keys.iter().enumerate().map(|(at, key)| (step_key(at), key.clone()));
        let values = self.values.iter().enumerate();
        let values = values.map(|(at, value)| (step_value(at), value.expression(value.filter.clone())));
        let fields =
            keys.chain(values).map(|(name, e)| Ok(Field::new(name.as_str(), type_of(&e, base)?, true)));
        Ok(Schema::new(fields.collect::<Result<Vec<_>, PlanError>>()?))
    }

    /// Every expression of it: filter, keys, arguments, FILTERs.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let inner = self.values.iter().flat_map(|a| a.argument.iter().chain(a.filter.iter()));
        self.filter.iter().chain(self.keys.iter()).chain(inner)
    }

    /// A step of these parts: literal keys and what stands there twice are left out, conditions on plain keys alone are lifted
    /// above it. Answers with these conditions, and with what each column of the parts, by its place, has become.
    pub(crate) fn rebuilt(
        filter: Option<Expr>,
        keys: &[Expr],
        values: &[SiteAggregate],
    ) -> Result<(Self, Vec<Expr>, BTreeMap<String, Expr>), PlanError> {
        let mut becomes = BTreeMap::new();
        let mut step = Self { filter: None, keys: Vec::new(), values: Vec::new() };
        for (at, key) in keys.iter().enumerate() {
            let column = match is_constant(key) {
                true => key.clone(),
                false => base_column(step_key(position_or_push(&mut step.keys, key.clone())).as_str()),
            };
            becomes.insert(step_key(at).to_string(), column);
        }
        for (at, value) in values.iter().enumerate() {
            let place = position_or_push(&mut step.values, value.clone());
            becomes.insert(step_value(at).to_string(), base_column(step_value(place).as_str()));
        }
        let (mut stay, mut lifted) = (Vec::new(), Vec::new());
        let called = |name: &String| {
            let mut keys = step.keys.iter();
            keys.position(|key| key.try_as_col().is_some_and(|key| key.name == *name)).map(step_key)
        };
        for part in filter.iter().flat_map(conjuncts) {
            match columns_of(part).iter().all(|name| called(name).is_some()) {
                true => lifted.push(renamed(part, |name| Some(base_column(called(name)?.as_str())))?),
                false => stay.push(part.clone()),
            }
        }
        step.filter = stay.into_iter().reduce(Expr::and);
        Ok((step, lifted, becomes))
    }

    /// Every column of the tables that it reads.
    pub fn columns(&self) -> BTreeSet<String> {
        self.expressions().flat_map(columns_of).collect()
    }
}
