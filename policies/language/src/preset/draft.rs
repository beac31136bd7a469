//! A new agreement, with a comment beside each key and a place to fill in for each thing that a board decides.

use chrono::{Days, Months, NaiveDate};

use super::{Preset, Setting};

/// What stands where somebody has to decide.
pub(crate) const TO_FILL_IN: &str = "to fill in";
/// The same for a name.
pub(crate) const NAME_TO_FILL_IN: &str = "to-fill-in";

/// What a new agreement begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its first day; it runs for a year, and is reviewed after half of it.
    pub first: NaiveDate,
}

impl Preset {
    /// The text of a new agreement. It parses as it is, and lint says what is still to be filled in.
    pub fn agreement(&self, start: &Start<'_>) -> String {
        let id = quoted(start.id);
        let title = quoted(start.title);
        let first = start.first;
        let last =
            first.checked_add_months(Months::new(12)).and_then(|day| day.checked_sub_days(Days::new(1)));
        let review = first.checked_add_months(Months::new(6));
        let (last, review) = (last.unwrap_or(NaiveDate::MAX), review.unwrap_or(NaiveDate::MAX));
        let Self { name, about, onward, results_days, .. } = self;
        let rules: String =
            ["disclosure", "history", "release"].map(|section| self.section(section)).concat();
        let later = self.later();
        format!(
            r#"# A new agreement, begun from the preset *{name}*.
# {about}
#
# Where it says "{TO_FILL_IN}", somebody has to decide. `liquid policy lint` on this file tells what is left, and what is
# weak; `liquid policy render` on it shows what the board will read. Comments are not part of what is signed.
# E: each site's computer keeps it.  P: the recipients promise it.  R: it is written for the record.
schema = "liquid/agreement/1"

[agreement]
id = {id}  # E: stays the same over all versions
title = {title}  # R
version = "0.1.0"  # R: count it up with every change that is signed
purposes = ["{NAME_TO_FILL_IN}"]  # E: a question names one of these
purpose_text = "{TO_FILL_IN}"  # R: the purposes in a sentence
benefits = "{TO_FILL_IN}"  # R: who is better off, and how
legal_basis = ["{TO_FILL_IN}"]  # R: codes, such as UKGDPR-6-1-e; with UKGDPR-9-2-h for health data
dpia = {{ reference = "{TO_FILL_IN}" }}  # R: the data protection impact assessment
privacy_notice = "{TO_FILL_IN}"  # R: where people read about it
rights_procedure = "{TO_FILL_IN}"  # R: how people see and correct their data
breach_contact = "{TO_FILL_IN}"  # R: whom to tell if something goes wrong
security_controls = "{TO_FILL_IN}"  # R: how the parties keep the data safe
termination = "P30D"  # R: notice for leaving; P30D are 30 days
lead = "{NAME_TO_FILL_IN}"  # R: the organisation that leads
contact = "{TO_FILL_IN}"  # R: where questions about the agreement go
in_force = {first}  # E: the first day
expires = {last}  # E: the last day
review = {{ due = {review}, grace_days = 14 }}  # E: overdue beyond the grace, every question is refused
retention = {{ results_days = {results_days} }}  # P: recipients delete results after these days
onward = "{onward}"  # P: "recipients" hand results to each other only, "public" to anyone

# One entry for each organisation. Each controller signs; its site answers nobody before all of them have.
[[party]]
organisation = "{NAME_TO_FILL_IN}"  # E
role = "controller"  # E: controller, joint-controller or processor
point_of_contact = "{TO_FILL_IN}"  # R: and deputies = ["…"]
approvers = ["data-protection-officer", "senior-information-risk-owner"]  # E: the roles in which its people sign

[signoff]
rule = "all-controllers"  # E
roles_per_party = 2  # E: so many people of each controller sign, each in a role of their own
author_may_sign = false  # E: who wrote the agreement does not also approve it

# Who may ask and learn the answers. Nobody else may.
[[recipient]]
organisation = "{NAME_TO_FILL_IN}"  # E
roles = ["analyst"]  # E
purposes = ["{NAME_TO_FILL_IN}"]  # E: of the purposes above
residency = ["GB"]  # P: countries in which results are kept and used

# One section for each table. A table or a column that is not listed stays closed.
[table.{NAME_TO_FILL_IN}]
entity = "{NAME_TO_FILL_IN}-person"  # E: the column that says whom a row is about; they are protected
entities = "overlapping"  # E: "disjoint" if no person is at two sites

# One line for each column. use: "group" for figures by it, "filter" for questions about some of its values, "measure" for totals
# and averages of it, "join" to link tables; [] for never. domain: the values that it can have, which become public.
[table.{NAME_TO_FILL_IN}.columns]
{NAME_TO_FILL_IN}-person = {{ use = [] }}
{NAME_TO_FILL_IN}-area = {{ use = ["group", "filter"], domain = {{ values = ["{TO_FILL_IN}"] }} }}
{NAME_TO_FILL_IN}-cost = {{ use = ["measure"], aggregates = ["sum", "avg"] }}

{rules}{later}"#
        )
    }

    /// A section with the settings that this version enforces; nothing where there are none.
    fn section(&self, section: &str) -> String {
        let line = |setting: &Setting| {
            let key = setting.key.strip_prefix(section)?.strip_prefix('.')?;
            Some(format!("{key} = {}  # E: {}\n", setting.value, setting.says))
        };
        let lines: String = self.enforced().filter_map(line).collect();
        if lines.is_empty() { lines } else { format!("[{section}]\n{lines}\n") }
    }

    /// What the preset will set once a version enforces it.
    fn later(&self) -> String {
        let lines: String =
            self.settings.iter().filter(|setting| !setting.is_enforced()).map(line_of_later).collect();
        if lines.is_empty() {
            return lines;
        }
        format!(
            "# What this preset will also set, once a version enforces it. Do not write it before: a site would refuse the \
             whole\n# agreement.\n{lines}"
        )
    }
}

fn line_of_later(setting: &Setting) -> String {
    format!("#   {} = {}: {}\n", setting.key, setting.value, setting.says)
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
