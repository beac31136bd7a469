//! `liquid policy propose`.

use std::path::{Path, PathBuf};

use liquid_node_api::governance::{FileBeside, Governance};
use liquid_policy::document::Agreement;
use liquid_policy::lint::{Kind, lint};
use liquid_policy::signature::SignatureFile;
use liquid_policy::statement::{Act, Statement};

use super::sign::{warn, write};
use super::sites::Sites;
use super::status::lacking;
use super::ways::warnings;
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
    author::may_propose(&agreement, &author, propose.author)?;
    let files = beside::to_send(&agreement, |name, sha256| beside::lies_by(&propose.agreement, name, sha256));
    let signed = propose.agreement.with_extension("sig.toml");
    let signatures = read_signatures(&signed)?;
    let mut sites = Sites::reach(&propose.reach, Some(author.organisation.as_str())).await?;
    let proposal = Proposal { agreement, text, files, signatures, signed: Some(signed) };
    proposal.send(&author, &mut sites).await
}

/// A version that is sent to all sites.
pub(super) struct Proposal {
    pub(super) agreement: Agreement,
    pub(super) text: String,
    /// What lies beside it.
    pub(super) files: Vec<FileBeside>,
    /// Who has signed it before.
    pub(super) signatures: SignatureFile,
    /// Where the signatures are kept.
    pub(super) signed: Option<PathBuf>,
}

impl Proposal {
    /// Sends it, and says what has come of it.
    ///
    /// # Errors
    /// Where a site does not hold it, or its signatures cannot be kept.
    pub(super) async fn send(self, author: &Person, sites: &mut Sites) -> Result<(), Failure> {
        let Self { agreement, text, files, mut signatures, signed } = self;
        let (id, hash) = (agreement.id().as_str(), agreement.hash());
        does_not_fit(&agreement);
        let wrote = author.say(Act::Write { agreement: hash.clone() })?;
        signatures.add(wrote.clone());
        let others = signatures.signatures.iter().filter(|it| **it != wrote);
        let others: Vec<Statement> = others.filter(|it| it.act.agreement() == Some(hash)).cloned().collect();
        let mut told = sites.tell(&Governance::Propose { text, statements: vec![wrote], files }).await?;
        // The author's signature is kept beside the text, as those are that approve it.
        if let Some(signed) = &signed {
            write(signed, &signatures.to_string())?;
        }
        for statement in others {
            let after = sites.hear(&Governance::Say { statements: vec![statement.clone()] }).await?;
            if let (Some((_, why)), Some(signed)) = (after.silent.first(), &signed) {
                not_taken(&statement, why, signed);
            }
            if after.silent.is_empty() {
                told.answers = after.answers;
            }
        }
        warn(&meaning::namesakes(&agreement, Some(&told), &[]));
        let held = told.everywhere(&format!("{} is held", meaning::named(&agreement)));
        if let Ok(version) = told.version(id, hash.as_str()) {
            warn(&warnings(&told, id, version));
            note(&lacking(&version.lacks));
        }
        held
    }
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
