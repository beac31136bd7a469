//! What a question touches, by the plain definitions of agreements, worked out from the tree that it was made from. Nothing here
//! comes from the product: no plan, no footprint, no decision.
//!
//! It only says what must not be permitted. It does not say what must be.

use std::collections::BTreeSet;

use chrono::{Datelike as _, NaiveDate, Weekday};

use crate::plans::below::{Below, STRIDE, columns, is_test, put, read};
use crate::plans::language::{Agg, Body, Cut, Expr, Grouped, Query, Rows};
use crate::plans::people;
use crate::plans::world::{Column, Kind, Use, World};

/// What may read single rows, and what may read released values.
const BELOW: &str = " abs ceil floor round trunc signum coalesce nullif lower upper btrim ltrim rtrim concat substr left right \
    character_length date_part date_trunc ";
const ABOVE: &str = " first_value count sum avg min max row_number rank sqrt ln median stddev ";

/// Every reason for which a question must not be permitted.
pub(crate) fn reasons(world: &World, query: &Query) -> BTreeSet<String> {
    match query {
        Query::Cut(cut) => of_cut(world, cut),
        Query::Rows(rows) => match released(world, rows) {
            Some(inner) => inner,
            None => BTreeSet::from(["single rows leave".to_owned()]),
        },
        Query::Set(_, left, right) | Query::Beside(left, right) | Query::Above(left, right) => {
            reasons(world, left).into_iter().chain(reasons(world, right)).collect()
        }
        Query::Over { inner, listed, functions, .. } => {
            let mut all = reasons(world, inner);
            if by_person_below(inner, listed).is_some_and(|cut| of_cut(world, &cut).is_empty()) {
                all.clear();
            }
            for name in functions.iter().filter(|name| !ABOVE.contains(&format!(" {name} "))) {
                all.insert(format!("`{name}` over released values"));
            }
            all
        }
        Query::Statement(word, _) => BTreeSet::from([format!("`{word}` is no question")]),
    }
}

/// What is grouped by person leaves nobody's row, where another aggregate stands above: then that one is the cut.
fn by_person_below(inner: &Query, listed: &str) -> Option<Cut> {
    let Query::Cut(cut) = inner else { return None };
    let Cut { from, filter, keys, aggs, aside: None, .. } = cut.as_ref().clone() else { return None };
    if matches!(cut.grouped, Grouped::Rollup) {
        return None;
    }
    let body = Body::Person { from: Box::new(from), filter, keys, aggs, having: None };
    let first = Expr::Col(0);
    let agg = |function, arg| Agg { function, distinct: false, arg, filter: None };
    let (keys, aggs) = match listed {
        "DISTINCT c0" => (vec![first], vec![]),
        "count(c0), max(c0)" => (vec![], vec![agg("count", Some(first.clone())), agg("max", Some(first))]),
        "CASE WHEN c0 IS NULL THEN 0 ELSE 1 END, count(*)" => {
            (vec![Expr::Behind(Box::new(first), "IS NULL".to_owned())], vec![agg("count", None)])
        }
        _ => return None,
    };
    let from = Rows { alias: String::new(), cte: false, body };
    Some(Cut { from, filter: None, keys, aggs, grouped: Grouped::Words, aside: None })
}

/// An aggregate by person can also be meant as what leaves, where the entity may be grouped by: then all above it is free.
fn released(world: &World, rows: &Rows) -> Option<BTreeSet<String>> {
    match &rows.body {
        Body::Person { from, .. } if released(world, from).is_some_and(|found| found.is_empty()) => {
            Some(BTreeSet::new())
        }
        Body::Person { from, filter, keys, aggs, having: _ } => {
            let mut below = Below::default();
            let from = columns(world, from, &mut below);
            below.conditions.extend(filter.iter().map(|it| put(it, &from)));
            let mut judge = Judge { world, below: &below, found: below.odd.iter().cloned().collect() };
            judge.cut(
                keys.iter().map(|it| put(it, &from)).collect(),
                aggs.iter().map(|it| it.with(&|at| from[at].clone())).collect(),
            );
            Some(judge.found)
        }
        Body::Select { from, .. } => released(world, from),
        Body::Table(_) | Body::Join { .. } => None,
    }
}

