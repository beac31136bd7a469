//! The agreements that a node holds, while it runs: files that its operator placed, versions that parties have proposed, and
//! what was said of them. Whatever changes counts within a second, in the files or by message.
//!
//! - [`folder`]: what lies in the agreements' folder. - [`held`]: what is written there.
//!
//! Which version stands is for [`liquid_policy::life`] to say. A file that cannot be read is no agreement; the last good copy of
//! it stays in force, and where there is none, whoever relied on it is refused. One bad file does not stop the others, and a
//! node remembers that there was one: who is refused since no agreement names them is told that the reason may lie here
//! and not with them.

mod folder;
mod held;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use liquid_node_api::Error;
use liquid_node_api::governance::{SiteGovernance, TEXT_BYTES_MAX, VERSIONS_MAX};
use liquid_policy::admit::{Admitted, Caller, Named, admit, names};
use liquid_policy::id::{AgreementHash, OrganisationName, SiteName};
use liquid_policy::keyring::Standing;
use liquid_policy::life::Life;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Code, Refusal, Signed};
use tokio::sync::watch;

use crate::config::Config;
pub use folder::beside;
use folder::{Fingerprint, Folder};

/// Statements that a node keeps; an organisation's people say a few a year.
const STATEMENTS_MAX: usize = 20_000;

/// The agreements of one node.
pub struct Agreements {
    folder: Folder,
    site: SiteName,
    here: OrganisationName,
    config: Config,
    state: RwLock<Arc<State>>,
    /// Statements that could not be written and count all the same until the node stops. Whoever reads holds it: one at a time.
    unwritten: Mutex<Vec<Statement>>,
    changed: watch::Sender<()>,
}

/// What is known at one time.
#[derive(Default)]
struct State {
    life: Life,
    /// The text of each version, as its author wrote it.
    texts: BTreeMap<AgreementHash, String>,
    /// Files that cannot be read, each with what is wrong, for the operator.
    unreadable: Vec<(PathBuf, String)>,
    fingerprint: Fingerprint,
}

impl Agreements {
    /// Reads what there is.
    ///
    /// # Errors
    /// A sentence for the operator where the folder itself cannot be read.
    pub fn open(config: &Config) -> Result<Self, String> {
        let agreements = Self {
            folder: Folder::new(config.node.agreements.clone()),
            site: config.node.site.clone(),
            here: config.node.organisation.clone(),
            config: config.clone(),
            state: RwLock::default(),
            unwritten: Mutex::default(),
            changed: watch::Sender::new(()),
        };
        agreements.read()?;
        Ok(agreements)
    }

    /// Reads anew where a file has changed, and gives back the statements that were not known before.
    ///
    /// # Errors
    /// As [`Self::open`]; what was known stays.
    pub fn refresh(&self) -> Result<Vec<Statement>, String> {
        if self.folder.fingerprint()? == self.state().fingerprint {
            return Ok(Vec::new());
        }
        self.read()
    }

