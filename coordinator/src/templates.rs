//! Approved queries over the federation: what the sites publish of them to one caller, put together.
//!
//! A site decides with its own copy and trusts none that it is sent. So a wrong text from one of them costs an answer, and no more.

use liquid_node_api::Error;
use liquid_node_api::call::Call;
use liquid_node_api::catalogue::{OpenTemplate, PublishedTemplate};
use liquid_node_api::sql::SessionOptions;

use crate::catalogue::{View, applying};

impl View {
    /// The approved queries that this caller may call, each once for each agreement: of the version that questions are asked under,
    /// and of the text that most sites have.
    pub(crate) fn templates(&self, options: &SessionOptions) -> Vec<OpenTemplate> {
        let mut texts: Vec<OpenTemplate> = Vec::new();
        for said in self.sites.iter().filter_map(|(_, said)| said.as_ref().ok()) {
            let open = |found: &OpenTemplate| {
                let mut here = applying(&said.agreements, options).filter(|it| it.id == found.agreement);
                here.next().is_some_and(|it| self.pinned(&it.id) == Some(&it.hash))
            };
            for found in said.templates().filter(open) {
                match texts
                    .iter_mut()
                    .find(|it| it.agreement == found.agreement && it.template == found.template)
                {
                    Some(known) => known.sites.extend(found.sites),
                    None => texts.push(found),
                }
            }
        }
        let mut open: Vec<OpenTemplate> = Vec::new();
        for text in texts {
            let same = |it: &&mut OpenTemplate| {
                it.agreement == text.agreement && it.template.name == text.template.name
            };
            match open.iter_mut().find(same) {
                Some(known) if known.sites.len() < text.sites.len() => *known = text,
                Some(_) => {}
                None => open.push(text),
            }
        }
        open
    }

    /// The approved query that is called.
    ///
    /// # Errors
    /// Where there is none that this caller may call, or several.
    pub(crate) fn template(&self, call: &Call, options: &SessionOptions) -> Result<PublishedTemplate, Error> {
        let open = self.templates(options);
        let named: Vec<&OpenTemplate> = open.iter().filter(|it| it.template.name == call.name).collect();
        match named.as_slice() {
            [one] => Ok(one.template.clone()),
            [] => {
                let names: Vec<_> = open.iter().map(|it| format!("`{}`", it.template.name)).collect();
                let fix = if names.is_empty() {
                    "none is open to you; ask the data owners".to_owned()
                } else {
                    format!("you may call {}; `liquid templates` shows them", names.join(", "))
                };
                Err(Error::invalid("there is no approved query of this name that you may call", fix))
            }
            several => {
                let ids: Vec<_> = several.iter().map(|it| format!("`{}`", it.agreement)).collect();
                Err(Error::invalid(
                    format!("several agreements approve a query `{}`: {}", call.name, ids.join(", ")),
                    "name one of them, for example with `--agreement`",
                ))
            }
        }
    }
}
