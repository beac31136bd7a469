//! `node.toml`: what a site's operator writes. Unknown keys are errors, paths are relative to the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use liquid_node_api::config::{self, Unusable};
use liquid_node_api::engine::Caps;
use liquid_node_api::tls::outbound::Outbound;
use liquid_node_api::tls::{self, Certificates, Identity, Proxy, Target};
use liquid_node_api::token::Identities;
use liquid_policy::Agreement;
use liquid_policy::id::{OrganisationName, SiteName};
use liquid_policy::statement::TrustedKey;
use serde::Deserialize;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The site and its port.
    pub node: Site,
    /// Its certificate, and the authority whose certificates coordinators show.
    pub tls: tls::Files,
    /// Whose tokens count.
    pub identity: Identities,
    /// The keys whose signatures under agreements count.
    #[serde(default, rename = "trusted_key")]
    pub trusted_keys: Vec<TrustedKey>,
    /// The least that agreements of a marking must ask for here.
    #[serde(default)]
    pub floors: Floors,
    /// Who dials: coordinators, or this node.
    #[serde(default)]
    pub connect: Connect,
    /// The audit log.
    pub audit: Audit,
    /// Caps on requests.
    #[serde(default)]
    pub limits: Limits,
    /// The site's data, read by the engine's own process alone.
    #[serde(default)]
    pub engine: toml::Table,
}

/// `[floors]`: for each protective marking, as agreements write it, the least number of contributors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Floors(BTreeMap<String, Floor>);

/// `[floors.MARKING]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// The least minimum; an agreement that asks for less has this one here.
    pub minimum_contributors: u32,
}

impl Floors {
    /// Raises an agreement to the floor of its marking.
    ///
    /// # Errors
    /// Where it has no minimum that could be raised, or a marking that this site does not know although it knows some.
    pub fn raise(&self, agreement: Agreement) -> Result<Agreement, String> {
        match agreement.marking().map(|marking| (marking.to_owned(), self.0.get(marking))) {
            Some((_, Some(floor))) => {
                agreement.under_floor(floor.minimum_contributors).map_err(|e| e.to_string())
            }
            Some((marking, None)) if !self.0.is_empty() => Err(format!(
                "its marking `{marking}` has no entry in `[floors]`; add one, or correct the marking"
            )),
            _ => Ok(agreement),
        }
    }
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The site's name, as the federation knows it.
    pub site: SiteName,
    /// The organisation whose place it is.
    pub organisation: OrganisationName,
    /// Where to listen; port 0 takes a free one. A node that dials its coordinators needs no port at all.
    pub listen: Option<SocketAddr>,
    /// The folder of agreements: each `<name>.toml` with its signatures in `<name>.sig.toml`.
    pub agreements: PathBuf,
    /// The coordinators that may carry callers' questions here, by the URI in their certificates.
    #[serde(default)]
    pub coordinators: Vec<Identity>,
}

/// `[connect]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connect {
    /// Who dials.
    pub mode: Mode,
    /// Connections that are kept to each coordinator: one is used, the others stand by.
    pub connections: usize,
    /// The proxy through which coordinators are dialled, `http://host:port`; none where nothing is written.
    pub proxy: Option<String>,
    /// The file with its credentials, `user:password`.
    pub proxy_credentials: Option<PathBuf>,
    /// The authority whose certificates the dialled coordinators show, PEM; that of `[tls]` where nothing is written.
    pub ca: Option<PathBuf>,
    /// That authority's list of revoked certificates, PEM.
    pub crl: Option<PathBuf>,
    /// The coordinators to dial, where this node does.
    #[serde(rename = "coordinator")]
    pub coordinators: Vec<Address>,
}

/// Who dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Coordinators dial this node's port.
    #[default]
    Inbound,
    /// This node dials its coordinators, and is asked on the connections that it has opened.
    Outbound,
}

/// `[[connect.coordinator]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Where it listens, `https://host:port`.
    pub url: String,
    /// The name in its certificate, where that is not the URL's host.
    #[serde(default)]
    pub server_name: Option<String>,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            mode: Mode::Inbound,
            connections: 2,
            proxy: None,
            proxy_credentials: None,
            ca: None,
            crl: None,
            coordinators: Vec::new(),
        }
    }
}

/// More connections to one coordinator than anybody needs; the coordinator keeps no more.
const CONNECTIONS_MAX: usize = 8;

