//! What the school trust keeps: its pupils, their absence by term and their attainment by year.

use chrono::NaiveDate;
use liquid_node_api::catalogue::Kind::{Boolean, Date, Float, Integer, Text};

use super::county::SCHOOLS;
use super::dice::{Dice, Topic};
use super::entry::Entry;
use super::member::Member;
use super::month::Month;
use super::people::Person;
use super::sheet::Sheet;
use super::{County, Holder};

/// Of the county's children.
const SHARE: f64 = 0.92;

/// The terms, each with its last day.
const TERMS: [(&str, i32, u32, u32); 6] = [
    ("2024-spring", 2024, 3, 28),
    ("2024-summer", 2024, 7, 23),
    ("2024-autumn", 2024, 12, 20),
    ("2025-spring", 2025, 4, 4),
    ("2025-summer", 2025, 7, 22),
    ("2025-autumn", 2025, 12, 19),
];

/// Whether somebody is a pupil of the trust while they are of school age.
pub(super) fn knows(county: &County, person: &Person) -> bool {
    let ever = person.age(Month::NEWEST.last_day()) >= 5 && person.age(Month::FIRST.last_day()) <= 15;
    ever && Dice::of(county.seed, Topic::Events(Holder::Schools), person.number).chance(SHARE)
}

pub(super) fn tables(county: &County, month: Month) -> Vec<Sheet> {
    let mut pupils = Sheet::new(
        "pupils",
        &[
            ("pupil_id", Text),
            ("uprn", Text),
            ("given_name", Text),
            ("family_name", Text),
            ("date_of_birth", Date),
            ("sex", Text),
            ("ethnic_group", Text),
            ("ward", Text),
            ("school", Text),
            ("year_group", Integer),
            ("free_school_meals", Boolean),
            ("opted_out", Boolean),
        ],
    );
    let mut absence = Sheet::new(
        "absence",
        &[
            ("absence_id", Text),
            ("pupil_id", Text),
            ("term", Text),
            ("sessions_possible", Integer),
            ("sessions_missed", Integer),
            ("opted_out", Boolean),
        ],
    );
    let mut attainment = Sheet::new(
        "attainment",
        &[
            ("result_id", Text),
            ("pupil_id", Text),
            ("school_year", Integer),
            ("subject", Text),
            ("score", Float),
            ("opted_out", Boolean),
        ],
    );
    for person in county.people.iter().filter(|person| knows(county, person)) {
        let member = Member::of(county.seed, Holder::Schools, person);
        let age = person.age(month.last_day());
        if !member.is_there(month) || !(5..=15).contains(&age) {
            continue;
        }
        let dice = &mut Dice::of(county.seed, Topic::Events(Holder::Schools), person.number);
        let _known = dice.share();
        let hardship = person.ward(Month::FIRST).hardship;
        let poor = dice.chance(0.2 * hardship);
        pupils.push([
            member.id.as_str().into(),
            member.uprn.clone().into(),
            member.given_name.as_str().into(),
            member.family_name.as_str().into(),
            member.born.into(),
            member.sex.into(),
            member.ethnic_group.into(),
            person.ward(month).name.into(),
            dice.weighted(&SCHOOLS).into(),
            i64::from(age - 4).into(),
            poor.into(),
            member.is_out(month).into(),
        ]);
        let often = if poor { 0.09 } else { 0.05 } * hardship.sqrt();
        terms(dice, month, person, &member, often, &mut absence);
        results(dice, month, person, &member, if poor { 96 } else { 102 }, &mut attainment);
    }
    vec![pupils.sorted(), absence.sorted(), attainment.sorted()]
}

fn terms(dice: &mut Dice, month: Month, person: &Person, member: &Member, often: f64, absence: &mut Sheet) {
    // Some miss far more than others.
    let often = (often * (0.4 + dice.tail(0.45))).min(0.9);
    for (at, (term, year, of_year, day)) in TERMS.into_iter().enumerate() {
        let last = NaiveDate::from_ymd_opt(year, of_year, day).unwrap_or_default();
        let entry = Entry::on(dice, last);
        let possible = dice.between(108, 140);
        let missed = (0..possible).filter(|_| dice.chance(often)).count() as i64;
        if !entry.is_there(month) || person.age(last) < 5 {
            continue;
        }
        absence.push([
            format!("{}-T{}", member.id, at + 1).into(),
            member.id.as_str().into(),
            term.into(),
            possible.into(),
            entry.says(month, (missed + 4).min(possible), missed).into(),
            member.is_out(month).into(),
        ]);
    }
}

fn results(dice: &mut Dice, month: Month, person: &Person, member: &Member, about: i64, results: &mut Sheet) {
    for year in [2024_i32, 2025] {
        let last = NaiveDate::from_ymd_opt(year, 7, 10).unwrap_or_default();
        for subject in ["english", "maths"] {
            let entry = Entry::on(dice, last);
            let spread: i64 = (0..4).map(|_| dice.between(-5, 5)).sum();
            let score = (about + spread).clamp(80, 120) as f64;
            let taken = dice.chance(0.92);
            if !entry.is_there(month) || person.age(last) < 6 {
                continue;
            }
            results.push([
                format!("{}-{year}-{subject}", member.id).into(),
                member.id.as_str().into(),
                i64::from(year).into(),
                subject.into(),
                taken.then(|| entry.says(month, score + 1.0, score)).into(),
                member.is_out(month).into(),
            ]);
        }
    }
}
