//! Cells of one cut that add up the same over different rows, so that one could be taken from the other.

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, Expr};
use liquid_disclosure::differences::{Family, POPULATIONS};

use crate::atoms::atoms;
use crate::guard::{Guard, Measure, Population};

/// The families of a cut's cells.
#[derive(Debug, Default)]
pub(crate) struct Families {
    k: u32,
    all: Vec<Members>,
}

/// One family: its cells, and the conditions of its populations by number.
#[derive(Debug)]
struct Members {
    measure: Measure,
    conditions: Vec<Option<Expr>>,
    family: Family,
}

impl Families {
    /// Those of a cut, by the guards of its aggregates; cells that all have one condition tell nothing together.
    pub(crate) fn of(guards: &[Guard], k: u32) -> Self {
        let mut all: Vec<Members> = Vec::new();
        for (aggregate, guard) in guards.iter().enumerate() {
            for Population { measure, condition } in &guard.populations {
                let at = all.iter().position(|known| known.measure == *measure).unwrap_or_else(|| {
                    let measure = measure.clone();
                    all.push(Members { measure, conditions: Vec::new(), family: Family::default() });
                    all.len() - 1
                });
                let Some(members) = all.get_mut(at) else { continue };
                let known = members.conditions.iter().position(|known| known == condition);
                let population = known.unwrap_or_else(|| {
                    members.conditions.push(condition.clone());
                    members.conditions.len() - 1
                });
                members.family.cells.push((aggregate, population));
            }
        }
        all.retain(|members| members.conditions.len() > 1);
        Self { k, all }
    }

    /// What disclosure must know of them.
    pub(crate) fn told(&self) -> Vec<Family> {
        self.all.iter().map(|members| members.family.clone()).collect()
    }

    /// For each family, the aggregate that finds out who is in which population, and their conditions.
    pub(crate) fn plan(self) -> Vec<(Arc<AggregateUDF>, Vec<Option<Expr>>)> {
        let k = self.k;
        let of = |mut members: Members| {
            members.conditions.truncate(POPULATIONS);
            let of_people = members.measure == Measure::Entities;
            (atoms(k, of_people, members.conditions.len()), members.conditions)
        };
        self.all.into_iter().map(of).collect()
    }
}
