//! Whatever the gate lets through is planned, cut, printed and marked without a crash, on any caller's stack.

use liquid_footprint::{PlanError, Request, carry_marks, footprint, roundtrip};
use liquid_policy::Code;

use crate::fixture::{catalogue, request};

/// Plans on a small stack, as an async runtime's worker has.
fn on_small_stack(sql: String) -> Result<Request, PlanError> {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let request = request(&sql)?;
        carry_marks(&request.upper)?;
        for cut in &request.cuts {
            footprint(&cut.query);
            match roundtrip(&cut.query, &catalogue()) {
                // Printing adds parentheses, so a question at the very edge may not fit through the gate again.
                Ok(_) | Err(PlanError::Refused(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(request)
    });
    thread.unwrap().join().unwrap()
}

fn chain(term: &str, link: &str, n: usize) -> String {
    vec![term; n].join(link)
}

#[test]
fn the_largest_questions_that_pass_the_gate_are_answered_one_way_or_the_other() {
    let deep = |inner: &str, n: usize| format!("{}{inner}{}", "(".repeat(n), ")".repeat(n));
    let nested_from = |n: usize| {
        (0..n).fold("cardiac".to_owned(), |from, i| format!("(SELECT * FROM {from} WHERE age > {i}) t{i}"))
    };
    // Each level adds a long chain to the level below; a comma closes the chain, so that only the whole is too deep.
    let growing = |n: usize, links: usize| {
        let column = format!("a{} AS a, 1 AS b", " + 1".repeat(links));
        (0..n).fold("(SELECT age AS a FROM cardiac) t".to_owned(), |from, i| {
            format!("(SELECT {column} FROM {from}) t{i}")
        })
    };
    let doubling = (0..45).fold("(SELECT age AS a FROM cardiac) t".to_owned(), |from, i| {
        format!("(SELECT a + a AS a FROM {from}) t{i}")
    });
    let subqueries =
        |n: usize| (0..n).fold("SELECT count(*) FROM cardiac".to_owned(), |q, _| format!("SELECT ({q}) + 1"));
    let relations = "WITH a AS (SELECT count(*) AS n FROM cardiac), b AS (SELECT a.n FROM a CROSS JOIN a x), \
                     c AS (SELECT b.n FROM b CROSS JOIN b x), d AS (SELECT c.n FROM c CROSS JOIN c x), \
                     e AS (SELECT d.n FROM d CROSS JOIN d x) SELECT e.n FROM e CROSS JOIN e x WHERE e.n > 3";
    let questions = [
        (format!("SELECT count(*) FROM cardiac WHERE {}", chain("exang", " AND ", 200)), None),
        (format!("SELECT count(*) FROM cardiac WHERE {}", chain("age > 1", " OR ", 95)), None),
        (format!("SELECT {} AS k, count(*) FROM cardiac GROUP BY 1", chain("age", " - ", 195)), None),
        (format!("SELECT count(*) FROM cardiac WHERE {} > 3", deep(&chain("age", " + ", 190), 40)), None),
        (
            format!(
                "SELECT count(*) FROM cardiac WHERE exang AND ({} > 3)",
                chain(&format!("({})", chain("age", "+", 60)), " * ", 100)
            ),
            None,
        ),
        (format!("SELECT count(*) FROM cardiac WHERE {}", "NOT ".repeat(150) + "exang"), None),
        (format!("SELECT count(*) FROM cardiac WHERE {} = 1", "- ".repeat(150) + "age"), None),
        (
            format!(
                "SELECT count(*) FROM cardiac WHERE {}exang{}",
                "CASE WHEN exang THEN ".repeat(48),
                " END".repeat(48)
            ),
            None,
        ),
        (
            format!("SELECT count(*) FROM cardiac WHERE {}age{} > 1", "abs(".repeat(45), ")".repeat(45)),
            Some(Code::Limit),
        ),
        (format!("SELECT count(*) FROM {}", nested_from(45)), None),
        (format!("SELECT a, count(*) FROM {} GROUP BY a", growing(10, 40)), None),
        (format!("SELECT a, count(*) FROM {} GROUP BY a", growing(20, 150)), Some(Code::Limit)),
        (format!("SELECT a, count(*) FROM {doubling} GROUP BY a"), Some(Code::Limit)),
        (subqueries(4), None),
        (subqueries(40), Some(Code::Limit)),
        (relations.to_owned(), None),
        (chain("SELECT sex, count(*) FROM cardiac GROUP BY sex", " UNION ALL ", 50), None),
        (
            format!(
                "SELECT {} FROM cardiac",
                (0..900)
                    .map(|i| format!("sum(chol) FILTER (WHERE age > {i})"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            None,
        ),
        (
            format!(
                "SELECT count(*) FROM cardiac WHERE age IN ({})",
                (0..5_000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ")
            ),
            None,
        ),
        (
            format!(
                "SELECT {} FROM (SELECT sex, count(*) n FROM cardiac GROUP BY sex) t",
                chain("n", " + ", 190)
            ),
            None,
        ),
        (
            format!(
                "SELECT {}n{} FROM (SELECT sex, count(*) n FROM cardiac GROUP BY sex) t",
                "coalesce(n, ".repeat(45),
                ")".repeat(45)
            ),
            None,
        ),
    ];
    for (sql, code) in questions {
        let shown = sql.chars().take(120).collect::<String>();
        match (on_small_stack(sql), code) {
            (Ok(_), None) => {}
            (Err(PlanError::Refused(refusal)), Some(code)) if refusal.code == code => {}
            (other, _) => panic!("{shown}: {:?}", other.map(|r| r.cuts.len())),
        }
    }
}

/// What one row can add to a batch, and cost, is small: an overflow or a slow answer would tell of that row.
#[test]
fn texts_below_a_cut_stay_small() {
    let length = |text: &str| format!("SELECT count(*) FROM cardiac WHERE character_length({text}) > 3");
    let x = |n: usize| format!("'{}'", "x".repeat(n));
    let copies = |text: &str, n: usize| format!("concat({})", vec![text; n].join(", "));
    let named = format!("(SELECT sex, concat(sex, {}) AS l FROM cardiac) t", x(500));
    let questions = [
        (length(&x(4_096)), true),
        (length(&x(4_097)), false),
        (length(&copies(&x(1_000), 4)), true),
        (length(&copies(&x(1_000), 5)), false),
        (length(&copies("sex", 8)), true),
        (length(&copies("sex", 9)), false),
        (length(&["sex"; 9].join(" || ")), false),
        (length(&format!("CASE WHEN age > 30 THEN {} ELSE {} END", x(4_000), x(4_000))), true),
        (length(&format!("sex || CASE WHEN age > 30 THEN {} ELSE {} END", x(4_000), x(4_000))), true),
        (length(&format!("{} || CASE WHEN age > 30 THEN sex ELSE {} END", x(99), x(4_000))), false),
        (format!("SELECT count(*) FROM {named} WHERE concat(l, l, l) = 'x'"), true),
        (format!("SELECT count(*) FROM {named} WHERE concat({}) = 'x'", ["l"; 9].join(", ")), false),
        (format!("SELECT concat({}) AS k, count(*) FROM {named} GROUP BY 1", ["l"; 9].join(", ")), false),
        (format!("SELECT count(*) FROM cardiac WHERE sex LIKE '%{}'", "_".repeat(8)), true),
        (format!("SELECT sex || {} AS long, count(*) FROM cardiac GROUP BY sex", x(5_000)), true),
    ];
    for (sql, fits) in questions {
        let shown = sql.chars().take(90).collect::<String>();
        match request(&sql) {
            Ok(_) => assert!(fits, "{shown}"),
            Err(PlanError::Refused(refusal)) => {
                assert!(!fits && refusal.code == Code::Limit, "{shown}: {refusal:?}")
            }
            Err(other) => panic!("{shown}: {other:?}"),
        }
    }
    let many = format!("SELECT count(*) FROM cardiac WHERE sex LIKE '%{}'", "_".repeat(9));
    assert!(matches!(request(&many), Err(PlanError::Refused(refusal)) if refusal.code == Code::Expression));
    // Copies are counted before they are made: 4 000 bytes, named 400 times.
    let copied = vec!["l = sex"; 400].join(", ");
    let wide = format!(
        "SELECT count(*) FROM (SELECT {} AS l, sex FROM cardiac) t WHERE true IN ({copied})",
        x(4_000)
    );
    assert!(matches!(request(&wide), Err(PlanError::Refused(refusal)) if refusal.code == Code::Limit));
}

#[test]
fn a_panic_while_planning_is_a_bug_and_not_a_crash() {
    let result = liquid_footprint::plan::on_big_stack(|| -> u8 { panic!("on purpose") });
    assert_eq!(result, Err(PlanError::Bug("planning panicked: on purpose".into())));
}
