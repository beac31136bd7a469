//! Speaking with sites, through a coordinator or directly, and telling what each of them made of it.

use std::collections::BTreeSet;
use std::time::Duration;

use liquid_local::client::Client;
use liquid_node_api::Error;
use liquid_node_api::governance::{Governance, Heard, SiteGovernance};
use liquid_policy::file::File;
use liquid_policy::id::{AgreementHash, SiteName};
use liquid_policy::life::{AgreementStatus, VersionStatus};
use liquid_policy::parse::{read, version_of};
use liquid_policy::spelling::nearest;
use liquid_policy::statement::{Act, Statement};
use liquid_policy::unseen::marked;
use tokio::time::timeout;

use crate::args::Reach;
use crate::failure::Failure;
use crate::reach::{self, Whose};
use crate::terminal::{Paint, note_wrapped as note};

/// How long somebody waits: a coordinator gives its nodes less.
const PATIENCE: Duration = Duration::from_secs(20);

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
        let told = self.hear(message).await?;
        told.say_who_is_silent();
        if told.answers.is_empty() {
            return Err(Failure::here("no site took it", "see above for each of them, and say it again"));
        }
        Ok(told)
    }

    /// The same without a word of those that do not answer, who may be all.
    ///
    /// # Errors
    /// Where the coordinator or the node that was asked says nothing, or nothing in time.
    pub(super) async fn hear(&mut self, message: &Governance) -> Result<Told, Failure> {
        let mut told = Told::default();
        let heard = timeout(PATIENCE, self.0.governance(message)).await.map_err(|_| {
            Error::fault(
                "no answer has come in time",
                true,
                "it may have been taken all the same, as `liquid policy status` shows; run it again, or ask each node directly with `--url`",
            )
        })?;
        for Heard { site, answer } in heard? {
            match answer {
                Ok(answer) => told.answers.push(shown(answer)),
                Err(why) => told.silent.push((marked(site.as_str()), marked(&why))),
            }
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

    /// The one version that is meant by a number or the first digits of a hash, once its text has been read here: somebody is about to
    /// sign its hash, and who carried the answer could have written another one beside the number.
    ///
    /// # Errors
    /// Where there is none, or several, or its text is another one.
    pub(super) async fn version(
        &mut self,
        status: &Told,
        id: &str,
        named: &str,
    ) -> Result<VersionStatus, Failure> {
        let version = status.version(id, named)?;
        self.text(id, version).await?;
        Ok(version.clone())
    }

    /// The text of a version, as its author wrote it.
    ///
    /// # Errors
    /// Where no site sends it, or another one in its place.
    pub(super) async fn text(&mut self, id: &str, version: &VersionStatus) -> Result<String, Failure> {
        let texts = self.status(vec![version.hash.clone()]).await?;
        texts.text(id, version)?.map(str::to_owned).ok_or_else(|| {
            Failure::here(
                format!("no site sent the text of version {} ({})", version.version, short(&version.hash)),
                "ask a node directly with `--url`; nothing was signed",
            )
        })
    }
}

/// What a coordinator carried, each text of it in one line in which everything can be seen; but for what is held against a hash, the
/// texts of agreements and statements.
fn shown(answer: SiteGovernance) -> SiteGovernance {
    fn clean(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = marked(text),
            serde_json::Value::Array(list) => list.iter_mut().for_each(clean),
            serde_json::Value::Object(object) => object.values_mut().for_each(clean),
            _ => {}
        }
    }
    let mut json = serde_json::to_value(&answer.agreements).unwrap_or_default();
    clean(&mut json);
    let agreements = serde_json::from_value(json).unwrap_or_default();
    SiteGovernance { agreements, site: SiteName::new(marked(answer.site.as_str())), ..answer }
}

/// What the sites answered.
#[derive(Default)]
pub(super) struct Told {
    pub(super) answers: Vec<SiteGovernance>,
    /// Sites that did not take it, and why.
    pub(super) silent: Vec<(String, String)>,
}

impl Told {
    /// Says which sites did not take it.
    pub(super) fn say_who_is_silent(&self) {
        for (site, why) in &self.silent {
            note(&format!("{} {site}: {why}", Paint::stderr().bad("not heard at")));
        }
    }

