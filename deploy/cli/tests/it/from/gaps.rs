//! Where answers are narrower than one may think, it is said at the start; what is said is true, and its cure is one.

use std::fs;
use std::path::Path;

use super::{SITES, agreed, edit, write};
use crate::fixture::{Demo, liquid};

const TABLES: &str = r#"[table.person]
entity = "pid"
entities = "disjoint"
[table.person.join]
keys = ["pid"]
unique = ["pid"]
[table.person.columns]
pid = { use = ["join"] }
los = { use = ["group"] }

[table.visits]
entity = "pid"
entities = "disjoint"
[table.visits.join]
keys = ["pid"]
references = { pid = "person.pid" }
[table.visits.columns]
pid = { use = ["join"] }
los = { use = ["measure"], aggregates = ["sum"] }

[disclosure]
minimum_contributors = 5
"#;

/// Forty people at each site, with two visits each.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for site in SITES {
        let persons: String = (0..40).map(|at| format!("{site}{at},{}\n", at % 2)).collect();
        let visits: String = (0..80).map(|at| format!("{site}{},3\n", at % 40)).collect();
        write(folder.path(), &format!("{site}/agreement.toml"), agreed(TABLES));
        write(folder.path(), &format!("{site}/data/person.csv"), format!("pid,los\n{persons}"));
        write(folder.path(), &format!("{site}/data/visits.csv"), format!("pid,los\n{visits}"));
    }
    folder
}

/// What is said before the federation starts, without the folder's own path.
fn notes(folder: &Path) -> Vec<String> {
    let ended = liquid().args(["demo", "--in-process", "--from"]).arg(folder).output().unwrap();
    let (said, real) = (String::from_utf8(ended.stderr).unwrap(), folder.canonicalize().unwrap());
    assert!(ended.status.success(), "{said}");
    let real = format!("{}/", real.display());
    said.lines().filter_map(|line| line.split_once(&real)).map(|(_, note)| note.to_owned()).collect()
}

const SUM: &str = "SELECT sum(los) AS n FROM visits";
const COUNT: &str = "SELECT count(*) AS n FROM visits";
const JOIN: &str = "SELECT count(*) AS n FROM visits v JOIN person p ON v.pid = p.pid";

/// What each question is answered with.
fn asked(folder: &Path, questions: &[&str]) -> Vec<String> {
    let demo = Demo::serve_more(&["--in-process", "--from", folder.to_str().unwrap()]);
    let ask = |sql: &&str| {
        let ended = demo.query(&["--format", "csv", *sql]);
        assert_eq!(ended.code, 0, "{sql}: {}", ended.err);
        ended.out.lines().nth(1).unwrap_or_default().trim_matches('"').to_owned()
    };
    questions.iter().map(ask).collect()
}

#[test]
fn what_the_minimum_withholds_is_said_with_the_line_that_mends_it() {
    let folder = folder();
    let at = folder.path();
    let line = "references = { pid = \"visits.pid\" }";
    assert_eq!(
        notes(at),
        [
            "north/agreement.toml:43: `los` is measured and nobody lacks a value: write `required = true`, else its sums and \
             averages are withheld"
                .to_owned(),
            format!(
                "north/agreement.toml:28: whoever of `person` has no row in `visits` is left out of joins of the two, which are \
                 withheld where these are few; everybody has one at every site: to say so, write `{line}` under \
                 `[table.person.join]`"
            ),
        ]
    );
    assert_eq!(asked(at, &[SUM, COUNT, JOIN]), ["", "240", ""], "both are withheld");
    for site in SITES {
        let file = format!("{site}/agreement.toml");
        edit(at, &file, "aggregates = [\"sum\"]", "aggregates = [\"sum\"], required = true");
        edit(at, &file, "[table.person.join]", &format!("[table.person.join]\n{line}"));
    }
    assert_eq!(notes(at), [""; 0]);
    assert_eq!(asked(at, &[SUM, COUNT, JOIN]), ["720", "240", "240"]);

    // A key refers to one table, so of two lines one can be written.
    let folder = self::folder();
    let stays = "[table.stays]\nentity = \"pid\"\nentities = \"disjoint\"\n[table.stays.columns]\npid = { use = [\"join\"] }\n\
                 [table.stays.join]\nkeys = [\"pid\"]\nreferences = { pid = \"person.pid\" }\n\n[disclosure]";
    for site in SITES {
        edit(folder.path(), &format!("{site}/agreement.toml"), "[disclosure]", stays);
        let data = folder.path().join(site).join("data");
        fs::copy(data.join("visits.csv"), data.join("stays.csv")).unwrap();
    }
    let said = notes(folder.path());
    assert!(
        said[1].ends_with("write `references = { pid = \"stays.pid\" }` under `[table.person.join]`"),
        "{said:?}"
    );
    assert!(
        said[2].contains("pid = \"visits.pid\"") && said[2].contains("instead of the one above"),
        "{said:?}"
    );
}

#[test]
fn sites_without_a_table_or_its_rows_are_named() {
    let folder = folder();
    let at = folder.path();
    for site in SITES {
        let party = "[[party]]\norganisation = \"east\"\nrole = \"controller\"\n\n[[recipient]]";
        edit(at, &format!("{site}/agreement.toml"), "[[recipient]]", party);
    }
    fs::remove_file(at.join("north/data/visits.csv")).unwrap();
    write(at, "south/data/visits.csv", "pid,los\n");
    let west = fs::read_to_string(at.join("west/data/visits.csv")).unwrap();
    write(at, "west/data/visits.csv", west.replacen(",3\n", ",\n", 1));
    assert_eq!(
        notes(at),
        [
            "north/agreement.toml: no folder is that of the controller `east`, so answers come from the others alone",
            "north: it has no table `visits`, so answers about it come from the other sites alone",
            "south/data/visits.csv: table `visits` has no rows at south, which is fewer than the minimum of 5, so totals over \
             all sites will be withheld; take the file out where the site takes no part",
            "north/agreement.toml:32: whoever of `person` has no row in `visits` is left out of joins of the two, which are \
             withheld where these are few",
        ],
        "somebody lacks a value, and somebody has no visit"
    );
    assert_eq!(asked(at, &[COUNT]), [""], "the total is withheld");
    fs::remove_file(at.join("south/data/visits.csv")).unwrap();
    assert_eq!(asked(at, &[COUNT]), ["80"], "what is said helps");
}
