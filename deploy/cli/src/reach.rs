//! The way to a coordinator or a node, for whoever asks and whoever signs: from the command line and its environment, and
//! what neither says from the demo that runs here.

use liquid_local::client::Client;
use liquid_local::connection::Beacon;

use crate::args::Reach;
use crate::failure::Failure;

/// Whose token of the demo it is that is taken where none is named.
pub(crate) enum Whose<'a> {
    /// The first recipient's: it opens data.
    Recipient,
    /// That of a party's people, the first party's where none is named: it opens none.
    Board(Option<&'a str>),
}

/// Opens a way.
///
/// # Errors
/// Where something is not known, or cannot be used.
pub(crate) async fn client(reach: &Reach, whose: Whose<'_>) -> Result<Client, Failure> {
    let demo = Beacon::path().and_then(|path| Beacon::read(&path)).filter(|_| reach.url.is_none());
    if let Some(demo) = &demo
        && !demo.answers().await
    {
        return Err(Failure::here(
            format!("the demo that ran here is gone: nothing listens at {}", demo.coordinator),
            "start `liquid demo --serve`, or name a coordinator with `--url`",
        ));
    }
    let missing = |what: &str, option: &str, variable: &str| {
        Failure::here(
            format!("{what} to ask with is not known"),
            format!(
                "name it with `{option}` or in {variable}, or start `liquid demo --serve` in another terminal"
            ),
        )
    };
    let known = demo.as_ref();
    let url = reach.url.clone().or_else(|| known.map(|demo| demo.coordinator.clone()));
    let url = url.ok_or_else(|| missing("the address", "--url", "LIQUID_URL"))?;
    let ca = reach.ca.clone().or_else(|| known.map(|demo| demo.ca.clone()));
    let ca = ca.ok_or_else(|| missing("the certificate authority", "--ca", "LIQUID_CA"))?;
    let board = match whose {
        Whose::Recipient => None,
        Whose::Board(organisation) => known.and_then(|demo| demo.board_token(organisation)),
    };
    let token = match reach.token_file.clone().or(board) {
        Some(file) => std::fs::read_to_string(&file).map_err(|error| {
            Failure::here(
                format!("the token file `{}` cannot be read: {error}", file.display()),
                "name another with `--token-file`",
            )
        })?,
        None => known
            .and_then(|demo| demo.tokens.first())
            .map(|(_, token)| token.to_owned())
            .ok_or_else(|| missing("the token", "--token-file", "LIQUID_TOKEN_FILE"))?,
    };
    Ok(Client::by_environment(&url, &ca, &token)?)
}