    /// Their names.
    pub(super) fn silent_sites(&self) -> String {
        let names: Vec<&str> = self.silent.iter().map(|(site, _)| site.as_str()).collect();
        names.join(", ")
    }

    /// An agreement that no site speaks of, with those that they do speak of.
    pub(super) fn unknown(&self, id: &str) -> Failure {
        let known: BTreeSet<&str> =
            self.answers.iter().flat_map(|it| &it.agreements).map(|it| it.id.as_str()).collect();
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let meant = nearest(id, &known).map(|it| format!("; did you mean `{it}`?")).unwrap_or_default();
        let fix = match known.is_empty() {
            true => "check its id and your token".to_owned(),
            false => format!("name one of these: {}", known.join(", ")),
        };
        Failure::here(
            format!("no site knows an agreement `{id}`{meant}"),
            format!("{fix}; an agreement is shown to its own parties alone, by their token"),
        )
    }

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
            [] if names.is_empty() => Err(self.unknown(id)),
            [] => Err(Failure::here(
                format!("no site holds a version `{named}` of `{id}`"),
                format!("name one of these: {}", names.join(", ")),
            )),
            _ => Err(Failure::here(
                format!("several versions of `{id}` are called `{named}`"),
                format!("name one by the first digits of its fingerprint: {}", names.join(", ")),
            )),
        }
    }

    /// What somebody types to mean a version: its number, or the first digits of its hash where another text bears that number.
    pub(super) fn called<'a>(&self, id: &str, version: &'a VersionStatus) -> &'a str {
        let is_alone = self.version(id, &version.version).is_ok_and(|it| it.hash == version.hash);
        if is_alone { &version.version } else { short(&version.hash) }
    }

    /// The text of a version where it was sent: the one with its hash, its number and the agreement's id.
    ///
    /// # Errors
    /// Where another text was sent in its place.
    pub(super) fn text(&self, id: &str, version: &VersionStatus) -> Result<Option<&str>, Failure> {
        let mut found = None;
        for text in self.answers.iter().filter_map(|answer| answer.texts.get(&version.hash)) {
            let says =
                |file: File| file.agreement.id.as_str() == id && file.agreement.version == version.version;
            if version_of(text).as_ref() != Some(&version.hash) || !read(text, "version").is_ok_and(says) {
                return Err(Failure::here(
                    format!(
                        "what was sent as version {} ({}) of `{id}` is another text",
                        version.version,
                        short(&version.hash)
                    ),
                    "ask a node directly with `--url`, and tell the coordinator's operator",
                ));
            }
            found = Some(text.as_str());
        }
        Ok(found)
    }

    /// What was said by which an agreement is suspended, with the site that says so: the statements themselves, each held against the
    /// hash by which it is lifted.
    ///
    /// # Errors
    /// Where one was not sent, or another one in its place.
    pub(super) fn suspensions(&self, id: &str) -> Result<Vec<(&SiteName, &Statement)>, Failure> {
        let mut found = Vec::new();
        for (answer, agreement) in self.agreement(id) {
            for suspension in &agreement.suspended {
                let of =
                    |act: &Act| matches!(act, Act::Suspend { id: suspended } if suspended.as_str() == id);
                let statement =
                    answer.statements.iter().find(|it| it.hash() == suspension.statement && of(&it.act));
                let statement = statement.ok_or_else(|| {
                    Failure::here(
                        format!(
                            "{} did not send what was said by which `{id}` is suspended, or sent something else",
                            answer.site
                        ),
                        "ask a node directly with `--url`, and tell the coordinator's operator; nothing was signed",
                    )
                })?;
                found.push((&answer.site, statement));
            }
        }
        Ok(found)
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
            format!("{} did not take it", self.silent_sites()),
            "run the same command again when they answer; what was taken is not taken twice",
        ))
    }
}

/// As much of a hash as people compare.
pub(super) fn short(hash: &AgreementHash) -> &str {
    hash.short()
}

#[cfg(test)]
mod tests {
    use liquid_policy::statement::{Signer, SigningKey};

    use super::*;

    fn text(id: &str, version: &str) -> String {
        include_str!("../../../../policies/examples/heart/agreement.toml")
            .replace("HRT-2026-01", id)
            .replace("version = \"1.0.0\"", &format!("version = \"{version}\""))
    }

