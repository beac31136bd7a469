//! What the documents show of the words is what the commands print.

use liquid_policy::render::{plain, render};

use super::leaves::{example_text, read};

#[test]
fn the_heart_example_shows_its_own_words() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/heart/README.md");
    let readme = std::fs::read_to_string(readme).expect("the example has a README");
    let words = plain(&render(&read(&example_text("heart"))));
    // The commands above show answers; what follows this sentence shows words.
    let (_, shown) = readme
        .split_once("`liquid policy render` on the agreement says all of it")
        .expect("a part of the words");
    let shown: Vec<&str> =
        shown.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("text\n")).collect();
    assert!(!shown.is_empty(), "show a part of the words");
    for part in shown {
        assert!(words.contains(part), "these are the words now:\n{words}");
    }
}
