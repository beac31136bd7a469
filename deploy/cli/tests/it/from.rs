//! `liquid demo --from DIR`: folders that we did not prepare run as they are, or it is said what to mend, in one go.

mod gaps;
mod mended;

use std::fs;
use std::path::{Path, PathBuf};

use crate::fixture::{Demo, Ended, liquid};

const PENGUINS: &str = include_str!("own/penguins-raw.csv");
const AGREEMENT: &str = include_str!("own/agreement.toml");
/// The column of `penguins-raw.csv` that says where a penguin was seen, and so at which site its line lies.
const ISLAND: usize = 4;
const ISLANDS: [&str; 3] = ["Biscoe", "Dream", "Torgersen"];

/// The sites of the folders that are made here, each a controller.
const SITES: [&str; 3] = ["north", "south", "west"];

/// An agreement of these sites over some tables.
fn agreed(tables: &str) -> String {
    let head = r#"schema = "liquid/agreement/1"
[agreement]
id = "VIS-1"
title = "Visits"
version = "1"
purposes = ["planning"]
in_force = 2026-01-01
expires = 2029-12-31
lead = "north"
[[party]]
organisation = "north"
role = "controller"
[[party]]
organisation = "south"
role = "controller"
[[party]]
organisation = "west"
role = "controller"

[[recipient]]
organisation = "lab"
roles = ["analyst"]
purposes = ["planning"]

"#;
    format!("{head}{tables}")
}

/// The penguins' lines as they were published, each in the folder of its island.
fn penguins() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = PENGUINS.lines();
    let header = lines.next().unwrap();
    let lines: Vec<&str> = lines.collect();
    for island in ISLANDS {
        let here = lines.iter().filter(|line| line.split(',').nth(ISLAND) == Some(island));
        let text: Vec<&str> = std::iter::once(header).chain(here.copied()).collect();
        write(folder.path(), &format!("{island}/data/penguins.csv"), text.join("\n"));
        write(folder.path(), &format!("{island}/agreement.toml"), AGREEMENT);
    }
    folder
}

