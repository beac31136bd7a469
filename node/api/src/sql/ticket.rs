//! Request ids, the ticket that asks a site, bound values, and the requests that are being answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_flight::sql::{Any, Command, TicketStatementQuery};
use arrow_flight::{FlightInfo, Ticket as FlightTicket};
use liquid_policy::id::RequestId;
use prost::Message;
use tokio::sync::Notify;
use uuid::Uuid;

use super::seal::{Holder, Seals};
use crate::channel::Token;
use crate::envelope::SignedEnvelope;
use crate::error::Error;
use crate::parameter::Parameter;

fn unknown() -> Error {
    Error::invalid("the ticket was not made here", "ask for the statement's FlightInfo again")
}

/// A fresh request id.
pub fn request_id() -> RequestId {
    RequestId::new(Uuid::now_v7().to_string())
}

/// Whether an id is of the form that we give: a UUID, at a site with the number of the cut behind it. Whoever sends a
/// ticket chooses what stands in it, and ids are kept in lists and logs.
fn is_request_id(id: &RequestId) -> bool {
    let Some((uuid, cut)) = id.as_str().split_at_checked(36) else { return false };
    let is_cut = |cut: &str| (1..=4).contains(&cut.len()) && cut.bytes().all(|byte| byte.is_ascii_digit());
    Uuid::try_parse(uuid).is_ok() && (cut.is_empty() || cut.strip_prefix('-').is_some_and(is_cut))
}

/// The type under which an envelope stands in a ticket.
const ENVELOPE: &str = "liquid/Envelope/1";

/// The ticket that asks a site.
pub fn site_ticket(envelope: &SignedEnvelope) -> FlightTicket {
    let any = Any { type_url: ENVELOPE.to_owned(), value: envelope.to_bytes().into() };
    FlightTicket::new(any.encode_to_vec())
}

/// Reads such a ticket.
pub(super) fn envelope(any: &Any) -> Result<SignedEnvelope, Error> {
    if any.type_url != ENVELOPE {
        return Err(unknown());
    }
    let envelope = SignedEnvelope::read(&any.value)?;
    if is_request_id(&envelope.unverified().request.id) { Ok(envelope) } else { Err(unknown()) }
}

/// The values that a client bound: one row.
pub(super) fn parameters(batch: &RecordBatch) -> Result<Vec<Parameter>, Error> {
    if batch.num_rows() != 1 {
        return Err(Error::invalid(
            "a statement takes one row of values",
            "bind one row, and run the statement once for each",
        ));
    }
    batch.columns().iter().enumerate().map(|(at, column)| parameter(column, at + 1)).collect()
}

fn parameter(column: &dyn Array, number: usize) -> Result<Parameter, Error> {
    macro_rules! value {
        ($kind:ty) => {
            column.is_valid(0).then(|| column.as_primitive::<$kind>().value(0))
        };
    }
    Ok(match column.data_type() {
        DataType::Null => Parameter::Null,
        DataType::Boolean => Parameter::Boolean(column.is_valid(0).then(|| column.as_boolean().value(0))),
        DataType::Int8 => Parameter::Int64(value!(Int8Type).map(i64::from)),
        DataType::Int16 => Parameter::Int64(value!(Int16Type).map(i64::from)),
        DataType::Int32 => Parameter::Int64(value!(Int32Type).map(i64::from)),
        DataType::Int64 => Parameter::Int64(value!(Int64Type)),
        DataType::UInt8 => Parameter::Int64(value!(UInt8Type).map(i64::from)),
        DataType::UInt16 => Parameter::Int64(value!(UInt16Type).map(i64::from)),
        DataType::UInt32 => Parameter::Int64(value!(UInt32Type).map(i64::from)),
        DataType::UInt64 => {
            let value = value!(UInt64Type).map(i64::try_from).transpose();
            Parameter::Int64(
                value.map_err(|_| unusable(number, "a whole number beyond 64 bits with a sign"))?,
            )
        }
        DataType::Float32 => Parameter::Float64(value!(Float32Type).map(|v| f64::from(v).to_bits())),
        DataType::Float64 => Parameter::Float64(value!(Float64Type).map(f64::to_bits)),
        DataType::Utf8 => {
            Parameter::Utf8(column.is_valid(0).then(|| column.as_string::<i32>().value(0).to_owned()))
        }
        DataType::LargeUtf8 => {
            Parameter::Utf8(column.is_valid(0).then(|| column.as_string::<i64>().value(0).to_owned()))
        }
        DataType::Date32 => Parameter::Date32(value!(Date32Type)),
        other => return Err(unusable(number, &other.to_string())),
    })
}

