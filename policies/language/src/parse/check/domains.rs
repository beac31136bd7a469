//! The values that a column can have: a list, in the agreement or in a file beside it, a range, or steps of the calendar.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::super::{BESIDE_BYTES_MAX, csv};
use super::Check;
use crate::file::{DomainBound, DomainText};
use crate::grain::Grain;
use crate::table::{Domain, DomainValue};

impl Check<'_> {
    pub(super) fn domain(
        &mut self,
        path: &[&str; 4],
        domain: &DomainText,
        grain: Option<Grain>,
    ) -> Option<Domain> {
        let whole = [path.as_slice(), &["domain"]].concat();
        match (&domain.values, &domain.from, &domain.to) {
            (None, None, None) if domain.file.is_some() || domain.sha256.is_some() => {
                self.listed(&whole, domain, grain)
            }
            _ if domain.file.is_some() || domain.sha256.is_some() => {
                self.problem(
                    &whole,
                    "a domain that lies in a file has no other values",
                    "leave out `values`, `from` and `to`, or `file` and `sha256`",
                );
                None
            }
            (Some(values), None, None) => self.list(path, values, grain),
            (None, Some(DomainBound::Integer(from)), Some(DomainBound::Integer(to))) if grain.is_none() => {
                if from > to {
                    self.problem(
                        &[&whole[..], &["to"]].concat(),
                        format!("the range ends at {to} before it begins at {from}"),
                        "make `from` the least value and `to` the greatest",
                    );
                }
                Some(Domain::Range { from: *from, to: *to })
            }
            (None, Some(from), Some(to)) => self.steps(&whole, from, to, grain),
            _ => {
                self.problem(
                    &whole,
                    "a domain has either `values`, or `from` and `to`, or `file` and `sha256`",
                    "write `domain = { values = […] }` or `domain = { from = 0, to = 120 }`",
                );
                None
            }
        }
    }

    fn list(&mut self, path: &[&str; 4], values: &[DomainValue], grain: Option<Grain>) -> Option<Domain> {
        let [table, name, columns, own] = *path;
        if values.is_empty() {
            let at = [table, name, columns, own, "domain", "values"];
            self.problem(&at, "the domain has no value", "list every value that can occur");
        }
        let (mut domain, mut seen) = (Vec::new(), BTreeSet::new());
        for (index, value) in values.iter().enumerate() {
            let place = index.to_string();
            let place = [table, name, columns, own, "domain", "values", place.as_str()];
            if !seen.insert(value) {
                self.problem(
                    &place,
                    format!("the value `{value}` stands in the domain twice"),
                    "write it once",
                );
            }
            if values.first().is_some_and(|first| !first.same_kind(value)) {
                self.problem(
                    &place,
                    format!("the value `{value}` is of another kind than the first one"),
                    "list values of one kind: texts, whole numbers, or true and false",
                );
            }
            match grain {
                None => domain.push(value.clone()),
                Some(grain) => {
                    let step = self.step(&place, &value.to_string(), grain)?;
                    domain.push(DomainValue::Text(step.to_string()));
                }
            }
        }
        Some(Domain::Values(domain))
    }

    /// Values that lie in a file beside the agreement.
    fn listed(&mut self, whole: &[&str], domain: &DomainText, grain: Option<Grain>) -> Option<Domain> {
        let (Some(name), Some(sha256)) = (&domain.file, &domain.sha256) else {
            self.problem(
                whole,
                "a file needs its SHA-256, so that all parties sign the same values",
                "write `domain = { file = \"wards.csv\", sha256 = \"…\" }` with what `sha256sum wards.csv` prints",
            );
            return None;
        };
        let at = [whole, &["file"]].concat();
        let hash_at = [whole, &["sha256"]].concat();
        if !name.ends_with(".csv") || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            self.problem(
                &at,
                "the file is a `.csv` that lies beside the agreement",
                "write its name alone, without a folder",
            );
            return None;
        }
        if !self.sha256(&hash_at, sha256) {
            return None;
        }
        let what = format!("the values in `{name}`");
        let fix = "put the file beside the agreement, or list the values in `domain.values`";
        let bytes = self.agreed(name, sha256, BESIDE_BYTES_MAX, (&at, &hash_at), (&what, fix))?;
        let values = match csv::first_column(&bytes) {
            Ok(values) => values,
            Err(wrong) => {
                let help = "the first column holds one value a line, below a line with its name";
                self.problem(&at, format!("`{name}` is no list of values: {wrong}"), help);
                return None;
            }
        };
        let mut seen = BTreeSet::new();
        let mut domain = Vec::new();
        for value in values {
            if !seen.insert(value.clone()) {
                self.problem(&at, format!("the value `{value}` stands in `{name}` twice"), "write it once");
                return None;
            }
            domain.push(DomainValue::Text(match grain {
                None => value,
                Some(grain) => self.step(&at, &value, grain)?.to_string(),
            }));
        }
        Some(Domain::Values(domain))
    }

    fn steps(
        &mut self,
        at: &[&str],
        from: &DomainBound,
        to: &DomainBound,
        grain: Option<Grain>,
    ) -> Option<Domain> {
        let (DomainBound::Text(from), DomainBound::Text(to)) = (from, to) else {
            let help = match grain {
                None => {
                    "write two whole numbers, or two months of a column with `grain = \"month\"`".to_owned()
                }
                Some(grain) => {
                    format!("write steps of the calendar in quotes, for example \"{}\"", grain.example())
                }
            };
            self.problem(at, "`from` and `to` do not fit together, or not the column's `grain`", help);
            return None;
        };
        let Some(grain) = grain else {
            self.problem(
                at,
                "a range of days or months needs to know its steps",
                "add `grain = \"month\"` to the column, or `year`, `quarter`, `week` or `day`",
            );
            return None;
        };
        if to == "snapshot" {
            self.problem(
                &[at, &["to"]].concat(),
                "a domain up to the newest snapshot is not enforced by this version, so the agreement cannot be used with it",
                format!("write the last {}, for example \"{}\"", grain.word(), grain.example()),
            );
            return None;
        }
        let from = self.step(&[at, &["from"]].concat(), from, grain);
        let last = self.step(&[at, &["to"]].concat(), to, grain);
        let (from, last) = (from?, last?);
        if last < from {
            self.problem(
                &[at, &["to"]].concat(),
                format!("the range ends with `{to}` before it begins"),
                "make `from` the first step and `to` the last",
            );
            return None;
        }
        Some(Domain::Steps { grain, from, to: last })
    }

    /// The first day of a step, as the file writes it.
    fn step(&mut self, at: &[&str], text: &str, grain: Grain) -> Option<NaiveDate> {
        let step = grain.step(text);
        if step.is_none() {
            self.problem(
                at,
                format!("`{text}` is no {} of the calendar", grain.word()),
                format!("write it as \"{}\"", grain.example()),
            );
        }
        step
    }
}
