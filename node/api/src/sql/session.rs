//! The messages of Flight's session actions, which arrow-flight does not generate, and the request's own options.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::{Enumeration, Message, Oneof};
use tonic::metadata::{KeyRef, MetadataMap};

use super::clip;
use super::options::{NAMES, SessionOptions};
use crate::channel::Token;
use crate::error::Error;

/// `SetSessionOptionsRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SetRequest {
    #[prost(map = "string, message", tag = "1")]
    pub(super) session_options: HashMap<String, OptionValue>,
}

/// `SessionOptionValue`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OptionValue {
    #[prost(oneof = "AnyValue", tags = "1, 2, 3, 4, 5")]
    pub(super) option_value: Option<AnyValue>,
}

/// Its variants.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum AnyValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Boolean(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Float(f64),
    #[prost(message, tag = "5")]
    Texts(Texts),
}

/// `SessionOptionValue.StringListValue`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Texts {
    #[prost(string, repeated, tag = "1")]
    pub(super) values: Vec<String>,
}

/// `SetSessionOptionsResult`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SetResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) errors: HashMap<String, SetError>,
}

/// `SetSessionOptionsResult.Error`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SetError {
    #[prost(enumeration = "ErrorValue", tag = "1")]
    pub(super) value: i32,
}

/// `SetSessionOptionsResult.ErrorValue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(super) enum ErrorValue {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

/// `GetSessionOptionsResult`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) session_options: HashMap<String, OptionValue>,
}

/// `CloseSessionResult`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CloseResult {
    #[prost(int32, tag = "1")]
    pub(super) status: i32,
}

/// `CloseSessionResult.Status.CLOSED`.
pub(super) const CLOSED: i32 = 1;

impl OptionValue {
    fn text(value: String) -> Self {
        Self { option_value: Some(AnyValue::Text(value)) }
    }
}

/// Sets what a client asks for; options of the standard that say where tables lie are accepted where they agree.
pub(super) fn set(options: &mut SessionOptions, request: SetRequest, catalog: &str) -> SetResult {
    let mut errors = HashMap::new();
    for (name, value) in request.session_options {
        let text = match value.option_value {
            None => Some(String::new()),
            Some(AnyValue::Text(text)) => Some(text),
            Some(AnyValue::Integer(number)) => Some(number.to_string()),
            Some(AnyValue::Boolean(_) | AnyValue::Float(_) | AnyValue::Texts(_)) => None,
        };
        let short = name.strip_prefix("liquid.").unwrap_or(&name);
        let error = match (short, text) {
            ("catalog", Some(text)) if text == catalog || text.is_empty() => continue,
            ("schema", Some(_)) => continue,
            ("catalog", _) => ErrorValue::InvalidValue,
            (name, _) if !NAMES.contains(&name) => ErrorValue::InvalidName,
            (_, Some(text)) if options.set(&name, &text).is_ok() => continue,
            _ => ErrorValue::InvalidValue,
        };
        errors.insert(name, SetError { value: i32::from(error) });
    }
    SetResult { errors }
}

/// What is set, as the standard shows it.
pub(super) fn get(options: &SessionOptions, catalog: &str) -> GetResult {
    let set = options.entries().into_iter();
    let entries = set.chain([("catalog".to_owned(), catalog.to_owned())]);
    GetResult { session_options: entries.map(|(name, value)| (name, OptionValue::text(value))).collect() }
}

/// What begins the name of every option in gRPC metadata.
const HEADER_PREFIX: &str = "x-liquid-";

/// Options in gRPC metadata, `x-liquid-purpose` and so on, over those of the connection.
///
/// # Errors
/// Where a value is not one of its option's, and where there is no such option: a slip of the pen would be a setting that
/// does nothing.
pub(super) fn with_metadata(
    mut options: SessionOptions,
    metadata: &MetadataMap,
) -> Result<SessionOptions, Error> {
    let headers = metadata.keys().map(|key| match key {
        KeyRef::Ascii(key) => key.as_str(),
        KeyRef::Binary(key) => key.as_str(),
    });
    for header in headers {
        let Some(name) = header.strip_prefix(HEADER_PREFIX) else { continue };
        let value = metadata.get(header).map(|value| value.to_str()).transpose().map_err(|_| {
            Error::invalid(format!("metadata `{}` is not plain text", clip(header)), "send plain ASCII text")
        })?;
        // A binary header has no text, and no option has a binary one's name.
        options.set(&format!("liquid.{}", name.replace('-', "_")), value.unwrap_or_default())?;
    }
    Ok(options)
}

/// The bearer token of a request.
pub(super) fn bearer(metadata: &MetadataMap) -> Result<Option<Token>, Error> {
    let Some(value) = metadata.get("authorization") else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(Some(Token::new(token.trim())))
        }
        _ => Err(Error::unauthenticated(
            "the `authorization` header holds no bearer token",
            "send `authorization: Bearer <token>`, or log in with the token as password",
        )),
    }
}

