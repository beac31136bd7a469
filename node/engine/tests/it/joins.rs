//! Joined tables: without a minimum the answer is DataFusion's own; with one, every count is held against a count row by row
//! in plain Rust; data that breaks what the agreement says of it is a fault.

mod question;
mod world;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::execution::context::SessionContext;
use datafusion::prelude::CsvReadOptions;
use liquid_node_api::Error;
use liquid_node_api::engine::Told;
use liquid_policy::decide::judge;
use liquid_policy::table::Obligations;
use liquid_policy::{Agreement, Refusal};
use proptest::prelude::*;

use self::question::{oracle, question};
use self::world::{FACTS, World, agreement, columns, regular, row, site};
use crate::site::{Front, caps, lines};

/// What is decided for a question at a front, and its plan.
async fn decided(front: &mut Front, sql: &str, agreement: &Agreement) -> (u64, Result<Obligations, Refusal>) {
    let tables: Vec<&str> = agreement.tables().keys().map(|name| name.as_str()).collect();
    let told = front.try_plan(sql, &[], &tables).await;
    let Told::Planned { plan, cuts, .. } = told else { panic!("{sql}: {told:?}") };
    (plan, judge(agreement, &cuts[0]))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The rows of an answer, sorted.
fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Without a minimum a join gives what DataFusion gives over the same files.
    #[test]
    fn without_a_minimum_a_join_is_the_join(world in World::strategy(), questions in prop::collection::vec(question(), 6)) {
        let open = agreement(1, ["", "", ""]);
        runtime().block_on(async {
            let (site, mut front) = site(&world).await;
            let plain = SessionContext::new();
            for table in world.tables.keys() {
                let path = site.path(&format!("{table}.csv"));
                // An empty file says nothing of types.
                let whole = ["pid", "vid", "cost"];
                let kind = |column| if whole.contains(&column) { DataType::Int64 } else { DataType::Utf8 };
                let columns = columns(table).iter().map(|column| Field::new(*column, kind(*column), true));
                let schema = Schema::new(columns.collect::<Vec<_>>());
                let options = CsvReadOptions::new().schema(&schema);
                plain.register_csv(*table, path.to_str().unwrap(), options).await.unwrap();
            }
            for question in &questions {
                let sql = question.sql();
                let (plan, obligations) = decided(&mut front, &sql, &open).await;
                let (_, cells) = front.run(plan, 0, &obligations.unwrap()).await;
                let frame = plain.sql(&sql).await.unwrap();
                let schema = frame.schema().inner().clone();
                let pooled = frame.collect().await.unwrap();
                let schema = pooled.first().map_or(schema, |batch| batch.schema());
                let pooled = arrow::compute::concat_batches(&schema, &pooled).unwrap();
                assert_eq!(sorted(lines(&cells)), sorted(lines(&pooled)), "{sql}");
            }
        });
    }

    /// With a minimum a join whose rows are those of one table is answered, no other; then every value, every count of
    /// contributors and of the left out is what counting row by row gives.
    #[test]
    fn with_a_minimum_every_count_is_what_counting_row_by_row_gives(
        world in World::strategy().prop_map(World::whole),
        questions in prop::collection::vec(question(), 9),
        k in 2..4_u32,
    ) {
        let guarded = agreement(k, FACTS);
        let k = usize::try_from(k).unwrap();
        runtime().block_on(async {
            let (_site, mut front) = site(&world).await;
            for question in &questions {
                let sql = question.sql();
                let (plan, obligations) = decided(&mut front, &sql, &guarded).await;
                let obligations = match obligations {
                    Ok(obligations) => obligations,
                    Err(refusal) => {
                        let refused = !question.of_one_table() || question.mixes() || question.repeats();
                        assert!(refused, "{sql}: {refusal}");
                        continue;
                    }
                };
                assert!(question.of_one_table() && !question.repeats(), "{sql}");
                assert!(obligations.parts.is_empty() || !question.mixes(), "{sql}");
                let (layout, cells) = front.run(plan, 0, &obligations).await;
                assert!(layout.guarded);
                let text = |name: &str, row: usize| {
                    let column = cells.column_by_name(name).unwrap().slice(row, 1);
                    let batch = arrow::array::RecordBatch::try_from_iter_with_nullable([(name, column, true)]);
                    lines(&batch.unwrap()).remove(0)
                };
                let found = (0..cells.num_rows()).map(|row| {
                    let keys: Vec<_> = (0..question.keys.len()).map(|at| text(&format!("g{at}"), row)).collect();
                    let mut line = keys.join(" ");
                    for at in 0..question.aggregates.len() {
                        let [a, c, l, s] = ["a", "c", "l", "s"].map(|what| match what {
                            "c" => text(&format!("c{at}_0"), row),
                            other => text(&format!("{other}{at}"), row),
                        });
                        // Where nobody can be left out, nobody is counted.
                        let sure = s == "true";
                        assert!(!sure || obligations.parts.is_empty(), "{sql}");
                        let l = if sure { k.to_string() } else { l };
                        line += &format!(" | {a} {c} {l}");
                    }
                    line
                });
                let (found, expected) = (found.collect(), oracle(question, &world, &obligations, k));
                assert_eq!(sorted(found), sorted(expected), "{sql}\n{:?}", obligations.parts);
            }
        });
    }
}

