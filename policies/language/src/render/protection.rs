//! What every figure must keep to before it leaves, and what nothing in the agreement guards against.

use super::page::{Block, Clause, Text};
use super::words::{count, percent, whole};
use crate::file::{Disclosure, File, LeftOut, Perturb, Scope, Secondary, Zeros};

/// What is protected, and how.
pub(super) fn figures(file: &File) -> Vec<Block> {
    let rules = &file.disclosure;
    let mut clauses = vec![
        Clause::new("disclosure.minimum_contributors", minimum(rules.minimum_contributors)),
        Clause::saying("disclosure.scope", &rules.scope, scope(rules.scope)),
        Clause::saying("disclosure.zeros", &rules.zeros, zeros(rules.zeros)),
        Clause::saying("disclosure.left_out", &rules.left_out, left_out(rules.left_out)),
    ];
    clauses.extend(largest(rules));
    clauses.extend(others(rules));
    clauses.push(Clause::saying("disclosure.perturb", &rules.perturb, perturb(rules.perturb)));
    // What the rules do not guard against comes before them: a reader who stops early has read it.
    uncovered(file).into_iter().chain(clauses.into_iter().map(Block::Clause)).collect()
}

fn minimum(least: u32) -> String {
    if least > 1 {
        let people = count(least, "person", "people");
        format!(
            "Behind each figure that recipients learn stand at least {people}. Those whom a question leaves out must be \
             at least as many, or none. All other figures are withheld."
        )
    } else {
        format!(
            "A figure may be about one person. The least number of people behind it is {}, and so the rules on small \
             figures are off.",
            whole(least.into())
        )
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Site => "Each site counts its own people, and gives out or withholds its own figures.",
        Scope::Joint => "People are counted over all sites at once. No site shows its own count.",
    }
}

fn zeros(zeros: Zeros) -> &'static str {
    match zeros {
        Zeros::Suppress => "No one learns whether there are few people or none: both are withheld alike.",
        Zeros::Show => "Recipients may learn that there is no one: a zero is shown.",
    }
}

fn left_out(judged: LeftOut) -> &'static str {
    match judged {
        LeftOut::Always => "Each question is checked for those whom it leaves out.",
        LeftOut::Released => {
            "A question is checked for those whom it leaves out only next to figures that were given out."
        }
    }
}

fn perturb(perturb: Perturb) -> &'static str {
    match perturb {
        Perturb::None => "No count is changed by chance.",
        Perturb::CellKey => "Each count is changed a little by chance, and each time in the same way.",
    }
}

/// Rules against one person who makes up most of a total.
fn largest(rules: &Disclosure) -> Vec<Clause> {
    let mut clauses = Vec::new();
    if let Some(dominance) = &rules.dominance {
        let text = format!(
            "No {} may make up more than {} of a total.",
            count(dominance.n, "person", "people"),
            percent(dominance.share)
        );
        clauses.push(Clause::new("disclosure.dominance", text));
    }
    if let Some(ratio) = rules.p_ratio {
        let text = format!(
            "The person with the second largest part of a total must not be able to work out the largest part to within \
             {}.",
            percent(ratio)
        );
        clauses.push(Clause::new("disclosure.p_ratio", text));
    }
    clauses
}

fn others(rules: &Disclosure) -> Vec<Clause> {
    let mut clauses = Vec::new();
    if let Some(secondary) = rules.secondary {
        let chosen = match secondary {
            Secondary::Optimal => "As few as can be are chosen.",
            Secondary::Greedy => "They are chosen fast, and so there may be more than needed.",
        };
        let text = format!(
            "More figures are withheld where that is needed, so that none can be found by taking one from another. \
             {chosen}"
        );
        clauses.push(Clause::new("disclosure.secondary", text));
    }
    if let Some(share) = rules.protection {
        let text = format!(
            "No one can work out a withheld total closely. For all that they can tell, it could be {} more or less.",
            percent(share)
        );
        clauses.push(Clause::new("disclosure.protection", text));
    }
    if let Some(base) = rules.round_base {
        clauses.push(Clause::new(
            "disclosure.round_base",
            format!("Counts are rounded to the nearest {}.", whole(base.into())),
        ));
    }
    clauses
}

/// Rules for models.
pub(super) fn models(file: &File) -> Vec<Block> {
    let rules = &file.disclosure;
    let mut clauses = Vec::new();
    if let Some(more) = rules.degrees_of_freedom {
        let text = format!(
            "The records of a model must outnumber the numbers that it learns, by {} or more.",
            whole(more.into())
        );
        clauses.push(Clause::new("disclosure.degrees_of_freedom", text));
    }
    if let Some(most) = rules.parameters_per_observation {
        let text = format!("For each record, a model may learn {most} numbers at most.");
        clauses.push(Clause::new("disclosure.parameters_per_observation", text));
    }
    if let Some(most) = rules.openings_per_observation {
        let text = format!(
            "All models over the same people together may show {most} numbers for each record at most, in all their \
             rounds."
        );
        clauses.push(Clause::new("disclosure.openings_per_observation", text));
    }
    if let Some(models) = &file.models {
        let text = format!(
            "To test a model, the data is cut into {}, always the same.",
            count(models.folds, "part", "parts")
        );
        clauses.push(Clause::new("models", text));
    }
    if clauses.is_empty() {
        return vec![Block::Paragraph(Text::new("There are no rules for models."))];
    }
    clauses.into_iter().map(Block::Clause).collect()
}

/// What no rule of the agreement guards against: a board should not think that it does.
fn uncovered(file: &File) -> Option<Block> {
    let rules = &file.disclosure;
    let few = rules.minimum_contributors > 1;
    let mut items = Vec::new();
    if few && rules.dominance.is_none() && rules.p_ratio.is_none() {
        items.push("A total can be shown in which one person makes up nearly all of it.");
    }
    if few && rules.secondary.is_none() {
        items.push(
            "Figures can be taken from a total that another question shows, to find one that is withheld.",
        );
    }
    if few && file.history.is_none() {
        items.push(
            "Two answers can be compared, to find out about the few people who are in one of them alone.",
        );
    }
    if file.release.time_class_ms.is_empty() {
        items.push("The time that an answer takes can tell something about the data.");
    }
    if items.is_empty() || file.privacy.is_some() {
        return None;
    }
    Some(Block::List {
        intro: Text::new("The agreement has no rule against the following:"),
        items: items.into_iter().map(Text::new).collect(),
    })
}
