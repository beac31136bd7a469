//! `liquid key`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use liquid_local::keys::{self, Key};
use liquid_policy::id::{KeyId, OrganisationName, RoleName};
use liquid_policy::statement::{Act, TrustedKey};

use super::sites::Sites;
use super::who::{Person, name_of};
use crate::args::{Key as Command, NewKey, Revoke, Rotate};
use crate::failure::Failure;
use crate::terminal::{note, say};

/// Runs a command.
///
/// # Errors
/// What the command says of itself.
pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::New(command) => new(&command),
        Command::Rotate(command) => rotate(&command).await,
        Command::Revoke(command) => revoke(&command).await,
    }
}

/// Makes a key.
fn new(new: &NewKey) -> Result<(), Failure> {
    let key = made(&new.file)?;
    note(&format!("the private key is in {}; the public key, which others trust, is:", new.file.display()));
    say(&key.public);
    let Some(organisation) = &new.organisation else { return Ok(()) };
    let trusted = TrustedKey {
        organisation: OrganisationName::new(organisation),
        key_id: KeyId::new(new.key_id.clone().unwrap_or_else(|| name_of(&new.file))),
        public_key: key.public,
        retired: false,
        roles: new.roles.iter().map(RoleName::new).collect(),
    };
    written(&new.file, &trusted)
}

/// Hands over to a new key.
async fn rotate(rotate: &Rotate) -> Result<(), Failure> {
    let person = Person::read(&rotate.who)?;
    let mut sites = Sites::reach(&rotate.reach, Some(person.organisation.as_str())).await?;
    let key = made(&rotate.new)?;
    let to = KeyId::new(rotate.new_id.clone().unwrap_or_else(|| name_of(&rotate.new)));
    let roles = person.card.as_ref().map(|card| card.roles.clone()).unwrap_or_default();
    let trusted =
        TrustedKey { key_id: to.clone(), public_key: key.public.clone(), roles, ..person.trusted() };
    written(&rotate.new, &trusted)?;
    let told = sites.say(person.say(Act::HandOver { to, public_key: key.public })?).await?;
    told.everywhere(&format!("`{}` has handed over to `{}`", person.key_id, trusted.key_id))
}

/// Gives up a key.
async fn revoke(revoke: &Revoke) -> Result<(), Failure> {
    let person = Person::read(&revoke.who)?;
    let mut sites = Sites::reach(&revoke.reach, Some(person.organisation.as_str())).await?;
    let told = sites.say(person.say(Act::Revoke { revoked: KeyId::new(&revoke.revoked) })?).await?;
    note("agreements that only this key has signed are unsigned now: sign them again with another one");
    note(
        "operators of nodes write `retired = true` below it in `node.toml`; a node from which its lines are deleted closes what it stopped",
    );
    told.everywhere(&format!("`{}` of {} is revoked", revoke.revoked, person.organisation))
}

/// A new key in a file that did not exist.
fn made(file: &Path) -> Result<Key, Failure> {
    let key = Key::generate()?;
    let written = || {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(file)?.write_all(&key.private)
    };
    written().map_err(|error: io::Error| {
        Failure::here(
            format!("the key file `{}` cannot be made: {error}", file.display()),
            "name a file that does not exist yet, in a folder that does",
        )
    })?;
    Ok(key)
}

/// Says beside a key whose it is.
fn written(key: &Path, trusted: &TrustedKey) -> Result<(), Failure> {
    let file = keys::card_of(key);
    fs::write(&file, keys::card(trusted)).map_err(|error| {
        Failure::here(format!("`{}` cannot be written: {error}", file.display()), "name another folder")
    })?;
    note(&format!("{} is for the operators of nodes: they add its lines to `node.toml`", file.display()));
    Ok(())
}
