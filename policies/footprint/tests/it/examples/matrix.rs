//! The matrix of all examples, as a data-protection officer reads it: who asks, for what, in which form, and what comes of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use liquid_policy::{Code, Refusal};

use super::folder::{Example, Verdict, all, root};

const HEAD: &str = "\
# Who may ask what

For each example agreement: a row for a question, a column for somebody who asks it for a purpose, and what the node decides. Nobody wrote
these decisions down: a test asks the program and compares this file with what it says. A column that is refused everywhere is somebody who may
not ask at all.

**yes** means that the question is answered with numbers over many: whatever has fewer people behind it than the agreement's
minimum, or leaves out fewer, is withheld from the answer. **no** comes before any data is read, with the clause that says it and a code that
scripts can rely on; a *rule of the platform* holds under every agreement. Columns without any use are not even shown to those who ask: from the
coordinator they hear that there is no such column. Who gets a yes may split the numbers by organisation too (`GROUP BY site`).
";

#[test]
fn the_matrix_is_what_is_decided() {
    let mut text = HEAD.to_owned();
    let mut seen = 0;
    for example in all().iter().filter(|example| !example.queries.caller.is_empty()) {
        seen += section(&mut text, example);
    }
    assert!(seen >= 150, "only {seen} cells");
    let path = root().join("matrix.md");
    if std::env::var_os("LIQUID_PUBLISH").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(published == text, "matrix.md says otherwise than the program; see the head of examples.rs");
}

/// One example's table and its reasons; how many cells it has.
fn section(text: &mut String, example: &Example) -> usize {
    let agreement = example.agreement();
    let _ = writeln!(text, "\n## {}: {}\n", example.name, agreement.title());
    let minimum = agreement.minimum_contributors();
    let _ = writeln!(text, "At least {minimum} behind every number.\n");
    let callers = &example.queries.caller;
    let names: Vec<&str> = callers.iter().map(|caller| caller.name.as_str()).collect();
    let _ =
        writeln!(text, "| | the question | {} |\n|---|---|{}", names.join(" | "), "---|".repeat(names.len()));
    let mut questions = String::new();
    let mut reasons: BTreeMap<(String, Code), Vec<Refusal>> = BTreeMap::new();
    let mut seen = 0;
    let asked = example.queries.query.iter().filter_map(|query| Some((query.asks.as_ref()?, query)));
    for (number, (asks, query)) in (1..).zip(asked) {
        let sql = query.sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(questions, "{number}. `{sql}`");
        let _ = write!(text, "| {number} | {asks} |");
        for caller in callers {
            let cell = match example.verdict(caller, &query.sql) {
                Verdict::Permit => "yes".to_owned(),
                Verdict::Refusal(refusal) => {
                    let cell = format!("**no**: {} ({})", in_words(&refusal.clause), refusal.code);
                    let said = reasons.entry((refusal.clause.clone(), refusal.code)).or_default();
                    if !said.contains(&refusal) {
                        said.push(refusal);
                    }
                    cell
                }
                Verdict::Unknown => panic!("`{sql}` names what is not in schema.sql"),
            };
            let _ = write!(text, " {cell} |");
            seen += 1;
        }
        text.push('\n');
    }
    let _ = writeln!(text, "\nThe questions in SQL:\n\n{questions}\nWhat is said with each no:\n");
    for ((clause, code), refusals) in &reasons {
        for refusal in refusals {
            let _ = writeln!(text, "- {code}, `{clause}`: {}; *{}*", refusal.message, refusal.fix);
        }
    }
    seen
}

/// What a clause is about.
fn in_words(clause: &str) -> String {
    let parts: Vec<&str> = clause.split('.').collect();
    match parts.as_slice() {
        ["recipient"] => "who may ask".to_owned(),
        ["recipient", "purposes"] => "for what they may ask".to_owned(),
        ["agreement", "in_force"] => "the first day".to_owned(),
        ["agreement", "expires"] => "the last day".to_owned(),
        ["agreement", "review"] => "the day of the review".to_owned(),
        ["disclosure", "minimum_contributors"] => "how many must stand behind a number".to_owned(),
        ["table"] => "which tables are opened".to_owned(),
        ["table", _, "columns", column, "use"] => format!("what `{column}` may be used for"),
        ["table", _, "columns", column, "grain"] => format!("how finely `{column}` may be seen"),
        ["table", _, "columns", column, ..] => format!("what is said of `{column}`"),
        ["table", table, "columns"] => format!("what may be computed of `{table}`"),
        ["table", table, "entity"] => format!("who is protected in `{table}`"),
        ["table", table, "entity_counts"] => format!("by which counts `{table}` may be seen"),
        ["table", table, "join", ..] => format!("how `{table}` may be joined"),
        ["liquid", "aggregates"] => "no single rows, a rule of the platform".to_owned(),
        ["liquid", "functions"] => "which functions there are, a rule of the platform".to_owned(),
        ["liquid", "joins"] => "which joins there are, a rule of the platform".to_owned(),
        ["liquid", "expressions"] => "what may be read row by row, a rule of the platform".to_owned(),
        _ => panic!("say in words what clause `{clause}` is about"),
    }
}
