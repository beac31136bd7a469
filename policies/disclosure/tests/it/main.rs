//! What leaves is what may leave, and the other ways out do not compile.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

mod compile;
#[cfg(test)]
mod earlier;
mod finishing;
mod form;
mod history;
mod rule;
mod support;

/// No case of `tests/fail` compiles, each for its own reason; every case of `tests/pass` does.
#[test]
fn leaks_do_not_compile() {
    let others = ["liquid_policy", "arrow", "serde"];
    compile::Compiler::new(env!("CARGO_MANIFEST_DIR"), "liquid_disclosure", &others).check();
}
