//! The people of the county, in their households: what is true, before anybody writes it down.

use chrono::{Datelike as _, NaiveDate};

use super::county::{ETHNIC_GROUPS, FAMILIES, MEN, WARDS, WOMEN, Ward};
use super::dice::{Dice, Topic};
use super::month::Month;

/// Somebody.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// From 0 on, without a gap.
    pub(super) number: u64,
    pub(super) household: u64,
    pub(super) sex: &'static str,
    pub(super) born: NaiveDate,
    pub(super) ethnic_group: &'static str,
    pub(super) given_name: &'static str,
    pub(super) family_name: &'static str,
    home: Ward,
    /// A new home within the county, and since when.
    moves: Option<(Month, Ward)>,
}

impl Person {
    /// Where they live at the end of a month.
    pub(super) fn ward(&self, month: Month) -> Ward {
        match self.moves {
            Some((since, ward)) if since <= month => ward,
            _ => self.home,
        }
    }

    /// Full years on a day; negative for somebody who is not born yet.
    pub(super) fn age(&self, day: NaiveDate) -> i32 {
        let had_birthday = (day.month(), day.day()) >= (self.born.month(), self.born.day());
        day.year() - self.born.year() - i32::from(!had_birthday)
    }
}

/// The bands in which ages are told.
pub(super) fn age_band(age: i32) -> &'static str {
    match age {
        ..=4 => "0-4",
        5..=10 => "5-10",
        11..=15 => "11-15",
        16..=24 => "16-24",
        25..=44 => "25-44",
        45..=64 => "45-64",
        65..=79 => "65-79",
        80.. => "80 and over",
    }
}

/// So many people, household by household. More people leave the first ones as they are.
pub(super) fn population(seed: u64, count: u64) -> Vec<Person> {
    let mut people = Vec::new();
    for household in 0.. {
        let mut dice = Dice::of(seed, Topic::Household, household);
        let home = dice.weighted(&WARDS);
        let family_name = dice.pick(&FAMILIES);
        let children = if dice.chance(0.34) { 1 + dice.run(0.5, 4) } else { 0 };
        let adults = if children > 0 { 1 + usize::from(dice.chance(0.75)) } else { 1 + dice.run(0.5, 2) };
        let moves = dice.chance(0.04).then(|| (Month::of(Month::any_day(&mut dice)), dice.weighted(&WARDS)));
        let age = if children > 0 { dice.between(24, 50) } else { elder(&mut dice) };
        for place in 0..adults + children {
            let number = people.len() as u64;
            if number == count {
                return people;
            }
            let mut dice = Dice::of(seed, Topic::Person, number);
            let sex = dice.weighted(&[("F", 507), ("M", 493)]);
            let born = match place < adults {
                true => birthday(&mut dice, age, 6),
                false => {
                    let oldest = (age - 20).clamp(0, 17);
                    let age = dice.between(0, oldest);
                    birthday(&mut dice, age, 0)
                }
            };
            people.push(Person {
                number,
                household,
                sex,
                born,
                ethnic_group: dice.weighted(&ETHNIC_GROUPS),
                given_name: dice.pick(if sex == "F" { &WOMEN } else { &MEN }),
                family_name: if dice.chance(0.15) { dice.pick(&FAMILIES) } else { family_name },
                home,
                moves,
            });
        }
    }
    people
}

/// The age of those in households without children.
fn elder(dice: &mut Dice) -> i64 {
    let (least, most) =
        dice.weighted(&[((19, 29), 22), ((30, 44), 20), ((45, 64), 34), ((65, 79), 17), ((80, 97), 7)]);
    dice.between(least, most)
}

/// A day of birth that gives about this age at the end of the data.
fn birthday(dice: &mut Dice, age: i64, spread: i64) -> NaiveDate {
    let days = age * 365 + age / 4 + dice.between(0, 364) + dice.between(-spread, spread) * 365;
    Month::NEWEST.last_day() - chrono::Duration::days(days.max(0))
}
