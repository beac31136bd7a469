//! Under a minimum: joins whose rows are exactly the rows of one of their tables, the *base*.
//!
//! From the base every other table is found by a declared reference to a unique key, so that each of its rows has one partner
//! there, never none and never two. Such a join only adds columns, and every rule for one table holds for it as it stands.

use std::collections::BTreeSet;

use super::joins::Place;
use super::key;
use crate::document::Table;
use crate::refusal::{Code, Refusal, list};

/// An equality of two columns, as it stands in a join.
type Equality = (Place, Place);

/// What was found out about a join under a minimum.
#[derive(Debug, Default)]
pub(super) struct OneBase {
    /// The tables of which each row is one row of the join: the base, and whatever is one to one with it.
    pub(super) bases: BTreeSet<usize>,
    /// The parts of the join of which the whole join can leave rows out.
    pub(super) parts: Vec<BTreeSet<usize>>,
}

/// Finds the base, and the parts of the join of which the whole join can leave rows out: none, or the tables that are found by the entity, with what
/// is found by way of them, as far as references do not lead from them to all tables.
///
/// Whoever is left out there has no row in the base, and none in any table that leads to it. So their own rows say of them all
/// that a question over these tables could say. It is not so for a table that is found by another key: somebody whose one
/// visit is left out can be in the join with another one. From such a table references must lead to all others.
///
/// The tables are connected, each side of an equality is a join key of its table, and `entity` are the columns that are equal to
/// the entity in every joined row.
///
/// # Errors
/// A join whose rows are not those of one table, or that can leave out rows of a table that is not found by the entity.
pub(super) fn judge(
    tables: &[&Table],
    equalities: &BTreeSet<Equality>,
    entity: &BTreeSet<Place>,
) -> Result<OneBase, Refusal> {
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
    if equalities.len() >= tables.len() {
        return Err(Refusal::new(
            Code::JoinKey,
            "disclosure.minimum_contributors",
            "more columns are made equal than it takes to join the tables, and each further equality chooses rows",
            "join each table on one column",
        ));
    }
    let join = Join { tables, equalities, entity };
    // Another base would lead to the same parts: from a base references lead to all tables, and it is found from the others.
    let bases: BTreeSet<usize> = (0..tables.len()).filter(|at| join.is_base(*at)).collect();
    let base = bases.first().copied().ok_or_else(|| join.no_base())?;
    let mut left_out = BTreeSet::new();
    for at in (0..tables.len()).filter(|at| *at != base) {
        let behind = join.behind(at, base);
        if join.led_to(&behind).len() == tables.len() {
            continue;
        }
        match tables.get(at) {
            _ if join.by_entity(at, &behind) => left_out.extend(behind),
            Some(table) if table.entity.is_some() => return Err(join.unseen(table)),
            _ => {}
        }
    }
    let protects = left_out.iter().any(|at| join.protects(*at));
    Ok(OneBase { bases, parts: if protects { vec![left_out] } else { Vec::new() } })
}

/// Tables and one equality fewer, which connect them: a tree.
struct Join<'a> {
    tables: &'a [&'a Table],
    equalities: &'a BTreeSet<Equality>,
    entity: &'a BTreeSet<Place>,
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

    fn protects(&self, at: usize) -> bool {
        self.tables.get(at).is_some_and(|table| table.entity.is_some())
    }

    /// A row of the table is a row of the join: it protects somebody, and from it all others are found.
    fn is_base(&self, at: usize) -> bool {
        self.protects(at)
            && self.reached(BTreeSet::from([at]), |from, to| self.finds_one(from, to)).len()
                == self.tables.len()
    }

    /// A table and whatever is found by way of it, seen from the base.
    fn behind(&self, at: usize, base: usize) -> BTreeSet<usize> {
        let beside = self.reached(BTreeSet::from([base]), |_, to| to.0 != at);
        (0..self.tables.len()).filter(|table| !beside.contains(table)).collect()
    }

    /// Whether a table is found by the entity, seen from the base.
    fn by_entity(&self, at: usize, behind: &BTreeSet<usize>) -> bool {
        self.steps().any(|(from, to)| to.0 == at && !behind.contains(&from.0) && self.entity.contains(to))
    }

    /// The tables in which each row of a part is sure to have a partner. Between any two tables there is one way, so a
    /// partner that is sure for each step is sure for all of them.
    fn led_to(&self, part: &BTreeSet<usize>) -> BTreeSet<usize> {
        self.reached(part.clone(), |from, to| self.refers(from, to))
    }

    fn unseen(&self, table: &Table) -> Refusal {
        let name = &table.name;
        let entity = table.entity.as_ref().map(ToString::to_string).unwrap_or_default();
        refused(
            table,
            format!(
                "rows of `{name}` that have no partner would be left out, though whom they speak of can be in the join"
            ),
            format!(
                "ask about `{name}` in a question of its own, or join it on `{entity}`; where all of its rows have a partner, the \
                 agreement can say so, by `table.{}.join.references`",
                key(name.as_str())
            ),
        )
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
                format!(
                    "{}ask about each of them in a question of its own, and join their answers",
                    self.along()
                ),
            );
        };
        let mut fix = format!("{}ask of each table by itself", self.along());
        if self.along().is_empty() {
            fix += "; where each value of the one column stands in one row of the other table, its agreement can say so, by \
                    `join.references` in the one and `join.unique` in the other";
        }
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

    /// The beginning of an advice: the references among the tables that lead to a unique key, as conditions.
    fn along(&self) -> String {
        let all = self.tables.iter().flat_map(|from| from.references.iter().map(move |to| (*from, to)));
        let leading = all.filter(|(_, (_, (to, target)))| {
            self.tables.iter().any(|table| table.name == *to && table.unique.contains(target))
        });
        let conditions: BTreeSet<String> = leading
            .map(|(from, (own, (to, target)))| format!("{}.{own} = {to}.{target}", from.name))
            .collect();
        match conditions.is_empty() {
            true => String::new(),
            false => format!("join along {}, or ", list(&conditions)),
        }
    }
}

fn refused(table: &Table, message: String, fix: String) -> Refusal {
    Refusal::new(Code::JoinKey, format!("table.{}.join", key(table.name.as_str())), message, fix)
}