    fn read(&self) -> Result<Vec<Statement>, String> {
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = self.folder.read(&self.config.floors)?;
        found.statements.extend(unwritten.iter().cloned());
        let before = self.state();
        let known: BTreeSet<&Statement> = before.life.statements().iter().collect();
        let new = found.statements.iter().filter(|s| !known.contains(s)).cloned().collect();
        let versions = found.versions.iter().map(|(agreement, _, placed)| (Arc::clone(agreement), *placed));
        let life =
            Life::new(versions, found.statements.clone(), &self.config.trusted_keys, self.here.clone());
        for (file, problem) in &found.unreadable {
            tracing::error!(file = %file.display(), problem, "agreement not readable");
        }
        let texts = found.versions.into_iter().map(|(agreement, text, _)| (agreement.hash().clone(), text));
        let state = State {
            life,
            texts: texts.collect(),
            unreadable: found.unreadable,
            fingerprint: found.fingerprint,
        };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        drop(unwritten);
        self.changed.send_replace(());
        Ok(new)
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wakes up whenever something has changed.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The versions that stand now, signed or not.
    pub fn heads(&self, now: DateTime<Utc>) -> Vec<Signed> {
        self.state().life.heads(now)
    }

    /// Files that cannot be read, each with what is wrong, for the operator.
    pub fn unreadable(&self) -> Vec<(PathBuf, String)> {
        self.state().unreadable.clone()
    }

    /// Admits a caller, or says why not.
    ///
    /// # Errors
    /// As [`admit`]; a caller whom no readable agreement names is refused as [`Code::Unsigned`] where a file is unreadable.
    pub fn admit(&self, caller: &Caller, named: Named<'_>, now: DateTime<Utc>) -> Result<Admitted, Refusal> {
        let state = self.state();
        let heads = state.life.heads(now);
        admit(&heads, caller, named, now.date_naive()).map_err(|refusal| {
            // The same code is given where several apply.
            let is_named = heads.iter().any(|signed| names(signed.agreement(), caller, named));
            if refusal.code != Code::Recipient || is_named || state.unreadable.is_empty() {
                return refusal;
            }
            Refusal::new(
                Code::Unsigned,
                "agreement",
                "this site cannot read one of its agreements, and no other one names you as a recipient",
                "ask the site's operator to restore the signed file; the node's log says what is wrong with it",
            )
        })
    }

    /// What there is to say of the agreements to which an organisation is a party, with the texts of the versions asked for.
    pub fn status(
        &self,
        organisation: &OrganisationName,
        texts: &[AgreementHash],
        now: DateTime<Utc>,
    ) -> SiteGovernance {
        let state = self.state();
        let is_party =
            |agreement: &Agreement| agreement.file().party.iter().any(|it| it.organisation == *organisation);
        let texts = texts.iter().filter_map(|hash| {
            let seen = state.life.version(hash).is_some_and(|agreement| is_party(agreement));
            state.texts.get(hash).filter(|_| seen).map(|text| (hash.clone(), text.clone()))
        });
        SiteGovernance {
            site: self.site.clone(),
            agreements: state.life.status(now, is_party),
            texts: texts.collect(),
        }
    }

    /// Takes in a version that somebody proposes, with what is said of it, and holds it; it stands when its sign-off says so.
    /// Gives back what was not known before.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the text is no agreement that this node could keep, nobody whose key counts here has signed that
    /// they wrote it, or a statement is not good; a fault where it cannot be written.
    pub fn propose(&self, text: &str, statements: &[Statement]) -> Result<Vec<Statement>, Error> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Error::invalid("the agreement is too long", "write it in less than 256 KiB"));
        }
        let agreement = self.folder.parse(text, "proposal").map_err(|error| {
            let said = folder::said(&error, text);
            Error::invalid(format!("this site could not keep it: {said}"), "mend it and propose it again")
        })?;
        let state = self.state();
        let ring = state.life.ring();
        let wrote = Act::Write { agreement: agreement.hash().clone() };
        let party = |s: &Statement| agreement.file().party.iter().any(|it| it.organisation == s.organisation);
        if !statements.iter().any(|s| s.act == wrote && party(s) && ring.standing(s) == Standing::Valid) {
            return Err(Error::invalid(
                "no party whose key counts at this site has signed that it wrote this version",
                "propose it with a key that the site's operator trusts, for a party of the agreement",
            ));
        }
        if state.life.version(agreement.hash()).is_none() && state.life.versions().count() >= VERSIONS_MAX {
            return Err(Error::invalid(
                "this site holds too many versions",
                "ask its operator to clear the folder `held` beside the agreements",
            ));
        }
        self.folder.hold(agreement.hash(), text).map_err(|e| unwritten(&e))?;
        self.keep(&state, statements, Some(agreement.hash()))
    }

    /// Takes in statements on versions that this node knows. Gives back those that were not known before.
    ///
    /// # Errors
    /// As [`Self::propose`].
    pub fn hear(&self, statements: &[Statement]) -> Result<Vec<Statement>, Error> {
        self.keep(&self.state(), statements, None)
    }

    fn keep(
        &self,
        state: &State,
        statements: &[Statement],
        proposed: Option<&AgreementHash>,
    ) -> Result<Vec<Statement>, Error> {
        for statement in statements {
            self.counts(state, statement, proposed)?;
        }
        if state.life.statements().len() + statements.len() > STATEMENTS_MAX {
            return Err(Error::invalid("this site holds too many statements", "tell its operator"));
        }
        let mut not_written = None;
        for statement in statements.iter().filter(|s| !state.life.statements().contains(s)) {
            let Err(error) = self.folder.note(statement) else { continue };
            // Who must be able to stop it can, on a full disk too.
            if matches!(statement.act, Act::Suspend { .. } | Act::Revoke { .. }) {
                let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
                unwritten.push(statement.clone());
            }
            not_written = Some(unwritten(&error));
        }
        let new = self.read().map_err(|problem| {
            tracing::error!(problem, "agreements not read");
            Error::fault("the site cannot read its agreements", true, "tell the site's operator")
        })?;
        not_written.map_or(Ok(new), Err)
    }

    /// Whether a statement is to be kept: by a key that counts, on something that is known here.
    fn counts(
        &self,
        state: &State,
        statement: &Statement,
        proposed: Option<&AgreementHash>,
    ) -> Result<(), Error> {
        let Statement { organisation, key_id, act, .. } = statement;
        let problem = match state.life.ring().standing(statement) {
            Standing::Valid => None,
            Standing::Untrusted => Some("is not trusted here"),
            Standing::Revoked => Some("was revoked"),
            Standing::Broken => Some("did not make this signature"),
        };
        if let Some(problem) = problem {
            return Err(Error::invalid(
                format!("the key `{key_id}` of `{organisation}` {problem}"),
                "sign with the key that the site's operator has written into `[[trusted_key]]`",
            ));
        }
        let knows = |hash: &AgreementHash| proposed == Some(hash) || state.life.version(hash).is_some();
        let speaks_of = |it: &&Arc<Agreement>| act.id().is_none_or(|id| it.id() == id);
        let is_known = act.agreement().is_none_or(knows)
            && (act.id().is_none() || state.life.versions().any(|it| speaks_of(&it)));
        if !is_known {
            return Err(Error::invalid(
                "this site does not know the version or the agreement that is spoken of",
                "propose it first; `liquid policy status` shows what the site holds",
            ));
        }
        Ok(())
    }
}

fn unwritten(error: &io::Error) -> Error {
    tracing::error!(%error, "an agreement or a statement cannot be kept");
    Error::fault(
        "the site cannot write into its folder of agreements, so it keeps nothing but suspensions and revocations, and those until it is started again",
        true,
        "ask the site's operator to make the folder `held` beside the agreements writable, then send it again",
    )
}
