//! Files that must not compile, and files that must. Nothing is rebuilt: rustc is handed the very libraries that cargo built
//! for this test.
//!
//! `tests/fail/*.rs` each hold one leak; beside each lies a `.stderr` with the code of every error and the line where it
//! stands, so that it fails for its own reason. `tests/pass/*.rs` use the same names in the right way, so that a harness that cannot
//! compile anything is noticed. To write the `.stderr` files anew, run the test with `LIQUID_PUBLISH=1` and read the difference.
//!
//! Another crate takes this file in with `#[path = "…/compile.rs"] mod compile;` and calls
//! `Compiler::new(env!("CARGO_MANIFEST_DIR"), "its_own_name", &["other_crates", "that_cases_use"]).check()`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles single files against what was built for one crate.
pub(crate) struct Compiler {
    tests: PathBuf,
    libraries: PathBuf,
    externs: Vec<String>,
}

impl Compiler {
    /// `top` is the crate whose types are at stake, `others` are crates that it depends on, directly or not.
    pub(crate) fn new(manifest: &str, top: &str, others: &[&str]) -> Self {
        let this = std::env::current_exe().expect("a test knows where it is");
        let libraries = this.parent().expect("it lies in a folder").to_owned();
        // What was only checked, by clippy for one, has no library beside its metadata and need not name what it uses.
        let newest = candidates(&libraries, top)
            .into_iter()
            .filter(|library| library.with_extension("rlib").exists())
            .max_by_key(|library| fs::metadata(library).and_then(|data| data.modified()).expect("readable"))
            .unwrap_or_else(|| panic!("no library of `{top}` in {}", libraries.display()));
        let built = fs::read(&newest).expect("readable");
        let mut externs = vec![format!("{top}={}", newest.display())];
        for other in others {
            // A library names those that it was built with by the ending of their file name, so no other build gets in.
            let mut used = candidates(&libraries, other);
            used.retain(|library| contains(&built, ending(library).as_bytes()));
            assert_eq!(used.len(), 1, "`{top}` was built with one `{other}`: {used:?}");
            externs.push(format!("{other}={}", used[0].display()));
        }
        Self { tests: Path::new(manifest).join("tests"), libraries, externs }
    }

    /// Compiles every file of both folders.
    pub(crate) fn check(&self) {
        let (pass, fail) = (sources(&self.tests.join("pass")), sources(&self.tests.join("fail")));
        assert!(!pass.is_empty() && !fail.is_empty(), "both folders have cases");
        let mut wrong = Vec::new();
        for file in pass {
            let errors = self.errors(&file);
            if !errors.is_empty() {
                wrong.push(format!("{} must compile, but:\n{errors}", file.display()));
            }
        }
        for file in fail {
            let errors = self.errors(&file);
            let sidecar = file.with_extension("stderr");
            if std::env::var_os("LIQUID_PUBLISH").is_some() {
                fs::write(&sidecar, &errors).expect("writable");
            }
            let expected = fs::read_to_string(&sidecar).unwrap_or_default();
            if errors.is_empty() {
                wrong.push(format!("{} compiles: the leak is open", file.display()));
            } else if errors != expected {
                wrong.push(format!("{}\nfound:\n{errors}expected:\n{expected}", file.display()));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Every error of one file, as `error[code] in the line`; nothing where it compiles.
    fn errors(&self, file: &Path) -> String {
        let out = tempfile::tempdir().expect("a folder for what comes out");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.args([
            "--edition=2024",
            "--crate-type=lib",
            "--crate-name=case",
            "--emit=metadata",
            "-Awarnings",
        ]);
        command.arg("--error-format=short").arg("--out-dir").arg(out.path());
        command.arg("-L").arg(format!("dependency={}", self.libraries.display()));
        for library in &self.externs {
            command.arg("--extern").arg(library);
        }
        let output = command.arg(file).output().expect("rustc starts");
        let text = String::from_utf8(output.stderr).expect("text");
        let source = fs::read_to_string(file).expect("readable");
        let errors: String = text.lines().filter_map(|line| plain(line, file, &source)).collect();
        assert_eq!(output.status.success(), errors.is_empty(), "rustc said something else:\n{text}");
        errors
    }
}

/// `/any/where/x.rs:7:9: error[E0616]: text` becomes the code and line 7 itself; what else the compiler says changes with its
/// version and with every private field.
fn plain(said: &str, file: &Path, source: &str) -> Option<String> {
    let place = said.strip_prefix(file.to_str()?)?.strip_prefix(':')?;
    let (number, rest) = place.split_once(':')?;
    let (_column, text) = rest.split_once(": ")?;
    let (code, _) = text.split_once(": ")?;
    let line = source.lines().nth(number.parse::<usize>().ok()?.checked_sub(1)?)?;
    code.starts_with("error").then(|| format!("{code} in `{}`\n", line.trim()))
}

fn candidates(folder: &Path, name: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("the folder of libraries").map(|entry| entry.expect("readable").path());
    let prefix = format!("lib{name}-");
    entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "rmeta"))
        .filter(|path| path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(&prefix)))
        .collect()
}

/// `-0123456789abcdef` of `libname-0123456789abcdef.rmeta`.
fn ending(library: &Path) -> String {
    let stem = library.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
    stem[stem.rfind('-').expect("an ending")..].to_owned()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "rs")).collect();
    files.sort();
    files
}
