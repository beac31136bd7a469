//! `liquid demo` tells its story on any terminal and in any pipe, and checks itself.

use crate::fixture::{Ended, liquid};

fn told(arguments: &[&str]) -> Ended {
    let ended: Ended = liquid().arg("demo").args(arguments).output().unwrap().into();
    assert_eq!(ended.code, 0, "{}\n{}", ended.out, ended.err);
    ended
}

#[test]
fn the_story_is_told_whole() {
    let ended = told(&[]);
    let text = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "The analyst of heart-institute asks, for the purpose cardiac-care, under the agreement HRT-2026-01",
        "signed by budapest, cleveland, long-beach",
        "A cell is one number of the answer",
        "complete 4 of 4 sites answered",
        "refused COLUMN_USE",
        "table.cardiac.columns.patient.use",
        "WITHHELD",
        "disclosure.minimum_contributors",
        "not complete 3 of 4 sites answered",
        "missing budapest",
        "verified long-beach",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{}", ended.out);
    }
    assert!(!ended.out.contains('\u{1b}'), "colour in a pipe");
    assert!(!ended.err.contains('\u{1b}'), "colour in a pipe");
}

#[test]
fn with_json_standard_output_holds_the_connection_line_alone() {
    let ended = told(&["--in-process", "--json"]);
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    let connection: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(connection["sites"].as_array().unwrap().len(), 4);
    assert!(ended.err.contains("complete 4 of 4 sites answered"), "{}", ended.err);
}

#[test]
fn what_is_not_there_is_a_usage_error() {
    for (arguments, said) in [
        (&["--data", "wellbeing", "--scale", "0.01"][..], "choose one from 0.05 to 45"),
        (&["--data", "wellbeing", "--sites", "3"], "`--sites` counts for `--data tpch` alone"),
        (&["--scale", "1"], "`--scale` counts for `--data tpch` and `--data wellbeing` alone"),
        (&["--scale", "0"], "from 0.001 to 1000"),
        (&["--sites", "0"], "from 1 to"),
        (&["--from", "x", "--scale", "1"], "cannot be used with"),
    ] {
        let ended: Ended = liquid().arg("demo").args(arguments).output().unwrap().into();
        assert_eq!(ended.code, 2, "{arguments:?}");
        assert!(ended.err.contains(said), "{}", ended.err);
    }
}

#[test]
fn the_county_tells_its_story() {
    let ended = told(&["--in-process", "--data", "wellbeing"]);
    let text = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "The analyst of northshire-council asks, for the purpose wellbeing-statistics, under the agreement NSW-2026-01",
        "Castle 1709 1718",
        "complete 1 of 1 sites answered",
        "NHS trust 18274",
        "complete 4 of 4 sites answered",
        "refused LITERAL_COMPARE",
        "table.admissions.columns.cost.use",
        "Tarn Black WITHHELD",
        "disclosure.minimum_contributors",
        "verified northshire-police",
        "── 6 of 6 ──",
    ] {
        assert!(text.contains(part), "`{part}` is missing:\n{}", ended.out);
    }
}

/// The smallest county is told of as well: more is withheld, nothing else is said.
#[test]
fn a_small_county_tells_its_story_too() {
    let ended = told(&["--in-process", "--data", "wellbeing", "--scale", "0.05", "--json"]);
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    assert!(ended.err.contains("complete 4 of 4 sites answered"), "{}", ended.err);
}

#[test]
fn help_offers_every_data_set() {
    let ended: Ended = liquid().args(["demo", "--help"]).output().unwrap().into();
    for there in ["--in-process", "--from", "--scale", "--sites", "tpch", "wellbeing"] {
        assert!(ended.out.contains(there), "`{there}` is not in the help:\n{}", ended.out);
    }
}