    fn status(hash: &AgreementHash, version: &str) -> VersionStatus {
        serde_json::from_value(serde_json::json!({
            "hash": hash, "version": version, "supersedes": [], "placed": true, "said": [], "lacks": [],
            "activated": [], "tightens": false,
        }))
        .unwrap()
    }

    fn told(answer: SiteGovernance) -> Told {
        Told { answers: vec![answer], silent: vec![] }
    }

    fn nothing() -> SiteGovernance {
        SiteGovernance {
            site: "north".into(),
            agreements: vec![],
            statements: vec![],
            texts: std::collections::BTreeMap::new(),
            files: Default::default(),
        }
    }

    #[test]
    fn a_version_is_what_its_text_says() {
        let (one, two) = (text("A-1", "1.0.0"), text("A-1", "2.0.0"));
        let hash = |text: &str| version_of(text).unwrap();
        let sent = |as_hash: &AgreementHash, text: &str| {
            told(SiteGovernance { texts: [(as_hash.clone(), text.to_owned())].into(), ..nothing() })
        };
        let named = status(&hash(&two), "2.0.0");
        assert_eq!(sent(&hash(&two), &two).text("A-1", &named).unwrap(), Some(two.as_str()));
        assert_eq!(told(nothing()).text("A-1", &named).unwrap(), None);
        // Another text under the hash; the hash of another version beside the number; another agreement.
        assert!(sent(&hash(&two), &one).text("A-1", &named).is_err());
        assert!(sent(&hash(&one), &one).text("A-1", &status(&hash(&one), "2.0.0")).is_err());
        assert!(sent(&hash(&two), &two).text("A-2", &named).is_err());
    }

    #[test]
    fn who_lifts_a_suspension_has_seen_what_was_said() {
        let say = |act: Act, role: &str| {
            let time = "2026-03-01T12:00:00Z".parse().unwrap();
            let signer = Signer { organisation: "north".into(), role: role.into(), key_id: "k".into(), time };
            SigningKey::from_seed(&[1; 32]).unwrap().say(act, signer)
        };
        let suspend = || Act::Suspend { id: "A-1".into() };
        let (real, other) = (say(suspend(), "siro"), say(suspend(), "clerk"));
        let answer = |named: &Statement, sent: Vec<Statement>| {
            let suspended: liquid_policy::life::SaidBy = named.into();
            let agreement = AgreementStatus {
                id: "A-1".into(),
                title: String::new(),
                stands: None,
                suspended: vec![suspended],
                resuming: vec![],
                resume_lacks: vec![],
                lacks: vec![],
                parted: vec![],
                versions: vec![],
            };
            told(SiteGovernance { agreements: vec![agreement], statements: sent, ..nothing() })
        };
        let good = answer(&real, vec![other.clone(), real.clone()]);
        assert_eq!(good.suspensions("A-1").unwrap().first().unwrap().1, &real);
        let mut changed = real.clone();
        changed.role = "clerk".into();
        let resume = say(Act::Resume { id: "A-1".into(), suspensions: [].into() }, "siro");
        let of_another = say(Act::Suspend { id: "A-2".into() }, "siro");
        for (named, sent) in [
            (&real, vec![]),
            (&real, vec![other]),
            (&real, vec![changed]),
            (&resume, vec![resume.clone()]),
            (&of_another, vec![of_another.clone()]),
        ] {
            assert!(answer(named, sent.clone()).suspensions("A-1").is_err(), "{sent:?}");
        }
    }

    #[test]
    fn what_others_wrote_is_one_line_that_is_seen() {
        let mut agreement: AgreementStatus = serde_json::from_value(serde_json::json!({
            "id": "A-1", "title": "", "stands": null, "suspended": [], "versions": [],
        }))
        .unwrap();
        agreement.title = "a\n\u{1b}[8m\u{2066}b\u{200b}".to_owned();
        let answer =
            shown(SiteGovernance { site: "no\u{7}rth".into(), agreements: vec![agreement], ..nothing() });
        assert_eq!(answer.site.as_str(), "no[U+0007]rth");
        assert_eq!(answer.agreements.first().unwrap().title, "a [U+001B][8m[U+2066]b[U+200B]");
    }
}
