//! Reads a call from the text of a statement. What is no call is left to the planner.

use chrono::NaiveDate;
use liquid_policy::id::TemplateName;

use super::{Argument, Call, SCHEMA, misread};
use crate::error::Error;
use crate::parameter::{PARAMETERS_MAX, Parameter};

/// The call that a statement is, its bound values put in; none where it is something else.
///
/// # Errors
/// Where it calls something in a way that is not understood, or a bound value is missing or too much.
pub fn read(sql: &str, bound: &[Parameter]) -> Result<Option<Call>, Error> {
    let mut text = Text { rest: sql, bound, highest: 0 };
    if !text.begins_call() {
        return Ok(None);
    }
    let name = text.name().ok_or_else(|| misread("the call names no approved query"))?;
    let mut arguments = Vec::new();
    if text.sign("(") && !text.sign(")") {
        loop {
            if arguments.len() >= PARAMETERS_MAX {
                return Err(misread(format!("the call has more than {PARAMETERS_MAX} values")));
            }
            arguments.push(text.argument()?);
            if text.sign(")") {
                break;
            }
            if !text.sign(",") {
                return Err(misread(format!("the values of the call are not understood{}", text.here())));
            }
        }
    }
    while text.sign(";") {}
    if !text.at_end() {
        return Err(misread(format!("the call goes on where it should end{}", text.here())));
    }
    if text.highest != bound.len() {
        return Err(Error::invalid(
            format!("the call has {} places for bound values, and {} are bound", text.highest, bound.len()),
            "bind one value to each `?`",
        ));
    }
    Ok(Some(Call { name: TemplateName::new(name), arguments }))
}

struct Text<'a> {
    rest: &'a str,
    bound: &'a [Parameter],
    /// The highest number of a bound value that was named.
    highest: usize,
}

impl<'a> Text<'a> {
    /// Whether a call begins here; what begins it is read.
    fn begins_call(&mut self) -> bool {
        if self.word("EXECUTE") {
            return true;
        }
        let before = self.rest;
        if self.word("SELECT") && self.sign("*") && self.word("FROM") {
            // The schema alone, or the catalogue before it.
            for _ in 0..2 {
                let Some(name) = self.name() else { break };
                if !self.sign(".") {
                    break;
                }
                if name.eq_ignore_ascii_case(SCHEMA) {
                    return true;
                }
            }
        }
        self.rest = before;
        false
    }

    fn argument(&mut self) -> Result<Argument, Error> {
        let before = self.rest;
        let name = self.name();
        if let Some(name) = name
            && self.sign("=>")
        {
            return Ok(Argument { name: Some(name), value: self.value()? });
        }
        self.rest = before;
        Ok(Argument { name: None, value: self.value()? })
    }

