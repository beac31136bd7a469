//! What the police keep: incidents, who was involved in them, and the register of these people.

use liquid_node_api::catalogue::Kind::{Boolean, Date, Text};

use super::county::WARDS;
use super::dice::{Dice, Topic};
use super::entry::Entry;
use super::member::Member;
use super::month::Month;
use super::people::{Person, age_band};
use super::sheet::{Sheet, Value};
use super::{County, Holder};

/// Incidents in two years, for each person of the county.
const SHARE: f64 = 0.14;

const CATEGORIES: [(&str, u64); 6] = [
    ("theft", 30),
    ("violence", 24),
    ("antisocial behaviour", 22),
    ("criminal damage", 14),
    ("domestic abuse", 8),
    ("missing person", 2),
];

struct Incident {
    number: u64,
    entry: Entry,
    category: &'static str,
    ward: &'static str,
    /// Whom it is about, and in which role.
    involved: Vec<(u64, &'static str)>,
}

impl Incident {
    fn id(&self) -> String {
        format!("I{:08}", (self.number * 73_939_133 + 16_180_339) % 100_000_000)
    }
}

/// Everything that happened in the two years.
fn incidents(county: &County) -> Vec<Incident> {
    let people = county.people.len() as u64;
    let count = (people as f64 * SHARE) as u64;
    let incident = |number| {
        let dice = &mut Dice::of(county.seed, Topic::Incident, number);
        let entry = Entry::any(dice);
        let category = dice.weighted(&CATEGORIES);
        let hardship = |person: &&Person| dice_accepts(county.seed, number, person);
        let victim = (0..4).map(|_| dice.below(people)).collect::<Vec<_>>();
        let chosen = victim.iter().filter_map(|at| county.people.get(*at as usize)).find(hardship);
        let victim = chosen.map(|person| person.number).or(victim.first().copied()).unwrap_or_default();
        let mut involved = vec![(victim, "victim")];
        for _ in 0..dice.run(0.45, 3) {
            let role = dice.weighted(&[("suspect", 55), ("witness", 35), ("victim", 10)]);
            // Every second one is of the same neighbourhood.
            let other = match dice.chance(0.5) {
                true => (victim + 1 + dice.below(4)) % people.max(1),
                false => dice.below(people),
            };
            if involved.iter().all(|(person, _)| *person != other) {
                involved.push((other, role));
            }
        }
        let home = county.people.get(victim as usize).map(|person| person.ward(Month::of(entry.day)).name);
        let ward = home.filter(|_| dice.chance(0.7)).unwrap_or_else(|| dice.weighted(&WARDS).name);
        Incident { number, entry, category, ward, involved }
    };
    (0..count).map(incident).collect()
}

/// More happens to those who live in wards of more hardship.
fn dice_accepts(seed: u64, incident: u64, person: &Person) -> bool {
    let number = incident.wrapping_mul(1 << 32).wrapping_add(person.number);
    Dice::of(seed, Topic::Member(Holder::Police), number).chance(person.ward(Month::FIRST).hardship / 2.0)
}

/// Everybody who is on the register at some time.
pub(super) fn known(county: &County) -> std::collections::BTreeSet<u64> {
    incidents(county).iter().flat_map(|incident| &incident.involved).map(|(person, _)| *person).collect()
}

pub(super) fn tables(county: &County, month: Month) -> Vec<Sheet> {
    let mut people = Sheet::new(
        "people",
        &[
            ("person_ref", Text),
            ("uprn", Text),
            ("given_name", Text),
            ("family_name", Text),
            ("date_of_birth", Date),
            ("sex", Text),
            ("age_band", Text),
            ("ethnic_group", Text),
            ("ward", Text),
            ("opted_out", Boolean),
        ],
    );
    let mut events = Sheet::new(
        "incidents",
        &[("incident_id", Text), ("occurred", Date), ("category", Text), ("ward", Text)],
    );
    let mut involved = Sheet::new(
        "involved",
        &[
            ("involvement_id", Text),
            ("incident_id", Text),
            ("person_ref", Text),
            ("role", Text),
            ("opted_out", Boolean),
        ],
    );
    let mut seen = std::collections::BTreeSet::new();
    for incident in incidents(county).iter().filter(|incident| incident.entry.is_there(month)) {
        let id = incident.id();
        events.push([
            id.as_str().into(),
            incident.entry.day.into(),
            incident.entry.says(month, "antisocial behaviour", incident.category).into(),
            incident.ward.into(),
        ]);
        for (number, role) in &incident.involved {
            let Some(person) = county.people.get(*number as usize) else { continue };
            let member = Member::of(county.seed, Holder::Police, person);
            if !member.is_there(month) || person.born > incident.entry.day {
                continue;
            }
            involved.push([
                format!("{id}-{}", member.id).into(),
                id.as_str().into(),
                member.id.as_str().into(),
                (*role).into(),
                member.is_out(month).into(),
            ]);
            if seen.insert(*number) {
                people.push(row(month, person, &member));
            }
        }
    }
    vec![people.sorted(), events.sorted(), involved.sorted()]
}

fn row(month: Month, person: &Person, member: &Member) -> [Value; 10] {
    let band = member.born.map(|_| age_band(person.age(month.last_day())));
    [
        member.id.as_str().into(),
        member.uprn.clone().into(),
        member.given_name.as_str().into(),
        member.family_name.as_str().into(),
        member.born.into(),
        member.sex.into(),
        band.into(),
        member.ethnic_group.into(),
        person.ward(month).name.into(),
        member.is_out(month).into(),
    ]
}
