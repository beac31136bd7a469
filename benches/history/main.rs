//! What it costs to judge every cell beside all that were released before: five analysts over generated people, month after month.
//!
//! Each month some move, come and leave, and some have another score. The analysts ask what they asked before, and something new: counts
//! and sums by one to three columns, now and then of a part. Printed for each month: how many cells were judged and withheld, how far the
//! history has grown, and how long a question took.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use liquid_disclosure::history::{Asked, Bounds, History, Recipe, Sum, Term, Verdict, Why};

const PEOPLE: u64 = 20_000;
const MINIMUM: usize = 10;

/// Values of each column: ward, band of age, sex, plan, school.
const COLUMNS: [u64; 5] = [20, 6, 2, 4, 12];

/// Numbers by chance, the same in every run (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % bound.max(1)
    }
}

#[derive(Clone)]
struct Person {
    number: u64,
    columns: [u64; 5],
    score: u64,
}

fn person(number: u64, chance: &mut Chance) -> Person {
    // Wards and schools differ in size.
    let columns = COLUMNS.map(|values| chance.below(values).min(chance.below(values + 2)));
    Person { number, columns, score: chance.below(100) }
}

/// What is grouped by, and of whom: a column's value, if any.
#[derive(Clone)]
struct Question {
    by: Vec<usize>,
    only: Option<(usize, u64)>,
    sum: bool,
}

fn question(chance: &mut Chance) -> Question {
    let column = |chance: &mut Chance| usize::try_from(chance.below(5)).unwrap_or(0);
    let mut by: Vec<usize> = (0..1 + chance.below(3)).map(|_| column(chance)).collect();
    by.sort_unstable();
    by.dedup();
    let only = (chance.below(3) == 0).then(|| {
        let column = column(chance);
        (column, chance.below(COLUMNS.get(column).copied().unwrap_or(1)))
    });
    Question { by, only: only.filter(|(column, _)| *column != 4), sum: chance.below(2) == 0 }
}

fn cells(question: &Question, people: &[Person]) -> Vec<Asked> {
    let value = |person: &Person, column: usize| person.columns.get(column).copied().unwrap_or(0);
    let mut groups: BTreeMap<Vec<u64>, (Sum, Sum)> = BTreeMap::new();
    for person in people {
        if question.only.is_some_and(|(column, only)| value(person, column) != only) {
            continue;
        }
        let key = question.by.iter().map(|column| value(person, *column)).collect();
        let (count, sum) = groups.entry(key).or_default();
        count.insert(Term { person: person.number, value: 0 }, 1);
        sum.insert(Term { person: person.number, value: 1 + person.score }, 1);
    }
    let mut asked = Vec::new();
    for (key, (count, sum)) in groups {
        let own = question.by.iter().copied().zip(key).chain(question.only).collect::<BTreeMap<usize, u64>>();
        let columns = own.keys().map(usize::to_string).collect();
        let recipe = Recipe { condition: format!("{own:?}"), columns };
        let withheld = count.len() < MINIMUM;
        asked.push(Asked { recipe: recipe.clone(), sum: count, withheld });
        if question.sum {
            asked.push(Asked { recipe, sum, withheld });
        }
    }
    asked
}

fn refreshed(people: Vec<Person>, next: &mut u64, chance: &mut Chance) -> Vec<Person> {
    let mut after: Vec<Person> = people.into_iter().filter(|_| chance.below(200) != 0).collect();
    for person in &mut after {
        if chance.below(100) == 0 {
            person.columns[0] = chance.below(COLUMNS[0]);
        }
        if chance.below(3) == 0 {
            person.score = chance.below(100);
        }
    }
    for _ in 0..100 {
        *next += 1;
        after.push(person(*next, chance));
    }
    after
}

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let months: u64 = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(3);
    let questions: usize = std::env::args().nth(2).and_then(|it| it.parse().ok()).unwrap_or(20);
    let mut chance = Chance(7);
    let mut next = PEOPLE;
    let mut people: Vec<Person> = (0..PEOPLE).map(|number| person(number, &mut chance)).collect();
    let asked: Vec<Question> = (0..questions).map(|_| question(&mut chance)).collect();
    let bounds = Bounds { rank: 20_000, classes: 200_000 };
    let mut history = History::new(MINIMUM);
    writeln!(
        out,
        "| month | cells | withheld as few | by history | rank | classes | a question, mean | longest |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    for month in 1..=months {
        let (mut judged, mut own, mut others) = (0, 0, 0);
        let (mut all, mut longest) = (Duration::ZERO, Duration::ZERO);
        for question in &asked {
            let cells = cells(question, &people);
            let start = Instant::now();
            let verdicts = history.judge(&cells, bounds);
            let took = start.elapsed();
            (all, longest) = (all + took, longest.max(took));
            judged += verdicts.len();
            own += verdicts.iter().filter(|it| **it == Verdict::Withheld(Why::Own)).count();
            others += verdicts.iter().filter(|it| **it != Verdict::Released).count();
        }
        let mean = all / u32::try_from(asked.len().max(1)).unwrap_or(1);
        writeln!(
            out,
            "| {month} | {judged} | {own} | {} | {} | {} | {mean:.1?} | {longest:.1?} |",
            others - own,
            history.rank(),
            history.classes(),
        )?;
        people = refreshed(people, &mut next, &mut chance);
    }
    Ok(())
}
