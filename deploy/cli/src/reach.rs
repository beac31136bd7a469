//! The way to a coordinator or a node, for whoever asks and whoever signs: from the command line and its environment, and
//! what neither says from the demo that runs here.

use std::path::PathBuf;

use liquid_local::client::Client;
use liquid_local::connection::{Beacon, Connection};
use liquid_policy::id::SiteName;

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
    let demo = demo(reach).await?;
    let known = demo.as_ref();
    let url = reach.url.clone().or_else(|| known.map(|demo| demo.coordinator.clone()));
    let url = url.ok_or_else(|| missing("the address", "--url", "LIQUID_URL"))?;
    let (ca, token) = papers(reach, known, whose)?;
    Ok(Client::by_environment(&url, &ca, &token)?)
}

/// Opens a way to a site of one's own organisation, and to nobody else; and says which site it is.
///
/// # Errors
/// As [`client`].
pub(crate) async fn own_site(
    reach: &Reach,
    organisation: &str,
    site: Option<&str>,
) -> Result<(Client, SiteName), Failure> {
    let demo = demo(reach).await?;
    let known = demo.as_ref();
    let (url, site) = match (&reach.url, known) {
        (Some(url), _) => (url.clone(), site.unwrap_or(organisation).to_owned()),
        (None, Some(demo)) => of_demo(demo, organisation, site)?,
        (None, None) => return Err(missing("the address of your node", "--url", "LIQUID_URL")),
    };
    let (ca, token) = papers(reach, known, Whose::Board(Some(organisation)))?;
    let site = SiteName::new(site);
    Ok((Client::of_site(&url, &ca, &token, &site)?, site))
}

/// The one site of an organisation in the demo.
fn of_demo(demo: &Connection, organisation: &str, site: Option<&str>) -> Result<(String, String), Failure> {
    let own = demo.sites.iter().filter(|it| it.organisation == organisation);
    let own: Vec<_> = own.filter(|it| site.is_none_or(|name| it.name == name)).collect();
    match own.as_slice() {
        [one] => match &one.url {
            Some(url) => Ok((url.clone(), one.name.clone())),
            None => Err(Failure::here(
                format!("site `{}` has no port of its own", one.name),
                "let its node listen too, with `listen` in `[node]`",
            )),
        },
        [] => {
            let all: Vec<String> =
                demo.sites.iter().map(|it| format!("{} ({})", it.name, it.organisation)).collect();
            Err(Failure::here(
                format!("the demo has no such site of `{organisation}`; it has {}", all.join(", ")),
                "use a key of the organisation whose site it is, and its name with `--site`",
            ))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|it| it.name.as_str()).collect();
            Err(Failure::here(
                format!("`{organisation}` has several sites: {}", names.join(", ")),
                "name one of them with `--site`",
            ))
        }
    }
}

/// The demo that runs here, where no address is named.
async fn demo(reach: &Reach) -> Result<Option<Connection>, Failure> {
    let demo = Beacon::path().and_then(|path| Beacon::read(&path)).filter(|_| reach.url.is_none());
    match demo {
        Some(demo) if !demo.answers().await => Err(Failure::here(
            format!("the demo that ran here is gone: nothing listens at {}", demo.coordinator),
            "start `liquid demo --serve`, or name a coordinator with `--url`",
        )),
        demo => Ok(demo),
    }
}

fn missing(what: &str, option: &str, variable: &str) -> Failure {
    Failure::here(
        format!("{what} to ask with is not known"),
        format!(
            "name it with `{option}` or in {variable}, or start `liquid demo --serve` in another terminal"
        ),
    )
}

/// The authority to trust, and the token to show.
fn papers(reach: &Reach, known: Option<&Connection>, whose: Whose<'_>) -> Result<(PathBuf, String), Failure> {
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
    Ok((ca, token))
}
