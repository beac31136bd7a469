//! Marks: what the analyst is told where cells are withheld, and that it is never too little.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use liquid_footprint::Request;
use proptest::prelude::*;
use proptest::sample::select;

use crate::engine::{Engine, Lines, marked};
use crate::fixture::request;

/// The cut that every question here stands on: keys, two values, each NULL where it is withheld.
const CUT: &str =
    "SELECT chest_pain AS k, count(*) AS n, sum(pressure) AS s FROM cardiac GROUP BY chest_pain";

/// One group: its key, and its two cells with their marks.
type Group = (&'static str, (Option<i64>, u8), (Option<i64>, u8));

fn released(groups: &[Group]) -> RecordBatch {
    let keys: StringArray = groups.iter().map(|g| Some(g.0)).collect();
    let first: Int64Array = groups.iter().map(|g| g.1.0).collect();
    let second: Int64Array = groups.iter().map(|g| g.2.0).collect();
    let columns: [(&str, ArrayRef); 3] =
        [("g0", Arc::new(keys)), ("a0", Arc::new(first)), ("a1", Arc::new(second))];
    let values = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).unwrap();
    let marks = [
        vec![0; groups.len()],
        groups.iter().map(|g| g.1.1).collect(),
        groups.iter().map(|g| g.2.1).collect(),
    ];
    marked(&values, &marks)
}

/// The answer with its marks: `~` incomplete, `!` withheld.
fn answer(engine: &Engine, question: &str, groups: &[Group]) -> (Lines, bool) {
    let request = planned(question);
    let (values, marks, missing) = engine.finish(&request, &[released(groups)]);
    let sign = |mark: u8| ["", "~", "!"][usize::from(mark)];
    let cell = |(value, mark): (String, u8)| format!("{value}{}", sign(mark));
    (values.into_iter().zip(marks).map(|(v, m)| v.into_iter().zip(m).map(cell).collect()).collect(), missing)
}

fn planned(question: &str) -> Request {
    let request = request(question).unwrap_or_else(|e| panic!("{question}: {e:?}"));
    assert_eq!(request.cuts.len(), 1, "{question}");
    assert_eq!(request.cuts[0].output.fields().len(), 3, "{question}");
    request
}

/// `c` is withheld; the others are 30 and 12.
const ONE_WITHHELD: [Group; 3] = [
    ("a", (Some(30), 0), (Some(5), 0)),
    ("b", (Some(12), 0), (Some(7), 0)),
    ("c", (Some(99), 2), (Some(9), 0)),
];

