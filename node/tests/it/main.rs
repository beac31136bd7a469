//! A whole node over a scripted engine: who is admitted, what leaves, what is recorded, whatever breaks.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

#[path = "../../api/tests/it/certificates.rs"]
mod certificates;

mod admission;
mod breakage;
mod engine;
mod port;
mod release;
mod site;

/// A site has rows that nobody released, so it has no use for what a coordinator sends.
#[test]
fn a_node_never_sends_what_a_coordinator_may() {
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains("of_released_tables"), "{} makes `Combined` rows", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 10, "the sources are where they were");
}
