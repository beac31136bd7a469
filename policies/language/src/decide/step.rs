//! How a step by entity may be made, and what may be read of it above.
//!
//! A step is row-level: each of its rows speaks of one entity. Its results keep the uses of what they are made of: a key those of
//! the columns that it reads, a sum or an average of a measure is a measure, the first or last day is as the day is. A count
//! is a measure; conditions and group keys see it on the agreement's bins (`entity_counts`) alone.

use std::collections::{BTreeMap, BTreeSet};

use super::{Judge, extreme, key};
use crate::document::{Table, Use};
use crate::footprint::{
    Aggregate, Argument, CountUse, Footprint, Function, PLACES_MAX, Step, StepKey, Term, step_key, step_value,
};
use crate::id::ColumnName;
use crate::refusal::{Code, Refusal, list};
use crate::table::{ColumnRule, Domain, DomainValue};

/// How many comparisons of what entities contribute a cut may need under a minimum: of each branch, one for each choice of places. Few
/// words must not keep a site busy.
const COMPARISONS_MAX: usize = 128;

/// Judges a step and all that stands above it in the cut. Answers with what is public about the step's columns.
///
/// # Errors
/// As [`super::decide`].
pub(super) fn judge(
    judge: &Judge<'_>,
    footprint: &Footprint,
    step: &Step,
) -> Result<BTreeMap<ColumnName, ColumnRule>, Refusal> {
    let [table] = judge.tables.as_slice() else {
        return Err(Refusal::new(
            Code::PlanNode,
            "table",
            "tables may not be joined below an aggregate by entity",
            "aggregate by entity over one table alone",
        ));
    };
    let above = Above { judge, table, step };
    above.below(&footprint.aggregates)?;
    above.conditions(&footprint.filter)?;
    for group in &footprint.groups {
        group.columns.iter().try_for_each(|column| above.group(column))?;
    }
    for aggregate in &footprint.aggregates {
        above.aggregate(aggregate)?;
    }
    step.counts.iter().try_for_each(|used| above.on_bins(used))?;
    if judge.guarded {
        footprint.aggregates.iter().try_for_each(|aggregate| above.choice(footprint, aggregate))?;
    }
    Ok(above.rules())
}

