//! Thousands of random plans never reach a permit while they touch a column in a use that it lacks. The questions, and what they
//! touch, come from trees of our own (`plans/checker.rs`); what the node would say of them comes from the node's own planner.
//!
//! `LIQUID_PLANS=100000 cargo test … plans` asks more of them, `LIQUID_PLANS_SEED` other ones.

mod checker;
mod dice;
mod generate;
mod language;
mod world;

use std::collections::BTreeMap;
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

#[tokio::test]
async fn no_random_plan_is_permitted_while_it_touches_a_column_in_a_use_that_it_lacks() {
    let (count, seed) = (number("LIQUID_PLANS", 4_000), number("LIQUID_PLANS_SEED", 1));
    let mut dice = Dice::new(seed);
    let (mut codes, mut why) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
    let (mut clean, mut clean_permits, mut holes) = (0, 0, Vec::new());
    let mut asked = 0;
    while asked < count {
        let world = World::roll(&mut dice);
        let agreement = agreement(&world);
        let tables = Tables::read(&world.schema(dice.percent(30)), Path::new("schema.sql")).await.unwrap();
        for _ in 0..EACH {
            let query = generate::question(&world, &mut dice);
            let (caller, purpose, today, known) = asker(&mut dice);
            let sql = query.sql(&world);
            let named = Named { purpose: Some(&purpose), ..Named::default() };
            let question = Question {
                caller: &caller,
                named,
                today: today.parse().unwrap(),
                sql: &sql,
                parameters: &[],
            };
            let verdict = explain(&agreement, &tables, &question).await;
            let reasons = checker::reasons(&world, &query);
            let said = match &verdict {
                Ok(verdict) => verdict.code().map_or_else(|| "permit".to_owned(), |code| code.to_string()),
                Err(error) => {
                    if std::env::var_os("LIQUID_PLANS_SHOW").is_some() {
                        println!("{error}\n  {sql}");
                    }
                    "invalid".to_owned()
                }
            };
            if said == "permit" && !(known && reasons.is_empty()) {
                holes.push(format!("{reasons:?} {known}\n{sql}\n{}", world.agreement()));
            }
            if known && reasons.is_empty() && said != "invalid" {
                clean += 1;
                clean_permits += usize::from(said == "permit");
                if said != "permit" && std::env::var_os("LIQUID_PLANS_SHOW").is_some() {
                    println!("clean: {}\n  {sql}", verdict.as_ref().unwrap());
                }
            }
            if let [only] = reasons.iter().collect::<Vec<_>>().as_slice() {
                let kind: String = only.split_whitespace().skip_while(|it| it.contains('.')).collect::<Vec<_>>().join(" ");
                *why.entry(kind).or_default() += 1;
            }
            *codes.entry(said).or_default() += 1;
            asked += 1;
        }
    }
    println!("{asked} plans: {codes:?}; without a reason against them {clean}, of these permitted {clean_permits}");
    println!("with one reason alone: {why:#?}");
    assert!(holes.is_empty(), "{} holes, the shortest:\n{}", holes.len(), holes.iter().min_by_key(|it| it.len()).unwrap());
}
