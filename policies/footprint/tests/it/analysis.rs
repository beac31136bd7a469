//! SiteQueries as values: branches, conditions, binding a column, what is and is not the same question.

use datafusion_common::ScalarValue;
use liquid_footprint::{Cut, branches, footprint};

use crate::fixture::request;

fn cut(sql: &str) -> Cut {
    let request = request(sql).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    assert_eq!(request.cuts.len(), 1, "{sql}");
    request.cuts.into_iter().next().unwrap()
}

/// `condition => columns` of each branch of the first aggregate.
fn branch_texts(sql: &str) -> Vec<String> {
    let query = cut(sql).query;
    let text = |b: liquid_footprint::Branch| {
        let condition = b.condition.map_or_else(|| "always".to_owned(), |c| c.to_string());
        format!("{condition} => {}", b.columns.join("*"))
    };
    branches(&query.aggregates[0]).unwrap().into_iter().map(text).collect()
}

#[test]
fn branches_are_what_contributes() {
    let cases: [(&str, &[&str]); 15] = [
        ("count(*)", &["always => "]),
        ("count(1)", &["always => "]),
        ("sum(chol)", &["always => chol"]),
        ("avg(age)", &["always => age"]),
        ("sum(pressure * chol)", &["always => pressure*chol"]),
        ("sum(chol * chol)", &["always => chol*chol"]),
        ("count(DISTINCT patient)", &["always => patient"]),
        ("sum(CASE WHEN exang THEN chol END)", &["exang => chol"]),
        ("sum(CASE WHEN exang THEN chol ELSE 0 END)", &["exang => chol"]),
        ("sum(CASE WHEN exang THEN 0 ELSE chol END)", &["exang IS NOT TRUE => chol"]),
        (
            "sum(CASE WHEN exang THEN chol WHEN age > 5 THEN pressure ELSE 1 END)",
            &[
                "exang => chol",
                "exang IS NOT TRUE AND age > Int64(5) => pressure",
                "exang IS NOT TRUE AND age > Int64(5) IS NOT TRUE => ",
            ],
        ),
        ("sum(CASE WHEN exang THEN 1 ELSE 0 END)", &["exang => "]),
        // An average divides by those with a 0 too.
        ("avg(CASE WHEN exang THEN 1 ELSE 0 END)", &["exang => ", "exang IS NOT TRUE => "]),
        // A count counts a 0 as well as anything else.
        ("count(CASE WHEN exang THEN 1 ELSE 0 END)", &["exang => ", "exang IS NOT TRUE => "]),
        ("count(CASE exang WHEN true THEN chol ELSE NULL END)", &["exang = Boolean(true) => chol"]),
    ];
    for (aggregate, expected) in cases {
        assert_eq!(branch_texts(&format!("SELECT {aggregate} FROM cardiac")), expected, "{aggregate}");
    }
}

#[test]
fn the_same_question_in_other_words_is_the_same_value() {
    let same = [
        "SELECT sex, count(*) FROM cardiac WHERE age > 40 GROUP BY sex",
        "SELECT c.sex AS s, count(1) AS n FROM public.cardiac c WHERE c.age > 40 GROUP BY 1",
        "SELECT count(*), s FROM (SELECT sex AS s, age + 0 AS b, age FROM cardiac) t WHERE age > 20 + 20 AND 1 = 1 GROUP BY s",
        "WITH a AS (SELECT * FROM cardiac WHERE age > 40) SELECT sex, sex AS again, count(*), count(2) AS two FROM a WHERE true GROUP BY sex",
        "SELECT sex FROM cardiac WHERE CASE WHEN true THEN age > 40 ELSE exang END GROUP BY sex HAVING count(*) > 3",
    ];
    let first = cut(same[0]);
    for other in same {
        assert_eq!(cut(other).query, first.query, "{other}");
    }
    for other in [
        "SELECT sex, count(*) FROM cardiac WHERE age > 41 GROUP BY sex",
        "SELECT sex, count(*) FROM cardiac WHERE age >= 40 GROUP BY sex",
        "SELECT sex, count(age) FROM cardiac WHERE age > 40 GROUP BY sex",
        "SELECT sex FROM cardiac WHERE age > 40 GROUP BY sex",
        "SELECT sex, count(*) FROM cardiac WHERE age > 40.0 GROUP BY sex",
    ] {
        assert_ne!(cut(other).query, first.query, "{other}");
    }
}

