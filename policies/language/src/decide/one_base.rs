//! Under a minimum: joins whose rows are exactly the rows of one of their tables, the *base*.
//!
//! From the base every other table is found by a declared reference to a unique key, so that each of its rows has one partner
//! there, never none and never two. Such a join only adds columns, and every rule for one table holds for it as it stands.

use std::collections::BTreeSet;

use super::joins::Place;
use super::key;
use crate::document::{Table, Use};
use crate::refusal::{Code, Refusal, list};

/// An equality of two columns, as it stands in a join.
type Equality = (Place, Place);

/// The parts of a join of which the whole join can leave rows out: what lies behind one of its tables as seen from the base,
/// if it protects somebody and no references lead from it to all other tables.
///
/// The tables are connected, and each side of an equality is a join key of its table.
///
/// # Errors
/// A join whose rows are not those of one table.
pub(super) fn parts(
    tables: &[&Table],
    equalities: &BTreeSet<Equality>,
) -> Result<Vec<BTreeSet<usize>>, Refusal> {
    // Codes may be looked up twice, for two columns that refer to them. A person's own rows beside themselves say nothing new.
    let mut seen = BTreeSet::new();
    let mut protected = tables.iter().filter(|table| table.entity.is_some());
    if let Some(table) = protected.find(|table| !seen.insert(&table.name)) {
        return Err(refused(
            table,
            format!("table `{}` is joined with itself, which no agreement with a minimum allows", table.name),
            "read it once; put what differs into FILTER or CASE".to_owned(),
        ));
    }
    for (at, own) in equalities.iter().flat_map(|(left, right)| [left, right]) {
        let Some(table) = tables.get(*at) else { continue };
        if table.columns.get(own).is_some_and(|column| column.uses.contains(&Use::Measure)) {
            return Err(refused(
                table,
                format!(
                    "column `{}.{own}` is a measure, and a join on it would choose rows by what they measure",
                    table.name
                ),
                "join on a key that is no measure".to_owned(),
            ));
        }
    }
    if equalities.len() >= tables.len() {
        return Err(Refusal::new(
            Code::JoinKey,
            "disclosure.minimum_contributors",
            "more columns are made equal than it takes to join the tables, and each further equality chooses rows",
            "join each table on one column",
        ));
    }
    let join = Join { tables, equalities };
    let base = (0..tables.len()).find(|at| join.is_base(*at)).ok_or_else(|| join.no_base())?;
    let mut parts = Vec::new();
    for at in (0..tables.len()).filter(|at| *at != base) {
        let part = join.behind(at, base);
        let protects = part.iter().any(|at| tables.get(*at).is_some_and(|table| table.entity.is_some()));
        if protects && join.led_to(&part).len() < tables.len() {
            parts.push(part);
        }
    }
    Ok(parts)
}

/// Tables and one equality fewer, which connect them: a tree.
struct Join<'a> {
    tables: &'a [&'a Table],
    equalities: &'a BTreeSet<Equality>,
}

impl Join<'_> {
    /// Each equality seen from both of its sides.
    fn steps(&self) -> impl Iterator<Item = (&Place, &Place)> {
        self.equalities.iter().flat_map(|(left, right)| [(left, right), (right, left)])
    }

    /// Each value of the one column stands in the other.
    fn refers(&self, (from, own): &Place, (to, target): &Place) -> bool {
        let (Some(from), Some(to)) = (self.tables.get(*from), self.tables.get(*to)) else { return false };
        from.references.get(own).is_some_and(|(table, column)| *table == to.name && column == target)
    }

    /// Each row of the one table has exactly one partner in the other.
    fn finds_one(&self, from: &Place, to: &Place) -> bool {
        let unique = self.tables.get(to.0).is_some_and(|table| table.unique.contains(&to.1));
        unique && self.refers(from, to)
    }

    /// The tables that can be reached by some steps.
    fn reached(&self, mut reached: BTreeSet<usize>, may: impl Fn(&Place, &Place) -> bool) -> BTreeSet<usize> {
        loop {
            let next = self
                .steps()
                .find(|(from, to)| reached.contains(&from.0) && !reached.contains(&to.0) && may(from, to));
            match next {
                Some((_, to)) => reached.insert(to.0),
                None => return reached,
            };
        }
    }

    /// A row of the table is a row of the join: it protects somebody, and from it all others are found.
    fn is_base(&self, at: usize) -> bool {
        let protects = self.tables.get(at).is_some_and(|table| table.entity.is_some());
        protects
            && self.reached(BTreeSet::from([at]), |from, to| self.finds_one(from, to)).len()
                == self.tables.len()
    }

    /// A table and whatever is found by way of it, seen from the base.
    fn behind(&self, at: usize, base: usize) -> BTreeSet<usize> {
        let beside = self.reached(BTreeSet::from([base]), |_, to| to.0 != at);
        (0..self.tables.len()).filter(|table| !beside.contains(table)).collect()
    }

    /// The tables in which each row of a part is sure to have a partner. Between any two tables there is one way, so a
    /// partner that is sure for each step is sure for all of them.
    fn led_to(&self, part: &BTreeSet<usize>) -> BTreeSet<usize> {
        self.reached(part.clone(), |from, to| self.refers(from, to))
    }

    /// Says which equality is to blame, or that two tables would multiply one another.
    fn no_base(&self) -> Refusal {
        let name = |at: usize| self.tables.get(at).map(|table| table.name.as_str()).unwrap_or_default();
        let stray = self
            .equalities
            .iter()
            .find(|(left, right)| !self.finds_one(left, right) && !self.finds_one(right, left));
        let Some((left, right)) = stray else {
            return Refusal::new(
                Code::JoinKey,
                "disclosure.minimum_contributors",
                "no table of the join leads to all others, so rows of several would be multiplied with one another",
                "ask about each of them in a question of its own, and join their answers",
            );
        };
        let declared = self.declared();
        let fix = if declared.is_empty() {
            "ask of each table by itself; the agreement declares no reference from one to a unique key of the other \
             (`join.references`, `join.unique`)"
                .to_owned()
        } else {
            format!("join on {}", list(&declared))
        };
        let message = format!(
            "`{}.{} = {}.{}`: under a minimum a join must lead to a unique key, by a reference that the agreement declares",
            name(left.0),
            left.1,
            name(right.0),
            right.1
        );
        match self.tables.get(right.0) {
            Some(table) => refused(table, message, fix),
            None => Refusal::new(Code::JoinKey, "table", message, fix),
        }
    }

    /// The references among the tables that lead to a unique key, as conditions.
    fn declared(&self) -> Vec<String> {
        let all = self.tables.iter().flat_map(|from| from.references.iter().map(move |to| (*from, to)));
        let leading = all.filter(|(_, (_, (to, target)))| {
            self.tables.iter().any(|table| table.name == *to && table.unique.contains(target))
        });
        leading.map(|(from, (own, (to, target)))| format!("{}.{own} = {to}.{target}", from.name)).collect()
    }
}

fn refused(table: &Table, message: String, fix: String) -> Refusal {
    Refusal::new(Code::JoinKey, format!("table.{}.join", key(table.name.as_str())), message, fix)
}
