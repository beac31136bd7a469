//! What analysts of a county ask: counts, totals and averages of what they deal with, by one or two things, now and then of a part.

/// A table: how it is read, what it is grouped by, whom it is about, what can be added up.
struct Table {
    from: &'static str,
    by: &'static [(&'static str, &'static [&'static str])],
    person: &'static str,
    figures: &'static [&'static str],
}

const WARD: &[&str] = &["Abbey", "Castle", "Eastgate", "Harbour", "Minster", "Riverside"];
const SEX: &[&str] = &["F", "M"];
const AGE: &[&str] = &["5-10", "11-15", "25-44", "65-79"];
const SERVICE: &[&str] = &["community nursing", "mental health", "school nursing", "physiotherapy"];
const CARE: &[&str] = &["home care", "residential care", "child in need"];
const TERM: &[&str] = &["2024-autumn", "2025-spring"];

/// What each of the five deals with: health, social care, police, schools, and everything.
const TABLES: [Table; 14] = [
    Table {
        from: "patients",
        by: &[("ward", WARD), ("sex", SEX), ("age_band", AGE), ("ethnic_group", &["White", "Asian"])],
        person: "patient_id",
        figures: &[],
    },
    Table {
        from: "admissions",
        by: &[("specialty", &["surgery", "emergency medicine"]), ("emergency", &[]), ("admitted", &[])],
        person: "patient_id",
        figures: &["sum(stay_days)", "avg(stay_days)", "avg(cost)"],
    },
    Table {
        from: "contacts",
        by: &[("service", SERVICE), ("mode", &["phone", "video"])],
        person: "patient_id",
        figures: &["sum(minutes)", "avg(minutes)"],
    },
    Table {
        from: "referrals",
        by: &[("service", SERVICE), ("source", &["GP", "school"]), ("opened", &[])],
        person: "patient_id",
        figures: &["avg(wait_days)"],
    },
    Table {
        from: "referrals r JOIN patients p ON r.patient_id = p.patient_id",
        by: &[("p.ward", WARD), ("r.service", SERVICE), ("p.age_band", AGE)],
        person: "p.patient_id",
        figures: &["avg(r.wait_days)"],
    },
    Table {
        from: "residents",
        by: &[("ward", WARD), ("sex", SEX), ("age_band", AGE)],
        person: "resident_id",
        figures: &[],
    },
    Table {
        from: "social_care",
        by: &[("service", CARE), ("started", &[])],
        person: "resident_id",
        figures: &["sum(weekly_cost)", "avg(weekly_cost)"],
    },
    Table {
        from: "housing",
        by: &[("tenure", &["council", "temporary"])],
        person: "resident_id",
        figures: &["avg(arrears)"],
    },
    Table {
        from: "benefits",
        by: &[("benefit", &["housing benefit"]), ("started", &[])],
        person: "resident_id",
        figures: &["sum(weekly_amount)", "avg(weekly_amount)"],
    },
    Table {
        from: "people",
        by: &[("ward", WARD), ("sex", SEX), ("age_band", AGE)],
        person: "person_ref",
        figures: &[],
    },
    Table {
        from: "involved",
        by: &[
            ("role", &["victim", "suspect"]),
            ("category", &["theft", "violence"]),
            ("incident_ward", WARD),
            ("occurred", &[]),
        ],
        person: "person_ref",
        figures: &[],
    },
    Table {
        from: "pupils",
        by: &[
            ("ward", WARD),
            ("school", &["Castle Primary", "Northshire High"]),
            ("sex", SEX),
            ("free_school_meals", &[]),
        ],
        person: "pupil_id",
        figures: &[],
    },
    Table {
        from: "absence",
        by: &[("term", TERM), ("ward", WARD)],
        person: "pupil_id",
        figures: &["sum(sessions_missed)", "avg(sessions_missed)"],
    },
    Table {
        from: "attainment",
        by: &[("subject", &["english", "maths"]), ("ward", WARD)],
        person: "pupil_id",
        figures: &["avg(score)"],
    },
];

/// Which of them each analyst asks about.
const ABOUT: [std::ops::Range<usize>; 5] = [0..5, 5..9, 9..11, 11..14, 0..14];

/// Numbers by chance, the same in every run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((number ^ (number >> 31)) % bound.max(1) as u64).unwrap_or(0)
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }
}

/// The questions of one analyst.
pub(crate) fn of(analyst: usize, many: usize) -> Vec<String> {
    let mut chance = Chance(analyst as u64 + 1);
    (0..many).filter_map(|_| question(&mut chance, analyst)).collect()
}

fn question(chance: &mut Chance, analyst: usize) -> Option<String> {
    let about = TABLES.get(ABOUT.get(analyst)?.clone())?;
    let table = chance.one(about)?;
    let mut by = vec![chance.one(table.by)?];
    if chance.below(5) < 2 {
        by.push(chance.one(table.by)?);
    }
    by.dedup_by_key(|column| column.0);
    let mut figures = vec!["count(*) AS n_0".to_owned()];
    match chance.below(5) {
        0 => figures = vec![format!("count(DISTINCT {}) AS n_0", table.person)],
        1 | 2 => figures.extend(chance.one(table.figures).map(|figure| format!("{figure} AS n_1"))),
        _ => {}
    }
    let only =
        table.by.iter().filter(|(name, values)| !values.is_empty() && by.iter().all(|it| it.0 != *name));
    let only: Vec<_> = only.collect();
    let only = chance.one(&only).copied().filter(|_| !only.is_empty()).copied();
    let condition = match (chance.below(5), only) {
        (0 | 1, Some((name, values))) => format!(" WHERE {name} = '{}'", chance.one(values)?),
        _ => String::new(),
    };
    let columns: Vec<&str> = by.iter().map(|column| column.0).collect();
    let shown = columns.iter().enumerate().map(|(at, column)| format!("{column} AS k_{at}"));
    let shown: Vec<String> = shown.chain(figures).collect();
    Some(format!(
        "SELECT {} FROM {}{condition} GROUP BY {}",
        shown.join(", "),
        table.from,
        columns.join(", ")
    ))
}
