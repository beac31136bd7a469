//! How the versions of an agreement that sites hold replace each other: what stands, what is still open, and whether another version
//! leads on from there or goes a way of its own.
//!
//! A version names those that it replaces. Where several have taken their place and none of them replaces the others, nothing is
//! answered until a version that names them all is signed and activated. So whoever proposes, activates or signs one is told before.

use std::collections::BTreeSet;

use liquid_policy::id::AgreementHash;
use liquid_policy::life::{AgreementStatus, VersionStatus};

use super::sites::{Told, short};
use crate::failure::Failure;

type Hashes<'a> = BTreeSet<&'a AgreementHash>;

/// What stands at a site: several versions where ways part.
pub(super) fn ends(held: &AgreementStatus) -> Hashes<'_> {
    held.parted.iter().chain(&held.stands).collect()
}

/// Some versions and all those to which one comes from there by the names of what they replace, as far as a site holds them.
fn down<'a>(held: &'a AgreementStatus, from: impl IntoIterator<Item = &'a AgreementHash>) -> Hashes<'a> {
    let mut found = BTreeSet::new();
    let mut to_look: Vec<&AgreementHash> = from.into_iter().collect();
    while let Some(hash) = to_look.pop() {
        // What is sent could lead in a circle.
        if found.insert(hash) {
            to_look.extend(named(held, hash));
        }
    }
    found
}

/// What a version names as replaced.
fn named<'a>(held: &'a AgreementStatus, hash: &AgreementHash) -> impl Iterator<Item = &'a AgreementHash> {
    held.versions.iter().find(|it| it.hash == *hash).into_iter().flat_map(|it| &it.supersedes)
}

/// What some versions replace.
fn left<'a>(held: &'a AgreementStatus, by: &Hashes<'a>) -> Hashes<'a> {
    down(held, by.iter().flat_map(|hash| named(held, hash)))
}

/// Whether what stands at a site replaces a version.
pub(super) fn is_replaced(held: &AgreementStatus, version: &AgreementHash) -> bool {
    left(held, &ends(held)).contains(version)
}

/// Whether a version stands at a site, has stood there, or replaces one that does or has: nothing else takes over there, but where nothing
/// stands.
pub(super) fn leads_on(held: &AgreementStatus, version: &VersionStatus) -> bool {
    let known = down(held, ends(held));
    known.is_empty() || known.contains(&version.hash) || !down(held, &version.supersedes).is_disjoint(&known)
}

/// Whether what stands has replaced a version at all sites.
pub(super) fn is_past(told: &Told, id: &str, version: &VersionStatus) -> bool {
    let mut views = told.agreement(id).peekable();
    views.peek().is_some() && views.all(|(_, held)| is_replaced(held, &version.hash))
}

/// What a version leaves beside it, and how it would replace that.
pub(super) struct Parting {
    /// What is wrong.
    pub(super) problem: String,
    /// What to do.
    pub(super) fix: String,
}

impl From<Parting> for Failure {
    fn from(Parting { problem, fix }: Parting) -> Self {
        Self::here(problem, fix)
    }
}

/// What to say of a version before anything depends on it: much can change until all have signed it, so this stops nobody.
pub(super) fn warnings(told: &Told, id: &str, version: &VersionStatus) -> Vec<String> {
    match parting(told, id, version, true) {
        Some(Parting { problem, fix }) => vec![format!("{problem}; {fix}")],
        None if is_past(told, id, version) => {
            vec![format!("version {} is replaced already, so it does not take over", version.version)]
        }
        None => Vec::new(),
    }
}

