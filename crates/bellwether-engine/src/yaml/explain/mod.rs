//! Says in plain words why some lines are no YAML, and what to write instead: tabs, indentation,
//! quotes, colons and brackets. It looks at the lines as a person would; the parser's own complaint
//! only says where it gave up.

#[cfg(test)]
mod tests;

use crate::yaml::Problem;

/// How many lines before the parser's complaint the mistake is looked for.
const BACK_MAX: usize = 3;

/// What is probably wrong, or None when the lines do not show it. `line` is that of the complaint,
/// from 1; `info` are the parser's words; `shown` says whether hints may repeat values.
pub(in crate::yaml) fn explain(
    lines: &[&str],
    line: usize,
    info: &str,
    shown: bool,
) -> Option<Problem> {
    let near = near(lines, line);
    let looks = [tab, quote, start, no_colon, bracket, colon];
    for number in &near {
        for look in looks {
            if let Some(problem) = look(*number, Line::of(lines.get(number - 1)?, shown), info) {
                return Some(problem);
            }
        }
    }
    let number = near.first().copied()?;
    block(lines, number).or_else(|| indentation(lines, number))
}

/// The line of the complaint and those before it that are not empty.
fn near(lines: &[&str], line: usize) -> Vec<usize> {
    let last = line.min(lines.len());
    let numbers = (1..=last).rev();
    let full = numbers.filter(|number| {
        let text = lines.get(number - 1).map_or("", |text| text.trim());
        !text.is_empty() && !text.starts_with('#')
    });
    full.take(BACK_MAX).collect()
}

/// A line as a person sees it: dashes, a key, a value. Offsets are in bytes.
struct Line<'a> {
    text: &'a str,
    /// Where the last dash stands.
    dash: Option<usize>,
    key: Option<&'a str>,
    /// Where what stands behind the dashes begins.
    head: usize,
    /// What stands behind the key, or behind the dashes where there is no key.
    value: &'a str,
    at: usize,
    /// Whether the value may be repeated.
    shown: bool,
}

impl<'a> Line<'a> {
    fn of(text: &'a str, shown: bool) -> Self {
        let text = text.trim_end();
        let mut head = text.len() - text.trim_start().len();
        let mut dash = None;
        while let Some(rest) = text[head..].strip_prefix("- ") {
            dash = Some(head);
            head = text.len() - rest.trim_start().len();
        }
        let rest = &text[head..];
        let opens = rest.starts_with(['"', '\'', '{', '[', '#', '|', '>']);
        let colon = rest
            .find(": ")
            .or_else(|| rest.ends_with(':').then(|| rest.len() - 1));
        let colon = colon.filter(|_| !opens);
        let at = colon.map_or(head, |colon| {
            let behind = &rest[colon + 1..];
            text.len() - behind.trim_start().len()
        });
        let value = &text[at..];
        // A comment is no part of a value, unless it stands inside quotes.
        let value = match value.find(" #") {
            Some(end) if !value.starts_with(['"', '\'']) => value[..end].trim_end(),
            _ => value,
        };
        Self {
            text,
            dash,
            key: colon.map(|colon| &rest[..colon]),
            head,
            value,
            at,
            shown,
        }
    }

    fn column(&self, byte: usize) -> usize {
        self.text[..byte].chars().count() + 1
    }

    /// The line with another value.
    fn with(&self, value: &str) -> String {
        let mark = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let hidden = mark.map_or("…".to_owned(), |mark| format!("{mark}…{mark}"));
        let value = if self.shown { value } else { &hidden };
        match self.key {
            Some(key) => format!("write: {key}: {value}"),
            None => format!("write: {value}"),
        }
    }

    fn is_plain(&self) -> bool {
        !self.value.is_empty() && !self.value.starts_with(['"', '\'', '{', '[', '|', '>'])
    }
}

/// The text in double quotes.
fn quoted(text: &str) -> String {
    let inner = text.trim().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{inner}\"")
}

fn tab(number: usize, line: Line<'_>, _: &str) -> Option<Problem> {
    let at = line.text.find('\t')?;
    let inside = line.text[..at].contains(['"', '\'']);
    let problem = Problem::error((number, line.column(at)), "a tab stands here");
    (!inside).then(|| problem.hint("write blanks instead of the tab"))
}