#[test]
fn equal_cuts_are_asked_once() {
    let request = request(
        "SELECT a.sex, a.n, b.n FROM (SELECT sex, count(*) n FROM cardiac GROUP BY sex) a \
         JOIN (SELECT sex s, count(1) n FROM cardiac GROUP BY 1) b ON a.sex = b.s \
         CROSS JOIN (SELECT count(*) FROM cardiac) c CROSS JOIN (SELECT count(*) FROM crime) d",
    );
    let tables: Vec<_> =
        request.unwrap().cuts.iter().map(|c| (c.tables[0].name().to_owned(), c.query.groups.len())).collect();
    assert_eq!(tables, [("cardiac".into(), 1), ("cardiac".into(), 0), ("crime".into(), 0)]);
}

#[test]
fn only_a_printed_question_is_bare() {
    for (sql, bare) in [
        ("SELECT sex AS g0, count(*) AS a0 FROM cardiac GROUP BY sex", true),
        ("SELECT count(*) AS a0 FROM cardiac", true),
        ("SELECT DISTINCT sex AS g0 FROM cardiac", true),
        ("SELECT sex, count(*) FROM cardiac GROUP BY sex", false),
        ("SELECT count(*) AS a0, sex AS g0 FROM cardiac GROUP BY sex", false),
        ("SELECT sex AS g0 FROM cardiac GROUP BY sex HAVING count(*) > 3", false),
        ("SELECT sex AS g0, count(*) AS a0 FROM cardiac GROUP BY sex ORDER BY 1", false),
        ("SELECT sex AS g0, count(*) + 0 AS a0 FROM cardiac GROUP BY sex", false),
        ("SELECT sex AS g0, count(*) AS a0 FROM cardiac GROUP BY sex, age", false),
        ("SELECT 1 AS a0", false),
    ] {
        assert_eq!(request(sql).unwrap().bare(), bare, "{sql}");
    }
}

#[test]
fn binding_a_column_folds_what_it_decides() {
    let at = |sql: &str, site: &str| {
        let cut = cut(sql);
        let bound = cut.query.bind(&["site".to_owned()].into(), &ScalarValue::from(site), &cut.base).unwrap();
        assert!(!bound.columns().contains("site"), "{sql}");
        bound
    };
    let plain = "SELECT sex, count(*) FROM cardiac GROUP BY sex";
    for decided in [
        "SELECT sex, count(*) FROM cardiac WHERE site = 'a' GROUP BY sex",
        "SELECT sex, count(*) FROM cardiac WHERE site IN ('a', 'b') AND site <> 'z' GROUP BY sex",
        "SELECT sex, count(*) FROM cardiac WHERE upper(site) LIKE 'A%' OR age > 3 GROUP BY sex",
        "SELECT sex, count(*) FILTER (WHERE site = 'a') FROM cardiac GROUP BY sex",
        "SELECT CASE WHEN site = 'a' THEN sex ELSE ward END, count(*) FROM (SELECT *, 'w' AS ward FROM cardiac) t GROUP BY 1",
        "SELECT sex, count(*) FROM cardiac WHERE NOT (site = 'b' AND exang) GROUP BY sex",
    ] {
        assert_eq!(at(decided, "a"), cut(plain).query, "{decided}");
    }
    assert!(at("SELECT count(*) FROM cardiac WHERE site = 'b' AND age > 3", "a").never());
    assert!(at("SELECT count(*) FROM cardiac WHERE nullif(site, 'a') = 'b'", "a").never());
    let filtered = at("SELECT count(*) FILTER (WHERE site = 'b'), count(*) FROM cardiac", "a");
    assert!(filtered.aggregates[0].never() && !filtered.aggregates[1].never() && !filtered.never());
    let grouped = at("SELECT site, sex, count(*) FROM cardiac GROUP BY site, sex", "a");
    assert_eq!(grouped.groups[0], datafusion_expr::lit("a"));
    assert!(footprint(&grouped).groups[0].columns.is_empty());
}

#[test]
fn outputs_have_datafusions_types() {
    let cut = cut(
        "SELECT sex, date_part('year', seen), count(*), sum(age), avg(age), sum(chol) FROM cardiac GROUP BY 1, 2",
    );
    let fields: Vec<_> =
        cut.output.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect();
    assert_eq!(fields, ["g0 Utf8", "g1 Int32", "a0 Int64", "a1 Int64", "a2 Float64", "a3 Float64"]);
    assert!(cut.output.fields().iter().all(|f| f.is_nullable()));
    assert_eq!(cut.query.output(&cut.base).unwrap(), cut.output);
}
