//! What everybody who uses the data may rely on: who is where, how much there is, how well it can be matched, what a month changes.

use std::collections::{BTreeMap, BTreeSet};

use ring::digest::{Context, SHA256};

use super::sheet::key;
use super::*;

/// The tables of a holder by name.
fn tables(county: &County, holder: Holder, month: Month) -> BTreeMap<&'static str, Sheet> {
    holder.tables(county, month).into_iter().map(|sheet| (sheet.name, sheet)).collect()
}

fn at(sheet: &Sheet, column: &str) -> usize {
    sheet.columns.iter().position(|(name, _)| *name == column).unwrap()
}

fn column<'a>(sheet: &'a Sheet, name: &str) -> impl Iterator<Item = &'a Value> {
    let at = at(sheet, name);
    sheet.rows.iter().map(move |row| &row[at])
}

fn missing(sheet: &Sheet, name: &str) -> f64 {
    let none = column(sheet, name).filter(|value| **value == Value::Missing).count();
    none as f64 / sheet.rows.len() as f64
}

fn by_key(sheet: &Sheet) -> BTreeMap<&str, &Vec<Value>> {
    sheet.rows.iter().map(|row| (key(row), row)).collect()
}

/// The column of an event table that names the person, and the register with these people.
fn register(holder: Holder) -> (&'static str, &'static str) {
    match holder {
        Holder::Nhs => ("patient_id", "patients"),
        Holder::Council => ("resident_id", "residents"),
        Holder::Police => ("person_ref", "people"),
        Holder::Schools => ("pupil_id", "pupils"),
    }
}

#[test]
fn there_is_as_much_as_is_said() {
    let county = County::new(SEED, PEOPLE);
    let mut sizes = Vec::new();
    for holder in Holder::ALL {
        let sheets = holder.tables(&county, Month::NEWEST);
        sizes.extend(sheets.iter().map(|sheet| (sheet.name, sheet.rows.len())));
    }
    assert_eq!(
        sizes,
        [
            ("patients", 19_156),
            ("admissions", 3_849),
            ("contacts", 17_453),
            ("referrals", 6_013),
            ("residents", 18_619),
            ("social_care", 1_117),
            ("housing", 2_090),
            ("benefits", 2_042),
            ("people", 4_109),
            ("incidents", 2_778),
            ("involved", 4_641),
            ("pupils", 2_773),
            ("absence", 14_399),
            ("attainment", 8_322),
        ]
    );
}

/// The agreement leaves them out; the county's story counts the others.
#[test]
fn one_in_twenty_has_opted_out() {
    let county = County::new(SEED, PEOPLE);
    let counts =
        [(Holder::Nhs, 18_274), (Holder::Council, 17_769), (Holder::Police, 3_914), (Holder::Schools, 2_653)];
    for (holder, count) in counts {
        let register = &tables(&county, holder, Month::NEWEST)[register(holder).1];
        let there = column(register, "opted_out").filter(|out| **out == Value::Flag(false)).count();
        assert_eq!(there, count, "{holder:?}");
    }
}

#[test]
fn wards_are_of_very_different_sizes() {
    let county = County::new(SEED, PEOPLE);
    let patients = &tables(&county, Holder::Nhs, Month::NEWEST)["patients"];
    let mut wards: BTreeMap<&str, usize> = BTreeMap::new();
    for value in column(patients, "ward") {
        let Value::Text(ward) = value else { panic!("everybody has a ward") };
        *wards.entry(ward).or_default() += 1;
    }
    assert_eq!(wards.len(), 20);
    assert!(wards["Castle"] > 3_000 && (20..80).contains(&wards["Tarn"]), "{wards:?}");
}

#[test]
fn a_column_holds_values_of_its_kind_alone() {
    let county = County::new(SEED, 2_000);
    for sheet in Holder::ALL.iter().flat_map(|holder| holder.tables(&county, Month::NEWEST)) {
        let batch = sheet.batch().unwrap();
        assert_eq!(batch.num_rows(), sheet.rows.len());
        for (at, (name, _)) in sheet.columns.iter().enumerate() {
            let there = column(&sheet, name).filter(|value| **value != Value::Missing).count();
            assert_eq!(
                batch.column(at).len() - batch.column(at).null_count(),
                there,
                "{}.{name}",
                sheet.name
            );
            assert!(there > 0, "{}.{name}", sheet.name);
        }
        let keys: BTreeSet<&str> = sheet.rows.iter().map(|row| key(row)).collect();
        assert_eq!(keys.len(), sheet.rows.len(), "{}", sheet.name);
    }
}

