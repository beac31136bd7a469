//! The configuration files of a folder, as an operator would write them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::{COORDINATOR, Folder};
use crate::blueprint::{Content, SitePlan};
use crate::issuer::Issuer;

impl Folder {
    /// A node's configuration.
    pub(super) fn node_toml(
        &self,
        plan: &SitePlan,
        listen: Option<SocketAddr>,
        coordinator: Option<SocketAddr>,
    ) -> String {
        let listen = listen.map(|address| format!("listen = \"{address}\"\n")).unwrap_or_default();
        let mut text = format!(
            "# The node of {site}. Paths are relative to this file.\n\
             [node]\nsite = \"{site}\"\norganisation = \"{organisation}\"\n{listen}\
             agreements = \"agreements\"\n\
             # Coordinators that may carry questions here, by the name in their certificate.\n\
             coordinators = [\"liquid://coordinator/{COORDINATOR}\"]\n\n\
             [tls]\ncert = \"certificate.pem\"\nkey = \"key.pem\"\nca = \"ca.pem\"\n\n\
             {connect}\n\
             [audit]\nlog = \"audit.jsonl\"\nkey = \"audit.key\"\n\n{issuer}",
            site = plan.site,
            organisation = plan.organisation,
            connect = connect_toml(coordinator),
            issuer = self.issuer_toml(),
        );
        text.push_str("\n# Whose signatures count on agreements.\n");
        for person in &self.people {
            let entry =
                toml::to_string(&BTreeMap::from([("trusted_key", [person.trusted()])])).unwrap_or_default();
            let _ = writeln!(text, "{entry}");
        }
        text.push_str("# The data. Only views.sql can name the sources, never a caller.\n");
        text.push_str("[engine]\nmodel = \"model.toml\"\nviews = \"views.sql\"\n");
        for source in &plan.sources {
            let path = match &source.content {
                Content::Bytes(_) => Path::new("data").join(&source.file),
                Content::File(path) => path.clone(),
            };
            let path = toml::Value::from(path.to_string_lossy().into_owned());
            let (name, format) = (toml::Value::from(source.name.as_str()), &source.format);
            let _ =
                write!(text, "\n[[engine.source]]\nname = {name}\npath = {path}\nformat = \"{format}\"\n");
            if let Some(null) = &source.null {
                let _ = writeln!(text, "null = {}", toml::Value::from(null.as_str()));
            }
            if let Some(delimiter) = source.delimiter {
                let _ = writeln!(text, "delimiter = {}", toml::Value::from(delimiter.to_string()));
            }
        }
        text
    }

    /// The coordinator's configuration. A site without an address dials.
    pub(super) fn coordinator_toml(
        &self,
        listen: SocketAddr,
        sites: &[(&SitePlan, Option<SocketAddr>)],
    ) -> String {
        let mut text = format!(
            "# The coordinator. Paths are relative to this file.\n\
             [coordinator]\nlisten = \"{listen}\"\n\n\
             [tls]\ncert = \"certificate.pem\"\nkey = \"key.pem\"\nca = \"ca.pem\"\n\n{}",
            self.issuer_toml()
        );
        text.push_str("\n# The sites, in the order in which answers name them.\n");
        for (plan, address) in sites {
            let way = match address {
                Some(address) => format!("url = \"https://{address}\""),
                None => "connect = \"outbound\"".to_owned(),
            };
            let _ = writeln!(text, "[[site]]\nname = \"{}\"\n{way}", plan.site);
            if let Some(tables) = &plan.tables {
                let tables: Vec<_> = tables.iter().map(|table| format!("\"{table}\"")).collect();
                let _ = writeln!(text, "tables = [{}]", tables.join(", "));
            }
            text.push('\n');
        }
        text
    }

    fn issuer_toml(&self) -> String {
        format!(
            "# Whose tokens count.\n[[identity.issuer]]\nissuer = \"{}\"\naudience = \"{}\"\npublic_key = \"{}\"\n",
            Issuer::NAME,
            Issuer::AUDIENCE,
            self.issuer.public_key()
        )
    }
}

/// Who dials.
fn connect_toml(coordinator: Option<SocketAddr>) -> String {
    let (what, hash, url) = match coordinator {
        Some(address) => {
            ("The node dials the coordinator, which asks it on that connection.", "", address.to_string())
        }
        None => (
            "The coordinator dials the port above. Behind a firewall the node dials instead, and `listen` can go; the coordinator \
             then\n# has `connect = \"outbound\"` in place of this site's `url`.",
            "# ",
            "localhost:7433".to_owned(),
        ),
    };
    format!(
        "# {what}\n{hash}[connect]\n{hash}mode = \"outbound\"\n{hash}[[connect.coordinator]]\n{hash}url = \"https://{url}\"\n"
    )
}
