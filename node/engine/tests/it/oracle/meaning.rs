//! What a guarded cut must say, worked out row by row: the rules of the design in plain Rust, without any engine.

use std::collections::{BTreeMap, BTreeSet};

use liquid_policy::table::Concentration;

use crate::oracle::language::{Agg, Arg, COLS, Col, Pred, Question, Row, Term, Val};

/// What is declared of a column.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rule {
    pub(crate) declared: bool,
    pub(crate) required: bool,
    pub(crate) missing_public: bool,
}

/// A table as an agreement sees it: values outside declared domains are NULL, and where it is public who lacks a value,
/// a column that nobody lacks is as good as required.
#[derive(Debug, Clone)]
pub(crate) struct Seen<'a> {
    pub(crate) agreed: &'a [Rule; 5],
    pub(crate) rows: Vec<Row>,
    rules: [Rule; 5],
}

impl<'a> Seen<'a> {
    pub(crate) fn new(rows: &[Row], rules: &'a [Rule; 5]) -> Self {
        let map = |row: &Row| {
            let mut row = row.clone();
            for col in COLS {
                if rules[col as usize].declared && !col.domain().contains(&row.get(col)) {
                    row.values[col as usize] = Val::Null;
                }
            }
            row
        };
        let rows: Vec<Row> = rows.iter().map(map).collect();
        let met = COLS.map(|col| {
            let rule = rules[col as usize];
            let whole = rows.iter().all(|row| row.get(col) != Val::Null);
            Rule { required: rule.required || (rule.missing_public && whole), ..rule }
        });
        Self { agreed: rules, rows, rules: met }
    }

    pub(crate) fn rule(&self, col: Col) -> Rule {
        self.rules[col as usize]
    }

    pub(crate) fn declared(&self, cols: &[Col]) -> bool {
        cols.iter().all(|col| self.rule(*col).declared)
    }

    /// Every row that could be, over some columns; the others hold a value.
    fn possible(&self, cols: &BTreeSet<Col>) -> Vec<Row> {
        let mut rows = vec![Row { id: 0, values: [Val::Int(0); 5] }];
        for col in cols {
            let mut values = if self.rule(*col).declared { col.domain() } else { col.values() };
            if !self.rule(*col).required {
                values.push(Val::Null);
            }
            rows = rows
                .iter()
                .flat_map(|row| {
                    values.iter().map(|value| {
                        let mut row = row.clone();
                        row.values[*col as usize] = *value;
                        row
                    })
                })
                .collect();
        }
        rows
    }

    /// The groups that the result has a row for, each with its rows; and whether they are declared.
    pub(crate) fn groups(&self, question: &Question) -> (BTreeMap<Vec<Val>, Vec<&Row>>, bool) {
        let key = |row: &Row| question.keys.iter().map(|key| key.eval(row)).collect::<Vec<_>>();
        let mut read = Vec::new();
        question.keys.iter().for_each(|key| key.cols(&mut read));
        let declared = self.declared(&read);
        let mut groups: BTreeMap<Vec<Val>, Vec<&Row>> = BTreeMap::new();
        if declared {
            let mut all: BTreeSet<Col> = read.into_iter().collect();
            let mut filter = Vec::new();
            question.filter.iter().for_each(|pred| pred.cols(&mut filter));
            let judged = self.declared(&filter);
            all.extend(filter);
            for row in self.possible(&all) {
                if question.keys.is_empty() || !judged || passes(question.filter.as_ref(), &row) {
                    groups.entry(key(&row)).or_default();
                }
            }
        }
        for row in &self.rows {
            if declared {
                if let Some(rows) = groups.get_mut(&key(row)) {
                    rows.push(row);
                }
            } else {
                groups.entry(key(row)).or_default().push(row);
            }
        }
        if !declared {
            groups.retain(|_, rows| rows.iter().any(|row| passes(question.filter.as_ref(), row)));
        }
        (groups, declared)
    }
}

pub(crate) fn passes(filter: Option<&Pred>, row: &Row) -> bool {
    filter.is_none_or(|pred| pred.holds(row))
}

/// The distinct entities of some rows, at most k.
pub(crate) fn entities<'r>(rows: impl Iterator<Item = &'r Row>, k: u32) -> u32 {
    let seen: BTreeSet<i64> = rows.map(|row| row.id).collect();
    (seen.len() as u32).min(k)
}

/// One aggregate of a question, with what it takes for a row to contribute.
pub(crate) struct Meaning<'a> {
    pub(crate) question: &'a Question,
    pub(crate) agg: &'a Agg,
    /// Contributing arms: the arm's number and its term.
    pub(crate) arms: Vec<(usize, Term)>,
}