/// The same people at all four: who is who is known, and what the organisations have written down of one person is mostly alike.
#[test]
fn the_same_people_are_at_all_four() {
    let county = County::new(SEED, PEOPLE);
    let truth = county.truth();
    let of = |holder: Holder| {
        let (id, name) = register(holder);
        let place = at(&truth, id);
        (place, tables(&county, holder, Month::NEWEST).remove(name).unwrap())
    };
    let registers = Holder::ALL.map(of);
    let rows = registers.each_ref().map(|(_, sheet)| by_key(sheet));
    let mut at_all_four = 0;
    let mut alike: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for person in &truth.rows {
        let found: Vec<Option<&&Vec<Value>>> = registers
            .iter()
            .zip(&rows)
            .map(|((place, _), rows)| match &person[*place] {
                Value::Text(id) => rows.get(id.as_str()),
                _ => None,
            })
            .collect();
        at_all_four += usize::from(found.iter().all(Option::is_some));
        if let (Some(patient), Some(resident)) = (found[0], found[1]) {
            for name in ["nhs_no", "uprn", "given_name", "family_name", "date_of_birth"] {
                let one = &patient[at(&registers[0].1, name)];
                let other = &resident[at(&registers[1].1, name)];
                if *one != Value::Missing && *other != Value::Missing {
                    let (both, same) = alike.entry(name).or_default();
                    *both += 1;
                    *same += usize::from(one == other);
                }
            }
        }
    }
    assert!(at_all_four > 300, "{at_all_four}");
    let share = |name: &str| alike[name].1 as f64 / alike[name].0 as f64;
    assert!(share("nhs_no") == 1.0 && share("uprn") == 1.0);
    assert!((2_000..4_500).contains(&alike["nhs_no"].0), "{:?}", alike["nhs_no"]);
    assert!((0.93..0.97).contains(&share("given_name")), "{}", share("given_name"));
    // Day and month change places, which shows where the day is one that a month can be.
    assert!((0.99..0.997).contains(&share("date_of_birth")), "{}", share("date_of_birth"));
}

/// The keys have the gaps that each organisation's work leaves.
#[test]
fn keys_are_missing_where_an_organisation_has_no_need_of_them() {
    let county = County::new(SEED, PEOPLE);
    let gaps = |holder: Holder, column: &str| {
        missing(&tables(&county, holder, Month::NEWEST)[register(holder).1], column)
    };
    assert!((0.0..0.02).contains(&gaps(Holder::Nhs, "nhs_no")));
    assert!((0.80..0.84).contains(&gaps(Holder::Council, "nhs_no")));
    assert!((0.37..0.43).contains(&gaps(Holder::Police, "uprn")));
    assert!((0.13..0.17).contains(&gaps(Holder::Police, "date_of_birth")));
    assert_eq!(gaps(Holder::Schools, "date_of_birth"), 0.0);
}

#[test]
fn pupils_are_children() {
    let county = County::new(SEED, PEOPLE);
    let end = Month::NEWEST.last_day();
    let schools = tables(&county, Holder::Schools, Month::NEWEST);
    let truth = county.truth();
    let place = at(&truth, "pupil_id");
    let pupils = by_key(&schools["pupils"]);
    let mut seen = 0;
    for (row, person) in truth.rows.iter().zip(&county.people) {
        if let Value::Text(id) = &row[place]
            && pupils.contains_key(id.as_str())
        {
            assert!((5..=15).contains(&person.age(end)));
            seen += 1;
        }
    }
    assert_eq!(seen, pupils.len());
}

/// Some cost a hundred times what most do.
#[test]
fn costs_have_a_heavy_tail() {
    let county = County::new(SEED, PEOPLE);
    let admissions = &tables(&county, Holder::Nhs, Month::NEWEST)["admissions"];
    let mut costs: Vec<f64> = column(admissions, "cost")
        .filter_map(|value| if let Value::Real(cost) = value { Some(*cost) } else { None })
        .collect();
    costs.sort_by(f64::total_cmp);
    let median = costs[costs.len() / 2];
    assert!(costs[costs.len() - 1] > 20.0 * median, "{median} {:?}", costs.last());
    let gaps = missing(admissions, "cost");
    assert!((0.03..0.15).contains(&gaps), "{gaps}");
}