/// Where a version would stand beside another one: one that stands, or is signed and activated, and that it does not replace.
///
/// A version by which a site tightens alone is no concern of other sites, until all have signed it: `by_all` says that they have, or
/// that it is to be looked at as if.
pub(super) fn parting(told: &Told, id: &str, version: &VersionStatus, by_all: bool) -> Option<Parting> {
    let beside = beside(told, id, version, by_all);
    if beside.is_empty() {
        return None;
    }
    let is_held = |hash: &&AgreementHash| {
        told.agreement(id).any(|(_, held)| held.versions.iter().any(|it| it.hash == **hash))
    };
    let mut names: BTreeSet<AgreementHash> = beside.iter().map(|(it, _)| it.hash.clone()).collect();
    names.extend(version.supersedes.iter().filter(is_held).cloned());
    // Who gives the last word on it later would bring it back.
    names.extend((!version.activated.is_empty()).then(|| version.hash.clone()));
    let others = beside.iter().map(|(it, sites)| {
        let sites: Vec<&str> = sites.iter().copied().collect();
        format!("version {} ({}) at {}", it.version, short(&it.hash), sites.join(", "))
    });
    let (others, number) = (others.collect::<Vec<_>>(), &version.version);
    let problem = match told.agreement(id).any(|(_, held)| leads_on(held, version)) {
        true => format!(
            "version {number} of `{id}` does not replace {}: once all have signed it and it is activated, they would stand beside each \
             other, and nothing would be answered",
            others.join(", nor ")
        ),
        false => format!(
            "version {number} of `{id}` cannot take over: its `supersedes` names no version that stands or has stood, such as {}",
            others.join(", ")
        ),
    };
    let fix = format!(
        "propose it anew with `{}`, or let `liquid policy rollback {id} --version {}` propose its text as a version that replaces all \
         that there is",
        line(&needed(told, id, &names)),
        told.called(id, version),
    );
    Some(Parting { problem, fix })
}

/// The versions beside which one would stand, each with the sites where.
fn beside<'a>(
    told: &'a Told,
    id: &'a str,
    version: &VersionStatus,
    by_all: bool,
) -> Vec<(&'a VersionStatus, BTreeSet<&'a str>)> {
    let is_own = told.agreement(id).any(|(_, held)| {
        let tightens = held.versions.iter().any(|it| it.hash == version.hash && it.tightens);
        tightens && !down(held, &version.supersedes).is_disjoint(&ends(held))
    });
    let mut beside: Vec<(&VersionStatus, BTreeSet<&str>)> = Vec::new();
    for (answer, held) in told.agreement(id) {
        let (ends, replaces) = (ends(held), down(held, &version.supersedes));
        let is_of_others = is_own && !by_all && replaces.is_disjoint(&ends);
        if is_of_others || down(held, ends.clone()).contains(&version.hash) {
            continue;
        }
        let going = held.versions.iter().filter(|it| it.lacks.is_empty() && !it.activated.is_empty());
        let going = going.filter(|it| leads_on(held, it)).map(|it| &it.hash);
        let all: Hashes<'_> = ends.into_iter().chain(going).collect();
        let passed = left(held, &all);
        for other in held.versions.iter().filter(|it| all.contains(&it.hash) && !passed.contains(&it.hash)) {
            let follows = down(held, [&other.hash]).contains(&version.hash);
            if replaces.contains(&other.hash) || follows {
                continue;
            }
            match beside.iter_mut().find(|(known, _)| known.hash == other.hash) {
                Some((_, sites)) => drop(sites.insert(answer.site.as_str())),
                None => beside.push((other, [answer.site.as_str()].into())),
            }
        }
    }
    beside
}

/// What a version must replace to leave nothing beside it: all that stands at any site, and what all have signed and nothing that stands
/// has replaced yet, as it could still be activated.
pub(super) fn open(told: &Told, id: &str) -> BTreeSet<AgreementHash> {
    let mut open = BTreeSet::new();
    for (_, held) in told.agreement(id) {
        let known = down(held, ends(held));
        let signed = held.versions.iter().filter(|it| it.lacks.is_empty() && leads_on(held, it));
        let signed = signed.map(|it| &it.hash).filter(|it| !known.contains(it));
        open.extend(ends(held).into_iter().chain(signed).cloned());
    }
    open
}