impl<'a> Meaning<'a> {
    pub(crate) fn of(question: &'a Question, agg: &'a Agg) -> Self {
        let counts = matches!(agg.function, "count" | "avg");
        let contributes = |term: &Term| counts || *term != Term::Literal(0);
        let arms: Vec<(usize, Term)> = match &agg.arg {
            Arg::Rows | Arg::Entity => vec![(0, Term::Literal(1))],
            Arg::Term(cols) => vec![(0, Term::Cols(cols.clone()))],
            Arg::Case { whens, otherwise } => {
                let terms = whens.iter().map(|(_, term)| term).chain(otherwise.as_ref()).cloned().enumerate();
                terms.filter(|(_, term)| contributes(term)).collect()
            }
        };
        Self { question, agg, arms }
    }

    /// The arm that a row takes, if it passes WHERE and FILTER.
    fn arm(&self, row: &Row) -> Option<usize> {
        if !passes(self.question.filter.as_ref(), row) || !passes(self.agg.filter.as_ref(), row) {
            return None;
        }
        match &self.agg.arg {
            Arg::Rows | Arg::Entity | Arg::Term(_) => Some(0),
            Arg::Case { whens, otherwise } => {
                let taken = whens.iter().position(|(when, _)| when.holds(row));
                taken.or(otherwise.is_some().then_some(whens.len()))
            }
        }
    }

    /// The contributing arm that lets a row in, whatever its measures are.
    pub(crate) fn lets_in(&self, row: &Row) -> Option<&Term> {
        let arm = self.arm(row)?;
        self.arms.iter().find(|(at, _)| *at == arm).map(|(_, term)| term)
    }

    pub(crate) fn contributes(&self, branch: usize, row: &Row) -> bool {
        let (at, term) = &self.arms[branch];
        self.arm(row) == Some(*at) && self.counted(term, row)
    }

    /// There is a value and, for a sum or an average, it is not 0.
    pub(crate) fn counted(&self, term: &Term, row: &Row) -> bool {
        let sums = matches!(self.agg.function, "sum" | "avg");
        present(term, row) && !(sums && term.cols().iter().any(|col| row.get(*col) == Val::Int(0)))
    }

    /// Nothing tells one row from another.
    pub(crate) fn everybody(&self) -> bool {
        let question = self.question;
        question.keys.is_empty()
            && question.filter.is_none()
            && self.agg.filter.is_none()
            && !matches!(self.agg.arg, Arg::Case { .. })
    }

    /// A row that is let in, and lacks a value whose absence is not public.
    fn gap(&self, seen: &Seen, row: &Row) -> bool {
        self.lets_in(row).is_some_and(|term| {
            let (public, private): (Vec<Col>, Vec<Col>) =
                term.cols().iter().partition(|col| self.everybody() && seen.rule(**col).missing_public);
            let absent = |col: &Col| row.get(*col) == Val::Null;
            !public.iter().any(absent) && private.iter().any(absent)
        })
    }

    /// Everything that decides, so that a product over these columns judges it exactly.
    pub(crate) fn read(&self) -> Vec<Col> {
        let mut cols = Vec::new();
        self.question.filter.iter().chain(&self.agg.filter).for_each(|pred| pred.cols(&mut cols));
        if let Arg::Case { whens, .. } = &self.agg.arg {
            whens.iter().for_each(|(pred, _)| pred.cols(&mut cols));
        }
        self.question.keys.iter().for_each(|key| key.cols(&mut cols));
        cols
    }

    /// For each group that could be: the question lets every row in; a missing value can leave one out.
    pub(crate) fn publicly(&self, seen: &Seen) -> BTreeMap<Vec<Val>, (bool, bool)> {
        let mut cols: BTreeSet<Col> = self.read().into_iter().collect();
        self.arms.iter().for_each(|(_, term)| cols.extend(term.cols()));
        let mut judged = BTreeMap::new();
        for row in seen.possible(&cols) {
            let key = self.question.keys.iter().map(|key| key.eval(&row)).collect::<Vec<_>>();
            let (always, gap) = judged.entry(key).or_insert((true, false));
            *always &= self.lets_in(&row).is_some();
            // The test of public columns is on the row at hand; on paper any of them can have a value.
            *gap |= self.gap(seen, &row);
        }
        judged
    }

    /// Whom the cell leaves out, by each kind of condition that can leave anyone out, and what of theirs.
    fn kinds(&self, seen: &Seen, rows: &[&Row], always: bool, gap: bool) -> Vec<Vec<Part>> {
        if self.agg.arg == Arg::Entity {
            let inside: BTreeSet<i64> =
                rows.iter().filter(|row| self.lets_in(row).is_some()).map(|row| row.id).collect();
            let out = rows.iter().filter(|row| !inside.contains(&row.id));
            return vec![out.map(|row| (row.id, 1)).collect()];
        }
        let mut kinds = Vec::new();
        if !always {
            for (_, term) in &self.arms {
                let out = |row: &&&Row| self.lets_in(row).is_none() && self.counted(term, row);
                kinds.push(rows.iter().filter(out).map(|row| (row.id, self.adds(term, row))).collect());
            }
        }
        if gap {
            for (at, term) in &self.arms {
                for col in term.cols().iter().filter(|col| !seen.rule(**col).required) {
                    if self.everybody() && seen.rule(*col).missing_public {
                        continue;
                    }
                    let others = |row: &Row| term.cols().iter().all(|o| o == col || row.get(*o) != Val::Null);
                    let out =
                        |row: &&&Row| self.arm(row) == Some(*at) && row.get(*col) == Val::Null && others(row);
                    if self.possible_gap(seen, *at, *col) {
                        kinds.push(rows.iter().filter(out).map(|row| (row.id, 1)).collect());
                    }
                }
            }
        }
        kinds
    }