/// What becomes of a question over data that may break what the agreement says: lines, or the operator's text.
async fn asked(world: &World, agreement: &Agreement, sql: &str) -> Result<Vec<String>, String> {
    let (_site, mut front) = site(world).await;
    let (plan, obligations) = decided(&mut front, sql, agreement).await;
    match front.try_run(plan, 0, &obligations.unwrap(), caps()).await {
        (Told::Ran { .. }, attached) => Ok(lines(&crate::site::decode(&attached[0]))),
        (Told::Failed { error, detail }, _) => {
            let Error::Fault { .. } = error else { panic!("{error:?}") };
            let said = format!("{error:?}");
            let own = ["person", "visit", "pid", "vid", "1 ", "2 "];
            assert!(
                own.iter().all(|word| !said.contains(word)),
                "the caller is told nothing of data: {said}"
            );
            Err(detail)
        }
        (told, _) => panic!("{told:?}"),
    }
}

const BY_VISIT: &str = "SELECT count(*) FROM visit v JOIN treat t ON v.vid = t.vid";
const BY_PERSON: &str = "SELECT count(*) FROM person p JOIN visit v ON p.pid = v.pid";

#[tokio::test]
async fn references_that_hold_leave_nobody_out() {
    let declared = "join.references = { pid = \"visit.pid\" }";
    let [_, back, _] = FACTS;
    // present, contributors, left out, nobody can be.
    let found = asked(&regular(), &agreement(10, [declared, back, ""]), BY_PERSON).await;
    assert_eq!(found, Ok(vec!["40 10 10 0 true".to_owned()]));
    // One way alone: whoever has no visit would be left out, and nobody is, which may not be told.
    let found = asked(&regular(), &agreement(10, ["", back, ""]), BY_PERSON).await;
    assert_eq!(found, Ok(vec!["40 10 10 0 false".to_owned()]));
}

