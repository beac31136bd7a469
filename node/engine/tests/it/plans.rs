//! Thousands of random plans never reach a permit while they touch a column in a use that it lacks. The questions, and what they
//! touch, come from trees of our own (`plans/checker.rs`); what the node would say of them comes from the node's own planner.
//!
//! `LIQUID_PLANS=100000 cargo test … plans` asks more of them, `LIQUID_PLANS_SEED` other ones.

mod below;
mod checker;
mod conditions;
mod dice;
mod generate;
mod language;
mod people;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use liquid_engine::offline::{Question, Tables, explain};
use liquid_policy::admit::{Caller, Named};
use liquid_policy::id::Purpose;
use liquid_policy::{Agreement, parse};

use dice::Dice;
use world::World;

/// Questions to one agreement.
const EACH: usize = 25;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap())
}

/// Who asks, for what, on which day; and whether they may.
fn asker(dice: &mut Dice) -> (Caller, Purpose, &'static str, bool) {
    let wrong = if dice.percent(4) { dice.below(4) } else { 9 };
    let purpose = Purpose::new(if wrong == 0 { "fraud" } else { "care" });
    let caller = Caller {
        organisation: if wrong == 1 { "south" } else { "north" }.into(),
        roles: vec![if wrong == 2 { "clerk" } else { "analyst" }.into()],
        subject: "ann".into(),
        purposes: vec![purpose.clone()],
    };
    (caller, purpose, if wrong == 3 { "2025-12-31" } else { "2026-03-01" }, wrong == 9)
}

fn agreement(world: &World) -> Agreement {
    let text = world.agreement();
    parse(&text, "agreement.toml").unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

/// What came of many questions.
#[derive(Default)]
struct Tally {
    asked: u64,
    codes: BTreeMap<String, u64>,
    /// What was wrong, where it was one thing alone.
    reasons: BTreeMap<String, u64>,
    /// Nothing was found against them, and they are questions.
    clean: u64,
    holes: Vec<String>,
}

impl Tally {
    fn count(&mut self, said: String, reasons: &BTreeSet<String>, text: impl FnOnce() -> String) {
        self.asked += 1;
        self.clean += u64::from(reasons.is_empty() && said != "invalid");
        if said == "permit" && !reasons.is_empty() {
            self.holes.push(text());
        }
        if let [only] = reasons.iter().collect::<Vec<_>>().as_slice() {
            // Without the names of tables and columns.
            let kind = only.split(' ').filter(|word| !word.contains('.')).collect::<Vec<_>>().join(" ");
            *self.reasons.entry(kind).or_default() += 1;
        }
        *self.codes.entry(said).or_default() += 1;
    }

    /// A test that permits nothing, or is refused for one thing alone, would say nothing.
    fn assert_worth(&self) {
        let share = |count: u64| count as f64 / self.asked as f64;
        let code = |name: &str| share(self.codes.get(name).copied().unwrap_or_default());
        assert!(code("permit") > 0.25, "{:?}", self.codes);
        assert!(code("invalid") < 0.10, "{:?}", self.codes);
        for name in [
            "AGG_REQUIRED",
            "COLUMN_USE",
            "EXPRESSION",
            "FUNCTION",
            "JOIN_KEY",
            "PLAN_NODE",
            "LITERAL_COMPARE",
        ] {
            assert!(code(name) > 0.01, "{name}: {:?}", self.codes);
        }
        for name in ["STATEMENT", "LIMIT", "PURPOSE", "RECIPIENT", "NOT_IN_FORCE"] {
            assert!(code(name) > 0.002, "{name}: {:?}", self.codes);
        }
        let permits = self.codes.get("permit").copied().unwrap_or_default();
        assert!(permits as f64 / self.clean as f64 > 0.7, "{permits} of {} are permitted", self.clean);
        // Each of these stood by itself against some question, so that nothing else would have refused it.
        for kind in [
            "in the position Filter",
            "in the position Group",
            "in the position Join",
            "inside `sum`",
            "inside `avg`",
            "inside `count`",
            "is compared with a day within its month",
            "a column is added up under a condition that reads it",
            "a joined row could speak of two people",
            "an outer join",
            "single rows leave",
            "a count by person off the steps",
            "by person, of which some may be missing",
        ] {
            assert!(self.reasons.contains_key(kind), "{kind}: {:#?}", self.reasons);
        }
    }
}

#[tokio::test]
async fn no_random_plan_is_permitted_while_it_touches_a_column_in_a_use_that_it_lacks() {
    let (count, seed) = (number("LIQUID_PLANS", 6_000), number("LIQUID_PLANS_SEED", 1));
    let mut dice = Dice::new(seed);
    let mut tally = Tally::default();
    while tally.asked < count {
        let world = World::roll(&mut dice);
        let agreement = agreement(&world);
        let tables = Tables::read(&world.schema(dice.percent(30)), Path::new("schema.sql")).await.unwrap();
        for _ in 0..EACH {
            let query = generate::question(&world, &mut dice);
            let (caller, purpose, today, known) = asker(&mut dice);
            let sql = query.sql(&world);
            let named = Named { purpose: Some(&purpose), ..Named::default() };
            let today = today.parse().unwrap();
            let question = Question { caller: &caller, named, today, sql: &sql, parameters: &[] };
            let verdict = explain(&agreement, &tables, &question).await;
            let said = match &verdict {
                Ok(verdict) => verdict.code().map_or_else(|| "permit".to_owned(), |code| code.to_string()),
                Err(_) => "invalid".to_owned(),
            };
            let mut reasons = checker::reasons(&world, &query);
            if !known {
                reasons.insert("asked by somebody else, for something else, or on another day".to_owned());
            }
            tally.count(said, &reasons, || format!("{reasons:?}\n{sql}\n{}", world.agreement()));
        }
    }
    println!("{} plans: {:?}; nothing against {}", tally.asked, tally.codes, tally.clean);
    println!("one thing alone against them: {:#?}", tally.reasons);
    let shortest = tally.holes.iter().min_by_key(|hole| hole.len());
    assert!(tally.holes.is_empty(), "{} holes, the shortest:\n{}", tally.holes.len(), shortest.unwrap());
    tally.assert_worth();
}