/// `[audit]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The log's file.
    pub log: PathBuf,
    /// The Ed25519 key that signs it, PKCS#8 in DER.
    pub key: PathBuf,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How long a request may take; a caller can ask for less.
    pub deadline_ms: u64,
    /// Engine processes, and so requests that run at one time.
    pub engines: usize,
    /// Requests that may wait for one.
    pub queue: usize,
    /// Requests of one caller among them; callers have their turns one after the other.
    pub queue_per_caller: usize,
    /// Bytes of SQL that are looked at.
    pub sql_bytes: usize,
    /// Memory that the large operators of one request may take.
    pub memory_bytes: u64,
    /// Rows that a cut may have before disclosure.
    pub rows: u64,
    /// Connections at one time.
    pub connections: usize,
    /// Of them, those of one address.
    pub connections_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline_ms: 30_000,
            engines: 2,
            queue: 32,
            queue_per_caller: 8,
            sql_bytes: 64 << 10,
            memory_bytes: 1 << 30,
            rows: 1_000_000,
            connections: 256,
            connections_per_address: 64,
        }
    }
}

impl Limits {
    /// How long a request may take that asks for `asked`.
    pub fn deadline(&self, asked: Option<Duration>) -> Duration {
        let most = Duration::from_millis(self.deadline_ms);
        asked.map_or(most, |asked| asked.min(most))
    }

    /// Whether a node can work under them.
    fn sound(&self) -> Result<(), String> {
        let Self {
            deadline_ms,
            engines,
            queue: _,
            queue_per_caller: _,
            sql_bytes,
            memory_bytes,
            rows,
            connections,
            connections_per_address,
        } = self;
        let positive = [
            ("deadline_ms", *deadline_ms > 0),
            ("engines", *engines > 0),
            ("sql_bytes", *sql_bytes > 0),
            ("memory_bytes", *memory_bytes > 0),
            ("rows", *rows > 0),
            ("connections", *connections > 0),
            ("connections_per_address", *connections_per_address > 0),
        ];
        match positive.iter().find(|(_, is_positive)| !is_positive) {
            Some((name, _)) => {
                Err(format!("`{name}` in `[limits]` is 0; write a number from 1, or leave it out"))
            }
            None => Ok(()),
        }
    }

    /// Caps for the engine.
    pub fn caps(&self) -> Caps {
        Caps { memory_bytes: self.memory_bytes, rows: self.rows }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, is not TOML, has unknown keys, or a limit of 0 that would stop everything.
    pub fn read(path: &Path) -> Result<Self, Unusable> {
        let mut config: Self = config::read(path)?;
        config.limits.sound().map_err(|problem| Unusable::new(path, problem))?;
        config.reachable().map_err(|problem| Unusable::new(path, problem))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        config.tls = config.tls.within(folder);
        let Connect { proxy_credentials, ca, crl, .. } = &mut config.connect;
        for file in [proxy_credentials, ca, crl].into_iter().flatten() {
            *file = folder.join(&file);
        }
        config.node.agreements = folder.join(config.node.agreements);
        config.audit.log = folder.join(config.audit.log);
        config.audit.key = folder.join(config.audit.key);
        Ok(config)
    }

    /// Whether anybody can ask it.
    fn reachable(&self) -> Result<(), &'static str> {
        let Connect { mode, connections, proxy, proxy_credentials, ca, crl, coordinators } = &self.connect;
        let is_for_dialling = proxy.is_some() || ca.is_some() || !coordinators.is_empty();
        if proxy.is_none() && proxy_credentials.is_some() {
            return Err("`proxy_credentials` in `[connect]` is for no proxy; write `proxy`, or remove it");
        }
        if ca.is_none() && crl.is_some() {
            return Err("`crl` in `[connect]` is for no authority; write `ca`, or remove it");
        }
        match mode {
            Mode::Inbound if self.node.listen.is_none() => Err(
                "`listen` in `[node]` is missing; write an address, or `mode = \"outbound\"` in `[connect]` if this node dials",
            ),
            Mode::Inbound if is_for_dialling => Err(
                "`[connect]` says how to dial and nobody is dialled; write `mode = \"outbound\"` there, or remove the rest",
            ),
            Mode::Inbound => Ok(()),
            Mode::Outbound if coordinators.is_empty() => Err(
                "`mode` in `[connect]` is `outbound` and nobody is named to dial; write a `[[connect.coordinator]]` with its `url`",
            ),
            Mode::Outbound if self.node.coordinators.is_empty() => Err(
                "`coordinators` in `[node]` is empty, so whoever is dialled may not ask; name the coordinator's identity there",
            ),
            Mode::Outbound if !(1..=CONNECTIONS_MAX).contains(connections) => {
                Err("`connections` in `[connect]` is out of range; write 1 to 8, or leave it out")
            }
            Mode::Outbound => Ok(()),
        }
    }

    /// The coordinators that this node dials; none where they dial it.
    ///
    /// # Errors
    /// Where a file of `[tls]` or `[connect]`, or an address, cannot be used.
    pub fn outbound(&self) -> Result<Vec<Outbound>, tls::Error> {
        match self.connect.mode {
            Mode::Inbound => Ok(Vec::new()),
            Mode::Outbound => self.dialling(&Certificates::open(&self.files_for_dialling())?),
        }
    }

