//! What a site stores about people is what the impact assessment's template says: these files and no others, with no literal of a question in
//! them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::Demo;

const TEMPLATE: &str = include_str!("../../../../policies/examples/impact-assessment.md");
/// What the operator brings along: configuration, keys, certificates, the data itself.
const OWN: [&str; 9] = [
    "audit.key",
    "audit.pub",
    "ca.pem",
    "certificate.pem",
    "data",
    "key.pem",
    "model.toml",
    "node.toml",
    "views.sql",
];
/// Somebody's name, as an analyst who knows them would write it.
const NAME: &str = "Grace Murray Hopper";

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_site_stores_what_the_template_says_and_no_literal() {
    let listed: BTreeSet<&str> =
        TEMPLATE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(listed.len() == 6, "{listed:?}");
    let demo = Demo::serve();
    let refused = demo.query(&[&format!("SELECT count(*) FROM cardiac WHERE patient = '{NAME}'")]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    let permitted = format!("SELECT count(*) FROM cardiac WHERE sex = 'F' OR sex = '{NAME}'");
    assert_eq!(demo.query(&[&permitted]).code, 0);
    let unknown = format!("SELECT \"{NAME}\" FROM cardiac");
    assert_eq!(demo.query(&[&unknown]).code, 1);

    let site = demo.folder().join("sites/cleveland");
    let names = files(&site);
    assert!(names.len() > listed.len(), "{names:?}");
    let named = |file: &Path| file.strip_prefix(&site).unwrap().to_str().unwrap().to_owned();
    let is = |name: &str, known: &str| name == known || name.starts_with(&format!("{known}/"));
    for name in names.iter().map(|file| named(file)) {
        let mut known = listed.iter().chain(&OWN);
        assert!(known.any(|known| is(&name, known)), "the template does not say what {name} is");
    }
    // No agreement of the demo keeps a history; `earlier` looks at one.
    for known in listed.iter().filter(|known| **known != "audit.jsonl.history") {
        assert!(names.iter().any(|file| is(&named(file), known)), "there is no {known} any more");
    }
    // Names of columns are not literals, and a question that names none that there is has no record of its text at a site.
    for folder in [site, demo.folder().join("coordinator")] {
        for file in files(&folder) {
            let bytes = fs::read(&file).unwrap();
            let found = bytes.windows(NAME.len()).any(|window| window == NAME.as_bytes());
            assert!(!found, "{} has the name", file.display());
        }
    }
}
