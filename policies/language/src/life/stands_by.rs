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
use crate::statement::Act;

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
        // What one of the people of an organisation has agreed to with all others takes back their own word.
        let mut own: BTreeMap<Vec<u8>, DateTime<Utc>> = BTreeMap::new();
        for agreed in self.agreed_elsewhere(act, id) {
            for voice in &agreed.said {
                let last = own.entry(voice.ever.person.clone()).or_insert(voice.last);
                *last = voice.last.max(*last);
            }
            for organisation in
                agreed.said.iter().map(|voice| &voice.ever.organisation).collect::<BTreeSet<_>>()
            {
                let Some(time) = Self::agreed_at(&agreed, organisation) else { continue };
                let last = since.entry(organisation.clone()).or_insert(time);
                *last = time.max(*last);
            }
        }
        let stands = |voice: &&Voice| {
            since.get(&voice.ever.organisation).is_none_or(|since| voice.last >= *since)
                && own.get(&voice.ever.person).is_none_or(|own| voice.last >= *own)
        };
        said.iter().filter(stands).cloned().collect()
    }

    /// What all have agreed on of an agreement that does not follow from a rollback: versions by chapter, and other rollbacks.
    fn agreed_elsewhere<'a>(&'a self, back: &Act, id: &AgreementId) -> Vec<Agreed<'a>> {
        let led_to = self.said.led_to(back);
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
            // Where the text of one is withheld, the other one's rule is what is known.
            let rules: Vec<&Agreement> = [of_it(agreement), of_it(from)].into_iter().flatten().collect();
            if !rules.is_empty() && !follows(after) {
                agreed.push(Agreed { rules, said: said.iter().collect() });
            }
        }
        agreed.retain(|it| it.rules.iter().all(|rule| ever_lacks(rule, &it.said).is_empty()));
        agreed
    }

    /// When an organisation has agreed on something last, by the dates of its own people: when all had said it whom the rules ask, or
    /// when all of them said it again, or others for them; none where no rule asks it.
    fn agreed_at(agreed: &Agreed<'_>, organisation: &OrganisationName) -> Option<DateTime<Utc>> {
        let own: Vec<&Voice> =
            agreed.said.iter().copied().filter(|voice| voice.ever.organisation == *organisation).collect();
        let is_whole = |said: Vec<&Voice>| {
            !said.is_empty()
                && agreed.rules.iter().all(|rule| is_signed_by(&ever_lacks(rule, &said), organisation))
        };
        let instants: BTreeSet<DateTime<Utc>> =
            own.iter().flat_map(|voice| [voice.first, voice.last]).collect();
        let until =
            |at: &&DateTime<Utc>| is_whole(own.iter().copied().filter(|it| it.first <= **at).collect());
        let again =
            |at: &&DateTime<Utc>| is_whole(own.iter().copied().filter(|it| it.last >= **at).collect());
        instants.iter().find(until).max(instants.iter().rev().find(again)).copied()
    }
}

/// What a rule asks beside what was said, whichever key was revoked since.
fn ever_lacks(rule: &Agreement, said: &[&Voice]) -> Vec<Lack> {
    lacks(rule, said.iter().map(|voice| &voice.ever), None)
}