    /// How many the cell leaves out, at most k, by the kind of condition that leaves out the fewest.
    pub(crate) fn left_out(&self, seen: &Seen, rows: &[&Row], always: bool, gap: bool, k: u32) -> u32 {
        let kinds = self.kinds(seen, rows, always, gap);
        let count = |kind: &Vec<Part>| kind.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len() as u32;
        kinds.iter().map(|kind| count(kind).min(k)).min().unwrap_or(0)
    }

    /// Whether what it leaves out is spread, kind by kind; entities each add one.
    pub(crate) fn spread_outside(
        &self,
        (seen, rows): (&Seen, &[&Row]),
        (always, gap): (bool, bool),
        rules: &Concentration,
    ) -> bool {
        let kinds = self.kinds(seen, rows, always, gap);
        self.agg.arg == Arg::Entity || kinds.iter().all(|kind| is_spread(kind, rules))
    }

    /// Whether each branch is spread, and all of a sum together.
    pub(crate) fn spread_inside(&self, rows: &[&Row], rules: &Concentration) -> bool {
        let of = |branch: usize| {
            let rows = rows.iter().filter(move |row| self.contributes(branch, row));
            rows.map(move |row| (row.id, self.adds(&self.arms[branch].1, row)))
        };
        let branches: Vec<Vec<Part>> = (0..self.arms.len()).map(|branch| of(branch).collect()).collect();
        let whole: Vec<Part> = branches.iter().flatten().copied().collect();
        let sums = self.agg.function != "count";
        let all = branches.iter().chain(sums.then_some(&whole)).all(|part| is_spread(part, rules));
        self.agg.arg == Arg::Entity || all
    }

    /// What a row adds that counts.
    fn adds(&self, term: &Term, row: &Row) -> i64 {
        let number = |col: &Col| match row.get(*col) {
            Val::Int(number) => number,
            _ => panic!("it has a number"),
        };
        match term {
            _ if self.agg.function == "count" => 1,
            Term::Cols(cols) => cols.iter().map(number).product(),
            Term::Literal(value) => *value,
        }
    }

    /// Some row that could be takes this arm without a value in this column.
    fn possible_gap(&self, seen: &Seen, at: usize, col: Col) -> bool {
        let mut cols: BTreeSet<Col> = self.read().into_iter().collect();
        cols.insert(col);
        seen.possible(&cols).iter().any(|row| self.arm(row) == Some(at) && row.get(col) == Val::Null)
    }

    /// One column can be missing, by one way: then the engine judges that column exactly.
    pub(crate) fn plain(&self) -> bool {
        matches!(&self.agg.arg, Arg::Rows | Arg::Entity)
            || matches!(&self.agg.arg, Arg::Term(cols) if cols.len() == 1)
    }

    /// Whom the cell leaves out, by all conditions together: never fewer than any kind alone.
    pub(crate) fn outside(&self, rows: &[&Row], k: u32) -> u32 {
        let inside = |row: &&Row| self.lets_in(row).is_some_and(|term| present(term, row));
        entities(rows.iter().copied().filter(|row| !inside(row)), k)
    }
}

/// An entity, and what one of its rows adds.
type Part = (i64, i64);

/// The rules of statistical offices, on what each entity adds up to without its sign.
fn is_spread(parts: &[Part], rules: &Concentration) -> bool {
    let mut of: BTreeMap<i64, i64> = BTreeMap::new();
    parts.iter().for_each(|(id, adds)| *of.entry(*id).or_default() += adds);
    let mut sizes: Vec<i64> = of.into_values().map(i64::abs).collect();
    sizes.sort_by_key(|size| std::cmp::Reverse(*size));
    let sum = |sizes: &[i64]| sizes.iter().sum::<i64>() as f64;
    let total = sum(&sizes);
    let first = |most: usize| &sizes[..most.min(sizes.len())];
    let dominated =
        rules.dominance.is_some_and(|(most, share)| total > 0.0 && sum(first(most as usize)) / total > share);
    let estimated = rules
        .p_ratio
        .is_some_and(|ratio| total > 0.0 && sum(&sizes[2.min(sizes.len())..]) / (sizes[0] as f64) < ratio);
    !dominated && !estimated
}

fn present(term: &Term, row: &Row) -> bool {
    term.cols().iter().all(|col| row.get(*col) != Val::Null)
}
