//! What a board would look for in the head of an agreement: placeholders, gaps, days that do not fit.

use chrono::{Days, NaiveDate};

use super::{Advice, Kind};
use crate::file::{File, Onward};
use crate::id::{ColumnName, Purpose};
use crate::preset::{NAME_TO_FILL_IN, TO_FILL_IN};

/// A year, a leap year too.
const YEAR_DAYS: i64 = 366;
/// More than this is no grace any more.
const GRACE_DAYS_MAX: u32 = 90;

/// Placeholders of a new agreement.
pub(super) fn fill_in(file: &File, advice: &mut Vec<Advice>) {
    let json = serde_json::to_value(file).unwrap_or_default();
    search(&json, &mut Vec::new(), advice);
}

fn search(at: &serde_json::Value, path: &mut Vec<String>, advice: &mut Vec<Advice>) {
    let placeholder = |text: &str| text.contains(TO_FILL_IN) || text.contains(NAME_TO_FILL_IN);
    match at {
        serde_json::Value::String(text) if placeholder(text) => {
            let steps: Vec<&str> = path.iter().map(String::as_str).collect();
            let key = steps.iter().rev().find(|step| step.parse::<usize>().is_err());
            let message = format!("`{}` is still to be filled in", key.copied().unwrap_or_default());
            advice.push(Advice::new(Kind::FillIn, &steps, message, "write what the parties have agreed"));
        }
        serde_json::Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                path.push(index.to_string());
                search(inner, path, advice);
                path.pop();
            }
        }
        serde_json::Value::Object(object) => {
            for (name, inner) in object {
                path.push(name.clone());
                if placeholder(name) {
                    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                    let message = "this name is still to be filled in";
                    advice.push(Advice::new(
                        Kind::FillIn,
                        &steps,
                        message,
                        "write the name that the sites use",
                    ));
                }
                search(inner, path, advice);
                path.pop();
            }
        }
        _ => {}
    }
}

/// What a data sharing agreement is expected to tell, and this one does not.
pub(super) fn missing(file: &File, advice: &mut Vec<Advice>) {
    let head = &file.agreement;
    let retention = head.retention.as_ref();
    let empty = |text: &Option<String>| text.as_ref().is_none_or(|text| text.trim().is_empty());
    let gaps = [
        (head.lead.is_none(), "lead", "no organisation leads the agreement", "name one with `lead`"),
        (
            empty(&head.contact),
            "contact",
            "nobody is named whom to ask about the agreement",
            "name an address with `contact`",
        ),
        (
            empty(&head.purpose_text),
            "purpose_text",
            "the purposes are codes only",
            "say in a sentence with `purpose_text` what the data is used for",
        ),
        (
            empty(&head.benefits),
            "benefits",
            "nothing says who is better off",
            "say with `benefits` whom the sharing helps, and how",
        ),
        (
            head.legal_basis.is_empty(),
            "legal_basis",
            "no legal basis is given, and without one the data may not be shared",
            "give its codes, for example `legal_basis = [\"UKGDPR-6-1-e\"]`",
        ),
        (
            head.dpia.is_none(),
            "dpia",
            "no data protection impact assessment is given",
            "give its reference, for example `dpia = { reference = \"DPIA-221\" }`",
        ),
        (
            empty(&head.privacy_notice),
            "privacy_notice",
            "nothing says where people can read that their data is used",
            "give the place with `privacy_notice`",
        ),
        (
            empty(&head.rights_procedure),
            "rights_procedure",
            "nothing says how people see and correct their data",
            "say it with `rights_procedure`",
        ),
        (
            empty(&head.breach_contact),
            "breach_contact",
            "nobody is named who must be told of a breach",
            "name an address with `breach_contact`",
        ),
        (
            empty(&head.security_controls),
            "security_controls",
            "nothing says how the parties keep the data safe",
            "say it with `security_controls`",
        ),
        (
            empty(&head.termination),
            "termination",
            "nothing says how a party leaves",
            "give the notice, for example `termination = \"P30D\"`",
        ),
        (
            retention.is_none_or(|retention| retention.results_days.is_none()),
            "retention",
            "recipients may keep results for ever",
            "set an end, for example `retention = { results_days = 730 }`",
        ),
        (
            head.onward.is_none(),
            "onward",
            "nothing says to whom results may be handed on",
            "write `onward = \"recipients\"`, or `\"public\"` for figures that are published",
        ),
    ];
    for (gap, key, message, help) in gaps {
        if gap {
            advice.push(Advice::new(Kind::Missing, &["agreement", key], message, help));
        }
    }
    if head.onward == Some(Onward::Public) && file.disclosure.minimum_contributors <= 1 {
        advice.push(Advice::new(
            Kind::Contradiction,
            &["agreement", "onward"],
            "results may be published, and a figure can be about one person",
            "write `onward = \"recipients\"`, or a `minimum_contributors` of 10 as *published statistics* has",
        ));
    }
}