#[test]
fn marks_go_through_every_operator() {
    // `Q` stands for the cut. Rows are separated by `;`, cells by spaces.
    let cases = [
        ("SELECT k, n, s FROM Q ORDER BY k", "a 30 5; b 12 7; c ∅! 9", false),
        ("SELECT n, s, k FROM Q ORDER BY k", "30 5 a; 12 7 b; ∅! 9 c", false),
        ("SELECT k, n * 2 + s, s FROM Q ORDER BY k", "a 65 5; b 31 7; c ∅! 9", false),
        (
            "SELECT k, coalesce(n, 0), n IS NULL, s FROM Q ORDER BY k",
            "a 30 false 5; b 12 false 7; c ∅! ∅! 9",
            false,
        ),
        (
            "SELECT k, CASE WHEN n > 20 THEN 'many' ELSE 'few' END, s FROM Q ORDER BY k",
            "a many 5; b few 7; c ∅! 9",
            false,
        ),
        ("SELECT 1, k, n, s FROM Q ORDER BY k", "1 a 30 5; 1 b 12 7; 1 c ∅! 9", false),
        // Rows are dropped by a cell that is withheld: what is left may not be all.
        ("SELECT k, n, s FROM Q WHERE n > 20", "a~ 30~ 5~", true),
        ("SELECT k, n, s FROM Q WHERE n > 20 OR s = 9 ORDER BY k", "a~ 30~ 5~; c~ ∅! 9~", true),
        ("SELECT k, n, s FROM Q WHERE n > 100", "", true),
        ("SELECT k, n, s FROM Q WHERE s > 6 ORDER BY k", "b 12 7; c ∅! 9", false),
        ("SELECT k, n, s FROM Q WHERE k <> 'c' ORDER BY k", "a 30 5; b 12 7", false),
        ("SELECT k || '!', s FROM (SELECT k, s, n FROM Q WHERE n > 20) t", "a!~ 5~", true),
        // Withheld sorts last, whatever the direction, and is no reason for a mark as long as nothing is cut off.
        ("SELECT k, n, s FROM Q ORDER BY n DESC", "a 30 5; b 12 7; c ∅! 9", false),
        ("SELECT k, n, s FROM Q ORDER BY n", "b 12 7; a 30 5; c ∅! 9", false),
        ("SELECT k, s FROM Q ORDER BY coalesce(n, -1)", "b 7; a 5; c 9", false),
        ("SELECT k, n, s FROM Q ORDER BY n DESC LIMIT 2", "a~ 30~ 5~; b~ 12~ 7~", true),
        ("SELECT k, s FROM Q ORDER BY n DESC LIMIT 2", "a~ 5~; b~ 7~", true),
        ("SELECT k, n, s FROM Q ORDER BY k LIMIT 2", "a 30 5; b 12 7", false),
        ("SELECT k, n, s FROM Q ORDER BY k LIMIT 2 OFFSET 1", "b 12 7; c ∅! 9", false),
        // Aggregates over released cells.
        ("SELECT sum(n), max(n), count(n), sum(s), count(*) FROM Q", "∅! ∅! ∅! 21 3", false),
        ("SELECT sum(n) FILTER (WHERE s < 8), sum(s) FILTER (WHERE n > 20) FROM Q", "∅! ∅!", false),
        ("SELECT s > 8, sum(n), sum(s) FROM Q GROUP BY 1 ORDER BY 1", "false 42 12; true ∅! 9", false),
        (
            "SELECT n > 20, count(*), sum(s) FROM Q GROUP BY 1 ORDER BY 3",
            "true~ 1~ 5~; false~ 1~ 7~; ∅! 1~ 9~",
            true,
        ),
        ("SELECT count(*), sum(s) FROM (SELECT k, s FROM Q WHERE n < 10) t", "0~ ∅~", true),
        ("SELECT count(*), sum(s) FROM (SELECT k, n, s FROM Q WHERE s < 8) t", "2 12", false),
        (
            "SELECT DISTINCT n > 20, s > 8 FROM Q ORDER BY 1 DESC NULLS LAST",
            "true~ false~; false~ false~; ∅! true~",
            true,
        ),
        ("SELECT DISTINCT s > 6 FROM (SELECT s, n FROM Q) t ORDER BY 1", "false; true", false),
        // Windows.
        ("SELECT k, sum(n) OVER (ORDER BY k), s FROM Q ORDER BY k", "a~ 30~ 5~; b~ 42~ 7~; c~ ∅! 9~", true),
        (
            "SELECT k, sum(n) OVER (ORDER BY k DESC), s FROM Q ORDER BY k",
            "a~ ∅! 5~; b~ ∅! 7~; c~ ∅! 9~",
            true,
        ),
        ("SELECT k, sum(s) OVER (ORDER BY k), n FROM Q ORDER BY k", "a 5 30; b 12 12; c 21 ∅!", false),
        ("SELECT k, rank() OVER (ORDER BY n), s FROM Q ORDER BY k", "a~ 2~ 5~; b~ 1~ 7~; c~ 3~ 9~", true),
        ("SELECT k, lag(s) OVER (ORDER BY k), n FROM Q ORDER BY k", "a ∅ 30; b 5 12; c 7 ∅!", false),
        ("SELECT k, lag(n) OVER (ORDER BY k), s FROM Q ORDER BY k", "a~ ∅! 5~; b~ ∅! 7~; c~ ∅! 9~", true),
        // Several relations.
        (
            "SELECT k, n, s FROM Q UNION ALL SELECT 'all', sum(n), sum(s) FROM Q ORDER BY 1",
            "a 30 5; all ∅! 21; b 12 7; c ∅! 9",
            false,
        ),
        ("SELECT x.k, x.n, y.s FROM Q x JOIN Q y ON x.k = y.k ORDER BY 1", "a 30 5; b 12 7; c ∅! 9", false),
        ("SELECT x.k, y.k, x.s FROM Q x JOIN Q y ON x.n = y.n ORDER BY 1", "a~ a~ 5~; b~ b~ 7~", true),
        (
            "SELECT x.k, y.n, x.s FROM Q x LEFT JOIN Q y ON x.k = y.k AND y.s < 6 ORDER BY 1",
            "a 30 5; b ∅ 7; c ∅ 9",
            false,
        ),
        (
            "SELECT x.k, y.n, x.s FROM Q x CROSS JOIN Q y WHERE x.k = 'a' ORDER BY 2",
            "a 12 5; a 30 5; a ∅! 5",
            false,
        ),
        (
            "SELECT k, s FROM (SELECT k, n, s FROM Q EXCEPT SELECT k, n, s FROM Q WHERE k = 'a') t ORDER BY k",
            "b~ 7~; c~ 9~",
            true,
        ),
        (
            "SELECT k, s FROM (SELECT k, s, n FROM Q) t INTERSECT SELECT k, s FROM (SELECT k, s, n FROM Q) u ORDER BY k",
            "a 5; b 7; c 9",
            false,
        ),
        // Scalar subqueries.
        ("SELECT k, s * 10 / (SELECT sum(s) FROM Q), n FROM Q ORDER BY k", "a 2 30; b 3 12; c 4 ∅!", false),
        ("SELECT k, s, (SELECT sum(n) FROM Q) FROM Q ORDER BY k", "a 5 ∅!; b 7 ∅!; c 9 ∅!", false),
        ("SELECT k, s, n FROM Q WHERE s < (SELECT max(n) FROM Q)", "", true),
        ("SELECT (SELECT n FROM Q WHERE k = 'c'), (SELECT s FROM Q WHERE k = 'a')", "∅! 5", false),
        ("SELECT (SELECT count(*) FROM Q WHERE n > 20) AS many, (SELECT sum(s) FROM Q)", "1~ 21", true),
    ];
    let engine = Engine::new(&[]);
    for (question, rows, missing) in cases {
        let sql = question.replace('Q', &format!("({CUT})"));
        let expected: Vec<Vec<String>> = rows
            .split(';')
            .filter(|row| !row.trim().is_empty())
            .map(|row| row.split_whitespace().map(str::to_owned).collect())
            .collect();
        let (found, found_missing) = answer(&engine, &sql, &ONE_WITHHELD);
        assert_eq!(found, expected, "{question}");
        assert_eq!(found_missing, missing, "{question}");
    }
}

