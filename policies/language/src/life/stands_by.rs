//! Who stands by a rollback: those organisations that have agreed to nothing else since.
//!
//! Rollbacks are left half signed, and the last word on one can come years later. It takes effect only by those who had not agreed, with all
//! others, on something that it does not lead to. This closes and opens nothing: a rollback that too few stand by begins no chapter, and
//! still counts against others. What one person says, with what date they like, is no agreement: it can make their own organisation
//! stand by it or not, and no other one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::Life;
use super::said::Voice;
use crate::document::Agreement;
use crate::id::{AgreementHash, AgreementId, ChapterHash, OrganisationName};
use crate::signature::{Lack, is_signed_by, lacks};
use crate::statement::{Act, Statement};

/// Something on which all have agreed: whose rules it meets, and who has said it.
struct Agreed<'a> {
    rules: Vec<&'a Agreement>,
    said: Vec<&'a Voice>,
}

impl Life {
    /// The voices on a rollback of those organisations that have agreed to nothing else after that.
    pub(super) fn standing_by(&self, act: &Act, said: &[Voice]) -> Vec<Voice> {
        let Some(id) = act.agreement().and_then(|hash| self.version(hash)).map(|it| it.id()) else {
            return Vec::new();
        };
        let mut since: BTreeMap<OrganisationName, DateTime<Utc>> = BTreeMap::new();
        for agreed in self.agreed_elsewhere(act, id) {
            for organisation in
                agreed.said.iter().map(|voice| &voice.ever.organisation).collect::<BTreeSet<_>>()
            {
                let Some(time) = self.agreed_at(&agreed, organisation) else { continue };
                let last = since.entry(organisation.clone()).or_insert(time);
                *last = time.max(*last);
            }
        }
        // Whoever says it again stands by it again.
        let again = self.statements.iter().filter(|it| it.act == *act);
        let again: Vec<(&Statement, &[u8])> = again
            .filter_map(|it| Some((it, self.ring.unrevoked().signer(it).ok()?.public.as_slice())))
            .collect();
        let last_said = |voice: &Voice| {
            let own = again.iter().filter(|(_, public)| *public == voice.public);
            own.map(|(statement, _)| statement.time).max()
        };
        let stands = |voice: &&Voice| {
            since.get(&voice.ever.organisation).is_none_or(|since| last_said(voice) >= Some(*since))
        };
        said.iter().filter(stands).cloned().collect()
    }

    /// What all have agreed on of an agreement that does not follow from a rollback: versions by chapter, and other rollbacks.
    fn agreed_elsewhere<'a>(&'a self, back: &Act, id: &AgreementId) -> Vec<Agreed<'a>> {
        let led_to = self.led_to(back);
        let follows = |chapter: &Option<ChapterHash>| chapter.as_ref().is_some_and(|it| led_to.contains(it));
        let of_it = |hash: &AgreementHash| self.version(hash).filter(|it| it.id() == id).map(|it| &**it);
        let mut agreed = Vec::new();
        for (hash, version) in self.versions.iter().filter(|(_, it)| it.agreement.id() == id) {
            let mut of: BTreeMap<&Option<ChapterHash>, Vec<&Voice>> = BTreeMap::new();
            for voice in self.said.of(hash).into_iter().flat_map(|said| &said.approved) {
                of.entry(&voice.after).or_default().push(voice);
            }
            let of = of.into_iter().filter(|(chapter, _)| !follows(chapter));
            agreed.extend(of.map(|(_, said)| Agreed { rules: vec![&*version.agreement], said }));
        }
        for (act, said) in self.said.all_rollbacks().filter(|(act, _)| *act != back) {
            let Act::Rollback { agreement, from, after, .. } = act else { continue };
            if let (Some(to), Some(left), false) = (of_it(agreement), of_it(from), follows(after)) {
                agreed.push(Agreed { rules: vec![to, left], said: said.iter().collect() });
            }
        }
        agreed.retain(|it| it.rules.iter().all(|rule| ever_lacks(rule, &it.said).is_empty()));
        agreed
    }

    /// From when an organisation has agreed on something, by the dates of its own people; none where no rule asks it.
    fn agreed_at(&self, agreed: &Agreed<'_>, organisation: &OrganisationName) -> Option<DateTime<Utc>> {
        let time = |voice: &Voice| self.statements.get(voice.statement).map(|it| it.time);
        let own = agreed.said.iter().copied().filter(|voice| voice.ever.organisation == *organisation);
        let instants: BTreeSet<DateTime<Utc>> = own.clone().filter_map(time).collect();
        let is_whole = |instant: &DateTime<Utc>| {
            let said: Vec<&Voice> =
                own.clone().filter(|voice| time(voice).is_some_and(|time| time <= *instant)).collect();
            let mut rules = agreed.rules.iter();
            rules.all(|rule| is_signed_by(&ever_lacks(rule, &said), organisation))
        };
        instants.into_iter().find(is_whole)
    }

    /// The chapters to which a rollback leads: the one that it begins, and all that follow upon it.
    fn led_to(&self, back: &Act) -> BTreeSet<ChapterHash> {
        let mut led_to: BTreeSet<ChapterHash> = back.begins().into_iter().collect();
        loop {
            let follows = |act: &&Act| act.after().is_some_and(|after| led_to.contains(after));
            let further = self.said.all_rollbacks().map(|(act, _)| act).filter(follows);
            let further: BTreeSet<ChapterHash> = further.filter_map(Act::begins).collect();
            if further.is_subset(&led_to) {
                return led_to;
            }
            led_to.extend(further);
        }
    }
}

/// What a rule asks beside what was said, whichever key was revoked since.
fn ever_lacks(rule: &Agreement, said: &[&Voice]) -> Vec<Lack> {
    lacks(rule, said.iter().map(|voice| &voice.ever), None)
}
