//! What became of each question: one record each, whose [`state`] makes legal moves alone, and `system.queries` for the
//! caller's own.

mod state;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::{DateTime, SecondsFormat, Utc};
use liquid_node_api::Error;
use liquid_node_api::report::{Completeness, SiteState};
use liquid_policy::id::RequestId;
use tokio::time::Instant;

use self::state::QueryState;
use crate::dispatch::elapsed_ms;

pub(crate) use self::state::Event;

/// The record of the last questions, over all callers; each sees only their own.
pub(crate) struct Queries {
    kept: usize,
    records: Mutex<VecDeque<Arc<Mutex<Record>>>>,
}

struct Record {
    id: RequestId,
    owner: Owner,
    submitted: DateTime<Utc>,
    started: Instant,
    sql: String,
    state: QueryState,
    elapsed_ms: Option<u64>,
    message: Option<String>,
    completeness: Option<Completeness>,
}

/// Whose a question is: the subject of a token, as its issuer names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) issuer: String,
    pub(crate) subject: String,
}

/// One question on its way. Dropped without an end, it was cancelled: every question ends in exactly one state.
pub(crate) struct Running(Arc<Mutex<Record>>);

impl Queries {
    pub(crate) fn new(kept: usize) -> Self {
        Self { kept, records: Mutex::new(VecDeque::new()) }
    }

    /// Takes a question in; the oldest is forgotten where there are too many.
    pub(crate) fn submit(&self, id: RequestId, owner: Owner, sql: String, now: DateTime<Utc>) -> Running {
        let record = Arc::new(Mutex::new(Record {
            id,
            owner,
            submitted: now,
            started: Instant::now(),
            sql,
            state: QueryState::Submitted,
            elapsed_ms: None,
            message: None,
            completeness: None,
        }));
        let mut records = lock(&self.records);
        records.push_back(record.clone());
        while records.len() > self.kept {
            records.pop_front();
        }
        Running(record)
    }

    /// `system.queries` as this caller sees it, oldest first.
    pub(crate) fn table(&self, owner: &Owner) -> Result<RecordBatch, ArrowError> {
        let records: Vec<_> = lock(&self.records).iter().cloned().collect();
        let rows: Vec<Row> = records
            .iter()
            .map(|record| lock(record))
            .filter(|record| record.owner == *owner)
            .map(|record| record.row())
            .collect();
        let text = |value: fn(&Row) -> Option<&str>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<StringArray>())
        };
        let number = |value: fn(&Row) -> Option<i64>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<Int64Array>())
        };
        let columns = vec![
            text(|row| Some(&row.id)),
            text(|row| Some(&row.submitted)),
            text(|row| Some(row.state)),
            text(|row| Some(&row.sql)),
            number(|row| row.sites_answered),
            number(|row| row.sites_missing),
            number(|row| row.withheld),
            number(|row| Some(row.elapsed_ms)),
            text(|row| row.message.as_deref()),
            text(|row| row.completeness.as_deref()),
        ];
        RecordBatch::try_new(schema(), columns)
    }
}

/// The columns of `system.queries`, with what they say.
pub(crate) const COLUMNS: [(&str, DataType, &str); 10] = [
    ("id", DataType::Utf8, "the request's id, as audit logs and error messages name it"),
    ("submitted", DataType::Utf8, "when it came in, RFC 3339 in UTC"),
    (
        "state",
        DataType::Utf8,
        "submitted, planning, asking, combining; answered, refused, failed or cancelled",
    ),
    ("sql", DataType::Utf8, "the question"),
    ("sites_answered", DataType::Int64, "sites whose answers are in the result"),
    ("sites_missing", DataType::Int64, "concerned sites that refused, failed or were late"),
    ("withheld", DataType::Int64, "cells of the result that are withheld"),
    ("elapsed_ms", DataType::Int64, "time taken, up to now where it still runs"),
    ("message", DataType::Utf8, "why there is no answer"),
    ("completeness", DataType::Utf8, "what the answer said of itself, as JSON"),
];

/// The schema of `system.queries`.
pub(crate) fn schema() -> SchemaRef {
    let fields: Vec<_> = COLUMNS.into_iter().map(|(name, kind, _)| Field::new(name, kind, true)).collect();
    Arc::new(Schema::new(fields))
}

struct Row {
    id: String,
    submitted: String,
    state: &'static str,
    sql: String,
    sites_answered: Option<i64>,
    sites_missing: Option<i64>,
    withheld: Option<i64>,
    elapsed_ms: i64,
    message: Option<String>,
    completeness: Option<String>,
}