fn of_cut(world: &World, cut: &Cut) -> BTreeSet<String> {
    let mut below = Below::default();
    let from = columns(world, &cut.from, &mut below);
    below.conditions.extend(cut.filter.iter().map(|it| put(it, &from)));
    let keys = cut.keys.iter().map(|it| put(it, &from)).collect();
    let aggs = cut.aggs.iter().chain(cut.aside.iter().map(|(_, agg)| agg));
    let aggs = aggs.map(|it| it.with(&|at| from[at].clone())).collect();
    let mut judge = Judge { world, below: &below, found: below.odd.iter().cloned().collect() };
    judge.cut(keys, aggs);
    match released(world, &cut.from) {
        Some(found) if found.is_empty() => found,
        _ => judge.found,
    }
}

pub(crate) struct Judge<'a> {
    pub(crate) world: &'a World,
    pub(crate) below: &'a Below,
    found: BTreeSet<String>,
}

impl Judge<'_> {
    fn cut(&mut self, keys: Vec<Expr>, aggs: Vec<Agg>) {
        self.people(&keys);
        self.joins();
        for condition in self.below.conditions.clone() {
            // What joins is judged as a join alone.
            let rest: Vec<Expr> =
                conjuncts(&condition).into_iter().filter(|it| self.pair(it).is_none()).cloned().collect();
            rest.iter().for_each(|it| self.condition(it));
        }
        for key in &keys {
            self.touched(key, Use::Group);
        }
        for agg in &aggs {
            self.aggregate(agg);
            self.chosen_by_itself(&keys, agg);
        }
        let all: Vec<Expr> = self
            .below
            .conditions
            .iter()
            .cloned()
            .chain(keys)
            .chain(aggs.into_iter().map(|it| Expr::Person(Box::new(it))))
            .collect();
        all.iter().for_each(|it| self.everywhere(it));
    }

    pub(crate) fn column(&self, at: usize) -> &Column {
        self.world.column((self.below.tables[at / STRIDE], at % STRIDE))
    }

    pub(crate) fn name(&self, at: usize) -> String {
        format!("{}.{}", self.world.tables[self.below.tables[at / STRIDE]].name, self.column(at).name)
    }

    pub(crate) fn is_entity(&self, at: usize) -> bool {
        self.world.tables[self.below.tables[at / STRIDE]].entity == Some(at % STRIDE)
    }

    pub(crate) fn is_within(&self, at: usize) -> bool {
        self.world.tables[self.below.tables[at / STRIDE]].within.contains(&(at % STRIDE))
    }

    pub(crate) fn wrong(&mut self, what: String) {
        self.found.insert(what);
    }

    /// Every column of an expression stands in this position; what an aggregate by person gave stands there as what it was made of.
    pub(crate) fn touched(&mut self, expr: &Expr, position: Use) {
        if self.on_bins(expr) {
            return;
        }
        if let Expr::Person(agg) = expr {
            // How many rows a person has is no column's value, and is seen in the steps of the agreement alone.
            if agg.function == "count" && position != Use::Measure {
                self.wrong(format!("a count by person in the position {position:?}"));
            }
            agg.filter.iter().for_each(|it| self.condition(it));
            agg.arg.iter().for_each(|it| self.touched(it, position));
            return;
        }
        if let Expr::Col(at) = expr
            && !self.column(*at).may(position)
        {
            self.wrong(format!("{} in the position {position:?}", self.name(*at)));
        }
        expr.parts().into_iter().for_each(|part| self.touched(part, position));
    }

    pub(crate) fn condition(&mut self, expr: &Expr) {
        self.touched(expr, Use::Filter);
        self.of_one_table_each(expr);
    }

    /// A comparison is over columns of one table, unless it joins.
    fn of_one_table_each(&mut self, expr: &Expr) {
        match expr {
            Expr::Bin("AND" | "OR", left, right) => {
                self.of_one_table_each(left);
                self.of_one_table_each(right);
            }
            Expr::Before("NOT", inner) => self.of_one_table_each(inner),
            atom => {
                let tables: BTreeSet<usize> = read(atom).into_iter().map(|at| at / STRIDE).collect();
                if tables.len() > 1 && self.below.people.is_empty() {
                    self.wrong("columns of two tables are compared, and not as join keys".to_owned());
                }
            }
        }
    }

    pub(crate) fn aggregate(&mut self, agg: &Agg) {
        agg.filter.iter().for_each(|it| self.condition(it));
        let Some(arg) = &agg.arg else { return };
        match (agg.function, agg.distinct) {
            ("count", true) => match arg {
                Expr::Col(at) if self.is_entity(*at) => {}
                _ => self.wrong("count(DISTINCT …) of something else than the entity".to_owned()),
            },
            ("count" | "sum" | "avg", false) => self.values(agg.function, arg),
            ("min" | "max", _) if !self.world.guarded => self.values(agg.function, arg),
            (name, _) => self.wrong(format!("`{name}` is not granted over single rows")),
        }
        if self.world.guarded && agg.function != "count" {
            self.shape(arg);
        }
    }

    /// The values that an aggregate takes in, and the conditions that choose among them.
    pub(crate) fn values(&mut self, function: &'static str, expr: &Expr) {
        match expr {
            Expr::Col(at) => {
                let column = self.column(*at);
                let granted = match function {
                    "count" => column.may(Use::Measure) || column.may(Use::Filter),
                    "min" | "max" => column.adds_up() || column.may(Use::Group),
                    _ => column.adds_up(),
                };
                if !granted {
                    self.wrong(format!("{} inside `{function}`", self.name(*at)));
                }
            }
            Expr::Case { base, whens, otherwise } => {
                base.iter().for_each(|it| self.touched(it, Use::Filter));
                for (when, then) in whens {
                    self.touched(when, Use::Filter);
                    self.values(function, then);
                }
                otherwise.iter().for_each(|it| self.values(function, it));
            }
            Expr::Call("nullif", args) => {
                args.iter().for_each(|it| self.touched(it, Use::Filter));
                self.values(function, &args[0]);
            }
            // What it gives keeps the uses of what it takes in; a count is a number of its own.
            Expr::Person(agg) => {
                self.by_person(agg);
                if agg.function != "count" && function != "count" {
                    agg.arg.iter().for_each(|it| self.values(function, it));
                }
            }
            test if is_test(test) => self.touched(test, Use::Filter),
            other => other.parts().into_iter().for_each(|it| self.values(function, it)),
        }
    }

    /// Under a minimum a sum or an average stands over a product of one or two columns and of at most two factors `1 ± column`, or
    /// over CASE with such results, 0, 1 and NULL.
    pub(crate) fn shape(&mut self, expr: &Expr) {
        let fits = |term: &Expr| {
            let (mut columns, mut factors, mut other) = (0, 0, 0);
            for part in factors_of(term) {
                match part {
                    Expr::Col(_) | Expr::Person(_) => columns += 1,
                    Expr::Bin("+" | "-", left, right)
                        if matches!(**left, Expr::Lit(_)) && matches!(**right, Expr::Col(_)) =>
                    {
                        factors += 1;
                    }
                    _ => other += 1,
                }
            }
            let of_people = factors_of(term).iter().any(|part| matches!(part, Expr::Person(_)));
            let most = if of_people { (1, 0) } else { (2, 2) };
            (1..=most.0).contains(&columns) && factors <= most.1 && other == 0
        };
        let literal =
            |it: &Expr| matches!(it, Expr::Lit(text) if matches!(text.as_str(), "0" | "1" | "NULL"));
        let good = match uncast(expr) {
            Expr::Case { whens, otherwise, .. } => {
                let results = whens.iter().map(|(_, then)| then).chain(otherwise.iter().map(|it| &**it));
                results.into_iter().all(|it| literal(it) || fits(it))
            }
            // Of whole numbers it is nothing.
            Expr::Call("round", args) if args.len() == 1 => fits(&args[0]),
            plain => fits(plain),
        };
        if !good {
            self.wrong("an expression inside an aggregate under a minimum".to_owned());
        }
    }

    /// Under a minimum no column chooses the rows over which it is added up.
    fn chosen_by_itself(&mut self, keys: &[Expr], agg: &Agg) {
        if !self.world.guarded || !matches!(agg.function, "sum" | "avg") {
            return;
        }
        let Some(arg) = &agg.arg else { return };
        let below = self.below.people.iter().flat_map(|(keys, _)| keys);
        let written = keys.iter().chain(&self.below.conditions).chain(&agg.filter).chain(below);
        let mut choosing: BTreeSet<usize> = written.flat_map(people::choosing).collect();
        let mut added = BTreeSet::new();
        match uncast(arg) {
            Expr::Case { base, whens, otherwise } => {
                choosing.extend(base.iter().flat_map(|it| people::choosing(it)));
                choosing.extend(whens.iter().flat_map(|(when, _)| people::choosing(when)));
                added.extend(whens.iter().flat_map(|(_, then)| people::added(then)));
                added.extend(otherwise.iter().flat_map(|it| people::added(it)));
            }
            other => added.extend(people::added(other)),
        }
        choosing.extend(people::conditions(arg));
        if choosing.intersection(&added).next().is_some() {
            self.wrong("a column is added up under a condition that reads it".to_owned());
        }
    }

    /// Functions, subqueries, and literals that days are compared with.
    fn everywhere(&mut self, expr: &Expr) {
        match expr {
            Expr::Call(name, _) if !BELOW.contains(&format!(" {name} ")) => {
                self.wrong(format!("`{name}` over single rows"));
            }
            Expr::Subquery(..) => self.wrong("a subquery in a condition".to_owned()),
            Expr::Call(name @ ("date_part" | "date_trunc"), args) => {
                for at in read(&args[1]) {
                    if let (Some(grain), Expr::Lit(part)) = (self.column(at).grain, &args[0])
                        && !parts(grain).contains(&part.trim_matches('\''))
                    {
                        self.wrong(format!("`{name}` of {} finer than its {grain}", self.name(at)));
                    }
                }
            }
            // `CASE x WHEN v` compares as `x = v` does.
            Expr::Case { base: Some(base), whens, .. } => {
                whens.iter().for_each(|(when, _)| self.compared(&[base, when]));
            }
            Expr::Call("nullif", args) => self.compared(&args.iter().collect::<Vec<_>>()),
            test if is_test(test) => self.compared(&test.parts()),
            _ => {}
        }
        expr.parts().into_iter().for_each(|it| self.everywhere(it));
    }

    /// A day that a column with a grain is compared with begins a step of it.
    fn compared(&mut self, sides: &[&Expr]) {
        let days: Vec<NaiveDate> = sides.iter().filter_map(|it| day(it)).collect();
        for at in sides.iter().filter(|it| !is_logic(it)).flat_map(|it| read(it)) {
            let column = self.column(at);
            if let (Kind::Date, Some(grain)) = (column.kind, column.grain)
                && days.iter().any(|day| !begins(grain, *day))
            {
                self.wrong(format!("{} is compared with a day within its {grain}", self.name(at)));
            }
        }
    }

    /// Two columns of two tables that must be equal.
    fn pair(&self, condition: &Expr) -> Option<(usize, usize)> {
        match condition {
            Expr::Bin("=", left, right) => match (&**left, &**right) {
                (Expr::Col(left), Expr::Col(right)) if left / STRIDE != right / STRIDE => {
                    Some((*left, *right))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Tables are joined on keys, all of them, and each joined row speaks of one entity.
    fn joins(&mut self) {
        let conditions = self.below.conditions.clone();
        let pairs: Vec<(usize, usize)> =
            conditions.iter().flat_map(conjuncts).filter_map(|it| self.pair(it)).collect();
        for (left, right) in &pairs {
            for at in [*left, *right] {
                if !self.column(at).may(Use::Join) {
                    self.wrong(format!("{} in the position Join", self.name(at)));
                }
            }
            let finds = |from: usize, to: usize| {
                let target = (self.below.tables[to / STRIDE], to % STRIDE);
                self.column(from).refers == Some(target) && self.column(to).unique
            };
            if self.world.guarded && !finds(*left, *right) && !finds(*right, *left) {
                self.wrong("under a minimum, a join along no reference to a unique key".to_owned());
            }
        }
        // Columns that are equal, directly or along one another.
        let mut classes: Vec<BTreeSet<usize>> = Vec::new();
        for (left, right) in pairs {
            let mut class = BTreeSet::from([left, right]);
            classes.retain(|other| {
                let apart = other.is_disjoint(&class);
                if !apart {
                    class.extend(other);
                }
                apart
            });
            classes.push(class);
        }
        let tables = self.below.tables.len();
        let meeting = |which: &dyn Fn(usize) -> bool| -> Vec<BTreeSet<usize>> {
            let near = |class: &BTreeSet<usize>| {
                class.iter().filter(|at| which(**at)).map(|at| at / STRIDE).collect()
            };
            classes.iter().map(near).collect()
        };
        let (all, entities, within) =
            (meeting(&|_| true), meeting(&|at| self.is_entity(at)), meeting(&|at| self.is_within(at)));
        if reached(0, &all).len() < tables {
            self.wrong("tables stand beside one another without a condition".to_owned());
        }
        let protects = |at: &usize| self.world.tables[self.below.tables[*at]].entity.is_some();
        let protected: BTreeSet<usize> = (0..tables).filter(protects).collect();
        let ties = [entities, within].concat();
        match protected.first() {
            None => self.wrong("tables that protect nobody are asked about alone".to_owned()),
            Some(first) if protected.is_subset(&reached(*first, &ties)) => {}
            Some(_) => self.wrong("a joined row could speak of two people".to_owned()),
        }
    }
}

/// What can be reached from one table by sets of tables that meet.
fn reached(from: usize, sets: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    let (mut all, mut before) = (BTreeSet::from([from]), 0);
    while all.len() > before {
        before = all.len();
        for set in sets {
            if !set.is_disjoint(&all) {
                all.extend(set);
            }
        }
    }
    all
}

fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Bin("AND", left, right) => conjuncts(left).into_iter().chain(conjuncts(right)).collect(),
        other => vec![other],
    }
}

fn factors_of(expr: &Expr) -> Vec<&Expr> {
    match uncast(expr) {
        Expr::Bin("*", left, right) => factors_of(left).into_iter().chain(factors_of(right)).collect(),
        other => vec![other],
    }
}

fn uncast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast("CAST", inner, _) => uncast(inner),
        other => other,
    }
}

fn is_logic(expr: &Expr) -> bool {
    matches!(expr, Expr::Bin("AND" | "OR", ..) | Expr::Before("NOT", _))
}

/// The day that a literal is, however it is written.
fn day(expr: &Expr) -> Option<NaiveDate> {
    match expr {
        Expr::Lit(text) => text.trim_start_matches("DATE ").trim_matches('\'').parse().ok(),
        Expr::Cast(_, inner, "DATE") => day(inner),
        _ => None,
    }
}

fn begins(grain: &str, day: NaiveDate) -> bool {
    match grain {
        "year" => day.ordinal() == 1,
        "quarter" => day.day() == 1 && day.month() % 3 == 1,
        "month" => day.day() == 1,
        "week" => day.weekday() == Weekday::Mon,
        _ => true,
    }
}

/// The parts of a date, and the steps, that all days of one step share.
fn parts(grain: &str) -> &'static [&'static str] {
    match grain {
        "year" => &["year"],
        "quarter" => &["year", "quarter"],
        "month" => &["year", "quarter", "month"],
        "week" => &["week", "isoyear"],
        _ => &["year", "quarter", "month", "week", "day", "dow", "doy", "isoyear", "isodow"],
    }
}
