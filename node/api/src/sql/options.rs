//! What a caller sets for a session or a single request: `liquid.*`, whichever way it comes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use liquid_policy::id::{AgreementId, Purpose};
use serde::{Deserialize, Serialize};

use crate::channel::Token;
use crate::error::Error;

/// The settings under which a statement is asked. Unset ones have the server's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionOptions {
    /// `liquid.purpose`: why the question is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// `liquid.agreement`: under which agreement, where several apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<AgreementId>,
    /// `liquid.min_sites`: so many sites are enough for an answer; the default is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_sites: Option<u32>,
    /// `liquid.marks = 'columns'`: one `<column>_mark` column each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marks: Option<Marks>,
    /// `liquid.deadline_ms`: an answer is of no use later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
}

/// How marks are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Marks {
    /// Not in columns: a withheld cell is NULL.
    Off,
    /// As one more column for each.
    Columns,
}

/// The names, without their prefix.
pub(crate) const NAMES: [&str; 5] = ["purpose", "agreement", "min_sites", "marks", "deadline_ms"];

/// Longest value that is taken.
const VALUE_BYTES_MAX: usize = 256;

impl SessionOptions {
    /// Sets one option by its name, with or without `liquid.` before it; an empty value unsets it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown name or a value that is not one of the option's.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let short = name.strip_prefix("liquid.").unwrap_or(name);
        let wrong = |what: &str| {
            Err(Error::invalid(
                format!("option `liquid.{short}` takes {what}"),
                format!("write for example `SET liquid.{short} = '{}'`", example(short)),
            ))
        };
        if value.len() > VALUE_BYTES_MAX {
            return wrong("a shorter value");
        }
        let value = Some(value).filter(|v| !v.is_empty());
        match short {
            "purpose" => self.purpose = value.map(Purpose::new),
            "agreement" => self.agreement = value.map(AgreementId::new),
            "min_sites" => match value.map(str::parse).transpose() {
                Ok(count) if count != Some(0) => self.min_sites = count,
                _ => return wrong("a whole number from 1"),
            },
            "deadline_ms" => match value.map(str::parse).transpose() {
                Ok(count) if count != Some(0) => self.deadline_ms = count,
                _ => return wrong("milliseconds as a whole number from 1"),
            },
            "marks" => match value {
                None => self.marks = None,
                Some("off") => self.marks = Some(Marks::Off),
                Some("columns") => self.marks = Some(Marks::Columns),
                Some(_) => return wrong("`columns` or `off`"),
            },
            _ => {
                return Err(Error::invalid(
                    format!("there is no option `{}`", clip(name)),
                    format!("the options are `liquid.{}`", NAMES.join("`, `liquid.")),
                ));
            }
        }
        Ok(())
    }

    /// What is set, as names with their prefix and values.
    pub fn entries(&self) -> Vec<(String, String)> {
        let Self { purpose, agreement, min_sites, marks, deadline_ms } = self;
        let values = [
            purpose.as_ref().map(ToString::to_string),
            agreement.as_ref().map(ToString::to_string),
            min_sites.map(|n| n.to_string()),
            marks.map(|m| if m == Marks::Columns { "columns" } else { "off" }.to_owned()),
            deadline_ms.map(|n| n.to_string()),
        ];
        let named = NAMES.iter().zip(values);
        named.filter_map(|(name, value)| Some((format!("liquid.{name}"), value?))).collect()
    }

    /// True where mark columns are wanted.
    pub fn wants_marks(&self) -> bool {
        self.marks == Some(Marks::Columns)
    }

    /// The caller's deadline, if there is one.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline_ms.map(Duration::from_millis)
    }
}

fn example(name: &str) -> &'static str {
    match name {
        "min_sites" => "3",
        "marks" => "columns",
        "deadline_ms" => "10000",
        "agreement" => "HRT-2026-01",
        _ => "cardiology-benchmarking",
    }
}

/// User input that is repeated in a message stays short.
pub(crate) fn clip(text: &str) -> &str {
    text.char_indices().nth(60).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}

/// What callers have set on one connection, each for their own token; it goes when the connection does.
#[derive(Clone, Default)]
pub struct ConnectionOptions(Arc<Mutex<HashMap<String, SessionOptions>>>);

/// So many callers may keep options on one connection.
const CALLERS_MAX: usize = 16;

impl ConnectionOptions {
    /// What this caller has set.
    pub fn get(&self, token: Option<&Token>) -> SessionOptions {
        self.lock().get(key(token)).cloned().unwrap_or_default()
    }

    /// Keeps what this caller has set.
    pub fn put(&self, token: Option<&Token>, options: SessionOptions) {
        let mut kept = self.lock();
        if kept.len() >= CALLERS_MAX && !kept.contains_key(key(token)) {
            kept.clear();
        }
        kept.insert(key(token).to_owned(), options);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, SessionOptions>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(token: Option<&Token>) -> &str {
    token.map_or("", Token::secret)
}

impl fmt::Debug for ConnectionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionOptions(…)")
    }
}
