//! `[[site]]`: how a site is reached, and what it is expected to hold.

use std::path::PathBuf;

use liquid_node_api::tls::{self, Identity, Proxy, Target};
use liquid_policy::id::{SiteName, TableName};
use serde::Deserialize;

use super::Coordinator;

/// `[[site]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenSite")]
pub struct Site {
    /// Its name: what `site` holds for its rows.
    pub name: SiteName,
    /// How it is reached.
    pub way: Way,
    /// The authority from which its certificate must descend, PEM; that of `[tls]` where nothing is written. Where the site
    /// dials, `[tls]` names it too.
    pub ca: Option<PathBuf>,
    /// That authority's list of revoked certificates, PEM.
    pub crl: Option<PathBuf>,
    /// The tables that it is expected to hold; every table where nothing is written. A site that is expected to hold a
    /// table and does not answer for it is missing.
    pub tables: Option<Vec<TableName>>,
}

/// How a site is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// We dial its port.
    Url {
        /// Where it listens, `https://host:port`.
        url: String,
        /// The name in its certificate, where that is not the URL's host.
        server_name: Option<String>,
        /// Through what; as the coordinator dials all sites where nothing is written.
        proxy: Option<Via>,
    },
    /// It dials us.
    Outbound,
}

/// Through what a site is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Nothing, whatever is written for all sites.
    Direct,
    /// A proxy.
    Proxy(WrittenProxy),
}

/// A proxy as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenProxy {
    /// `http://host:port`.
    pub url: String,
    /// The file with its credentials, `user:password`.
    pub credentials: Option<PathBuf>,
}

/// A site as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSite {
    name: SiteName,
    url: Option<String>,
    server_name: Option<String>,
    connect: Option<WrittenWay>,
    proxy: Option<String>,
    proxy_credentials: Option<PathBuf>,
    ca: Option<PathBuf>,
    crl: Option<PathBuf>,
    tables: Option<Vec<TableName>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenWay {
    Outbound,
}

/// What a site's `proxy` is where it is dialled without the one for all.
const DIRECT: &str = "direct";

impl TryFrom<WrittenSite> for Site {
    type Error = String;

    fn try_from(written: WrittenSite) -> Result<Self, String> {
        let WrittenSite { name, url, server_name, connect, proxy, proxy_credentials, ca, crl, tables } =
            written;
        if ca.is_none() && crl.is_some() {
            return Err(format!("`crl` of site `{name}` is for no authority; write `ca`, or remove it"));
        }
        let proxy = match (proxy, proxy_credentials) {
            (None, Some(_)) => {
                return Err(format!(
                    "`proxy_credentials` of site `{name}` is for no proxy; write `proxy`, or remove it"
                ));
            }
            (None, None) => None,
            (Some(url), None) if url == DIRECT => Some(Via::Direct),
            (Some(url), credentials) => Some(Via::Proxy(WrittenProxy { url, credentials })),
        };
        let way = match (url, connect) {
            (Some(url), None) => Way::Url { url, server_name, proxy },
            (None, Some(WrittenWay::Outbound)) if server_name.is_none() && proxy.is_none() => Way::Outbound,
            (None, Some(WrittenWay::Outbound)) => {
                return Err(format!(
                    "site `{name}` dials us, so its `server_name` or `proxy` is of no use; remove it"
                ));
            }
            (Some(_), Some(_)) => {
                return Err(format!(
                    "site `{name}` has a `url` and `connect`; write the one by which it is reached"
                ));
            }
            (None, None) => {
                return Err(format!(
                    "site `{name}` has no `url`; write it, or `connect = \"outbound\"` if its node dials this coordinator"
                ));
            }
        };
        Ok(Self { name, way, ca, crl, tables })
    }
}

impl Site {
    /// How it is dialled, if it is: its address and what lies between, which is the coordinator's own proxy where it has none.
    ///
    /// # Errors
    /// Where a proxy cannot be used.
    pub fn target(&self, coordinator: &Coordinator) -> Result<Option<Target>, tls::Error> {
        let Way::Url { url, server_name, proxy } = &self.way else { return Ok(None) };
        let proxy = match proxy {
            Some(Via::Direct) => None,
            Some(Via::Proxy(proxy)) => Some(Proxy::new(&proxy.url, proxy.credentials.as_deref())?),
            None => {
                let credentials = coordinator.proxy_credentials.as_deref();
                coordinator.proxy.as_ref().map(|url| Proxy::new(url, credentials)).transpose()?
            }
        };
        let identity = Some(Identity::Site(self.name.clone()));
        Ok(Some(Target { url: url.clone(), server_name: server_name.clone(), identity, proxy }))
    }
}