impl Record {
    fn row(&self) -> Row {
        let sites = |wanted: fn(&SiteState) -> bool| {
            let completeness = self.completeness.as_ref()?;
            let count = completeness.sites.iter().filter(|site| wanted(&site.state)).count();
            i64::try_from(count).ok()
        };
        Row {
            id: self.id.to_string(),
            submitted: self.submitted.to_rfc3339_opts(SecondsFormat::Millis, true),
            state: self.state.name(),
            sql: self.sql.clone(),
            sites_answered: sites(|state| matches!(state, SiteState::Answered { .. })),
            sites_missing: sites(|state| {
                !matches!(state, SiteState::Answered { .. } | SiteState::NotConcerned)
            }),
            withheld: self.completeness.as_ref().and_then(|said| i64::try_from(said.withheld).ok()),
            elapsed_ms: i64::try_from(self.elapsed_ms.unwrap_or_else(|| elapsed_ms(self.started)))
                .unwrap_or(i64::MAX),
            message: self.message.clone(),
            completeness: self.completeness.as_ref().and_then(|said| serde_json::to_string(said).ok()),
        }
    }

    fn step(&mut self, event: Event) {
        match self.state.after(event) {
            Some(state) => self.state = state,
            None => tracing::error!(from = self.state.name(), ?event, "an illegal move of a query's state"),
        }
    }

    fn end(&mut self, event: Event, message: Option<String>) {
        self.step(event);
        self.message = message;
        let elapsed_ms = elapsed_ms(self.started);
        self.elapsed_ms = Some(elapsed_ms);
        tracing::info!(request = %self.id, state = self.state.name(), elapsed_ms, "question ended");
    }
}

impl Running {
    /// Goes on to the next stage.
    pub(crate) fn step(&self, event: Event) {
        lock(&self.0).step(event);
    }

    /// Notes how it went with the sites, whether or not that makes an answer.
    pub(crate) fn note(&self, completeness: Completeness) {
        lock(&self.0).completeness = Some(completeness);
    }

    /// Ends it with an answer.
    pub(crate) fn answer(self) {
        lock(&self.0).end(Event::Answer, None);
    }

    /// Ends it with an error, which it hands back.
    pub(crate) fn fail(self, error: Error) -> Error {
        let event = if matches!(error, Error::Refused { .. }) { Event::Refuse } else { Event::Fail };
        lock(&self.0).end(event, Some(error.to_string()));
        error
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut record = lock(&self.0);
        if record.state.after(Event::Cancel).is_some() {
            record.end(Event::Cancel, Some("the client went away before the answer".to_owned()));
        }
    }
}

/// A record stays readable even where a holder of its lock stopped: every write to it is a whole one.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::*;

    fn owner(subject: &str) -> Owner {
        Owner { issuer: "https://login.example".into(), subject: subject.into() }
    }

    fn states(queries: &Queries, subject: &str) -> Vec<String> {
        let table = queries.table(&owner(subject)).unwrap();
        table
            .column_by_name("state")
            .unwrap()
            .as_string::<i32>()
            .iter()
            .flatten()
            .map(str::to_owned)
            .collect()
    }

    fn submit(queries: &Queries, subject: &str) -> Running {
        queries.submit("r".into(), owner(subject), "SELECT 1".into(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn each_caller_sees_their_own_questions() {
        let queries = Queries::new(10);
        let mine = submit(&queries, "ann");
        let theirs = submit(&queries, "bob");
        mine.step(Event::Plan);
        mine.step(Event::Ask);
        mine.step(Event::Combine);
        mine.answer();
        assert_eq!(states(&queries, "ann"), ["answered"]);
        assert_eq!(states(&queries, "bob"), ["submitted"]);
        drop(theirs);
        assert_eq!(states(&queries, "bob"), ["cancelled"]);
        assert!(states(&queries, "eve").is_empty());
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let queries = Queries::new(2);
        for _ in 0..5 {
            drop(submit(&queries, "ann"));
        }
        assert_eq!(states(&queries, "ann").len(), 2);
    }

    #[test]
    fn an_error_ends_a_question_and_is_kept() {
        let queries = Queries::new(2);
        let error = Error::Invalid { message: "no column `x`".into(), fix: "name one of `a`".into() };
        assert_eq!(submit(&queries, "ann").fail(error.clone()), error);
        let table = queries.table(&owner("ann")).unwrap();
        assert_eq!(table.column_by_name("message").unwrap().as_string::<i32>().value(0), error.to_string());
        assert_eq!(states(&queries, "ann"), ["failed"]);
    }
}