/// The token that a client logs in with: as password, whatever the name, or as bearer.
pub(super) fn password(metadata: &MetadataMap) -> Result<Token, Error> {
    let value = metadata.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let basic = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    let password = basic.and_then(|(_, encoded)| {
        // Some clients pad the base64, some do not.
        let encoded = encoded.trim().trim_end_matches('=');
        let pair = String::from_utf8(STANDARD_NO_PAD.decode(encoded).ok()?).ok()?;
        pair.split_once(':').map(|(_, password)| Token::new(password))
    });
    match password {
        Some(token) if !token.secret().is_empty() => Ok(token),
        _ => bearer(metadata)?.ok_or_else(|| {
            Error::unauthenticated("the login holds no token", "log in with the token as password, any name")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_shown_and_refused_by_name_and_value() {
        let mut options = SessionOptions::default();
        let value = |text: &str| OptionValue::text(text.to_owned());
        let request = SetRequest {
            session_options: [
                ("liquid.purpose".to_owned(), value("care")),
                ("min_sites".to_owned(), OptionValue { option_value: Some(AnyValue::Integer(2)) }),
                ("liquid.marks".to_owned(), value("yes")),
                ("timezone".to_owned(), value("UTC")),
                ("catalog".to_owned(), value("liquid")),
            ]
            .into(),
        };
        let result = set(&mut options, request, "liquid");
        let mut errors: Vec<_> = result.errors.iter().map(|(name, e)| (name.as_str(), e.value)).collect();
        errors.sort_unstable();
        assert_eq!(errors, [("liquid.marks", 2), ("timezone", 1)]);
        assert_eq!(options.entries().len(), 2);
        let shown = get(&options, "liquid").session_options;
        assert_eq!(shown.get("liquid.min_sites"), Some(&value("2")));
    }

    #[test]
    fn metadata_goes_over_the_connection() {
        let mut kept = SessionOptions::default();
        kept.set("purpose", "care").unwrap();
        kept.set("deadline_ms", "5").unwrap();
        let mut metadata = MetadataMap::new();
        metadata.insert("x-liquid-purpose", "research".parse().unwrap());
        metadata.insert("x-liquid-min-sites", "3".parse().unwrap());
        let options = with_metadata(kept, &metadata).unwrap();
        assert_eq!(options.purpose.unwrap().as_str(), "research");
        assert_eq!(options.min_sites, Some(3));
        assert_eq!(options.deadline_ms, Some(5));
        metadata.insert("x-liquid-min-sites", "none".parse().unwrap());
        assert!(with_metadata(SessionOptions::default(), &metadata).is_err());
    }

    #[test]
    fn a_misspelt_option_in_metadata_is_no_option() {
        for (header, named) in
            [("x-liquid-min_site", "`liquid.min_site`"), ("x-liquid-purpos", "`liquid.purpos`")]
        {
            let mut metadata = MetadataMap::new();
            metadata.insert(header, "3".parse().unwrap());
            let error = with_metadata(SessionOptions::default(), &metadata).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("`liquid.min_sites`"), "{error}");
        }
        let mut metadata = MetadataMap::new();
        metadata.insert_bin("x-liquid-purpose-bin", tonic::metadata::MetadataValue::from_bytes(b"care"));
        assert!(with_metadata(SessionOptions::default(), &metadata).is_err());
        let mut metadata = MetadataMap::new();
        metadata.insert("x-liquidity", "3".parse().unwrap());
        assert_eq!(with_metadata(SessionOptions::default(), &metadata), Ok(SessionOptions::default()));
    }

    #[test]
    fn only_a_bearer_token_is_a_token() {
        let mut metadata = MetadataMap::new();
        assert!(bearer(&metadata).unwrap().is_none());
        metadata.insert("authorization", "bearer abc".parse().unwrap());
        assert_eq!(bearer(&metadata).unwrap().unwrap().secret(), "abc");
        metadata.insert("authorization", "Basic abc".parse().unwrap());
        assert!(bearer(&metadata).is_err());
    }

    #[test]
    fn a_password_is_a_token_with_and_without_padding() {
        let mut metadata = MetadataMap::new();
        for encoded in ["Basic bWU6Z29vZA==", "basic bWU6Z29vZA", "Bearer good"] {
            metadata.insert("authorization", encoded.parse().unwrap());
            assert_eq!(password(&metadata).unwrap().secret(), "good", "{encoded}");
        }
        for encoded in ["Basic bWU", "Basic bWU6", "Basic %%", ""] {
            metadata.insert("authorization", encoded.parse().unwrap());
            assert!(password(&metadata).is_err(), "{encoded}");
        }
    }
}
