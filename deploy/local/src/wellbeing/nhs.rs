//! What the NHS trust keeps: its patients, their admissions, contacts and referrals.

use liquid_node_api::catalogue::Kind::{Boolean, Date, Float, Integer, Text};

use super::dice::{Dice, Topic};
use super::entry::Entry;
use super::member::Member;
use super::month::Month;
use super::people::{Person, age_band};
use super::sheet::{Sheet, Value};
use super::{County, Holder};

/// Of those who live in the county.
const SHARE: f64 = 0.97;

const SPECIALTIES: [(&str, u64); 5] = [
    ("general medicine", 38),
    ("surgery", 30),
    ("emergency medicine", 16),
    ("mental health", 9),
    ("rehabilitation", 7),
];
const SERVICES: [(&str, u64); 4] =
    [("community nursing", 40), ("physiotherapy", 30), ("mental health", 18), ("podiatry", 12)];
const CHILD_SERVICES: [(&str, u64); 4] =
    [("school nursing", 45), ("health visiting", 30), ("mental health", 15), ("speech therapy", 10)];
const SOURCES: [(&str, u64); 4] = [("GP", 62), ("school", 12), ("self", 16), ("social worker", 10)];
const MODES: [(&str, u64); 3] = [("face to face", 60), ("phone", 28), ("video", 12)];

/// Whether the trust has somebody on its register at all.
pub(super) fn knows(county: &County, person: &Person) -> bool {
    Dice::of(county.seed, Topic::Events(Holder::Nhs), person.number).chance(SHARE)
}

pub(super) fn tables(county: &County, month: Month) -> Vec<Sheet> {
    let mut books = Books::new();
    for person in county.people.iter().filter(|person| knows(county, person)) {
        let member = Member::of(county.seed, Holder::Nhs, person);
        if member.is_there(month) && person.age(month.last_day()) >= 0 {
            books.write(county, month, person, &member);
        }
    }
    [books.patients, books.admissions, books.contacts, books.referrals].map(Sheet::sorted).into()
}

struct Books {
    patients: Sheet,
    admissions: Sheet,
    contacts: Sheet,
    referrals: Sheet,
}

impl Books {
    fn new() -> Self {
        Self {
            patients: Sheet::new(
                "patients",
                &[
                    ("patient_id", Text),
                    ("nhs_no", Text),
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
            ),
            admissions: Sheet::new(
                "admissions",
                &[
                    ("admission_id", Text),
                    ("patient_id", Text),
                    ("admitted", Date),
                    ("specialty", Text),
                    ("emergency", Boolean),
                    ("stay_days", Integer),
                    ("cost", Float),
                    ("opted_out", Boolean),
                ],
            ),
            contacts: Sheet::new(
                "contacts",
                &[
                    ("contact_id", Text),
                    ("patient_id", Text),
                    ("contact_on", Date),
                    ("service", Text),
                    ("mode", Text),
                    ("minutes", Integer),
                    ("opted_out", Boolean),
                ],
            ),
            referrals: Sheet::new(
                "referrals",
                &[
                    ("referral_id", Text),
                    ("patient_id", Text),
                    ("opened", Date),
                    ("service", Text),
                    ("source", Text),
                    ("wait_days", Integer),
                    ("opted_out", Boolean),
                ],
            ),
        }
    }

    fn write(&mut self, county: &County, month: Month, person: &Person, member: &Member) {
        let dice = &mut Dice::of(county.seed, Topic::Events(Holder::Nhs), person.number);
        let _known = dice.share();
        let out = member.is_out(month);
        self.patients.push([
            member.id.as_str().into(),
            member.nhs_no.clone().into(),
            member.uprn.clone().into(),
            member.given_name.as_str().into(),
            member.family_name.as_str().into(),
            member.born.into(),
            member.sex.into(),
            age_band(person.age(month.last_day())).into(),
            member.ethnic_group.into(),
            person.ward(month).name.into(),
            out.into(),
        ]);
        let hardship = person.ward(Month::FIRST).hardship.sqrt();
        let age = person.age(Month::NEWEST.last_day());
        let ill = match age {
            ..=4 => 0.18,
            5..=44 => 0.09,
            45..=64 => 0.15,
            65..=79 => 0.28,
            80.. => 0.45,
        };
        let child = age <= 17;
        for number in 0..dice.run((ill * hardship).min(0.8), 6) {
            self.admission(dice, month, person, member, number);
        }
        for number in 0..dice.run((0.3 + ill * hardship).min(0.85), 9) {
            self.contact(dice, month, person, member, number, child);
        }
        for number in 0..dice.run(0.22 * hardship, 4) {
            self.referral(dice, month, person, member, number, child);
        }
    }

    fn admission(&mut self, dice: &mut Dice, month: Month, person: &Person, member: &Member, number: usize) {
        let entry = Entry::any(dice);
        let emergency = dice.chance(0.38);
        let specialty = if person.age(entry.day) < 16 { "paediatrics" } else { dice.weighted(&SPECIALTIES) };
        let stay = dice.run(0.62, 60) as i64;
        let cost = dice.tail(420.0) + 310.0 * stay as f64;
        let wrong = (cost * 110.0).round() / 100.0;
        let coding = if dice.chance(0.03) { 99 } else { dice.below(3) };
        if !entry.is_there(month) || entry.day < person.born {
            return;
        }
        let cost = entry.is_older(month, coding).then(|| entry.says(month, wrong, cost));
        self.admissions.push([
            format!("{}-A{}", member.id, number + 1).into(),
            member.id.as_str().into(),
            entry.day.into(),
            specialty.into(),
            emergency.into(),
            entry.says(month, stay + 1, stay).into(),
            cost.into(),
            member.is_out(month).into(),
        ]);
    }

    fn contact(
        &mut self,
        dice: &mut Dice,
        month: Month,
        person: &Person,
        member: &Member,
        number: usize,
        child: bool,
    ) {
        let entry = Entry::any(dice);
        let service = dice.weighted(if child { &CHILD_SERVICES } else { &SERVICES });
        let mode = dice.weighted(&MODES);
        let minutes = 5 * dice.between(2, 12);
        let timed = dice.chance(0.9);
        if !entry.is_there(month) || entry.day < person.born {
            return;
        }
        self.contacts.push([
            format!("{}-C{}", member.id, number + 1).into(),
            member.id.as_str().into(),
            entry.day.into(),
            service.into(),
            mode.into(),
            timed.then(|| entry.says(month, minutes + 60, minutes)).into(),
            member.is_out(month).into(),
        ]);
    }

    fn referral(
        &mut self,
        dice: &mut Dice,
        month: Month,
        person: &Person,
        member: &Member,
        number: usize,
        child: bool,
    ) {
        let entry = Entry::any(dice);
        let service = dice.weighted(if child { &CHILD_SERVICES } else { &SERVICES });
        let source = dice.weighted(&SOURCES);
        let first = dice.weighted(&SOURCES);
        let wait = dice.between(3, 30) + 12 * dice.run(0.75, 30) as i64;
        if !entry.is_there(month) || entry.day < person.born {
            return;
        }
        let gone = month.last_day().signed_duration_since(entry.day).num_days();
        self.referrals.push([
            format!("{}-R{}", member.id, number + 1).into(),
            member.id.as_str().into(),
            entry.day.into(),
            service.into(),
            entry.says(month, first, source).into(),
            Value::from((wait <= gone).then_some(wait)),
            member.is_out(month).into(),
        ]);
    }
}