/// The versions that a controller has activated, that still lack signatures, and that nothing replaces which stands or is among some others:
/// the last word on one could come later.
pub(super) fn waiting<'a>(
    told: &'a Told,
    id: &str,
    others: &BTreeSet<AgreementHash>,
) -> Vec<&'a VersionStatus> {
    let mut waiting: Vec<&VersionStatus> = Vec::new();
    for (_, held) in told.agreement(id) {
        let (known, replaced) = (down(held, ends(held)), down(held, others));
        let open = held.versions.iter().filter(|it| !it.lacks.is_empty() && !it.activated.is_empty());
        let open = open.filter(|it| !known.contains(&it.hash) && !replaced.contains(&it.hash));
        for version in open.filter(|it| leads_on(held, it)) {
            if waiting.iter().all(|it| it.hash != version.hash) {
                waiting.push(version);
            }
        }
    }
    waiting
}

/// Those of some versions that a version must name to replace all of them: not those that another one replaces wherever they are held.
pub(super) fn needed(told: &Told, id: &str, all: &BTreeSet<AgreementHash>) -> BTreeSet<AgreementHash> {
    let is_needed = |hash: &&AgreementHash| {
        let others = || all.iter().filter(|it| it != hash);
        let holds = |held: &AgreementStatus| held.versions.iter().any(|it| it.hash == **hash);
        let mut holding = told.agreement(id).map(|(_, held)| held).filter(|held| holds(held)).peekable();
        holding.peek().is_none() || holding.any(|held| !down(held, others()).contains(hash))
    };
    all.iter().filter(is_needed).cloned().collect()
}

