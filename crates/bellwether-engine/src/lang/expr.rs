//! Compiled expressions and texts: shared, immutable, knowing their place in the flow file.

use std::fmt;
use std::sync::Arc;

use super::ast::{Ast, Wrong};
use super::parse::parse;
use super::token::SOURCE_MAX;
use super::words::in_language;
use crate::yaml::Positions;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct EvalError {
    /// What happened, in a sentence.
    pub message: String,
    /// Line in the flow file.
    pub line: usize,
    /// Column in the flow file.
    pub column: usize,
    /// The words for people whom the directory does not know, when that is the reason.
    pub unknown: Vec<String>,
}

/// A compiled expression.
#[derive(Clone)]
pub struct Expr(Arc<Inner>);

struct Inner {
    source: String,
    ast: Ast,
    positions: Positions,
    speaks: bool,
}

impl Expr {
    pub(crate) fn compile(source: &str, positions: Positions) -> Result<Self, Wrong> {
        let ast = parse(source)?;
        let speaks = ast.speaks();
        Ok(Self(Arc::new(Inner {
            source: source.to_owned(),
            ast,
            positions,
            speaks,
        })))
    }

    /// An expression that has no file: line 1, column as in the source.
    ///
    /// # Errors
    /// It cannot be understood; the message says why.
    pub fn parse(source: &str) -> Result<Self, EvalError> {
        Self::compile(source, Positions::start()).map_err(|wrong| EvalError {
            column: source[..wrong.at.min(source.len())].chars().count() + 1,
            message: wrong.message,
            line: 1,
            unknown: Vec::new(),
        })
    }

    /// The same expression, marked as saying something that depends on its reader.
    pub(crate) fn spoken(&self) -> Self {
        Self(Arc::new(Inner {
            source: self.0.source.clone(),
            ast: self.0.ast.clone(),
            positions: self.0.positions.clone(),
            speaks: true,
        }))
    }

    pub(crate) fn speaks(&self) -> bool {
        self.0.speaks
    }

    pub(crate) fn ast(&self) -> &Ast {
        &self.0.ast
    }

    /// As it is written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Its line in the file.
    pub fn line(&self) -> usize {
        self.place(0).0
    }

    /// Its column in the file.
    pub fn column(&self) -> usize {
        self.place(0).1
    }

    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        self.0.positions.at(&self.0.source, at)
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({} @{})", self.source(), self.line())
    }
}

/// A compiled text with `{{ }}`, in one language or in several.
#[derive(Clone)]
pub struct Text(Arc<TextInner>, Versions);

/// The same text by language; empty when it is written in one only.
type Versions = Arc<[(String, Text)]>;

struct TextInner {
    source: String,
    parts: Vec<Part>,
    positions: Positions,
}

/// A piece of a text.
pub(crate) enum Part {
    /// As it stands.
    Words(String),
    /// A value, with the byte offset at which its source begins.
    Value(Ast, usize),
}

impl Text {
    pub(crate) fn compile(source: &str, positions: Positions) -> Result<Self, Wrong> {
        let parts = parts(source)?;
        let inner = TextInner {
            source: source.to_owned(),
            parts,
            positions,
        };
        Ok(Self(Arc::new(inner), Versions::default()))
    }

    /// One text from its versions by language. The first is read by everybody whose language is not
    /// among them. None when there is no version.
    pub(crate) fn in_languages(versions: Vec<(String, Self)>) -> Option<Self> {
        let (_, first) = versions.first()?;
        Some(Self(Arc::clone(&first.0), versions.into()))
    }

    /// Its versions by language; none when it is written in one language, which nobody named.
    pub fn versions(&self) -> &[(String, Self)] {
        &self.1
    }

    /// The version for a reader of this language, else the first one.
    pub(crate) fn for_reader(&self, language: &str) -> &Self {
        in_language(&self.1, language).unwrap_or(self)
    }

    /// A text that has no file.
    ///
    /// # Errors
    /// It cannot be understood; the message says why.
    pub fn parse(source: &str) -> Result<Self, EvalError> {
        let positions = Positions::start();
        Self::compile(source, positions.clone()).map_err(|wrong| {
            let (line, column) = positions.at(source, wrong.at);
            EvalError {
                message: wrong.message,
                line,
                column,
                unknown: Vec::new(),
            }
        })
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.0.parts
    }

    /// As it is written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Its line in the file.
    pub fn line(&self) -> usize {
        self.place(0).0
    }

    /// Its column in the file.
    pub fn column(&self) -> usize {
        self.place(0).1
    }

    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        self.0.positions.at(&self.0.source, at)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({:?} @{})", self.source(), self.line())
    }
}

fn parts(source: &str) -> Result<Vec<Part>, Wrong> {
    if source.len() > SOURCE_MAX {
        return Err(Wrong::new(
            0,
            format!("this text is longer than {SOURCE_MAX} bytes"),
        ));
    }
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(open) = source[at..].find("{{").map(|found| at + found) {
        words(source, at, open, &mut out)?;
        let inner = open + 2;
        let Some(len) = closing(&source[inner..]) else {
            return Err(Wrong::new(open, "{{ is never closed").hint("add }} after the value"));
        };
        let piece = &source[inner..inner + len];
        if piece.starts_with('-') || piece.ends_with('-') {
            return Err(Wrong::new(open, "{{- and -}} are not part of the language")
                .hint("write {{ value }}"));
        }
        let ast = parse(piece).map_err(|wrong| Wrong {
            at: wrong.at + inner,
            ..wrong
        })?;
        out.push(Part::Value(ast, inner));
        at = inner + len + 2;
    }
    words(source, at, source.len(), &mut out)?;
    Ok(out)
}

/// The part of the source between two values.
fn words(source: &str, from: usize, to: usize, out: &mut Vec<Part>) -> Result<(), Wrong> {
    let piece = &source[from..to];
    for sign in ["{%", "{#", "}}"] {
        if let Some(found) = piece.find(sign) {
            return Err(
                Wrong::new(from + found, format!("{sign} has no meaning in a text"))
                    .hint("a text holds values as {{ value }}; conditions are `if` steps"),
            );
        }
    }
    if !piece.is_empty() {
        out.push(Part::Words(piece.to_owned()));
    }
    Ok(())
}

/// Where `}}` closes the value; quotes inside are skipped.
fn closing(rest: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (index, c) in rest.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if rest[index..].starts_with("}}") => return Some(index),
            None => {}
        }
    }
    None
}
