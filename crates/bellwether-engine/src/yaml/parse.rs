//! Builds the node tree from the parser's events and refuses what YAML allows but files that are
//! reviewed by people should not have.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::explain::explain;
use super::{Key, Kind, Node, PROBLEMS_MAX, Positions, Problem, Style};

/// The most bytes that a file may have.
pub const TEXT_MAX: usize = 256 * 1024;
/// How deep nodes may nest.
const DEPTH_MAX: usize = 32;
/// The most nodes that a file may have.
const NODES_MAX: usize = 50_000;

/// Parses one document. Problems beside a tree mean that the rest could still be read. No problem
/// repeats a value: the file may hold secrets.
pub fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    parse_with(text, false)
}

/// The same for files without secrets: hints show the line as it should be written.
pub fn parse_shown(text: &str) -> (Option<Node>, Vec<Problem>) {
    parse_with(text, true)
}

fn parse_with(text: &str, shown: bool) -> (Option<Node>, Vec<Problem>) {
    if text.len() > TEXT_MAX {
        let message = format!("this file is larger than {} KB", TEXT_MAX / 1024);
        return (None, vec![Problem::error((1, 1), message)]);
    }
    if let Some((line, column)) = tab_indent(text) {
        let problem = Problem::error((line, column), "a tab is used to indent")
            .hint("indent with two spaces");
        return (None, vec![problem]);
    }
    let mut builder = Builder {
        text,
        lines: text.lines().collect(),
        starts: line_starts(text),
        problems: Vec::new(),
        shown,
        nodes: 0,
        documents: 0,
    };
    let root = builder.build();
    let mut problems = builder.problems;
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems.dedup();
    problems.truncate(PROBLEMS_MAX);
    (root, problems)
}

fn line_starts(text: &str) -> Vec<usize> {
    let breaks = text.match_indices('\n').map(|(index, _)| index + 1);
    std::iter::once(0).chain(breaks).collect()
}

fn tab_indent(text: &str) -> Option<(usize, usize)> {
    text.lines().enumerate().find_map(|(index, line)| {
        let indent = line.len() - line.trim_start().len();
        let content = !line.trim().is_empty();
        let tab = line[..indent].find('\t').filter(|_| content)?;
        Some((index + 1, tab + 1))
    })
}

struct Builder<'a> {
    text: &'a str,
    lines: Vec<&'a str>,
    starts: Vec<usize>,
    problems: Vec<Problem>,
    /// Whether hints may repeat what was written.
    shown: bool,
    nodes: usize,
    documents: usize,
}

/// The tree cannot be built further; the problem is recorded.
struct Stop;

type Events<'a> = Parser<'a, saphyr_parser::StrInput<'a>>;

