//! The agreements that a node holds, while it runs: files that its operator placed, versions that parties have proposed, and
//! what was said of them. Whatever changes counts within a second, in the files or by message.
//!
//! - [`folder`]: what lies in the agreements' folder. - [`held`]: what is written there. - [`bounds`]: what is kept of what is sent.
//! - [`gaps`]: what was held once and cannot be told any more.
//!
//! Which version stands is for [`liquid_policy::life`] to say. A file that cannot be read is no agreement; the last good copy of
//! it stays in force, and where there is none, whoever relied on it is refused. One bad file does not stop the others, and a
//! node remembers that there was one: who is refused since no agreement names them is told that the reason may lie here
//! and not with them.

mod bounds;
mod folder;
mod gaps;
mod held;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use liquid_node_api::Error;
use liquid_node_api::governance::{FILES_BYTES_MAX, FILES_MAX, FileBeside, SiteGovernance};
use liquid_policy::admit::{Admitted, Caller, Named, admit, names};
use liquid_policy::id::{AgreementHash, AgreementId, OrganisationName};
use liquid_policy::keyring::Standing;
use liquid_policy::life::Life;
use liquid_policy::parse::{ParseError, version_of};
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Code, Refusal, Signed};
use tokio::sync::watch;

use crate::config::Config;
use folder::{Fingerprint, Folder};
pub use folder::{beside, hash};
use gaps::{Gaps, Once};

/// How far the clock may be behind what was heard before the node answers nothing. Within that, what was heard last tells the time.
const CLOCK_BEHIND_MAX: TimeDelta = TimeDelta::days(1);

