//! `liquid init`: a small federation of one's own, ready to start, made to be edited piece by piece.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use liquid_local::folder::Folder;
use liquid_local::starter;

use crate::failure::Failure;
use crate::terminal::{Paint, say};

/// Where its parts listen; the configuration files say so and can be changed.
const COORDINATOR_PORT: u16 = 7433;
const SITE_PORT: u16 = 7434;

/// Writes the folder.
///
/// # Errors
/// Where it holds something already, or cannot be written.
pub(crate) fn run(folder: &Path) -> Result<(), Failure> {
    let occupied = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || folder.is_file() {
        return Err(Failure::here(
            format!("`{}` holds something already", folder.display()),
            "name a folder that is empty or does not exist",
        ));
    }
    let site = write(folder).map_err(|error| {
        Failure::here(
            format!("the federation cannot be written: {error}"),
            "name a folder that you may write to",
        )
    })?;
    let program = std::env::args().next().unwrap_or_else(|| "liquid".to_owned());
    for line in next_steps(&program, &folder.display().to_string(), &site, Paint::stdout()) {
        say(&line);
    }
    Ok(())
}

/// Writes everything and returns the site's name.
fn write(root: &Path) -> Result<String, liquid_local::Error> {
    let blueprint = starter::blueprint();
    let folder = Folder::begin(root, &blueprint)?;
    let mut sites = Vec::new();
    for (plan, port) in blueprint.sites.iter().zip(SITE_PORT..) {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        folder.site(&blueprint, plan, listen)?;
        sites.push((plan.site.clone(), listen));
    }
    folder.coordinator(SocketAddr::from((Ipv4Addr::LOCALHOST, COORDINATOR_PORT)), &sites)?;
    Ok(sites.first().map(|(site, _)| site.to_string()).unwrap_or_default())
}

/// What to do next, in the order in which it makes sense.
fn next_steps(program: &str, folder: &str, site: &str, paint: Paint) -> Vec<String> {
    let command = |text: String| format!("  {}", paint.code(&text));
    vec![
        format!("A federation of one site and a coordinator lies in {folder}. Start both, each in a terminal:"),
        String::new(),
        command(format!("{program} node --config {folder}/sites/{site}/node.toml")),
        command(format!("{program} coordinator --config {folder}/coordinator/coordinator.toml")),
        String::new(),
        "Ask, in a third:".to_owned(),
        String::new(),
        command(format!(
            "export LIQUID_URL=https://127.0.0.1:{COORDINATOR_PORT} LIQUID_CA={folder}/ca.pem \
             LIQUID_TOKEN_FILE={folder}/tokens/own.analyst"
        )),
        command(format!(
            "{program} query \"SELECT ward, count(*) AS visits, avg(stay) AS days FROM visits GROUP BY ward\""
        )),
        String::new(),
        "Then make it yours, one piece after another:".to_owned(),
        String::new(),
        format!("  1. your data: put files into {folder}/sites/{site}/data and name them under [engine] in node.toml"),
        format!("  2. the shared table: {folder}/sites/{site}/model.toml, and views.sql that makes it of your data"),
        format!("  3. the rules: {folder}/sites/{site}/agreements/OWN-1.toml; every edit voids the signature, so sign:"),
        command(format!(
            "{program} policy sign {folder}/sites/{site}/agreements/OWN-1.toml --organisation own \
             --role data-protection-officer --key-id own-1 --key {folder}/keys/own.key"
        )),
        "  4. more sites: a folder like this one at each, and a [[site]] in coordinator.toml".to_owned(),
        "  5. for real: certificates of your own authority, tokens of your own sign-in (`[identity]`), keys/ elsewhere"
            .to_owned(),
    ]
}
