//! What may be learned from one column, and what is public about it.

use super::page::Clause;
use super::words::{all, any, count, said, word};
use crate::file::{AggregateWord, Column, DomainBound, DomainText, Missing, UseWord};

/// All that is said of a column.
pub(super) fn clauses(column: &Column, entity: bool) -> Vec<Clause> {
    let mut clauses = uses(column, entity);
    clauses.extend(aggregates(column));
    clauses.extend(column.domain.as_ref().map(|written| domain(column, written)));
    if column.domain.is_none() && has(column, UseWord::Group) {
        clauses.push(Clause::new(
            "table.*.columns.*.use",
            "Its values are not public. So a value that few people have does not show up in answers at all.",
        ));
    }
    clauses.extend(form(column));
    clauses.extend(gaps(column));
    clauses
}

fn has(column: &Column, wanted: UseWord) -> bool {
    column.uses.contains(&wanted)
}

fn uses(column: &Column, entity: bool) -> Vec<Clause> {
    const KEY: &str = "table.*.columns.*.use";
    let mut texts = Vec::new();
    if column.uses.is_empty() && !entity {
        texts.push("No one may ask about it or learn its values.");
    }
    if entity {
        texts.push("Recipients may learn how many different people there are, and not who they are.");
    }
    match (has(column, UseWord::Group), has(column, UseWord::Filter)) {
        (true, true) => {
            texts.push(
                "Recipients may learn figures for each of its values, and for people with some of them only.",
            );
        }
        (true, false) => texts.push("Recipients may learn figures for each of its values."),
        (false, true) => texts.push("Recipients may learn figures for people with some of its values only."),
        (false, false) => {}
    }
    if has(column, UseWord::Join) {
        texts.push("It may link this table to others.");
    }
    let mut clauses = Vec::new();
    if !texts.is_empty() {
        clauses.push(Clause::new(KEY, texts.join(" ")));
    }
    if has(column, UseWord::Output) {
        let text = "Recipients may learn its values row by row.";
        clauses.push(Clause::new(KEY, text).not_yet_if(true));
    }
    clauses
}

fn aggregates(column: &Column) -> Option<Clause> {
    const KEY: &str = "table.*.columns.*.aggregates";
    let words: Vec<&str> = column
        .aggregates
        .iter()
        .map(|aggregate| match aggregate {
            AggregateWord::Count => "how many values there are",
            AggregateWord::Sum => "the total of its values",
            AggregateWord::Avg => "the average of its values",
        })
        .collect();
    match (has(column, UseWord::Measure), words.as_slice()) {
        (true, []) => {
            Some(Clause::new(KEY, "Figures may be worked out from its values, but no way to do so is named."))
        }
        (true, words) => {
            Some(Clause::new(KEY, format!("Recipients may learn {}, over groups of people.", all(words))))
        }
        (false, words) if column.aggregates != Column::default().aggregates => {
            Some(Clause::new(KEY, format!("It names {}, but no one may learn it.", all(words))))
        }
        (false, _) => None,
    }
}

fn domain(column: &Column, domain: &DomainText) -> Clause {
    const VALUES: &str = "table.*.columns.*.domain.values";
    let mut texts = Vec::new();
    let mut clause = Clause::new(VALUES, "");
    if let Some(values) = &domain.values {
        texts.push(format!("Everyone may know that it can only be {}.", any(values.iter().map(said))));
    }
    // Which step is the newest is not known to this version.
    let is_text = |bound: &Option<DomainBound>| matches!(bound, Some(DomainBound::Text(_)));
    let newest = matches!(&domain.to, Some(DomainBound::Text(last)) if last == "snapshot");
    let unknown = newest && is_text(&domain.from) && column.grain.is_some() && domain.values.is_none();
    let end = |bound: &DomainBound| match bound {
        DomainBound::Text(last) if last == "snapshot" => "the last one in the copy of the data".to_owned(),
        other => said(word(other)),
    };
    match (&domain.from, &domain.to) {
        (Some(from), Some(to)) => {
            texts.push(format!("Everyone may know that it goes from {} to {}.", end(from), end(to)));
        }
        (Some(from), None) => texts.push(format!("It starts at {}, and no end is named.", end(from))),
        (None, Some(to)) => texts.push(format!("It ends at {}, and no start is named.", end(to))),
        (None, None) => {}
    }
    if domain.from.is_some() || domain.to.is_some() {
        clause = Clause::new("table.*.columns.*.domain.from", "").and("table.*.columns.*.domain.to");
        if domain.values.is_some() {
            clause = clause.and(VALUES);
        }
    }
    if let Some(file) = &domain.file {
        texts.push(format!("Everyone may know its values. They stand in the file {}.", said(file)));
        clause = clause.and("table.*.columns.*.domain.file");
    }
    if let Some(hash) = &domain.sha256 {
        texts.push(format!("The file has the fingerprint {}.", said(hash)));
        clause = clause.and("table.*.columns.*.domain.sha256");
    }
    if texts.is_empty() {
        texts.push("Its values are said to be public, but they are not named.".into());
    }
    Clause { text: super::page::Text::new(texts.join(" ")), ..clause.not_yet_if(unknown) }
}

/// What is done to the values before they count.
fn form(column: &Column) -> Vec<Clause> {
    let mut clauses = Vec::new();
    if let Some(grain) = &column.grain {
        let text = format!("Its finest step is the {}. Nothing finer is used.", step(&word(grain)));
        clauses.push(Clause::new("table.*.columns.*.grain", text));
    }
    if let Some([least, greatest]) = column.bounds {
        let text = format!(
            "A value below {least} counts as {least}. A value above {greatest} counts as {greatest}."
        );
        clauses.push(Clause::new("table.*.columns.*.bounds", text));
    }
    if let Some(quantiles) = &column.quantiles {
        let text = format!(
            "Recipients may learn where the values lie at {} of the way, from the least to the greatest. These are \
             rounded to steps of {}. At least {} must lie on each side.",
            all(quantiles.probs.iter().map(|place| super::words::percent(*place))),
            quantiles.round_to,
            count(quantiles.min_each_side, "person", "people"),
        );
        clauses.push(Clause::new("table.*.columns.*.quantiles", text));
    }
    if let Some(transform) = &column.transform {
        let text = match word(transform).as_str() {
            "token" => "A code that tells nothing stands in place of each value.".to_owned(),
            other => format!("In place of each value stands what {} makes of it.", said(other)),
        };
        clauses.push(Clause::new("table.*.columns.*.transform", text));
    }
    clauses
}

fn step(grain: &str) -> String {
    match grain {
        "day" | "week" | "month" | "quarter" | "year" => grain.to_owned(),
        other => format!("step {}", said(other)),
    }
}

/// What is known of those who lack a value.
fn gaps(column: &Column) -> Vec<Clause> {
    let mut clauses = Vec::new();
    if column.required {
        let text = "Each row has a value. The site's computer checks this.";
        clauses.push(Clause::new("table.*.columns.*.required", text));
    }
    match column.missing {
        Missing::Public => {
            clauses.push(Clause::new("table.*.columns.*.missing", "It is no secret who lacks a value."))
        }
        Missing::Private if !column.uses.is_empty() && !column.required => {
            clauses.push(Clause::new("table.*.columns.*.missing", "It is protected who lacks a value."));
        }
        Missing::Private => {}
    }
    clauses
}