/// Words in the names of tables and columns, or in the purpose, that speak of what UK GDPR Article 9 protects most.
const SPECIAL: [&str; 16] = [
    "health",
    "diagnos",
    "disease",
    "patient",
    "clinic",
    "hospital",
    "disab",
    "ethnic",
    "race",
    "religio",
    "sexual",
    "genetic",
    "biometr",
    "political",
    "union_member",
    "mental",
];

/// Health data and the like need a basis of Article 9 beside the one of Article 6.
pub(super) fn special(file: &File, advice: &mut Vec<Advice>) {
    let bases = &file.agreement.legal_basis;
    let placeholder = |basis: &String| basis.contains(TO_FILL_IN);
    if bases.is_empty() || bases.iter().any(|basis| basis.contains("-9-") || placeholder(basis)) {
        return;
    }
    let tables = file.table.iter().filter(|(_, table)| table.entity.is_some());
    let names = tables.flat_map(|(name, table)| {
        std::iter::once(name.as_str()).chain(table.columns.keys().map(ColumnName::as_str))
    });
    let purposes = file.agreement.purposes.iter().map(Purpose::as_str);
    let telling = |name: &&str| {
        let name = name.to_lowercase();
        SPECIAL.iter().any(|word| name.contains(word))
    };
    if let Some(name) = names.chain(purposes).find(telling) {
        advice.push(Advice::new(
            Kind::Missing,
            &["agreement", "legal_basis"],
            format!("`{name}` sounds like health or other special data, and no basis of Article 9 is given"),
            "if it is such data, add the basis, for example `\"UKGDPR-9-2-h\"` for health care",
        ));
    }
}

/// Days that do not fit, days gone by, and long times.
pub(super) fn times(file: &File, today: NaiveDate, advice: &mut Vec<Advice>) {
    let head = &file.agreement;
    if head.expires.0 < today {
        advice.push(Advice::new(
            Kind::Contradiction,
            &["agreement", "expires"],
            format!("the agreement ended on {}, so every question is refused", head.expires.0),
            "write the last day of a new term, and have it signed",
        ));
    }
    let days = |from: NaiveDate, to: NaiveDate| (to - from).num_days() + 1;
    let long = days(head.in_force.0, head.expires.0);
    if long > YEAR_DAYS {
        advice.push(Advice::new(
            Kind::Weak,
            &["agreement", "expires"],
            format!("the agreement runs for {long} days, which is more than a year"),
            "end it after a year, and sign it anew then",
        ));
    }
    let Some(review) = &head.review else {
        advice.push(Advice::new(
            Kind::Missing,
            &["agreement", "review"],
            "no review is due",
            "set a day, for example `review = { due = 2027-03-31, grace_days = 14 }`",
        ));
        return;
    };
    let last = review.due.0.checked_add_days(Days::new(review.grace_days.into()));
    if head.expires.0 >= today && last.is_some_and(|last| last < today) {
        advice.push(Advice::new(
            Kind::Contradiction,
            &["agreement", "review", "due"],
            format!("the review was due on {}, so every question is refused", review.due.0),
            "review it, write the day of the next review, and have it signed",
        ));
    }
    if review.due > head.expires {
        advice.push(Advice::new(
            Kind::Contradiction,
            &["agreement", "review", "due"],
            "the review is due only after the agreement has ended",
            "put it between `in_force` and `expires`",
        ));
    } else if days(head.in_force.0, review.due.0) > YEAR_DAYS {
        advice.push(Advice::new(
            Kind::Weak,
            &["agreement", "review", "due"],
            "the first review is due only after more than a year",
            "review it after six months, and then each year",
        ));
    }
    if review.grace_days > GRACE_DAYS_MAX {
        advice.push(Advice::new(
            Kind::Weak,
            &["agreement", "review", "grace_days"],
            format!("the agreement still stands {} days after a review was missed", review.grace_days),
            "14 days are enough for a review that is late",
        ));
    }
}
