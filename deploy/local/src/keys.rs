//! Ed25519 keys as files: of organisations that sign agreements, of nodes that sign their audit logs, of token issuers.

use std::collections::BTreeMap;
use std::fs::{OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use liquid_policy::statement::{SigningKey, TrustedKey};
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

use crate::Error;

/// A key, private and public.
pub struct Key {
    /// The private part: PKCS #8 in DER, as key files hold it.
    pub private: Vec<u8>,
    /// The public part: 32 bytes in base64, as configurations write it.
    pub public: String,
}

impl Key {
    /// Makes a key.
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub fn generate() -> Result<Self, Error> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| Error::machine("no key can be made", "the system gives no randomness"))?;
        let mut key = Self { private: document.as_ref().to_vec(), public: String::new() };
        key.public = key.signing()?.public_key();
        Ok(key)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// Where the file cannot be read or holds no Ed25519 key.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let private = std::fs::read(file).map_err(Error::reading(file))?;
        let key = SigningKey::from_pkcs8(&private).map_err(|_| Error::NoKey(file.to_owned()))?;
        Ok(Self { private, public: key.public_key() })
    }

    /// The key, to sign agreements with.
    ///
    /// # Errors
    /// Never for a key that was made or read here.
    pub fn signing(&self) -> Result<SigningKey, Error> {
        SigningKey::from_pkcs8(&self.private).map_err(|error| Error::machine("a key cannot be used", error))
    }
}

/// The file beside a key that says whose it is, as a node's configuration has it: `NAME.key` has `NAME.pub.toml`.
pub fn card_of(key: &Path) -> PathBuf {
    key.with_extension("pub.toml")
}

/// What stands in such a file, ready to be added to a `node.toml`.
pub fn card(trusted: &TrustedKey) -> String {
    let entry = toml::to_string(&BTreeMap::from([("trusted_key", [trusted])])).unwrap_or_default();
    format!(
        "# Whose key this is. Nodes trust it once their operators add these lines to `node.toml`.\n{entry}"
    )
}

/// Reads such a file.
///
/// # Errors
/// Where it cannot be read, or is none.
pub fn read_card(file: &Path) -> Result<TrustedKey, Error> {
    #[derive(serde::Deserialize)]
    struct Card {
        trusted_key: [TrustedKey; 1],
    }
    let text = std::fs::read_to_string(file).map_err(Error::reading(file))?;
    let card: Card = toml::from_str(&text).map_err(|_| Error::NoKey(file.to_owned()))?;
    let [trusted] = card.trusted_key;
    Ok(trusted)
}

/// Writes what only this user may read, in place of what the file held.
///
/// # Errors
/// Where it cannot be written.
pub fn write_secret(file: &Path, secret: &[u8]) -> Result<(), Error> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    }
    let written = || {
        let mut options = OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
        out.set_permissions(Permissions::from_mode(0o600))?; // the mode above counts for a new file alone
        out.write_all(secret)
    };
    written().map_err(Error::writing(file))
}

/// The day that is so many days away, by the calendar of UTC.
pub fn day_in(days: i64) -> String {
    (chrono::Utc::now() + chrono::Duration::days(days)).format("%Y-%m-%d").to_string()
}

/// The time, for whoever signs.
pub fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.key");
        let key = Key::generate().unwrap();
        write_secret(&file, &key.private).unwrap();
        assert_eq!(Key::read(&file).unwrap().public, key.public);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "nothing").unwrap();
        assert!(matches!(Key::read(&file), Err(Error::NoKey(_))));
        std::fs::remove_file(&file).unwrap();
        let error = Key::read(&file).err().unwrap().to_string();
        assert!(error.contains("own.key` cannot be read"), "{error}");
    }
}
