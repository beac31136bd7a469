//! Writes a federation's folder: what each part needs to run, laid out as an operator would.
//!
//! ```text
//! ca.pem                      the authority that everyone trusts
//! tokens/ORGANISATION.ROLE    a token for each recipient role of the agreements
//! tokens/board/ORGANISATION   a token with which the people of each controller ask how its agreements stand
//! keys/ORGANISATION.key       the key with which each controller signs, one a role where an agreement names roles
//! keys/authority.key, issuer.key   where they are kept: what more certificates and tokens are made with
//! coordinator/                coordinator.toml, certificate, key
//! sites/SITE/                 node.toml, certificate, key, audit key, agreements/, model.toml, views.sql, data
//! ```

mod configs;
mod signers;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use liquid_policy::document::Agreement;
use liquid_policy::id::{OrganisationName, SiteName};
use liquid_policy::parse::parse_beside;
use liquid_policy::signature::SignatureFile;

use crate::Error;
use crate::authority::{Authority, Identity};
use crate::blueprint::{Blueprint, Content, SitePlan};
use crate::connection::Tokens;
use crate::issuer::{Claims, Issuer};
use crate::keys::{self, Key, write_secret};
use signers::{Person, people, sign_off};

/// Days for which the tokens of a federation on one machine are good.
pub const TOKEN_DAYS: i64 = 7;
/// Below the folder: a token for the people of each controller.
pub const BOARD_TOKENS: &str = "tokens/board";
/// Below the folder: the keys with which controllers' people sign.
pub const KEYS: &str = "keys";
/// Seconds of a day.
pub const DAY_SECONDS: i64 = 24 * 3600;
/// The name in the coordinator's certificate.
const COORDINATOR: &str = "local";

/// A folder in the making, with the secrets that are needed to make the rest of it.
pub struct Folder {
    root: PathBuf,
    authority: Authority,
    issuer: Issuer,
    /// Each once, with its text, in the order in which the sites name them.
    agreements: Vec<(String, Agreement)>,
    /// Whoever signs them.
    people: Vec<Person>,
}

/// One site's part of the folder.
#[derive(Debug, Clone)]
pub struct SiteFolder {
    /// The site.
    pub site: SiteName,
    /// Its folder.
    pub folder: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// Its audit log, which the node makes.
    pub audit_log: PathBuf,
    /// The public key of that log.
    pub audit_key: String,
}

impl Folder {
    /// Begins a folder: authority, keys, tokens.
    ///
    /// # Errors
    /// Where an agreement is none, or something cannot be written.
    pub fn begin(root: &Path, blueprint: &Blueprint) -> Result<Self, Error> {
        let mut agreements: Vec<(String, Agreement)> = Vec::new();
        for (site, text) in
            blueprint.sites.iter().flat_map(|it| it.agreements.iter().map(move |text| (it, text)))
        {
            if agreements.iter().all(|(known, _)| known != text) {
                let agreement = parse_beside(text, "agreement.toml", &|name, _| {
                    let file = site.beside.iter().find(|file| file.name == name);
                    file.map(|file| file.text.clone().into_bytes())
                        .ok_or_else(|| "it is not there".to_owned())
                });
                let agreement = agreement.map_err(|error| {
                    let problems: Vec<String> = error.problems().map(ToString::to_string).collect();
                    Error::Agreement(problems.join("; "))
                })?;
                agreements.push((text.clone(), agreement));
            }
        }
        let people = people(agreements.iter().map(|(_, agreement)| agreement))?;
        let authority = Authority::new(&authority_name(&blueprint.name))?;
        let folder = Self { root: root.to_owned(), authority, issuer: Issuer::new()?, agreements, people };
        write(&folder.ca(), folder.authority.certificate().as_bytes())?;
        for person in &folder.people {
            let file = root.join(person.file());
            write_secret(&file, &person.key.private)?;
            write(&keys::card_of(&file), keys::card(&person.trusted()).as_bytes())?;
        }
        for party in folder.agreements().flat_map(Agreement::controllers) {
            let token = folder.board_token(party)?;
            write_secret(&root.join(BOARD_TOKENS).join(party.as_str()), token.as_bytes())?;
        }
        for (role, token) in folder.tokens()?.iter() {
            write_secret(&folder.token_file(role), token.as_bytes())?;
        }
        Ok(folder)
    }