/// What a column above a step comes of.
enum Origin<'a> {
    Key(&'a StepKey),
    /// How many rows or values an entity has.
    Count(&'a Aggregate),
    /// Something computed from measures.
    Measure(&'a Aggregate),
    /// The first or the last value of a column, which is used as the column is.
    End(&'a ColumnName),
}

/// What a sum or an average adds up, or what rows are chosen by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Source<'a> {
    Column(&'a ColumnName),
    /// How many rows an entity has: one count tells of another.
    Counts,
}

struct Above<'a> {
    judge: &'a Judge<'a>,
    table: &'a Table,
    step: &'a Step,
}

impl<'a> Above<'a> {
    /// The step itself; `cells` stand above it.
    fn below(&self, cells: &[Aggregate]) -> Result<(), Refusal> {
        let judge = self.judge;
        judge.conditions(&self.step.filter)?;
        if !self.step.keys.iter().any(|key| self.stands_for_one(key)) {
            return Err(Refusal::new(
                Code::AggRequired,
                self.clause("entity"),
                "an aggregate below another is grouped neither by the entity nor by a key within it",
                "group it by the entity itself, as it stands",
            ));
        }
        for key in self.step.keys.iter().filter(|key| !self.stands_for_one(key)) {
            key.columns.iter().try_for_each(|column| judge.group(column))?;
            if judge.guarded && !key.released {
                return Err(Refusal::new(
                    Code::Expression,
                    self.clause("entity"),
                    "a key of an aggregate by entity that is no key of the answer would tell rows of one entity apart, as a condition does",
                    "group the answer by it as well, as it stands, or leave it out",
                ));
            }
        }
        let filtered = self.step.values.iter().filter(|value| !value.filter.is_empty()).count();
        let places = filtered + if self.step.filter.is_empty() { 0 } else { 1 + self.step.values.len() };
        let branches = cells.iter().map(|cell| match &cell.argument {
            Argument::Case { branches, .. } => branches.len(),
            _ => 1,
        });
        let comparisons = |choices: usize| choices.saturating_mul(branches.sum());
        if judge.guarded && (places > PLACES_MAX || places > 0 && comparisons(1 << places) > COMPARISONS_MAX)
        {
            return Err(Refusal::new(
                Code::Expression,
                self.clause("entity"),
                "there are too many values under conditions in an aggregate by entity to judge each of them",
                format!(
                    "ask for fewer at once: FILTERs count once, and WHERE once and once for each value, up to {PLACES_MAX}; with so many, the \
                     answer has {} values at most, with one less twice as many, and so on",
                    COMPARISONS_MAX >> PLACES_MAX
                ),
            ));
        }
        self.step.values.iter().try_for_each(|value| self.value(value))
    }

    /// A key of which each value belongs to one entity. Where a value can be missing, the rows without one are several entities'.
    fn stands_for_one(&self, key: &StepKey) -> bool {
        let [column] = key.columns.as_slice() else { return false };
        let within = || {
            self.table.keys_within.contains(column)
                && self.table.columns.get(column).is_some_and(|column| column.rule.required)
        };
        key.plain && (self.judge.is_entity(column) || within())
    }

    fn value(&self, value: &Aggregate) -> Result<(), Refusal> {
        let judge = self.judge;
        judge.conditions(&value.filter)?;
        let several = matches!(value.argument, Argument::Case { .. } | Argument::Expression { .. });
        if value.function == Function::CountDistinct {
            return Err(Refusal::new(
                Code::Function,
                self.clause("entity"),
                "an aggregate by entity may not count distinct values",
                "write `count(*)`, or group by the column as well and count the groups",
            ));
        }
        if judge.guarded && several {
            return Err(Refusal::new(
                Code::Expression,
                self.clause("columns"),
                "an aggregate by entity may stand over one column or a product of two, and not over CASE",
                "put the condition into FILTER: `sum(column) FILTER (WHERE …)`",
            ));
        }
        let read: Vec<&ColumnName> = match &value.argument {
            Argument::Rows => Vec::new(),
            Argument::Term(term) => term.read().collect(),
            Argument::Case { branches, .. } => branches.iter().flat_map(Term::read).collect(),
            Argument::Expression { columns, .. } => columns.iter().collect(),
        };
        if matches!(value.function, Function::Min | Function::Max) {
            match &value.argument {
                Argument::Term(Term { columns, factors }) if columns.len() == 1 && factors.is_empty() => {
                    return columns.iter().try_for_each(|column| self.end(column));
                }
                _ if judge.guarded => return Err(extreme()),
                // Above it is a measure, which may be added up.
                _ => read.iter().try_for_each(|column| judge.summed(column))?,
            }
        }
        if let (Argument::Term(term), true) = (&value.argument, judge.guarded) {
            judge.term(value.function, term)?;
            return read.into_iter().try_for_each(|column| self.whole(column));
        }
        // Without a minimum, whatever may stand inside an aggregate; with one, `count(*)` and what has no place.
        judge.aggregate(value)
    }

    /// Whether the least or the greatest value of a column is another value like the others, as of days on their steps.
    fn keeps_its_uses(&self, column: &ColumnName) -> bool {
        let judge = self.judge;
        let grain = judge.column(column).is_some_and(|column| column.rule.grain.is_some());
        (grain || !judge.guarded) && (judge.uses(column, Use::Group) || judge.uses(column, Use::Filter))
    }

    /// The least or the greatest value of a column: one like the others, or of a measure another measure.
    fn end(&self, column: &ColumnName) -> Result<(), Refusal> {
        let judge = self.judge;
        if self.keeps_its_uses(column) {
            return Ok(());
        }
        if judge.uses(column, Use::Measure) {
            judge.summed(column)?;
            return if judge.guarded { self.whole(column) } else { Ok(()) };
        }
        judge.group(column)?;
        Err(Refusal::new(
            Code::Function,
            judge.clause(column, "grain"),
            format!(
                "the least or the greatest value of `{column}` may not be taken, since it has no `grain`"
            ),
            "group by the column as well",
        ))
    }

    /// A missing value would change what is computed for somebody, and nobody could count for whom.
    fn whole(&self, column: &ColumnName) -> Result<(), Refusal> {
        if self.judge.column(column).is_some_and(|column| column.rule.required) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::ColumnUse,
            self.judge.clause(column, "required"),
            format!("column `{column}` can lack values, so it may not be aggregated by entity"),
            "aggregate it without the step by entity, or count rows with `count(*)`; where no value is missing, the agreement can say \
             `required = true`",
        ))
    }

    fn origin(&self, column: &ColumnName) -> Result<Origin<'a>, Refusal> {
        let mut keys = self.step.keys.iter().enumerate();
        if let Some((_, key)) = keys.find(|(at, _)| step_key(*at) == *column) {
            return Ok(Origin::Key(key));
        }
        let mut values = self.step.values.iter().enumerate();
        let Some((_, value)) = values.find(|(at, _)| step_value(*at) == *column) else {
            return Err(Refusal::new(Code::ColumnUse, "table", "a step has no such column", "name another"));
        };
        Ok(match (value.function, &value.argument) {
            (Function::Count | Function::CountDistinct, _) => Origin::Count(value),
            (Function::Min | Function::Max, Argument::Term(term)) => match term.columns.as_slice() {
                [one] if term.factors.is_empty() && self.keeps_its_uses(one) => Origin::End(one),
                _ => Origin::Measure(value),
            },
            _ => Origin::Measure(value),
        })
    }

    /// WHERE, FILTER and CASE above the step. Counts are judged by how they are looked at.
    fn conditions(&self, columns: &[ColumnName]) -> Result<(), Refusal> {
        columns.iter().try_for_each(|column| match self.origin(column)? {
            Origin::Key(key) => self.judge.conditions(&key.columns),
            Origin::End(end) => self.judge.conditions(std::slice::from_ref(end)),
            Origin::Count(_) => self.binned(),
            Origin::Measure(value) => Err(self.only_a_measure(value, Code::LiteralCompare)),
        })
    }

    fn group(&self, column: &ColumnName) -> Result<(), Refusal> {
        match self.origin(column)? {
            Origin::Key(key) => key.columns.iter().try_for_each(|column| self.judge.group(column)),
            Origin::End(end) => self.judge.group(end),
            Origin::Count(_) => self.binned(),
            Origin::Measure(value) => Err(self.only_a_measure(value, Code::ColumnUse)),
        }
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<(), Refusal> {
        let judge = self.judge;
        self.conditions(&aggregate.filter)?;
        let function = aggregate.function;
        if matches!(function, Function::Min | Function::Max) && judge.guarded {
            return Err(extreme());
        }
        let step = self.step;
        let below = !step.filter.is_empty() || step.values.iter().any(|value| !value.filter.is_empty());
        if judge.guarded && function == Function::Avg && below {
            // Whom conditions concern is judged by what they change of the sum. An average tells besides of whom it is, and one who adds
            // nothing to the sum would be found by that.
            return Err(Refusal::new(
                Code::Expression,
                self.clause("entity"),
                "what an aggregate by entity computes under conditions may not be averaged",
                "ask for the sum and the count, each of which is judged by itself",
            ));
        }
        match &aggregate.argument {
            Argument::Rows if function == Function::Count => Ok(()),
            Argument::Rows => Err(judge.shape()),
            Argument::Term(term) => self.term(function, term),
            Argument::Case { conditions, branches } if !branches.is_empty() => {
                self.conditions(conditions)?;
                branches.iter().try_for_each(|term| self.term(function, term))
            }
            Argument::Expression { conditions, columns }
                if !judge.guarded && function != Function::CountDistinct =>
            {
                self.conditions(conditions)?;
                columns.iter().try_for_each(|column| match (function, self.origin(column)?) {
                    (Function::Count, Origin::Key(key)) if self.all(key, Use::Filter) => Ok(()),
                    (Function::Count, Origin::End(end)) if judge.uses(end, Use::Filter) => Ok(()),
                    (Function::Min | Function::Max, Origin::Key(key)) if self.all(key, Use::Group) => Ok(()),
                    (Function::Min | Function::Max, Origin::End(end)) => judge.group(end),
                    _ => self.added(column),
                })
            }
            Argument::Case { .. } | Argument::Expression { .. } => Err(judge.shape()),
        }
    }

    fn all(&self, key: &StepKey, wanted: Use) -> bool {
        key.columns.iter().all(|column| self.judge.uses(column, wanted))
    }

    fn term(&self, function: Function, term: &Term) -> Result<(), Refusal> {
        let judge = self.judge;
        if term.factors.len() > 2 || (term.columns.is_empty() && !term.factors.is_empty()) {
            return Err(judge.shape());
        }
        match (function, term.columns.as_slice()) {
            (Function::CountDistinct, [column]) if term.factors.is_empty() => {
                return match self.origin(column)? {
                    Origin::Key(StepKey { columns, plain: true, .. })
                        if columns.iter().all(|column| judge.is_entity(column)) =>
                    {
                        Ok(())
                    }
                    _ => Err(judge.distinct()),
                };
            }
            (Function::CountDistinct, _) => return Err(judge.distinct()),
            (_, []) => {}
            (Function::Count, [column]) if term.factors.is_empty() => self.counted(column)?,
            (Function::Min | Function::Max, [column]) => match self.origin(column)? {
                Origin::Key(StepKey { columns, plain: true, .. })
                    if columns.iter().all(|column| judge.uses(column, Use::Group)) => {}
                Origin::End(end) => judge.group(end)?,
                _ => self.added(column)?,
            },
            // A count under a condition that multiplies chooses whose value is added up, and nobody is left out by it.
            (Function::Sum | Function::Avg, _)
                if judge.guarded && (term.columns.len() > 1 || !term.factors.is_empty()) =>
            {
                return Err(Refusal::new(
                    Code::Expression,
                    self.clause("columns"),
                    "what is computed for each entity may not be multiplied",
                    "add up one column of the aggregate by entity, or multiply columns of the table inside it",
                ));
            }
            (Function::Count | Function::Sum | Function::Avg, [_] | [_, _]) => {
                term.columns.iter().try_for_each(|column| self.added(column))?;
            }
            (Function::Count | Function::Sum | Function::Avg | Function::Min | Function::Max, _) => {
                return Err(judge.shape());
            }
        }
        term.factors.iter().try_for_each(|column| self.added(column))
    }

    /// `count(column)`.
    fn counted(&self, column: &ColumnName) -> Result<(), Refusal> {
        match self.origin(column)? {
            Origin::Key(key) => key.columns.iter().try_for_each(|column| self.judge.counted(column)),
            Origin::End(end) => self.judge.counted(end),
            Origin::Count(_) | Origin::Measure(_) => Ok(()),
        }
    }

    /// What may be added up: a measure, a count, or what has been computed from a measure.
    fn added(&self, column: &ColumnName) -> Result<(), Refusal> {
        match self.origin(column)? {
            Origin::Key(key) => match key.columns.as_slice() {
                [column] if key.plain => self.judge.summed(column),
                _ => Err(self.judge.shape()),
            },
            Origin::End(end) if self.judge.guarded => self.judge.summed(end).and_then(|()| self.whole(end)),
            Origin::End(end) => self.judge.summed(end),
            Origin::Count(_) | Origin::Measure(_) => Ok(()),
        }
    }

    /// As for rows ([`Judge::choice`]): neither what is added up nor what it is made of chooses the rows, here or below.
    fn choice(&self, footprint: &Footprint, aggregate: &Aggregate) -> Result<(), Refusal> {
        if !matches!(aggregate.function, Function::Sum | Function::Avg) {
            return Ok(());
        }
        let (conditions, terms) = aggregate.argument.parts();
        let mut added = BTreeSet::new();
        for column in terms.iter().flat_map(Term::read) {
            added.extend(self.sources(column)?);
        }
        let written = footprint.filter.iter().chain(&aggregate.filter).chain(conditions);
        let keys = footprint.groups.iter().flat_map(|key| &key.columns);
        let mut chosen: BTreeSet<Source<'_>> = self.step.filter.iter().map(Source::Column).collect();
        chosen.extend(self.step.values.iter().flat_map(|value| &value.filter).map(Source::Column));
        chosen.extend(self.step.keys.iter().flat_map(|key| &key.columns).map(Source::Column));
        for column in written.chain(keys) {
            chosen.extend(self.sources(column)?);
        }
        let refused = |column: &ColumnName, what: &str| {
            Err(self.judge.refuse(
                Code::ColumnUse,
                column,
                format!("{what} may not be added up or averaged under a condition or key that reads it"),
                "choose by other columns, or count instead".to_owned(),
            ))
        };
        match chosen.into_iter().find(|source| added.contains(source)) {
            None => Ok(()),
            Some(Source::Column(column)) => refused(column, &format!("column `{column}`")),
            Some(Source::Counts) => {
                let entity = self.table.entity.clone().unwrap_or_else(|| ColumnName::new(""));
                refused(&entity, "a count for each entity")
            }
        }
    }

    fn sources(&self, column: &ColumnName) -> Result<Vec<Source<'a>>, Refusal> {
        let read = |value: &'a Aggregate| {
            let (_, terms) = value.argument.parts();
            terms.iter().flat_map(Term::read).map(Source::Column).collect::<Vec<_>>()
        };
        Ok(match self.origin(column)? {
            Origin::Key(key) => key.columns.iter().map(Source::Column).collect(),
            Origin::End(end) => vec![Source::Column(end)],
            Origin::Count(value) => read(value).into_iter().chain([Source::Counts]).collect(),
            Origin::Measure(value) => read(value),
        })
    }

    /// Counts may be looked at at all.
    fn binned(&self) -> Result<(), Refusal> {
        if !self.table.entity_counts.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(
            Code::ColumnUse,
            self.clause("entity_counts"),
            "a count for each entity may not be grouped or filtered by",
            "add it up or average it; for the rest the agreement would have to list bins in `entity_counts`",
        ))
    }

    /// Counts are looked at as whole bins. To put them into bins in silence would give another answer than was asked for.
    fn on_bins(&self, used: &CountUse) -> Result<(), Refusal> {
        self.binned()?;
        let bins = &self.table.entity_counts;
        let on = |edge: &i64| bins.iter().any(|bin| i64::from(*bin) == *edge);
        if used.edges.as_ref().is_some_and(|edges| edges.iter().all(on)) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::LiteralCompare,
            self.clause("entity_counts"),
            format!("a count for each entity is seen in steps alone, which begin at {}", list(bins)),
            format!("compare it with these by `>=` or `<`, or group by `{}`", by_bins(bins)),
        ))
    }

    fn only_a_measure(&self, value: &Aggregate, code: Code) -> Refusal {
        let (_, terms) = value.argument.parts();
        let column = terms.iter().flat_map(Term::read).next();
        let clause = match column {
            Some(column) => self.judge.clause(column, "use"),
            None => self.clause("columns"),
        };
        let of = column.map(|column| format!(" of column `{column}`")).unwrap_or_default();
        Refusal::new(
            code,
            clause,
            format!(
                "what is computed for each entity{of} may not be grouped or filtered by, since it comes of a measure"
            ),
            "add it up, average it or count it",
        )
    }

    fn clause(&self, part: &str) -> String {
        format!("table.{}.{part}", key(self.table.name.as_str()))
    }

    /// What is public about the columns of the step.
    fn rules(&self) -> BTreeMap<ColumnName, ColumnRule> {
        let rule = |column: &ColumnName| {
            let mut rule = self.judge.column(column).map(|column| column.rule.clone()).unwrap_or_default();
            rule.required |= self.judge.is_entity(column);
            // Who lacks a value in some of their rows is another matter than who lacks one in a row.
            rule.missing_public = false;
            rule
        };
        let of_key = |key: &StepKey| match key.columns.as_slice() {
            [column] if key.plain => rule(column),
            _ => ColumnRule::default(),
        };
        let of_value = |value: &Aggregate| match (value.function, &value.argument) {
            (Function::Count | Function::CountDistinct, argument) => {
                let never_none = *argument == Argument::Rows && value.filter.is_empty();
                ColumnRule { required: true, domain: self.bins(never_none), ..ColumnRule::default() }
            }
            (Function::Min | Function::Max, Argument::Term(Term { columns, factors }))
                if factors.is_empty() =>
            {
                let one = columns.first().map(rule).unwrap_or_default();
                ColumnRule { required: one.required && value.filter.is_empty(), ..one }
            }
            (_, Argument::Term(term)) => {
                let whole = term.read().all(|column| rule(column).required);
                ColumnRule { required: whole && value.filter.is_empty(), ..ColumnRule::default() }
            }
            _ => ColumnRule::default(),
        };
        let keys = self.step.keys.iter().enumerate().map(|(at, key)| (step_key(at), of_key(key)));
        let values = self.step.values.iter().enumerate();
        keys.chain(values.map(|(at, value)| (step_value(at), of_value(value)))).collect()
    }

    /// One count of each bin. Conditions and keys see bins alone, so what holds of one count of a bin holds of all.
    fn bins(&self, never_none: bool) -> Option<Domain> {
        let first = self.table.entity_counts.first()?;
        let least = match (never_none, *first) {
            (true, 1) => None,
            (true, _) => Some(1),
            (false, _) => Some(0),
        };
        let all = least.into_iter().chain(self.table.entity_counts.iter().map(|bin| i64::from(*bin)));
        Some(Domain::Values(all.map(DomainValue::Integer).collect()))
    }
}

/// Bins as the CASE that groups by them.
fn by_bins(bins: &[u32]) -> String {
    let mut text = "CASE".to_owned();
    for bin in bins.iter().rev() {
        text += &format!(" WHEN n >= {bin} THEN {bin}");
    }
    text + " ELSE 0 END"
}
