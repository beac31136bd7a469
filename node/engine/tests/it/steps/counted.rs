//! What a question must be answered, worked out row by row.

use std::collections::{BTreeMap, BTreeSet};

use super::question::{Above, Below, Group, Question, Row, What};

/// A row of the step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stepped {
    id: i64,
    ward: Option<&'static str>,
    n: i64,
    s: Option<i64>,
}

/// Which conditions are undone.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Undone {
    /// WHERE: which rows of the step there are, and what it changes of either value.
    present: bool,
    where_count: bool,
    where_sum: bool,
    /// The values' own FILTERs.
    of_count: bool,
    of_sum: bool,
    above: bool,
}

const NOTHING: Undone = Undone {
    present: false,
    where_count: false,
    where_sum: false,
    of_count: false,
    of_sum: false,
    above: false,
};

/// Truth in SQL: unknown is not true.
fn or(one: Option<bool>, other: Option<bool>) -> bool {
    one == Some(true) || other == Some(true)
}

fn is(ward: Option<&'static str>, wanted: &str) -> Option<bool> {
    ward.map(|ward| ward == wanted)
}

fn below(condition: Below, row: &Row) -> bool {
    match condition {
        Below::Kind(kind) => row.kind == kind,
        Below::NotKind(kind) => row.kind != kind,
        Below::WardOrKind(ward, kind) => or(is(seen(row), ward), Some(row.kind == kind)),
        Below::Ward(ward) => is(seen(row), ward) == Some(true),
    }
}

fn above(condition: Above, n: i64, ward: Option<&'static str>) -> bool {
    match condition {
        Above::AtLeast(least) => n >= least,
        Above::Fewer(most) => n < most,
        Above::Ward(wanted) => is(ward, wanted) == Some(true),
        Above::AtLeastOrWard(least, wanted) => or(Some(n >= least), is(ward, wanted)),
    }
}

/// A value outside its domain is none.
fn seen(row: &Row) -> Option<&'static str> {
    row.ward.filter(|ward| ["A", "B"].contains(ward))
}

struct Oracle<'a> {
    rows: &'a [Row],
    asked: &'a Question,
    k: usize,
    /// WHERE below the step that is not on its keys alone.
    filter: Vec<Below>,
    /// What is: a condition above it.
    lifted: Vec<Below>,
}

