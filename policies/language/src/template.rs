//! Approved queries: who may call which, and whether anything else may be asked.
//!
//! Approval adds no right. A call is decided as the same text would be, its values put in. What approval does is take all other
//! questions away, where the agreement says `templates_only`.

use std::collections::BTreeSet;

use crate::admit::Caller;
use crate::document::Agreement;
use crate::id::{Purpose, RoleName, TemplateName};
use crate::refusal::{Code, Refusal};

/// An approved query. [`crate::parse`] alone makes one, of the very text that the parties agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub(crate) name: TemplateName,
    pub(crate) sha256: String,
    pub(crate) roles: BTreeSet<RoleName>,
    pub(crate) text: String,
}

impl Template {
    /// Its name.
    pub fn name(&self) -> &TemplateName {
        &self.name
    }

    /// The SHA-256 of its file.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The roles in which it may be called.
    pub fn roles(&self) -> &BTreeSet<RoleName> {
        &self.roles
    }

    /// The query, with parameters such as `$ward`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it says of itself: the comment lines with which it begins, as one text.
    pub fn description(&self) -> String {
        description(&self.text)
    }
}

/// The name of the file in which a template lies.
pub fn file(name: &str) -> String {
    format!("{name}.sql")
}

/// The comment lines with which a query begins, as one text.
pub fn description(text: &str) -> String {
    let lines = text.lines().map(str::trim).skip_while(|line| line.is_empty());
    let said =
        lines.map_while(|line| line.strip_prefix("--")).map(|line| line.trim_start_matches('-').trim());
    said.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The approved queries that somebody may call under an agreement, for a purpose or for any.
pub fn callable<'a>(
    agreement: &'a Agreement,
    caller: &'a Caller,
    purpose: Option<&'a Purpose>,
) -> impl Iterator<Item = &'a Template> {
    agreement.templates().values().filter(move |template| {
        agreement.recipients().iter().any(|recipient| {
            recipient.organisation == caller.organisation
                && purpose.is_none_or(|purpose| recipient.purposes.contains(purpose))
                && caller
                    .roles
                    .iter()
                    .any(|role| recipient.roles.contains(role) && template.roles.contains(role))
        })
    })
}

/// There is no such approved query, or not for this caller: both sound the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no approved query of this name that you may call")]
pub struct NotCallable {
    /// Those that the caller may call.
    pub callable: Vec<TemplateName>,
}

impl NotCallable {
    /// What the caller can do instead.
    pub fn fix(&self) -> String {
        match self.callable.first() {
            None => "none is open to you; ask the data owners".to_owned(),
            Some(_) => {
                format!(
                    "you may call {}; `liquid templates` shows them",
                    crate::refusal::list(&self.callable)
                )
            }
        }
    }
}

/// Whether an agreement lets this caller ask for this purpose what was asked: a call of an approved query, by its name and the SHA-256 of
/// its file, or a question of their own. For explaining drafts, since it admits nobody.
///
/// # Errors
/// The refusal.
pub fn approved(
    agreement: &Agreement,
    caller: &Caller,
    purpose: &Purpose,
    called: Option<(&TemplateName, &str)>,
) -> Result<(), Refusal> {
    let Some((name, sha256)) = called else {
        return if agreement.templates_only() { Err(only_templates(agreement)) } else { Ok(()) };
    };
    let mut open = callable(agreement, caller, Some(purpose));
    if open.any(|template| template.name() == name && template.sha256() == sha256) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::TemplateOnly,
        format!("template.{}", crate::decide::key(name.as_str())),
        format!("the approved query `{name}` is not there as it was, or not for this role"),
        "`liquid templates` lists those that may be called",
    ))
}

/// What everything but a call is told where only approved queries may be asked.
pub fn only_templates(agreement: &Agreement) -> Refusal {
    Refusal::new(
        Code::TemplateOnly,
        "release.templates_only",
        format!("agreement `{}` lets nothing be asked but its approved queries", agreement.id()),
        "`liquid templates` lists those that you may call; call one as `EXECUTE \"name\"(parameter => 'value')`",
    )
}
