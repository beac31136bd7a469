//! Ed25519 keys as files: of organisations that sign agreements, of nodes that sign their audit logs, of token issuers.

use std::path::Path;

use liquid_policy::signature::SigningKey;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;

use crate::Error;

/// A key that was just made.
pub struct NewKey {
    /// The private part: PKCS #8 in DER, as key files hold it.
    pub private: Vec<u8>,
    /// The public part: 32 bytes in base64, as configurations write it.
    pub public: String,
}

impl NewKey {
    /// Makes a key.
    ///
    /// # Errors
    /// Where the system has no randomness to give.
    pub fn generate() -> Result<Self, Error> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| Error::Key)?;
        let private = document.as_ref().to_vec();
        let public = SigningKey::from_pkcs8(&private).map_err(|_| Error::Key)?.public_key();
        Ok(Self { private, public })
    }

    /// The key, to sign agreements with.
    ///
    /// # Errors
    /// Never for a key that was made here.
    pub fn signing(&self) -> Result<SigningKey, Error> {
        SigningKey::from_pkcs8(&self.private).map_err(|_| Error::Key)
    }
}

/// Reads a key file, to sign agreements with.
///
/// # Errors
/// Where the file cannot be read or holds no Ed25519 key.
pub fn read(file: &Path) -> Result<SigningKey, Error> {
    SigningKey::from_pkcs8(&std::fs::read(file)?).map_err(|_| Error::Key)
}

/// The time as signatures write it.
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.key");
        let key = NewKey::generate().unwrap();
        std::fs::write(&file, &key.private).unwrap();
        assert_eq!(read(&file).unwrap().public_key(), key.public);
        std::fs::write(&file, "nothing").unwrap();
        assert!(read(&file).is_err());
    }
}
