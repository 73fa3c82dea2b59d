//! Cuts an expression into tokens, each with its byte offset. What tokens mean is in `parse`.

use super::ast::Wrong;

/// The most bytes that one expression or text may have.
pub(crate) const SOURCE_MAX: usize = 4 * 1024;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a word operator (`and`, `in`, `is`).
    Word(String),
    /// A quoted text, escapes resolved.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// An operator or bracket.
    Sign(&'static str),
}

/// A token and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) at: usize,
}

/// Longer signs first, so that `<=` is not read as `<`.
const SIGNS: [&str; 23] = [
    "==", "!=", "<=", ">=", "//", "**", "(", ")", "[", "]", "{", "}", "<", ">", "+", "-", "*", "/",
    "%", "~", "|", ",", ".",
];

/// Cuts the whole source.
pub(super) fn tokens(source: &str) -> Result<Vec<Lexeme>, Wrong> {
    if source.len() > SOURCE_MAX {
        return Err(Wrong::new(
            0,
            format!("this is longer than {SOURCE_MAX} bytes"),
        ));
    }
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(next) = source[at..].chars().next() {
        if next.is_whitespace() {
            at += next.len_utf8();
            continue;
        }
        let (token, len) = token(&source[at..], at)?;
        out.push(Lexeme { token, at });
        at += len;
    }
    Ok(out)
}

fn token(rest: &str, at: usize) -> Result<(Token, usize), Wrong> {
    let first = rest.chars().next().unwrap_or(' ');
    if first == '\'' || first == '"' {
        return quoted(rest, first, at);
    }
    if first.is_ascii_digit() {
        return number(rest, at);
    }
    if first.is_alphabetic() || first == '_' {
        let len = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        return Ok((Token::Word(rest[..len].to_owned()), len));
    }
    for sign in SIGNS.into_iter().chain(["=", ":"]) {
        if rest.starts_with(sign) {
            return Ok((Token::Sign(sign), sign.len()));
        }
    }
    let hint = match first {
        '&' => "write `and`",
        '!' => "write `not`",
        '?' => "write `a if test else b`",
        '“' | '”' | '‘' | '’' => "write straight quotes: 'text'",
        _ => "",
    };
    Err(Wrong::new(at, format!("the sign {first} has no meaning here")).hint(hint))
}

fn quoted(rest: &str, quote: char, at: usize) -> Result<(Token, usize), Wrong> {
    let mut out = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((Token::Text(out), index + 1)),
            '\\' => match chars.next().map(|(_, escaped)| escaped) {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(same @ ('\\' | '\'' | '"' | '/')) => out.push(same),
                // A regular expression such as '\d+' keeps its backslash.
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => break,
            },
            _ => out.push(c),
        }
    }
    Err(Wrong::new(at, "this quote is never closed").hint(&format!("add {quote} at its end")))
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), Wrong> {
    let digits = |text: &str| {
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len())
    };
    let mut len = digits(rest);
    let mut fraction = false;
    if rest[len..].starts_with('.') && rest[len + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        fraction = true;
        len += 1 + digits(&rest[len + 1..]);
    }
    if rest[len..].starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return Err(Wrong::new(at, "a number and a word stand together here")
            .hint("a name cannot begin with a digit; an amount is money('5000 EUR')"));
    }
    let text = &rest[..len];
    let token = if fraction {
        text.parse().ok().map(Token::Float)
    } else {
        text.parse().ok().map(Token::Int)
    };
    token
        .map(|token| (token, len))
        .ok_or_else(|| Wrong::new(at, "this number is too large"))
}
