//! What an aggregate by person may compute, and what may be read of it above.

use crate::plans::below::{STRIDE, read};
use crate::plans::checker::Judge;
use crate::plans::language::{Agg, Expr};
use crate::plans::world::Use;

/// How many rows a person has, as a column of no table: where it chooses, it is not added up.
pub(crate) const COUNTS: usize = usize::MAX;

impl Judge<'_> {
    /// An aggregate by person is grouped by the entity or by a key within it of which no value is missing; whatever else it is
    /// grouped by is a key.
    pub(crate) fn people(&mut self, released: &[Expr]) {
        for (keys, first) in self.below.people.clone() {
            let one = |key: &Expr| match key {
                Expr::Col(at) if self.is_entity(*at) => at / STRIDE >= first,
                Expr::Col(at) => self.world.guarded && self.is_within(*at) && self.column(*at).required,
                _ => false,
            };
            let others: Vec<&Expr> = keys.iter().filter(|key| !one(key)).collect();
            if others.len() == keys.len() {
                self.wrong("an aggregate below an aggregate is not by person".to_owned());
            }
            for key in others {
                self.touched(key, Use::Group);
                if self.world.guarded && !released.contains(key) {
                    self.wrong("a key by person that tells rows of one person apart".to_owned());
                }
            }
        }
    }

    /// What is computed for each person. Under a minimum it is a number of rows, a column or a product, the first or last value;
    /// and no value of it is missing, since that would change what somebody has and nobody could count for whom.
    pub(crate) fn by_person(&mut self, agg: &Agg) {
        if !self.world.guarded {
            return self.aggregate(agg);
        }
        agg.filter.iter().for_each(|it| self.condition(it));
        if agg.distinct {
            self.wrong("distinct values are counted by person".to_owned());
        }
        let Some(arg) = &agg.arg else { return };
        let end = matches!(agg.function, "min" | "max");
        if let (true, Expr::Col(at)) = (end, arg)
            && self.column(*at).grain.is_some()
            && (self.column(*at).may(Use::Group) || self.column(*at).may(Use::Filter))
        {
            return; // a day like the others
        }
        match agg.function {
            "count" | "sum" | "avg" => self.values(agg.function, arg),
            "min" | "max" if matches!(arg, Expr::Col(_)) => self.values("sum", arg),
            name => self.wrong(format!("`{name}` by person")),
        }
        if agg.function != "count" {
            self.shape(arg);
        }
        for at in read(arg) {
            if !self.column(at).required {
                self.wrong(format!("{} by person, of which some may be missing", self.name(at)));
            }
        }
    }

    /// A count by person that is compared with a number: the whole numbers at which the answer changes; none where it is another
    /// expression.
    fn edges<'e>(&self, expr: &'e Expr) -> Option<(&'e Agg, Vec<i64>)> {
        if let Expr::Between(inner, low, high) = expr
            && let (Expr::Person(agg), Expr::Lit(low), Expr::Lit(high)) = (&**inner, &**low, &**high)
            && let (Ok(low), Ok(high)) = (low.parse::<i64>(), high.parse::<i64>())
        {
            let edges = [low, high + 1].into_iter().filter(|it| *it > 0 && low <= high);
            return (agg.function == "count").then(|| (agg.as_ref(), edges.collect()));
        }
        let Expr::Bin(op, left, right) = expr else { return None };
        let (Expr::Person(agg), Expr::Lit(number)) = (&**left, &**right) else { return None };
        let number: i64 = number.parse().ok()?;
        let edges = match *op {
            ">=" | "<" => vec![number],
            ">" | "<=" => vec![number + 1],
            "=" | "<>" => vec![number, number + 1],
            _ => return None,
        };
        (agg.function == "count").then(|| (agg.as_ref(), edges.into_iter().filter(|it| *it > 0).collect()))
    }

    /// Whether a count by person is looked at here in the steps of the agreement; then nothing else of it is.
    pub(crate) fn on_bins(&mut self, expr: &Expr) -> bool {
        let bins =
            self.below.tables.first().map(|at| self.world.tables[*at].bins.clone()).unwrap_or_default();
        let Some((agg, edges)) = self.edges(expr) else { return false };
        let on = |edge: &i64| bins.iter().any(|bin| i64::from(*bin) == *edge);
        if bins.is_empty() || !edges.iter().all(on) {
            self.wrong("a count by person off the steps".to_owned());
        }
        self.by_person(agg);
        true
    }
}

/// The columns that are added up, through what was computed by person: its conditions choose, and are not added up.
pub(crate) fn added(expr: &Expr) -> Vec<usize> {
    match expr {
        Expr::Col(at) => vec![*at],
        Expr::Person(agg) => {
            let counts = (agg.function == "count").then_some(COUNTS);
            agg.arg.iter().flat_map(added).chain(counts).collect()
        }
        other => other.parts().into_iter().flat_map(added).collect(),
    }
}

/// The columns by which an expression chooses, through what was computed by person.
pub(crate) fn choosing(expr: &Expr) -> Vec<usize> {
    match expr {
        Expr::Col(at) => vec![*at],
        Expr::Person(agg) => {
            let counts = (agg.function == "count").then_some(COUNTS);
            agg.arg.iter().chain(&agg.filter).flat_map(choosing).chain(counts).collect()
        }
        other => other.parts().into_iter().flat_map(choosing).collect(),
    }
}

/// The conditions of what was computed by person.
pub(crate) fn conditions(expr: &Expr) -> Vec<usize> {
    match expr {
        Expr::Person(agg) => agg.filter.iter().flat_map(choosing).collect(),
        other => other.parts().into_iter().flat_map(conditions).collect(),
    }
}
