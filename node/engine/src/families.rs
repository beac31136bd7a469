//! Cells of one cut that could be taken from one another, since they add up the same over different rows.

use std::sync::Arc;

use datafusion::logical_expr::{AggregateUDF, Expr};
use liquid_disclosure::differences::{Cell, Family, POPULATIONS, Summand};

use crate::added::Added;
use crate::atoms::atoms;
use crate::guard::Guard;

/// The families of a cut's cells.
#[derive(Debug, Default)]
pub(crate) struct Families {
    k: u32,
    all: Vec<Members>,
}

/// One family: its cells, and its populations and measures by number.
#[derive(Debug, Default)]
struct Members {
    of_people: bool,
    conditions: Vec<Option<Expr>>,
    measures: Vec<Vec<String>>,
    family: Family,
}

impl Families {
    /// Those of a cut, by the guards of its aggregates: sums and counts, and counts of entities. Where each measure has one population, its
    /// cells tell nothing together.
    pub(crate) fn of(guards: &[Guard], k: u32) -> Self {
        let mut all = vec![Members::default(), Members { of_people: true, ..Members::default() }];
        for (aggregate, guard) in guards.iter().enumerate() {
            for members in &mut all {
                let of_people = members.of_people;
                let own = guard.added.iter().filter(|added| added.of_people == of_people);
                own.for_each(|added| members.take(aggregate, added));
            }
        }
        all.retain(Members::tell_together);
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
            (atoms(k, members.of_people, members.conditions.len()), members.conditions)
        };
        self.all.into_iter().map(of).collect()
    }
}

impl Members {
    fn take(&mut self, aggregate: usize, added: &Added) {
        let mut summands: Vec<Summand> = added
            .summands
            .iter()
            .map(|summand| Summand {
                population: number(&mut self.conditions, &summand.condition),
                measure: number(&mut self.measures, &summand.measure),
                negative: summand.negative,
            })
            .collect();
        summands.sort();
        self.family.cells.push(Cell { aggregate, summands });
    }

    /// A measure is added up over different populations, or a cell over several measures has others beside it.
    fn tell_together(&self) -> bool {
        let cells = &self.family.cells;
        let summands = || cells.iter().flat_map(|cell| &cell.summands);
        let differ = summands().any(|one| {
            summands().any(|other| one.measure == other.measure && one.population != other.population)
        });
        differ || cells.len() > 1 && cells.iter().any(|cell| cell.summands.len() > 1)
    }
}

/// Where an element stands in a list; it is added if it does not.
fn number<T: PartialEq + Clone>(list: &mut Vec<T>, element: &T) -> usize {
    list.iter().position(|known| known == element).unwrap_or_else(|| {
        list.push(element.clone());
        list.len() - 1
    })
}
