//! Agreements, keys and callers for the tests.

use std::sync::Arc;

use chrono::NaiveDate;
use liquid_policy::id::OrganisationName;
use liquid_policy::statement::{Act, Signer, Statement};
use liquid_policy::{Agreement, Caller, Keyring, Named, Signed, SigningKey, TrustedKey, parse};

/// A small agreement. `{columns}` and the like are written out by the tests that need other ones.
pub(crate) const SMALL: &str = r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1.0.0"
purposes = ["care", "research"]
in_force = 2026-01-01
expires = 2026-12-31
review = { due = 2026-06-30, grace_days = 14 }
[[party]]
organisation = "north"
role = "controller"
[[party]]
organisation = "south"
role = "joint-controller"
[[party]]
organisation = "host"
role = "processor"
[[recipient]]
organisation = "institute"
roles = ["analyst"]
purposes = ["care"]
[[recipient]]
organisation = "institute"
roles = ["lead", "analyst"]
purposes = ["research"]
[table.t]
entity = "person"
[table.t.columns]
person = { use = [] }
sex = { use = ["group", "filter"], domain = { values = ["F", "M"] } }
[disclosure]
minimum_contributors = 10
"#;

pub(crate) fn agreement(text: &str) -> Arc<Agreement> {
    Arc::new(parse(text, "test.toml").unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error))))
}

pub(crate) fn key(organisation: &OrganisationName) -> SigningKey {
    let mut seed = [7_u8; 32];
    for (to, from) in seed.iter_mut().zip(organisation.as_str().bytes()) {
        *to = from;
    }
    SigningKey::from_seed(&seed).expect("32 bytes")
}

pub(crate) fn trusted(organisations: &[OrganisationName]) -> Vec<TrustedKey> {
    organisations
        .iter()
        .map(|organisation| TrustedKey {
            organisation: organisation.clone(),
            key_id: "k1".into(),
            public_key: key(organisation).public_key(),
            retired: false,
            roles: Default::default(),
        })
        .collect()
}

pub(crate) fn approvals(agreement: &Agreement, organisations: &[OrganisationName]) -> Vec<Statement> {
    let approve = Act::Approve { agreement: agreement.hash().clone() };
    organisations.iter().map(|it| key(it).say(approve.clone(), signer(it.as_str(), "siro", "k1"))).collect()
}

pub(crate) fn signer(organisation: &str, role: &str, key_id: &str) -> Signer {
    Signer {
        organisation: organisation.into(),
        role: role.into(),
        key_id: key_id.into(),
        time: "2026-01-01T09:00:00Z".parse().expect("a time"),
    }
}

pub(crate) fn ring(organisations: &[OrganisationName]) -> Keyring {
    Keyring::from(trusted(organisations).as_slice())
}

/// Signed by all controllers, all of them trusted.
pub(crate) fn signed(agreement: &Arc<Agreement>) -> Signed {
    let controllers: Vec<_> = agreement.controllers().cloned().collect();
    Signed::verify(Arc::clone(agreement), &approvals(agreement, &controllers), &ring(&controllers))
}

pub(crate) fn caller(organisation: &str, role: &str, purposes: &[&str]) -> Caller {
    Caller {
        organisation: organisation.into(),
        roles: vec![role.into()],
        subject: "somebody".into(),
        purposes: purposes.iter().map(|purpose| (*purpose).into()).collect(),
    }
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

pub(crate) fn nothing_named() -> Named<'static> {
    Named::default()
}