impl<'a> Builder<'a> {
    fn build(&mut self) -> Option<Node> {
        let mut events = Parser::new_from_str(self.text);
        let mut root = None;
        loop {
            let (event, span) = self.next(&mut events).ok()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) => {
                    self.documents += 1;
                    if self.documents > 1 {
                        let problem = Problem::error(place(&span), "a second document begins here")
                            .hint("one file is one document: remove the ---");
                        self.problems.push(problem);
                        return root;
                    }
                }
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                event => root = Some(self.node(event, span, &mut events, 0).ok()?),
            }
        }
        if root.is_none() {
            self.problems
                .push(Problem::error((1, 1), "this file is empty"));
        }
        root
    }

    fn next(&mut self, events: &mut Events<'a>) -> Result<(Event<'a>, Span), Stop> {
        match events.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let problem = self.syntax(&error);
                self.problems.push(problem);
                Err(Stop)
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(
        &mut self,
        event: Event<'a>,
        span: Span,
        events: &mut Events<'a>,
        depth: usize,
    ) -> Result<Node, Stop> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || depth > DEPTH_MAX {
            let message = "this file is nested too deep or has too many values";
            self.problems.push(Problem::error(place(&span), message));
            return Err(Stop);
        }
        let (line, column) = place(&span);
        let kind = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(anchor, tag.is_some(), &span);
                let style = style_of(style);
                let raw = self.raw(&span);
                let positions = Positions::of(&text, style, raw, line, column);
                Kind::Scalar {
                    text: text.into_owned(),
                    style,
                    positions,
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), &span);
                Kind::List(self.list(events, depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(anchor, tag.is_some(), &span);
                let braces = self.raw(&span).starts_with("{{");
                let before = self.problems.len();
                let entries = self.map(events, depth)?;
                if braces {
                    self.problems.truncate(before);
                    let problem = self.quote_this(line, column);
                    self.problems.push(problem);
                } else if self.raw(&span).starts_with('{') {
                    self.cut_by_comma(&entries);
                }
                Kind::Map(entries)
            }
            Event::Alias(_) => {
                let problem = Problem::error((line, column), "aliases (*name) are not allowed")
                    .hint("write the value again; a name under `let` works for expressions");
                self.problems.push(problem);
                Kind::Scalar {
                    text: String::new(),
                    style: Style::Plain,
                    positions: Positions::plain(line, column),
                }
            }
            _ => return Err(Stop),
        };
        Ok(Node { kind, line, column })
    }

    fn list(&mut self, events: &mut Events<'a>, depth: usize) -> Result<Vec<Node>, Stop> {
        let mut out = Vec::new();
        loop {
            let (event, span) = self.next(events)?;
            if event == Event::SequenceEnd {
                return Ok(out);
            }
            out.push(self.node(event, span, events, depth + 1)?);
        }
    }

    fn map(&mut self, events: &mut Events<'a>, depth: usize) -> Result<Vec<(Key, Node)>, Stop> {
        let mut out: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, span) = self.next(events)?;
            if event == Event::MappingEnd {
                return Ok(out);
            }
            let key = self.node(event, span, events, depth + 1)?;
            let (event, span) = self.next(events)?;
            let value = self.node(event, span, events, depth + 1)?;
            let place = key.place();
            let Kind::Scalar { text, .. } = key.kind else {
                let problem = Problem::error(place, "a key must be a single word or sentence");
                self.problems.push(problem);
                continue;
            };
            if text == "<<" {
                let problem = Problem::error(place, "merge keys (<<) are not allowed");
                self.problems.push(problem.hint("write the keys out"));
            }
            if let Some((first, _)) = out.iter().find(|(known, _)| known.name == text) {
                let message = format!("`{text}` stands here twice, first in line {}", first.line);
                self.problems
                    .push(Problem::error(place, message).hint("remove one of them"));
                continue;
            }
            let (line, column) = place;
            out.push((
                Key {
                    name: text,
                    line,
                    column,
                },
                value,
            ));
        }
    }

    fn refuse(&mut self, anchor: usize, tag: bool, span: &Span) {
        if anchor > 0 {
            let problem = Problem::error(place(span), "anchors (&name) are not allowed");
            self.problems
                .push(problem.hint("write the value where it is needed"));
        }
        if tag {
            let problem = Problem::error(place(span), "tags (!name) are not allowed");
            self.problems
                .push(problem.hint("write the value in quotes if it begins with !"));
        }
    }

    /// The file from a span's start on.
    fn raw(&self, span: &Span) -> &'a str {
        let line = span.start.line().max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let rest = &self.text[start..];
        let column = rest.char_indices().nth(span.start.col());
        column.map_or("", |(index, _)| &rest[index..])
    }

    fn line(&self, line: usize) -> &'a str {
        self.lines
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or("")
    }

    /// `title: {{ x }}` is a map to YAML, which nobody means.
    fn quote_this(&self, line: usize, column: usize) -> Problem {
        let problem = Problem::error((line, column), "a value that begins with {{ needs quotes");
        if !self.shown {
            return problem.hint("write it as \"{{ … }}\"");
        }
        let whole = self.line(line);
        let at = whole
            .char_indices()
            .nth(column.saturating_sub(1))
            .map_or(0, |(index, _)| index);
        let (before, value) = whole.split_at(at);
        let value = value.trim_end();
        // Inside { } the value ends where the last }} does.
        let inside = before.matches('{').count() > before.matches('}').count();
        let end = match value.rfind("}}") {
            Some(end) if inside => end + 2,
            _ => value.len(),
        };
        let (value, after) = value.split_at(end);
        let value = value.replace('"', "'");
        problem.hint(format!("write: {}\"{value}\"{after}", before.trim_start()))
    }

    /// Inside `{ }` YAML itself ends a value at a comma: `{ if: f(a, b) }` has a key `b)`.
    fn cut_by_comma(&mut self, entries: &[(Key, Node)]) {
        for pair in entries.windows(2) {
            let [(key, value), (next, rest)] = pair else {
                continue;
            };
            let Some(text) = value.text() else { continue };
            if !rest.is_empty() || !open_bracket(text) {
                continue;
            }
            let rest: Vec<&str> = entries
                .iter()
                .skip_while(|(found, _)| found.name != next.name)
                .take_while(|(_, value)| value.is_empty())
                .map(|(found, _)| found.name.as_str())
                .collect();
            let message = "inside { } the comma ends this expression";
            let hint = if self.shown {
                let rest = rest.join(", ");
                format!("give it its own line: {}: {text}, {rest}", key.name)
            } else {
                format!("give `{}` its own line", key.name)
            };
            self.problems
                .push(Problem::error(value.place(), message).hint(hint));
        }
    }

    /// The parser's own complaint, or a better one when the line shows what happened.
    fn syntax(&self, error: &ScanError) -> Problem {
        let line = error.marker().line().max(1);
        let column = error.marker().col() + 1;
        for near in [line, line.saturating_sub(1)] {
            if let Some(problem) = self.guess(near) {
                return problem;
            }
        }
        let info = error.info();
        if let Some(problem) = explain(&self.lines, line, info, self.shown) {
            return problem;
        }
        let hint = "look at quotes, brackets and indentation here and in the line before";
        Problem::error((line, column), format!("this is not YAML: {info}")).hint(hint)
    }

    fn guess(&self, line: usize) -> Option<Problem> {
        let whole = self.line(line);
        let content = whole.split(" #").next().unwrap_or_default();
        if let Some(at) = content.find(": {{") {
            return Some(self.quote_this(line, content[..at + 2].chars().count() + 1));
        }
        let (start, cut) = cut_expression(content)?;
        let column = content[..start].chars().count() + 1;
        let message = format!("inside {{ }} the {cut} cuts this expression");
        let expression = whole_expression(&content[start..]);
        let key = content[..start].trim_end().trim_end_matches(':');
        let key = key.rsplit(['{', ',']).next().unwrap_or_default().trim();
        let hint = if self.shown {
            format!("give it its own line: {key}: {expression}")
        } else {
            "give it its own line".to_owned()
        };
        Some(Problem::error((line, column), message).hint(hint))
    }
}

