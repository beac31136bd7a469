//! The style that a machine can check: headers, lengths, arrows between crates, what may be in the graph, real paths.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Code lines that a file may have, up to its tests.
const LINES_MAX: usize = 600;
/// Nine files of ten stay below this.
const LINES_MOST: usize = 350;
/// Half of all files stay below this.
const LINES_HALF: usize = 150;

/// Who may name whom; a crate may also name what it reaches along these arrows.
const ARROWS: [(&str, &[&str]); 10] = [
    ("liquid-policy", &[]),
    ("liquid-disclosure", &["liquid-policy"]),
    ("liquid-footprint", &["liquid-policy"]),
    ("liquid-node-api", &["liquid-policy", "liquid-disclosure"]),
    ("liquid-engine", &["liquid-footprint", "liquid-node-api"]),
    ("liquid-node", &["liquid-node-api"]),
    ("liquid-coordinator", &["liquid-footprint", "liquid-node-api", "liquid-engine"]),
    ("liquid-local", &["liquid-node", "liquid-engine", "liquid-coordinator"]),
    ("liquid", &["liquid-local"]),
    ("liquid-benches", &["liquid-local"]),
];

/// Crates outside that a crate of ours must not name in its product, by the start of their names.
const FORBIDDEN: [(&str, &[&str]); 5] = [
    ("liquid-policy", &["datafusion", "tokio", "tonic", "hyper", "futures", "async-trait", "arrow"]),
    ("liquid-disclosure", &["datafusion", "tokio", "tonic", "hyper", "futures", "async-trait"]),
    (
        "liquid-footprint",
        &["datafusion-execution", "datafusion-physical", "tokio", "tonic", "hyper", "futures"],
    ),
    ("liquid-node-api", &["datafusion"]),
    ("liquid-node", &["datafusion"]),
];

/// Crates that must not be in the graph at all.
const BANNED: [&str; 5] = ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"];

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> =
        rust_files().into_iter().filter(|file| !read(file).trim_start().starts_with("//!")).collect();
    assert!(silent.is_empty(), "begin each with a `//!` header: {silent:#?}");
}

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, PathBuf)> =
        rust_files().into_iter().map(|file| (code_lines(&read(&file)), file)).collect();
    lengths.sort();
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > LINES_MAX).collect();
    assert!(long.is_empty(), "split these, none has more than {LINES_MAX} lines of code: {long:#?}");
    let (at_half, _) = lengths[lengths.len() / 2];
    let (at_most, _) = lengths[lengths.len() * 9 / 10];
    assert!(at_half <= LINES_HALF, "half of all files have more than {at_half} lines, not {LINES_HALF}");
    assert!(at_most <= LINES_MOST, "one file of ten has more than {at_most} lines, not {LINES_MOST}");
}

#[test]
fn main_is_a_page() {
    let lines = read(&root().join("deploy/cli/src/main.rs")).lines().count();
    assert!(lines <= 80, "deploy/cli/src/main.rs has {lines} lines; it starts and stops, no more than 80");
}

#[test]
fn crates_name_only_what_the_drawing_allows() {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    for (name, dependencies) in packages() {
        assert!(
            arrows.contains_key(name.as_str()),
            "`{name}` is not in the drawing; add it to README and here"
        );
        let reached = reach(&name, &arrows);
        for (dependency, for_tests) in &dependencies {
            let ours = arrows.contains_key(dependency.as_str());
            assert!(
                !ours || reached.contains(dependency.as_str()),
                "`{name}` names `{dependency}`, and no arrow leads there"
            );
            let forbidden =
                FORBIDDEN.iter().find(|(from, _)| *from == name).map_or(&[][..], |(_, list)| list);
            let hit = forbidden.iter().find(|start| dependency.starts_with(**start));
            assert!(hit.is_none() || *for_tests, "`{name}` must not know `{dependency}`");
        }
    }
}

#[test]
fn one_crypto_provider_and_one_arrow() {
    let lock = read(&root().join("Cargo.lock"));
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in lock.split("[[package]]").skip(1) {
        let field = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim_matches(['"', ' ', '='])
        };
        versions.entry(field("name")).or_default().insert(field("version"));
    }
    for banned in BANNED {
        assert!(!versions.contains_key(banned), "`{banned}` has entered the graph: `cargo tree -i {banned}`");
    }
    for single in ["ring", "rustls", "arrow", "arrow-flight", "datafusion", "object_store", "tonic", "prost"]
    {
        assert_eq!(versions[single].len(), 1, "`{single}` is there more than once: {:?}", versions[single]);
    }
}

/// What a site sends is sealed in node-api; what a coordinator may send besides has one maker, which a node never names.
#[test]
fn nothing_but_released_rows_can_be_put_on_the_wire() {
    let maker = "of_released_tables";
    for file in rust_files() {
        let path = relative(&file);
        let code = code_of(&read(&file));
        let outside = !path.starts_with("node/api/src/") && !path.contains("/tests/");
        if outside && !path.starts_with("coordinator/src/") {
            assert!(!code.contains(maker), "{path} names `{maker}`: only a coordinator does");
        }
        let implements = code.lines().any(|line| line.contains("impl") && line.contains("IntoWire for"));
        assert!(!(outside && implements), "{path} implements `IntoWire`: only node/api does");
    }
}

