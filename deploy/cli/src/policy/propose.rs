//! `liquid policy propose`.

use std::path::Path;

use liquid_node_api::governance::Governance;
use liquid_policy::document::Agreement;
use liquid_policy::lint::{Kind, lint};
use liquid_policy::statement::{Act, Statement};

use super::sign::{warn, write};
use super::sites::Sites;
use super::status::{lacking, nowhere};
use super::who::Person;
use super::{author, beside, meaning, read_finished, read_signatures};
use crate::args::Propose;
use crate::failure::Failure;
use crate::terminal::note_wrapped as note;

/// Sends a version to all sites, with its author's signature, and after it those that lie beside the file.
///
/// # Errors
/// Where it is no agreement, the key cannot be used or is needed to approve it, or a site does not hold it.
pub(super) async fn run(propose: &Propose) -> Result<(), Failure> {
    let (agreement, text) = read_finished(&propose.agreement)?;
    let author = Person::read(&propose.who)?;
    match propose.author {
        true if !agreement.signoff().author_may_sign => note(&author::barred(&agreement, &author)),
        true => {}
        false => author::may_write(&agreement, &author)?,
    }
    does_not_fit(&agreement);
    let signed = propose.agreement.with_extension("sig.toml");
    let mut signatures = read_signatures(&signed)?;
    let wrote = author.say(Act::Write { agreement: agreement.hash().clone() })?;
    signatures.add(wrote.clone());
    let others = signatures.signatures.iter().filter(|it| **it != wrote);
    let others: Vec<Statement> =
        others.filter(|it| it.act.agreement() == Some(agreement.hash())).cloned().collect();
    let files = beside::to_send(&agreement, &propose.agreement);
    let mut sites = Sites::reach(&propose.reach, Some(author.organisation.as_str())).await?;
    let proposal = Governance::Propose { text, statements: vec![wrote], files };
    let mut told = sites.tell(&proposal).await?;
    // The author's signature is kept beside the text, as those are that approve it.
    write(&signed, &signatures.to_string())?;
    for statement in others {
        let after = sites.hear(&Governance::Say { statements: vec![statement.clone()] }).await?;
        if let Some((_, why)) = after.silent.first() {
            not_taken(&statement, why, &signed);
        }
        if after.silent.is_empty() {
            told.answers = after.answers;
        }
    }
    warn(&meaning::namesakes(&agreement, Some(&told), &[]));
    let held = told.everywhere(&format!("{} is held", meaning::named(&agreement)));
    if let Ok(version) = told.version(agreement.id().as_str(), agreement.hash().as_str()) {
        warn(&nowhere(&told, agreement.id().as_str(), version));
        note(&lacking(&version.lacks));
    }
    held
}

/// A signature beside the file that a site does not take: it may be left from another time, and stands in nobody's way.
fn not_taken(statement: &Statement, why: &str, file: &Path) {
    warn(&[format!(
        "{} holds a signature of {}, {} ({}), that the sites do not take: {why}; move that file away if it is left from an \
         earlier demo, and let them sign again",
        file.display(),
        statement.organisation,
        statement.role,
        statement.key_id,
    )]);
}

/// What does not fit together in it: an end that is past, for example. The sites hold it all the same.
fn does_not_fit(agreement: &Agreement) {
    let advice = lint(agreement.file(), chrono::Utc::now().date_naive());
    let wrong = advice.iter().filter(|piece| piece.kind == Kind::Contradiction);
    let wrong: Vec<String> = wrong.map(|piece| format!("{}; {}", piece.message, piece.help)).collect();
    warn(&wrong);
}