/// The line of an agreement that names what it replaces.
fn line(replaces: &BTreeSet<AgreementHash>) -> String {
    let names: Vec<String> = replaces.iter().map(|hash| format!("\"sha256:{hash}\"")).collect();
    match names.as_slice() {
        [one] => format!("supersedes = {one}"),
        several => format!("supersedes = [{}]", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use liquid_node_api::governance::SiteGovernance;
    use serde_json::{Value, json};

    use super::*;

    /// A version: what it is called, what it replaces, and more of it.
    fn version(name: &str, replaces: &[&str], more: &Value) -> Value {
        let mut version = json!({
            "hash": name, "version": name, "supersedes": replaces, "placed": false, "said": [],
            "lacks": ["author"], "activated": [], "tightens": false,
        });
        let more = more.as_object().unwrap().clone();
        version.as_object_mut().unwrap().extend(more);
        version
    }

    fn signed() -> Value {
        json!({ "lacks": [] })
    }

    fn active() -> Value {
        json!({ "lacks": [], "activated": ["2026-03-01T12:00:00Z"] })
    }

    fn at(site: &str, ends: &[&str], versions: &[Value]) -> SiteGovernance {
        let parted = if ends.len() > 1 { ends } else { &[] };
        let agreement = serde_json::from_value(json!({
            "id": "A-1", "title": "", "stands": ends.first(), "parted": parted, "suspended": [],
            "versions": versions,
        }));
        SiteGovernance {
            site: site.into(),
            agreements: vec![agreement.unwrap()],
            statements: vec![],
            texts: Default::default(),
            files: Default::default(),
        }
    }

    fn told(answers: Vec<SiteGovernance>) -> Told {
        Told { answers, silent: vec![] }
    }

    #[track_caller]
    fn fix(told: &Told, name: &str, by_all: bool) -> Option<String> {
        let version = told.version("A-1", name).unwrap();
        parting(told, "A-1", version, by_all).map(|it| it.fix.split('`').nth(1).unwrap().to_owned())
    }

    fn set(names: &[&str]) -> BTreeSet<AgreementHash> {
        names.iter().map(|name| AgreementHash::new(*name)).collect()
    }

    #[test]
    fn a_version_beside_what_stands_or_is_about_to_parts_the_ways() {
        let open = json!({});
        let versions = [
            version("1", &[], &active()),
            version("2", &["1"], &active()),
            version("2b", &["1"], &open),
            version("3", &["2"], &active()),
            version("3b", &["2"], &open),
            version("4", &["3"], &open),
            version("new", &[], &open),
        ];
        let all = told(vec![at("north", &["2"], &versions)]);
        assert_eq!(fix(&all, "2b", false).as_deref(), Some("supersedes = \"sha256:3\""), "and 3 replaces 2");
        assert_eq!(fix(&all, "3b", false).as_deref(), Some("supersedes = \"sha256:3\""));
        assert_eq!(fix(&all, "new", false).as_deref(), Some("supersedes = \"sha256:3\""));
        for way in ["1", "2", "3", "4"] {
            assert_eq!(fix(&all, way, true), None, "{way}");
        }
        // Where they have parted, both are named.
        let versions = [
            version("1", &[], &active()),
            version("2", &["1"], &active()),
            version("2b", &["1"], &active()),
            version("3", &["2"], &open),
            version("4", &["2", "2b"], &open),
        ];
        let all = told(vec![at("north", &["2", "2b"], &versions)]);
        let both = "supersedes = [\"sha256:2\", \"sha256:2b\"]";
        assert_eq!(fix(&all, "3", false).as_deref(), Some(both));
        assert_eq!(fix(&all, "4", true), None);
        assert_eq!(super::open(&all, "A-1"), set(&["2", "2b"]));
    }

    #[test]
    fn a_site_that_tightens_alone_concerns_no_other_until_all_have_signed_it() {
        let tighter = json!({ "tightens": true });
        let versions = |tight: &Value| {
            [
                version("1", &[], &active()),
                version("own", &["1"], &json!({})),
                version("tight", &["1"], tight),
                version("loose", &["1"], &json!({})),
                version("older", &["0"], &json!({})),
            ]
        };
        let all = told(vec![
            at("north", &["own"], &versions(&json!({}))),
            at("south", &["1"], &versions(&tighter)),
        ]);
        let names = Some("supersedes = \"sha256:own\"");
        assert_eq!(fix(&all, "tight", false), None);
        assert_eq!(fix(&all, "tight", true).as_deref(), names);
        assert_eq!(fix(&all, "loose", false).as_deref(), names);
        // It is named besides where a site does not hold what replaces it.
        let alone = [version("1", &[], &active()), version("loose", &["1"], &json!({}))];
        let apart = told(vec![at("north", &["own"], &versions(&json!({}))), at("south", &["1"], &alone)]);
        let both = "supersedes = [\"sha256:1\", \"sha256:own\"]";
        assert_eq!(fix(&apart, "loose", false).as_deref(), Some(both));
        assert_eq!(super::open(&apart, "A-1"), set(&["1", "own"]));
    }

    #[test]
    fn what_all_have_signed_is_open_until_it_is_replaced() {
        let versions = [
            version("1", &[], &active()),
            version("2", &["1"], &active()),
            version("left", &["1"], &signed()),
            version("3", &["2"], &signed()),
            version("draft", &["2"], &json!({})),
            version("early", &["2"], &json!({ "activated": ["2026-03-01T12:00:00Z"] })),
            version("astray", &["0"], &active()),
        ];
        let all = told(vec![at("north", &["2"], &versions)]);
        assert_eq!(super::open(&all, "A-1"), set(&["2", "3", "left"]));
        assert_eq!(needed(&all, "A-1", &set(&["1", "2", "3", "left"])), set(&["3", "left"]));
        let late = |others: &[&str]| -> Vec<&str> {
            waiting(&all, "A-1", &set(others)).iter().map(|it| it.hash.as_str()).collect()
        };
        assert_eq!((late(&["2", "3"]), late(&["2", "early"])), (vec!["early"], vec![]));
        let of = |name: &str| warnings(&all, "A-1", all.version("A-1", name).unwrap()).concat();
        assert_eq!((of("2"), of("3"), of("draft")), Default::default());
        assert!(
            of("left").contains("version left of `A-1` does not replace version 2 (2) at north:"),
            "{}",
            of("left")
        );
        assert!(of("1").contains("is replaced already"), "{}", of("1"));
        assert!(
            of("astray").contains("cannot take over")
                && of("astray").contains("[\"sha256:2\", \"sha256:astray\"]"),
            "{}",
            of("astray")
        );
    }
}