#[test]
fn every_path_in_a_document_is_real() {
    let all = files();
    let names: BTreeSet<_> = all.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    let mut wrong = Vec::new();
    for file in all.iter().filter(|file| file.extension().is_some_and(|e| e == "md")) {
        let folder = file.parent().unwrap();
        // A rationale note speaks of the folder that it lies in.
        let above = if folder.ends_with("rationale") { folder.parent().unwrap() } else { folder };
        let starts = [folder.to_owned(), above.to_owned(), above.join("src"), root()];
        for path in paths_in(&read(file)) {
            let bare = !path.contains('/') && names.contains(path.as_str());
            if !bare && !starts.iter().any(|start| start.join(&path).exists()) {
                wrong.push(format!("{}: {path}", relative(file)));
            }
        }
    }
    assert!(wrong.is_empty(), "these are not there: {wrong:#?}");
}

#[test]
fn the_readme_has_the_two_commands() {
    let readme = read(&root().join("README.md"));
    let ci = read(&root().join(".ci/run"));
    assert!(readme.contains("\ncargo run -- demo\n"), "the first command");
    assert!(readme.contains("\ncargo test --workspace\n"), "the second command");
    assert!(ci.contains("\ncargo test --workspace\n"), "the same command in .ci/run");
}

/// Cargo builds a dependency anew where another command turns on other features of it; both commands have one set.
#[test]
fn the_second_command_rebuilds_no_dependency() {
    let first = dependencies(&["--package", "liquid", "--edges", "no-dev"]);
    let second = dependencies(&["--workspace"]);
    assert!(first.len() > 100);
    let anew: Vec<_> = first.difference(&second).collect();
    assert!(anew.is_empty(), "turn the same features on in deploy/cli/Cargo.toml: {anew:#?}");
}

/// Every dependency with its version and features.
fn dependencies(selection: &[&str]) -> BTreeSet<String> {
    let out = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix", "none", "--format", "{p} {f}"])
        .args(selection)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)").trim().to_owned());
    lines.filter(|line| !line.is_empty() && !line.contains("(/")).collect()
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file of the repository, build products aside.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            let skip = ["target", ".git", "__pycache__", "wip"].iter().any(|skip| name == *skip);
            match entry.file_type().unwrap().is_dir() {
                true if skip => {}
                true => folders.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    let files: Vec<_> =
        files().into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs")).collect();
    assert!(files.len() > 50, "only {} files found", files.len());
    files
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn relative(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().display().to_string()
}

/// A file up to its tests.
fn code_of(text: &str) -> String {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]").map(|line| format!("{line}\n")).collect()
}

fn code_lines(text: &str) -> usize {
    code_of(text).lines().filter(|line| !line.trim().is_empty()).count()
}

/// Our crates with everything that they name, and whether they do so for tests alone.
fn packages() -> BTreeMap<String, Vec<(String, bool)>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages: BTreeMap<_, _> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            (
                text(&package["name"]),
                dependencies.iter().map(|d| (text(&d["name"]), d["kind"] == "dev")).collect(),
            )
        })
        .collect();
    for (name, _) in ARROWS {
        assert!(packages.contains_key(name), "`{name}` is in the drawing and not in the workspace");
    }
    packages
}

fn reach<'a>(from: &str, arrows: &BTreeMap<&str, &'a [&'a str]>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = arrows[from].to_vec();
    while let Some(name) = next.pop() {
        if reached.insert(name) {
            next.extend(arrows[name]);
        }
    }
    reached
}

/// What a document names as a path: a link, or a word in backticks with a slash or a known ending.
fn paths_in(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect::<Vec<_>>().join(" ");
    let mut paths = Vec::new();
    for link in prose.split("](").skip(1) {
        paths.push(link.split([')', '#']).next().unwrap().to_owned());
    }
    for word in prose.split('`').skip(1).step_by(2) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        let known =
            ["md", "toml", "rs", "sql", "py", "json"].iter().any(|e| word.ends_with(&format!(".{e}")));
        if word.chars().all(plain) && (word.contains('/') || known) && !word.starts_with("application/") {
            paths.push(word.to_owned());
        }
    }
    paths.retain(|path| !path.is_empty() && !path.contains("://") && !path.starts_with('/'));
    paths
}

#[test]
fn the_checks_can_fail() {
    assert_eq!(
        paths_in("see `deploy/cli` and [this](LICENSE#a), not `a b/c` or https://x.example/`count(*)`"),
        ["LICENSE", "deploy/cli"]
    );
    assert_eq!(code_lines("//! a\n\nfn b() {}\n#[cfg(test)]\nmod tests {}\n"), 2);
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    assert!(reach("liquid", &arrows).contains("liquid-policy"));
    assert!(!reach("liquid-node", &arrows).contains("liquid-coordinator"));
    assert!(!reach("liquid-node", &arrows).contains("liquid-footprint"));
}
