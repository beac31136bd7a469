//! What shows a change: a question that one version answers and the other refuses, with both verdicts, found with the very
//! functions that decide; or the cells and rows that one shows and the other does not.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::questions::{Both, Grant, sql};
use super::{About, Change, Direction};
use crate::decide::key;
use crate::document::Agreement;
use crate::footprint::Footprint;
use crate::id::{OrganisationName, Purpose, RoleName};
use crate::refusal::Refusal;

/// What shows a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Example {
    /// A question whose verdict changes.
    Question(Box<Question>),
    /// The same questions are answered, and other cells or rows are in the answers.
    Cells(String),
}

/// A question that one version answers and the other refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Who asks.
    pub organisation: OrganisationName,
    /// In which role.
    pub role: RoleName,
    /// For what.
    pub purpose: Purpose,
    /// When.
    pub day: NaiveDate,
    /// What is asked.
    pub sql: String,
    /// What that touches.
    pub footprint: Footprint,
    /// The old version's refusal; none where it answers.
    pub before: Option<Refusal>,
    /// The new version's.
    pub after: Option<Refusal>,
}

/// Finds what shows a change.
pub(super) fn find(old: &Agreement, new: &Agreement, change: &Change) -> Option<Example> {
    let both = Both { old, new };
    match &change.about {
        About::Nothing => None,
        About::Rows(before, after) => {
            let (less, more) = (before.min(after), before.max(after));
            let verb = if after < before { "no longer given" } else { "given" };
            Some(Example::Cells(format!("answers with {} to {more} rows are {verb}", less.saturating_add(1))))
        }
        About::Minimum(before, after) => match before.min(after) {
            0 | 1 => standing(&both, change, &both.everything()).or_else(|| Some(cells(*before, *after))),
            _ => Some(cells(*before, *after)),
        },
        About::Table(_) => standing(&both, change, &both.counts()),
        About::Column(table, column) => standing(&both, change, &both.positions(table, column)),
        About::Join(table) => standing(&both, change, &both.joins(table)),
        About::Callers(of) => {
            let grants = both.grants().into_iter();
            let concerned = grants.filter(|(who, ..)| of.as_ref().is_none_or(|of| of == who)).collect();
            coming(&both, change, concerned)
        }
        About::Days => coming(&both, change, both.grants().into_iter().collect()),
    }
}

/// Cells between the two minimums.
fn cells(before: u32, after: u32) -> Example {
    let (least, most) = (before.min(after), before.max(after).saturating_sub(1));
    let behind = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let verb = if after > before { "no longer shown" } else { "shown" };
    Example::Cells(format!("cells with {behind} contributors behind them, or left out of them, are {verb}"))
}

/// Somebody asks who may ask under both.
fn standing(both: &Both<'_>, change: &Change, asked: &[Footprint]) -> Option<Example> {
    let counts = both.counts();
    let (grant, day) = both.grants().into_iter().find_map(|grant| {
        // Whether they may come at all does not hang on what they ask, so any question tells.
        let count = counts.first()?;
        let comes = |day: &NaiveDate| both.ask(&grant, *day, count).iter().all(|said| !is_door(said));
        both.days().into_iter().find(comes).map(|day| (grant.clone(), day))
    })?;
    asked.iter().find_map(|footprint| shown(both, change, &grant, day, footprint))
}

/// Somebody asks what both versions answer to whoever may come.
fn coming(both: &Both<'_>, change: &Change, grants: Vec<Grant>) -> Option<Example> {
    let counts = both.counts();
    let asked = counts.iter().find(|count| {
        [both.old, both.new].iter().all(|agreement| crate::decide::judge(agreement, count).is_ok())
    })?;
    let days = both.days();
    grants.iter().find_map(|grant| days.iter().find_map(|day| shown(both, change, grant, *day, asked)))
}

fn is_door(said: &Result<(), Refusal>) -> bool {
    said.as_ref().is_err_and(|refusal| {
        refusal.clause.starts_with("recipient") || refusal.clause.starts_with("agreement.")
    })
}

/// The question, if its verdict changes the way that the clause goes, and by that clause.
fn shown(
    both: &Both<'_>,
    change: &Change,
    grant: &Grant,
    day: NaiveDate,
    footprint: &Footprint,
) -> Option<Example> {
    let [before, after] = both.ask(grant, day, footprint).map(Result::err);
    let refusal = match (change.direction, &before, &after) {
        (Direction::Tightens | Direction::Neither, None, Some(refusal))
        | (Direction::Loosens | Direction::Neither, Some(refusal), None) => refusal,
        _ => return None,
    };
    if !by(change, refusal) {
        return None;
    }
    let (organisation, role, purpose) = grant.clone();
    let (sql, footprint) = (sql(footprint), footprint.clone());
    Some(Example::Question(Box::new(Question {
        organisation,
        role,
        purpose,
        day,
        sql,
        footprint,
        before,
        after,
    })))
}

/// Whether a refusal is one that this clause makes.
fn by(change: &Change, refusal: &Refusal) -> bool {
    let clause = refusal.clause.as_str();
    match &change.about {
        About::Callers(_) => clause.starts_with("recipient"),
        About::Days => clause == change.clause,
        About::Table(name) => clause == "table" && refusal.message.contains(&format!("`{name}`")),
        About::Column(table, column) => {
            let table = key(table.as_str());
            clause.starts_with(&format!("table.{table}.columns.{}.", key(column.as_str())))
                || clause == format!("table.{table}.join.keys")
        }
        About::Join(_) => clause.contains(".join") || clause == "disclosure.minimum_contributors",
        About::Minimum(..) => clause == "disclosure.minimum_contributors",
        About::Nothing | About::Rows(..) => false,
    }
}