/// In a line with `{ }`, where an expression begins that has a comma or an index in it, and which
/// of the two cuts it.
fn cut_expression(line: &str) -> Option<(usize, &'static str)> {
    let open = line.find('{')?;
    let (mut start, mut round, mut quote, mut before) = (None, 0_u32, None, ' ');
    for (index, c) in line.char_indices().skip_while(|(index, _)| *index <= open) {
        match quote {
            Some(mark) if c == mark => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c == ' ' && before == ':' => {
                start = Some(index + 1);
                round = 0;
            }
            None if c == '(' => round += 1,
            None if c == ')' => round = round.saturating_sub(1),
            None if c == ',' && round > 0 => return Some((start?, "comma")),
            None if c == '[' && (before.is_alphanumeric() || before == ')') => {
                return Some((start?, "bracket ["));
            }
            None if c == '[' && start.is_some_and(|start| start < index) && before == ' ' => {
                return Some((start?, "bracket ["));
            }
            None => {}
        }
        before = c;
    }
    None
}

/// The expression up to the comma or brace that YAML means.
fn whole_expression(rest: &str) -> &str {
    let (mut depth, mut quote) = (0_u32, None);
    for (index, c) in rest.char_indices() {
        match quote {
            Some(mark) if c == mark => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if matches!(c, '(' | '[') => depth += 1,
            None if matches!(c, ')' | ']') => depth = depth.saturating_sub(1),
            None if depth == 0 && matches!(c, ',' | '}') => return rest[..index].trim(),
            None => {}
        }
    }
    rest.trim()
}

fn open_bracket(text: &str) -> bool {
    let count = |sign: char| text.matches(sign).count();
    count('(') > count(')') || count('[') > count(']')
}

fn place(span: &Span) -> (usize, usize) {
    (span.start.line().max(1), span.start.col() + 1)
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        let lines = parse(text)
            .1
            .into_iter()
            .map(|problem| problem.in_file("f"));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_yaml_allows_and_we_do_not() {
        let cases = [
            ("a: &x 1\n", "f:1:"),
            ("a: 1\nb: *x\n", "f:2:"),
            ("a: !!str 1\n", "f:1:"),
            ("<<: { a: 1 }\n", "f:1:1  merge keys"),
            (
                "a: 1\na: 2\n",
                "f:2:1  `a` stands here twice, first in line 1",
            ),
            ("a: 1\n---\nb: 2\n", "f:2:1  a second document"),
            ("? [a, b]\n: 1\n", "f:1:3  a key must be"),
            ("", "f:1:1  this file is empty"),
            ("a: \"b\n", "f:"),
            ("a:\n\t- b\n", "f:2:1  a tab"),
            ("a: b: c\n", "f:1:4  a text that contains `: ` needs quotes"),
        ];
        for (text, expected) in cases {
            let said = problems(text);
            assert!(said.starts_with(expected), "{text:?}\n{said}");
        }
    }

    #[test]
    fn each_letter_of_a_value_knows_its_place_in_the_file() {
        // The place of X, whatever stands before it.
        let texts = [
            "a: some X\n",
            "a: some\n  folded words X\n",
            "a: \"tab\\t and \\u20ac \\x41 X\"\n",
            "a: \"one\n\n   two X\"\n",
            "a: \"joined\\\n  here X\"\n",
            "a: 'it''s X'\n",
            "a: 'it''s\n   more X'\n",
            "a: |\n  one\n    two X\n",
            "a:\n  b: |\n\n      one\n       X\n",
            "a: |2\n    indented\n  X\n",
            "a: [ä, \"ö X\"]\n",
            "a: { b: c X }\n",
        ];
        for text in texts {
            let (root, found) = parse(text);
            assert_eq!(found, [], "{text}");
            let mut node = root.as_ref().and_then(|root| root.get("a")).unwrap();
            node = node.get("b").unwrap_or(node);
            node = node.elements().and_then(<[Node]>::last).unwrap_or(node);
            let Kind::Scalar {
                text: value,
                positions,
                ..
            } = &node.kind
            else {
                panic!("{text}");
            };
            let at = positions.at(value, value.find('X').unwrap());
            let raw = text.lines().position(|line| line.contains('X')).unwrap();
            let column = text.lines().nth(raw).unwrap();
            let column = column.split('X').next().unwrap().chars().count() + 1;
            assert_eq!(at, (raw + 1, column), "{text}");
        }
    }
}
