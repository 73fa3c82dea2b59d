//! Where each part of a scalar's value stands in the file: escapes, folded lines and block indents
//! make value and file run apart, and a message must point at the file.

use std::sync::Arc;

use super::Style;

/// From byte offsets in a value to lines and columns in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions(Arc<[Anchor]>);

/// From this byte offset on the value and the file run in step, until the next anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Anchor {
    offset: usize,
    line: usize,
    column: usize,
}

impl Positions {
    /// A value that is a file of its own.
    pub fn start() -> Self {
        Self::plain(1, 1)
    }

    pub(crate) fn plain(line: usize, column: usize) -> Self {
        Self(Arc::from([Anchor {
            offset: 0,
            line,
            column,
        }]))
    }

    /// Line and column of a byte offset in the value `text`.
    pub fn at(&self, text: &str, offset: usize) -> (usize, usize) {
        let offset = offset.min(text.len());
        let Some(anchor) = self.0.iter().rev().find(|anchor| anchor.offset <= offset) else {
            return (1, 1);
        };
        let between = text.get(anchor.offset..offset).unwrap_or_default();
        // Without a further anchor a line break in the value is one in the file too.
        let (mut line, mut column) = (anchor.line, anchor.column);
        for c in between.chars() {
            if c == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        (line, column)
    }

    /// Walks value and file side by side. `raw` is the file from the scalar on, `line` and `column`
    /// are where it begins.
    pub(super) fn of(text: &str, style: Style, raw: &str, line: usize, column: usize) -> Self {
        let walk = Walk {
            rest: raw,
            line,
            column,
            anchors: Vec::new(),
        };
        match style {
            Style::Plain if !raw.starts_with(text) => walk.flow(text, None),
            Style::Plain => Self::plain(line, column),
            Style::Quoted if raw.starts_with('"') => walk.flow(text, Some('"')),
            Style::Quoted => walk.flow(text, Some('\'')),
            Style::Literal | Style::Folded => walk.block(text),
        }
    }
}

struct Walk<'a> {
    rest: &'a str,
    line: usize,
    column: usize,
    anchors: Vec<Anchor>,
}

impl Walk<'_> {
    fn step(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn anchor(&mut self, offset: usize) {
        self.anchors.push(Anchor {
            offset,
            line: self.line,
            column: self.column,
        });
    }

    fn done(self) -> Positions {
        Positions(Arc::from(self.anchors))
    }

    /// Plain and quoted scalars: escapes and folded line breaks.
    fn flow(mut self, text: &str, quote: Option<char>) -> Positions {
        if quote.is_some() {
            self.step();
        }
        self.anchor(0);
        for (offset, c) in text.char_indices() {
            if quote == Some('"') {
                self.continued_lines(offset);
            }
            let next = self.rest.chars().next();
            let folded = matches!(c, ' ' | '\n') && self.breaks_here();
            if folded {
                // The first of several breaks is taken whole; the others belong to it.
                while self.rest.starts_with(|c: char| c.is_whitespace()) {
                    self.step();
                }
                self.anchor(offset + c.len_utf8());
            } else if quote == Some('"') && next == Some('\\') {
                self.escape();
                self.anchor(offset + c.len_utf8());
            } else if quote == Some('\'') && self.rest.starts_with("''") {
                self.step();
                self.step();
                self.anchor(offset + c.len_utf8());
            } else if next == Some(c) {
                self.step();
            } else if c != '\n' && c != ' ' {
                // The two no longer run in step; the last anchor is the best that is known.
                break;
            }
        }
        self.done()
    }

    /// A backslash at the end of a line joins the next one.
    fn continued_lines(&mut self, offset: usize) {
        while self.rest.starts_with("\\\n") || self.rest.starts_with("\\\r\n") {
            self.step();
            while self.rest.starts_with(|c: char| c.is_whitespace()) {
                self.step();
            }
            self.anchor(offset);
        }
    }

    fn breaks_here(&self) -> bool {
        let blank = self.rest.trim_start_matches([' ', '\t', '\r']);
        blank.starts_with('\n')
    }

    fn escape(&mut self) {
        self.step();
        let more = match self.step() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => 0,
        };
        for _ in 0..more {
            self.step();
        }
    }

    /// Block scalars: each line begins after the block's indent. The parser says where the content
    /// begins; blank lines before it belong to the value.
    fn block(mut self, text: &str) -> Positions {
        let first_text = text.lines().find(|line| !line.is_empty()).unwrap_or("");
        let first_raw = self.rest.lines().next().unwrap_or_default();
        // Spaces that belong to the value's first line may stand before the parser's place.
        let own = first_text.trim_end().len();
        let own = own.saturating_sub(first_raw.trim_end().len());
        let indent = self.column.saturating_sub(1).saturating_sub(own);
        let blank = text.len() - text.trim_start_matches('\n').len();
        let first = self.line.saturating_sub(blank).max(1);
        let mut offset = 0;
        for (line, piece) in (first..).zip(text.split_inclusive('\n')) {
            self.line = line;
            self.column = indent + 1;
            self.anchor(offset);
            offset += piece.len();
        }
        if self.anchors.is_empty() {
            self.anchor(0);
        }
        self.done()
    }
}
