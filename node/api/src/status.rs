//! Errors over gRPC: a status whose message is the error's text, with the typed error as JSON in its details.
//!
//! The details are a `google.rpc.Status` with one `google.protobuf.StringValue`, since clients in other languages parse
//! that message and some fail a whole call over anything else.

use bytes::Bytes;
use prost::Message;
use tonic::{Code, Status};

use crate::error::Error;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<AnyMessage>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct AnyMessage {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

const STRING_VALUE: &str = "type.googleapis.com/google.protobuf.StringValue";

/// Longest text of one field: trailers must fit into the header lists of careful clients.
const TEXT_BYTES_MAX: usize = 1200;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let error = short(error);
        let code = match &error {
            Error::Refused { .. } => Code::PermissionDenied,
            Error::Unauthenticated { .. } => Code::Unauthenticated,
            Error::Invalid { .. } => Code::InvalidArgument,
            Error::SiteMissing { .. } => Code::Unavailable,
            Error::Fault { .. } => Code::Internal,
        };
        let message = error.to_string();
        // An `Error` is a plain enum of texts, which always encodes; an empty text would only lose the type.
        let json = serde_json::to_string(&error).unwrap_or_default();
        let value = AnyMessage { type_url: STRING_VALUE.to_owned(), value: json.encode_to_vec().into() };
        let details = Details { code: i32::from(code), message: message.clone(), details: vec![value] };
        Self::with_details(code, message, details.encode_to_vec().into())
    }
}

impl Error {
    /// The typed error in a status, or none where the status was made by something else, for example the network.
    pub fn from_status(status: &Status) -> Option<Self> {
        let details = Details::decode(status.details()).ok()?;
        let value = details.details.iter().find(|any| any.type_url == STRING_VALUE)?;
        serde_json::from_str(&String::decode(value.value.as_ref()).ok()?).ok()
    }
}

/// The same error with texts that fit.
fn short(error: Error) -> Error {
    fn cut(mut text: String) -> String {
        if text.len() > TEXT_BYTES_MAX {
            let end = (0..=TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            text.truncate(end);
            text.push('…');
        }
        text
    }
    match error {
        Error::Refused { mut refusal } => {
            refusal.clause = cut(refusal.clause);
            refusal.message = cut(refusal.message);
            refusal.fix = cut(refusal.fix);
            Error::Refused { refusal }
        }
        Error::Unauthenticated { message, fix } => {
            Error::Unauthenticated { message: cut(message), fix: cut(fix) }
        }
        Error::Invalid { message, fix } => Error::Invalid { message: cut(message), fix: cut(fix) },
        Error::SiteMissing { mut sites, message, fix } => {
            sites.truncate(40);
            Error::SiteMissing { sites, message: cut(message), fix: cut(fix) }
        }
        Error::Fault { message, reference, retry, fix } => {
            Error::Fault { message: cut(message), reference: cut(reference), retry, fix: cut(fix) }
        }
    }
}

#[cfg(test)]
mod tests {
    use liquid_policy::{Code as RefusalCode, Refusal};
    use proptest::prelude::*;

    use super::*;

    fn errors() -> impl Strategy<Value = Error> {
        let text = || "\\PC{0,40}";
        prop_oneof![
            (text(), text(), text()).prop_map(|(clause, message, fix)| Error::Refused {
                refusal: Refusal::new(RefusalCode::ColumnUse, clause, message, fix)
            }),
            (text(), text()).prop_map(|(message, fix)| Error::Unauthenticated { message, fix }),
            (text(), text()).prop_map(|(message, fix)| Error::Invalid { message, fix }),
            (prop::collection::vec(text(), 0..3), text(), text())
                .prop_map(|(sites, message, fix)| Error::SiteMissing { sites, message, fix }),
            (text(), text(), any::<bool>(), text())
                .prop_map(|(message, reference, retry, fix)| Error::Fault { message, reference, retry, fix }),
        ]
    }

    proptest! {
        #[test]
        fn every_error_keeps_its_type(error in errors()) {
            let status = Status::from(error.clone());
            prop_assert_eq!(status.message(), error.to_string());
            prop_assert_eq!(Error::from_status(&status), Some(error));
        }
    }

    #[test]
    fn long_texts_are_cut_to_fit_into_trailers() {
        let error = Error::invalid("ä".repeat(100_000), "b".repeat(100_000));
        let status = Status::from(error);
        assert!(status.details().len() < 9_000);
        assert!(matches!(Error::from_status(&status), Some(Error::Invalid { .. })));
    }

    #[test]
    fn a_status_of_the_network_has_no_type() {
        assert_eq!(Error::from_status(&Status::unavailable("connection refused")), None);
    }
}
