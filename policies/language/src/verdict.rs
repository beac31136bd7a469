//! What a question would be told, as a command prints it: permit or refusal, and what a permit obliges the node to. It is no
//! permit, so nothing can be run with it.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::decide::{judge, key};
use crate::document::Agreement;
use crate::footprint::{Argument, Footprint, Term, place_in_cut};
use crate::id::ColumnName;
use crate::refusal::{Code, Refusal, list};
use crate::table::Obligations;

/// What a question would be told. The keys of its JSON form are stable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    verdict: Word,
    code: Option<Code>,
    clause: Option<String>,
    message: Option<String>,
    fix: Option<String>,
    obligations: BTreeSet<Obligation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Permit,
    Refusal,
}

/// What a permit comes with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Obligation {
    /// The clause that says it.
    pub clause: String,
    /// What the node does, lower case, no full stop.
    pub message: String,
}

impl Verdict {
    /// Judges the cuts of a question that a recipient may ask.
    pub fn over(agreement: &Agreement, cuts: &[Footprint]) -> Self {
        let mut obligations = BTreeSet::new();
        for cut in cuts {
            match judge(agreement, cut) {
                Ok(found) => obligations.extend(of_cut(cut, &found)),
                Err(refusal) => return refusal.into(),
            }
        }
        obligations.insert(Obligation {
            clause: "release.rows_out_max".to_owned(),
            message: format!("an answer has at most {} rows", agreement.rows_out_max()),
        });
        Self { verdict: Word::Permit, code: None, clause: None, message: None, fix: None, obligations }
    }

    /// Whether it is a permit.
    pub fn is_permit(&self) -> bool {
        self.verdict == Word::Permit
    }

    /// The refusal's code.
    pub fn code(&self) -> Option<Code> {
        self.code
    }

    /// What a permit comes with, in the order of the clauses.
    pub fn obligations(&self) -> &BTreeSet<Obligation> {
        &self.obligations
    }
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, clause, message, fix } = refusal;
        Self {
            verdict: Word::Refusal,
            code: Some(code),
            clause: Some(clause),
            message: Some(message),
            fix: Some(fix),
            obligations: BTreeSet::new(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, &self.message, &self.clause, &self.fix) {
            (Some(code), Some(message), Some(clause), Some(fix)) => {
                write!(f, "refused {code}: {message}\n  clause: {clause}\n  fix: {fix}")
            }
            _ => {
                f.write_str("permitted")?;
                self.obligations.iter().try_for_each(|obligation| {
                    write!(f, "\n  {}\n    clause: {}", obligation.message, obligation.clause)
                })
            }
        }
    }
}

fn of_cut(cut: &Footprint, found: &Obligations) -> Vec<Obligation> {
    let mut all = Vec::new();
    if let Some(minimum) = found.minimum {
        let mut say = |message: String| {
            all.push(Obligation { clause: "disclosure.minimum_contributors".to_owned(), message });
        };
        let entity =
            place_in_cut(cut.tables.len(), &found.entity).map_or_else(|| found.entity.clone(), |at| at.1);
        say(format!(
            "a cell is withheld unless at least {minimum} distinct `{entity}` are behind it, and as many are among those whom the \
             question leaves out of it, or nobody can be"
        ));
        for part in &found.parts {
            let tables = part.iter().filter_map(|at| cut.tables.get(*at));
            say(format!("whoever is in {} and not in the join counts as left out", list(tables)));
        }
    }
    let rules = found.concentration;
    if let (Some(_), Some((most, share))) = (found.minimum, rules.dominance) {
        let percent = share * 100.0;
        all.push(Obligation {
            clause: "disclosure.dominance".to_owned(),
            message: format!(
                "a cell is withheld where its {most} largest make up more than {percent} % of it, and so is one from which the                  question leaves out such a sum"
            ),
        });
    }
    if let (Some(_), Some(ratio)) = (found.minimum, rules.p_ratio) {
        let percent = ratio * 100.0;
        all.push(Obligation {
            clause: "disclosure.p_ratio".to_owned(),
            message: format!(
                "a cell is withheld where all but its two largest make up less than {percent} % of the largest, and so is one from                  which the question leaves out such a sum"
            ),
        });
    }
    for column in read(cut) {
        let declared = found.columns.get(column).is_some_and(|rule| rule.domain.is_some());
        let table = |at: usize| cut.tables.get(at).map(|table| key(table.as_str()));
        if let Some((at, own)) = place_in_cut(cut.tables.len(), column)
            && let Some(table) = table(at)
            && declared
        {
            all.push(Obligation {
                clause: format!("table.{table}.columns.{}.domain", key(own.as_str())),
                message: format!("a value of `{own}` that is not declared counts as missing"),
            });
        }
    }
    all
}

/// Every column whose values the cut reads.
fn read(cut: &Footprint) -> BTreeSet<&ColumnName> {
    let keys = cut.groups.iter().flat_map(|key| &key.columns);
    let mut columns: BTreeSet<_> = cut.filter.iter().chain(keys).collect();
    for aggregate in &cut.aggregates {
        columns.extend(&aggregate.filter);
        let (conditions, terms) = aggregate.argument.parts();
        columns.extend(conditions);
        columns.extend(terms.iter().flat_map(Term::read));
        if let Argument::Expression { conditions, columns: computed } = &aggregate.argument {
            columns.extend(conditions.iter().chain(computed));
        }
    }
    columns
}
