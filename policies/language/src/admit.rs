//! Caller, purpose and dates against the agreements that a node holds: which one decides, and whether it may.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::document::{Agreement, Recipient};
use crate::id::{AgreementHash, AgreementId, OrganisationName, Purpose, RoleName};
use crate::refusal::{Code, Refusal, list, plain_list};
use crate::signature::{Lack, Signed};
use crate::template::{NotCallable, Template, callable, only_templates};

/// Who asks, as the node itself has proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The organisation that vouches for them.
    pub organisation: OrganisationName,
    /// Their roles there.
    pub roles: Vec<RoleName>,
    /// Who they are.
    pub subject: String,
    /// The purposes for which they may ask at all.
    pub purposes: Vec<Purpose>,
}

/// What a request says of the agreement under which it is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// The purpose; none where the caller has only one.
    pub purpose: Option<&'a Purpose>,
    /// The agreement; none where only one applies.
    pub agreement: Option<&'a AgreementId>,
    /// The version that the coordinator planned against.
    pub pinned: Option<&'a AgreementHash>,
}

/// A caller who may ask for one purpose under one agreement today. Only [`admit`] makes one.
#[derive(Debug, Clone)]
pub struct Admitted {
    agreement: Arc<Agreement>,
    caller: Caller,
    purpose: Purpose,
    template: Option<Template>,
}

impl Admitted {
    /// The agreement that decides.
    pub fn agreement(&self) -> &Arc<Agreement> {
        &self.agreement
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// For what.
    pub fn purpose(&self) -> &Purpose {
        &self.purpose
    }

    /// The same caller with an approved query to call. Whoever decides a question with it has planned that query's own text, or
    /// has shown that what they planned is a cut of it.
    ///
    /// # Errors
    /// Where there is none of this name, or not for this caller.
    pub fn calling(&self, name: &str) -> Result<Self, NotCallable> {
        let mut open = callable(&self.agreement, &self.caller, Some(&self.purpose));
        match open.find(|template| template.name().as_str() == name) {
            Some(template) => Ok(Self { template: Some(template.clone()), ..self.clone() }),
            None => {
                let open = callable(&self.agreement, &self.caller, Some(&self.purpose));
                Err(NotCallable { callable: open.map(|it| it.name().clone()).collect() })
            }
        }
    }

    /// The approved query that is called.
    pub fn template(&self) -> Option<&Template> {
        self.template.as_ref()
    }

    /// Whether this may be asked as it stands: an approved query is called, or any question may be asked.
    ///
    /// # Errors
    /// The refusal.
    pub fn approved(&self) -> Result<(), Refusal> {
        match self.template {
            None if self.agreement.templates_only() => Err(only_templates(&self.agreement)),
            _ => Ok(()),
        }
    }
}

/// Admits a caller, or says why not. With no agreement at all, everybody is refused.
///
/// # Errors
/// The first of these that holds: the agreement is not here or not the only one that applies, the caller is no
/// recipient, the purpose is not theirs, a controller's signature is missing, the agreement is not in force, its review
/// is overdue, the site holds another version.
pub fn admit(
    agreements: &[Signed],
    caller: &Caller,
    named: Named<'_>,
    today: NaiveDate,
) -> Result<Admitted, Refusal> {
    let asked = named.purpose.or_else(|| only(&caller.purposes));
    let signed = choose(agreements, caller, Named { purpose: asked, ..named }, today)?;
    let agreement = signed.agreement();
    let purpose = purpose(agreement, caller, asked)?;
    stands(signed, today)?;
    if named.pinned.is_some_and(|pinned| pinned != agreement.hash()) {
        return Err(Refusal::new(
            Code::Version,
            "agreement.version",
            format!("this site holds another version of agreement `{}` than the one named", agreement.id()),
            "ask again; if it stays so, the sites have to agree on one version first",
        ));
    }
    Ok(Admitted { agreement: Arc::clone(agreement), caller: caller.clone(), purpose, template: None })
}

/// What [`admit`] would say of a caller under an agreement if every controller had signed it: for explaining drafts, since it admits
/// nobody.
///
/// # Errors
/// As [`admit`].
pub fn foresee(
    agreement: &Agreement,
    caller: &Caller,
    named: Named<'_>,
    today: NaiveDate,
) -> Result<Purpose, Refusal> {
    if !names(agreement, caller, named) {
        return Err(no_recipient(caller, named.agreement));
    }
    let asked = named.purpose.or_else(|| only(&caller.purposes));
    let purpose = purpose(agreement, caller, asked)?;
    in_time(agreement, today)?;
    Ok(purpose)
}

/// The agreements under which a caller may ask something today, each with the purposes that they may name: what a node
/// publishes to them.
pub fn open_to<'a>(
    agreements: &'a [Signed],
    caller: &Caller,
    today: NaiveDate,
) -> Vec<(&'a Arc<Agreement>, BTreeSet<Purpose>)> {
    agreements
        .iter()
        .filter(|signed| stands(signed, today).is_ok())
        .map(|signed| (signed.agreement(), purposes(signed.agreement(), caller)))
        .filter(|(_, purposes)| !purposes.is_empty())
        .collect()
}

