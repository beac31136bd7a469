//! Any text is an agreement or an error that points into the file; what is one has a canonical form that stays.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liquid_policy::parse::parse;

fuzz_target!(|text: &str| {
    match parse(text, "agreement.toml") {
        Ok(agreement) => {
            assert!(!agreement.canonical().is_empty());
            assert_eq!(parse(text, "again.toml").expect("the same text").hash(), agreement.hash());
            for table in agreement.tables().values() {
                let _ = agreement.obligations(table);
            }
        }
        Err(error) => {
            for problem in error.problems() {
                assert!(!problem.message().is_empty() && !problem.help().is_empty(), "an error without a cure");
                let span = problem.span();
                assert!(span.start <= span.end && span.end <= text.len(), "it points outside the file");
                assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            }
        }
    }
});
