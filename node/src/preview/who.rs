//! Who may hold a draft against a site's past questions: somebody of the site's own organisation, by a token of it, who
//! approves the agreement for it, by a key that the node trusts in that role, and asks the node itself.
//!
//! A token alone is not enough, since coordinators see tokens of whoever asks how agreements stand. A signature is for one
//! draft, one site and some minutes, and is taken once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use liquid_node_api::Error;
use liquid_node_api::preview::DAYS_MAX;
use liquid_policy::id::StatementHash;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::{Agreement, Code, Refusal};

use crate::node::Node;
use crate::serve::Session;

/// A request is good for so long, and clocks may differ by as much.
const GOOD_FOR: TimeDelta = TimeDelta::minutes(5);

/// The requests of the last minutes.
#[derive(Default)]
pub struct Used(Mutex<BTreeMap<StatementHash, DateTime<Utc>>>);

impl Used {
    /// Takes a request, once.
    fn take(&self, asked: &Statement, now: DateTime<Utc>) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, time| *time + GOOD_FOR + GOOD_FOR >= now);
        used.insert(asked.hash(), asked.time).is_none()
    }
}

/// Whether somebody of the site's own organisation asks the site itself, now; for how many days.
///
/// # Errors
/// The refusal, or what is wrong with the request.
pub(super) fn own(
    node: &Node,
    session: &Session,
    asked: &Statement,
    now: DateTime<Utc>,
) -> Result<u32, Error> {
    let here = &node.config.node;
    let refuse = |message: String, fix: &str| Refusal::new(Code::Recipient, "liquid.preview", message, fix);
    if session.peer.is_some() {
        return Err(refuse(
            "a preview is not carried by anybody".to_owned(),
            "ask the node at its own address, with `--url`",
        )
        .into());
    }
    if session.caller.organisation != here.organisation || asked.organisation != here.organisation {
        return Err(refuse(
            format!("previews at this site are for people of `{}`", here.organisation),
            "ask the node of your own organisation, with a token and a key of yours",
        )
        .into());
    }
    // Signatures first: reading a text that was made to be hard to read takes long.
    if !node.agreements.is_signed(asked) {
        return Err(no_approver(asked).into());
    }
    let Act::Preview { draft: _, site, days, nonce: _ } = &asked.act else {
        return Err(Error::invalid(
            "something else was signed",
            "run the same version of liquid at both ends",
        ));
    };
    if *site != here.site {
        return Err(Error::invalid(
            format!("the request is signed for site `{site}`, and this is `{}`", here.site),
            "name this site with `--site`",
        ));
    }
    if !(1..=DAYS_MAX).contains(days) {
        return Err(Error::invalid(
            "the period is out of range",
            format!("name 1 to {DAYS_MAX} days with `--days`"),
        ));
    }
    if (now - asked.time).abs() > GOOD_FOR {
        return Err(Error::invalid(
            "the request was signed more than five minutes ago or ahead, by this site's clock",
            "ask again; if it stays so, set the clocks",
        ));
    }
    Ok(*days)
}

/// Whether this is the draft for which the request was signed.
pub(super) fn signed_for(asked: &Statement, draft: &Agreement) -> Result<(), Error> {
    match &asked.act {
        Act::Preview { draft: hash, .. } if hash == draft.hash() => Ok(()),
        _ => Err(Error::invalid("the request is signed for another draft", "ask for the preview again")),
    }
}

/// Whether whoever signed approves the version that stands, by a key that counts. The draft has no say in it: it is theirs.
///
/// # Errors
/// The refusal, or that the request was here before.
pub(super) fn approves(node: &Node, asked: &Statement, standing: &Agreement) -> Result<(), Error> {
    if !node.agreements.is_of_approver(standing, asked) {
        return Err(no_approver(asked).into());
    }
    if !node.used.take(asked, node.time()) {
        return Err(Error::invalid("this request was presented before", "ask for the preview again"));
    }
    Ok(())
}

fn no_approver(asked: &Statement) -> Refusal {
    Refusal::new(
        Code::Recipient,
        "party.approvers",
        format!(
            "`{}` is no key that approves this agreement at this site in the role `{}`, for `{}`",
            asked.key_id, asked.role, asked.organisation
        ),
        "ask with the key of somebody who approves it for your organisation; the site's operator lists them in `[[trusted_key]]`",
    )
}
