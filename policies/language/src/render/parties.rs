//! Who agrees, why, and who receives what: the first three headings.

use super::page::{Block, Clause, Text};
use super::words::{any, count, names, said};
use crate::file::{File, Head, Party, PartyRole, Recipient, Table};
use crate::id::TableName;

/// What the agreement is called, before the first heading.
pub(super) fn identity(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let crate::file::Schema::One = file.schema;
    let clauses = [
        Clause::new(
            "agreement.id",
            format!("Its name is {}. The name stays the same from one version to the next.", said(&head.id)),
        ),
        Clause::or_open(
            "agreement.title",
            head.title.as_ref(),
            |title| format!("Its title is {}.", said(title)),
            "It has no title.",
        ),
        Clause::new("agreement.version", format!("This is version {}.", said(&head.version))),
        Clause::or_open(
            "agreement.supersedes",
            head.supersedes.as_ref(),
            |hashes| match hashes.hashes() {
                [hash] => format!("It takes the place of the version with the fingerprint {}.", said(hash)),
                several => {
                    format!("It takes the place of the versions with the fingerprints {}.", names(several))
                }
            },
            "It names no earlier version whose place it takes.",
        ),
        Clause::or_open(
            "agreement.marking",
            head.marking.as_ref(),
            |marking| {
                format!("Its marking is {}. A site can set stricter rules for this marking.", said(marking))
            },
            "It has no protective marking.",
        ),
        Clause::new("schema", "It is written in version 1 of the language for agreements."),
    ];
    clauses.into_iter().map(Block::Clause).collect()
}

/// Parties and contacts.
pub(super) fn parties(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let mut blocks = vec![
        Block::Clause(Clause::or_open(
            "agreement.lead",
            head.lead.as_ref(),
            |lead| format!("{} leads the agreement.", said(lead)),
            "No one is named to lead the agreement.",
        )),
        Block::Clause(Clause::or_open(
            "agreement.contact",
            head.contact.as_ref(),
            |contact| format!("Questions about the agreement go to {}.", said(contact)),
            "No contact for questions is named.",
        )),
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
            "It is a joint controller. It decides together with others why and how the data is used."
        }
        PartyRole::Processor => "It is a processor. It works for a controller and decides nothing itself.",
    };
    let mut clauses = vec![
        Clause::new("party.role", role).and("party.organisation"),
        Clause::or_open(
            "party.point_of_contact",
            party.point_of_contact.as_ref(),
            |contact| format!("The contact there is {}.", said(contact)),
            "No contact is named there.",
        ),
    ];
    if !party.deputies.is_empty() {
        let stand = if party.deputies.len() == 1 { "stands" } else { "stand" };
        let text = format!("In the contact's absence {} {stand} in.", names(&party.deputies));
        clauses.push(Clause::new("party.deputies", text));
    }
    Block::Entry { name: Text::new(said(&party.organisation)), clauses }
}

/// Purpose and benefits.
pub(super) fn purpose(file: &File) -> Vec<Block> {
    let head = &file.agreement;
    let clauses = [
        Clause::new("agreement.purposes", purposes(head)),
        Clause::or_open(
            "agreement.purpose_text",
            head.purpose_text.as_ref(),
            |text| format!("The aim, in the parties' words: {}", said(text)),
            "The aim is not written down.",
        ),
        Clause::or_open(
            "agreement.benefits",
            head.benefits.as_ref(),
            |text| format!("The benefit, in the parties' words: {}", said(text)),
            "The benefit is not written down.",
        ),
    ];
    clauses.into_iter().map(Block::Clause).collect()
}

fn purposes(head: &Head) -> String {
    match head.purposes.as_slice() {
        [] => "No purpose is named, and so no one may ask anything.".into(),
        [one] => format!("Questions may be asked for one purpose only: {}.", said(one)),
        many => format!(
            "Questions may be asked for these purposes only: {}. Each question names one.",
            names(many)
        ),
    }
}

/// Organisations that receive something: those who ask, and the computers that do a part of the work.
pub(super) fn recipients(file: &File) -> Vec<Block> {
    let mut blocks: Vec<Block> = file.recipient.iter().map(recipient).collect();
    let rest = if file.recipient.is_empty() { "No one" } else { "No one else" };
    blocks.push(Block::Paragraph(Text::new(format!(
        "{rest} may ask questions or receive results. A computer between the sites puts their answers together. It sees \
         what the sites give out, and nothing more."
    ))));
    blocks.extend(combiner(file));
    blocks.extend(file.table.iter().filter_map(|(name, table)| meeting(name, table)));
    blocks
}

fn recipient(recipient: &Recipient) -> Block {
    let asks = format!(
        "People there whose role is {} may ask questions and learn the answers. The purpose must be {}.",
        any(recipient.roles.iter().map(said)),
        any(recipient.purposes.iter().map(said)),
    );
    let place = if recipient.residency.is_empty() {
        Clause::open("recipient.residency", "The results may be kept and used in any country.")
    } else {
        let text = format!("The results are kept and used only in {}.", names(&recipient.residency));
        Clause::new("recipient.residency", text)
    };
    let clauses = vec![
        Clause::new("recipient.roles", asks).and("recipient.purposes").and("recipient.organisation"),
        place,
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
            "It learns one line for each row of the table {}, with {columns}: {}.",
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
