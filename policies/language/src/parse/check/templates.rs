//! Approved queries: names that can be called and be files, roles that recipients have, and texts that are the agreed ones.
//!
//! Whether a text is a query, and one that the agreement permits, takes a planner: nodes and `lint` say so.

use std::collections::{BTreeMap, BTreeSet};

use super::Check;
use crate::file::{self, File};
use crate::id::{RoleName, TemplateName};
use crate::template::{self, Template};

/// Approved queries of one agreement. Each is published to its callers, and so is its text.
const TEMPLATES_MAX: usize = 100;

/// Bytes of the text of one. A node takes no longer query.
const TEXT_BYTES_MAX: usize = 16 << 10;

impl Check<'_> {
    /// Every approved query that is in order.
    pub(super) fn templates(&mut self, file: &File) -> BTreeMap<TemplateName, Template> {
        if file.template.len() > TEMPLATES_MAX {
            self.problem(
                &["template"],
                format!("there are more than {TEMPLATES_MAX} templates"),
                "write several agreements",
            );
            return BTreeMap::new();
        }
        let mut templates = BTreeMap::new();
        for (index, written) in file.template.iter().enumerate() {
            let place = index.to_string();
            let found = self.template(file, &place, written);
            let name = TemplateName::new(&written.name);
            if file.template.iter().take(index).any(|earlier| earlier.name == written.name) {
                self.problem(
                    &["template", &place, "name"],
                    format!("there is a template `{name}` already"),
                    "give each template a name of its own",
                );
            }
            templates.extend(found.map(|template| (name, template)));
        }
        templates
    }

    fn template(&mut self, file: &File, place: &str, written: &file::Template) -> Option<Template> {
        let at = |key| ["template", place, key];
        let file::Template { name, sha256, roles, reserve: _ } = written;
        self.names(&at("roles"), roles.iter());
        let known: BTreeSet<&RoleName> = file.recipient.iter().flat_map(|it| &it.roles).collect();
        for (index, role) in roles.iter().enumerate().filter(|(_, role)| !known.contains(role)) {
            self.problem(
                &["template", place, "roles", &index.to_string()],
                format!("no recipient has the role `{role}`, so nobody could call `{name}` in it"),
                "name a role of a `[[recipient]]`, or take it out here",
            );
        }
        let is_hash = self.sha256(&at("sha256"), sha256);
        if !is_name(name) {
            self.problem(
                &at("name"),
                "a template is called by its name: small letters, digits, `-` and `_`, 64 at most",
                "write for example `referrals-by-ward`; its text lies beside the agreement in `referrals-by-ward.sql`",
            );
            return None;
        }
        if !is_hash {
            return None;
        }
        let beside = template::file(name);
        let what = format!("the template in `{beside}`");
        let fix = "put the file beside the agreement; its name is the template's, with `.sql`";
        let bytes =
            self.agreed(&beside, sha256, TEXT_BYTES_MAX, (&at("name"), &at("sha256")), (&what, fix))?;
        match String::from_utf8(bytes).ok().filter(|text| is_plain(text)) {
            Some(text) => Some(Template {
                name: TemplateName::new(name),
                sha256: sha256.clone(),
                roles: roles.iter().cloned().collect(),
                text,
            }),
            None => {
                self.problem(
                    &at("name"),
                    format!("`{beside}` is no plain text, so nobody can see what they sign"),
                    "write it in UTF-8, without control characters and without signs that turn the reading direction",
                );
                None
            }
        }
    }
}

/// Whether a name can be called, and be a file.
fn is_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    (1..=64).contains(&name.len())
        && name.bytes().all(inner)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

/// Whether a text is what it looks like.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| match c {
        '\n' | '\r' | '\t' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => false,
        c => !c.is_control(),
    })
}