/// The one agreement that decides.
fn choose<'a>(
    agreements: &'a [Signed],
    caller: &Caller,
    named: Named<'_>,
    today: NaiveDate,
) -> Result<&'a Signed, Refusal> {
    let mut candidates: Vec<&Signed> =
        agreements.iter().filter(|signed| names(signed.agreement(), caller, named)).collect();
    if candidates.is_empty() {
        return Err(no_recipient(caller, named.agreement));
    }
    // Among several, one that could answer goes before one that could not, so that an agreement that has run out
    // does not stand in the way of its successor. Which checks a lone candidate fails is said by the caller of this.
    let narrowing: [&dyn Fn(&Signed) -> bool; 3] = [
        &|signed| named.purpose.is_none_or(|asked| purposes(signed.agreement(), caller).contains(asked)),
        &|signed| stands(signed, today).is_ok(),
        &|signed| named.pinned.is_none_or(|pinned| pinned == signed.agreement().hash()),
    ];
    for (at, suits) in narrowing.into_iter().enumerate() {
        // Which of two versions of one agreement decides is not for a request to say.
        let ids: BTreeSet<_> = candidates.iter().map(|signed| signed.agreement().id()).collect();
        if at == 2 && ids.len() < candidates.len() && candidates.iter().all(|it| stands(it, today).is_ok()) {
            return Err(ambiguous(&candidates));
        }
        if candidates.iter().any(|signed| suits(signed)) {
            candidates.retain(|signed| suits(signed));
        }
    }
    match candidates.as_slice() {
        [one] => Ok(one),
        several => Err(ambiguous(several)),
    }
}

/// Whether an agreement names this caller as a recipient, and is the one that the request names, if it names one.
pub fn names(agreement: &Agreement, caller: &Caller, named: Named<'_>) -> bool {
    named.agreement.is_none_or(|id| id == agreement.id()) && receipts(agreement, caller).next().is_some()
}

/// The entries of an agreement that name this caller.
fn receipts<'a>(agreement: &'a Agreement, caller: &'a Caller) -> impl Iterator<Item = &'a Recipient> {
    agreement.recipients().iter().filter(|recipient| {
        recipient.organisation == caller.organisation
            && caller.roles.iter().any(|role| recipient.roles.contains(role))
    })
}

/// The purposes for which this caller may ask under this agreement.
fn purposes(agreement: &Agreement, caller: &Caller) -> BTreeSet<Purpose> {
    receipts(agreement, caller)
        .flat_map(|recipient| &recipient.purposes)
        .filter(|purpose| agreement.purposes().contains(*purpose) && caller.purposes.contains(purpose))
        .cloned()
        .collect()
}

/// The one purpose of a caller who has no other. It does not depend on any agreement, so that one purpose less in an
/// agreement never makes a request clear that was not.
fn only(purposes: &[Purpose]) -> Option<&Purpose> {
    match purposes {
        [first, others @ ..] if others.iter().all(|other| other == first) => Some(first),
        _ => None,
    }
}

/// The purpose that was asked for, if the agreement gives it to this caller.
fn purpose(agreement: &Agreement, caller: &Caller, asked: Option<&Purpose>) -> Result<Purpose, Refusal> {
    let possible = purposes(agreement, caller);
    let id = agreement.id();
    let message = match asked {
        Some(asked) if possible.contains(asked) => return Ok(asked.clone()),
        Some(asked) => format!("agreement `{id}` does not give you the purpose `{asked}`"),
        None if possible.is_empty() => format!("agreement `{id}` gives you no purpose that is yours"),
        None => format!("agreement `{id}` needs to know the purpose of the request"),
    };
    let fix = if possible.is_empty() {
        "sign in with a purpose that the agreement names, or ask the data owners for an agreement with yours"
            .into()
    } else {
        format!(
            "name one of your purposes: {}, for example `--purpose {}`",
            list(&possible),
            first(&possible)
        )
    };
    Err(Refusal::new(Code::Purpose, "recipient.purposes", message, fix))
}

