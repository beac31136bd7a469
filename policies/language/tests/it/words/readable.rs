//! The words can be read at the age of 14: the Flesch-Kincaid grade is 9 at most.
//!
//! Source: J. P. Kincaid, R. P. Fishburne, R. L. Rogers, B. S. Chissom, "Derivation of new readability formulas", Naval
//! Technical Training Command, Research Branch Report 8-75 (1975): grade = 0.39 × words per sentence + 11.8 × syllables per
//! word − 15.59. An American grade is an age less five. Names of columns and codes count as the words that they are.

use liquid_policy::render::page::{Block, Page, Span, Text};
use liquid_policy::render::render;

use super::leaves::rich;

const GRADE_MAX: f64 = 9.0;
/// No sentence of ours is longer; a list of values is not a sentence of ours.
const WORDS_MAX: usize = 30;

/// The sentences of a page, headings and tables aside.
fn sentences(page: &Page, read: impl Fn(&Text) -> String) -> Vec<String> {
    let blocks = page.lead.iter().chain(page.sections.iter().flat_map(|section| &section.blocks));
    let texts = blocks.flat_map(|block| -> Vec<&Text> {
        match block {
            Block::Paragraph(text) | Block::Notice(text) => vec![text],
            Block::Clause(clause) => vec![&clause.text],
            Block::Entry { clauses, .. } => clauses.iter().map(|clause| &clause.text).collect(),
            Block::List { intro, items } => std::iter::once(intro).chain(items).collect(),
            Block::Table { .. } => Vec::new(),
        }
    });
    texts.flat_map(|text| split(&read(text))).collect()
}

/// What stands there without the authors' names, which nobody can make easier.
fn ours(text: &Text) -> String {
    let words = |span: &Span| match span {
        Span::Ours(text) => text.clone(),
        Span::Theirs(_) | Span::Link { .. } => "X".into(),
    };
    text.spans.iter().map(words).collect()
}

fn split(text: &str) -> Vec<String> {
    let text = text.replace(": ", ". "); // what follows a colon is read as a sentence of its own
    let mut sentences = vec![String::new()];
    for word in text.split_whitespace() {
        let last = sentences.last_mut().expect("one at least");
        last.push_str(word);
        last.push(' ');
        if word.trim_end_matches(['”', '"', ')']).ends_with(['.', '?', '!']) {
            sentences.push(String::new());
        }
    }
    sentences.retain(|sentence| sentence.chars().any(char::is_alphanumeric));
    sentences
}

fn words(sentence: &str) -> Vec<String> {
    let words = sentence.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// The usual count: groups of vowels, less a silent e at the end; a number counts as one.
fn syllables(word: &str) -> usize {
    let vowel = |c: char| "aeiouyáéíóúäöü".contains(c);
    let mut groups = 0;
    let mut before = false;
    for c in word.chars() {
        let now = vowel(c);
        groups += usize::from(now && !before);
        before = now;
    }
    let silent = word.ends_with('e') && !word.ends_with("le") && !word.ends_with("ee");
    let silent = silent || (word.ends_with("ed") && !word.ends_with("ted") && !word.ends_with("ded"));
    groups.saturating_sub(usize::from(silent)).max(1)
}

fn grade(sentences: &[String]) -> f64 {
    let words: Vec<String> = sentences.iter().flat_map(|sentence| words(sentence)).collect();
    let syllables: usize = words.iter().map(|word| syllables(word)).sum();
    let [sentences, words, syllables] = [sentences.len(), words.len(), syllables].map(|n| n as f64);
    0.39 * words / sentences + 11.8 * syllables / words - 15.59
}

#[test]
fn fourteen_year_olds_can_read_it() {
    for file in rich() {
        let page = render(file);
        let id = &file.agreement.id;
        let all = sentences(&page, Text::plain);
        assert!(all.len() > 60, "{id}");
        let whole = grade(&all);
        println!("{id}: grade {whole:.1} over {} sentences", all.len());
        assert!(whole <= GRADE_MAX, "{id} needs grade {whole:.1}");
        // A hard clause of ours must not hide behind many easy ones.
        for section in &page.sections {
            let of = Page { title: page.title.clone(), lead: Vec::new(), sections: vec![section.clone()] };
            let below = sentences(&of, ours);
            if below.len() >= 4 {
                let grade = grade(&below);
                assert!(
                    grade <= GRADE_MAX,
                    "{id}, {}: grade {grade:.1}: {below:#?}",
                    section.heading.plain()
                );
            }
        }
        for clause in page.clauses().filter(|clause| clause.text.spans.len() < 12) {
            for sentence in split(&clause.text.plain()) {
                assert!(words(&sentence).len() <= WORDS_MAX, "long: {sentence}");
            }
        }
    }
}

/// The measure itself: texts of known difficulty, and words of known syllables.
#[test]
fn the_measure_tells_hard_from_easy() {
    for (word, count) in
        [("people", 2), ("age", 1), ("agreement", 3), ("organisation", 5), ("table", 2), ("named", 1)]
    {
        assert_eq!(syllables(word), count, "{word}");
    }
    let easy = split("The cat sat on the mat. It was a good cat.");
    let hard = split(
        "Pseudonymised administrative datasets necessitate proportionate organisational confidentiality arrangements \
         notwithstanding contractual specifications.",
    );
    assert!(grade(&easy) < 2.0 && grade(&hard) > 20.0, "{} {}", grade(&easy), grade(&hard));
}