/// The agreements of one node.
pub struct Agreements {
    folder: Folder,
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
    /// One of them is something that was sent, a suspension perhaps.
    lost: bool,
    /// Agreements of which a version may stand that cannot be read.
    closed: BTreeSet<AgreementId>,
    /// What was held at any time while the node ran.
    once: Once,
    last_heard: Option<DateTime<Utc>>,
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
        let state = self.state();
        // What cannot be read may be there again and look the same.
        if !state.lost && state.closed.is_empty() && self.folder.fingerprint()? == state.fingerprint {
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
        let (keys, here) = (&self.config.trusted_keys, self.config.node.organisation.clone());
        let life = Life::new(versions, found.statements, keys, here, found.heard);
        let mut once = before.once.clone();
        once.versions
            .extend(found.versions.iter().filter(|(.., placed)| !placed).map(|(it, ..)| it.hash().clone()));
        once.statements.extend(life.heard().cloned());
        let mut gaps = Gaps { lost: found.lost, problems: found.unreadable, ..Gaps::default() };
        let files: Vec<PathBuf> = gaps.problems.iter().map(|(file, _)| file.clone()).collect();
        let said = |statement: &Statement| self.folder.of_statement(statement);
        gaps::unread(&mut gaps, &life, &found.unread);
        gaps::of_nobody(&mut gaps, &life, said);
        gaps::missing(&mut gaps, &once, (&life, &files), (|hash| self.folder.of_version(hash), said));
        for (file, problem) in &gaps.problems {
            tracing::error!(file = %file.display(), problem, "agreement not readable");
        }
        let texts = found.versions.into_iter().map(|(agreement, text, _)| (agreement.hash().clone(), text));
        let state = State {
            last_heard: life.last_heard(),
            life,
            texts: texts.collect(),
            unreadable: gaps.problems,
            lost: gaps.lost,
            closed: gaps.closed,
            once,
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
        self.state().heads(now)
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
        if state.lost {
            return Err(Refusal::new(
                Code::Unsigned,
                "signoff",
                "this site cannot read all that was said of its agreements, so it does not know what stands",
                "ask the site's operator to mend the folder `held` beside the agreements; the node's log names the file",
            ));
        }
        if state.time(now).is_none() {
            return Err(Refusal::new(
                Code::Unsigned,
                "signoff",
                "this site's clock is more than a day behind what it has heard, so it does not know what stands",
                "ask the site's operator to set its clock; if it was far ahead before, to set it right in the files below `held/statements`, where \
                 each says when it was heard",
            ));
        }
        let heads = state.heads(now);
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

    /// What there is to say of the agreements to which an organisation is a party, with the texts of the versions asked for, and
    /// the files beside them.
    pub fn status(
        &self,
        organisation: &OrganisationName,
        (texts, files): (&[AgreementHash], &[String]),
        now: DateTime<Utc>,
    ) -> SiteGovernance {
        let state = self.state();
        let is_party =
            |agreement: &Agreement| agreement.file().party.iter().any(|it| it.organisation == *organisation);
        let time = state.time(now);
        let mut agreements = state.life.status(time.unwrap_or(now), is_party);
        let is_told = |id: &AgreementId| time.is_some() && !state.lost && !state.closed.contains(id);
        for agreement in agreements.iter_mut().filter(|it| !is_told(&it.id)) {
            agreement.stands = None;
        }
        let named: BTreeSet<_> =
            agreements.iter().flat_map(|it| &it.suspended).map(|suspension| &suspension.statement).collect();
        // With a text goes who wrote and who approved it.
        let signs = |it: &Statement| {
            matches!(it.act, Act::Write { .. } | Act::Approve { .. })
                && it.act.agreement().is_some_and(|hash| {
                    texts.contains(hash) && state.life.version(hash).is_some_and(|it| is_party(it))
                })
        };
        let wanted = |it: &&Statement| signs(it) || named.contains(&it.hash());
        let statements = state.life.statements().iter().filter(wanted).cloned().collect();
        let texts = texts.iter().filter_map(|hash| {
            let seen = state.life.version(hash).is_some_and(|agreement| is_party(agreement));
            state.texts.get(hash).filter(|_| seen).map(|text| (hash.clone(), text.clone()))
        });
        let seen = state.life.versions().filter(|agreement| is_party(agreement));
        let named: BTreeMap<String, String> =
            seen.flat_map(|it| it.file().beside()).map(|(name, sha256)| (sha256, name)).collect();
        let mut left = FILES_BYTES_MAX;
        let wanted: BTreeSet<&String> = files.iter().take(FILES_MAX).collect();
        let files = wanted.into_iter().filter_map(|sha256| {
            let text = self.folder.agreed(named.get(sha256)?, sha256)?;
            left = left.checked_sub(text.len())?;
            Some((sha256.clone(), String::from_utf8(text).ok()?))
        });
        let files = files.collect();
        SiteGovernance {
            site: self.config.node.site.clone(),
            agreements,
            statements,
            texts: texts.collect(),
            files,
        }
    }

    /// Takes in a version that somebody proposes, with what is said of it, and holds it; it stands when its sign-off says so.
    /// Gives back what was not known before.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the text is no agreement that this node could keep, nobody whose key counts here has signed that
    /// they wrote it, or a statement is not good; a fault where it cannot be written.
    pub fn propose(
        &self,
        text: &str,
        statements: &[Statement],
        files: &[FileBeside],
        now: DateTime<Utc>,
    ) -> Result<Vec<Statement>, Error> {
        bounds::few_enough(text, files)?;
        bounds::few(statements)?;
        // Signatures first: reading a text that was made to be hard to read takes long.
        let state = self.state();
        let ring = state.life.ring();
        let hash = version_of(text)
            .ok_or_else(|| not_kept(self.folder.parse_sent(text, "proposal", files), text))?;
        let wrote = Act::Write { agreement: hash.clone() };
        let authors = statements.iter().filter(|s| s.act == wrote && ring.standing(s) == Standing::Valid);
        let authors: BTreeSet<&OrganisationName> = authors.map(|s| &s.organisation).collect();
        let unwritten_by_a_party = || {
            Error::invalid(
                "no party whose key counts at this site has signed that it wrote this version",
                "propose it with a key that the site's operator trusts, for a party of the agreement",
            )
        };
        if authors.is_empty() {
            return Err(unwritten_by_a_party());
        }
        // Whoever may say no more of it has nothing read or held here either.
        bounds::may_say(&state.life, statements, Some(&hash))?;
        let agreement =
            self.folder.parse_sent(text, "proposal", files).map_err(|error| not_kept(Err(error), text))?;
        if !agreement.file().party.iter().any(|party| authors.contains(&party.organisation)) {
            return Err(unwritten_by_a_party());
        }
        let beside = agreement.file().beside();
        self.config.floors.raise(agreement).map_err(|problem| {
            Error::invalid(format!("this site could not keep it: {problem}"), "mend it and propose it again")
        })?;
        if state.life.version(&hash).is_none() {
            bounds::has_room(state.texts.len(), &state.held_of_each(), &authors)?;
            if !self.folder.has_room(&beside, files) {
                return Err(Error::invalid(
                    "this site holds too many files beside agreements",
                    bounds::PLACE_IT,
                ));
            }
            self.folder.hold_beside(&beside, files).map_err(|e| unwritten(&e))?;
            self.folder.hold(&hash, text).map_err(|e| unwritten(&e))?;
        }
        self.keep(&state, statements, now)
    }

    /// Reads a draft as this node would hold it, its operator's floor included.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is no agreement that this node could keep.
    pub fn draft(&self, text: &str, files: &[FileBeside]) -> Result<Agreement, Error> {
        bounds::few_enough(text, files)?;
        let draft =
            self.folder.parse_sent(text, "draft", files).map_err(|error| not_kept(Err(error), text))?;
        self.config.floors.raise(draft).map_err(|problem| {
            Error::invalid(format!("this site could not keep it: {problem}"), "mend it and preview it again")
        })
    }

    /// Whether a key that counts here, for the organisation that it names, made a statement.
    pub fn is_signed(&self, statement: &Statement) -> bool {
        self.state().life.ring().standing(statement) == Standing::Valid
    }

    /// Whether a statement is by somebody who approves a version for a party, with a key that counts here.
    pub fn is_of_approver(&self, agreement: &Agreement, statement: &Statement) -> bool {
        self.state().life.is_of_approver(agreement, statement)
    }

    /// Takes in statements on versions that this node knows. Gives back those that were not known before.
    ///
    /// # Errors
    /// As [`Self::propose`].
    pub fn hear(&self, statements: &[Statement], now: DateTime<Utc>) -> Result<Vec<Statement>, Error> {
        bounds::few(statements)?;
        let state = self.state();
        bounds::may_say(&state.life, statements, None)?;
        self.keep(&state, statements, now)
    }

    /// Keeps statements that may be said.
    fn keep(
        &self,
        state: &State,
        statements: &[Statement],
        now: DateTime<Utc>,
    ) -> Result<Vec<Statement>, Error> {
        let known: BTreeSet<&Statement> = state.life.statements().iter().collect();
        // What is heard later is noted later, also where the clock was ahead before.
        let now = state.time(now).unwrap_or(now);
        let mut not_written = None;
        for statement in statements {
            let mut waiting = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
            let waits = waiting.contains(statement);
            if known.contains(statement) && !waits {
                continue;
            }
            match self.folder.note(statement, now) {
                Ok(()) => waiting.retain(|it| it != statement),
                Err(error) => {
                    // Who must be able to stop it can, on a full disk too.
                    let stops = matches!(statement.act, Act::Suspend { .. } | Act::Revoke { .. });
                    if stops && !waits {
                        waiting.push(statement.clone());
                    }
                    not_written = Some(unwritten(&error));
                }
            }
        }
        let new = self.read().map_err(|problem| {
            tracing::error!(problem, "agreements not read");
            Error::fault("the site cannot read its agreements", true, "tell the site's operator")
        })?;
        not_written.map_or(Ok(new), Err)
    }
}

impl State {
    /// What time it is: what has been heard was heard before now, so a clock that is set back takes nothing back. None where it is too
    /// far behind to be right.
    fn time(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let last = self.last_heard.map_or(now, |last| last.max(now));
        (last - now <= CLOCK_BEHIND_MAX).then_some(last)
    }

    /// The versions that stand, but for those of agreements of which that cannot be told.
    fn heads(&self, now: DateTime<Utc>) -> Vec<Signed> {
        let Some(now) = self.time(now) else { return Vec::new() };
        let mut heads = self.life.heads(now);
        heads.retain(|head| !self.closed.contains(head.agreement().id()));
        heads
    }

    /// How many of the versions that were sent each organisation has written.
    fn held_of_each(&self) -> BTreeMap<OrganisationName, usize> {
        let mut of: BTreeMap<OrganisationName, BTreeSet<&AgreementHash>> = BTreeMap::new();
        for statement in self.life.statements() {
            let Act::Write { agreement } = &statement.act else { continue };
            if self.once.versions.contains(agreement) && self.life.ring().person(statement).is_some() {
                of.entry(statement.organisation.clone()).or_default().insert(agreement);
            }
        }
        of.into_iter().map(|(organisation, versions)| (organisation, versions.len())).collect()
    }
}

/// Why a text is no agreement that this node could keep.
fn not_kept(read: Result<Agreement, ParseError>, text: &str) -> Error {
    let said = read.err().map(|error| folder::said(&error, text)).unwrap_or_default();
    let said: String = said.chars().take(2_000).collect();
    Error::invalid(format!("this site could not keep it: {said}"), "mend it and propose it again")
}

fn unwritten(error: &io::Error) -> Error {
    tracing::error!(%error, "an agreement or a statement cannot be kept");
    Error::fault(
        "the site cannot write into its folder of agreements, so it keeps nothing but suspensions and revocations, and those until it is started again",
        true,
        "ask the site's operator to make the folder `held` beside the agreements writable, then send it again",
    )
}