/// Whether an agreement stands today, whoever asks.
fn stands(signed: &Signed, today: NaiveDate) -> Result<(), Refusal> {
    let agreement = signed.agreement();
    let id = agreement.id();
    if signed.lacks().contains(&Lack::Choice) {
        return Err(Refusal::new(
            Code::Unsigned,
            "signoff",
            format!(
                "agreement `{id}` has several versions that its parties have signed, and none of them replaces the others"
            ),
            "ask its parties to sign a version that replaces all of them",
        ));
    }
    if signed.lacks().contains(&Lack::Unheard) {
        return Err(Refusal::new(
            Code::Unsigned,
            "signoff",
            format!("agreement `{id}` tightens a version that does not stand at this site"),
            "ask this site's board to sign a version that names those which do",
        ));
    }
    if !signed.is_complete() {
        return Err(Refusal::new(
            Code::Unsigned,
            "signoff",
            format!("agreement `{id}` lacks a valid signature of {}", plain_list(signed.lacks())),
            "ask the site's operator to have this version signed, and its keys trusted",
        ));
    }
    if let Some(first) = signed.suspended().first() {
        return Err(Refusal::new(
            Code::Suspended,
            "signoff",
            format!("agreement `{id}` is suspended by {}", list([&first.organisation])),
            "ask again when its parties have resumed it",
        ));
    }
    in_time(agreement, today)
}

/// Whether an agreement is in force today, and reviewed.
fn in_time(agreement: &Agreement, today: NaiveDate) -> Result<(), Refusal> {
    let id = agreement.id();
    let in_force = agreement.in_force();
    if today < *in_force.start() {
        return Err(Refusal::new(
            Code::NotInForce,
            "agreement.in_force",
            format!("agreement `{id}` is not in force before {}", in_force.start()),
            "ask again from that day on",
        ));
    }
    if today > *in_force.end() {
        return Err(Refusal::new(
            Code::NotInForce,
            "agreement.expires",
            format!("agreement `{id}` expired after {}", in_force.end()),
            "ask the data owners for a new version",
        ));
    }
    if let Some(review) = agreement.review()
        && today > review.last_day()
    {
        return Err(Refusal::new(
            Code::ReviewOverdue,
            "agreement.review",
            format!("the review of agreement `{id}` was due on {} and its grace is over", review.due),
            "ask the data owners to review it and to sign a new version",
        ));
    }
    Ok(())
}

/// The same text whether the agreement exists or not: who is no recipient learns nothing of it.
fn no_recipient(caller: &Caller, named: Option<&AgreementId>) -> Refusal {
    let roles = list(&caller.roles);
    let who = if caller.roles.is_empty() {
        format!("`{}` without a role", caller.organisation)
    } else {
        format!("`{}` in the role {roles}", caller.organisation)
    };
    let message = match named {
        Some(id) => format!("this site holds no agreement `{id}` with {who} as a recipient"),
        None => format!("this site holds no agreement with {who} as a recipient"),
    };
    Refusal::new(
        Code::Recipient,
        "recipient",
        message,
        "check the agreement's name and your role, or ask the data owners to be named as a recipient",
    )
}

fn ambiguous(several: &[&Signed]) -> Refusal {
    let ids: BTreeSet<_> = several.iter().map(|signed| signed.agreement().id()).collect();
    if ids.len() == 1 {
        return Refusal::new(
            Code::Version,
            "agreement.version",
            format!("this site holds several versions of agreement {} that stand today", list(&ids)),
            "ask the site's operator to keep one of them",
        );
    }
    Refusal::new(
        Code::Recipient,
        "liquid.agreement",
        format!("several agreements apply to this request: {}", list(&ids)),
        format!("name one of them, for example `--agreement {}`", first(&ids)),
    )
}

fn first<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().next().map(|name| name.to_string()).unwrap_or_default()
}
