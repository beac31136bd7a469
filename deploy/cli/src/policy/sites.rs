//! Speaking with sites, through a coordinator or directly, and telling what each of them made of it.

use liquid_local::client::Client;
use liquid_node_api::governance::{Governance, Heard, SiteGovernance};
use liquid_policy::id::AgreementHash;
use liquid_policy::life::{AgreementStatus, VersionStatus};
use liquid_policy::statement::Statement;

use crate::args::Reach;
use crate::failure::Failure;
use crate::reach::{self, Whose};
use crate::terminal::{Paint, note};

/// A way to the sites.
pub(super) struct Sites(Client);

impl Sites {
    /// Opens it. With the demo on this machine, `organisation` has a token there.
    ///
    /// # Errors
    /// Where something to reach them with is not known.
    pub(super) async fn reach(way: &Reach, organisation: Option<&str>) -> Result<Self, Failure> {
        Ok(Self(reach::client(way, Whose::Board(organisation)).await?))
    }

    /// Says something, and gives back what each site answers. One that does not is told of here.
    ///
    /// # Errors
    /// Where nobody answers.
    pub(super) async fn tell(&mut self, message: &Governance) -> Result<Told, Failure> {
        let mut told = Told::default();
        for Heard { site, answer } in self.0.governance(message).await? {
            match answer {
                Ok(answer) => told.answers.push(shown(answer)),
                Err(why) => {
                    note(&format!("{} {site}: {why}", Paint::stderr().bad("not heard at")));
                    told.silent.push(site.to_string());
                }
            }
        }
        if told.answers.is_empty() {
            return Err(Failure::here("no site took it", "see above for each of them, and say it again"));
        }
        Ok(told)
    }

    /// Says what was signed.
    ///
    /// # Errors
    /// As [`Self::tell`].
    pub(super) async fn say(&mut self, statement: Statement) -> Result<Told, Failure> {
        self.tell(&Governance::Say { statements: vec![statement] }).await
    }

    /// How things stand.
    ///
    /// # Errors
    /// As [`Self::tell`].
    pub(super) async fn status(&mut self, texts: Vec<AgreementHash>) -> Result<Told, Failure> {
        self.tell(&Governance::Status { texts, files: vec![] }).await
    }

    /// The content of a file beside an agreement, whichever site has it.
    ///
    /// # Errors
    /// As [`Self::tell`].
    pub(super) async fn file(&mut self, sha256: &str) -> Result<Option<String>, Failure> {
        let wanted = Governance::Status { texts: vec![], files: vec![sha256.to_owned()] };
        let told = self.tell(&wanted).await?;
        // A coordinator carried it: it is what its hash says, or nothing.
        let mut found = told.answers.into_iter().filter_map(|mut answer| answer.files.remove(sha256));
        Ok(found.find(|text| liquid_node::agreements::hash(text.as_bytes()) == sha256))
    }
}

/// What a coordinator carried, fit for a terminal: no control characters outside the texts of agreements, which are saved and
/// not shown.
fn shown(answer: SiteGovernance) -> SiteGovernance {
    fn clean(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                let plain =
                    |c: char| if c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) { ' ' } else { c };
                *text = text.chars().map(plain).collect();
            }
            serde_json::Value::Array(list) => list.iter_mut().for_each(clean),
            serde_json::Value::Object(object) => object.values_mut().for_each(clean),
            _ => {}
        }
    }
    let mut json = serde_json::to_value(&answer.agreements).unwrap_or_default();
    clean(&mut json);
    let agreements = serde_json::from_value(json).unwrap_or_default();
    SiteGovernance { agreements, ..answer }
}

/// What the sites answered.
#[derive(Default)]
pub(super) struct Told {
    pub(super) answers: Vec<SiteGovernance>,
    /// Sites that did not take it.
    pub(super) silent: Vec<String>,
}

impl Told {
    /// What every site says of one agreement.
    pub(super) fn agreement(&self, id: &str) -> impl Iterator<Item = (&SiteGovernance, &AgreementStatus)> {
        self.answers.iter().flat_map(move |answer| {
            answer.agreements.iter().filter(move |it| it.id.as_str() == id).map(move |it| (answer, it))
        })
    }

    /// The one version that is meant by a number or the first digits of a hash.
    ///
    /// # Errors
    /// Where there is none, or several.
    pub(super) fn version(&self, id: &str, named: &str) -> Result<&VersionStatus, Failure> {
        let mut known: Vec<&VersionStatus> = self.agreement(id).flat_map(|(_, it)| &it.versions).collect();
        known.sort_by(|a, b| (&a.version, &a.hash).cmp(&(&b.version, &b.hash)));
        known.dedup_by(|a, b| a.hash == b.hash);
        let names: Vec<String> =
            known.iter().map(|it| format!("{} ({})", it.version, short(&it.hash))).collect();
        let meant = |it: &&&VersionStatus| {
            it.version == named || (named.len() >= 6 && it.hash.as_str().starts_with(named))
        };
        match known.iter().filter(meant).collect::<Vec<_>>().as_slice() {
            [one] => Ok(one),
            [] if names.is_empty() => Err(unknown(id)),
            [] => Err(Failure::here(
                format!("no site holds a version `{named}` of `{id}`"),
                format!("name one of these: {}", names.join(", ")),
            )),
            _ => Err(Failure::here(
                format!("several versions of `{id}` are called `{named}`"),
                format!("name one by the first digits of its hash: {}", names.join(", ")),
            )),
        }
    }

    /// Says where it was taken, or fails where a site did not take it.
    ///
    /// # Errors
    /// Where one did not.
    pub(super) fn everywhere(&self, what: &str) -> Result<(), Failure> {
        let sites: Vec<&str> = self.answers.iter().map(|answer| answer.site.as_str()).collect();
        note(&format!("{what} at {}", sites.join(", ")));
        if self.silent.is_empty() {
            return Ok(());
        }
        Err(Failure::here(
            format!("{} did not take it", self.silent.join(", ")),
            "run the same command again when they answer; what was taken is not taken twice",
        ))
    }
}

/// An agreement that no site speaks of.
pub(super) fn unknown(id: &str) -> Failure {
    Failure::here(
        format!("no site tells you of an agreement `{id}`"),
        "check its id with `liquid policy status`; it is shown to the agreement's parties alone, by their token",
    )
}

/// As much of a hash as people compare.
pub(super) fn short(hash: &AgreementHash) -> &str {
    hash.as_str().get(..12).unwrap_or(hash.as_str())
}
