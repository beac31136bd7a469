//! The wellbeing federation: one invented county, the same people at four organisations, two years of what happened to them.
//!
//! 1. `dice`: throws that are the same everywhere; `month`: the time; `county`: wards, schools, names.
//! 2. `people`: who there is; `member`: what an organisation knows of somebody, with slips and gaps; `entry`: the life of a row.
//! 3. `nhs`, `council`, `police`, `schools`: the tables of each, at the end of a month; `sheet`: a table as a file.
//! 4. Here: the folder that [`generate`] writes, and the federation over it.
//!
//! ```text
//! FOLDER/SITE/snapshots/2025-01/TABLE.parquet    what the organisation has at the end of January 2025
//!        truth/people.parquet                    who is who; at no site, for judging how well records were matched
//! ```
//!
//! From one month to the next rows are added, some of them late; a few are corrected or taken out, a few people opt out, come
//! or leave. `data/wellbeing/README.md` says more.

mod council;
mod county;
mod dice;
mod entry;
mod member;
mod month;
mod nhs;
mod people;
mod police;
mod schools;
mod sheet;

use std::path::{Path, PathBuf};

use liquid_node_api::catalogue::Kind;
use liquid_policy::id::{OrganisationName, SiteName, TableName};

pub use self::month::Month;
use self::people::{Person, population};
use self::sheet::{Sheet, Value};
use crate::Error;
use crate::blueprint::{Blueprint, Connect, Content, SitePlan, Source};

/// The agreement that all four organisations sign.
pub const AGREEMENT: &str = include_str!("../../../policies/examples/wellbeing/agreement.toml");
/// People at scale 1.
pub const PEOPLE: u64 = 20_000;
/// Fewest people that make a county worth asking about.
pub const PEOPLE_MIN: u64 = 1_000;
/// Most people that there can be: each has an NHS number of the range that is kept for tests.
pub const PEOPLE_MAX: u64 = 900_000;
/// From what everything is thrown.
pub const SEED: u64 = 2026;

/// Who holds data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// The NHS trust.
    Nhs,
    /// The council.
    Council,
    /// The police.
    Police,
    /// The school trust.
    Schools,
}

impl Holder {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Nhs, Self::Council, Self::Police, Self::Schools];

    /// Its name as an organisation and as a site.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nhs => "northshire-nhs",
            Self::Council => "northshire-council",
            Self::Police => "northshire-police",
            Self::Schools => "northshire-schools",
        }
    }

    /// The tables that it shares, as a schema and as the views that make them of its own.
    fn shares(self) -> (&'static str, &'static str) {
        match self {
            Self::Nhs => {
                (include_str!("../data/wellbeing/nhs.toml"), include_str!("../data/wellbeing/nhs.sql"))
            }
            Self::Council => (
                include_str!("../data/wellbeing/council.toml"),
                include_str!("../data/wellbeing/council.sql"),
            ),
            Self::Police => {
                (include_str!("../data/wellbeing/police.toml"), include_str!("../data/wellbeing/police.sql"))
            }
            Self::Schools => (
                include_str!("../data/wellbeing/schools.toml"),
                include_str!("../data/wellbeing/schools.sql"),
            ),
        }
    }

    /// Its own tables, and those of them that it shares.
    fn names(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Nhs => (&NHS, &NHS),
            Self::Council => (&COUNCIL, &COUNCIL),
            Self::Police => (&["people", "incidents", "involved"], &["people", "involved"]),
            Self::Schools => (&SCHOOLS, &SCHOOLS),
        }
    }

    fn tables(self, county: &County, month: Month) -> Vec<Sheet> {
        match self {
            Self::Nhs => nhs::tables(county, month),
            Self::Council => council::tables(county, month),
            Self::Police => police::tables(county, month),
            Self::Schools => schools::tables(county, month),
        }
    }
}

const NHS: [&str; 4] = ["patients", "admissions", "contacts", "referrals"];
const COUNCIL: [&str; 4] = ["residents", "social_care", "housing", "benefits"];
const SCHOOLS: [&str; 3] = ["pupils", "absence", "attainment"];

/// The federation over what [`generate`] has written into `folder` for a month. Half of its nodes are dialled, the others dial.
pub fn blueprint(folder: &Path, month: Month) -> Blueprint {
    let sites = Holder::ALL.into_iter().enumerate().map(|(at, holder)| {
        let place = place(folder, holder, month);
        let (own, shared) = holder.names();
        let (model, views) = holder.shares();
        let source = |table: &&str| Source {
            name: format!("raw_{table}"),
            file: format!("{table}.parquet"),
            format: "parquet".to_owned(),
            null: None,
            delimiter: None,
            content: Content::File(place.join(format!("{table}.parquet"))),
        };
        SitePlan {
            site: SiteName::new(holder.name()),
            organisation: OrganisationName::new(holder.name()),
            model: model.to_owned(),
            agreements: vec![AGREEMENT.to_owned()],
            beside: vec![],
            sources: own.iter().map(source).collect(),
            views: views.to_owned(),
            tables: Some(shared.iter().copied().map(TableName::new).collect()),
            connect: if at.is_multiple_of(2) { Connect::Inbound } else { Connect::Outbound { port: true } },
        }
    });
    Blueprint { name: "wellbeing".to_owned(), sites: sites.collect() }
}

/// The county and everybody in it.
struct County {
    seed: u64,
    people: Vec<Person>,
}

impl County {
    fn new(seed: u64, count: u64) -> Self {
        Self { seed, people: population(seed, count) }
    }

    /// Who is who: the number that each organisation gives each person, if it ever has them on its register.
    fn truth(&self) -> Sheet {
        let mut sheet = Sheet::new(
            "people",
            &[
                ("person", Kind::Integer),
                ("patient_id", Kind::Text),
                ("resident_id", Kind::Text),
                ("person_ref", Kind::Text),
                ("pupil_id", Kind::Text),
            ],
        );
        let police = police::known(self);
        for person in &self.people {
            let id = |holder: Holder, knows: bool| Value::from(knows.then(|| holder.number(person.number)));
            sheet.push([
                person.number.cast_signed().into(),
                id(Holder::Nhs, nhs::knows(self, person)),
                id(Holder::Council, council::knows(self, person)),
                id(Holder::Police, police.contains(&person.number)),
                id(Holder::Schools, schools::knows(self, person)),
            ]);
        }
        sheet
    }
}

/// How many people there are at a scale, if so many there can be.
pub fn people_at(scale: f64) -> Option<u64> {
    let people = (PEOPLE as f64 * scale).round();
    (people >= 1.0 && people <= PEOPLE_MAX as f64).then_some(people as u64)
}

/// Writes the organisations' tables at the ends of some months, and who is who. The same number of people and seed give
/// the same files.
///
/// # Errors
/// Where a file cannot be written.
pub fn generate(
    folder: &Path,
    seed: u64,
    people: u64,
    months: impl IntoIterator<Item = Month>,
) -> Result<(), Error> {
    let county = County::new(seed, people);
    for month in months {
        for holder in Holder::ALL {
            let place = place(folder, holder, month);
            holder.tables(&county, month).iter().try_for_each(|sheet| sheet.write(&place))?;
        }
    }
    county.truth().write(&folder.join("truth"))
}

/// Where an organisation's tables of a month lie.
pub fn place(folder: &Path, holder: Holder, month: Month) -> PathBuf {
    folder.join(holder.name()).join("snapshots").join(month.to_string())
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::machine("the data cannot be generated", error)
}

#[cfg(test)]
mod tests;