fn write(folder: &Path, file: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn edit(folder: &Path, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    assert!(text.contains(from), "`{from}` is not in {file}");
    fs::write(folder.join(file), text.replace(from, to)).unwrap();
}

fn demo(folder: &Path) -> Ended {
    liquid().args(["demo", "--in-process", "--from"]).arg(folder).output().unwrap().into()
}

/// What is to be mended, a line each, without the folder's own path.
fn problems(folder: &Path) -> Vec<String> {
    let ended = demo(folder);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{}", ended.err);
    let (own, real) = (folder.display().to_string(), folder.canonicalize().unwrap().display().to_string());
    let (first, rest) = ended.err.split_once('\n').unwrap();
    let lines: Vec<String> =
        rest.lines().map(|line| line.trim().replace(&real, "DIR").replace(&own, "DIR")).collect();
    let (fix, problems) = lines.split_last().unwrap();
    assert_eq!(fix, "fix: mend these, then run the same command again");
    assert!(first.contains("to mend in"), "{first}");
    problems.to_vec()
}

#[test]
fn a_public_table_of_several_sites_runs_as_it_was_published() {
    let folder = penguins();
    let ended = demo(folder.path());
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    for part in ["under the agreement PAL-1", "complete 3 of 3 sites answered", "verified Torgersen"] {
        assert!(ended.out.contains(part), "`{part}` is missing:\n{}", ended.out);
    }
    assert!(ended.err.contains("Dream/data/penguins.csv: `NA` is read as a missing value"), "{}", ended.err);
}

#[test]
fn its_answers_are_those_of_the_whole_table_and_every_role_has_a_token() {
    let folder = penguins();
    let more = "[[recipient]]\norganisation = \"school\"\nroles = [\"teacher\", \"pupil\"]\npurposes = [\"ecology\"]\n";
    for island in ISLANDS {
        edit(
            folder.path(),
            &format!("{island}/agreement.toml"),
            "[table.penguins]",
            &format!("{more}[table.penguins]"),
        );
    }
    let demo = Demo::serve_more(&["--from", folder.path().to_str().unwrap()]);
    let sql = "SELECT \"Species\", count(*) AS n, avg(\"Body Mass (g)\") AS mass FROM penguins GROUP BY \"Species\" ORDER BY n";
    let ended = demo.query(&["--format", "csv", sql]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    // Counted over the published file by hand: 344 penguins, two of which were not weighed.
    let rows: Vec<Vec<&str>> = ended.out.lines().skip(1).map(|line| line.rsplitn(3, ',').collect()).collect();
    let counts: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    assert_eq!(counts, ["68", "124", "152"], "{}", ended.out);
    let chinstrap: f64 = rows[0][0].parse().unwrap();
    assert!((chinstrap - 3_733.088_235).abs() < 1e-6, "{}", ended.out);
    let roles: Vec<&String> = demo.connection["tokens"].as_object().unwrap().keys().collect();
    assert_eq!(roles, ["LTER/analyst", "school/pupil", "school/teacher"]);
}

/// Several things are wrong at once, and all of them are said, each with its place and its cure.
#[test]
fn everything_to_mend_is_said_at_once() {
    let folder = penguins();
    let at = folder.path();
    edit(at, "Biscoe/agreement.toml", "minimum_contributors = 10", "minimum_contributors = \"ten\"");
    write(at, "Dream/data/notes.txt", "to do");
    fs::remove_file(at.join("Torgersen/agreement.toml")).unwrap();
    write(at, "Torgersen/data/penguins.parquet", "PAR1");
    fs::create_dir(at.join("a site")).unwrap();
    let problems = problems(at);
    let expected = [
        "DIR/Biscoe/agreement.toml:37: ",
        "DIR/Dream/data/notes.txt: this is no .parquet",
        "DIR/Torgersen/agreement.toml: there is no such file",
        "DIR/Torgersen/data/penguins.parquet: DIR/Torgersen/data/penguins.csv is the table `penguins` already",
        "DIR/a site: a site is named like its folder",
        "DIR/a site/agreement.toml: there is no such file",
        "DIR/a site/data: there is no such folder",
    ];
    for part in expected {
        assert!(
            problems.iter().any(|line| line.starts_with(part)),
            "`{part}` is missing:\n{}",
            problems.join("\n")
        );
    }
    assert_eq!(problems.len(), expected.len(), "{}", problems.join("\n"));
}

#[test]
fn a_renamed_column_is_named_with_the_view_that_mends_it() {
    let folder = penguins();
    edit(folder.path(), "Dream/data/penguins.csv", "Body Mass (g)", "body mass (g)");
    let said = problems(folder.path());
    assert_eq!(said.len(), 1, "{said:?}");
    let cure = "CREATE OR REPLACE VIEW \"penguins\" AS SELECT *, \"body mass (g)\" AS \"Body Mass (g)\" FROM \"penguins\";";
    assert!(
        said[0].starts_with("DIR/Dream/data/penguins.csv:1: table `penguins` has no column `Body Mass (g)`")
            && said[0].contains(cure),
        "{said:?}"
    );
    write(folder.path(), "Dream/views.sql", cure);
    let mended = demo(folder.path());
    assert_eq!(mended.code, 0, "what was said is a cure: {}", mended.err);
}

#[test]
fn a_word_among_numbers_is_found_by_its_line() {
    let folder = penguins();
    edit(folder.path(), "Torgersen/data/penguins.csv", ",3800,", ",many,");
    let said = problems(folder.path());
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("DIR/Torgersen/data/penguins.csv:3: column `Body Mass (g)` holds a text"),
        "{said:?}"
    );
    assert!(!said[0].contains("many"), "a value of the data is not repeated: {said:?}");
}

#[test]
fn a_table_that_breaks_its_agreement_is_found_before_anybody_asks() {
    let folder = penguins();
    edit(folder.path(), "Biscoe/data/penguins.csv", ",N11A1,", ",NA,");
    let said = problems(folder.path());
    assert!(said.len() == 1 && said[0].starts_with("DIR/Biscoe: table `penguins`: "), "{said:?}");
    assert!(
        said[0].contains("have no value in `Individual ID`, which names the protected entity"),
        "{said:?}"
    );
}

#[test]
fn one_agreement_is_one_text_and_every_site_has_its_organisation() {
    let folder = penguins();
    edit(folder.path(), "Torgersen/agreement.toml", "minimum_contributors = 10", "minimum_contributors = 9");
    let said = problems(folder.path());
    assert!(
        said.len() == 1
            && said[0].starts_with("DIR/Torgersen/agreement.toml:37: this is not the agreement PAL-1"),
        "{said:?}"
    );

    let folder = penguins();
    fs::rename(folder.path().join("Dream"), folder.path().join("Nightmare")).unwrap();
    let said = problems(folder.path());
    assert!(said.len() == 1 && said[0].contains("no controller is called `Nightmare`"), "{said:?}");
}

#[test]
fn types_widen_over_sites_or_are_said_to_differ() {
    let folder = penguins();
    let mut agreement =
        AGREEMENT.replace("[disclosure]", "\"Sample Number\" = { use = [\"filter\"] }\n\n[disclosure]");
    agreement = agreement.replace("PAL-1", "PAL-2");
    for island in ISLANDS {
        write(folder.path(), &format!("{island}/agreement.toml"), &agreement);
    }
    assert_eq!(demo(folder.path()).code, 0);
    edit(folder.path(), "Torgersen/data/penguins.csv", "PAL0708,2,", "PAL0708,2.5,");
    assert_eq!(demo(folder.path()).code, 0, "whole numbers at two sites, decimals at the third");
    edit(folder.path(), "Torgersen/data/penguins.csv", "PAL0708,2.5,", "PAL0708,two,");
    let said = problems(folder.path());
    assert!(
        said.len() == 1
            && said[0].contains(
                "`Sample Number` of table `penguins` is a text, and at Biscoe it is a whole number"
            ),
        "{said:?}"
    );
}

#[test]
fn an_empty_folder_and_a_missing_one_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    assert!(problems(folder.path())[0].contains("make one for each site"));
    let ended = demo(&folder.path().join("nowhere"));
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("cannot be read"), "{}", ended.err);
}

