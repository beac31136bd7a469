//! Slips of the pen that people make: each is named in plain words, with what to write, at the place where it is.

use liquid_policy::parse;

use crate::support::SMALL;

/// An edit to the small agreement, what is said of it, what is said to do, and the text that it points at.
const SLIPS: &[(&str, &str, &str, &str, &str)] = &[
    (
        "in_force = 2026-01-01",
        "in_force = 1.1.2026",
        "`1.1.2026` is not how a day",
        "as 2026-10-01",
        "1.1.2026",
    ),
    (
        "in_force = 2026-01-01",
        "in_force = 1 January 2026",
        "is not how a day",
        "as 2026-10-01",
        "1 January 2026",
    ),
    (
        "in_force = 2026-01-01",
        "in_force = 2026-1-1",
        "`2026-1-1` is not how a day",
        "as 2026-10-01",
        "2026-1-1",
    ),
    ("in_force = 2026-01-01", "in_force = 2026-02-30", "is not how a day", "as 2026-10-01", "2026-02-30"),
    (
        "in_force = 2026-01-01",
        "in_force = \"2026-01-01\"",
        "`agreement.in_force` must be a day",
        "as 2026-10-01",
        "\"2026-01-01\"",
    ),
    (
        "in_force = 2026-01-01",
        "in_force = 2026\u{2013}01\u{2013}01",
        "is a long dash",
        "a day is 2026-10-01",
        "\u{2013}",
    ),
    (
        "version = \"1.0.0\"",
        "version = \"1.0.0\"\ntitle = Visits to us\" # R",
        "one of the two quotes around the text is missing",
        "write `title = \"Visits to us\"`",
        "Visits to us",
    ),
    (
        "version = \"1.0.0\"",
        "version = \"1.0.0\"\ntitle = \"Visits to us",
        "one of the two quotes around the text is missing",
        "write `title = \"Visits to us\"`",
        "\"Visits to us",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = 1,000",
        "`1,000` is not how a number is written here",
        "a thousand as 1000",
        "1,000",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors =",
        "nothing stands behind the `=` of `minimum_contributors`",
        "write its value there",
        "minimum_contributors",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = \"20\"",
        "must be a whole number from 0 up, not the text `20`",
        "write `20`, without quotes",
        "\"20\"",
    ),
    (
        "purposes = [\"care\", \"research\"]",
        "purposes = [care, research]",
        "a quote or a comma is missing in this list",
        "`purposes = [\"care\", \"research\"]`",
        "[care, research]",
    ),
    (
        "purposes = [\"care\", \"research\"]",
        "purposes = [\"care\" \"research\"]",
        "a quote or a comma is missing in this list",
        "`purposes = [\"care\", \"research\"]`",
        "[\"care\" \"research\"]",
    ),
    (
        "purposes = [\"care\", \"research\"]",
        "purposes [\"care\", \"research\"]",
        "no `=` stands between `purposes` and its value",
        "write `purposes = [\"care\", \"research\"]`",
        "purposes",
    ),
    (
        "purposes = [\"care\", \"research\"]",
        "purposes = \"care\"",
        "`agreement.purposes` must be a list in square brackets, not the text `care`",
        "write `[\"care\"]`",
        "\"care\"",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = twenty",
        "`twenty` stands there without quotes",
        "a number in digits, as `minimum_contributors = 20`",
        "twenty",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = 20 people # at least",
        "after the number `20` stands `people`",
        "write the number alone, `minimum_contributors = 20`",
        "20 people",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors 20",
        "no `=` stands between `minimum_contributors` and its value",
        "write `minimum_contributors = 20`",
        "minimum_contributors 20",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors: 20",
        "no `=` stands between `minimum_contributors` and its value",
        "write `minimum_contributors = 20`",
        "minimum_contributors: 20",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors =\u{a0}20",
        "a space of a word processor",
        "type a plain space",
        "\u{a0}",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = 10\nminimum_contributors = 20",
        "`minimum_contributors` stands there twice",
        "keep one of the two lines",
        "minimum_contributors",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = 10\nAgreed by the board",
        "neither a key with its value nor the name of a section",
        "put `#` before a remark",
        "Agreed by",
    ),
    (
        "minimum_contributors = 10",
        "minimum_contributors = 10 # the board\u{2019}s wish\nzeros = Yes",
        "`Yes` is not how yes and no are written here",
        "`true` or `false`",
        "Yes",
    ),
    (
        "[disclosure]\nminimum_contributors = 10\n",
        "[disclosure]\nminimum_contributors = 10\n[disclosure]\n",
        "the section `disclosure` stands there twice",
        "put what stands below both of them below the first",
        "disclosure",
    ),
    ("id = \"A-1\"", "id = \u{201c}A-1\u{201d}", "is a curly quote", "straight quotes", "\u{201c}"),
    ("id = \"A-1\"", "id = \"A/1\"", "`A/1` is no id", "ABC-2026-01", "\"A/1\""),
    ("id = \"A-1\"", "id = \"\"", "cannot be empty", "in full", "\"\""),
    (
        "version = \"1.0.0\"",
        "version = \"1.0.0\"\nminimum_contributors = 10",
        "`minimum_contributors` is not a key that can stand here",
        "it stands below a line `[disclosure]`",
        "minimum_contributors",
    ),
    (
        "version = \"1.0.0\"",
        "version = \"1.0.0\"\nresidency = [\"GB\"]",
        "`residency` is not a key that can stand here",
        "it stands below a line `[[recipient]]`",
        "residency",
    ),
    (
        "version = \"1.0.0\"",
        "version = \"1.0.0\"\nresults_days = 7",
        "`results_days` is not a key",
        "it stands between the braces of `retention`, below `[agreement]`",
        "results_days",
    ),
    (
        "entity = \"person\"",
        "entity = \"person\"\nuse = []",
        "`use` is not a key",
        "in the line of a column",
        "use",
    ),
    (
        "schema = \"liquid/agreement/1\"\n",
        "",
        "the key `schema` is missing",
        "schema = \"liquid",
        "[agreement]",
    ),
    (
        "expires = 2026-12-31\n",
        "",
        "the key `expires` is missing in `agreement`",
        "expires = 2026-12-31",
        "[agreement]",
    ),
    ("minimum_contributors = 10", "", "`minimum_contributors` is missing", "= 10", "[disclosure]"),
    (
        "[disclosure]\nminimum_contributors = 10\n",
        "",
        "the key `disclosure` is missing",
        "[disclosure]",
        "schema",
    ),
    (
        "due = 2026-06-30, ",
        "",
        "the key `due` is missing in `agreement.review`",
        "due = ",
        "{ grace_days = 14 }",
    ),
];

#[test]
fn slips_of_the_pen_are_named_where_they_are() {
    let mut wrong = Vec::new();
    for (from, to, says, helps, points_at) in SLIPS {
        assert_eq!(SMALL.matches(from).count(), 1, "{from}");
        let text = SMALL.replace(from, to);
        let error = parse(&text, "slip.toml").expect_err(to);
        let problem = error.problems().next().expect("one at least");
        let pointed = &text[problem.span()];
        let right = problem.message().contains(says) && problem.help().contains(helps);
        if !right || !pointed.starts_with(points_at) || pointed.lines().count() > 1 {
            wrong.push(format!("{to}: {} ({}), at `{pointed}`", problem.message(), problem.help()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
