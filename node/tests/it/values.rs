//! Lists of values that lie beside an agreement: the agreed one is read, another never stands in for it.

use liquid_node_api::channel::NodeChannel;
use liquid_node_api::governance::Governance;
use liquid_policy::statement::Act;
use liquid_policy::table::Domain;
use liquid_policy::{parse, parse_beside};
use ring::digest::{SHA256, digest};

use crate::site::{AGREEMENT, CONTROLLER_SEED, Site, ask, changed, noon, say, way};

const SEXES: &str = "sex,meaning\nF,women\nM,men\n";

/// The agreement with its values in `sexes.csv`.
fn beside(values: &str) -> String {
    let hash = hex::encode(digest(&SHA256, values.as_bytes()));
    let named = format!("domain = {{ file = \"sexes.csv\", sha256 = \"{hash}\" }}");
    AGREEMENT.replace("domain = { values = [\"F\", \"M\"] }", &named)
}

/// The values of each version that stands, and what cannot be read.
fn standing(node: &liquid_node::Node) -> (Vec<u64>, Vec<String>) {
    let heads = node.agreements().heads(noon());
    let size = |head: &liquid_policy::Signed| {
        let rules = head.agreement().tables()[&"cardiac".into()].rules();
        rules.columns[&"sex".into()].domain.as_ref().map_or(0, Domain::size)
    };
    let unreadable = node.agreements().unreadable().into_iter().map(|(_, why)| why);
    (heads.iter().map(size).collect(), unreadable.collect())
}

#[tokio::test]
async fn the_agreed_list_stays_in_force_whatever_lies_beside() {
    let mut site = Site::new();
    std::fs::write(site.path("agreements/sexes.csv"), SEXES).unwrap();
    std::fs::write(site.path("agreements/one.toml"), beside(SEXES)).unwrap();
    let node = site.open().await;
    assert_eq!(standing(&node), (vec![2], vec![]));
    // Another list takes its place, or none: the agreed one was kept, also for a node that starts only now.
    for there in [Some("sex\nF\nM\nX\n"), None] {
        match there {
            Some(text) => std::fs::write(site.path("agreements/sexes.csv"), text).unwrap(),
            None => std::fs::remove_file(site.path("agreements/sexes.csv")).unwrap(),
        }
        node.agreements().refresh().unwrap();
        assert_eq!(standing(&node), (vec![2], vec![]));
    }
    drop(node);
    // What was kept is held against its hash, too.
    let kept =
        std::fs::read_dir(site.path("agreements/held/beside")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&kept, "sex\nF\nM\nX\n").unwrap();
    let node = site.open().await;
    let (heads, unreadable) = standing(&node);
    assert!(heads.is_empty() && unreadable[0].contains("`sexes.csv` cannot be read"), "{unreadable:?}");
    std::fs::write(site.path("agreements/sexes.csv"), "sex\nF\nM\nX\n").unwrap();
    node.agreements().refresh().unwrap();
    let (heads, unreadable) = standing(&node);
    assert!(
        heads.is_empty() && unreadable[0].contains("is not the file that is agreed on"),
        "{unreadable:?}"
    );
    std::fs::write(site.path("agreements/sexes.csv"), SEXES).unwrap();
    node.agreements().refresh().unwrap();
    assert_eq!(standing(&node), (vec![2], vec![]));
}

#[tokio::test]
async fn a_version_that_names_a_list_can_be_proposed_where_the_list_is() {
    let mut site = Site::new();
    let node = site.open().await;
    let values = "sex\nF\nM\nX\n";
    let one = parse(AGREEMENT, "one").unwrap();
    let supersedes = format!("version = \"2.0.0\"\nsupersedes = \"sha256:{}\"", one.hash());
    let text = beside(values).replace("version = \"1.0.0\"", &supersedes);
    let next = parse_beside(&text, "two", &|_, _| Ok(values.into())).unwrap();
    let wrote = say(CONTROLLER_SEED, Act::Write { agreement: next.hash().clone() });
    let board = changed(|claims| {
        claims["org"] = "cleveland".into();
        claims["roles"] = serde_json::json!(["board"]);
        claims["purposes"] = serde_json::json!([]);
    });
    let propose = Governance::Propose { text: text.clone(), statements: vec![wrote], files: vec![] };
    let refused = way(&node).governance(&board, &propose).await.unwrap_err().to_string();
    assert!(refused.contains("`sexes.csv` cannot be read"), "{refused}");
    // Another file of that name is no better than none, and nobody hears what it is.
    std::fs::write(site.path("agreements/sexes.csv"), SEXES).unwrap();
    let other = way(&node).governance(&board, &propose).await.unwrap_err().to_string();
    assert_eq!(other, refused);
    std::fs::write(site.path("agreements/sexes.csv"), values).unwrap();
    way(&node).governance(&board, &propose).await.unwrap();
    // The list was kept with the proposal, so another one in its place, or none, changes nothing.
    let another = |text: &str| {
        std::fs::write(site.path("agreements/sexes.csv"), text).unwrap();
        node.agreements().refresh().unwrap();
        node.agreements().unreadable().len()
    };
    assert_eq!(another(SEXES), 0);
    assert!(ask(&node, "counted").await.is_ok());
    // Without it, what was only proposed stands in nobody's way; what was activated may be what stands.
    let kept = site.path("agreements/held/beside");
    std::fs::rename(&kept, site.path("values")).unwrap();
    assert_eq!(another("sex\nF\n"), 1);
    assert!(ask(&node, "counted").await.is_ok());
    std::fs::rename(site.path("values"), &kept).unwrap();
    assert_eq!(another(SEXES), 0);
    let at = noon() - chrono::TimeDelta::minutes(1);
    let activate = say(CONTROLLER_SEED, Act::Activate { agreement: next.hash().clone(), at });
    way(&node).governance(&board, &Governance::Say { statements: vec![activate] }).await.unwrap();
    assert!(ask(&node, "counted").await.is_ok(), "nobody has approved it");
    std::fs::remove_dir_all(&kept).unwrap();
    assert_eq!(another("sex\nF\n"), 1);
    let refused = ask(&node, "counted").await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("cannot read one of its agreements"), "{refused}");
    assert_eq!(another(values), 0);
    assert!(ask(&node, "counted").await.is_ok());
}
