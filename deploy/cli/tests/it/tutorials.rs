//! The examples' READMEs are tutorials: what they tell the reader to type is typed, and what they show comes of it. To write
//! the answers anew: `LIQUID_PUBLISH=1 cargo test -p liquid --test it tutorials`, then read the difference.
//!
//! A block of `sh` is run from the repository's root; a block of `text` right after it is what is printed. One that serves
//! runs until the next that does, or the end. A block of `diff` is what the reader edits: in the file that it names, the lines
//! with a minus become those with a plus.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::fixture::{liquid, signal, wait, wait_for};
use crate::structure::root;

/// A reader at a terminal of their own: what they write lies in a folder that goes.
struct Reader {
    desk: tempfile::TempDir,
    serving: Option<Child>,
}

impl Reader {
    fn sit_down() -> Self {
        let desk = tempfile::tempdir().unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_liquid"));
        std::fs::create_dir_all(desk.path().join("target/debug")).unwrap();
        std::os::unix::fs::symlink(binary, desk.path().join("target/debug/liquid")).unwrap();
        std::os::unix::fs::symlink(root().join("policies"), desk.path().join("policies")).unwrap();
        Self { desk, serving: None }
    }

    /// Types a block of commands, and reads what they print; and whether the last of them did what it should.
    fn types(&mut self, commands: &str) -> (String, bool) {
        let mut shell = Command::new("sh");
        shell.envs(liquid().get_envs().filter_map(|(name, value)| Some((name, value?))));
        for (name, _) in liquid().get_envs().filter(|(_, value)| value.is_none()) {
            shell.env_remove(name);
        }
        shell.env("XDG_STATE_HOME", self.desk.path().join("state")).current_dir(self.desk.path());
        if commands.contains("--serve") {
            self.leave();
            let quiet = shell.arg("-c").arg(format!("exec {commands}")).stdin(Stdio::null());
            self.serving = Some(quiet.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
            let beacon = self.desk.path().join("state/liquid/demo.json");
            wait_for("a demo that serves", || beacon.is_file());
            return (String::new(), true);
        }
        let ended = shell.arg("-c").arg(format!("exec 2>&1\n{commands}")).output().unwrap();
        let desk = self.desk.path().to_str().unwrap();
        (String::from_utf8(ended.stdout).unwrap().replace(desk, "…"), ended.status.success())
    }

    /// Edits a file, as somebody does who is shown what to write for what.
    fn edits(&self, edit: &str) {
        let (named, lines) = edit.split_once('\n').unwrap();
        let file = self.desk.path().join(named.strip_prefix("--- ").expect("the edit names its file"));
        let side = |sign: char| -> String {
            lines
                .lines()
                .filter_map(|line| line.strip_prefix([' ', sign]))
                .fold(String::new(), |all, line| all + line + "\n")
        };
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            text.matches(&side('-')).count(),
            1,
            "{named}: one place, and this is none:\n{}",
            side('-')
        );
        std::fs::write(&file, text.replace(&side('-'), &side('+'))).unwrap();
    }

    fn leave(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            signal("-INT", serving.id());
            assert_eq!(wait(&mut serving), Some(0), "the demo ends in good order");
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(serving) = &mut self.serving {
            let _gone = serving.kill();
            let _reaped = serving.wait();
        }
    }
}

/// Works through a tutorial; what its text is when everything in it is true, and how many answers it shows.
fn worked_through(readme: &Path) -> (String, String, usize) {
    let text = std::fs::read_to_string(readme).unwrap();
    let mut reader = Reader::sit_down();
    let (mut found, mut typed, mut shown) = (String::new(), None, 0);
    for (at, part) in text.split("```").enumerate() {
        let mut part = part.to_owned();
        if at > 0 {
            found.push_str("```");
        }
        if let Some(commands) = part.strip_prefix("sh\n") {
            typed = Some(reader.types(commands.trim_end()));
        } else if let Some(edit) = part.strip_prefix("diff\n") {
            reader.edits(edit.trim_end());
        } else if at % 2 == 1
            && part.starts_with("text\n")
            && let Some((printed, _)) = typed.take()
        {
            part = format!("text\n{}\n", timeless(printed.trim_end()));
            shown += 1;
        } else if !part.trim().is_empty()
            && let Some((printed, went_well)) = typed.take()
        {
            assert!(went_well, "{}: commands without an answer fail: {printed}", readme.display());
        }
        found.push_str(&part);
    }
    reader.leave();
    (text, found, shown)
}

/// How long something took is not what a tutorial is about.
fn timeless(printed: &str) -> String {
    let mut lines = Vec::new();
    for line in printed.lines() {
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        let timed = words.windows(2).any(|pair| pair[1].trim_end_matches(':') == "ms");
        let word = |(at, word): (usize, &&str)| match words.get(at + 1) {
            Some(next) if timed && next.trim_end_matches(':') == "ms" => "40".to_owned(),
            Some(next) if is_now(word, next) => "2026-12-01".to_owned(),
            _ if at > 0 && is_now(words[at - 1], word) => "09:00".to_owned(),
            _ => (*word).to_owned(),
        };
        lines.push(words.iter().enumerate().map(word).collect::<Vec<_>>().join(" "));
    }
    lines.join("\n")
}

/// A day with an hour after it.
fn is_now(day: &str, hour: &str) -> bool {
    day.len() == 10 && day.starts_with("20") && hour.len() >= 5 && hour.get(2..3) == Some(":")
}

#[track_caller]
fn check(example: &str, least: usize) {
    check_page(&format!("policies/examples/{example}"), least);
}

#[track_caller]
fn check_page(folder: &str, least: usize) {
    let readme: PathBuf = root().join(folder).join("README.md");
    let (text, found, shown) = worked_through(&readme);
    assert!(shown >= least, "{folder}: only {shown} answers are shown");
    if std::env::var_os("LIQUID_PUBLISH").is_some() {
        std::fs::write(&readme, &found).unwrap();
        return;
    }
    for (said, true_now) in text.lines().zip(found.lines()) {
        assert_eq!(true_now, said, "{folder}/README.md says otherwise");
    }
    assert_eq!(text.lines().count(), found.lines().count(), "{folder}/README.md shows more or less");
}

/// Ten minutes for somebody on a board who does not program.
#[test]
fn the_walk_is_true() {
    check_page("policies/walk", 10);
}

#[test]
fn the_minimal_tutorial_is_true() {
    check("minimal", 4);
}

#[test]
fn the_heart_tutorial_is_true() {
    check("heart", 4);
}

#[test]
fn the_wellbeing_tutorial_is_true() {
    check("wellbeing", 5);
}

#[test]
fn the_benchmarking_tutorial_is_true() {
    check("benchmarking", 4);
}

#[test]
fn the_research_tutorial_is_true() {
    check("research", 4);
}

#[test]
fn a_tutorial_that_lies_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let readme = folder.path().join("README.md");
    std::fs::write(&readme, "# T\n\n```sh\necho yes in 7 ms: x\n```\n\n```text\nno\n```\n\nend\n").unwrap();
    let (text, found, shown) = worked_through(&readme);
    assert_eq!(shown, 1);
    assert_eq!(found, text.replace("\nno\n", "\nyes in 40 ms: x\n"));
}