    fn files_for_dialling(&self) -> tls::Files {
        self.tls.trusting(self.connect.ca.as_deref(), self.connect.crl.as_deref())
    }

    fn dialling(&self, certificates: &Certificates) -> Result<Vec<Outbound>, tls::Error> {
        let Connect { connections, proxy, proxy_credentials, coordinators, .. } = &self.connect;
        let proxy = proxy.as_ref().map(|url| Proxy::new(url, proxy_credentials.as_deref())).transpose()?;
        let outbound = |Address { url, server_name }: &Address| {
            let (url, server_name, proxy) = (url.clone(), server_name.clone(), proxy.clone());
            let target = Target { url, server_name, identity: None, proxy };
            Outbound::new(&target, self.node.coordinators.clone(), *connections, certificates)
        };
        coordinators.iter().map(outbound).collect()
    }

    /// Whether the node can serve with its certificate: call it before anybody is told that the node is ready.
    ///
    /// # Errors
    /// Where a file of `[tls]` or an address to dial cannot be used, the certificate and its key do not belong together, or
    /// the certificate speaks for somebody else than this site.
    pub fn check_tls(&self) -> Result<(), tls::Error> {
        let material = self.tls.load()?;
        material.server()?;
        if self.connect.mode == Mode::Outbound {
            self.dialling(&Certificates::fixed(self.files_for_dialling().load()?))?;
        }
        let (site, named) = (Identity::Site(self.node.site.clone()), material.identity()?);
        if named == site {
            return Ok(());
        }
        Err(tls::Error::new(
            format!(
                "the certificate `{}` speaks for `{named}`, and this is `{site}`",
                self.tls.cert.display()
            ),
            "correct `site` in `[node]`, or name the certificate of this site in `[tls]`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
[node]
site = "cleveland"
organisation = "cleveland"
listen = "127.0.0.1:7434"
agreements = "agreements"
[tls]
cert = "c.pem"
key = "/keys/k.pem"
ca = "ca.pem"
[[identity.issuer]]
issuer = "https://login.example"
audience = "heart"
public_key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
[audit]
log = "audit.jsonl"
key = "audit.key"
"#;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|e| e.to_string())
    }

    #[test]
    fn paths_are_relative_to_the_file_and_limits_have_defaults() {
        let config = read(SMALL).unwrap();
        assert!(config.audit.log.is_absolute() && config.audit.log.ends_with("audit.jsonl"));
        assert_eq!(config.tls.key, Path::new("/keys/k.pem"));
        assert_eq!(config.limits, Limits::default());
        let (long, short) = (Duration::from_secs(600), Duration::from_secs(1));
        assert_eq!(
            config.limits.deadline(Some(long)),
            Duration::from_secs(30),
            "a caller can only ask for less"
        );
        assert_eq!(config.limits.deadline(Some(short)), short);
    }

    #[test]
    fn a_node_listens_or_dials_and_what_lacks_for_it_is_named() {
        let dialling = "[connect]\nmode = \"outbound\"\n";
        let coordinator = "[[connect.coordinator]]\nurl = \"https://heart.example:7433\"\n";
        let known = SMALL.replace("[node]", "[node]\ncoordinators = [\"liquid://coordinator/heart\"]");
        let silent = known.replace("listen = \"127.0.0.1:7434\"\n", "");
        let config = read(&format!("{silent}{dialling}{coordinator}")).unwrap();
        assert_eq!((config.node.listen, config.connect.connections), (None, 2));
        assert!(read(&format!("{known}{dialling}{coordinator}")).is_ok(), "it may listen as well");
        for (text, part) in [
            (silent.clone(), "`listen`"),
            (format!("{silent}{dialling}"), "nobody is named to dial"),
            (format!("{known}{coordinator}"), "nobody is dialled"),
            (format!("{SMALL}{dialling}{coordinator}"), "`coordinators` in `[node]`"),
            (format!("{silent}{dialling}connections = 0\n{coordinator}"), "1 to 8"),
            (format!("{silent}[connect]\nmode = \"sideways\""), "sideways"),
            (format!("{known}[connect]\nproxy = \"http://p:1\""), "nobody is dialled"),
            (format!("{silent}{dialling}proxy_credentials = \"a\"\n{coordinator}"), "no proxy"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(part) && error.contains("node.toml"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, part) in [
            (format!("{SMALL}colour = 1"), "colour"),
            (format!("{SMALL}[limits]\nengines = 0"), "`engines`"),
            (SMALL.replace("audience", "audiance"), "audiance"),
            (SMALL.replace("[node]", "[node]\ncoordinators = [\"https://a\"]"), "liquid://coordinator"),
            (SMALL.replace("127.0.0.1:7434", "here"), "listen"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(part) && error.contains("node.toml"), "{error}");
        }
    }
}
