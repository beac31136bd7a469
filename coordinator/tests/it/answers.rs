//! Answers, by example: what is asked of a site, and what comes of it.

use liquid_node_api::Error;
use liquid_node_api::report::SiteState;
use liquid_node_api::sql::SessionOptions;
use liquid_policy::Code;

use crate::world::{World, small};

#[track_caller]
fn lines(text: &[&str]) -> Vec<String> {
    text.iter().map(|line| (*line).to_owned()).collect()
}

async fn refused(world: &World, sql: &str) -> Code {
    match world.ask(sql).await {
        Err(Error::Refused { refusal }) => refusal.code,
        other => panic!("{sql}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_meet_over_sites_null_keys_too() {
    let world = World::new(&small()).await;
    let reply =
        world.ask("SELECT sex, count(*), sum(age), avg(chol) FROM cardiac GROUP BY sex").await.unwrap();
    assert_eq!(reply.text(), lines(&["- 2 51 4", "f 3 133 0.875", "m 1 - 2.25", "x 1 70 8"]));
    assert_eq!(reply.states(), ["answered", "answered", "answered"]);
    assert_eq!(reply.completeness.withheld, 0);
    assert_eq!(reply.completeness.clauses, ["disclosure.minimum_contributors"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_site_is_asked() {
    let world = World::new(&small()).await;
    let options = SessionOptions {
        purpose: Some("benchmarking".into()),
        agreement: Some("HRT-1".into()),
        ..SessionOptions::default()
    };
    let sql = "SELECT avg(age), count(age), sum(age) FROM cardiac WHERE sex = 'f'";
    world.ask_as("ann", sql, options).await.unwrap();
    let asked = world.sites[0].asked.lock().unwrap().clone();
    let [request] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(request.id.as_str(), "0199-test-0");
    assert_eq!(request.pinned.as_ref().unwrap().as_str(), "a hash");
    assert_eq!(request.purpose.as_ref().unwrap().as_str(), "benchmarking");
    assert!(request.marks && request.deadline_ms > 1_000 && request.deadline_ms <= 30_000);
    // The average's sum and count are the sum and the count; no literal stands in the text.
    assert_eq!(request.sql.matches(" AS \"a").count(), 2, "{}", request.sql);
    assert!(!request.sql.contains("'f'"), "{}", request.sql);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_on_site_decide_who_is_asked() {
    let world = World::new(&small()).await;
    let reply =
        world.ask("SELECT count(*) FROM cardiac WHERE site IN ('a', 'b') AND age > 39").await.unwrap();
    assert_eq!(reply.text(), ["3"]);
    assert_eq!(reply.states(), ["answered", "answered", "not_concerned"]);
    assert!(world.sites[2].asked.lock().unwrap().is_empty());
    let reply = world.ask("SELECT count(*), sum(age) FROM cardiac WHERE site = 'nowhere'").await.unwrap();
    assert_eq!(reply.text(), ["0 -"]);
    assert_eq!(reply.states(), ["not_concerned"; 3]);
    let reply = world.ask("SELECT sex, count(*) FROM cardiac WHERE site <> site GROUP BY sex").await.unwrap();
    assert_eq!(reply.rows.num_rows(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_by_site_alone_has_no_row_for_a_site_without_rows() {
    let world = World::new(&small()).await;
    let reply = world.ask("SELECT site, count(*) AS n FROM cardiac GROUP BY site").await.unwrap();
    assert_eq!(reply.text(), ["a 4", "c 3"]);
    let reply = world.ask("SELECT DISTINCT site FROM cardiac").await.unwrap();
    assert_eq!(reply.text(), ["a", "c"]);
    let reply = world
        .ask("SELECT site, sum(age) FILTER (WHERE site = 'a') FROM cardiac GROUP BY site")
        .await
        .unwrap();
    assert_eq!(reply.text(), ["a 151", "c -"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn distinct_entities_add_up_only_where_they_are_disjoint() {
    let world = World::new(&small()).await;
    assert_eq!(world.ask("SELECT count(DISTINCT patient) FROM cardiac").await.unwrap().text(), ["7"]);
    for site in &world.sites {
        site.catalogue.lock().unwrap().agreements[0].disjoint.clear();
    }
    // What a site published is remembered for a few seconds, for each caller.
    let ask = |sql| world.ask_as("bob", sql, SessionOptions::default());
    let error = ask("SELECT count(DISTINCT patient) FROM cardiac").await.unwrap_err();
    assert!(matches!(error, Error::Refused { refusal } if refusal.code == Code::NotFederable
        && refusal.clause == "table.cardiac.entities"));
    let one = ask("SELECT count(DISTINCT patient) FROM cardiac WHERE site = 'a'").await.unwrap();
    assert_eq!(one.text(), ["4"]);
    let each = ask("SELECT site, count(DISTINCT patient) FROM cardiac GROUP BY site").await.unwrap();
    assert_eq!(each.text(), ["a 4", "c 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn site_inside_an_aggregate_is_refused_with_a_way_on() {
    let world = World::new(&small()).await;
    assert_eq!(refused(&world, "SELECT count(site) FROM cardiac").await, Code::NotFederable);
    let sql = "SELECT sum(CASE WHEN site = 'a' THEN age ELSE 0 END) FROM cardiac";
    assert_eq!(refused(&world, sql).await, Code::NotFederable);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_other_statements_are_refused_before_any_site_is_asked() {
    let world = World::new(&small()).await;
    assert_eq!(refused(&world, "SELECT age FROM cardiac").await, Code::AggRequired);
    assert_eq!(refused(&world, "EXPLAIN SELECT count(*) FROM cardiac").await, Code::Statement);
    let error = world.ask("SELECT count(*) FROM cardiac WHERE agee = 1").await.unwrap_err();
    assert!(matches!(&error, Error::Invalid { fix, .. } if fix.contains("age")), "{error}");
    assert!(world.sites.iter().all(|site| site.asked.lock().unwrap().is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn integer_sums_never_wrap() {
    let mut sites = small();
    sites[0].1[0].age = Some(i64::MAX);
    let world = World::new(&sites).await;
    let one = world.ask("SELECT sum(age) FROM cardiac WHERE site = 'a' AND age > 100").await.unwrap();
    assert_eq!(one.text(), [i64::MAX.to_string()]);
    let error = world.ask("SELECT sum(age) FROM cardiac WHERE age > 69").await.unwrap_err();
    assert!(
        matches!(&error, Error::Fault { reference, fix, .. } if reference == "0199-test" && fix.contains("DOUBLE"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_computed_above_the_cuts_is_the_askers_to_guard_against() {
    let world = World::new(&small()).await;
    for (sql, says) in [
        ("SELECT 1 / 0", "divides by zero"),
        ("SELECT count(*) / 0 FROM cardiac", "divides by zero"),
        ("SELECT sex, count(*) % (count(*) - 1) FROM cardiac GROUP BY sex", "divides by zero"),
        ("SELECT CAST(count(*) * 1e300 AS BIGINT) FROM cardiac", "cannot be computed over the answers"),
        (
            "SELECT CAST(t.sex AS BIGINT) FROM (SELECT sex, count(*) FROM cardiac GROUP BY sex) AS t",
            "be computed",
        ),
    ] {
        let error = world.ask(sql).await.unwrap_err();
        let Error::Invalid { message, fix } = &error else { panic!("{sql}: {error:?}") };
        assert!(message.contains(says) && fix.contains("nullif"), "{sql}: {error}");
        assert!(!error.to_string().contains('7'), "no value is named: {error}");
    }
    let guarded =
        world.ask("SELECT count(*) / nullif(count(age) - count(age), 0) FROM cardiac").await.unwrap();
    assert_eq!(guarded.text(), ["-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_kept_in_part_where_it_is_long() {
    let world = World::new(&small()).await;
    let long = format!("SELECT '{}'", "x".repeat(300_000));
    world.ask(&long).await.unwrap_err();
    let listed =
        world.ask("SELECT character_length(sql) FROM system.queries WHERE state <> 'combining'").await;
    let length: usize = listed.unwrap().text().concat().parse().unwrap();
    assert!((16_000..17_000).contains(&length), "{length}");
}

#[tokio::test(flavor = "multi_thread")]
async fn own_questions_are_listed() {
    let world = World::new(&small()).await;
    world.ask("SELECT count(*) FROM cardiac").await.unwrap();
    assert_eq!(refused(&world, "SELECT age FROM cardiac").await, Code::AggRequired);
    world.ask_as("bob", "SELECT 1", SessionOptions::default()).await.unwrap();
    let listed = world
        .ask("SELECT sql, state, sites_answered, sites_missing, withheld FROM system.queries WHERE state <> 'combining'")
        .await
        .unwrap();
    assert_eq!(
        listed.text(),
        ["SELECT age FROM cardiac refused - - -", "SELECT count(*) FROM cardiac answered 3 0 0"]
    );
    assert!(listed.completeness.sites.is_empty());
    let counted =
        world.ask("SELECT state, count(*) FROM system.queries GROUP BY state ORDER BY state").await.unwrap();
    assert_eq!(counted.text(), ["answered 2", "combining 1", "refused 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_with_other_columns_has_failed() {
    let world = World::new(&small()).await;
    world.sites[0].catalogue.lock().unwrap().tables[0].columns.pop();
    let error = world.ask("SELECT count(*) FROM cardiac").await.unwrap_err();
    assert!(
        matches!(&error, Error::SiteMissing { sites, message, .. }
        if *sites == ["a"] && message.contains("other columns than at most sites")),
        "{error}"
    );
    let reply = world.ask_quickly("SELECT count(*) FROM cardiac", Some(2)).await.unwrap();
    assert_eq!(reply.text(), ["3"]);
    assert!(matches!(reply.completeness.sites[0].state, SiteState::Failed { .. }));
}
