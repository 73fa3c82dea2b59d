//! Parses an expression: a strict part of MiniJinja's grammar (no statements, methods, slices, maps
//! or computed indexes), so that each expression means the same there. Depth and number of
//! operators are limited here, which is why working one out cannot overflow the stack.

use std::sync::Arc;

use minijinja::Value;

use super::ast::{Ast, Comparison, Kind, Operator, Wrong};
use super::token::{Lexeme, Token, tokens};

/// The most operators, calls and field accesses in one expression.
pub(crate) const OPERATORS_MAX: usize = 200;
/// How deep brackets may nest.
const DEPTH_MAX: usize = 24;

/// Parses a whole expression.
pub(crate) fn parse(source: &str) -> Result<Ast, Wrong> {
    let lexemes = tokens(source)?;
    let mut parser = Parser {
        lexemes,
        place: 0,
        end: source.trim_end().len(),
        operators: 0,
        depth: 0,
    };
    if parser.lexemes.is_empty() {
        return Err(Wrong::new(0, "an expression is missing here"));
    }
    let ast = parser.choice()?;
    match parser.peek() {
        None => Ok(ast),
        Some(lexeme) => Err(parser.unexpected(lexeme)),
    }
}

pub(super) struct Parser {
    pub(super) lexemes: Vec<Lexeme>,
    pub(super) place: usize,
    end: usize,
    operators: usize,
    depth: usize,
}

impl Parser {
    pub(super) fn peek(&self) -> Option<&Lexeme> {
        self.lexemes.get(self.place)
    }

