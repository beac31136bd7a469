//! A further site in a folder that `liquid init` wrote: it begins as the first one stands, with the agreements and their
//! signatures, and has a name, a port, a certificate and an audit key of its own.

use std::fs;
use std::path::{Path, PathBuf};

use liquid_node_api::tls::Identity;

use crate::Error;
use crate::authority::Authority;
use crate::folder::{self, write};
use crate::keys::{Key, write_secret};

/// Adds a site that listens on the port of `port_first` that no site before it has, and tells the coordinator of it;
/// both read their configuration when they are started. Returns the node's configuration.
///
/// # Errors
/// Where the folder is none that `liquid init` wrote, has such a site already, or cannot be written.
pub fn join(root: &Path, site: &str, port_first: u16) -> Result<PathBuf, Error> {
    let uri = format!("liquid://site/{site}");
    uri.parse::<Identity>().map_err(|error| Error::Part(error.to_string()))?;
    let (sites, authority_key) = (root.join("sites"), root.join("keys/authority.key"));
    let (first, new) = (first(&sites)?, sites.join(site));
    if new.exists() {
        return Err(Error::Part(format!("there is a site `{site}` already; choose another name")));
    }
    let authority = Authority::open(&folder::authority_name(crate::starter::NAME), &authority_key)?;
    let coordinator_toml = root.join("coordinator/coordinator.toml");
    let mut coordinator = read(&coordinator_toml)?;
    let before = coordinator.lines().filter(|line| line.trim() == "[[site]]").count();
    let port = port_first.saturating_add(u16::try_from(before).unwrap_or(u16::MAX));

    let named = |line: &str| match line.split('=').next().map(str::trim) {
        Some("site") => format!("site = \"{site}\"\n"),
        Some("listen") => format!("listen = \"127.0.0.1:{port}\"\n"),
        _ => format!("{line}\n"),
    };
    let node: String = read(&first.join("node.toml"))?.lines().map(named).collect();
    for file in ["ca.pem", "model.toml", "views.sql", "agreements", "data"] {
        copy(&first.join(file), &new.join(file))?;
    }
    folder::write_identity(&new, &authority.issue(site, &uri)?)?;
    let audit = Key::generate()?;
    write_secret(&new.join("audit.key"), &audit.private)?;
    write(&new.join("audit.pub"), format!("{}\n", audit.public).as_bytes())?;
    write(&new.join("node.toml"), node.as_bytes())?;
    coordinator.push_str(&format!("\n[[site]]\nname = \"{site}\"\nurl = \"https://127.0.0.1:{port}\"\n"));
    write(&coordinator_toml, coordinator.as_bytes())?;
    Ok(new.join("node.toml"))
}

/// The site whose folder comes first by name; what it has is what the new one begins with.
fn first(sites: &Path) -> Result<PathBuf, Error> {
    let entries = fs::read_dir(sites).map_err(Error::reading(sites))?;
    let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.join("node.toml").is_file());
    folders
        .min()
        .ok_or_else(|| Error::Part(format!("`{}` holds no site; run `liquid init`", sites.display())))
}

fn read(file: &Path) -> Result<String, Error> {
    fs::read_to_string(file).map_err(Error::reading(file))
}

/// Copies a file, or a folder of files.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    if !from.is_dir() {
        return write(to, &fs::read(from).map_err(Error::reading(from))?);
    }
    for entry in fs::read_dir(from).map_err(Error::reading(from))?.flatten() {
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
