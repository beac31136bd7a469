//! Who agrees, why, and who receives what: the first three headings.

use super::page::{Block, Clause, Text};
use super::words::{count, names, said};
use crate::file::{File, Head, Party, PartyRole, Recipient, Table};
use crate::id::TableName;

/// What the agreement is called, before the first heading.
pub(super) fn identity(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let name =
        format!("Its name is {}. The name stays the same from one version to the next.", said(&head.id));
    let title = match &head.title {
        Some(title) => format!("Its title is {}.", said(title)),
        None => "It has no title.".into(),
    };
    let replaces = match &head.supersedes {
        Some(hash) => Block::Clause(Clause::new(
            "agreement.supersedes",
            format!(
                "It takes the place of the version with the fingerprint {}. What was given out under that one still \
                 counts.",
                said(hash)
            ),
        )),
        None => Block::Paragraph(Text::new("It names no earlier version whose place it takes.")),
    };
    let marking = match &head.marking {
        Some(marking) => Block::Clause(Clause::new(
            "agreement.marking",
            format!("Its marking is {}. A site can set stricter rules for this marking.", said(marking)),
        )),
        None => Block::Paragraph(Text::new("It has no protective marking.")),
    };
    let crate::file::Schema::One = file.schema;
    vec![
        Block::Clause(Clause::new("agreement.id", name)),
        Block::Clause(Clause::new("agreement.title", title)),
        Block::Clause(Clause::new("agreement.version", format!("This is version {}.", said(&head.version)))),
        replaces,
        marking,
        Block::Clause(Clause::new("schema", "It is written in version 1 of the language for agreements.")),
    ]
}

/// Parties and contacts.
pub(super) fn parties(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let lead = match &head.lead {
        Some(lead) => format!("{} leads the agreement.", said(lead)),
        None => "No one is named to lead the agreement.".into(),
    };
    let contact = match &head.contact {
        Some(contact) => format!("Send questions about the agreement to {}.", said(contact)),
        None => "No contact for questions is named.".into(),
    };
    let mut blocks = vec![
        Block::Clause(Clause::new("agreement.lead", lead)),
        Block::Clause(Clause::new("agreement.contact", contact)),
    ];
    if file.party.is_empty() {
        blocks.push(Block::Notice(Text::new("No one is a party to this agreement.")));
    }
    blocks.extend(file.party.iter().map(party));
    blocks
}

fn party(party: &Party) -> Block {
    let role = match party.role {
        PartyRole::Controller => "It is a controller. It decides why and how its data is used.",
        PartyRole::JointController => {
            "It is a joint controller. It decides with others why and how the data is used."
        }
        PartyRole::Processor => "It is a processor. It works for a controller and decides nothing itself.",
    };
    let contact = match &party.point_of_contact {
        Some(contact) => format!("Ask for {}.", said(contact)),
        None => "No contact is named there.".into(),
    };
    let mut clauses = vec![
        Clause::new("party.role", role).and("party.organisation"),
        Clause::new("party.point_of_contact", contact),
    ];
    if !party.deputies.is_empty() {
        let stand = if party.deputies.len() == 1 { "stands" } else { "stand" };
        clauses.push(Clause::new(
            "party.deputies",
            format!("If they are away, {} {stand} in.", names(&party.deputies)),
        ));
    }
    Block::Entry { name: Text::new(said(&party.organisation)), clauses }
}

/// Purpose and benefits.
pub(super) fn purpose(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let written = |key, what: &str, text: &Option<String>| match text {
        Some(text) => Clause::new(key, format!("{what}, in the parties' words: {}", said(text))),
        None => Clause::new(key, format!("{what} is not written down.")),
    };
    let clauses = [
        Clause::new("agreement.purposes", purposes(head)),
        written("agreement.purpose_text", "The aim", &head.purpose_text),
        written("agreement.benefits", "The benefit", &head.benefits),
    ];
    clauses.into_iter().map(Block::Clause).collect()
}

fn purposes(head: &Head) -> String {
    match head.purposes.as_slice() {
        [] => "No purpose is named, and so no one may ask anything.".into(),
        [one] => format!("Questions may be asked for one purpose only: {}.", said(one)),
        many => {
            format!("Questions may be asked for these purposes only: {}. Each must name one.", names(many))
        }
    }
}

/// Organisations that receive something: those who ask, and the computers that do a part of the work.
pub(super) fn recipients(file: &File) -> Vec<Block> {
    let mut blocks: Vec<Block> = file.recipient.iter().map(recipient).collect();
    let rest = if file.recipient.is_empty() {
        "No one may ask questions or receive results."
    } else {
        "No one else may ask questions or receive results."
    };
    blocks.push(Block::Paragraph(Text::new(rest)));
    blocks.extend(combiner(file));
    blocks.extend(file.table.iter().filter_map(|(name, table)| meeting(name, table)));
    blocks
}

fn recipient(recipient: &Recipient) -> Block {
    let asks = format!(
        "Its people may ask questions and receive the answers, if their role is {}. The purpose must be {}.",
        super::words::any(recipient.roles.iter().map(said)),
        super::words::any(recipient.purposes.iter().map(said)),
    );
    let place = if recipient.residency.is_empty() {
        "No rule says in which countries it may keep or use results.".to_owned()
    } else {
        format!("It keeps and uses results only in {}.", names(&recipient.residency))
    };
    let clauses = vec![
        Clause::new("recipient.roles", asks).and("recipient.purposes").and("recipient.organisation"),
        Clause::new("recipient.residency", place),
    ];
    Block::Entry { name: Text::new(said(&recipient.organisation)), clauses }
}

fn combiner(file: &File) -> Option<Block> {
    let combiner = file.disclosure.combiner.as_ref()?;
    let learns = "Its computer opens the totals over all sites. It learns each total, and then it withholds the small \
                  ones. It does not learn what any one site adds.";
    let clauses = vec![Clause::new("disclosure.combiner", learns)];
    Some(Block::Entry { name: Text::new(said(combiner)), clauses })
}

fn meeting(name: &TableName, table: &Table) -> Option<Block> {
    let join = table.join.as_ref()?;
    if join.meeting.is_none() && join.send.is_empty() {
        return None;
    }
    let columns = count(u64::try_from(join.send.len()).unwrap_or(u64::MAX), "column", "columns");
    let receives = if join.send.is_empty() {
        format!("It receives no column of the table {}.", said(name))
    } else {
        format!(
            "It receives one line for each row of the table {}, with {columns}: {}.",
            said(name),
            names(&join.send)
        )
    };
    let mut clauses = Vec::new();
    let place = match &join.meeting {
        Some(place) => {
            let meets = "Its computer brings together tables of several sites, for one question at a time. Then it \
                         deletes them.";
            clauses.push(Clause::new("table.*.join.meeting", meets));
            said(place)
        }
        None => "A computer that is not named".into(),
    };
    clauses.push(Clause::new("table.*.join.send", receives));
    Some(Block::Entry { name: Text::new(place), clauses })
}
