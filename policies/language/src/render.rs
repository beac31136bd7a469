//! An agreement in plain English, for those who sign it: who learns what, in sentences, under the headings that the
//! Information Commissioner's data sharing code asks of an agreement.
//!
//! - [`page`]: the document that is built, with [`words`] for values. Each clause knows its keys and says who keeps it.
//! - `parties`, `tables`, `columns`, `lawful`, `protection`, `history`, `ending`: the headings, in this order.
//! - `register`: many agreements on one page.
//! - [`mod@plain`], [`mod@markdown`], [`mod@html`]: the page as text, as Markdown, as one HTML file.
//!
//! No key of the file appears, and whatever changes in the file changes the text: tests walk through every key.

mod columns;
mod ending;
mod history;
pub mod html;
mod lawful;
pub mod markdown;
pub mod page;
mod parties;
pub mod plain;
mod protection;
mod register;
mod tables;
pub(crate) mod words;

use std::collections::BTreeSet;

use crate::file::File;
use crate::id::AgreementHash;
use page::{Block, Kept, Page, Section, Text};
use words::{all, any, count, day, names, said};

pub use html::html;
pub use markdown::markdown;
pub use plain::plain;
pub use register::{Entry, register};

/// The agreement as a page. It need not be one that a site would take: a rule that this version does not keep is told, with
/// a sentence that says so.
pub fn render(file: &File) -> Page {
    render_with(file, &|_, _| None)
}

/// Gives the text of an approved query that lies beside an agreement, by the name of its file and its SHA-256.
pub type Texts<'a> = &'a dyn Fn(&str, &str) -> Option<String>;

/// The same with what the approved queries ask.
pub fn render_with(file: &File, texts: Texts<'_>) -> Page {
    let identity = parties::identity(file);
    let mut page = Page { title: Text::new(title(file)), lead: identity, sections: sections(file, texts) };
    let refused = page.not_kept_yet();
    let mut lead = Vec::new();
    if refused > 0 {
        let rules = count(u64::try_from(refused).unwrap_or(u64::MAX), "rule", "rules");
        lead.push(Block::Notice(Text::new(format!(
            "A site will not take this agreement as it stands. This version does not yet keep {rules} of it. Each of \
             them is marked below."
        ))));
    }
    lead.extend(in_short(file).into_iter().map(|text| Block::Paragraph(Text::new(text))));
    page.lead.splice(0..0, lead);
    let used: BTreeSet<Kept> = page.clauses().map(|clause| clause.kept).collect();
    let at = page.lead.iter().position(|block| matches!(block, Block::Clause(_))).unwrap_or_default();
    page.lead.insert(at, legend(&used));
    page
}

/// The same page of a text with this fingerprint: whoever has read it signs that text, and no other.
pub fn named(mut page: Page, hash: &AgreementHash) -> Page {
    let at = page.lead.iter().position(|block| matches!(block, Block::List { .. })).unwrap_or_default();
    let text = format!(
        "The fingerprint of this text is {}. Whoever signs it signs this text, and no other.",
        hash.short()
    );
    page.lead.insert(at, Block::Paragraph(Text::new(text)));
    page
}

pub(crate) fn title(file: &File) -> String {
    let head = &file.agreement;
    match &head.title {
        Some(title) => said(title),
        None => format!("Agreement {}", said(&head.id)),
    }
}

/// The headings, in the order of the code.
fn sections(file: &File, texts: Texts<'_>) -> Vec<Section> {
    let mut sections = vec![
        section(1, "Parties and contacts", parties::parties(file)),
        section(1, "Purpose and benefits", parties::purpose(file)),
        section(1, "Organisations that receive results", parties::recipients(file)),
        section(1, "Data", tables::intro(file)),
    ];
    sections.extend(file.table.iter().map(|(name, table)| tables::table(name, table)));
    sections.extend([
        section(1, "Legal basis", lawful::basis(file)),
        section(1, "Special categories and impact assessment", lawful::sensitive(file)),
        section(1, "Access and individuals' rights", lawful::rights(file)),
        section(1, "Information governance", Vec::new()),
        section(2, "What each figure must keep to", protection::figures(file)),
        section(2, "Answers over time", history::history(file)),
        section(2, "Noise", history::noise(file)),
        section(2, "Models", protection::models(file)),
        section(2, "The form of answers", ending::answers(file, texts)),
        section(2, "Keeping, handing on, safety", ending::care(file)),
        section(1, "Review, expiry and termination", ending::times(file)),
        section(1, "Sign-off", ending::signoff(file)),
    ]);
    for (index, section) in sections.iter_mut().enumerate() {
        section.anchor = format!("s{}", index + 1);
    }
    sections
}

fn section(level: u8, heading: &str, blocks: Vec<Block>) -> Section {
    Section { level, anchor: String::new(), heading: Text::new(heading), blocks }
}

/// Who learns what, before all detail.
fn in_short(file: &File) -> Vec<String> {
    let who: BTreeSet<_> = file.recipient.iter().map(|r| &r.organisation).collect();
    let tables = names(file.table.keys());
    let who = if who.is_empty() { "No one".to_owned() } else { all(who.into_iter().map(said)) };
    let learns = format!(
        "{who} may ask questions about {tables}, for {}. The data stays at each site, and answers leave it.",
        any(file.agreement.purposes.iter().map(said))
    );
    let what = match (file.release.rows, file.disclosure.minimum_contributors) {
        (true, _) => "They may learn rows about single people.".to_owned(),
        (false, least @ 2..) => format!(
            "They learn figures about groups of at least {}: counts, totals and averages. They never see a row about one person.",
            count(least, "person", "people")
        ),
        (false, _) => {
            "They learn counts, totals and averages. Such a figure can be about one person.".to_owned()
        }
    };
    let when = format!(
        "The agreement holds from {} to {}.",
        day(file.agreement.in_force),
        day(file.agreement.expires)
    );
    vec![learns, what, when]
}

/// What the words beside each clause mean.
fn legend(used: &BTreeSet<Kept>) -> Block {
    let used = Kept::ALL.into_iter().filter(|kept| used.contains(kept));
    let items = used.map(|kept| Text::new(format!("{}: {}", kept.words(), kept.meaning())));
    Block::List { intro: Text::new("Beside each clause stands who keeps it:"), items: items.collect() }
}
