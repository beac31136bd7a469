//! Approved queries that nobody can call, or that say the same, and people who are left without any.

use super::{Advice, Kind};
use crate::file::{File, Recipient};

pub(super) fn templates(file: &File, advice: &mut Vec<Advice>) {
    let only = file.release.templates_only;
    if only && file.template.is_empty() {
        advice.push(Advice::new(
            Kind::Contradiction,
            &["release", "templates_only"],
            "only approved queries may be asked, and there is none, so nobody can ask anything",
            "add a `[[template]]`, or leave `templates_only` out",
        ));
        return;
    }
    for (index, recipient) in file.recipient.iter().enumerate().filter(|_| only) {
        let Recipient { organisation, roles, .. } = recipient;
        let index = index.to_string();
        for (place, role) in roles.iter().enumerate() {
            if file.template.iter().any(|template| template.roles.contains(role)) {
                continue;
            }
            advice.push(Advice::new(
                Kind::Contradiction,
                &["recipient", &index, "roles", &place.to_string()],
                format!("only approved queries may be asked, and `{organisation}` may call none as `{role}`"),
                "name the role in a `[[template]]`, or leave it out here",
            ));
        }
    }
    for (index, template) in file.template.iter().enumerate() {
        let mut before = file.template.iter().take(index);
        if let Some(same) = before.find(|other| other.sha256 == template.sha256) {
            advice.push(Advice::new(
                Kind::Contradiction,
                &["template", &index.to_string(), "sha256"],
                format!("the templates `{}` and `{}` are the same text", same.name, template.name),
                "keep one of them, for the roles of both",
            ));
        }
    }
}
