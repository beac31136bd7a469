//! How clients reach a federation on this machine: one line of JSON, and a file in which `liquid query` finds it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::folder::{BOARD_TOKENS, KEYS};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Addresses, certificate, tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The coordinator's Flight SQL address, as drivers take it: `grpc+tls://host:port`.
    pub coordinator: String,
    /// The file with the certificate authority to trust, as PEM.
    pub ca: PathBuf,
    /// A token for each recipient role of the agreements, by `organisation/role`.
    pub tokens: Tokens,
    /// The sites.
    pub sites: Vec<SiteConnection>,
}

/// How clients reach one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteConnection {
    /// Its name.
    pub name: String,
    /// The organisation whose place it is.
    #[serde(default)]
    pub organisation: String,
    /// Its Flight SQL address, if it has a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The ids of the agreements that it holds.
    pub agreements: Vec<String>,
}

/// Tokens by `organisation/role`, in the order in which the agreements name them: the first is the one to ask with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tokens(Vec<(String, String)>);

impl Tokens {
    /// Adds a token, unless this role has one.
    pub fn add(&mut self, role: String, token: String) {
        if self.get(&role).is_none() {
            self.0.push((role, token));
        }
    }

    /// The token of one role.
    pub fn get(&self, role: &str) -> Option<&str> {
        self.iter().find(|(it, _)| *it == role).map(|(_, token)| token)
    }

    /// The first role's name and token.
    pub fn first(&self) -> Option<(&str, &str)> {
        self.iter().next()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(role, token)| (role.as_str(), token.as_str()))
    }
}

impl Serialize for Tokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Tokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tokens by role")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
        let mut tokens = Tokens::default();
        while let Some((role, token)) = map.next_entry()? {
            tokens.add(role, token);
        }
        Ok(tokens)
    }
}

impl Connection {
    /// Whether anything listens where the coordinator was.
    pub async fn answers(&self) -> bool {
        let address = self.coordinator.trim_start_matches("grpc+tls://");
        tokio::net::TcpStream::connect(address).await.is_ok()
    }

    /// The token with which a party's people ask how its agreements stand; that of the first party where none is named.
    pub fn board_token(&self, organisation: Option<&str>) -> Option<PathBuf> {
        let folder = self.ca.parent()?.join(BOARD_TOKENS);
        let first = || std::fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path()).min();
        organisation.map(|name| folder.join(name)).or_else(first).filter(|file| file.is_file())
    }

    /// The keys with which parties' people sign in the demo, by name: `ORGANISATION.ROLE`.
    pub fn keys(&self) -> BTreeMap<String, PathBuf> {
        let folder = self.ca.parent().map(|folder| folder.join(KEYS)).unwrap_or_default();
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let name = |file: &PathBuf| Some(file.file_name()?.to_str()?.strip_suffix(".key")?.to_owned());
        files.filter_map(|file| Some((name(&file)?, file))).collect()
    }

    /// The line.
    pub fn line(&self) -> String {
        // Strings, lists and maps of strings always become JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The file in which `liquid query` finds the demo that runs on this machine; it is gone when the demo is, unless another
/// demo has put its own there meanwhile. A demo that was killed leaves it behind.
#[derive(Debug)]
pub struct Beacon {
    path: PathBuf,
    connection: Connection,
}

impl Beacon {
    /// `$XDG_STATE_HOME/liquid/demo.json`, or the same below `~/.local/state`.
    pub fn path() -> Option<PathBuf> {
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))?;
        Some(state.join("liquid/demo.json"))
    }

    /// Writes the file, for this user's eyes alone: it holds tokens.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn light(path: &Path, connection: &Connection) -> std::io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Under another name first, so that nobody reads half a file.
        let draft = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", connection.line())?;
        std::fs::rename(&draft, path)?;
        Ok(Self { path: path.to_owned(), connection: connection.clone() })
    }

    /// Reads the file, if there is one.
    pub fn read(path: &Path) -> Option<Connection> {
        serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        if Self::read(&self.path).as_ref() == Some(&self.connection) {
            let _already_gone = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beacon_is_there_as_long_as_the_demo() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("liquid/demo.json");
        let mut tokens = Tokens::default();
        tokens.add("z/y".into(), "t".into());
        tokens.add("a/b".into(), "u".into());
        let connection = Connection {
            coordinator: "grpc+tls://127.0.0.1:7433".into(),
            ca: "ca.pem".into(),
            tokens,
            sites: vec![SiteConnection {
                name: "x".into(),
                organisation: "x".into(),
                url: Some("y".into()),
                agreements: vec!["z".into()],
            }],
        };
        let beacon = Beacon::light(&path, &connection).unwrap();
        assert_eq!(connection.tokens.first(), Some(("z/y", "t")));
        assert_eq!(Beacon::read(&path).as_ref(), Some(&connection));

        let other = Connection { coordinator: "grpc+tls://127.0.0.1:7533".into(), ..connection };
        let later = Beacon::light(&path, &other).unwrap();
        drop(beacon);
        assert_eq!(Beacon::read(&path), Some(other), "another demo's stays");
        drop(later);
        assert_eq!(Beacon::read(&path), None);
    }
}
