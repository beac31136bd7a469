//! A federation that runs on this machine, and what can be done to it: ask it, stop a site, kill one, bring it back.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use liquid_policy::id::SiteName;

use crate::Error;
use crate::blueprint::{Blueprint, Connect, SitePlan};
use crate::client::Client;
use crate::connection::{Connection, SiteConnection};
use crate::folder::{Folder, SiteFolder};
use crate::part::{Kind, Part};
use crate::passing::Passing;

/// Any free port of this machine.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How the parts run.
#[derive(Debug, Clone)]
pub enum Run {
    /// Each part as a process of this binary, engines as processes of their own below it.
    Processes(PathBuf),
    /// All of them in this process, engines too. They still talk over TLS on loopback.
    InProcess,
}

/// A running federation. Dropping it ends every part and removes its folder.
pub struct Federation {
    run: Run,
    connection: Connection,
    coordinator: Option<Part>,
    coordinator_config: PathBuf,
    sites: Vec<Site>,
    folder: Folder,
    root: Passing, // last: the parts end before their folder goes
}

struct Site {
    folder: SiteFolder,
    listen: Option<SocketAddr>,
    part: Option<Part>,
}

/// A site's audit log.
#[derive(Debug, Clone)]
pub struct AuditLog {
    /// The site.
    pub site: SiteName,
    /// The file.
    pub path: PathBuf,
    /// The public key of the node that writes it.
    pub key: String,
}

impl Federation {
    /// Writes the folder, starts the nodes that are dialled, the coordinator, then the nodes that dial it, and waits until all
    /// are ready.
    ///
    /// # Errors
    /// Where a part does not start; the others are ended. The folder stays if the error names a log in it.
    pub async fn start(blueprint: &Blueprint, run: Run) -> Result<Self, Error> {
        let mut root = Passing::make()?;
        let started = Started::start(root.path(), blueprint, &run).await;
        if matches!(started, Err(Error::Start { .. })) {
            root.keep();
        }
        let Started { connection, coordinator, coordinator_config, sites, folder } = started?;
        Ok(Self { run, connection, coordinator: Some(coordinator), coordinator_config, sites, folder, root })
    }

    /// Addresses, certificate, tokens.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The folder in which everything of this federation lies.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The folder, for tokens and certificates beside those of the connection.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// A client of the coordinator, as `organisation/role` or as the first recipient that an agreement names.
    ///
    /// # Errors
    /// Where there is no such role.
    pub fn client(&self, role: Option<&str>) -> Result<Client, Error> {
        self.client_of(&self.connection.coordinator, role)
    }

    /// A client of one site's node, past the coordinator.
    ///
    /// # Errors
    /// Where there is no such site with a port, or no such role.
    pub fn site_client(&self, site: &str, role: Option<&str>) -> Result<Client, Error> {
        let url = self.connection.sites.iter().find(|it| it.name == site).and_then(|it| it.url.as_deref());
        self.client_of(url.ok_or_else(|| Error::NoSuchSite(site.to_owned()))?, role)
    }

    fn client_of(&self, url: &str, role: Option<&str>) -> Result<Client, Error> {
        let tokens = &self.connection.tokens;
        let token = match role {
            Some(role) => tokens.get(role),
            None => tokens.first().map(|(_, token)| token),
        };
        let token =
            token.ok_or_else(|| Error::Part("no agreement names this role as a recipient".to_owned()))?;
        Client::new(url, &self.connection.ca, token).map_err(|error| Error::Part(error.to_string()))
    }

    /// Where each site's audit log lies, running or not.
    pub fn audit_logs(&self) -> Vec<AuditLog> {
        self.sites
            .iter()
            .map(|Site { folder, .. }| AuditLog {
                site: folder.site.clone(),
                path: folder.audit_log.clone(),
                key: folder.audit_key.clone(),
            })
            .collect()
    }

    /// Ends one site's node as an operator would.
    ///
    /// # Errors
    /// Where no such site runs.
    pub async fn stop_site(&mut self, site: &str) -> Result<(), Error> {
        self.take_site(site)?.stop().await;
        Ok(())
    }

    /// Ends one site's node as a power cut would.
    ///
    /// # Errors
    /// Where no such site runs.
    pub async fn kill_site(&mut self, site: &str) -> Result<(), Error> {
        self.take_site(site)?.kill().await;
        Ok(())
    }

    /// Starts a site's node again, on the port that it had.
    ///
    /// # Errors
    /// Where there is no such site, or it does not start.
    pub async fn start_site(&mut self, site: &str) -> Result<(), Error> {
        let run = self.run.clone();
        let found = self.sites.iter_mut().find(|it| it.folder.site.as_str() == site);
        let found = found.ok_or_else(|| Error::NoSuchSite(site.to_owned()))?;
        found.part = Some(Part::start(&run, Kind::Node, site, &found.folder.config).await?);
        Ok(())
    }

