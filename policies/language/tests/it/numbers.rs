//! Every number, list and word of the language has a range: what lies outside is pointed at, enforced already or not.

use std::ops::Range;

use liquid_policy::parse_beside;

use crate::support::SMALL;

/// An agreement that has everything, all of it in range. Keys that are not enforced yet are among them.
const FULL: &str = r#"schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1.0.0"
purposes = ["care"]
in_force = 2026-01-01
expires = 2026-12-31
termination = "P30D"
retention = { results_days = 1, logs_days = 1 }
[[party]]
organisation = "north"
role = "controller"
[[recipient]]
organisation = "institute"
roles = ["analyst"]
purposes = ["care"]
[table.t]
entity = "person"
entity_counts = [1, 2, 3, 5, 10]
[table.t.columns]
person = { use = ["join"], transform = "token" }
cost = { use = ["measure"], bounds = [0, 5000], quantiles = { probs = [0.25, 0.5], round_to = 1, min_each_side = 10 } }
opened = { use = ["group"], grain = "month" }
[table.t.join]
keys = ["person"]
[disclosure]
minimum_contributors = 10
dominance = { n = 2, share = 0.90 }
p_ratio = 0.10
protection = 0.10
round_base = 5
degrees_of_freedom = 10
parameters_per_observation = 0.10
openings_per_observation = 1.5
[history]
scope = "table"
opt_out_days = 21
window_days = 365
minimum_difference = 10
search = 2
max_rank = 2000
max_atoms = 20000
max_share = 0.25
[privacy]
unit = "person"
measure = "zCDP"
rho_total = 0.5
rho_lifetime = 2.0
delta = 1e-8
window_days = 366
rho_per_caller = 0.1
groups_per_entity_max = 4
[models]
folds = 5
[[template]]
name = "by-ward"
sha256 = "e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5"
roles = ["analyst"]
[[template]]
name = "by-sex"
sha256 = "e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5"
roles = ["analyst"]
[release]
time_class_ms = [250, 2000]
"#;

/// The messages of everything that is wrong, and where, but for what this version does not enforce.
fn problems(text: &str) -> Vec<(String, Range<usize>)> {
    let Err(error) = parse_beside(text, "test.toml", &|_, _| Ok(b"SELECT 1".to_vec())) else {
        return Vec::new();
    };
    let all = error.problems().filter(|problem| !problem.message().contains("by this version"));
    all.map(|problem| (problem.message().to_owned(), problem.span())).collect()
}

#[test]
fn what_is_in_range_is_fine() {
    assert!(problems(SMALL).is_empty());
    assert_eq!(problems(FULL), []);
}

#[test]
fn what_is_out_of_range_is_pointed_at() {
    let cases = [
        ("\"P30D\"", "\"30 days\""),
        ("results_days = 1", "results_days = 0"),
        ("logs_days = 1", "logs_days = 0"),
        ("[1, 2, 3, 5, 10]", "[1, 2, 2, 5, 10]"),
        ("[1, 2, 3, 5, 10]", "[0, 1]"),
        ("[0, 5000]", "[5000, 0]"),
        ("[0, 5000]", "[7, 7]"),
        ("[0.25, 0.5]", "[0.5, 0.25]"),
        ("[0.25, 0.5]", "[0.0, 0.5]"),
        ("[0.25, 0.5]", "[]"),
        ("round_to = 1", "round_to = 0"),
        ("min_each_side = 10", "min_each_side = 0"),
        ("n = 2,", "n = 0,"),
        ("share = 0.90 }", "share = 1.5 }"),
        ("p_ratio = 0.10", "p_ratio = 0"),
        ("protection = 0.10", "protection = -0.1"),
        ("round_base = 5", "round_base = 0"),
        ("degrees_of_freedom = 10", "degrees_of_freedom = 0"),
        ("parameters_per_observation = 0.10", "parameters_per_observation = 1.01"),
        ("openings_per_observation = 1.5", "openings_per_observation = 0.0"),
        ("opt_out_days = 21", "opt_out_days = 0"),
        ("window_days = 365", "window_days = 0"),
        ("minimum_difference = 10", "minimum_difference = 0"),
        ("search = 2", "search = 0"),
        ("max_rank = 2000", "max_rank = 0"),
        ("max_atoms = 20000", "max_atoms = 0"),
        ("max_share = 0.25", "max_share = 2"),
        ("unit = \"person\"", "unit = \"patient\""),
        ("rho_total = 0.5", "rho_total = 0"),
        ("rho_lifetime = 2.0", "rho_lifetime = 0.4"),
        ("delta = 1e-8", "delta = 1.0"),
        ("window_days = 366", "window_days = 0"),
        ("rho_per_caller = 0.1", "rho_per_caller = 0.6"),
        ("groups_per_entity_max = 4", "groups_per_entity_max = 0"),
        ("folds = 5", "folds = 11"),
        ("folds = 5", "folds = 1"),
        ("ecf5\"\nroles = [\"analyst\"]\n[[", "ecF5\"\nroles = [\"analyst\"]\n[["),
        ("by-sex", "by-ward"),
        ("[250, 2000]", "[2000, 250]"),
        ("[250, 2000]", "[0, 250]"),
        ("bounds = [0, 5000]", "domain = { from = 0, to = 9 }, bounds = [0, 5]"),
        ("person = { use = [\"join\"]", "person = { bounds = [0, 5], use = [\"join\"]"),
        // Words.
        ("\"token\"", "\"hash\""),
        ("grain = \"month\"", "grain = \"fortnight\""),
        ("scope = \"table\"", "scope = \"purpose\""),
        ("\"zCDP\"", "\"eps\""),
    ];
    for (good, bad) in cases {
        assert_eq!(FULL.matches(good).count(), 1, "{good}");
        let text = FULL.replace(good, bad);
        let mut found = problems(&text);
        // Where nothing may be spent, one caller's share of it is too much as well.
        found.retain(|(message, _)| bad != "rho_total = 0" || !message.contains("of one caller"));
        let [(message, place)] = found.as_slice() else { panic!("{bad}: {found:?}") };
        let at = text.rfind(bad).expect("it was put in");
        assert!(
            place.start < at + bad.len() && at < place.end,
            "{bad}: {message} at {}",
            &text[place.clone()]
        );
    }
}

/// Who makes up most of a cell is judged by contributors, so a rule on it needs that they are counted.
#[test]
fn rules_that_look_at_contributors_need_a_minimum() {
    let text = FULL.replace("minimum_contributors = 10", "minimum_contributors = 1");
    let found = problems(&text);
    let keys: Vec<&str> = found.iter().map(|(_, place)| &text[place.clone()]).collect();
    assert_eq!(keys, ["{ n = 2, share = 0.90 }", "0.10", "[history]"], "{found:?}");
    assert!(found.iter().all(|(message, _)| message.contains("minimum_contributors = 1")), "{found:?}");
}
