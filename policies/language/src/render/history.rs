//! What earlier answers mean for later ones, and answers with noise.

use super::page::{Block, Clause, Text};
use super::words::{chance, count, percent, said, whole, word};
use crate::file::{File, History, Privacy, SnapshotRhythm};

/// What earlier answers mean for later ones.
pub(super) fn history(file: &File) -> Vec<Block> {
    let Some(history) = &file.history else {
        return vec![Block::Paragraph(Text::new(
            "Each question is judged by itself. Earlier answers do not count.",
        ))];
    };
    let clause = |(key, text): (&'static str, String)| Block::Clause(Clause::new(key, text));
    let first = format!(
        "Earlier answers count: nothing is given out that would tell too much next to them. {}",
        over(history)
    );
    let clauses = [("history.scope", first)].into_iter().chain(memory(history)).chain(effort(history));
    clauses.map(clause).collect()
}

fn over(history: &History) -> String {
    match history.scope.map(|scope| word(&scope)).as_deref() {
        Some("table") => "All answers about a table count, for each purpose and whoever asked.".into(),
        Some(other) => format!("Those that count are of the {}.", said(other)),
        None => "All answers about a table count.".into(),
    }
}

fn memory(history: &History) -> Vec<(&'static str, String)> {
    let mut texts = Vec::new();
    if let Some(rhythm) = history.snapshot {
        let rhythm = match rhythm {
            SnapshotRhythm::Day => "day",
            SnapshotRhythm::Month => "month",
            SnapshotRhythm::Quarter => "quarter",
        };
        let text = format!("Questions see a copy of the data. A new copy is made each {rhythm}.");
        texts.push(("history.snapshot", text));
    }
    if let Some(days) = history.window_days {
        let text = format!("Answers are kept in mind for {}.", count(days, "day", "days"));
        texts.push(("history.window_days", text));
    }
    if let Some(people) = history.minimum_difference {
        let people = count(people, "person", "people");
        let text =
            format!("What can be worked out from several answers is about at least {people}, or about none.");
        texts.push(("history.minimum_difference", text));
    }
    texts
}

fn effort(history: &History) -> Vec<(&'static str, String)> {
    let mut texts = Vec::new();
    if let Some(rows) = history.search {
        let answers = count(rows, "answer", "answers");
        let text = format!("To find what would tell too much, the site looks at up to {answers} together.");
        texts.push(("history.search", text));
    }
    if let Some(rank) = history.max_rank {
        let text = format!(
            "Recipients learn at most {} that tell something new, about figures that hang together.",
            count(rank, "answer", "answers")
        );
        texts.push(("history.max_rank", text));
    }
    if let Some(share) = history.max_share {
        texts.push((
            "history.max_share",
            format!("One caller may use up {} of that at most.", percent(share)),
        ));
    }
    if let Some(atoms) = history.max_atoms {
        let text = format!("The site tells apart up to {} of people.", count(atoms, "group", "groups"));
        texts.push(("history.max_atoms", text));
    }
    texts
}

/// Answers with noise.
pub(super) fn noise(file: &File) -> Vec<Block> {
    let Some(privacy) = &file.privacy else {
        return vec![Block::Paragraph(Text::new("No noise is added to answers."))];
    };
    let mut clauses = vec![
        format!(
            "Noise is added to each answer, so that it would be nearly the same without any one person. A person here is \
             one value of {}.",
            said(&privacy.unit)
        ),
        format!(
            "It is measured how much answers tell about a person. The measure is {}. It may come to {} in {}.",
            said(word(&privacy.measure)),
            privacy.rho_total,
            count(privacy.window_days, "day", "days")
        ),
        format!("The chance that this fails is {} at most.", chance(privacy.delta)),
    ];
    clauses.extend(shares(privacy));
    clauses.into_iter().map(|text| Block::Clause(Clause::new("privacy", text))).collect()
}

fn shares(privacy: &Privacy) -> Vec<String> {
    let mut texts = Vec::new();
    match privacy.rho_lifetime {
        Some(most) => texts.push(format!("Over all time it may come to {most}.")),
        None => texts.push("No end is set for all time.".into()),
    }
    match privacy.rho_per_caller {
        Some(most) => texts.push(format!("One caller may use {most} of it.")),
        None => texts.push("One caller may use all of it.".into()),
    }
    match privacy.groups_per_entity_max {
        Some(most) => texts.push(format!(
            "A person counts in {} of an answer at most.",
            if most == 1 { "1 group".into() } else { format!("{} groups", whole(most.into())) }
        )),
        None => texts.push("A person counts in all groups of an answer.".into()),
    }
    texts
}
