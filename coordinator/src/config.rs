//! `coordinator.toml`: what a coordinator's operator writes. Unknown keys are errors, paths are relative to the file.

mod site;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use liquid_node_api::config::{self, Unusable};
use liquid_node_api::tls::{self, Identity};
use liquid_node_api::token::Identities;
use serde::Deserialize;

pub use self::site::{Site, Via, Way, WrittenProxy};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The coordinator itself.
    pub coordinator: Coordinator,
    /// Its certificate, shown to clients and to sites, and the authority whose certificates sites show.
    pub tls: tls::Files,
    /// Whose tokens count.
    pub identity: Identities,
    /// The sites, in the order in which answers name them.
    #[serde(rename = "site")]
    pub sites: Vec<Site>,
}

/// `[coordinator]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordinator {
    /// The name that clients read.
    #[serde(default = "default_name")]
    pub name: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The proxy through which sites are dialled, `http://host:port`; none where nothing is written.
    #[serde(default)]
    pub proxy: Option<String>,
    /// The file with its credentials, `user:password`.
    #[serde(default)]
    pub proxy_credentials: Option<PathBuf>,
    /// How long a question may take, all sites included; a caller can ask for less.
    #[serde(default = "default_deadline_ms")]
    pub deadline_ms: u64,
    /// Planner processes that are kept ready.
    #[serde(default = "default_planners")]
    pub planners: usize,
    /// Questions that `system.queries` remembers, over all callers.
    #[serde(default = "default_queries_kept")]
    pub queries_kept: usize,
    /// Bytes that one site's answers to one question may have.
    #[serde(default = "default_answer_bytes_max")]
    pub answer_bytes_max: usize,
    /// Rows that one site's answer, and the final one, may have.
    #[serde(default = "default_rows_max")]
    pub rows_max: usize,
    /// Connections at one time.
    #[serde(default = "default_connections")]
    pub connections: usize,
    /// Of them, those of one address.
    #[serde(default = "default_connections_per_address")]
    pub connections_per_address: usize,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, is not TOML, has unknown keys, or names one site twice.
    pub fn read(path: &Path) -> Result<Self, Unusable> {
        let mut config: Self = config::read(path)?;
        config.sound().map_err(|problem| Unusable::new(path, problem))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        config.tls = config.tls.within(folder);
        let mut files: Vec<&mut PathBuf> = config.coordinator.proxy_credentials.iter_mut().collect();
        for site in &mut config.sites {
            files.extend(&mut site.ca);
            files.extend(&mut site.crl);
            if let Way::Url { proxy: Some(Via::Proxy(proxy)), .. } = &mut site.way {
                files.extend(&mut proxy.credentials);
            }
        }
        for file in files {
            *file = folder.join(&file);
        }
        Ok(config)
    }

    /// Whether the coordinator can serve with its certificate, and show it to sites: call it before anybody is told that
    /// the coordinator is ready.
    ///
    /// # Errors
    /// Where a file of `[tls]` cannot be used, the certificate and its key do not belong together, or the certificate
    /// speaks for no coordinator.
    pub fn check_tls(&self) -> Result<(), tls::Error> {
        let material = self.tls.load()?;
        material.server()?;
        match material.identity()? {
            Identity::Coordinator(_) => Ok(()),
            named @ Identity::Site(_) => Err(tls::Error::new(
                format!(
                    "the certificate `{}` speaks for `{named}`, which is no coordinator",
                    self.tls.cert.display()
                ),
                "name a certificate for `liquid://coordinator/<name>` in `[tls]`",
            )),
        }
    }

    /// Whether a coordinator can work with it.
    fn sound(&self) -> Result<(), String> {
        if self.sites.is_empty() {
            return Err("no `[[site]]` is written; name at least one".to_owned());
        }
        for (at, site) in self.sites.iter().enumerate() {
            if self.sites.iter().take(at).any(|other| other.name == site.name) {
                return Err(format!("site `{}` is written twice; give each its own name", site.name));
            }
        }
        if self.coordinator.proxy.is_none() && self.coordinator.proxy_credentials.is_some() {
            return Err(
                "`coordinator.proxy_credentials` is for no proxy; write `proxy`, or remove it".to_owned()
            );
        }
        let Coordinator {
            deadline_ms,
            planners,
            answer_bytes_max,
            rows_max,
            connections,
            connections_per_address,
            ..
        } = self.coordinator;
        let limits = [
            ("deadline_ms", (1..=DEADLINE_MS_MAX).contains(&deadline_ms)),
            ("planners", (1..=PLANNERS_MAX).contains(&planners)),
            ("answer_bytes_max", answer_bytes_max > 0),
            ("rows_max", rows_max > 0),
            ("connections", connections > 0),
            ("connections_per_address", connections_per_address > 0),
        ];
        match limits.into_iter().find(|(_, in_order)| !in_order) {
            Some((key, _)) => Err(format!(
                "`coordinator.{key}` is out of range; write at least 1, at most {DEADLINE_MS_MAX} for `deadline_ms` \
                 and {PLANNERS_MAX} for `planners`, or leave it out"
            )),
            None => Ok(()),
        }
    }
}

