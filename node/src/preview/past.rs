//! The questions of a period that were asked under one agreement, as the audit log has them. The same question of the same
//! organisation, roles and purpose is there once, with how often it came.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, Utc};
use liquid_node_api::Error;
use liquid_policy::Footprint;
use liquid_policy::admit::Caller;
use liquid_policy::id::{AgreementId, OrganisationName, Purpose, RequestId, RoleName, TemplateName};
use tokio::time::Instant;

use super::apart;
use crate::audit::{Asked, Body, Outcome, Record, Sealed, Told, Touched, Unread};
use crate::node::Node;

/// Questions that are looked at.
const QUESTIONS_MAX: u64 = 100_000;
/// Bytes of the log that are read, from its end.
const LOG_BYTES_MAX: u64 = 1 << 30;
/// Bytes of it that are kept in memory.
const KEPT_BYTES_MAX: usize = 128 << 20;

/// What was asked.
#[derive(Default)]
pub(super) struct Past {
    /// Questions.
    pub(super) asked: u64,
    /// Who asked.
    pub(super) callers: BTreeSet<(OrganisationName, String)>,
    /// Answers that were released, and the cells that they withheld.
    pub(super) answers: u64,
    pub(super) withheld: u64,
    /// Previews of the agreement in the last day that ran questions.
    pub(super) previews: u64,
    /// The different ones.
    pub(super) questions: Vec<Question>,
}

/// A question that was asked, once or more often.
pub(super) struct Question {
    /// Who asked it first in the period.
    pub(super) caller: Caller,
    /// For what.
    pub(super) purpose: Purpose,
    /// The approved query that it calls, with the SHA-256 of its file.
    pub(super) called: Option<(TemplateName, String)>,
    /// As it was recorded, without its literals.
    pub(super) shape: String,
    /// What it touches, as of the last time; nothing where that is not known.
    pub(super) cuts: Vec<Footprint>,
    /// How often.
    pub(super) times: u64,
    /// The last time it was permitted: what it was, whole.
    pub(super) sealed: Option<(RequestId, Sealed)>,
}

type Key = (OrganisationName, Vec<RoleName>, Purpose, String, Option<(TemplateName, String)>);

/// What is being read.
#[derive(Default)]
struct Reading {
    past: Past,
    /// Questions without an outcome so far.
    open: BTreeMap<RequestId, Box<Asked>>,
    places: BTreeMap<Key, usize>,
    bytes: usize,
    /// A day ago.
    yesterday: DateTime<Utc>,
}

/// Reads the log.
///
/// # Errors
/// Where the period holds more than can be looked at, or the log cannot be read.
pub(super) async fn read(
    node: &Node,
    agreement: &AgreementId,
    since: DateTime<Utc>,
    deadline: Instant,
) -> Result<Past, Error> {
    let (log, agreement) = (node.log.clone(), agreement.clone());
    let yesterday = node.time().checked_sub_days(Days::new(1)).unwrap_or_default();
    let read = apart(move || {
        let mut reading = Reading { yesterday, ..Reading::default() };
        log.since(since, LOG_BYTES_MAX, &mut |record| match Instant::now() < deadline {
            true => reading.take(record, &agreement),
            false => Err(Unread::TooLong),
        })?;
        Ok(reading.past)
    });
    read.await?.map_err(|unread: Unread| match unread {
        Unread::TooLong => Error::invalid(
            "more was asked in that period than a preview looks at",
            "name fewer days with `--days`",
        ),
        Unread::Io(_) | Unread::Broken => {
            tracing::error!(error = %unread, "audit log not read for a preview");
            Error::fault(
                "the site cannot read its audit log",
                false,
                "ask the site's operator to check it with `liquid audit verify`",
            )
        }
    })
}

impl Reading {
    fn take(&mut self, record: Record, agreement: &AgreementId) -> Result<(), Unread> {
        match record.body {
            Body::Previewed(it) if it.agreement.as_ref() == Some(agreement) => {
                let ran = matches!(it.told, Told::Report { run: 1.., .. });
                self.past.previews += u64::from(ran && record.time > self.yesterday);
            }
            Body::Asked(asked) if asked.agreement.as_ref() == Some(agreement) => {
                self.open.insert(asked.request.clone(), asked);
            }
            Body::Closed { request, cuts, sealed, outcome, .. } => {
                let Some(asked) = self.open.remove(&request) else { return Ok(()) };
                if let Outcome::Released { withheld, .. } = outcome {
                    self.past.answers += 1;
                    self.past.withheld += withheld;
                }
                self.add(*asked, cuts, sealed.map(|sealed| (request, sealed)));
            }
            Body::Opened { .. }
            | Body::Said(_)
            | Body::Previewed(_)
            | Body::Forgotten { .. }
            | Body::Asked(_) => {}
        }
        match self.past.asked > QUESTIONS_MAX || self.bytes > KEPT_BYTES_MAX {
            true => Err(Unread::TooLong),
            false => Ok(()),
        }
    }

    fn add(&mut self, asked: Asked, cuts: Vec<Touched>, sealed: Option<(RequestId, Sealed)>) {
        let Asked { caller, purpose: Some(purpose), sql, called, question: hash, .. } = asked else { return };
        self.past.asked += 1;
        self.past.callers.insert((caller.organisation.clone(), caller.subject.clone()));
        let known: Option<Vec<Footprint>> = cuts
            .into_iter()
            .map(|cut| match cut {
                Touched::Footprint(footprint) => Some(*footprint),
                Touched::Earlier(_) => None,
            })
            .collect();
        let cuts = known.unwrap_or_default();
        let key = (caller.organisation.clone(), caller.roles.clone(), purpose.clone(), hash, called.clone());
        let place = self.places.get(&key).and_then(|place| self.past.questions.get_mut(*place));
        if let Some(question) = place {
            question.times += 1;
            if !cuts.is_empty() {
                question.cuts = cuts;
            }
            question.sealed = sealed.or_else(|| question.sealed.take());
            return;
        }
        let shape = sql.unwrap_or_default();
        self.bytes += shape.len() + sealed.as_ref().map_or(0, |(_, sealed)| sealed.bytes()) + ROOM_OF_ONE;
        let caller = Caller {
            organisation: caller.organisation,
            roles: caller.roles,
            subject: caller.subject,
            purposes: vec![purpose.clone()],
        };
        self.places.insert(key, self.past.questions.len());
        self.past.questions.push(Question { caller, purpose, called, shape, cuts, times: 1, sealed });
    }
}

/// What a question takes beside its texts, about.
const ROOM_OF_ONE: usize = 2 << 10;