/// Where a value in quotes ends: the offset of the closing quote.
fn closing(value: &str, mark: char) -> Option<usize> {
    let mut chars = value.char_indices().skip(1).peekable();
    while let Some((index, c)) = chars.next() {
        if c == '\\' && mark == '"' {
            chars.next();
        } else if c == mark {
            // Within single quotes two of them are one.
            if mark == '\'' && chars.peek().is_some_and(|(_, next)| *next == mark) {
                chars.next();
            } else {
                return Some(index);
            }
        }
    }
    None
}

fn quote(number: usize, line: Line<'_>, info: &str) -> Option<Problem> {
    let mark = line
        .value
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\''))?;
    let opened = (number, line.column(line.at));
    let Some(end) = closing(line.value, mark) else {
        let inner = &line.value[1..];
        let problem = Problem::error(opened, "this quote is never closed");
        return Some(problem.hint(line.with(&format!("{mark}{inner}{mark}"))));
    };
    let behind = line.value[end + 1..].trim_start();
    let place = (number, line.column(line.at + end));
    if line.value[end + 1..].starts_with('#') {
        let problem = Problem::error(place, "a comment begins right behind the quote");
        return Some(problem.hint("leave a blank before the #"));
    }
    if !behind.is_empty() && !behind.starts_with(['#', ',', '}', ']', ':']) {
        let problem = Problem::error(place, "the quote ends here, but the line goes on");
        // `'x' in labels`: all of it is one value, whose own quotes stay.
        let other = if mark == '"' { '\'' } else { '"' };
        if line.value[end + 1..].starts_with(' ') && !line.value.contains(other) {
            return Some(problem.hint(line.with(&format!("{other}{}{other}", line.value))));
        }
        let hint = if mark == '"' {
            "inside \"…\" write \\\" for a quote, or use '…' around"
        } else {
            "inside '…' write '' for an apostrophe, or use \"…\" around"
        };
        return Some(problem.hint(hint));
    }
    let escape = info.contains("escape") || info.contains("hexadecimal");
    if escape && mark == '"' && line.value.contains('\\') {
        let at = line.at + line.value.find('\\').unwrap_or(0);
        let place = (number, line.column(at));
        let problem = Problem::error(place, "a \\ inside \"…\" begins a special sign");
        return Some(problem.hint("write \\\\ for a plain one, or use '…' around"));
    }
    None
}

/// Signs with which a value cannot begin.
fn start(number: usize, line: Line<'_>, _: &str) -> Option<Problem> {
    let place = (number, line.column(line.at));
    let (value, first) = (line.value, line.value.chars().next()?);
    let special = matches!(first, '%' | '@' | '`' | '*' | '&' | '!') || value.starts_with("? ");
    if special {
        let problem = Problem::error(
            place,
            format!("a value that begins with {first} needs quotes"),
        );
        return Some(problem.hint(line.with(&quoted(value))));
    }
    if line.key.is_some() && value.starts_with("- ") {
        let problem = Problem::error(place, "a list cannot begin behind its key");
        return Some(problem.hint("begin it on the next line, further in than the key"));
    }
    let text = value.trim_start_matches(['|', '>', '-', '+']);
    if matches!(first, '|' | '>') && text.starts_with(' ') {
        let problem = Problem::error(place, format!("no text may stand behind {first}"));
        return Some(problem.hint("write it on the next line, further in than the key"));
    }
    None
}

/// A key without its colon, or without the blank behind it.
fn no_colon(number: usize, line: Line<'_>, info: &str) -> Option<Problem> {
    if line.key.is_some() || !info.contains("simple key") || !line.is_plain() {
        return None;
    }
    let place = (number, line.column(line.head));
    let word = line.value.split([' ', ':']).next().unwrap_or_default();
    let rest = line.value[word.len()..].trim_start_matches([' ', ':']);
    let message = if line.value[word.len()..].starts_with(':') {
        "a blank is missing behind the colon"
    } else {
        "a colon is missing behind the key"
    };
    let rest = if line.shown { rest } else { "…" };
    let word = if line.shown { word } else { "key" };
    Some(Problem::error(place, message).hint(format!("write: {word}: {rest}")))
}