#[test]
fn names_stay_the_analysts_own() {
    let request = planned(&format!(
        "SELECT a.k AS \"Key\", a.n, b.n, a.s + 1 FROM ({CUT}) a JOIN ({CUT}) b ON a.k = b.k"
    ));
    let names: Vec<_> = request.output().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["Key", "n", "n", "a.s + Int64(1)"]);
    let output = liquid_footprint::carry_marks(&request.upper).unwrap().output;
    let names: Vec<_> = output.fields().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names[..4], ["Key", "n", "n", "a.s + Int64(1)"]);
    assert_eq!(names[4..], ["Key_mark", "n_mark", "n_mark", "a.s + Int64(1)_mark"]);
}

/// One more operator over `Q`, with the columns `k`, `n`, `s` again. `k` stays what it is in each row.
const STEPS: &[&str] = &[
    "SELECT k, coalesce(n, 7) AS n, n + s AS s FROM Q t",
    "SELECT k, CASE WHEN s > 10 THEN n ELSE s END AS n, s FROM Q t",
    "SELECT k, s AS n, n AS s FROM Q t",
    "SELECT k, n, s FROM Q t WHERE n > 20",
    "SELECT k, n, s FROM Q t WHERE coalesce(s, 0) < 10",
    "SELECT k, n, s FROM Q t WHERE k <> 'b'",
    "SELECT k, n, s FROM Q t ORDER BY n DESC, k LIMIT 2",
    "SELECT k, n, s FROM Q t ORDER BY k LIMIT 3",
    "SELECT k, n, s FROM (SELECT k, n, s FROM Q t ORDER BY s) u LIMIT 100",
    "SELECT k, sum(n) OVER (ORDER BY k) AS n, s FROM Q t",
    "SELECT k, n, max(s) OVER (PARTITION BY n > 20) AS s FROM Q t",
    "SELECT k, lag(n) OVER (ORDER BY k) AS n, s FROM Q t",
    "SELECT k, rank() OVER (ORDER BY s) AS n, s FROM Q t",
    "SELECT k, max(n) AS n, count(s) AS s FROM Q t GROUP BY k",
    "SELECT k, count(*) AS n, sum(s) FILTER (WHERE n > 10) AS s FROM Q t GROUP BY k",
    "SELECT k, n, (SELECT sum(n) FROM Q u) AS s FROM Q t",
    "SELECT k, (SELECT count(*) FROM Q u WHERE n > 10) AS n, s FROM Q t",
    "SELECT k, n, s FROM Q t WHERE n > (SELECT min(s) FROM Q u)",
    "SELECT a.k, a.n, b.s FROM Q a JOIN Q b ON a.k = b.k",
    "SELECT a.k, b.n, a.s FROM Q a LEFT JOIN Q b ON a.k = b.k AND b.n > 10",
    "SELECT a.k, b.n, a.s FROM Q a LEFT JOIN (SELECT k, n, s FROM Q t WHERE s > 10) b ON a.k = b.k",
    "SELECT DISTINCT k, n, s FROM Q t",
    "SELECT k, n, s FROM Q t UNION ALL SELECT k || '2', s, n FROM Q u",
    "SELECT k, n, s FROM Q t EXCEPT SELECT k, n, 3 FROM Q u",
    "SELECT k, n, s FROM Q t INTERSECT SELECT k, n, s FROM Q u WHERE s > 3",
];

