//! A register of agreements: an index of all of them, and then each one in full, under its headings.
//!
//! It knows files, not sites: what it says of an agreement is what its days allow, and never that it is signed or in force.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};

use super::page::{Block, Page, Section, Text};
use super::words::{all, count, day, names, said, whole};
use super::{named, render, title};
use crate::file::{Date, File};
use crate::id::AgreementHash;

/// An agreement of a register.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it says.
    pub file: File,
    /// Its fingerprint.
    pub hash: AgreementHash,
    /// The files that hold it.
    pub places: Vec<String>,
}

/// What each column of the index holds, in the order of the headings.
const INDEX: [&str; 13] = [
    "Agreement",
    "State",
    "Fingerprint",
    "File",
    "People behind each figure",
    "Parties",
    "Purpose",
    "Recipients",
    "Data",
    "Marking",
    "Since",
    "Until",
    "Review due",
];

/// The register as it is read on a day. Agreements are listed by their ids, then by their versions.
pub fn register(agreements: &[Entry], today: NaiveDate) -> Page {
    let mut sorted: Vec<&Entry> = agreements.iter().collect();
    sorted.sort_by_key(|it| (it.file.agreement.id.as_str(), it.file.agreement.version.as_str()));
    let number = u64::try_from(sorted.len()).unwrap_or(u64::MAX);
    let about = format!(
        "This register lists {}, as it is on {}. It tells what they say, and what their dates allow. Whether one is \
         signed, in force or suspended is not written in it: the sites know that, and `liquid policy status` asks them.",
        count(number, "agreement", "agreements"),
        day(Date(today))
    );
    let mut page = Page {
        title: Text::new("Register of agreements"),
        lead: vec![Block::Paragraph(Text::new(about))],
        sections: Vec::new(),
    };
    let mut rows = Vec::new();
    for (index, entry) in sorted.into_iter().enumerate() {
        let anchor = format!("a{}", index + 1);
        rows.push(row(entry, &anchor, today));
        page.sections.extend(in_full(entry, &anchor));
    }
    page.lead.push(Block::Table { header: INDEX.to_vec(), rows });
    page
}

fn row(Entry { file, hash, places }: &Entry, anchor: &str, today: NaiveDate) -> Vec<Text> {
    let head = &file.agreement;
    let name = format!("{} ({}, version {})", title(file), said(&head.id), said(&head.version));
    let recipients: BTreeSet<_> = file.recipient.iter().map(|recipient| &recipient.organisation).collect();
    let purpose = match &head.purpose_text {
        Some(text) => said(text),
        None => names(&head.purposes),
    };
    let unless_empty = |names: Vec<String>| if names.is_empty() { "None".to_owned() } else { all(names) };
    let review = head.review.as_ref().map_or_else(|| "None".to_owned(), |review| day(review.due));
    vec![
        Text::link(anchor, name),
        Text::new(state(file, today)),
        Text::new(hash.short()),
        Text::new(unless_empty(places.iter().map(said).collect())),
        Text::new(whole(file.disclosure.minimum_contributors.into())),
        Text::new(unless_empty(file.party.iter().map(|party| said(&party.organisation)).collect())),
        Text::new(purpose),
        Text::new(unless_empty(recipients.into_iter().map(said).collect())),
        Text::new(unless_empty(file.table.keys().map(said).collect())),
        Text::new(head.marking.as_ref().map_or_else(|| "None".to_owned(), said)),
        Text::new(day(head.in_force)),
        Text::new(day(head.expires)),
        Text::new(review),
    ]
}

/// What its days and its rules say of it; whether it is signed is not written in it.
fn state(file: &File, today: NaiveDate) -> &'static str {
    let head = &file.agreement;
    let overdue = head.review.as_ref().map(|review| {
        let last = review.due.0.checked_add_days(Days::new(review.grace_days.into()));
        (today > review.due.0, last.is_some_and(|last| today > last))
    });
    match overdue {
        _ if today < head.in_force.0 => "It has not begun.",
        _ if today > head.expires.0 => "It has ended.",
        _ if render(file).not_kept_yet() > 0 => "A site will not take it.",
        Some((_, true)) => "It stands still, as its review is overdue.",
        Some((true, false)) => "Its dates allow it today, but its review is overdue.",
        _ => "Its dates allow it today.",
    }
}

fn in_full(entry: &Entry, anchor: &str) -> Vec<Section> {
    let page = named(render(&entry.file), &entry.hash);
    let whole = Section { level: 1, anchor: anchor.to_owned(), heading: page.title, blocks: page.lead };
    let below = page.sections.into_iter().map(|section| Section {
        level: section.level + 1,
        anchor: format!("{anchor}-{}", section.anchor),
        ..section
    });
    std::iter::once(whole).chain(below).collect()
}
