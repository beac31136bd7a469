//! Names, one type each, so that a site can never be passed where a purpose is meant.

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the name as it is written.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            /// The name as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }
    )*};
}

names! {
    /// An organisation's place in a federation, for example `cleveland`.
    SiteName;
    /// An organisation that is party to an agreement or receives its results.
    OrganisationName;
    /// A role within an organisation, for example `analyst` or `caldicott-guardian`.
    RoleName;
    /// Why a question is asked; a request names one.
    Purpose;
    /// An agreement's id, for example `HRT-2026-01`.
    AgreementId;
    /// A table that an agreement speaks of.
    TableName;
    /// A column of such a table.
    ColumnName;
    /// A signing key's name, as the node's configuration lists it.
    KeyId;
    /// An approved query: the name by which it is called.
    TemplateName;
    /// One request, from a client's first call to its recorded outcome.
    RequestId;
    /// A signed statement: its SHA-256, in hex.
    StatementHash;
    /// The SHA-256 of an agreement's canonical form, in hex.
    AgreementHash;
}

impl AgreementHash {
    /// As much of it as people compare.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}
