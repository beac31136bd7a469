//! What is agreed: names, purposes, days, and what is written for the record.

use std::collections::BTreeSet;

use super::order::{self, Step};
use super::{About, Changes, Direction, keys, sorted};
use crate::document;
use crate::file::{Dpia, Head, Onward, Retention, Review, Supersedes};
use crate::refusal::list;

/// The section `[agreement]`.
pub(super) fn head(changes: &mut Changes, (old, new): (&Head, &Head)) {
    keys!(Head {
        id, title, version, supersedes, marking, purposes, purpose_text, benefits, legal_basis, dpia, privacy_notice,
        rights_procedure, breach_contact, security_controls, termination, lead, contact, in_force, expires, review,
        retention, onward,
    } of old, new);
    changes.add("agreement.id", order::neither(id), About::Nothing, |_| {
        format!("`{}` is another agreement than `{}`, and no version of it", id.1, id.0)
    });
    let text = |pair: (&Option<String>, &Option<String>)| order::recorded(pair);
    changes.value("agreement.title", text(title), "the title", title);
    changes.value("agreement.version", order::recorded(version), "the number of the version", version);
    let hashes = |it: &Option<Supersedes>| sorted(it.as_ref().map_or(&[], Supersedes::hashes));
    let step = order::recorded((&hashes(supersedes.0), &hashes(supersedes.1)));
    changes.value("agreement.supersedes", step, "the version that it replaces", supersedes);
    let subject = "the protective marking, for which each site can set a floor";
    changes.value("agreement.marking", order::neither(marking), subject, marking);
    purpose(changes, purposes);
    for (key, what, pair) in
        [("purpose_text", "the purposes in words", purpose_text), ("benefits", "who benefits", benefits)]
    {
        changes.value(format!("agreement.{key}"), text(pair), what, pair);
    }
    let bases = (sorted(legal_basis.0), sorted(legal_basis.1));
    let step = order::recorded((&bases.0, &bases.1));
    changes.value("agreement.legal_basis", step, "the legal basis", legal_basis);
    impact(changes, dpia);
    for (key, what, pair) in [
        ("privacy_notice", "where the privacy notice is", privacy_notice),
        ("rights_procedure", "how people exercise their rights", rights_procedure),
        ("breach_contact", "whom to tell of a breach", breach_contact),
        ("security_controls", "the security controls that the parties keep", security_controls),
        ("termination", "the notice for leaving", termination),
    ] {
        changes.value(format!("agreement.{key}"), text(pair), what, pair);
    }
    changes.value("agreement.lead", order::recorded(lead), "the organisation that leads", lead);
    changes.value("agreement.contact", text(contact), "where questions about the agreement go", contact);
    changes.add("agreement.in_force", order::higher(in_force), About::Days, |way| {
        format!("the first day in force is {}, not {}; {}", in_force.1.0, in_force.0.0, way.effect())
    });
    changes.add("agreement.expires", order::lower(expires), About::Days, |way| {
        format!("the last day in force is {}, not {}; {}", expires.1.0, expires.0.0, way.effect())
    });
    reviewed(changes, review);
    kept(changes, retention);
    handed_on(changes, onward);
}

/// Purposes that requests may name.
fn purpose(changes: &mut Changes, (old, new): (&Vec<crate::id::Purpose>, &Vec<crate::id::Purpose>)) {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    changes.add("agreement.purposes", order::fewer(&old, &new), About::Callers(None), |way| {
        let mut parts = Vec::new();
        if new.difference(&old).next().is_some() {
            parts.push(format!("questions may also be asked for {}", list(new.difference(&old))));
        }
        if old.difference(&new).next().is_some() {
            parts.push(format!("questions may no longer be asked for {}", list(old.difference(&new))));
        }
        format!("{}; {}", parts.join(", and "), way.effect())
    });
}

fn impact(changes: &mut Changes, (old, new): (&Option<Dpia>, &Option<Dpia>)) {
    let empty = Dpia { reference: String::new(), outcome: None };
    let (before, after) = (old.as_ref().unwrap_or(&empty), new.as_ref().unwrap_or(&empty));
    keys!(Dpia { reference, outcome } of before, after);
    let step = order::all([order::recorded(reference), order::recorded(outcome)]);
    changes.value("agreement.dpia", step, "the data protection impact assessment", (old, new));
}

/// What counts is the last day on which the agreement stands unreviewed.
fn reviewed(changes: &mut Changes, pair: (&Option<Review>, &Option<Review>)) {
    let step = order::switched(pair, |(old, new)| {
        keys!(Review { due, grace_days } of old, new);
        let last =
            |due: crate::file::Date, grace_days: u32| document::Review { due: due.0, grace_days }.last_day();
        let (before, after) = (last(*due.0, *grace_days.0), last(*due.1, *grace_days.1));
        let written: [Step; 2] = [order::recorded(due), order::recorded(grace_days)];
        order::lower((&before, &after)).or_else(|| order::all(written))
    });
    let said = |review: &Option<Review>| match review {
        Some(review) => format!("until {} days after {}", review.grace_days, review.due.0),
        None => "without end".to_owned(),
    };
    changes.add("agreement.review", step, About::Days, |way| {
        format!(
            "without a review the agreement stands {}, not {}; {}",
            said(pair.1),
            said(pair.0),
            way.effect()
        )
    });
}

/// A limit on recipients may not be unsaid; how long sites keep logs tells more of callers and proves more to auditors.
fn kept(changes: &mut Changes, (old, new): (&Option<Retention>, &Option<Retention>)) {
    let unsaid = Retention { results_days: None, logs_days: None };
    let (old, new) = (old.as_ref().unwrap_or(&unsaid), new.as_ref().unwrap_or(&unsaid));
    keys!(Retention { results_days, logs_days } of old, new);
    let said =
        |days: &Option<u32>| days.map_or("without limit".to_owned(), |days| format!("for {days} days"));
    let clause = "agreement.retention.results_days";
    changes.add(clause, order::limit(results_days), About::Nothing, |way| {
        let end = match way {
            Direction::Tightens => "they keep them less long",
            _ => "they keep them longer",
        };
        format!("recipients may keep results {}, not {}; {end}", said(results_days.1), said(results_days.0))
    });
    let subject = "days for which sites keep logs";
    changes.value("agreement.retention.logs_days", order::neither(logs_days), subject, logs_days);
}

/// From the tightest: to recipients, unsaid, to anyone.
fn handed_on(changes: &mut Changes, (old, new): (&Option<Onward>, &Option<Onward>)) {
    let rank = |onward: &Option<Onward>| match onward {
        Some(Onward::Recipients) => 0_u8,
        None => 1,
        Some(Onward::Public) => 2,
    };
    let said = |onward: &Option<Onward>| match onward {
        Some(Onward::Recipients) => "among the recipients only",
        None => "as the agreement leaves unsaid",
        Some(Onward::Public) => "to anyone",
    };
    changes.add("agreement.onward", order::lower((&rank(old), &rank(new))), About::Nothing, |way| {
        let end = match way {
            Direction::Tightens => "fewer may read them",
            _ => "more may read them",
        };
        format!("results may be handed on {}, not {}; {end}", said(new), said(old))
    });
}