/// A day.
const DEADLINE_MS_MAX: u64 = 86_400_000;
/// More planners than any machine needs.
const PLANNERS_MAX: usize = 256;

impl Coordinator {
    /// The defaults, at an address.
    pub fn listening_on(listen: SocketAddr) -> Self {
        Self {
            name: default_name(),
            listen,
            proxy: None,
            proxy_credentials: None,
            deadline_ms: default_deadline_ms(),
            planners: default_planners(),
            queries_kept: default_queries_kept(),
            answer_bytes_max: default_answer_bytes_max(),
            rows_max: default_rows_max(),
            connections: default_connections(),
            connections_per_address: default_connections_per_address(),
        }
    }

    /// How long a question may take.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

fn default_name() -> String {
    "liquid coordinator".to_owned()
}

fn default_deadline_ms() -> u64 {
    30_000
}

fn default_planners() -> usize {
    2
}

fn default_queries_kept() -> usize {
    1_000
}

fn default_answer_bytes_max() -> usize {
    64 << 20
}

fn default_connections() -> usize {
    tls::Limits::default().connections
}

fn default_connections_per_address() -> usize {
    tls::Limits::default().per_address
}

fn default_rows_max() -> usize {
    1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"
        [coordinator]
        listen = "127.0.0.1:50051"

        [tls]
        cert = "coordinator.pem"
        key = "coordinator.key"
        ca = "ca.pem"

        [[identity.issuer]]
        issuer = "https://login.example"
        audience = "heart-federation"
        public_key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

        [[site]]
        name = "cleveland"
        url = "https://cleveland.example:50052"

        [[site]]
        name = "budapest"
        url = "https://127.0.0.1:50053"
        server_name = "budapest.example"
        tables = ["cardiac"]
    "#;

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("coordinator.toml");
        std::fs::write(&file, text).unwrap();
        Config::read(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn the_sample_is_read_with_its_defaults() {
        let config = read(SAMPLE).unwrap();
        assert_eq!(config.coordinator.deadline(), Duration::from_secs(30));
        assert_eq!(config.sites.len(), 2);
        assert_eq!(config.sites[0].tables, None);
        let Way::Url { server_name, .. } = &config.sites[1].way else { panic!("{:?}", config.sites) };
        assert_eq!(server_name.as_deref(), Some("budapest.example"));
    }

    #[test]
    fn a_site_is_dialled_or_dials() {
        let url = "url = \"https://cleveland.example:50052\"";
        let config = read(&SAMPLE.replace(url, "connect = \"outbound\"")).unwrap();
        assert_eq!(config.sites[0].way, Way::Outbound);
        for (written, part) in [
            ("", "`cleveland` has no `url`"),
            ("connect = \"inbound\"", "inbound"),
            ("connect = \"outbound\"\nserver_name = \"a\"", "of no use"),
            ("connect = \"outbound\"\nproxy = \"http://a:1\"", "of no use"),
            (&format!("{url}\nproxy_credentials = \"a\""), "no proxy"),
            ("connect = \"outbound\"\nurl = \"https://a:1\"", "has a `url` and `connect`"),
        ] {
            let error = read(&SAMPLE.replace(url, written)).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn unknown_keys_doubles_and_zeros_are_errors_that_name_them() {
        let unknown = read(&SAMPLE.replace("listen =", "listenn =")).unwrap_err();
        assert!(unknown.contains("listenn"), "{unknown}");
        let double = read(&SAMPLE.replace("\"budapest\"", "\"cleveland\"")).unwrap_err();
        assert!(double.contains("`cleveland` is written twice"), "{double}");
        let zero = SAMPLE.replace("listen =", "deadline_ms = 0\nlisten =");
        assert!(read(&zero).unwrap_err().contains("`coordinator.deadline_ms` is out of range"));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("coordinator.toml");
        std::fs::write(&file, SAMPLE).unwrap();
        assert_eq!(Config::read(&file).unwrap().tls.key, folder.path().join("coordinator.key"));
    }
}
