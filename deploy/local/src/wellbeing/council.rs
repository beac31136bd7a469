//! What the council keeps: its residents, social care, housing and benefits.

use liquid_node_api::catalogue::Kind::{Boolean, Date, Float, Text};

use super::dice::{Dice, Topic};
use super::entry::Entry;
use super::member::Member;
use super::month::Month;
use super::people::{Person, age_band};
use super::sheet::Sheet;
use super::{County, Holder};

/// Of those who live in the county.
const SHARE: f64 = 0.94;

const CARE: [(&str, u64); 2] = [("home care", 70), ("residential care", 30)];
const CHILD_CARE: [(&str, u64); 3] = [("child in need", 70), ("child protection", 20), ("looked after", 10)];
const TENURES: [(&str, u64); 3] = [("council", 62), ("housing association", 33), ("temporary", 5)];
const BENEFITS: [(&str, u64); 3] =
    [("council tax reduction", 55), ("housing benefit", 35), ("discretionary payment", 10)];

/// Whether the council has somebody on its register at all.
pub(super) fn knows(county: &County, person: &Person) -> bool {
    Dice::of(county.seed, Topic::Events(Holder::Council), person.number).chance(SHARE)
}

pub(super) fn tables(county: &County, month: Month) -> Vec<Sheet> {
    let mut books = Books::new();
    for person in county.people.iter().filter(|person| knows(county, person)) {
        let member = Member::of(county.seed, Holder::Council, person);
        if member.is_there(month) && person.age(month.last_day()) >= 0 {
            books.write(county, month, person, &member);
        }
    }
    [books.residents, books.social_care, books.housing, books.benefits].map(Sheet::sorted).into()
}

struct Books {
    residents: Sheet,
    social_care: Sheet,
    housing: Sheet,
    benefits: Sheet,
}

impl Books {
    fn new() -> Self {
        Self {
            residents: Sheet::new(
                "residents",
                &[
                    ("resident_id", Text),
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
            social_care: Sheet::new(
                "social_care",
                &[
                    ("case_id", Text),
                    ("resident_id", Text),
                    ("started", Date),
                    ("service", Text),
                    ("weekly_cost", Float),
                    ("opted_out", Boolean),
                ],
            ),
            housing: Sheet::new(
                "housing",
                &[
                    ("tenancy_id", Text),
                    ("resident_id", Text),
                    ("started", Date),
                    ("tenure", Text),
                    ("arrears", Float),
                    ("opted_out", Boolean),
                ],
            ),
            benefits: Sheet::new(
                "benefits",
                &[
                    ("claim_id", Text),
                    ("resident_id", Text),
                    ("started", Date),
                    ("benefit", Text),
                    ("weekly_amount", Float),
                    ("opted_out", Boolean),
                ],
            ),
        }
    }

    fn write(&mut self, county: &County, month: Month, person: &Person, member: &Member) {
        let dice = &mut Dice::of(county.seed, Topic::Events(Holder::Council), person.number);
        let _known = dice.share();
        let age = person.age(month.last_day());
        let out = member.is_out(month);
        self.residents.push([
            member.id.as_str().into(),
            member.nhs_no.clone().into(),
            member.uprn.clone().into(),
            member.given_name.as_str().into(),
            member.family_name.as_str().into(),
            member.born.into(),
            member.sex.into(),
            age_band(age).into(),
            member.ethnic_group.into(),
            person.ward(month).name.into(),
            out.into(),
        ]);
        let hardship = person.ward(Month::FIRST).hardship;
        let age = person.age(Month::NEWEST.last_day());
        let care = match age {
            ..=17 => 0.07,
            18..=64 => 0.02,
            65..=79 => 0.06,
            80.. => 0.22,
        };
        for number in 0..dice.run((care * hardship).min(0.5), 3) {
            self.care(dice, month, person, member, number);
        }
        if age >= 18 && dice.chance(0.13 * hardship) {
            self.tenancy(dice, month, member);
        }
        if age >= 18 {
            for number in 0..dice.run((0.11 * hardship).min(0.6), 3) {
                self.claim(dice, month, member, number);
            }
        }
    }

    fn care(&mut self, dice: &mut Dice, month: Month, person: &Person, member: &Member, number: usize) {
        let entry = Entry::any(dice);
        let service = dice.weighted(if person.age(entry.day) < 18 { &CHILD_CARE[..] } else { &CARE });
        let cost = dice.tail(if service == "looked after" { 780.0 } else { 130.0 });
        let first = dice.tail(130.0);
        if !entry.is_there(month) || entry.day < person.born {
            return;
        }
        self.social_care.push([
            format!("{}-S{}", member.id, number + 1).into(),
            member.id.as_str().into(),
            entry.day.into(),
            service.into(),
            entry.says(month, first, cost).into(),
            member.is_out(month).into(),
        ]);
    }

    fn tenancy(&mut self, dice: &mut Dice, month: Month, member: &Member) {
        let entry = Entry::any(dice);
        let tenure = dice.weighted(&TENURES);
        let arrears = if dice.chance(0.3) { dice.tail(60.0) } else { 0.0 };
        let told = dice.chance(0.9);
        if !entry.is_there(month) {
            return;
        }
        self.housing.push([
            format!("{}-H1", member.id).into(),
            member.id.as_str().into(),
            entry.day.into(),
            tenure.into(),
            told.then(|| entry.says(month, arrears + 25.0, arrears)).into(),
            member.is_out(month).into(),
        ]);
    }

    fn claim(&mut self, dice: &mut Dice, month: Month, member: &Member, number: usize) {
        let entry = Entry::any(dice);
        let benefit = dice.weighted(&BENEFITS);
        let amount = dice.between(1_200, 14_000) as f64 / 100.0;
        if !entry.is_there(month) {
            return;
        }
        self.benefits.push([
            format!("{}-B{}", member.id, number + 1).into(),
            member.id.as_str().into(),
            entry.day.into(),
            benefit.into(),
            entry.says(month, amount + 5.0, amount).into(),
            member.is_out(month).into(),
        ]);
    }
}
