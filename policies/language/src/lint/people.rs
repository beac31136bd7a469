//! Who signs and who receives: names that do not fit, one person who could do it all, promises that nobody made.

use std::collections::BTreeSet;

use super::{Advice, Kind};
use crate::file::File;
use crate::key::{Key, Support};

/// Parties and their contacts.
pub(super) fn parties(file: &File, advice: &mut Vec<Advice>) {
    for (index, party) in file.party.iter().enumerate() {
        let at = index.to_string();
        if party.point_of_contact.as_ref().is_none_or(|contact| contact.trim().is_empty()) {
            advice.push(Advice::new(
                Kind::Missing,
                &["party", &at, "point_of_contact"],
                format!("nobody is named whom to ask at `{}`", party.organisation),
                "name one with `point_of_contact`",
            ));
        }
        let names: BTreeSet<_> = party.approvers.iter().collect();
        if names.len() == 1 {
            advice.push(Advice::new(
                Kind::Weak,
                &["party", &at, "approvers"],
                format!("one role alone approves for `{}`", party.organisation),
                "name a second role among its `approvers`",
            ));
        }
    }
    if let Some(lead) = &file.agreement.lead {
        let party = file.party.iter().any(|party| party.organisation == *lead);
        let recipient = file.recipient.iter().any(|recipient| recipient.organisation == *lead);
        if !party && !recipient {
            advice.push(Advice::new(
                Kind::Contradiction,
                &["agreement", "lead"],
                format!("`{lead}` leads the agreement, but is neither a party nor a recipient"),
                "correct the name, or add the organisation as a party",
            ));
        }
    }
}

/// Whose signatures are enough.
pub(super) fn signoff(file: &File, advice: &mut Vec<Advice>) {
    let signoff = &file.signoff;
    if signoff.roles_per_party < 2 {
        let help = help(
            "signoff.roles_per_party",
            "write `roles_per_party = 2` below a line `[signoff]`",
            "this version cannot ask for two: let a second person look at the agreement before one signs",
        );
        advice.push(Advice::new(
            Kind::Weak,
            &["signoff", "roles_per_party"],
            "one signature is enough for each controller, so one person can approve alone",
            help,
        ));
    }
    if signoff.author_may_sign {
        let help = help(
            "signoff.author_may_sign",
            "write `author_may_sign = false` below a line `[signoff]`",
            "this version cannot forbid it: let another person sign than the one who wrote it",
        );
        advice.push(Advice::new(
            Kind::Weak,
            &["signoff", "author_may_sign"],
            "who wrote the agreement may sign it too",
            help,
        ));
    }
}

/// A key is named only where it may be written: a site refuses an agreement that writes another one.
fn help(key: &str, write: &'static str, without: &'static str) -> &'static str {
    match Key::of(key).map(|key| key.support) {
        Some(Support::Full) => write,
        _ => without,
    }
}

/// Recipients, their promises, and what they may ask for.
pub(super) fn recipients(file: &File, advice: &mut Vec<Advice>) {
    if file.recipient.is_empty() {
        advice.push(Advice::new(
            Kind::Contradiction,
            &["recipient"],
            "nobody may ask anything, since there is no recipient",
            "add a `[[recipient]]` entry for each organisation that may ask",
        ));
    }
    let mut seen = BTreeSet::new();
    for (index, recipient) in file.recipient.iter().enumerate() {
        let at = index.to_string();
        if recipient.residency.is_empty() {
            advice.push(Advice::new(
                Kind::Missing,
                &["recipient", &at, "residency"],
                format!("`{}` promises no country in which it keeps results", recipient.organisation),
                "name the countries, for example `residency = [\"GB\"]`",
            ));
        }
        for (place, country) in recipient.residency.iter().enumerate() {
            let is_code = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
            let help = match country.to_uppercase().as_str() {
                "UK" | "ENGLAND" | "SCOTLAND" | "WALES" => "write `\"GB\"`",
                _ => "write two capital letters as ISO 3166 has them, for example `\"GB\"`",
            };
            if !is_code || country == "UK" {
                advice.push(Advice::new(
                    Kind::Contradiction,
                    &["recipient", &at, "residency", &place.to_string()],
                    format!("`{country}` is no code of a country"),
                    help,
                ));
            }
        }
        let grants = recipient.roles.iter().flat_map(|role| {
            recipient.purposes.iter().map(move |purpose| (&recipient.organisation, role, purpose))
        });
        let twice: Vec<_> = grants.filter(|grant| !seen.insert(*grant)).collect();
        if let Some((organisation, role, purpose)) = twice.first() {
            advice.push(Advice::new(
                Kind::Contradiction,
                &["recipient", &at],
                format!("`{role}` at `{organisation}` may ask for `{purpose}` already"),
                "say it once: change one of the two when terms change, and the other still allows it",
            ));
        }
    }
    for (index, purpose) in file.agreement.purposes.iter().enumerate() {
        let asked = file.recipient.iter().any(|recipient| recipient.purposes.contains(purpose));
        if !asked && !file.recipient.is_empty() {
            advice.push(Advice::new(
                Kind::Contradiction,
                &["agreement", "purposes", &index.to_string()],
                format!("nobody may ask for `{purpose}`"),
                "give it to a recipient, or leave it out",
            ));
        }
    }
}
