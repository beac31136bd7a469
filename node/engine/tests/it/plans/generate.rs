//! Random questions. Most columns stand where the agreement lets them stand, so that a question with one wrong step among many
//! right ones is common, and so are questions without any.

use crate::plans::checker::{Below, columns};
use crate::plans::dice::Dice;
use crate::plans::language::{Agg, Aside, Body, Cut, Expr, Grouped, How, Odd, Query, Rows};
use crate::plans::world::{Kind, Use, World};

/// How often, of a hundred, a position takes any column at all.
const ANY_COLUMN: usize = 5;
/// How often a place takes something that no agreement allows.
const FOREIGN: usize = 2;

/// A column in reach.
#[derive(Debug, Clone)]
struct Reach {
    at: usize,
    kind: Kind,
    uses: Vec<Use>,
    adds_up: bool,
    grain: Option<&'static str>,
    entity: bool,
}

pub(crate) struct Generator<'a> {
    world: &'a World,
    pub(crate) dice: &'a mut Dice,
    aliases: usize,
}

/// Any question.
pub(crate) fn question(world: &World, dice: &mut Dice) -> Query {
    let mut generator = Generator { world, dice, aliases: 0 };
    generator.query()
}

impl Generator<'_> {
    fn query(&mut self) -> Query {
        let roll = self.dice.below(100);
        let cut = |it: &mut Self| Query::Cut(Box::new(it.cut()));
        match roll {
            0..=71 => cut(self),
            72..=83 => {
                let inner = Box::new(cut(self));
                let (listed, rest, functions) = self.over();
                Query::Over { inner, listed, rest, functions }
            }
            84..=88 => {
                let Query::Cut(left) = cut(self) else { unreachable!() };
                let mut right = left.clone();
                right.from = self.renamed(&right.from);
                let op = self.dice.pick(&["UNION ALL", "UNION", "INTERSECT", "EXCEPT"]);
                right.filter = self.maybe_filter(&right.from, 60);
                Query::Set(op, Box::new(Query::Cut(left)), Box::new(Query::Cut(right)))
            }
            89..=91 => {
                let Query::Cut(left) = cut(self) else { unreachable!() };
                let mut right = left.clone();
                right.from = self.renamed(&right.from);
                right.filter = self.maybe_filter(&right.from, 60);
                Query::Beside(Box::new(Query::Cut(left)), Box::new(Query::Cut(right)))
            }
            92..=93 => Query::Above(Box::new(cut(self)), Box::new(cut(self))),
            94..=96 => Query::Rows(self.rows(2)),
            97 => {
                let word =
                    self.dice.pick(&["EXPLAIN ", "CREATE TABLE other AS ", "INSERT INTO person ", "EXPLAIN ANALYZE "]);
                Query::Statement(word, Box::new(cut(self)))
            }
            _ => {
                let rows = self.rows(1);
                let op = self.dice.pick(&["UNION", "UNION ALL", "EXCEPT"]);
                let again = self.renamed(&rows);
                Query::Set(op, Box::new(Query::Rows(rows)), Box::new(Query::Rows(again)))
            }
        }
    }

    /// The same rows under other names.
    fn renamed(&mut self, rows: &Rows) -> Rows {
        let mut rows = rows.clone();
        self.rename(&mut rows);
        rows
    }

    fn rename(&mut self, rows: &mut Rows) {
        rows.alias = self.alias();
        match &mut rows.body {
            Body::Table(_) => {}
            Body::Select { from, .. } | Body::Person { from, .. } => self.rename(from),
            Body::Join { left, right, .. } => {
                self.rename(left);
                self.rename(right);
            }
        }
    }

    /// SQL over released values: `c0` is the first column of whatever they are.
    fn over(&mut self) -> (String, String, Vec<&'static str>) {
        let text = |listed: &str, rest: &str| (listed.to_owned(), rest.to_owned());
        let ((listed, rest), functions) = match self.dice.below(8) {
            0 => (text("*", " WHERE c0 IS NOT NULL"), vec![]),
            1 => (text("c0, row_number() OVER (ORDER BY c0)", ""), vec!["row_number"]),
            2 => (text("count(c0), max(c0)", ""), vec!["count", "max"]),
            3 => (text("DISTINCT c0", " ORDER BY 1 LIMIT 3"), vec![]),
            4 => (text("CASE WHEN c0 IS NULL THEN 0 ELSE 1 END, count(*)", " GROUP BY 1"), vec!["count"]),
            5 => (text("median(1.0 * length(CAST(c0 AS VARCHAR)))", ""), vec!["median"]),
            6 => (text("c0", ""), vec![]),
            _ => match self.dice.below(3) {
                0 => (text("md5(CAST(c0 AS VARCHAR))", ""), vec!["md5"]),
                1 => (text("array_agg(c0)", ""), vec!["array_agg"]),
                _ => (text("c0, random()", ""), vec!["random"]),
            },
        };
        (listed, rest, functions)
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        // Of even and odd lengths: names are written with and without it.
        if self.dice.percent(50) { format!("q{}", self.aliases % 10) + &"x".repeat(self.aliases / 10 * 2) } else { format!("r{}y", self.aliases % 10) + &"x".repeat(self.aliases / 10 * 2) }
    }

    fn table(&mut self) -> Rows {
        let at = self.dice.pick(&[0, 0, 1, 1, self.world.tables.len() - 1]);
        Rows { alias: self.alias(), cte: false, body: Body::Table(at) }
    }

    fn rows(&mut self, depth: usize) -> Rows {
        if depth == 0 {
            return self.table();
        }
        let roll = self.dice.below(100);
        let body = match roll {
            0..=44 => return self.table(),
            45..=69 => self.select(depth),
            70..=91 => return self.join(depth),
            _ => self.person(depth),
        };
        Rows { alias: self.alias(), cte: self.dice.percent(40), body }
    }

    fn select(&mut self, depth: usize) -> Body {
        let from = Box::new(self.rows(depth - 1));
        let filter = self.maybe_filter(&from, 40);
        let reach = self.reach(&from);
        let joined = matches!(from.body, Body::Join { .. });
        let outputs = if !joined && self.dice.percent(25) {
            None
        } else {
            let mut outputs: Vec<Expr> = reach.iter().filter(|_| self.dice.percent(80)).map(|it| Expr::Col(it.at)).collect();
            for _ in 0..self.dice.below(3) {
                let more = if self.dice.percent(50) { self.key(&reach) } else { self.measure(&reach) };
                outputs.insert(self.dice.below(outputs.len() + 1), more);
            }
            if outputs.is_empty() {
                outputs.push(Expr::Col(0));
            }
            Some(outputs)
        };
        let odd = match self.dice.below(100) {
            0 => Odd::Distinct,
            1 => Odd::Limit,
            2 => Odd::Window,
            _ => Odd::No,
        };
        Body::Select { from, filter, outputs, odd }
    }

    fn join(&mut self, depth: usize) -> Rows {
        let mut left = self.table();
        let side = self.dice.percent(25);
        let mut right = if side { Rows { alias: self.alias(), cte: self.dice.percent(40), body: self.select(depth.min(1)) } } else { self.table() };
        if self.dice.percent(70) {
            left.body = Body::Table(0);
            if !side {
                right.body = Body::Table(1);
            }
        }
        if self.dice.percent(30) {
            std::mem::swap(&mut left, &mut right);
        }
        let mut joined = self.joined(left, right);
        if self.dice.percent(20) && self.world.tables.len() > 2 {
            let third = Rows { alias: self.alias(), cte: false, body: Body::Table(2) };
            joined = self.joined(joined, third);
        }
        joined
    }

    /// Two relations joined, mostly along the columns that are made for it.
    fn joined(&mut self, left: Rows, right: Rows) -> Rows {
        let (mut one, mut two) = (Below::default(), Below::default());
        let (lefts, rights) = (columns(self.world, &left, &mut one), columns(self.world, &right, &mut two));
        let named = |all: &[Expr], below: &Below| -> Vec<(usize, String)> {
            let name = |(at, it): (usize, &Expr)| Some((at, below.name(self.world, it)?));
            all.iter().enumerate().filter_map(name).collect()
        };
        let (lefts_named, rights_named) = (named(&lefts, &one), named(&rights, &two));
        let mut good = Vec::new();
        for (at, name) in &lefts_named {
            for (other, same) in rights_named.iter().filter(|(_, it)| it == name) {
                if matches!(same.as_str(), "pid" | "vid" | "code") {
                    good.push((*at, lefts.len() + other));
                }
            }
        }
        let mut on = Vec::new();
        if !good.is_empty() && self.dice.percent(93) {
            let (at, other) = self.dice.pick(&good);
            on.push(Expr::Col(at).bin("=", Expr::Col(other)));
        }
        if self.dice.percent(5) {
            let (at, other) = (self.dice.below(lefts.len()), self.dice.below(rights.len()) + lefts.len());
            let op = self.dice.pick(&["=", "=", "<"]);
            on.push(Expr::Col(at).bin(op, Expr::Col(other)));
        }
        let how = match self.dice.below(100) {
            0..=1 => How::Left,
            2 => How::Full,
            3..=22 => How::Comma,
            _ => How::Inner,
        };
        let nested = [&left, &right].iter().any(|it| matches!(it.body, Body::Join { .. }));
        let how = if nested && how == How::Comma { How::Inner } else { how };
        let mut rows =
            Rows { alias: self.alias(), cte: false, body: Body::Join { left: Box::new(left), right: Box::new(right), on, how } };
        if how == How::Inner && self.dice.percent(15) {
            let more = self.maybe_filter(&rows, 100);
            if let Body::Join { on, .. } = &mut rows.body {
                on.extend(more);
            }
        }
        rows
    }

    fn person(&mut self, depth: usize) -> Body {
        let from = Box::new(if depth > 1 && self.dice.percent(30) { self.rows(1) } else { self.table() });
        let filter = self.maybe_filter(&from, 40);
        let reach = self.reach(&from);
        let entity: Vec<&Reach> = reach.iter().filter(|it| it.entity).collect();
        let mut keys: Vec<Expr> = entity.first().map(|it| Expr::Col(it.at)).into_iter().collect();
        if self.dice.percent(25) || keys.is_empty() {
            keys.push(self.key(&reach));
        }
        let aggs: Vec<Agg> = (0..=self.dice.below(2)).map(|_| self.agg(&reach)).collect();
        let having = self.dice.percent(20).then(|| {
            Expr::Col(keys.len()).bin(">", Expr::lit("2"))
        });
        Body::Person { from, filter, keys, aggs, having }
    }

    fn cut(&mut self) -> Cut {
        let from = self.rows(3);
        let filter = self.maybe_filter(&from, 50);
        let reach = self.reach(&from);
        let mut keys: Vec<Expr> = Vec::new();
        for _ in 0..self.dice.below(3) {
            let key = self.key(&reach);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mut aggs = Vec::new();
        let distinct = !keys.is_empty() && self.dice.percent(5);
        if !distinct {
            for _ in 0..=self.dice.below(2) {
                let agg = self.agg(&reach);
                if !aggs.contains(&agg) {
                    aggs.push(agg);
                }
            }
        }
        let aside = (!distinct && self.dice.percent(15)).then(|| {
            let aside = self.dice.pick(&[Aside::Having, Aside::Order, Aside::Window, Aside::Ratio]);
            (aside, self.agg(&reach))
        });
        let grouped = match self.dice.below(100) {
            _ if distinct => Grouped::Distinct,
            0..=1 => Grouped::Rollup,
            2..=40 => Grouped::Numbers,
            _ => Grouped::Words,
        };
        Cut { from, filter, keys, aggs, grouped, aside }
    }

    fn reach(&mut self, rows: &Rows) -> Vec<Reach> {
        let mut below = Below::default();
        let all = columns(self.world, rows, &mut below);
        all.iter().enumerate().map(|(at, it)| self.reached(&below, at, it)).collect()
    }

    fn reached(&self, below: &Below, at: usize, expr: &Expr) -> Reach {
        let read = below.columns_of(self.world, expr);
        let all = [Use::Group, Use::Filter, Use::Measure, Use::Join];
        let uses = all.into_iter().filter(|wanted| read.iter().all(|it| it.may(*wanted))).collect();
        let plain = matches!(expr, Expr::Col(_));
        Reach {
            at,
            kind: below.kind(self.world, expr),
            uses,
            adds_up: plain && read.iter().all(|it| it.adds_up()),
            grain: read.first().and_then(|it| it.grain),
            entity: below.is_entity(self.world, expr),
        }
    }

    fn maybe_filter(&mut self, rows: &Rows, share: usize) -> Option<Expr> {
        let reach = self.reach(rows);
        self.dice.percent(share).then(|| self.condition(&reach, Use::Filter, 2))
    }

    /// A column for a position.
    fn column(&mut self, reach: &[Reach], wanted: Use) -> Reach {
        let good: Vec<&Reach> = reach.iter().filter(|it| it.uses.contains(&wanted)).collect();
        if good.is_empty() || self.dice.percent(ANY_COLUMN) {
            return self.dice.pick(reach);
        }
        self.dice.pick(&good).clone()
    }

    /// A condition over columns with this use.
    fn condition(&mut self, reach: &[Reach], wanted: Use, depth: usize) -> Expr {
        if depth > 0 && self.dice.percent(25) {
            let (one, two) = (self.condition(reach, wanted, depth - 1), self.condition(reach, wanted, depth - 1));
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
            1 => Expr::Behind(Box::new(plain), self.dice.pick(&["LIKE 'A%'", "NOT LIKE '%b_'", "ILIKE 'a%'"]).to_owned()),
            2 => Expr::Call("upper", vec![plain]).bin("=", letter(self)),
            3 => Expr::Call("left", vec![plain, Expr::lit("1")]).bin("=", letter(self)),
            4 => Expr::Call("coalesce", vec![plain, Expr::lit("'A'")]).bin(op, letter(self)),
            5 => Expr::Call("character_length", vec![plain]).bin(">", Expr::lit("3")),
            6 => plain.bin("||", Expr::lit("'x'")).bin("=", letter(self)),
            7 => Expr::Behind(Box::new(Expr::Call("nullif", vec![plain, letter(self)])), "IS NULL".to_owned()),
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

    fn part(&mut self, grain: Option<&str>) -> Expr {
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

    fn step(&mut self, grain: Option<&str>) -> Expr {
        let any = ["year", "quarter", "month", "week", "day"];
        let word = if self.dice.percent(10) { self.dice.pick(&any) } else { grain.unwrap_or("month") };
        Expr::lit(format!("'{word}'"))
    }

    /// What no agreement allows where single rows are read.
    fn foreign(&mut self, reach: &[Reach]) -> Expr {
        let column = Expr::Col(self.column(reach, Use::Filter).at);
        let table = self.world.tables[0].name;
        match self.dice.below(7) {
            0 => Expr::Call("md5", vec![Expr::Cast("CAST", Box::new(column), "VARCHAR")]).bin("=", Expr::lit("'a'")),
            1 => Expr::Call("random", vec![]).bin("<", Expr::lit("0.5")),
            2 => Expr::Call("regexp_like", vec![column, Expr::lit("'a+'")]),
            3 => column.bin("<", Expr::Call("now", vec![])),
            4 => Expr::Subquery(Box::new(column), format!("IN (SELECT pid FROM {table})")),
            5 => Expr::Subquery(Box::new(Expr::lit("")), format!("EXISTS (SELECT 1 FROM {table})")),
            _ => Expr::Call("isnan", vec![column]),
        }
    }

    fn key(&mut self, reach: &[Reach]) -> Expr {
        if self.dice.percent(12) {
            let whens = vec![(self.condition(reach, Use::Group, 1), Expr::lit("'yes'"))];
            return Expr::Case { base: None, whens, otherwise: Some(Box::new(Expr::lit("'no'"))) };
        }
        let column = self.column(reach, Use::Group);
        let plain = Expr::Col(column.at);
        match (column.kind, self.dice.below(6)) {
            (Kind::Text, 0) => Expr::Call("upper", vec![plain]),
            (Kind::Text, 1) => Expr::Call("coalesce", vec![plain, Expr::lit("'?'")]),
            (Kind::Text, 2) => Expr::Case {
                base: Some(Box::new(plain)),
                whens: vec![(Expr::lit("'A'"), Expr::lit("1"))],
                otherwise: Some(Box::new(Expr::lit("2"))),
            },
            (Kind::Int, 0) => plain.bin("%", Expr::lit("2")),
            (Kind::Int, 1) => plain.bin("/", Expr::lit("10")),
            (Kind::Date, 0 | 1) => Expr::Call("date_part", vec![self.part(column.grain), plain]),
            (Kind::Date, 2 | 3) => Expr::Call("date_trunc", vec![self.step(column.grain), plain]),
            _ => plain,
        }
    }

    /// A number that may be added up.
    fn measure(&mut self, reach: &[Reach]) -> Expr {
        let number = |it: &&Reach| matches!(it.kind, Kind::Int | Kind::Float);
        let good: Vec<usize> = reach.iter().filter(number).filter(|it| it.adds_up).map(|it| it.at).collect();
        let all: Vec<usize> = reach.iter().filter(number).map(|it| it.at).collect();
        if all.is_empty() {
            return Expr::Col(self.dice.below(reach.len()));
        }
        let pool = if good.is_empty() || self.dice.percent(ANY_COLUMN) { all } else { good };
        Expr::Col(self.dice.pick(&pool))
    }

    fn agg(&mut self, reach: &[Reach]) -> Agg {
        let filter = self.dice.percent(20).then(|| self.condition(reach, Use::Filter, 1));
        let agg = |function, distinct, arg| Agg { function, distinct, arg, filter: filter.clone() };
        let adding = self.dice.pick(&["sum", "avg", "sum"]);
        match self.dice.below(100) {
            0..=24 => agg("count", false, None),
            25..=34 => {
                let entity = reach.iter().find(|it| it.entity).map(|it| it.at);
                let any = self.dice.below(reach.len());
                let at = if self.dice.percent(ANY_COLUMN) { any } else { entity.unwrap_or(any) };
                agg("count", true, Some(Expr::Col(at)))
            }
            35..=42 => {
                let wanted = self.dice.pick(&[Use::Measure, Use::Filter]);
                let at = self.column(reach, wanted).at;
                agg("count", false, Some(Expr::Col(at)))
            }
            43..=62 => {
                let arg = self.measure(reach);
                agg(adding, false, Some(arg))
            }
            63..=84 => {
                let arg = self.argument(reach);
                let function = self.dice.pick(&["sum", "avg", "count"]);
                agg(function, false, Some(arg))
            }
            85..=92 => {
                let arg = if self.dice.percent(60) { self.measure(reach) } else { Expr::Col(self.column(reach, Use::Group).at) };
                let function = if self.world.guarded && self.dice.percent(80) { adding } else { self.dice.pick(&["min", "max"]) };
                agg(function, false, Some(arg))
            }
            93..=94 => {
                let arg = self.measure(reach);
                agg("sum", true, Some(arg))
            }
            95..=96 => {
                let arg = self.measure(reach);
                let function = self.dice.pick(&["median", "stddev", "array_agg", "approx_distinct", "first_value"]);
                agg(function, false, Some(arg))
            }
            _ => agg("count", false, Some(Expr::lit("1"))),
        }
    }

    /// More than a column inside an aggregate.
    fn argument(&mut self, reach: &[Reach]) -> Expr {
        let (one, two) = (self.measure(reach), self.measure(reach));
        let literal = Expr::lit(self.dice.pick(&["0", "1", "NULL", "0", "1", "NULL", "2"]));
        match self.dice.below(12) {
            0 | 1 => one.bin("*", two),
            2 => one.bin("*", Expr::lit("1").bin("-", two)),
            3 => one.bin("+", two),
            4 => Expr::Call("coalesce", vec![one, Expr::lit("0")]),
            5 => Expr::Call("nullif", vec![one, Expr::lit("0")]),
            6 => Expr::Cast("CAST", Box::new(self.condition(reach, Use::Filter, 0)), "BIGINT"),
            7 => {
                let then = if self.dice.percent(50) { one } else { one.bin("*", two) };
                let whens = vec![(self.condition(reach, Use::Filter, 0), then), (self.condition(reach, Use::Filter, 0), literal)];
                Expr::Case { base: None, whens, otherwise: None }
            }
            _ => {
                let whens = vec![(self.condition(reach, Use::Filter, 1), one)];
                let otherwise = self.dice.percent(60).then(|| Box::new(literal));
                Expr::Case { base: None, whens, otherwise }
            }
        }
    }
}