/// An empty table is a table; what cannot be read is said with its line, and in words for whoever mends it.
#[test]
fn an_empty_table_runs_and_broken_files_name_the_line() {
    let folder = penguins();
    let header = PENGUINS.lines().next().unwrap();
    write(folder.path(), "Torgersen/data/penguins.csv", header);
    let ended = demo(folder.path());
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    assert!(ended.out.contains("complete 3 of 3 sites answered"), "{}", ended.out);

    let folder = penguins();
    let path = folder.path().join("Dream/data/penguins.csv");
    let text = fs::read_to_string(&path).unwrap();
    let latin: Vec<u8> =
        text.replacen(",Dream,", ",Dr\u{e9}am,", 1).chars().map(|letter| letter as u8).collect();
    fs::write(&path, latin).unwrap();
    let mut lines: Vec<String> = fs::read_to_string(folder.path().join("Torgersen/data/penguins.csv"))
        .unwrap()
        .lines()
        .map(Into::into)
        .collect();
    lines[4].push_str(",more");
    write(folder.path(), "Torgersen/data/penguins.csv", lines.join("\n"));
    write(folder.path(), "Biscoe/data/penguins.csv", "");
    let said = problems(folder.path());
    for (file, place, cure) in [
        ("Biscoe", "penguins.csv: it is empty", "write a header line"),
        ("Dream", "penguins.csv:2: column `Island`: it is not UTF-8", "iconv -f latin1 -t utf8"),
        ("Torgersen", "penguins.csv:5: it has 18 fields where the header has 17", "correct the row"),
    ] {
        let line = said.iter().find(|line| line.starts_with(&format!("DIR/{file}/data/{place}")));
        assert!(line.is_some_and(|line| line.contains(cure)), "{file}: {}", said.join("\n"));
    }
    assert_eq!(said.len(), 3, "{said:?}");
}

/// As spreadsheets write it where the comma stands in numbers.
#[test]
fn semicolons_between_fields_are_found_out() {
    let folder = penguins();
    let file = "Torgersen/data/penguins.csv";
    let lines = fs::read_to_string(folder.path().join(file)).unwrap();
    let lines: Vec<String> =
        lines.lines().map(|line| line.replace("Adult, 1 Egg", "Adult 1 Egg").replace(',', ";")).collect();
    write(folder.path(), file, lines.join("\r\n"));
    let ended = demo(folder.path());
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    assert!(
        ended.err.contains("Torgersen/data/penguins.csv: `;` stands between its fields"),
        "{}",
        ended.err
    );
    let row = ended.out.lines().find(|line| line.trim_start().starts_with("Torgersen")).unwrap();
    assert!(row.ends_with("52"), "{}", ended.out);
}
