//! Parses what takes arguments: filters, tests and functions, with the checks that need no values
//! (patterns compile, zones exist, amounts are clear).

use std::sync::Arc;

use minijinja::Value;

use super::ast::{Arguments, Ast, Filter, Function, Kind, Test, Wrong};
use super::money::Money;
use super::parse::Parser;
use super::table::Entry;
use super::table::FILTERS;
use super::table::FUNCTIONS;
use super::table::TESTS;
use super::token::{Lexeme, Token};
use crate::yaml::near::nearest;

/// The most memory that one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

impl Parser {
    /// A function's call; the bracket is next.
    pub(super) fn call(&mut self, word: &str, at: usize) -> Result<Ast, Wrong> {
        self.count(at)?;
        let entry = lookup(&FUNCTIONS, "function", word, at)?;
        let arguments = self.arguments(entry)?;
        if entry.what == Function::Money {
            return fixed_money(&arguments, at);
        }
        let kind = Kind::Call(entry.what, arguments);
        Ok(Ast { at, kind })
    }

    pub(super) fn filter(&mut self, value: Ast) -> Result<Ast, Wrong> {
        let (name, at) = self.word("the name of a filter")?;
        let entry = lookup(&FILTERS, "filter", &name, at)?;
        let mut arguments = self.arguments(entry)?;
        if entry.what == Filter::Find {
            arguments.pattern = Some(pattern(&arguments)?);
        }
        if matches!(entry.what, Filter::InZone | Filter::Moment) {
            check_zone(&arguments)?;
        }
        Ok(Ast {
            at,
            kind: Kind::Filter(entry.what, Box::new(value), arguments),
        })
    }

    pub(super) fn test(&mut self, value: Ast) -> Result<Ast, Wrong> {
        let negated = self.take_word("not");
        let (name, at) = self.word("the name of a test")?;
        let entry = lookup(&TESTS, "test", &name, at)?;
        let mut arguments = self.arguments(entry)?;
        if entry.what == Test::Matching {
            arguments.pattern = Some(pattern(&arguments)?);
        }
        let test = Ast {
            at,
            kind: Kind::Test(entry.what, Box::new(value), arguments),
        };
        if !negated {
            return Ok(test);
        }
        Ok(Ast {
            at,
            kind: Kind::Not(Box::new(test)),
        })
    }

    fn arguments<T>(&mut self, entry: &Entry<T>) -> Result<Arguments, Wrong> {
        let at = self.at();
        let mut out = Arguments::default();
        if self.take_sign("(") {
            while !self.take_sign(")") {
                if !out.plain.is_empty() || !out.named.is_empty() {
                    self.need_sign(",", "arguments are separated by commas and closed by )")?;
                    if self.take_sign(")") {
                        break;
                    }
                }
                self.argument(&mut out)?;
            }
        }
        let (least, most) = entry.plain;
        let count = out.plain.len();
        if count < least || count > most || (!entry.named && !out.named.is_empty()) {
            let takes = match (least, most) {
                (0, 0) if entry.named => "named columns only".to_owned(),
                (0, 0) => "nothing in brackets".to_owned(),
                (least, most) if least == most => format!("{least} in brackets"),
                (least, most) => format!("{least} to {most} in brackets"),
            };
            return Err(Wrong::new(at, format!("{} takes {takes}", entry.name)).hint(entry.about));
        }
        if entry.named && out.named.is_empty() {
            return Err(
                Wrong::new(at, format!("{} needs a named column", entry.name)).hint(entry.about),
            );
        }
        Ok(out)
    }

    fn argument(&mut self, out: &mut Arguments) -> Result<(), Wrong> {
        let named = matches!(
            (self.peek(), self.lexemes.get(self.place + 1)),
            (
                Some(Lexeme {
                    token: Token::Word(_),
                    ..
                }),
                Some(Lexeme {
                    token: Token::Sign("="),
                    ..
                })
            )
        );
        if !named {
            out.plain.push(self.choice()?);
            return Ok(());
        }
        let (name, at) = self.word("a name")?;
        self.place += 1;
        if out.named.iter().any(|(known, _)| **known == *name) {
            return Err(Wrong::new(at, format!("{name} is given twice")));
        }
        let value = self.choice()?;
        out.named.push((Arc::from(name), value));
        Ok(())
    }
}

fn lookup<'a, T>(
    entries: &'a [Entry<T>],
    what: &str,
    name: &str,
    at: usize,
) -> Result<&'a Entry<T>, Wrong> {
    if let Some(entry) = entries.iter().find(|entry| entry.name == name) {
        return Ok(entry);
    }
    let hint = match nearest(name, entries.iter().map(|entry| entry.name)) {
        Some(near) => format!("did you mean {near}?"),
        None => {
            let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
            format!("there are: {}", names.join(", "))
        }
    };
    Err(Wrong::new(at, format!("there is no {what} {name}")).hint(&hint))
}

fn fixed_text(arguments: &Arguments) -> Option<(&str, usize)> {
    match arguments.plain.first() {
        Some(Ast {
            kind: Kind::Literal(value),
            at,
        }) => value.as_str().map(|text| (text, *at)),
        _ => None,
    }
}

fn pattern(arguments: &Arguments) -> Result<regex::Regex, Wrong> {
    let Some((text, at)) = fixed_text(arguments) else {
        let at = arguments.plain.first().map_or(0, |ast| ast.at);
        return Err(Wrong::new(at, "the pattern must be a fixed text in quotes"));
    };
    regex::RegexBuilder::new(text)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|error| {
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default().trim();
            let last = last.strip_prefix("error: ").unwrap_or(last);
            Wrong::new(at, format!("this pattern cannot be used: {last}"))
        })
}

fn check_zone(arguments: &Arguments) -> Result<(), Wrong> {
    let Some((name, at)) = fixed_text(arguments) else {
        return Ok(());
    };
    match jiff::tz::TimeZone::get(name) {
        Ok(_) => Ok(()),
        Err(_) => Err(Wrong::new(at, format!("there is no time zone {name}"))
            .hint("write an IANA name such as Europe/Vienna")),
    }
}

fn fixed_money(arguments: &Arguments, at: usize) -> Result<Ast, Wrong> {
    let Some((text, inner)) = fixed_text(arguments) else {
        return Err(Wrong::new(at, "money( ) takes a fixed text in quotes")
            .hint("an amount in a text is read with `text | money`"));
    };
    let money = Money::parse(text).ok_or_else(|| {
        Wrong::new(inner, format!("'{text}' is not a clear amount"))
            .hint("write it as '5000 EUR' or '5000.00 EUR'")
    })?;
    Ok(Ast {
        at,
        kind: Kind::Literal(Value::from_object(money)),
    })
}