impl Oracle<'_> {
    fn step(&self, undone: Undone) -> Vec<Stepped> {
        let mut found: BTreeMap<(i64, Option<&'static str>), (bool, Stepped)> = BTreeMap::new();
        for row in self.rows {
            let ward = seen(row).filter(|_| self.asked.by_ward);
            let passes = self.filter.iter().all(|filter| below(*filter, row));
            let counts = |own: Option<Below>, no_where: bool, no_own: bool| {
                (passes || no_where) && (no_own || own.is_none_or(|condition| below(condition, row)))
            };
            let empty = (false, Stepped { id: row.id, ward, n: 0, s: None });
            let (present, stepped) = found.entry((row.id, ward)).or_insert(empty);
            *present |= passes || undone.present;
            stepped.n += i64::from(counts(self.asked.of_count, undone.where_count, undone.of_count));
            if counts(self.asked.of_sum, undone.where_sum, undone.of_sum) {
                stepped.s = Some(stepped.s.unwrap_or(0) + row.cost);
            }
        }
        found.into_values().filter(|(present, _)| *present).map(|(_, stepped)| stepped).collect()
    }

    fn key(&self, n: i64, ward: Option<&'static str>) -> Option<&'static str> {
        match self.asked.group {
            Group::Everybody => None,
            Group::Ward => ward,
            Group::Bins if n >= 3 => Some("many"),
            Group::Bins if n >= 2 => Some("two"),
            Group::Bins => Some("few"),
        }
    }

    fn passes_where(&self, n: i64, ward: Option<&'static str>) -> bool {
        let lifted = self.lifted.iter().all(|condition| match condition {
            Below::Ward(wanted) => is(ward, wanted) == Some(true),
            _ => unreachable!("{condition:?}"),
        });
        lifted && self.asked.above.is_none_or(|condition| above(condition, n, ward))
    }

    fn passes(&self, filter: Option<Above>, n: i64, ward: Option<&'static str>) -> bool {
        self.passes_where(n, ward) && filter.is_none_or(|condition| above(condition, n, ward))
    }

    /// Every count and ward that there can be, as far as the group does not tell: counts by their bins.
    fn possible(&self) -> Vec<(i64, Option<&'static str>)> {
        let none = self.asked.of_count.is_some();
        let counts = [0, 1, 2, 3, 5].into_iter().filter(|n| *n > 0 || none);
        counts.flat_map(|n| [Some("A"), Some("B"), None].map(|ward| (n, ward))).collect()
    }

    fn groups(&self) -> BTreeSet<Option<&'static str>> {
        let possible = self.possible().into_iter().filter(|(n, ward)| self.passes_where(*n, *ward));
        let keys: BTreeSet<_> = possible.map(|(n, ward)| self.key(n, ward)).collect();
        if self.asked.group == Group::Everybody { [None].into() } else { keys }
    }

    fn capped(&self, ids: impl IntoIterator<Item = i64>) -> usize {
        ids.into_iter().collect::<BTreeSet<_>>().len().min(self.k)
    }

    /// One group's line: key, values, counts of contributors, of the left out, flags.
    fn line(&self, group: Option<&'static str>, rows: &[Stepped]) -> String {
        let here: Vec<&Stepped> = rows.iter().filter(|row| self.key(row.n, row.ward) == group).collect();
        let mut values = Vec::new();
        let (mut inside, mut left_out, mut safe) = (Vec::new(), Vec::new(), Vec::new());
        for (what, filter) in &self.asked.aggregates {
            let passing: Vec<&Stepped> =
                here.iter().copied().filter(|row| self.passes(*filter, row.n, row.ward)).collect();
            let branches = branches(*what).into_iter();
            let of = |branch: usize| passing.iter().copied().filter(move |row| takes(*what, branch, row.n));
            values.push(value(*what, &branches.clone().flat_map(of).collect::<Vec<_>>()));
            inside.extend(branches.map(|branch| {
                let counted = of(branch).filter(|row| counted(*what, row));
                self.capped(counted.map(|row| row.id)).to_string()
            }));
            let (count, flag) = self.left_out(*what, *filter, group, &here);
            left_out.push(count.to_string());
            safe.push(flag.to_string());
        }
        let present = here.iter().filter(|row| self.passes_where(row.n, row.ward)).map(|row| row.id);
        let key = (self.asked.group != Group::Everybody).then(|| group.unwrap_or("NULL").to_owned());
        let present = self.capped(present).to_string();
        let all = key.into_iter().chain(values).chain([present]).chain(inside).chain(left_out).chain(safe);
        all.collect::<Vec<_>>().join(" ")
    }

    fn left_out(
        &self,
        what: What,
        filter: Option<Above>,
        group: Option<&'static str>,
        here: &[&Stepped],
    ) -> (usize, bool) {
        let possible: Vec<_> =
            self.possible().into_iter().filter(|(n, ward)| self.key(*n, *ward) == group).collect();
        let conditions =
            !self.lifted.is_empty() || self.asked.above.is_some() || filter.is_some() || what.is_split();
        let branch = |n: i64| branches(what).into_iter().any(|branch| takes(what, branch, n));
        let lets_in = |(n, ward): &(i64, Option<&'static str>)| self.passes(filter, *n, *ward) && branch(*n);
        // No cost is missing: who has no sum has none by a FILTER, which is judged below.
        let nobody = !conditions || possible.iter().all(lets_in);
        let out = |row: &&&Stepped| !self.passes(filter, row.n, row.ward) || !branch(row.n);

        let mut least = if nobody { 0 } else { self.k };
        if what == What::Entities && !nobody {
            let all: BTreeSet<i64> = here.iter().map(|row| row.id).collect();
            let inside: BTreeSet<i64> = here.iter().filter(|row| !out(row)).map(|row| row.id).collect();
            least = (all.len() - inside.len()).min(self.k);
        } else if !nobody {
            let those = here.iter().filter(out).filter(|row| counted(what, row));
            least = least.min(self.capped(those.map(|row| row.id)));
        }
        let mut differing = self.differing(what, filter, group);
        if here.is_empty() && self.asked.group != Group::Everybody {
            differing.fill(0); // whoever is not in a group at all is not counted there; nothing of it is released
        }
        if differing.is_empty() {
            return (least, nobody);
        }
        let question = if nobody { self.k } else { least };
        (differing.into_iter().fold(question, usize::min), false)
    }

    /// For each set of conditions that is undone: whose part of the cell is another one.
    fn differing(&self, what: What, filter: Option<Above>, group: Option<&'static str>) -> Vec<usize> {
        let conditions =
            !self.lifted.is_empty() || self.asked.above.is_some() || filter.is_some() || what.is_split();
        let counts =
            what.is_split() || self.asked.above.iter().chain(&filter).any(|above| above.reads_count());
        let reads_count = what.of_counts() || self.asked.group == Group::Bins || counts;
        let filter_too = !self.filter.is_empty();
        let (count, sum) = (reads_count, what.of_sums());
        let there = [
            filter_too,
            filter_too && count,
            filter_too && sum,
            self.asked.of_count.is_some() && count,
            self.asked.of_sum.is_some() && sum,
            conditions,
        ];
        let mut found = Vec::new();
        for choice in 0..1_u32 << there.len() {
            let [present, where_count, where_sum, of_count, of_sum, above] =
                std::array::from_fn(|at| choice & (1 << at) != 0);
            let undone = Undone { present, where_count, where_sum, of_count, of_sum, above };
            let below = [present, where_count, where_sum, of_count, of_sum];
            // Who is there only without WHERE has no rows and no sum as asked, and may be in no cell by that alone.
            let never = |condition: Above| match condition {
                Above::AtLeast(least) => !where_count && least > 0,
                Above::Fewer(_) | Above::Ward(_) | Above::AtLeastOrWard(..) => false,
            };
            let branchless = what.is_split() && !where_count;
            let conditions = self.asked.above.iter().chain(&filter);
            let shut_out = !above && (branchless || conditions.copied().any(never));
            let nothing = (what.of_counts() && !where_count) || (what.of_sums() && !where_sum);
            if present && (shut_out || nothing) {
                continue;
            }
            let fits = (0..there.len()).all(|at| there[at] || choice & (1 << at) == 0);
            if !fits || !below.contains(&true) {
                continue;
            }
            // Each branch, and what both add together.
            let mut units: Vec<Vec<usize>> = branches(what).into_iter().map(|branch| vec![branch]).collect();
            if what.is_split() {
                units.push(branches(what));
            }
            for unit in units {
                let [asked, without] =
                    [NOTHING, undone].map(|undone| self.parts(what, &unit, filter, group, undone));
                let ids: BTreeSet<i64> = asked.keys().chain(without.keys()).copied().collect();
                let part = |parts: &BTreeMap<i64, i64>, id| {
                    let part = parts.get(&id).copied().unwrap_or(0);
                    if what == What::Entities { part.min(1) } else { part }
                };
                let differ = ids.into_iter().filter(|id| part(&asked, *id) != part(&without, *id));
                found.push(self.capped(differ));
            }
        }
        found
    }

    /// What each entity adds to a cell.
    fn parts(
        &self,
        what: What,
        unit: &[usize],
        filter: Option<Above>,
        group: Option<&'static str>,
        undone: Undone,
    ) -> BTreeMap<i64, i64> {
        let mut parts = BTreeMap::new();
        for row in self.step(undone) {
            let inside = self.key(row.n, row.ward) == group
                && (undone.above
                    || self.passes(filter, row.n, row.ward)
                        && unit.iter().any(|branch| takes(what, *branch, row.n)))
                && counted(what, &row);
            if inside {
                *parts.entry(row.id).or_insert(0) += match what {
                    What::Rows | What::Entities | What::CountOfSums | What::Split => 1,
                    What::SumOfCounts | What::AvgOfCounts => row.n,
                    What::SumOfSums | What::AvgOfSums | What::SplitSums => row.s.unwrap(),
                };
            }
        }
        parts
    }
}

/// The branches of an aggregate.
fn branches(what: What) -> Vec<usize> {
    (0..if what.is_split() { 2 } else { 1 }).collect()
}

/// Whether a row takes one of them.
fn takes(what: What, branch: usize, n: i64) -> bool {
    match (what.is_split(), branch) {
        (false, _) => true,
        (true, 0) => n >= 3,
        (true, _) => n == 2,
    }
}

/// Whether a row that is let in is behind the cell.
fn counted(what: What, row: &Stepped) -> bool {
    match what {
        What::Rows | What::Entities | What::Split => true,
        What::SumOfCounts | What::AvgOfCounts => row.n != 0,
        What::SumOfSums | What::AvgOfSums | What::SplitSums => row.s.is_some_and(|s| s != 0),
        What::CountOfSums => row.s.is_some(),
    }
}

fn value(what: What, rows: &[&Stepped]) -> String {
    let counts: Vec<i64> = rows.iter().map(|row| row.n).collect();
    let sums: Vec<i64> = rows.iter().filter_map(|row| row.s).collect();
    let sum = |all: &[i64]| match all.is_empty() {
        true => "NULL".to_owned(),
        false => all.iter().sum::<i64>().to_string(),
    };
    let avg = |all: &[i64]| match all.is_empty() {
        true => "NULL".to_owned(),
        false => format!("{:?}", all.iter().sum::<i64>() as f64 / all.len() as f64),
    };
    match what {
        What::Rows | What::Split => rows.len().to_string(),
        What::Entities => rows.iter().map(|row| row.id).collect::<BTreeSet<_>>().len().to_string(),
        What::SumOfCounts => sum(&counts),
        What::AvgOfCounts => avg(&counts),
        What::SumOfSums | What::SplitSums => sum(&sums),
        What::AvgOfSums => avg(&sums),
        What::CountOfSums => sums.len().to_string(),
    }
}

/// All lines of the answer, hidden columns included, sorted.
pub(super) fn oracle(rows: &[Row], asked: &Question, k: u32) -> Vec<String> {
    let on_key = |filter: &Below| asked.by_ward && matches!(filter, Below::Ward(_));
    let (lifted, filter) = asked.filter.iter().copied().partition(on_key);
    let oracle = Oracle { rows, asked, k: usize::try_from(k).unwrap(), filter, lifted };
    let step = oracle.step(NOTHING);
    let mut lines: Vec<String> = oracle.groups().into_iter().map(|group| oracle.line(group, &step)).collect();
    lines.sort();
    lines
}