    fn value(&mut self) -> Result<Parameter, Error> {
        self.blank();
        if self.rest.starts_with('\'') {
            return Ok(Parameter::Utf8(Some(self.quoted('\'')?)));
        }
        if self.word("NULL") {
            return Ok(Parameter::Null);
        }
        if self.word("TRUE") {
            return Ok(Parameter::Boolean(Some(true)));
        }
        if self.word("FALSE") {
            return Ok(Parameter::Boolean(Some(false)));
        }
        if self.word("DATE") {
            self.blank();
            let day = if self.rest.starts_with('\'') { self.quoted('\'')? } else { String::new() };
            let day = day.parse::<NaiveDate>().map_err(|_| misread("DATE stands before no day"))?;
            return Ok(Parameter::Date32(Some(day.to_epoch_days())));
        }
        if let Some(rest) = self.rest.strip_prefix('$') {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, after) = rest.split_at_checked(digits).unwrap_or((rest, ""));
            let place = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let value = place.and_then(|place| self.bound.get(place)).cloned().ok_or_else(|| {
                Error::invalid(format!("no value is bound to `${number}`"), "bind one value to each place")
            })?;
            self.highest = self.highest.max(place.map_or(0, |place| place + 1));
            self.rest = after;
            return Ok(value);
        }
        self.number().ok_or_else(|| misread(format!("a value of the call is not understood{}", self.here())))
    }

    fn number(&mut self) -> Option<Parameter> {
        let mut before = ' ';
        let end = self.rest.find(|c: char| {
            let sign = matches!(c, '+' | '-') && matches!(before, ' ' | 'e' | 'E');
            before = c;
            !(sign || c.is_ascii_alphanumeric() || c == '.')
        });
        let (number, after) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        let value = match number.parse::<i64>() {
            Ok(whole) => Parameter::Int64(Some(whole)),
            Err(_) => {
                // Rust reads `inf` and `nan`, which SQL does not.
                let digits = number.contains(|c: char| c.is_ascii_digit());
                let number = number.parse::<f64>().ok().filter(|number| digits && number.is_finite())?;
                Parameter::Float64(Some(number.to_bits()))
            }
        };
        self.rest = after;
        Some(value)
    }

    /// A name, in double quotes or plain.
    fn name(&mut self) -> Option<String> {
        self.blank();
        if self.rest.starts_with('"') {
            return self.quoted('"').ok();
        }
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let end = self.rest.find(|c| !inner(c)).unwrap_or(self.rest.len());
        let (name, after) = self.rest.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
        self.rest = after;
        Some(name.to_owned())
    }

    /// What stands between two quotes, which are doubled where they are meant.
    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let mut inner = String::new();
        let mut characters = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = characters.next() {
            if c != quote {
                inner.push(c);
            } else if characters.next_if(|(_, next)| *next == quote).is_some() {
                inner.push(quote);
            } else {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return Ok(inner);
            }
        }
        Err(misread("a quote in the call is not closed"))
    }

    /// Takes a word, whole, in any case.
    fn word(&mut self, word: &str) -> bool {
        self.blank();
        let Some((first, after)) = self.rest.split_at_checked(word.len()) else { return false };
        let goes_on = after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let is_it = first.eq_ignore_ascii_case(word) && !goes_on;
        if is_it {
            self.rest = after;
        }
        is_it
    }

    fn sign(&mut self, sign: &str) -> bool {
        self.blank();
        match self.rest.strip_prefix(sign) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    fn at_end(&mut self) -> bool {
        self.blank();
        self.rest.is_empty()
    }

    /// Passes white space and comments.
    fn blank(&mut self) {
        loop {
            let text = self.rest.trim_start();
            self.rest = if text.starts_with("--") {
                text.split_once('\n').map_or("", |(_, after)| after)
            } else if let Some(after) = text.strip_prefix("/*") {
                after.split_once("*/").map_or("", |(_, after)| after)
            } else {
                text
            };
            if self.rest.len() == text.len() {
                return;
            }
        }
    }

    /// Where the text stands, for a message to whoever wrote it.
    fn here(&self) -> String {
        let shown: String = self.rest.chars().take(20).collect();
        if shown.is_empty() { " at its end".to_owned() } else { format!(" at `{shown}`") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: &str) -> Parameter {
        Parameter::Utf8(Some(value.to_owned()))
    }

    #[track_caller]
    fn check(sql: &str, bound: &[Parameter], name: &str, expected: &[(Option<&str>, Parameter)]) {
        let call = read(sql, bound).unwrap().unwrap_or_else(|| panic!("`{sql}` is a call"));
        let found: Vec<_> = call.arguments.iter().map(|it| (it.name.as_deref(), it.value.clone())).collect();
        assert_eq!((call.name.as_str(), found.as_slice()), (name, expected), "{sql}");
    }

    #[test]
    fn calls_are_read_in_every_spelling() {
        check("EXECUTE \"by-ward\"('W1')", &[], "by-ward", &[(None, text("W1"))]);
        check(
            "execute by-ward ( ward => 'W1', least => -7 );",
            &[],
            "by-ward",
            &[(Some("ward"), text("W1")), (Some("least"), Parameter::Int64(Some(-7)))],
        );
        check("-- why\nEXECUTE /* it */ x", &[], "x", &[]);
        check("EXECUTE x()", &[], "x", &[]);
        check("SELECT * FROM template.\"by-ward\"('it''s')", &[], "by-ward", &[(None, text("it's"))]);
        check("select * from liquid.\"template\".x", &[], "x", &[]);
        check(
            "EXECUTE x(1.5, 2e3, TRUE, false, NULL, DATE '1970-01-03')",
            &[],
            "x",
            &[
                (None, Parameter::Float64(Some(1.5_f64.to_bits()))),
                (None, Parameter::Float64(Some(2000_f64.to_bits()))),
                (None, Parameter::Boolean(Some(true))),
                (None, Parameter::Boolean(Some(false))),
                (None, Parameter::Null),
                (None, Parameter::Date32(Some(2))),
            ],
        );
        check(
            "EXECUTE x($2, b => $1)",
            &[text("a"), text("b")],
            "x",
            &[(None, text("b")), (Some("b"), text("a"))],
        );
    }

    #[test]
    fn what_is_no_call_is_left_alone() {
        for sql in [
            "",
            "SELECT 1",
            "SELECT * FROM t",
            "SELECT * FROM public.t",
            "SELECT count(*) FROM template.x",
            "EXECUTED x",
            "WITH a AS (SELECT 1) SELECT * FROM a",
        ] {
            assert_eq!(read(sql, &[]).unwrap(), None, "{sql}");
        }
    }

    #[test]
    fn what_is_misspelt_is_told() {
        for sql in [
            "EXECUTE",
            "EXECUTE ()",
            "EXECUTE x(",
            "EXECUTE x('W1'",
            "EXECUTE x('W1)",
            "EXECUTE x('W1') WHERE 1=1",
            "EXECUTE x('W1'); SELECT 1",
            "EXECUTE x('W1' OR '1'='1')",
            "EXECUTE x(,)",
            "EXECUTE x(a b)",
            "EXECUTE x(1 2)",
            "EXECUTE x(inf)",
            "EXECUTE x(DATE 'soon')",
            "EXECUTE x($1)",
            "EXECUTE x($0)",
            "EXECUTE x(SELECT 1)",
            "SELECT * FROM template.x WHERE a = 1",
            "SELECT * FROM template.x, t",
        ] {
            assert!(matches!(read(sql, &[]), Err(Error::Invalid { .. })), "{sql}");
        }
        assert!(read("EXECUTE x", &[text("a")]).is_err(), "a value too much");
    }

    proptest! {
        #[test]
        fn a_value_stays_a_value(value in "\\PC{0,30}") {
            let sql = format!("EXECUTE x('{}')", value.replace('\'', "''"));
            let call = read(&sql, &[]).unwrap().unwrap();
            prop_assert_eq!(&call.arguments[0].value, &text(&value));
        }

        #[test]
        fn no_text_stops_the_reader(sql in "(EXECUTE |SELECT \\* FROM template\\.)[a-z'\"$0-9.,()/*;=> \n-]{0,40}") {
            let _ = read(&sql, &[text("a")]);
        }
    }
}