#[tokio::test]
async fn data_that_breaks_a_declared_fact_is_a_fault() {
    let open = |visit: &str| agreement(1, ["", visit, ""]);
    let [_, references, _] = FACTS;
    let at_most = |rows: u32| format!("rows_per_entity_max = {rows}");
    for minimum in [1, 10] {
        let visits = format!("{references}\n{}", at_most(2));
        let kept = agreement(minimum, [&at_most(1), &visits, ""]);
        assert!(asked(&regular(), &kept, BY_PERSON).await.is_ok());
    }

    let found = asked(&regular(), &open(&at_most(1)), BY_PERSON).await.unwrap_err();
    assert!(found.contains("table `visit`: 20 values of `pid` have more than 1 rows"), "{found}");

    let mut orphan = regular();
    orphan.tables.get_mut("visit").unwrap()[0].insert("pid", "99".to_owned());
    orphan.tables.get_mut("treat").unwrap()[0].insert("pid", "99".to_owned());
    let found = asked(&orphan, &open(references), BY_PERSON).await.unwrap_err();
    assert!(
        found.contains("table `visit`: 1 rows have a `pid` that stands nowhere in `person.pid`"),
        "{found}"
    );
    assert!(asked(&orphan, &open(""), BY_PERSON).await.is_ok());

    let other_type = agreement(1, ["join.references = { area = \"visit.vid\" }", "", ""]);
    let found = asked(&regular(), &other_type, BY_PERSON).await.unwrap_err();
    assert!(
        found.contains("`person.area` is a Utf8, and `visit.vid`, to which it refers, a Int64"),
        "{found}"
    );

    // All that is broken is told at once.
    let visits = format!("{references}\n{}", at_most(1));
    let found = asked(&orphan, &open(&visits), BY_PERSON).await.unwrap_err();
    assert!(
        found.lines().count() == 2 && found.contains("more than 1 rows") && found.contains("nowhere"),
        "{found}"
    );

    let mut twice = regular();
    let again = twice.tables["person"][0].clone();
    twice.tables.get_mut("person").unwrap().push(again);
    let found = asked(&twice, &open(""), BY_PERSON).await.unwrap_err();
    assert!(found.contains("table `person`: 1 values of `pid` stand in several rows"), "{found}");

    let mut shared = regular();
    shared.tables.get_mut("visit").unwrap()[0].insert("vid", "21".to_owned());
    let found = asked(&shared, &open(""), BY_VISIT).await.unwrap_err();
    assert!(found.contains("table `visit`: 1 values of `vid` stand with more than one `pid`"), "{found}");

    let mut other = regular();
    other.tables.get_mut("treat").unwrap()[0].insert("pid", "20".to_owned());
    let found = asked(&other, &open(""), BY_VISIT).await.unwrap_err();
    assert!(found.contains("1 values of `visit.vid` stand with another entity in `treat.vid`"), "{found}");
    // A join on the entity does not need that key.
    assert!(asked(&other, &open(""), BY_PERSON).await.is_ok());
}

/// Attack 26: a person's many rows are one person.
#[tokio::test]
async fn fan_out_counts_a_person_once() {
    let mut world = regular();
    world.tables.get_mut("visit").unwrap().truncate(1);
    for at in 0..40 {
        let vid = (5000 + at).to_string();
        let one = row(&[("pid", "1"), ("vid", &vid), ("ward", "W1"), ("cost", "3")]);
        world.tables.get_mut("visit").unwrap().push(one);
    }
    let sql = "SELECT count(*) FROM person p JOIN visit v USING (pid)";
    let found = asked(&world, &agreement(10, FACTS), sql).await;
    assert_eq!(found, Ok(vec!["41 1 1 10 false".to_owned()]));
}

/// Whether treatments lead to persons themselves or by way of their visits: whoever is left out is left out of both.
#[tokio::test]
async fn a_join_is_judged_alike_however_it_is_written() {
    // Persons 1 to 10 have neither visits nor treatments.
    let mut world = regular();
    for table in ["visit", "treat"] {
        world.tables.get_mut(table).unwrap().retain(|row| row["pid"].parse::<u32>().unwrap() > 10);
    }
    for (at, person) in world.tables.get_mut("person").unwrap().iter_mut().enumerate() {
        person.insert("sex", if !(2..=15).contains(&at) { "M" } else { "F" }.to_owned());
    }
    let sql = "SELECT p.sex, v.ward, count(*) FROM treat t JOIN visit v ON t.vid = v.vid JOIN person p ON ";
    let mut found = Vec::new();
    for written in ["t.pid = p.pid", "v.pid = p.pid"] {
        let sql = format!("{sql}{written} GROUP BY p.sex, v.ward");
        found.push(sorted(asked(&world, &agreement(3, FACTS), &sql).await.unwrap()));
    }
    // Present, contributors, left out: of the men two.
    assert_eq!(found[0], ["F W1 12 3 3 3 false", "M W1 8 3 3 2 false"]);
    assert_eq!(found[0], found[1]);
}
