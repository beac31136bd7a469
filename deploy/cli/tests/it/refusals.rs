//! Agreements that do not hold: each is refused with its own code, and nothing is released.

use liquid_local::answer::Answer;
use liquid_local::{Federation, Run, heart};
use liquid_node_api::Error;
use liquid_node_api::report::SiteState;
use liquid_policy::Code;

const COUNT: &str = "SELECT count(*) AS patients FROM cardiac";

/// A federation whose agreement says something else, signed as it stands.
async fn federation(from: &str, to: &str) -> Federation {
    let mut blueprint = heart::blueprint();
    blueprint.edit_agreements(|text| {
        assert!(text.contains(from), "`{from}` is not in the agreement");
        text.replacen(from, to, 1)
    });
    Federation::start(&blueprint, Run::InProcess).await.unwrap()
}

async fn ask(federation: &Federation, options: &[(&str, &str)]) -> Result<Answer, Error> {
    let mut client = federation.client(None).unwrap();
    for (name, value) in options {
        client.set(name, value).unwrap();
    }
    client.ask(COUNT).await
}

fn code(outcome: Result<Answer, Error>) -> Code {
    match outcome {
        Err(Error::Refused { refusal }) => refusal.code,
        other => panic!("not a refusal: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_outside_its_dates_refuses() {
    let expired = federation("expires = 2029-12-31", "expires = 2026-01-02").await;
    assert_eq!(code(ask(&expired, &[]).await), Code::NotInForce);
    let early = federation("in_force = 2026-01-01", "in_force = 2029-01-01").await;
    assert_eq!(code(ask(&early, &[]).await), Code::NotInForce);
    let overdue = federation("due = 2029-06-30, grace_days = 30", "due = 2026-01-02, grace_days = 1").await;
    assert_eq!(code(ask(&overdue, &[]).await), Code::ReviewOverdue);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_purpose_or_role_is_refused() {
    let federation = Federation::start(&heart::blueprint(), Run::InProcess).await.unwrap();
    assert_eq!(code(ask(&federation, &[("liquid.purpose", "curiosity")]).await), Code::Purpose);
    let site = federation.site_client("budapest", None).unwrap().ask(COUNT).await.unwrap();
    assert_eq!(site.cell(0, "patients").unwrap().as_deref(), Some("293"), "a site answers for itself too");
}

/// One byte is changed at one site: it alone holds another text than was signed, so it alone refuses.
#[tokio::test(flavor = "multi_thread")]
async fn one_changed_byte_closes_that_site() {
    let mut federation = Federation::start(&heart::blueprint(), Run::InProcess).await.unwrap();
    let file = federation.root().join("sites/cleveland/agreements/HRT-2026-01.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("minimum_contributors = 10", "minimum_contributors = 19", 1))
        .unwrap();
    federation.stop_site("cleveland").await.unwrap();
    federation.start_site("cleveland").await.unwrap();

    let Err(Error::SiteMissing { sites, message, .. }) = ask(&federation, &[]).await else {
        panic!("an answer without a word on cleveland");
    };
    assert_eq!(sites, ["cleveland"]);
    assert!(message.contains("UNSIGNED"), "{message}");
    let partial = ask(&federation, &[("liquid.min_sites", "3")]).await.unwrap();
    assert_eq!(partial.cell(0, "patients").unwrap().as_deref(), Some("616"));
    let completeness = partial.report().unwrap().federated().unwrap();
    let cleveland = completeness.sites.iter().find(|status| status.site.as_str() == "cleveland").unwrap();
    assert!(
        matches!(&cleveland.state, SiteState::Refused { code, .. } if code == "UNSIGNED"),
        "{:?}",
        cleveland.state
    );
}

/// What is said instead of an answer to SHOW TABLES works, at a coordinator and at a node.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_the_tables_is_told_how_to_see_them() {
    let federation = Federation::start(&heart::blueprint(), Run::InProcess).await.unwrap();
    let (coordinator, node) =
        (federation.client(None).unwrap(), federation.site_client("budapest", None).unwrap());
    // An engine does not know which columns this caller may see; the catalogue shows those.
    for (mut client, columns) in
        [(coordinator, "`cardiac.cholesterol`"), (node, "look the columns up in the catalogue")]
    {
        let shown = client.ask("SHOW TABLES").await.unwrap_err().to_string();
        assert!(shown.contains("an unknown name in a query lists the known ones"), "{shown}");
        let unknown = client.ask("SELECT count(*) FROM nowhere").await.unwrap_err().to_string();
        assert!(unknown.contains("the tables open to you are `cardiac`"), "{unknown}");
        let unknown = client.ask("SELECT count(nothing) FROM cardiac").await.unwrap_err().to_string();
        assert!(unknown.contains(columns), "{unknown}");
        let text = client.ask("SELECT sum(sex) FROM cardiac").await.unwrap_err().to_string();
        assert!(
            text.contains("`sum` does not take values of type text; give it a column of integers"),
            "{text}"
        );
    }
}
