//! `liquid key`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use liquid_local::keys::Key;

use crate::failure::Failure;
use crate::terminal::{note, say};

/// Makes a key.
///
/// # Errors
/// Where the file exists or cannot be written.
pub(crate) fn new(file: &Path) -> Result<(), Failure> {
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
    note(&format!("the private key is in {}; the public key, which others trust, is:", file.display()));
    say(&key.public);
    Ok(())
}
