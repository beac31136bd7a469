//! Who signs: a key, and the file beside it that says whose it is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use liquid_local::connection::Beacon;
use liquid_local::keys::{self, Key};
use liquid_policy::id::{KeyId, OrganisationName, RoleName};
use liquid_policy::statement::{Act, Signer, Statement, TrustedKey};

use crate::args::Who;
use crate::failure::Failure;

/// Somebody with a key.
pub(super) struct Person {
    key: Key,
    pub(super) organisation: OrganisationName,
    pub(super) role: RoleName,
    pub(super) key_id: KeyId,
    /// What the file beside the key says; nothing where there is none.
    pub(super) card: Option<TrustedKey>,
}

impl Person {
    /// Puts together what the command line and the file beside the key say.
    ///
    /// # Errors
    /// Where the key cannot be used, or something is said nowhere.
    pub(super) fn read(who: &Who) -> Result<Self, Failure> {
        let file = found(&who.key)?;
        let key = Key::read(&file)?;
        let beside = keys::card_of(&file);
        let card = if beside.exists() { Some(keys::read_card(&beside)?) } else { None };
        let is_other = card.as_ref().is_some_and(|card| card.public_key != key.public);
        let all_said = who.organisation.is_some() && who.role.is_some() && who.key_id.is_some();
        if is_other && !all_said {
            return Err(Failure::here(
                format!("`{}` speaks of another key than the one beside it", beside.display()),
                "put the right one there, or add `--organisation`, `--role` and `--key-id`",
            ));
        }
        let card = card.filter(|_| !is_other);
        let missing = |what: &str| {
            Failure::here(
                format!("nothing says {what} of the key `{}`", file.display()),
                format!(
                    "add `--organisation`, `--role` and `--key-id`, or write them into `{}`",
                    beside.display()
                ),
            )
        };
        let said = |written: &Option<String>, known: Option<&str>, what: &str| {
            written.clone().or_else(|| known.map(str::to_owned)).ok_or_else(|| missing(what))
        };
        let known = card.as_ref();
        let organisation =
            said(&who.organisation, known.map(|card| card.organisation.as_str()), "the organisation")?;
        let key_id = said(&who.key_id, known.map(|card| card.key_id.as_str()), "the name")?;
        let mut roles = known.into_iter().flat_map(|card| &card.roles);
        let only = match (roles.next(), roles.next()) {
            (Some(role), None) => Some(role.as_str()),
            (None, _) if known.is_some() => Some(UNNAMED),
            _ => None,
        };
        let role = said(&who.role, only, "the role")?;
        Ok(Self {
            key,
            organisation: OrganisationName::new(organisation),
            role: RoleName::new(role),
            key_id: KeyId::new(key_id),
            card,
        })
    }

    /// Says something, now.
    ///
    /// # Errors
    /// Never for a key that was read here.
    pub(super) fn say(&self, act: Act) -> Result<Statement, Failure> {
        let signer = Signer {
            organisation: self.organisation.clone(),
            role: self.role.clone(),
            key_id: self.key_id.clone(),
            time: keys::now(),
        };
        Ok(self.key.signing()?.say(act, signer))
    }

    /// Every role that the key is known to have.
    pub(super) fn roles(&self) -> BTreeSet<&RoleName> {
        self.card.iter().flat_map(|card| &card.roles).chain([&self.role]).collect()
    }

    /// The key as somebody who trusts it writes it.
    pub(super) fn trusted(&self) -> TrustedKey {
        TrustedKey {
            organisation: self.organisation.clone(),
            key_id: self.key_id.clone(),
            public_key: self.key.public.clone(),
            retired: false,
            roles: [self.role.clone()].into(),
        }
    }
}

/// The key's file; where there is none of that name here, the running demo's key of that name.
fn found(named: &Path) -> Result<PathBuf, Failure> {
    if named.components().count() != 1 || named.exists() {
        return Ok(named.to_owned());
    }
    let name = named.to_string_lossy();
    let Some(demo) = Beacon::path().and_then(|path| Beacon::read(&path)) else {
        return Err(Failure::here(
            format!("there is no key file `{name}` here, and no demo is running whose key that could be"),
            "name the file of a key, or start a demo in another terminal with `liquid demo --serve`",
        ));
    };
    let mut keys = demo.keys();
    let known: Vec<String> = keys.keys().map(|name| format!("`{name}`")).collect();
    keys.remove(name.strip_suffix(".key").unwrap_or(&name)).ok_or_else(|| {
        Failure::here(
            format!("there is no key `{name}`, neither here nor in the demo that runs"),
            format!("name the file of one, or one of the demo's: {}", known.join(", ")),
        )
    })
}

/// The role of a key that is bound to none.
const UNNAMED: &str = "signatory";

/// A file's name without its ending: what a key is called where nobody says more.
pub(super) fn name_of(file: &Path) -> String {
    file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
