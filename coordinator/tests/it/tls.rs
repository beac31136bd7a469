//! A coordinator's own certificate, looked at before anybody is told that it is ready.

use liquid_coordinator::Config;
use liquid_node_api::tls::{Files, Identity};

use crate::certificates::Authority;

fn config(files: &Files) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("coordinator.toml");
    let text = format!(
        r#"[coordinator]
listen = "127.0.0.1:0"
[tls]
cert = "{}"
key = "{}"
ca = "{}"
[[identity.issuer]]
issuer = "https://login.example"
audience = "heart"
public_key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
[[site]]
name = "cleveland"
url = "https://cleveland.example:50052"
"#,
        files.cert.display(),
        files.key.display(),
        files.ca.display()
    );
    std::fs::write(&file, text).unwrap();
    Config::read(&file).unwrap()
}

#[test]
fn a_certificate_that_is_no_coordinators_is_found_beforehand() {
    let authority = Authority::new();
    let check = |files: &Files| config(files).check_tls().map_err(|error| error.to_string());
    let own = authority.files("own", &["liquid://coordinator/heart"]);
    assert_eq!(check(&own), Ok(()));
    let site = authority.files("site", &["liquid://site/cleveland"]);
    let named = check(&site).unwrap_err();
    assert!(named.contains("`liquid://site/cleveland`, which is no coordinator"), "{named}");
    let mixed = check(&Files { key: site.key, ..own }).unwrap_err();
    assert!(mixed.contains("is not the key of"), "{mixed}");
    let identity = authority.material("another", &["liquid://coordinator/demo"]).identity().unwrap();
    assert_eq!(identity, Identity::Coordinator("demo".to_owned()));
}
