//! Draws questions from a seed: the same seed gives the same questions, so a failure is found again by its number.

use crate::question::{Aggregate, Argument, Comparison, Condition, Function, Key, Question, Term, Value};

/// SplitMix64 (Steele, Lea, Flood, 2014): small, and the same everywhere.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    /// True once in `n`.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}

pub(crate) const SITES: [&str; 4] = ["cleveland", "budapest", "zurich-basel", "long-beach"];
pub(crate) const MEASURES: [&str; 7] =
    ["age", "resting_bp", "cholesterol", "max_heart_rate", "st_depression", "disease", "age"];

/// The declared domain of each column that may group or filter.
pub(crate) fn domain(column: &str) -> Vec<Value> {
    let texts = |values: &[&str]| values.iter().map(|v| Value::Text((*v).to_owned())).collect();
    match column {
        "site" => texts(&SITES),
        "sex" => texts(&["F", "M"]),
        "chest_pain" => texts(&["typical angina", "atypical angina", "non-anginal", "asymptomatic"]),
        "resting_ecg" => texts(&["normal", "st-t abnormality", "lv hypertrophy"]),
        "slope" => texts(&["upsloping", "flat", "downsloping"]),
        "thalassemia" => texts(&["normal", "fixed defect", "reversible defect"]),
        "fasting_sugar_high" | "exercise_angina" => vec![Value::Bool(true), Value::Bool(false)],
        "vessels" => (0..=3).map(Value::Int).collect(),
        "disease" => (0..=4).map(Value::Int).collect(),
        "age" => (20..=90).map(Value::Int).collect(),
        other => panic!("`{other}` has no domain"),
    }
}

const KEYS: [&str; 10] = [
    "sex",
    "chest_pain",
    "resting_ecg",
    "slope",
    "thalassemia",
    "fasting_sugar_high",
    "exercise_angina",
    "vessels",
    "disease",
    "sex",
];

/// What a stream of questions may contain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grammar {
    /// The virtual column `site`, which only a coordinator knows.
    pub(crate) site: bool,
    /// HAVING, LIMIT and expressions above the cut; off where cells themselves are looked at.
    pub(crate) above: bool,
}

fn condition(draw: &mut Draw, grammar: Grammar, depth: usize) -> Condition {
    if depth > 0 && draw.once_in(3) {
        let a = Box::new(condition(draw, grammar, depth - 1));
        return match draw.below(3) {
            0 => Condition::And(a, Box::new(condition(draw, grammar, depth - 1))),
            1 => Condition::Or(a, Box::new(condition(draw, grammar, depth - 1))),
            _ => Condition::Not(a),
        };
    }
    if grammar.site && draw.once_in(6) {
        let site = Value::Text(draw.one_of(&SITES).to_owned());
        return match draw.below(3) {
            0 => Condition::Compare("site", Comparison::Equal, site),
            1 => Condition::Compare("site", Comparison::Unequal, site),
            _ => Condition::In("site", vec![site, Value::Text("nowhere".to_owned())], draw.once_in(2)),
        };
    }
    if draw.once_in(3) {
        let pivot = i64::try_from(draw.below(50)).unwrap() + 28;
        return match draw.below(3) {
            0 => Condition::Between("age", pivot, pivot + 15),
            1 => Condition::Compare("age", Comparison::GreaterOrEqual, Value::Int(pivot)),
            _ => Condition::Compare("age", Comparison::Less, Value::Int(pivot)),
        };
    }
    let column = draw.one_of(&KEYS);
    let values = domain(column);
    let literal = draw.one_of(&values);
    match draw.below(5) {
        0 => Condition::IsNull(column, draw.once_in(2)),
        1 => Condition::In(column, vec![literal, draw.one_of(&values)], draw.once_in(2)),
        2 => Condition::Compare(column, Comparison::Unequal, literal),
        3 if matches!(literal, Value::Int(_)) => {
            Condition::Compare(column, draw.one_of(&[Comparison::Greater, Comparison::LessOrEqual]), literal)
        }
        _ => Condition::Compare(column, Comparison::Equal, literal),
    }
}

fn key(draw: &mut Draw, grammar: Grammar) -> Key {
    match draw.below(8) {
        0 if grammar.site => Key::Column("site"),
        1 if grammar.site => Key::Column("site"),
        2 => Key::Case(condition(draw, grammar, 1)),
        3 => Key::Band("age", draw.one_of(&[10, 20])),
        _ => Key::Column(draw.one_of(&KEYS)),
    }
}

fn aggregate(draw: &mut Draw, grammar: Grammar) -> Aggregate {
    let measure = draw.one_of(&MEASURES);
    // `site` inside an argument is not federable; it may stand in FILTER.
    let inside = Grammar { site: false, ..grammar };
    let (function, argument) = match draw.below(8) {
        0 | 1 => (Function::Count, Argument::Rows),
        2 => (Function::Count, Argument::Measure(measure)),
        3 => {
            (Function::Sum, Argument::Measure(draw.one_of(&["resting_bp", "cholesterol", "max_heart_rate"])))
        }
        4 => {
            let then = draw.one_of(&[Term::One, Term::Measure("cholesterol")]);
            let otherwise = if then == Term::One {
                Term::Zero
            } else {
                draw.one_of(&[Term::Zero, Term::Null, then.clone()])
            };
            (Function::Sum, Argument::Case(condition(draw, inside, 1), then, otherwise))
        }
        5 => (
            Function::Avg,
            Argument::Case(
                condition(draw, inside, 0),
                Term::Measure(measure),
                draw.one_of(&[Term::Null, Term::Zero]),
            ),
        ),
        _ => (Function::Avg, Argument::Measure(measure)),
    };
    let filter = draw.once_in(4).then(|| condition(draw, grammar, 1));
    Aggregate { function, argument, filter }
}

/// Draws one question.
pub(crate) fn question(draw: &mut Draw, grammar: Grammar) -> Question {
    let keys: Vec<Key> = (0..draw.one_of(&[0, 1, 1, 1, 2, 2])).map(|_| key(draw, grammar)).collect();
    let mut aggregates =
        vec![Aggregate { function: Function::Count, argument: Argument::Rows, filter: None }];
    aggregates.extend((0..=draw.below(2)).map(|_| aggregate(draw, grammar)));
    let filter = draw.once_in(2).then(|| condition(draw, grammar, 2));
    let mut question =
        Question { keys, aggregates, above: vec![], filter, having: None, ordered: true, limit: None };
    if grammar.above {
        if draw.once_in(2) {
            question.above.push(
                draw.one_of(&[
                    "{1} * 2 + 1",
                    "{1} / nullif({0}, 0)",
                    "coalesce({1}, 0)",
                    "CASE WHEN {0} > 20 THEN {1} END",
                    "{0} + 0.5",
                ])
                .to_owned(),
            );
        }
        if draw.once_in(4) && !question.keys.is_empty() {
            question.having =
                Some(draw.one_of(&["{0} > 20", "{0} BETWEEN 5 AND 100", "{1} IS NOT NULL"]).to_owned());
        }
        if draw.once_in(4) && !question.keys.is_empty() {
            question.limit = Some(draw.below(4) + 1);
        }
    }
    question
}