/// Everything that is written, as one number. It changes with the generator alone.
#[test]
fn the_same_seed_gives_the_same_data() {
    let digest = |seed| {
        let county = County::new(seed, 1_000);
        let mut context = Context::new(&SHA256);
        for month in [Month::FIRST, Month::NEWEST] {
            for sheet in Holder::ALL.iter().flat_map(|holder| holder.tables(&county, month)) {
                context.update(format!("{} {:?}", sheet.name, sheet.rows).as_bytes());
            }
        }
        context.update(format!("{:?}", county.truth().rows).as_bytes());
        context.finish().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    assert_ne!(digest(SEED), digest(SEED + 1));
    assert_eq!(digest(SEED), "1528e4243a36df79");
}

/// More people leave those who are there as they are.
#[test]
fn a_larger_county_holds_the_smaller_one() {
    let (small, large) = (County::new(SEED, 500), County::new(SEED, 800));
    for holder in [Holder::Nhs, Holder::Council, Holder::Schools] {
        let (id, name) = register(holder);
        let few = tables(&small, holder, Month::NEWEST).remove(name).unwrap();
        let many = tables(&large, holder, Month::NEWEST).remove(name).unwrap();
        let many = by_key(&many);
        assert!(few.rows.iter().all(|row| many.get(key(row)) == Some(&row)), "{id}");
    }
}

/// Month by month: mostly more rows, a few others changed or gone, opt-outs that stay, and no event of somebody unknown.
#[test]
fn a_month_adds_much_and_changes_little() {
    let county = County::new(SEED, 4_000);
    let months: Vec<Month> = Month::snapshots().collect();
    let (mut added, mut changed, mut gone, mut opted) = (0, 0, 0, 0);
    for holder in Holder::ALL {
        let (person, name) = register(holder);
        let mut before = tables(&county, holder, months[0]);
        for month in &months[1..] {
            let after = tables(&county, holder, *month);
            let known = by_key(&after[name]);
            for sheet in after.values() {
                if let Some((at, _)) = sheet.columns.iter().enumerate().find(|(_, (name, _))| *name == person)
                {
                    let theirs = |row: &&Vec<Value>| matches!(&row[at], Value::Text(id) if known.contains_key(id.as_str()));
                    assert!(sheet.rows.iter().all(|row| theirs(&row)), "{} of {month}", sheet.name);
                }
                let (old, new) = (by_key(&before[sheet.name]), by_key(sheet));
                added += new.keys().filter(|key| !old.contains_key(*key)).count();
                gone += old.keys().filter(|key| !new.contains_key(*key)).count();
                changed +=
                    old.iter().filter(|(key, row)| new.get(*key).is_some_and(|now| now != *row)).count();
            }
            let out = at(&after[name], "opted_out");
            for (key, row) in by_key(&before[name]) {
                let Some(now) = known.get(key) else { continue };
                assert!(
                    row[out] == Value::Flag(false) || now[out] == Value::Flag(true),
                    "an opt-out is undone"
                );
                opted += usize::from(row[out] != now[out]);
            }
            before = after;
        }
    }
    assert!(added > 5 * gone && gone > 50 && changed > 200 && opted > 20, "{added} {gone} {changed} {opted}");
}

#[test]
fn files_lie_where_they_are_said_to() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), SEED, 200, Month::snapshots()).unwrap();
    for month in Month::snapshots() {
        for holder in Holder::ALL {
            for sheet in holder.tables(&County::new(SEED, 200), month) {
                let path = place(folder.path(), holder, month).join(format!("{}.parquet", sheet.name));
                assert!(path.is_file(), "{}", path.display());
            }
        }
    }
    assert!(folder.path().join("northshire-nhs/snapshots/2025-07/admissions.parquet").is_file());
    assert!(folder.path().join("truth/people.parquet").is_file());
}

#[test]
fn there_are_as_many_people_as_the_scale_says() {
    assert_eq!(people_at(1.0), Some(20_000));
    assert_eq!(people_at(0.05), Some(1_000));
    assert_eq!(people_at(45.0), Some(900_000));
    assert_eq!(people_at(46.0), None);
    assert_eq!(people_at(0.000_01), None);
}

/// What is generated, what the sites share and what the agreement opens are spelt alike.
#[test]
fn tables_models_and_the_agreement_name_the_same_columns() {
    let agreement = liquid_policy::parse(AGREEMENT, "agreement.toml").unwrap();
    let county = County::new(SEED, 2_000);
    let mut seen = 0;
    for holder in Holder::ALL {
        let model: toml::Table = holder.shares().0.parse().unwrap();
        let own = tables(&county, holder, Month::NEWEST);
        let (names, shared) = holder.names();
        assert_eq!(own.keys().copied().collect::<BTreeSet<_>>(), names.iter().copied().collect());
        let modelled = model["table"].as_array().unwrap();
        assert_eq!(modelled.iter().map(|table| table["name"].as_str().unwrap()).collect::<Vec<_>>(), shared);
        for table in modelled {
            let name = table["name"].as_str().unwrap();
            let columns: BTreeSet<&str> =
                table["column"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
            let opened = &agreement.tables()[&TableName::new(name)];
            assert_eq!(columns, opened.columns().keys().map(|it| it.as_str()).collect(), "{name}");
            seen += 1;
            // Every value that occurs is declared: one that is not would be NULL in silence.
            for (column, declared) in opened.columns() {
                let Some(liquid_policy::table::Domain::Values(values)) = &declared.rule.domain else {
                    continue;
                };
                let Some(at) = own[name].columns.iter().position(|(it, _)| *it == column.as_str()) else {
                    continue;
                };
                let said: BTreeSet<String> = values.iter().map(ToString::to_string).collect();
                for row in &own[name].rows {
                    let value = match &row[at] {
                        Value::Text(text) => text.clone(),
                        Value::Flag(flag) => flag.to_string(),
                        _ => continue,
                    };
                    assert!(said.contains(&value), "{name}.{column}: {value}");
                }
            }
        }
    }
    assert_eq!(seen, agreement.tables().len());
}
