//! Random conditions: over texts, numbers, days and truth values, and over what no agreement allows.

use crate::plans::generate::{ANY_COLUMN, FOREIGN, Generator, Reach};
use crate::plans::language::Expr;
use crate::plans::world::{Kind, Use};

impl Generator<'_> {
    /// A column for a position.
    pub(crate) fn column(&mut self, reach: &[Reach], wanted: Use) -> Reach {
        let good: Vec<&Reach> = reach.iter().filter(|it| it.uses.contains(&wanted)).collect();
        if good.is_empty() || self.dice.percent(ANY_COLUMN) {
            return self.dice.pick(reach);
        }
        self.dice.pick(&good).clone()
    }

    /// A condition over columns with this use.
    pub(crate) fn condition(&mut self, reach: &[Reach], wanted: Use, depth: usize) -> Expr {
        if depth > 0 && self.dice.percent(25) {
            let (one, two) =
                (self.condition(reach, wanted, depth - 1), self.condition(reach, wanted, depth - 1));
            return match self.dice.below(5) {
                0 => Expr::Before("NOT", Box::new(one)),
                1 | 2 => one.bin("OR", two),
                _ => one.bin("AND", two),
            };
        }
        if self.dice.percent(FOREIGN) {
            return self.foreign(reach);
        }
        let column = self.column(reach, wanted);
        let plain = Expr::Col(column.at);
        if self.dice.percent(8) {
            let test = self.dice.pick(&["IS NULL", "IS NOT NULL"]);
            return Expr::Behind(Box::new(plain), test.to_owned());
        }
        if self.dice.percent(4) {
            let other = self.column(reach, wanted);
            if other.kind == column.kind {
                let op = self.dice.pick(&["=", "<>", "<"]);
                return plain.bin(op, Expr::Col(other.at));
            }
        }
        if self.dice.percent(4) {
            let case = Expr::Case {
                base: None,
                whens: vec![(self.condition(reach, wanted, 0), Expr::lit("true"))],
                otherwise: Some(Box::new(Expr::lit("false"))),
            };
            return case;
        }
        match column.kind {
            Kind::Text => self.of_text(plain),
            Kind::Int | Kind::Float => self.of_number(plain, column.kind),
            Kind::Date => self.of_date(plain, column.grain),
            Kind::Bool => match self.dice.below(4) {
                0 => plain,
                1 => Expr::Before("NOT", Box::new(plain)),
                2 => Expr::Behind(Box::new(plain), "IS TRUE".to_owned()),
                _ => plain.bin("=", Expr::lit("true")),
            },
        }
    }

    fn of_text(&mut self, plain: Expr) -> Expr {
        let letter = |it: &mut Self| Expr::lit(it.dice.pick(&["'A'", "'B'", "'C'", "'zz'"]));
        let op = self.dice.pick(&["=", "<>", "<", ">="]);
        match self.dice.below(12) {
            0 => Expr::In(Box::new(plain), self.dice.percent(30), vec![letter(self), letter(self)]),
            1 => Expr::Behind(
                Box::new(plain),
                self.dice.pick(&["LIKE 'A%'", "NOT LIKE '%b_'", "ILIKE 'a%'"]).to_owned(),
            ),
            2 => Expr::Call("upper", vec![plain]).bin("=", letter(self)),
            3 => Expr::Call("left", vec![plain, Expr::lit("1")]).bin("=", letter(self)),
            4 => Expr::Call("coalesce", vec![plain, Expr::lit("'A'")]).bin(op, letter(self)),
            5 => Expr::Call("character_length", vec![plain]).bin(">", Expr::lit("3")),
            6 => plain.bin("||", Expr::lit("'x'")).bin("=", letter(self)),
            7 => {
                Expr::Behind(Box::new(Expr::Call("nullif", vec![plain, letter(self)])), "IS NULL".to_owned())
            }
            8 => Expr::Between(Box::new(plain), Box::new(letter(self)), Box::new(letter(self))),
            9 if self.dice.percent(30) => plain.bin("=", Expr::lit("5")),
            _ => plain.bin(op, letter(self)),
        }
    }

    fn of_number(&mut self, plain: Expr, kind: Kind) -> Expr {
        let number = Expr::lit(self.dice.pick(&["0", "1", "3", "7"]));
        let op = self.dice.pick(&["=", "<>", "<", ">=", ">", "<=", "IS DISTINCT FROM"]);
        match self.dice.below(12) {
            0 if kind == Kind::Int => Expr::In(Box::new(plain), false, vec![number, Expr::lit("4")]),
            1 => Expr::Between(Box::new(plain), Box::new(number), Box::new(Expr::lit("9"))),
            2 => plain.bin("+", Expr::lit("1")).bin(op, number),
            3 => plain.bin("%", Expr::lit("2")).bin("=", number),
            4 => Expr::Call("abs", vec![plain]).bin(op, number),
            5 if kind == Kind::Float => Expr::Call("floor", vec![plain]).bin(op, number),
            6 => plain.bin("/", Expr::lit("2")).bin(op, number),
            7 if self.dice.percent(20) => plain.bin("/", Expr::lit("0")).bin(op, number),
            8 if self.dice.percent(20) => Expr::Call("sqrt", vec![plain]).bin(op, number),
            9 if self.dice.percent(20) => Expr::Cast("CAST", Box::new(plain), "BIGINT").bin(op, number),
            10 => Expr::Before("-", Box::new(plain)).bin(op, number),
            _ => plain.bin(op, number),
        }
    }

    fn of_date(&mut self, plain: Expr, grain: Option<&str>) -> Expr {
        // Days on which steps begin: of all calendars, of quarters, of months, of weeks; and one of none.
        let on = match grain {
            Some("year") => "2024-01-01",
            Some("quarter") => "2024-04-01",
            Some("month") => "2024-02-01",
            Some("week") => "2024-01-08",
            _ => "2024-03-13",
        };
        let day = if self.dice.percent(12) {
            self.dice.pick(&["2024-01-01", "2024-04-01", "2024-02-01", "2024-01-08", "2024-03-13"])
        } else {
            on
        };
        let quoted = format!("'{day}'");
        let literal = match self.dice.below(5) {
            0 => Expr::lit(quoted),
            1 => Expr::Cast("CAST", Box::new(Expr::lit(quoted)), "DATE"),
            _ => Expr::lit(format!("DATE {quoted}")),
        };
        let op = self.dice.pick(&["=", "<>", "<", ">=", ">", "<="]);
        let part = self.part(grain);
        match self.dice.below(9) {
            0 => Expr::Between(Box::new(plain), Box::new(literal.clone()), Box::new(literal)),
            1 => Expr::In(Box::new(plain), false, vec![literal]),
            2 => Expr::Call("date_part", vec![part, plain]).bin(op, Expr::lit("2")),
            3 => Expr::Call("date_trunc", vec![self.step(grain), plain]).bin(op, literal),
            4 => Expr::Call("coalesce", vec![plain, Expr::lit("DATE '2024-01-01'")]).bin(op, literal),
            5 => literal.bin(op, plain),
            _ => plain.bin(op, literal),
        }
    }

    pub(crate) fn part(&mut self, grain: Option<&str>) -> Expr {
        let fits: &[&str] = match grain {
            Some("year") => &["'year'"],
            Some("quarter") => &["'year'", "'quarter'"],
            Some("month") => &["'year'", "'quarter'", "'month'"],
            Some("week") => &["'week'", "'isoyear'"],
            _ => &["'year'", "'month'", "'day'", "'dow'"],
        };
        let any = ["'year'", "'quarter'", "'month'", "'week'", "'day'", "'doy'"];
        Expr::lit(if self.dice.percent(10) { self.dice.pick(&any) } else { self.dice.pick(fits) })
    }

    pub(crate) fn step(&mut self, grain: Option<&str>) -> Expr {
        let any = ["year", "quarter", "month", "week", "day"];
        let word = if self.dice.percent(10) { self.dice.pick(&any) } else { grain.unwrap_or("month") };
        Expr::lit(format!("'{word}'"))
    }

    /// What no agreement allows where single rows are read.
    fn foreign(&mut self, reach: &[Reach]) -> Expr {
        let column = Expr::Col(self.column(reach, Use::Filter).at);
        let table = self.world.tables[0].name;
        match self.dice.below(7) {
            0 => Expr::Call("md5", vec![Expr::Cast("CAST", Box::new(column), "VARCHAR")])
                .bin("=", Expr::lit("'a'")),
            1 => Expr::Call("random", vec![]).bin("<", Expr::lit("0.5")),
            2 => Expr::Call("regexp_like", vec![column, Expr::lit("'a+'")]),
            3 => column.bin("<", Expr::Call("now", vec![])),
            4 => Expr::Subquery(Box::new(column), format!("IN (SELECT pid FROM {table})")),
            5 => Expr::Subquery(Box::new(Expr::lit("")), format!("EXISTS (SELECT 1 FROM {table})")),
            _ => Expr::Call("isnan", vec![column]),
        }
    }
}
