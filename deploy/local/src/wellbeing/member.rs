//! What an organisation knows of somebody: since when, under which of its own numbers, and how well it has written down
//! by what others would know them too.

use chrono::{Datelike as _, NaiveDate};

use super::Holder;
use super::dice::{Dice, Topic};
use super::month::Month;
use super::people::Person;

/// Somebody on an organisation's register.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// The organisation's own number, which no other organisation can read as one of theirs.
    pub(super) id: String,
    since: Month,
    until: Option<Month>,
    opted_out: Option<Month>,
    pub(super) nhs_no: Option<String>,
    /// The number of the home, from the council's address list.
    pub(super) uprn: Option<String>,
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) born: Option<NaiveDate>,
    pub(super) ethnic_group: Option<&'static str>,
    pub(super) sex: Option<&'static str>,
}

/// How well an organisation writes down what it knows: shares of its members.
struct Care {
    nhs_no: f64,
    uprn: f64,
    slip: f64,
    born: f64,
    born_swapped: f64,
    ethnic_group: f64,
    sex: f64,
}

impl Holder {
    fn care(self) -> Care {
        match self {
            Self::Nhs => Care {
                nhs_no: 0.99,
                uprn: 0.80,
                slip: 0.01,
                born: 1.0,
                born_swapped: 0.003,
                ethnic_group: 0.93,
                sex: 1.0,
            },
            Self::Council => Care {
                nhs_no: 0.18,
                uprn: 0.98,
                slip: 0.04,
                born: 0.96,
                born_swapped: 0.015,
                ethnic_group: 0.82,
                sex: 1.0,
            },
            Self::Police => Care {
                nhs_no: 0.0,
                uprn: 0.60,
                slip: 0.09,
                born: 0.85,
                born_swapped: 0.02,
                ethnic_group: 0.70,
                sex: 0.97,
            },
            Self::Schools => Care {
                nhs_no: 0.0,
                uprn: 0.93,
                slip: 0.03,
                born: 1.0,
                born_swapped: 0.005,
                ethnic_group: 0.95,
                sex: 1.0,
            },
        }
    }

    /// A number of seven digits that is somebody's at this organisation alone: one to one, and in an order of its own.
    pub(super) fn number(self, number: u64) -> String {
        let (letter, factor, shift) = match self {
            Self::Nhs => ('P', 7_368_787, 1_204_711),
            Self::Council => ('R', 3_279_301, 5_500_093),
            Self::Police => ('X', 9_154_339, 2_718_281),
            Self::Schools => ('S', 4_771_069, 8_141_593),
        };
        format!("{letter}{:07}", (number * factor + shift) % 10_000_000)
    }
}

impl Member {
    /// Somebody as an organisation has written them down.
    pub(super) fn of(seed: u64, holder: Holder, person: &Person) -> Self {
        let mut dice = Dice::of(seed, Topic::Member(holder), person.number);
        let dice = &mut dice;
        let care = holder.care();
        let month = |dice: &mut Dice| Month::of(Month::any_day(dice));
        let since = if dice.chance(0.05) { month(dice) } else { Month::FIRST };
        let until = dice.chance(0.012).then(|| month(dice)).filter(|until| *until > since);
        let opted_out = match dice.share() {
            share if share < 0.025 => Some(Month::FIRST),
            share if share < 0.045 => Some(month(dice)),
            _ => None,
        };
        Self {
            id: holder.number(person.number),
            since,
            until,
            opted_out,
            nhs_no: dice.chance(care.nhs_no).then(|| nhs_number(person.number)),
            uprn: dice.chance(care.uprn).then(|| format!("9990{:08}", person.household * 7 + 1)),
            given_name: written(dice, person.given_name, care.slip),
            family_name: written(dice, person.family_name, care.slip),
            born: dice.chance(care.born).then(|| swapped(dice, person.born, care.born_swapped)),
            ethnic_group: dice.chance(care.ethnic_group).then_some(person.ethnic_group),
            sex: dice.chance(care.sex).then_some(person.sex),
        }
    }

    /// Whether they are on the register at the end of a month.
    pub(super) fn is_there(&self, month: Month) -> bool {
        self.since <= month && self.until.is_none_or(|until| month < until)
    }

    /// Whether they have opted out by the end of a month.
    pub(super) fn is_out(&self, month: Month) -> bool {
        self.opted_out.is_some_and(|since| since <= month)
    }
}

/// Ten digits with the check digit of NHS numbers, all from the range 999 that is kept for tests.
pub(super) fn nhs_number(person: u64) -> String {
    // Of ten numbers in a row at most one has no check digit, so nine people find one each among them.
    let candidates = (0..10).map(|step| 999_000_000 + person / 9 * 10 + step);
    let mut valid = candidates.filter_map(|nine| Some(format!("{nine}{}", check_digit(nine)?)));
    valid.nth((person % 9) as usize).unwrap_or_default()
}

fn check_digit(nine: u64) -> Option<u64> {
    let digits = (0..9_u32).map(|place| nine / 10_u64.pow(place) % 10 * u64::from(place + 2));
    match 11 - digits.sum::<u64>() % 11 {
        11 => Some(0),
        10 => None,
        digit => Some(digit),
    }
}

/// A name as it was typed.
fn written(dice: &mut Dice, name: &str, slip: f64) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    if !dice.chance(slip) || letters.len() < 4 {
        return name.to_owned();
    }
    let at = dice.between(1, letters.len() as i64 - 2) as usize;
    match dice.below(3) {
        0 => letters.swap(at, at + 1),
        1 => {
            letters.remove(at);
        }
        _ => letters.insert(at, letters.get(at).copied().unwrap_or('e')),
    }
    letters.into_iter().collect()
}

/// A day of birth, in a few cases with day and month the other way round.
fn swapped(dice: &mut Dice, day: NaiveDate, slip: f64) -> NaiveDate {
    let other = NaiveDate::from_ymd_opt(day.year(), day.day(), day.month());
    if dice.chance(slip) { other.unwrap_or(day) } else { day }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nhs_numbers_are_valid_and_everybody_has_their_own() {
        assert_eq!(check_digit(943_476_591), Some(9), "943 476 5919, the NHS's own example");
        let numbers: BTreeSet<String> = (0..super::super::PEOPLE_MAX).step_by(17).map(nhs_number).collect();
        assert_eq!(numbers.len() as u64, super::super::PEOPLE_MAX.div_ceil(17));
        assert!(numbers.iter().all(|number| number.len() == 10 && number.starts_with("999")));
    }

    #[test]
    fn each_organisation_numbers_people_one_to_one_and_in_its_own_order() {
        for holder in Holder::ALL {
            let numbers: BTreeSet<String> = (0..200_000).map(|person| holder.number(person)).collect();
            assert_eq!(numbers.len(), 200_000, "{holder:?}");
        }
        assert_ne!(Holder::Nhs.number(5)[1..], Holder::Council.number(5)[1..]);
    }
}
