//! A coordinator's envelope at its site: whose it is, for whom, until when, and whether it was here before. Nothing of the
//! question is looked at before all of this holds.

use std::time::Duration;

use liquid_node_api::Error;
use liquid_node_api::envelope::{Envelope, Verified};
use liquid_node_api::request::DIALECT;
use liquid_node_api::sql::{Answer, request_id};
use liquid_node_api::wire::Encoded;

use crate::audit::Carried;
use crate::node::Node;
use crate::pipeline::{Question, answer, turn_away};
use crate::replay::{LIFE_MS, SKEW_MS, Verdict};
use crate::serve::Session;

/// Answers a coordinator's envelope:
///
/// 1. its issuer is the peer of this connection, and one of the coordinators that the site knows;
/// 2. it is for this site, and for the caller whose token came with it;
/// 3. its time is now, and it is not meant to be good for long;
/// 4. it was not here before;
/// 5. then the question is answered as any other, its nonce on disk with its record.
///
/// # Errors
/// What is wrong with the envelope; else as [`answer`]. All of it is on record, a replay once.
pub async fn ask(node: &Node, session: &Session, verified: Verified) -> Result<Answer<Encoded>, Error> {
    let mut question = question(&verified);
    let taken = acceptable(node, session, verified.envelope()).and_then(|()| {
        // Only of an envelope that was for this site the log remembers the number.
        let Envelope { issuer, nonce, issued_ms, .. } = verified.envelope().clone();
        question.carried = Some(Carried { issuer, nonce, issued_ms, hash: verified.hash().to_owned() });
        take(node, verified.envelope())
    });
    let Err(error) = taken else { return answer(node, session, question).await };
    if !node.window.first_turned_away(verified.hash()) {
        tracing::warn!(issuer = %verified.envelope().issuer, "an envelope that was turned away comes again");
        return Err(error);
    }
    let request = request_id();
    Err(turn_away(node, session, &question, &request, None, Vec::new(), error).await)
}

/// Takes it, once.
fn take(node: &Node, envelope: &Envelope) -> Result<(), Error> {
    match node.window.take(envelope, node.time().timestamp_millis()) {
        Verdict::Take => Ok(()),
        Verdict::Replayed => Err(Error::invalid(
            "this envelope was presented before",
            "ask again: a question is signed anew each time",
        )),
        Verdict::TooOld => Err(Error::invalid(
            "the question was signed before this site began to remember questions",
            "ask again; if it stays so, set the clocks of coordinator and site",
        )),
        Verdict::Full => Err(Error::fault(
            "the coordinator has asked this site too much in the last minutes",
            true,
            "ask again in some minutes",
        )),
    }
}

fn acceptable(node: &Node, session: &Session, envelope: &Envelope) -> Result<(), Error> {
    let Envelope { issuer, audience, token, issued_ms, expires_ms, request, .. } = envelope;
    let config = node.config();
    let peer = session.peer.as_ref().map(|peer| &peer.identity);
    let (now_ms, life_ms) = (node.time().timestamp_millis(), expires_ms.saturating_sub(*issued_ms));
    let error = if peer.is_none_or(|peer| !config.node.coordinators.contains(peer)) {
        Error::unauthenticated(
            "only a coordinator that this site knows may send site requests",
            "ask the site's operator to add the coordinator's identity to `coordinators` in `[node]`",
        )
    } else if peer != Some(issuer) {
        Error::unauthenticated(
            "the envelope was signed by another coordinator than the one that carries it",
            "let each coordinator carry its own questions",
        )
    } else if *audience != config.node.site {
        Error::invalid("the envelope is for another site", "send each site its own")
    } else if *token != session.token_hash {
        Error::invalid("the envelope is for another caller's token", "ask again")
    } else if !(1..=LIFE_MS).contains(&life_ms) {
        Error::invalid(
            "the envelope would be good for too long",
            "run the same version of liquid at coordinator and site",
        )
    } else if *issued_ms > now_ms.saturating_add(SKEW_MS) {
        Error::invalid(
            "the question was signed in the future: the clocks of coordinator and site differ by more than 30 seconds",
            "set the clocks",
        )
    } else if expires_ms.saturating_add(SKEW_MS) < now_ms {
        Error::invalid(
            "the envelope has expired: it is old, or the clocks of coordinator and site differ by more than 30 seconds",
            "ask again; if it stays so, set the clocks",
        )
    } else if request.dialect != DIALECT {
        Error::invalid(
            format!("this site reads version {DIALECT} of the dialect, not {}", request.dialect),
            "run the same version of liquid at coordinator and site",
        )
    } else {
        return Ok(());
    };
    Err(error)
}

fn question(verified: &Verified) -> Question {
    let Envelope { caps, request, .. } = verified.envelope().clone();
    Question {
        id: request.id,
        sql: request.sql,
        parameters: request.parameters,
        cut_of: request.call,
        purpose: request.purpose,
        agreement: request.agreement,
        pinned: request.pinned,
        deadline: Some(Duration::from_millis(request.deadline_ms)),
        marks: request.marks,
        caps: Some(caps),
        carried: None,
    }
}