    /// Keeps the keys of the authority and of the token issuer, so that more certificates and tokens can be made.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn keep_secrets(&self) -> Result<(), Error> {
        write_secret(&self.root.join("keys/authority.key"), self.authority.key().as_bytes())?;
        write_secret(&self.root.join("keys/issuer.key"), self.issuer.private_key())
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.root.join("ca.pem")
    }

    /// Where the tokens lie.
    pub fn token_folder(&self) -> PathBuf {
        self.root.join("tokens")
    }

    /// Where the token of one role lies, `organisation/role`.
    pub fn token_file(&self, role: &str) -> PathBuf {
        self.token_folder().join(role.replace('/', "."))
    }

    /// The issuer of tokens, for tests that need others than those of the recipients.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The agreements.
    pub fn agreements(&self) -> impl Iterator<Item = &Agreement> {
        self.agreements.iter().map(|(_, agreement)| agreement)
    }

    /// The agreements that a site holds.
    pub fn held_by(&self, plan: &SitePlan) -> impl Iterator<Item = &Agreement> {
        let held = self.agreements.iter().filter(|(text, _)| plan.agreements.contains(text));
        held.map(|(_, agreement)| agreement)
    }

    /// A token for each recipient role.
    ///
    /// # Errors
    /// Where one cannot be made.
    pub fn tokens(&self) -> Result<Tokens, Error> {
        let mut purposes: Vec<((String, String), Vec<String>)> = Vec::new();
        for recipient in self.agreements().flat_map(Agreement::recipients) {
            for role in &recipient.roles {
                let who = (recipient.organisation.to_string(), role.to_string());
                let named = recipient.purposes.iter().map(ToString::to_string);
                match purposes.iter_mut().find(|(it, _)| *it == who) {
                    Some((_, known)) => known.extend(named),
                    None => purposes.push((who, named.collect())),
                }
            }
        }
        let mut tokens = Tokens::default();
        for ((organisation, role), mut purposes) in purposes {
            purposes.sort();
            purposes.dedup();
            let name = format!("{organisation}/{role}");
            let claims =
                Claims { organisation, roles: vec![role], purposes, seconds: TOKEN_DAYS * DAY_SECONDS };
            tokens.add(name, self.issuer.token(&claims)?);
        }
        Ok(tokens)
    }

    /// Writes a site's folder: a port to listen on, a coordinator to dial, or both.
    ///
    /// # Errors
    /// Where something cannot be written.
    pub fn site(
        &self,
        plan: &SitePlan,
        listen: Option<SocketAddr>,
        coordinator: Option<SocketAddr>,
    ) -> Result<SiteFolder, Error> {
        let folder = self.root.join(format!("sites/{}", plan.site));
        let identity = self.authority.issue(plan.site.as_str(), &format!("liquid://site/{}", plan.site))?;
        self.identity(&folder, &identity)?;
        let audit = Key::generate()?;
        write_secret(&folder.join("audit.key"), &audit.private)?;
        write(&folder.join("audit.pub"), format!("{}\n", audit.public).as_bytes())?;
        write(&folder.join("model.toml"), plan.model.as_bytes())?;
        write(&folder.join("views.sql"), plan.views.as_bytes())?;
        for source in &plan.sources {
            if let Content::Bytes(bytes) = source.content {
                write(&folder.join("data").join(&source.file), bytes)?;
            }
        }
        for file in &plan.beside {
            write(&folder.join("agreements").join(&file.name), file.text.as_bytes())?;
        }
        for (text, agreement) in self.agreements.iter().filter(|(text, _)| plan.agreements.contains(text)) {
            self.agreement(&folder.join("agreements"), agreement, text)?;
        }
        let config = folder.join("node.toml");
        write(&config, self.node_toml(plan, listen, coordinator).as_bytes())?;
        let audit_log = folder.join("audit.jsonl");
        Ok(SiteFolder { site: plan.site.clone(), folder, config, audit_log, audit_key: audit.public })
    }

    /// Writes the coordinator's folder and returns its configuration. A site without an address dials.
    ///
    /// # Errors
    /// Where something cannot be written.
    pub fn coordinator(
        &self,
        listen: SocketAddr,
        sites: &[(&SitePlan, Option<SocketAddr>)],
    ) -> Result<PathBuf, Error> {
        let folder = self.root.join("coordinator");
        let identity = self.authority.issue("coordinator", &format!("liquid://coordinator/{COORDINATOR}"))?;
        self.identity(&folder, &identity)?;
        let config = folder.join("coordinator.toml");
        write(&config, self.coordinator_toml(listen, sites).as_bytes())?;
        Ok(config)
    }

    /// The agreement, signed off.
    fn agreement(&self, folder: &Path, agreement: &Agreement, text: &str) -> Result<(), Error> {
        let signatures = SignatureFile { signatures: sign_off(agreement, &self.people)? };
        let id = agreement.id();
        write(&folder.join(format!("{id}.toml")), text.as_bytes())?;
        write(&folder.join(format!("{id}.sig.toml")), signatures.to_string().as_bytes())
    }

    /// A token with which a party's people ask how its agreements stand; it opens no data.
    fn board_token(&self, party: &OrganisationName) -> Result<String, Error> {
        let seconds = TOKEN_DAYS * DAY_SECONDS;
        let roles = vec!["board".to_owned()];
        self.issuer.token(&Claims { organisation: party.to_string(), roles, purposes: vec![], seconds })
    }

    fn identity(&self, folder: &Path, identity: &Identity) -> Result<(), Error> {
        write_identity(folder, identity)?;
        write(&folder.join("ca.pem"), self.authority.certificate().as_bytes())
    }
}

/// The name in the authority's certificate.
pub(crate) fn authority_name(federation: &str) -> String {
    format!("{federation} development authority")
}

pub(crate) fn write_identity(folder: &Path, identity: &Identity) -> Result<(), Error> {
    write(&folder.join("certificate.pem"), identity.certificate.as_bytes())?;
    write_secret(&folder.join("key.pem"), identity.key.as_bytes())
}

pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(Error::writing(folder))?;
    }
    fs::write(file, bytes).map_err(Error::writing(file))
}
