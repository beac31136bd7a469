//! `liquid token new`: a fresh token for a federation that `liquid init` wrote.

use liquid_local::folder::DAY_SECONDS;
use liquid_local::issuer::{Claims, Issuer};
use liquid_local::keys;

use crate::args::NewToken;
use crate::failure::Failure;
use crate::terminal::note;

/// Makes a token and writes it for this user alone to read.
///
/// # Errors
/// Where the key cannot be read or the token not be written.
pub(crate) fn new(new: &NewToken) -> Result<(), Failure> {
    let (organisation, role) = new.caller.clone();
    let days = i64::from(new.days);
    let claims = Claims {
        organisation,
        roles: vec![role],
        purposes: new.purposes.clone(),
        seconds: days * DAY_SECONDS,
    };
    let token = Issuer::open(&new.key)?.token(&claims)?;
    keys::write_secret(&new.file, token.as_bytes())?;
    note(&format!("the token is in {}; it is good until {}", new.file.display(), keys::day_in(days)));
    Ok(())
}
