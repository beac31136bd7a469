//! Random questions. Most columns stand where the agreement lets them stand, so that a question with one wrong step among many
//! right ones is common, and so are questions without any.

use crate::plans::below::{Below, columns};
use crate::plans::dice::Dice;
use crate::plans::language::{Agg, Aside, Body, Cut, Expr, Grouped, How, Odd, Query, Rows};
use crate::plans::world::{Kind, Use, World};

/// How often, of a hundred, a position takes any column at all.
pub(crate) const ANY_COLUMN: usize = 5;
/// How often a place takes something that no agreement allows.
pub(crate) const FOREIGN: usize = 2;

/// A column in reach.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) at: usize,
    pub(crate) kind: Kind,
    pub(crate) uses: Vec<Use>,
    pub(crate) adds_up: bool,
    pub(crate) grain: Option<&'static str>,
    pub(crate) entity: bool,
}

pub(crate) struct Generator<'a> {
    pub(crate) world: &'a World,
    pub(crate) dice: &'a mut Dice,
    pub(crate) aliases: usize,
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
                let left = Box::new(self.cut());
                let mut right = left.clone();
                right.from = self.renamed(&right.from);
                let op = self.dice.pick(&["UNION ALL", "UNION", "INTERSECT", "EXCEPT"]);
                right.filter = self.maybe_filter(&right.from, 60);
                Query::Set(op, Box::new(Query::Cut(left)), Box::new(Query::Cut(right)))
            }
            89..=91 => {
                let left = Box::new(self.cut());
                let mut right = left.clone();
                right.from = self.renamed(&right.from);
                right.filter = self.maybe_filter(&right.from, 60);
                Query::Beside(Box::new(Query::Cut(left)), Box::new(Query::Cut(right)))
            }
            92..=93 => Query::Above(Box::new(cut(self)), Box::new(cut(self))),
            94..=96 => Query::Rows(self.rows(2)),
            97 => {
                let word = self.dice.pick(&[
                    "EXPLAIN ",
                    "CREATE TABLE other AS ",
                    "INSERT INTO person ",
                    "EXPLAIN ANALYZE ",
                ]);
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
        let ((listed, rest), functions) = match self.dice.below(9) {
            0 => (text("*", " WHERE c0 IS NOT NULL"), vec![]),
            1 => (text("c0, row_number() OVER (ORDER BY c0)", ""), vec!["row_number"]),
            2 => (text("count(c0), max(c0)", ""), vec!["count", "max"]),
            3 => (text("DISTINCT c0", " ORDER BY 1 LIMIT 3"), vec![]),
            4 => (text("CASE WHEN c0 IS NULL THEN 0 ELSE 1 END, count(*)", " GROUP BY 1"), vec!["count"]),
            5 => (text("median(1.0 * length(CAST(c0 AS VARCHAR)))", ""), vec!["median"]),
            6 => (text("c0", ""), vec![]),
            7 => (
                text(
                    "c0",
                    &format!(" WHERE c0 IS NULL{}", " OR c0 IS NULL".repeat(120 + self.dice.below(300))),
                ),
                vec![],
            ),
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
        if self.dice.percent(50) {
            format!("q{}", self.aliases % 10) + &"x".repeat(self.aliases / 10 * 2)
        } else {
            format!("r{}y", self.aliases % 10) + &"x".repeat(self.aliases / 10 * 2)
        }
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
            let mut outputs: Vec<Expr> =
                reach.iter().filter(|_| self.dice.percent(80)).map(|it| Expr::Col(it.at)).collect();
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
        let mut right = if side {
            Rows { alias: self.alias(), cte: self.dice.percent(40), body: self.select(depth.min(1)) }
        } else {
            self.table()
        };
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
        let mut rows = Rows {
            alias: self.alias(),
            cte: false,
            body: Body::Join { left: Box::new(left), right: Box::new(right), on, how },
        };
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
        let having = self.dice.percent(30).then(|| {
            let op = self.dice.pick(&[">=", ">=", "<", ">", "<=", "="]);
            let number = self.dice.pick(&["1", "2", "3", "4", "5", "10"]);
            Expr::Col(keys.len()).bin(op, Expr::lit(number))
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
                let group = Expr::Col(self.column(reach, Use::Group).at);
                let arg = match self.dice.below(10) {
                    0..=4 => self.measure(reach),
                    5..=7 => group,
                    8 => group.bin("*", Expr::lit("1").bin("-", self.measure(reach))),
                    _ => group.bin("+", Expr::lit("0")),
                };
                let function = if self.world.guarded && self.dice.percent(80) {
                    adding
                } else {
                    self.dice.pick(&["min", "max"])
                };
                agg(function, false, Some(arg))
            }
            93..=94 => {
                let arg = self.measure(reach);
                agg("sum", true, Some(arg))
            }
            95..=96 => {
                let arg = self.measure(reach);
                let function =
                    self.dice.pick(&["median", "stddev", "array_agg", "approx_distinct", "first_value"]);
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
                let whens = vec![
                    (self.condition(reach, Use::Filter, 0), then),
                    (self.condition(reach, Use::Filter, 0), literal),
                ];
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