/// A bracket that is never closed, or one that closes nothing.
fn bracket(number: usize, line: Line<'_>, info: &str) -> Option<Problem> {
    let mut open: Vec<(char, usize)> = Vec::new();
    let (mut quote, mut before) = (None, ' ');
    if !line.value.starts_with(['{', '[']) {
        return None;
    }
    for (index, c) in line.value.char_indices() {
        match quote {
            Some(mark) if c == mark => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') && !before.is_alphanumeric() => quote = Some(c),
            None if matches!(c, '{' | '[') => open.push((c, index)),
            None if matches!(c, '}' | ']') => {
                let wanted = if c == '}' { '{' } else { '[' };
                if open.pop().is_none_or(|(found, _)| found != wanted) {
                    let place = (number, line.column(line.at + index));
                    let problem = Problem::error(place, format!("this {c} closes nothing"));
                    return Some(problem.hint("remove it, or close what was opened before it"));
                }
            }
            None => {}
        }
        before = c;
    }
    let (opened, index) = open.pop()?;
    // Over several lines brackets may be right; then the parser complains about something else.
    if !info.contains("flow") && !info.contains("placement") && !info.contains("EOF") {
        return None;
    }
    let closes = if opened == '{' { '}' } else { ']' };
    let place = (number, line.column(line.at + index));
    let problem = Problem::error(place, format!("this {opened} is never closed"));
    Some(problem.hint(format!("add {closes} where it ends")))
}

/// A colon in a plain text.
fn colon(number: usize, line: Line<'_>, info: &str) -> Option<Problem> {
    let message = "a text that contains `: ` needs quotes";
    if line.value.starts_with('{') {
        let inner = line.value.trim_matches(['{', '}', ' ']);
        let entry = inner.split(", ").find_map(|entry| {
            let (key, text) = entry.split_once(": ")?;
            let two = text.contains(": ") && !text.starts_with(['"', '\'', '{', '[']);
            two.then_some((key.trim(), text.trim()))
        });
        let (key, text) = entry?;
        let at = line.at + line.value.find(text)?;
        let problem = Problem::error((number, line.column(at)), message);
        let text = if line.shown { text } else { "…" };
        return Some(problem.hint(format!("write: {key}: {}", quoted(text))));
    }
    let twice = line.value.contains(": ") || line.value.ends_with(':');
    if line.key.is_none() || !line.is_plain() || !twice || !info.contains("mapping values") {
        return None;
    }
    let problem = Problem::error((number, line.column(line.at)), message);
    Some(problem.hint(line.with(&quoted(line.value))))
}

/// The text of `|` that does not stand further in than its key.
fn block(lines: &[&str], number: usize) -> Option<Problem> {
    let before = near(lines, number - 1).first().copied()?;
    let above = Line::of(lines.get(before - 1)?, false);
    if !above.value.starts_with(['|', '>']) {
        return None;
    }
    let line = Line::of(lines.get(number - 1)?, false);
    let column = above.column(above.head) + 2;
    let problem = Problem::error(
        (number, line.column(line.head)),
        "this text must stand further in than its key",
    );
    Some(problem.hint(format!("begin it in column {column}")))
}

/// A line that stands beside nothing.
fn indentation(lines: &[&str], number: usize) -> Option<Problem> {
    let line = Line::of(lines.get(number - 1)?, false);
    let first = line.dash.map_or(line.head, |_| {
        line.text.len() - line.text.trim_start().len()
    });
    let column = line.column(first);
    let mut beside: Vec<(usize, String)> = Vec::new();
    // Going up, only what stands further out than all below it is still open.
    let mut outermost = usize::MAX;
    for above in (1..number).rev() {
        let Some(text) = lines.get(above - 1).filter(|text| !text.trim().is_empty()) else {
            continue;
        };
        let above = Line::of(text, false);
        let dash = above.dash.map(|dash| (above.column(dash), "-"));
        let key = above.key.map(|key| (above.column(above.head), key));
        for (column, word) in key.into_iter().chain(dash) {
            if column < outermost {
                outermost = column;
                if (word == "-") == line.dash.is_some() {
                    beside.push((column, word.to_owned()));
                }
            }
        }
    }
    let distance = |(found, _): &(usize, String)| found.abs_diff(column);
    let nearest = beside.iter().map(distance).min()?;
    if nearest == 0 || line.key.is_none() && line.dash.is_none() {
        return None;
    }
    let places: Vec<String> = beside
        .iter()
        .filter(|one| distance(one) == nearest)
        .map(|(column, word)| format!("in column {column} beside `{word}`"))
        .collect();
    let message = "this line is not indented like those that it belongs to";
    let problem = Problem::error((number, column), message);
    Some(problem.hint(format!("begin it {}", places.join(" or "))))
}