    pub(super) fn at(&self) -> usize {
        self.peek().map_or(self.end, |lexeme| lexeme.at)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Lexeme { token: Token::Sign(found), .. }) if *found == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Lexeme { token: Token::Word(found), .. }) if found == word)
    }

    /// Whether the token after the next one is this word.
    fn is_word_after(&self, word: &str) -> bool {
        let after = self.lexemes.get(self.place + 1);
        matches!(after, Some(Lexeme { token: Token::Word(found), .. }) if found == word)
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.place += usize::from(found);
        found
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.place += usize::from(found);
        found
    }

    pub(super) fn need_sign(&mut self, sign: &str, hint: &str) -> Result<(), Wrong> {
        if self.take_sign(sign) {
            return Ok(());
        }
        Err(Wrong::new(self.at(), format!("`{sign}` is missing here")).hint(hint))
    }

    fn unexpected(&self, lexeme: &Lexeme) -> Wrong {
        let (shown, hint) = match &lexeme.token {
            Token::Word(word) => (word.clone(), "two values need an operator between them"),
            Token::Text(text) => (
                format!("'{text}'"),
                "two values need an operator between them",
            ),
            Token::Int(number) => (number.to_string(), ""),
            Token::Float(number) => (number.to_string(), ""),
            Token::Sign("=") => ("=".to_owned(), "write == to compare"),
            Token::Sign("{" | "}") => (
                "{".to_owned(),
                "an expression stands without {{ }}; maps are not part of the language",
            ),
            Token::Sign(sign) => ((*sign).to_owned(), ""),
        };
        Wrong::new(lexeme.at, format!("`{shown}` is not expected here")).hint(hint)
    }

    /// Counts one operator.
    pub(super) fn count(&mut self, at: usize) -> Result<(), Wrong> {
        self.operators += 1;
        if self.operators > OPERATORS_MAX {
            return Err(Wrong::new(
                at,
                format!("this expression has more than {OPERATORS_MAX} operators"),
            )
            .hint("give parts of it a name under `let`"));
        }
        Ok(())
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Wrong>) -> Result<T, Wrong> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Wrong::new(
                self.at(),
                format!("brackets are nested deeper than {DEPTH_MAX}"),
            ));
        }
        let out = inner(self);
        self.depth -= 1;
        out
    }

    pub(super) fn choice(&mut self) -> Result<Ast, Wrong> {
        self.deeper(|this| {
            let value = this.or()?;
            let at = this.at();
            if !this.take_word("if") {
                return Ok(value);
            }
            this.count(at)?;
            let test = this.or()?;
            let other = if this.take_word("else") {
                Some(Box::new(this.choice()?))
            } else {
                None
            };
            Ok(Ast {
                at: value.at,
                kind: Kind::Choice(Box::new(value), Box::new(test), other),
            })
        })
    }

    fn or(&mut self) -> Result<Ast, Wrong> {
        let first = self.and()?;
        let mut all = vec![first];
        while self.is_word("or") {
            self.count(self.at())?;
            self.place += 1;
            all.push(self.and()?);
        }
        Ok(one_or(all, Kind::Or))
    }

    fn and(&mut self) -> Result<Ast, Wrong> {
        let first = self.not()?;
        let mut all = vec![first];
        while self.is_word("and") {
            self.count(self.at())?;
            self.place += 1;
            all.push(self.not()?);
        }
        Ok(one_or(all, Kind::And))
    }

    fn not(&mut self) -> Result<Ast, Wrong> {
        let at = self.at();
        let mut times = 0;
        while self.take_word("not") {
            self.count(at)?;
            times += 1;
        }
        let mut value = self.compare()?;
        for _ in 0..times {
            value = Ast {
                at,
                kind: Kind::Not(Box::new(value)),
            };
        }
        Ok(value)
    }

    fn comparison(&mut self) -> Option<(Comparison, usize)> {
        let at = self.at();
        let Some(Lexeme {
            token: Token::Sign(sign),
            ..
        }) = self.peek()
        else {
            return None;
        };
        let comparison = match *sign {
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.place += 1;
        Some((comparison, at))
    }

    fn compare(&mut self) -> Result<Ast, Wrong> {
        let left = self.sum()?;
        let at = self.at();
        let out = if let Some((comparison, at)) = self.comparison() {
            self.count(at)?;
            let right = self.sum()?;
            Kind::Compare(comparison, Box::new(left), Box::new(right))
        } else if self.take_word("in") {
            self.count(at)?;
            let right = self.sum()?;
            Kind::In(Box::new(left), Box::new(right))
        } else if self.is_word("not") && self.is_word_after("in") {
            self.place += 2;
            self.count(at)?;
            let right = self.sum()?;
            let inside = Kind::In(Box::new(left), Box::new(right));
            Kind::Not(Box::new(Ast { at, kind: inside }))
        } else {
            return Ok(left);
        };
        if self.comparison().is_some() || self.is_word("in") {
            return Err(
                Wrong::new(at, "comparisons cannot be chained").hint("write `a < b and b < c`")
            );
        }
        Ok(Ast { at, kind: out })
    }

    fn operator(&self, among: &[(&str, Operator)]) -> Option<Operator> {
        let Some(Lexeme {
            token: Token::Sign(sign),
            ..
        }) = self.peek()
        else {
            return None;
        };
        among
            .iter()
            .find(|(name, _)| name == sign)
            .map(|(_, operator)| *operator)
    }

    fn binary(
        &mut self,
        among: &[(&str, Operator)],
        next: fn(&mut Self) -> Result<Ast, Wrong>,
    ) -> Result<Ast, Wrong> {
        let mut left = next(self)?;
        while let Some(operator) = self.operator(among) {
            let at = self.at();
            self.count(at)?;
            self.place += 1;
            let right = next(self)?;
            left = Ast {
                at,
                kind: Kind::Math(operator, Box::new(left), Box::new(right)),
            };
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Ast, Wrong> {
        const AMONG: &[(&str, Operator)] = &[("+", Operator::Plus), ("-", Operator::Minus)];
        self.binary(AMONG, Self::joined)
    }

    fn joined(&mut self) -> Result<Ast, Wrong> {
        self.binary(&[("~", Operator::Join)], Self::product)
    }

    fn product(&mut self) -> Result<Ast, Wrong> {
        const AMONG: &[(&str, Operator)] = &[
            ("*", Operator::Times),
            ("/", Operator::Divided),
            ("%", Operator::Remainder),
        ];
        self.binary(AMONG, Self::minus)
    }

    fn minus(&mut self) -> Result<Ast, Wrong> {
        let at = self.at();
        if !self.take_sign("-") {
            return self.filtered();
        }
        self.count(at)?;
        let value = self.deeper(Self::minus)?;
        Ok(Ast {
            at,
            kind: Kind::Minus(Box::new(value)),
        })
    }

    /// A value with its fields, filters and tests.
    fn filtered(&mut self) -> Result<Ast, Wrong> {
        let mut value = self.primary()?;
        loop {
            let at = self.at();
            if self.take_sign(".") {
                self.count(at)?;
                value = self.field(value)?;
            } else if self.take_sign("[") {
                self.count(at)?;
                value = self.index(value)?;
            } else if self.take_sign("|") {
                self.count(at)?;
                value = self.filter(value)?;
            } else if self.is_sign("(") {
                return Err(Wrong::new(at, "a value cannot be called")
                    .hint("there are no methods; write `value | filter`"));
            } else if self.take_word("is") {
                self.count(at)?;
                value = self.test(value)?;
            } else {
                return Ok(value);
            }
        }
    }

    pub(super) fn word(&mut self, what: &str) -> Result<(String, usize), Wrong> {
        match self.peek() {
            Some(Lexeme {
                token: Token::Word(word),
                at,
            }) => {
                let out = (word.clone(), *at);
                self.place += 1;
                Ok(out)
            }
            _ => Err(Wrong::new(self.at(), format!("{what} is missing here"))),
        }
    }

    fn field(&mut self, value: Ast) -> Result<Ast, Wrong> {
        let (name, at) = self.word("the name of a field")?;
        Ok(attr(value, &name, at))
    }

    fn index(&mut self, value: Ast) -> Result<Ast, Wrong> {
        let at = self.at();
        let token = self.peek().map(|lexeme| lexeme.token.clone());
        self.place += 1;
        let negative = token == Some(Token::Sign("-"));
        let token = if negative {
            let next = self.peek().map(|lexeme| lexeme.token.clone());
            self.place += 1;
            next
        } else {
            token
        };
        let out = match token {
            Some(Token::Text(name)) if !negative => attr(value, &name, at),
            Some(Token::Int(number)) => Ast {
                at,
                kind: Kind::Index(Box::new(value), if negative { -number } else { number }),
            },
            _ => {
                return Err(Wrong::new(at, "an index must be a fixed number or text")
                    .hint("write [0] or ['name']; pick by condition with first_row"));
            }
        };
        self.need_sign("]", "an index is a single number or text, as in rows[0]")?;
        Ok(out)
    }

    fn primary(&mut self) -> Result<Ast, Wrong> {
        let at = self.at();
        let Some(lexeme) = self.peek().cloned() else {
            return Err(Wrong::new(at, "something is missing at the end"));
        };
        self.place += 1;
        let kind = match lexeme.token {
            Token::Text(text) => Kind::Literal(Value::from(text)),
            Token::Int(number) => Kind::Literal(Value::from(number)),
            Token::Float(number) => Kind::Literal(Value::from(number)),
            Token::Sign("(") => {
                let inner = self.choice()?;
                self.need_sign(")", "the bracket that was opened must be closed")?;
                return Ok(inner);
            }
            Token::Sign("[") => self.list()?,
            Token::Word(word) => return self.named(&word, at),
            Token::Sign(_) => return Err(self.unexpected(&lexeme)),
        };
        Ok(Ast { at, kind })
    }

    fn list(&mut self) -> Result<Kind, Wrong> {
        let mut all = Vec::new();
        while !self.take_sign("]") {
            if !all.is_empty() {
                self.need_sign(",", "elements are separated by commas and closed by ]")?;
                if self.take_sign("]") {
                    break;
                }
                self.count(self.at())?;
            }
            all.push(self.choice()?);
        }
        Ok(Kind::List(all))
    }

    fn named(&mut self, word: &str, at: usize) -> Result<Ast, Wrong> {
        let kind = match word {
            "true" | "True" => Kind::Literal(Value::from(true)),
            "false" | "False" => Kind::Literal(Value::from(false)),
            "none" | "None" => Kind::Literal(Value::from(())),
            "null" => {
                return Err(Wrong::new(at, "null has no meaning here").hint("write none"));
            }
            "and" | "or" | "in" | "is" | "if" | "else" => {
                return Err(Wrong::new(
                    at,
                    format!("a value is missing before `{word}`"),
                ));
            }
            _ if self.is_sign("(") => return self.call(word, at),
            _ => Kind::Name(Arc::from(word)),
        };
        Ok(Ast { at, kind })
    }
}

fn attr(value: Ast, name: &str, at: usize) -> Ast {
    Ast {
        at,
        kind: Kind::Attr(Box::new(value), Arc::from(name), Value::from(name)),
    }
}

fn one_or(mut all: Vec<Ast>, many: fn(Vec<Ast>) -> Kind) -> Ast {
    if all.len() == 1 {
        return all.remove(0);
    }
    Ast {
        at: all[0].at,
        kind: many(all),
    }
}
