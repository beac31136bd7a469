//! `liquid init`: a small federation of one's own, ready to start, made to be edited piece by piece.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use liquid_local::authority::CERTIFICATE_DAYS;
use liquid_local::folder::{Folder, TOKEN_DAYS};
use liquid_local::{keys, starter};

use crate::args::Init;
use crate::failure::Failure;
use crate::start::program;
use crate::terminal::{Paint, say};

/// Where its parts listen; the configuration files say so and can be changed.
const COORDINATOR_PORT: u16 = 7433;
const SITE_PORT: u16 = 7434;

/// Writes the folder.
///
/// # Errors
/// Where it holds something already, or cannot be written.
pub(crate) fn run(init: &Init) -> Result<(), Failure> {
    if let (Some(folder), Some(site)) = (&init.join, &init.site) {
        return join(folder, site);
    }
    let folder = &init.folder;
    let occupied = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || folder.is_file() {
        return Err(Failure::here(
            format!("`{}` holds something already", folder.display()),
            "name a folder that is empty or does not exist",
        ));
    }
    let site = write(folder)?;
    let program = word(&program());
    for line in next_steps(&program, &folder.display().to_string(), &site, Paint::stdout()) {
        say(&line);
    }
    Ok(())
}

/// Adds a site to a folder that was written before.
fn join(folder: &Path, site: &str) -> Result<(), Failure> {
    let config = liquid_local::join::join(folder, site, SITE_PORT)?;
    say(&format!(
        "The site {site} begins as a copy of the first one. Start its node, and the coordinator again:"
    ));
    say("");
    let paint = Paint::stdout();
    let program = word(&program());
    let coordinator = folder.join("coordinator/coordinator.toml");
    for (part, config) in [("node", config), ("coordinator", coordinator)] {
        let config = word(&config.display().to_string());
        say(&format!("  {}", paint.code(&format!("{program} {part} --config {config}"))));
    }
    Ok(())
}

/// Writes everything and returns the site's name.
fn write(root: &Path) -> Result<String, liquid_local::Error> {
    let blueprint = starter::blueprint();
    let folder = Folder::begin(root, &blueprint)?;
    folder.keep_secrets()?;
    let mut sites = Vec::new();
    for (plan, port) in blueprint.sites.iter().zip(SITE_PORT..) {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        folder.site(plan, Some(listen), None)?;
        sites.push((plan, Some(listen)));
    }
    folder.coordinator(SocketAddr::from((Ipv4Addr::LOCALHOST, COORDINATOR_PORT)), &sites)?;
    Ok(sites.first().map(|(plan, _)| plan.site.to_string()).unwrap_or_default())
}

/// A word as a shell takes it: in quotes where it holds what a shell does not take as it stands.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+=:,@%".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// What to do next, in the order in which it makes sense.
fn next_steps(program: &str, folder: &str, site: &str, paint: Paint) -> Vec<String> {
    let command = |text: String| format!("  {}", paint.code(&text));
    let at = |path: &str| word(&format!("{folder}/{path}"));
    let agreement = at(&format!("sites/{site}/agreements/OWN-1.toml"));
    vec![
        format!("A federation of one site and a coordinator lies in {folder}. Start both, each in a terminal:"),
        String::new(),
        command(format!("{program} node --config {}", at(&format!("sites/{site}/node.toml")))),
        command(format!("{program} coordinator --config {}", at("coordinator/coordinator.toml"))),
        String::new(),
        "Ask, in a third:".to_owned(),
        String::new(),
        command(format!(
            "export LIQUID_URL=https://127.0.0.1:{COORDINATOR_PORT} LIQUID_CA={} LIQUID_TOKEN_FILE={}",
            at("ca.pem"),
            at("tokens/own.analyst"),
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
            "{program} policy sign {agreement} --organisation own --role data-protection-officer --key-id own-1 \
             --key {} --replace",
            at("keys/own.key"),
        )),
        "     the node sees it within a second; for the rest end it with Ctrl-C and start it again".to_owned(),
        "  4. another site on this machine, with the same agreement and a copy of the data to replace:".to_owned(),
        command(format!("{program} init --join {} --site second", word(folder))),
        String::new(),
        format!("The token is good until {}. A fresh one:", keys::day_in(TOKEN_DAYS)),
        String::new(),
        command(format!(
            "{program} token new {} --key {} --as own/analyst --purpose ward-planning",
            at("tokens/own.analyst"),
            at("keys/issuer.key"),
        )),
        String::new(),
        format!(
            "All of this is for trying out. The certificates are good until {}, for this machine alone (localhost);",
            keys::day_in(CERTIFICATE_DAYS)
        ),
        format!("{folder}/keys holds every private key, those of the authority and the token issuer too. For real, each"),
        "organisation keeps its own signing key, your authority gives each node and coordinator a certificate with its".to_owned(),
        "host's name and its URI (liquid://site/NAME, liquid://coordinator/NAME), tokens come from your own sign-in".to_owned(),
        "(`[identity]`), and coordinator.toml names the sites, each in a [[site]].".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_a_shell_whatever_is_in_it() {
        for (text, expected) in
            [("/a/b-1.toml", "/a/b-1.toml"), ("a b", "'a b'"), ("it's $x", r"'it'\''s $x'"), ("", "''")]
        {
            assert_eq!(word(text), expected);
        }
        let plain = next_steps("liquid", "own", "first", Paint::plain());
        let quoted = next_steps("liquid", "my own", "first", Paint::plain());
        for (plain, quoted) in plain.iter().zip(&quoted).filter(|(plain, _)| plain.starts_with("  liquid")) {
            assert!(!quoted.replace("'my own", "").contains("my own"), "{plain}\n{quoted}");
        }
    }
}