    /// Ends the coordinator as a power cut would.
    pub async fn kill_coordinator(&mut self) {
        if let Some(part) = self.coordinator.take() {
            part.kill().await;
        }
    }

    /// Starts the coordinator again, on the port that it had.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn start_coordinator(&mut self) -> Result<(), Error> {
        self.kill_coordinator().await;
        let part = Part::start(&self.run, Kind::Coordinator, "coordinator", &self.coordinator_config).await?;
        self.coordinator = Some(part);
        Ok(())
    }

    /// Ends every part in good order: the coordinator first, so that no site is asked any more.
    pub async fn stop(&mut self) {
        if let Some(part) = self.coordinator.take() {
            part.stop().await;
        }
        let parts = self.sites.iter_mut().filter_map(|site| site.part.take());
        futures::future::join_all(parts.map(Part::stop)).await;
    }

    fn take_site(&mut self, site: &str) -> Result<Part, Error> {
        let found = self.sites.iter_mut().find(|it| it.folder.site.as_str() == site);
        found.and_then(|site| site.part.take()).ok_or_else(|| Error::NoSuchSite(site.to_owned()))
    }
}

/// Every part, started in a folder.
struct Started {
    connection: Connection,
    coordinator: Part,
    coordinator_config: PathBuf,
    sites: Vec<Site>,
    folder: Folder,
}

impl Started {
    async fn start(root: &Path, blueprint: &Blueprint, run: &Run) -> Result<Self, Error> {
        let folder = Folder::begin(root, blueprint)?;
        let mut sites = start_sites(run, &folder, blueprint, None).await?;
        let addresses: Vec<_> = blueprint.sites.iter().map(|plan| (plan, listen(&sites, plan))).collect();
        let coordinator_config = folder.coordinator(ANY_PORT, &addresses)?;
        let coordinator = Part::start(run, Kind::Coordinator, "coordinator", &coordinator_config).await?;
        let Some(address) = coordinator.listen() else {
            return Err(Error::Part("the coordinator has no port".to_owned()));
        };
        keep_port(&coordinator_config, address)?;
        sites.extend(start_sites(run, &folder, blueprint, Some(address)).await?);
        let site = |plan: &SitePlan| SiteConnection {
            name: plan.site.to_string(),
            organisation: plan.organisation.to_string(),
            url: listen(&sites, plan).map(url),
            agreements: folder.held_by(plan).map(|agreement| agreement.id().to_string()).collect(),
        };
        let connection = Connection {
            coordinator: url(address),
            ca: folder.ca(),
            tokens: folder.tokens()?,
            sites: blueprint.sites.iter().map(site).collect(),
        };
        let place = |site: &Site| blueprint.sites.iter().position(|plan| plan.site == site.folder.site);
        sites.sort_by_key(place);
        Ok(Self { connection, coordinator, coordinator_config, sites, folder })
    }
}

/// Writes and starts the sites that dial this coordinator, or those that are dialled where there is none yet.
async fn start_sites(
    run: &Run,
    folder: &Folder,
    blueprint: &Blueprint,
    coordinator: Option<SocketAddr>,
) -> Result<Vec<Site>, Error> {
    let mut written = Vec::new();
    for plan in &blueprint.sites {
        let port = match (plan.connect, coordinator) {
            (Connect::Inbound, None) | (Connect::Outbound { port: true }, Some(_)) => Some(ANY_PORT),
            (Connect::Outbound { port: false }, Some(_)) => None,
            _ => continue,
        };
        written.push(folder.site(plan, port, coordinator)?);
    }
    let starts = written.iter().map(|site| Part::start(run, Kind::Node, site.site.as_str(), &site.config));
    let parts = futures::future::try_join_all(starts).await?;
    let mut sites = Vec::new();
    for (folder, part) in written.into_iter().zip(parts) {
        if let Some(listen) = part.listen() {
            keep_port(&folder.config, listen)?;
        }
        sites.push(Site { listen: part.listen(), folder, part: Some(part) });
    }
    Ok(sites)
}

/// Where a site listens, if it does.
fn listen(sites: &[Site], plan: &SitePlan) -> Option<SocketAddr> {
    sites.iter().find(|site| site.folder.site == plan.site).and_then(|site| site.listen)
}

fn url(address: SocketAddr) -> String {
    format!("grpc+tls://{address}")
}

/// Writes the port that a part was given into its configuration, so that it comes back where others look for it.
fn keep_port(config: &Path, listen: SocketAddr) -> Result<(), Error> {
    let text = std::fs::read_to_string(config).map_err(Error::reading(config))?;
    std::fs::write(config, text.replace(&ANY_PORT.to_string(), &listen.to_string()))
        .map_err(Error::writing(config))
}
