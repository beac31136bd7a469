//! A call of an approved query, as callers write it and as it travels: its name, and a value for each of its parameters.
//!
//! `EXECUTE "referrals-by-ward"(ward => 'W1')`, with or without the parameters' names; for clients that send nothing but
//! SELECT, `SELECT * FROM template."referrals-by-ward"('W1')`. Values are literals or `$1`, bound by the client. Nothing is
//! put into any text: values stay values.

use liquid_policy::id::TemplateName;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::parameter::Parameter;

mod read;

pub use read::read;

/// A call. It gives no rights: each site looks at its own copy of the query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The approved query.
    pub name: TemplateName,
    /// The values, as they were given.
    pub arguments: Vec<Argument>,
}

/// A value of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    /// The parameter; none where it is told by its place.
    pub name: Option<String>,
    /// Its value.
    pub value: Parameter,
}

/// The schema in which approved queries stand beside tables.
pub const SCHEMA: &str = "template";

impl Call {
    /// The values, for whoever limits how much may be sent.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Parameter> {
        self.arguments.iter().map(|argument| &argument.value)
    }
}

/// A call that is not understood.
fn misread(what: impl Into<String>) -> Error {
    Error::invalid(
        what,
        "write `EXECUTE \"name\"(parameter => 'value')`; values are texts in quotes, numbers, TRUE, FALSE, NULL, DATE '2024-12-31' or \
         bound as `?`",
    )
}