fn unusable(number: usize, what: &str) -> Error {
    Error::invalid(
        format!("the value of `${number}` is {what}"),
        "bind a boolean, a whole number, a float, a text or a day",
    )
}

/// Requests that are being answered, so that whoever asked can cancel them: by caller and id, since an id gives no right.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<Key, Arc<Notify>>>>);

/// The caller's token, and the request.
type Key = (String, RequestId);

/// One of them; it leaves the list when this is dropped.
pub(super) struct Entry {
    running: Running,
    key: Key,
    pub(super) cancelled: Arc<Notify>,
}

impl Running {
    pub(super) fn enter(&self, caller: Option<&Token>, id: &RequestId) -> Entry {
        let (key, cancelled) = (key(caller, id.clone()), Arc::new(Notify::new()));
        self.lock().insert(key.clone(), Arc::clone(&cancelled));
        Entry { running: self.clone(), key, cancelled }
    }

    /// Cancels this caller's request of a flight; false where it is not running.
    pub(super) fn cancel(
        &self,
        seals: &Seals,
        holder: &Holder,
        caller: Option<&Token>,
        info: &FlightInfo,
    ) -> bool {
        let id = info.endpoint.first().and_then(|endpoint| {
            let any = Any::decode(endpoint.ticket.as_ref()?.ticket.as_ref()).ok()?;
            match Command::try_from(any).ok()? {
                Command::TicketStatementQuery(TicketStatementQuery { statement_handle }) => {
                    Some(seals.in_use(holder, &statement_handle)?.statement.id)
                }
                _ => None,
            }
        });
        let found = id.and_then(|id| self.lock().get(&key(caller, id)).cloned());
        found.inspect(|cancelled| cancelled.notify_one()).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut running = self.running.lock();
        if running.get(&self.key).is_some_and(|kept| Arc::ptr_eq(kept, &self.cancelled)) {
            running.remove(&self.key);
        }
    }
}

fn key(caller: Option<&Token>, id: RequestId) -> Key {
    (caller.map_or("", Token::secret).to_owned(), id)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryArray, Float64Array, StringArray, UInt64Array};

    use super::*;

    fn row(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn bound_values_keep_type_and_bits() {
        let batch = row(vec![
            ("a", Arc::new(StringArray::from(vec!["ä"]))),
            ("b", Arc::new(Float64Array::from(vec![0.1]))),
            ("c", Arc::new(UInt64Array::from(vec![None::<u64>]))),
        ]);
        let bound = parameters(&batch).unwrap();
        let bits = Parameter::Float64(Some(0.1_f64.to_bits()));
        assert_eq!(bound, [Parameter::Utf8(Some("ä".to_owned())), bits, Parameter::Int64(None)]);
    }

    #[test]
    fn what_cannot_be_bound_is_named() {
        let two = row(vec![("a", Arc::new(StringArray::from(vec!["x", "y"])))]);
        assert!(parameters(&two).unwrap_err().to_string().contains("one row"));
        let large = row(vec![("a", Arc::new(UInt64Array::from(vec![u64::MAX])))]);
        assert!(parameters(&large).unwrap_err().to_string().contains("$1"));
        let binary = row(vec![("a", Arc::new(BinaryArray::from(vec![b"x".as_slice()])))]);
        assert!(parameters(&binary).is_err());
    }

    #[test]
    fn a_request_leaves_the_list_when_it_ends() {
        let running = Running::default();
        drop(running.enter(None, &request_id()));
        assert!(running.lock().is_empty());
    }

    #[test]
    fn only_ids_of_our_own_form_pass() {
        let own = request_id();
        assert!(is_request_id(&own) && is_request_id(&format!("{own}-0").as_str().into()));
        let long = "a".repeat(200_000);
        for other in ["", "r1", &long, &format!("{own}-"), &format!("{own}-a"), &format!("{own}-12345")] {
            assert!(!is_request_id(&other.into()), "{}", other.len());
        }
        let simple = own.as_str().replace('-', "");
        assert!(!is_request_id(&format!("{simple}-123").as_str().into()), "no other spelling of a UUID");
    }
}