/// Rows by key; none where a key repeats.
fn by_key(rows: Lines, marks: Vec<Vec<u8>>) -> Option<BTreeMap<String, Vec<(String, u8)>>> {
    let count = rows.len();
    let rows = rows.into_iter().zip(marks).map(|(r, m)| (r[0].clone(), r.into_iter().zip(m).collect()));
    let map: BTreeMap<_, Vec<_>> = rows.collect();
    (map.len() == count).then_some(map)
}

fn cells() -> impl Strategy<Value = [((Option<i64>, bool), (Option<i64>, bool)); 4]> {
    let cell = || (proptest::option::weighted(0.9, 0..40_i64), proptest::bool::weighted(0.3));
    proptest::array::uniform4((cell(), cell()))
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A plain cell is what it would be whatever the withheld cells hold, and without the flag no row is missing.
    #[test]
    fn nothing_plain_depends_on_what_is_withheld(
        steps in proptest::collection::vec(select(STEPS), 1..4),
        known in cells(),
        worlds in proptest::collection::vec(proptest::array::uniform4((-50..90_i64, -50..90_i64)), 3),
    ) {
        let sql = steps.iter().fold(CUT.to_owned(), |q, step| step.replace('Q', &format!("({q})")));
        let Ok(request) = request(&sql) else { return Ok(()) };
        let engine = Engine::new(&[]);
        let sign = |withheld: bool| if withheld { 2 } else { 0 };
        let groups: Vec<Group> =
            KEYS.iter().zip(known).map(|(k, (n, s))| (*k, (n.0, sign(n.1)), (s.0, sign(s.1)))).collect();
        let (rows, marks, missing) = engine.finish(&request, &[released(&groups)]);
        let Some(told) = by_key(rows, marks) else { return Ok(()) };
        for world in worlds {
            let filled: Vec<Group> = groups
                .iter()
                .zip(world)
                .map(|((k, n, s), (wn, ws))| {
                    let real = |cell: &(Option<i64>, u8), value| (if cell.1 == 2 { Some(value) } else { cell.0 }, 0);
                    (*k, real(n, wn), real(s, ws))
                })
                .collect();
            let (rows, marks, _) = engine.finish(&request, &[released(&filled)]);
            let Some(real) = by_key(rows, marks) else { return Ok(()) };
            if !missing {
                prop_assert!(told.keys().eq(real.keys()), "{}: {:?} {:?}", sql, told, real);
            }
            for (key, cells) in &told {
                let Some(real) = real.get(key) else { continue };
                for ((value, mark), (truth, _)) in cells.iter().zip(real) {
                    prop_assert!(*mark > 0 || value == truth, "{}: {:?} {:?}", sql, told, real);
                }
            }
        }
    }
}
