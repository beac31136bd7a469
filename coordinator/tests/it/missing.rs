//! Sites that are late, dead, refuse or lie: the rest is never held up, and nothing is left unsaid.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt8Array};
use async_trait::async_trait;
use bytes::Bytes;
use liquid_coordinator::Planner;
use liquid_coordinator::planner::{Ask, Told};
use liquid_node_api::Error;
use liquid_node_api::child::start_with;
use liquid_node_api::report::SiteState;
use liquid_node_api::worker::Worker;
use liquid_policy::{Code, Refusal};

use crate::world::{Manner, Reply, World, small};

const BY_SEX: &str = "SELECT sex, count(*) FROM cardiac GROUP BY sex";

/// Without site `c` there is an error that names it, its reason and the way on; with `min_sites` there is what `a` and
/// `b` have, and it is said what is missing.
async fn check_without_c(manner: Manner, reason: &str) -> Reply {
    let world = World::new(&small()).await;
    world.sites[2].does(manner);
    let error = world.ask_quickly(BY_SEX, None).await.unwrap_err();
    let Error::SiteMissing { sites, message, fix } = &error else { panic!("{error:?}") };
    assert_eq!(*sites, ["c"]);
    assert!(message.contains("2 of 3 sites answered") && message.contains(reason), "{message}");
    assert!(fix.contains("--set liquid.min_sites=2"), "{fix}");
    let reply = world.ask_quickly(BY_SEX, Some(2)).await.unwrap();
    assert_eq!(reply.text(), ["- 1", "f 2", "m 1"]);
    let counted =
        "SELECT sites_answered, sites_missing, state FROM system.queries WHERE state <> 'combining'";
    assert_eq!(world.ask(counted).await.unwrap().text(), ["2 1 answered", "2 1 failed"]);
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_site_does_not_hold_up_the_rest() {
    let started = Instant::now();
    let reply = check_without_c(Manner::Hung, "`c` did not answer within the deadline").await;
    assert_eq!(reply.states(), ["answered", "answered", "late"]);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_site_is_missing() {
    let reply = check_without_c(Manner::Dead, "`c` failed (it cannot be reached)").await;
    assert_eq!(reply.states(), ["answered", "answered", "failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_site_that_is_not_concerned_is_not_missed() {
    let world = World::new(&small()).await;
    world.sites[2].does(Manner::Dead);
    let reply = world.ask("SELECT count(*) FROM cardiac WHERE site <> 'c'").await.unwrap();
    assert_eq!(reply.text(), ["4"]);
    assert_eq!(reply.states(), ["answered", "answered", "not_concerned"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refusal_is_a_missing_site() {
    let refusal = Refusal::new(Code::Unsigned, "signoff", "a signature is missing", "sign it");
    let reply =
        check_without_c(Manner::Refuses(refusal), "`c` refused (UNSIGNED: a signature is missing; sign it)")
            .await;
    assert!(matches!(&reply.completeness.sites[2].state, SiteState::Refused { code, clause, .. }
        if code == "UNSIGNED" && clause == "signoff"));
}

/// The caller's token is good, as the coordinator and every site found: it is not they who must log in again.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_does_not_know_the_coordinator_is_missing() {
    let reply =
        check_without_c(Manner::TurnsAway, "`c` failed (it does not know this coordinator: only").await;
    assert_eq!(reply.states(), ["answered", "answered", "failed"]);
    let world = World::new(&small()).await;
    for site in &world.sites {
        site.does(Manner::TurnsAway);
    }
    let error = world.ask(BY_SEX).await.unwrap_err();
    assert!(
        matches!(&error, Error::SiteMissing { sites, message, .. }
        if sites.len() == 3 && message.contains("does not know this coordinator")),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_sites_than_there_are_cannot_be_asked_for() {
    let world = World::new(&small()).await;
    for (wanted, fits) in [(3, true), (4, false), (u32::MAX, false)] {
        match world.ask_quickly(BY_SEX, Some(wanted)).await {
            Ok(_) => assert!(fits, "{wanted}"),
            Err(Error::Invalid { message, .. }) => {
                assert!(!fits && message.contains("has 3 sites"), "{message}")
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// A site whose agreement has expired publishes nothing, and must not vanish for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_publishes_nothing_is_asked_why() {
    let world = World::new(&small()).await;
    world.sites[2].catalogue.lock().unwrap().tables.clear();
    let error = world.ask(BY_SEX).await.unwrap_err().to_string();
    assert!(error.contains("`c` failed (it publishes no table `cardiac` to this caller)"), "{error}");
    world.sites[2].does(Manner::Refuses(Refusal::new(
        Code::NotInForce,
        "agreement.expires",
        "expired",
        "renew it",
    )));
    let error = world.ask(BY_SEX).await.unwrap_err().to_string();
    assert!(error.contains("`c` refused (NOT_IN_FORCE: expired; renew it)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_of_which_the_table_is_not_expected_is_not_missed() {
    let planner = start_with(|| async { Ok(Box::new(Planner::new()) as Box<dyn Worker<Ask, Told>>) });
    let world = World::with(&small(), planner, |site| (site == "c").then(|| vec!["other".into()])).await;
    world.sites[2].does(Manner::Dead);
    assert_eq!(world.ask(BY_SEX).await.unwrap().states(), ["answered", "answered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_has_changed_is_looked_up_again() {
    let world = World::new(&small()).await;
    world.ask(BY_SEX).await.unwrap();
    for site in &world.sites {
        site.catalogue.lock().unwrap().agreements[0].hash = "a newer hash".into();
        site.does(Manner::Holds("a newer hash".into()));
    }
    let asked = |site: usize| world.sites[site].asked.lock().unwrap().len();
    let before = asked(0);
    assert_eq!(world.ask(BY_SEX).await.unwrap().states(), ["answered"; 3], "the same question, planned anew");
    assert_eq!(asked(0), before + 2);
    let pinned = world.sites[0].asked.lock().unwrap().last().unwrap().pinned.clone();
    assert_eq!(pinned.unwrap().as_str(), "a newer hash");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_on_another_version_refuses_and_the_answer_says_so() {
    let world = World::new(&small()).await;
    world.sites[0].catalogue.lock().unwrap().agreements[0].hash = "a tighter one".into();
    world.sites[0].does(Manner::Holds("a tighter one".into()));
    for site in &world.sites[1..] {
        site.does(Manner::Holds("a hash".into()));
    }
    let error = world.ask(BY_SEX).await.unwrap_err().to_string();
    assert!(error.contains("`a` refused (VERSION"), "{error}");
    assert_eq!(world.sites[0].asked.lock().unwrap().len(), 1, "it will not hold another one a moment later");
    let answer = world.ask_quickly(BY_SEX, Some(2)).await.unwrap();
    assert_eq!(answer.states(), ["refused", "answered", "answered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sites_words_cannot_play_with_a_terminal() {
    let refusal =
        Refusal::new(Code::Unsigned, "sign\u{202e}off", "\u{1b}[2Jall is well\n", "a".repeat(9_999));
    let world = World::new(&small()).await;
    world.sites[2].does(Manner::Refuses(refusal));
    let error = world.ask(BY_SEX).await.unwrap_err().to_string();
    assert!(
        error.contains(" [2Jall is well ") && !error.contains(char::is_control) && error.len() < 1_000,
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_refusal_everywhere_is_a_refusal() {
    let world = World::new(&small()).await;
    for site in &world.sites {
        site.does(Manner::Refuses(Refusal::new(
            Code::ColumnUse,
            "table.cardiac.columns.age.use",
            "not age",
            "ask less",
        )));
    }
    let Err(Error::Refused { refusal }) = world.ask_quickly(BY_SEX, Some(1)).await else {
        panic!("not refused")
    };
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::ColumnUse, "not age, the same at 3 sites"));
    let listed =
        world.ask("SELECT state, sites_missing FROM system.queries WHERE state = 'refused'").await.unwrap();
    assert_eq!(listed.text(), ["refused 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_site_down_is_no_mistake_of_the_caller() {
    let world = World::new(&small()).await;
    for site in &world.sites {
        site.does(Manner::Dead);
    }
    let error = world.ask_quickly(BY_SEX, Some(1)).await.unwrap_err();
    assert!(matches!(&error, Error::SiteMissing { sites, .. } if sites.len() == 3), "{error:?}");
    assert_eq!(world.ask("SELECT 1 + 1").await.unwrap().text(), ["2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_are_found_and_their_site_is_named() {
    check_without_c(Manner::Gives(Bytes::from_static(b"no arrow")), "its answer cannot be used").await;
    check_without_c(Manner::Gives(Bytes::new()), "its answer cannot be used").await;
    check_without_c(Manner::Changes(|batch| batch.project(&[0, 1]).unwrap()), "other columns").await;
    check_without_c(Manner::Changes(as_text), "another type").await;
    check_without_c(Manner::Changes(twice), "one group twice").await;
    check_without_c(Manner::Changes(below_zero), "a count that cannot be").await;
    check_without_c(Manner::Changes(marked(0)), "withholds").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_cannot_be_added_up_name_their_site() {
    let world = World::new(&small()).await;
    for endless in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(whole) {
        world.sites[2].does(Manner::Changes(endless));
        let error = world.ask("SELECT sum(chol) FROM cardiac").await.unwrap_err();
        let Error::SiteMissing { sites, message, .. } = &error else { panic!("{error:?}") };
        assert!(*sites == ["c"] && message.contains("no finite number"), "{message}");
        let others = world.ask_quickly("SELECT sum(chol) FROM cardiac", Some(2)).await.unwrap();
        assert_eq!(others.text(), ["7.75"], "without that site the others are added up");
    }
    world.sites[2].does(Manner::Changes(|batch| {
        replace(&batch, 0, Arc::new(Int64Array::from(vec![i64::MAX; batch.num_rows()])))
    }));
    let error = world.ask("SELECT sum(age) FROM cardiac").await.unwrap_err().to_string();
    assert!(error.contains("beyond 64 bits; site `c` adds the largest part"), "{error}");
}

fn whole(value: f64) -> fn(RecordBatch) -> RecordBatch {
    fn all(batch: &RecordBatch, value: f64) -> RecordBatch {
        replace(batch, 0, Arc::new(Float64Array::from(vec![value; batch.num_rows()])))
    }
    match value {
        f64::INFINITY => |batch| all(&batch, f64::INFINITY),
        f64::NEG_INFINITY => |batch| all(&batch, f64::NEG_INFINITY),
        _ => |batch| all(&batch, f64::NAN),
    }
}

fn replace(batch: &RecordBatch, column: usize, with: ArrayRef) -> RecordBatch {
    let columns = batch.columns().iter().enumerate();
    let columns = columns.map(|(at, old)| if at == column { with.clone() } else { old.clone() });
    let fields = batch.schema_ref().fields().iter().cloned();
    RecordBatch::try_from_iter_with_nullable(
        fields.zip(columns).map(|(field, column)| (field.name().clone(), column, true)),
    )
    .unwrap()
}

fn as_text(batch: RecordBatch) -> RecordBatch {
    let text = arrow::compute::cast(batch.column(1), &arrow::datatypes::DataType::Utf8).unwrap();
    replace(&batch, 1, text)
}

fn twice(batch: RecordBatch) -> RecordBatch {
    arrow::compute::concat_batches(&batch.schema(), [&batch, &batch]).unwrap()
}

fn below_zero(batch: RecordBatch) -> RecordBatch {
    replace(&batch, 1, Arc::new(Int64Array::from(vec![-5; batch.num_rows()])))
}

/// A mark that says "withheld" beside a value that is there.
fn marked(_: u8) -> fn(RecordBatch) -> RecordBatch {
    |batch| replace(&batch, 3, Arc::new(UInt8Array::from(vec![2; batch.num_rows()])))
}

/// A planner that dies of some bytes, as a child process may.
struct Mortal(Planner);

const POISON: &[u8] = b"poison";

#[async_trait]
impl Worker<Ask, Told> for Mortal {
    async fn ask(&mut self, ask: Ask, attached: Vec<Bytes>) -> Result<(Told, Vec<Bytes>), Error> {
        if attached.iter().any(|bytes| bytes == POISON) {
            return Err(Error::fault("the planner process ended before it answered", true, "ask again"));
        }
        self.0.ask(ask, attached).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_stops_the_planner_is_found() {
    let mortal = start_with(|| async { Ok(Box::new(Mortal(Planner::new())) as Box<dyn Worker<Ask, Told>>) });
    let world = World::with(&small(), mortal, |_| None).await;
    world.sites[0].does(Manner::Gives(Bytes::from_static(POISON)));
    let error = world.ask_quickly(BY_SEX, None).await.unwrap_err();
    assert!(
        matches!(&error, Error::SiteMissing { sites, message, .. }
        if *sites == ["a"] && message.contains("stopped the planner")),
        "{error:?}"
    );
    assert_eq!(world.ask_quickly(BY_SEX, Some(2)).await.unwrap().text(), ["- 1", "f 1", "x 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_stops_the_sites_and_leaves_a_record() {
    let world = Arc::new(World::new(&small()).await);
    world.sites[2].does(Manner::Hung);
    let question = world.ask(BY_SEX);
    assert!(tokio::time::timeout(Duration::from_millis(700), question).await.is_err());
    let listed = world.ask("SELECT state FROM system.queries WHERE state <> 'combining'").await.unwrap();
    assert_eq!(listed.text(), ["cancelled"]);
}
