//! What the receiving server found out about a mail's origin (RFC 8601), read from the one header
//! field that it wrote itself. Signatures are not verified here.
//!
//! Anybody can put an `Authentication-Results` field into a mail. Three rules keep forged ones out.
//! Only the topmost field counts, and only when its authserv-id is the configured one. Every
//! `Received` line above it must have been written by the same receiver, since a receiver writes
//! on top: a field below a foreign hop came along with the mail. And a text that a sender can
//! influence (a quoted local part inside a comment) must not be able to add a verdict: two
//! verdicts of DMARC in one field count as none.

use serde::Serialize;

/// The verdicts of the receiving server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(in crate::gmail) struct Auth {
    /// Which server says so.
    pub(in crate::gmail) authserv: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) spf: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) dkim: Option<String>,
    /// The verdict of DMARC; `ambiguous` with several verdicts or several senders, `mismatch` when
    /// it is about another domain than the one in From.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) dmarc: Option<String>,
    /// The domain that DMARC was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::gmail) domain: Option<String>,
}

/// The longest verdict that is kept.
const VERDICT_MAX: usize = 32;

/// Reads the verdicts from header fields in the order in which they stand. `from_domains` are the
/// domains of every address in every From field.
pub(super) fn read(
    fields: &[(String, String)],
    authserv: &str,
    from_domains: &[String],
) -> Option<Auth> {
    for (name, value) in fields {
        if name.eq_ignore_ascii_case("received") && !by_receiver(value, authserv) {
            return None;
        }
        if name.eq_ignore_ascii_case("authentication-results") {
            return verdicts(value, authserv, from_domains);
        }
    }
    None
}

/// Whether a `Received` line was written by the receiver: `by` the configured server, another host
/// of its domain, or (as Google's inner hops do) by a bare address without naming a sender.
fn by_receiver(value: &str, authserv: &str) -> bool {
    let tokens = tokens(value);
    let word_after = |word: &str| {
        tokens.windows(2).find_map(|pair| match pair {
            [Token::Word(first), Token::Word(second)] if first.eq_ignore_ascii_case(word) => {
                Some(second.to_ascii_lowercase())
            }
            _ => None,
        })
    };
    let Some(by) = word_after("by") else {
        return false;
    };
    let server = authserv.to_ascii_lowercase();
    if by == server || by.parse::<std::net::IpAddr>().is_ok() && word_after("from").is_none() {
        return true;
    }
    // Hosts beside the configured one count when at least two labels are shared.
    server
        .split_once('.')
        .filter(|(_, parent)| parent.contains('.'))
        .is_some_and(|(_, parent)| by.strip_suffix(parent).is_some_and(|l| l.ends_with('.')))
}

fn verdicts(value: &str, authserv: &str, from_domains: &[String]) -> Option<Auth> {
    let tokens = tokens(value);
    let mut statements = tokens.split(|token| *token == Token::Semicolon);
    let Some([Token::Word(server), ..]) = statements.next() else {
        return None;
    };
    if !server.eq_ignore_ascii_case(authserv) {
        return None;
    }
    let mut auth = Auth {
        authserv: server.to_ascii_lowercase(),
        ..Auth::default()
    };
    let mut dmarcs = 0;
    for statement in statements {
        let pairs = pairs(statement);
        let Some((method, verdict)) = pairs.first() else {
            continue;
        };
        // `method/version` is allowed by the grammar.
        let method = method.split('/').next().unwrap_or_default();
        match method {
            "spf" => auth.spf = worse(auth.spf.take(), verdict),
            "dkim" => auth.dkim = better(auth.dkim.take(), verdict),
            "dmarc" => {
                dmarcs += 1;
                auth.dmarc = Some(verdict.clone());
                auth.domain = pairs
                    .iter()
                    .find(|(key, _)| key == "header.from")
                    .map(|(_, domain)| domain.clone());
            }
            _ => {}
        }
    }
    if auth.dmarc.is_some() {
        if dmarcs > 1 || from_domains.len() != 1 {
            auth.dmarc = Some("ambiguous".to_owned());
        } else if let (Some(domain), [from]) = (&auth.domain, from_domains)
            && domain != from
        {
            auth.dmarc = Some("mismatch".to_owned());
        } else if auth.domain.is_none() {
            auth.domain = from_domains.first().cloned();
        }
    }
    Some(auth)
}

/// Several signatures: one that passes is enough.
fn better(have: Option<String>, new: &str) -> Option<String> {
    match have {
        Some(have) if have == "pass" || new != "pass" => Some(have),
        _ => Some(new.to_owned()),
    }
}

/// Several verdicts where only one is expected: what is not a pass counts.
fn worse(have: Option<String>, new: &str) -> Option<String> {
    match have {
        Some(have) if have != "pass" => Some(have),
        _ => Some(new.to_owned()),
    }
}

/// The `key=value` pairs of one statement, lower case.
fn pairs(statement: &[Token]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail) {
            (Token::Word(key), [Token::Equals, Token::Word(value), after @ ..]) => {
                let mut value = value.to_ascii_lowercase();
                value.truncate(value.floor_char_boundary(if found.is_empty() {
                    VERDICT_MAX
                } else {
                    253
                }));
                found.push((key.to_ascii_lowercase(), value));
                rest = after;
            }
            _ => rest = tail,
        }
    }
    found
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A bare word, or the text of a quoted string marked so that it never equals a method.
    Word(String),
    Quoted,
    Equals,
    Semicolon,
}

/// Splits a structured value; comments are dropped, quoted strings are opaque.
fn tokens(value: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut depth = 0_usize;
    let mut chars = value.chars();
    let flush = |word: &mut String, found: &mut Vec<Token>| {
        if !word.is_empty() {
            found.push(Token::Word(std::mem::take(word)));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' if depth > 0 => {
                chars.next();
            }
            '(' => {
                flush(&mut word, &mut found);
                depth += 1;
            }
            ')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            '"' => {
                flush(&mut word, &mut found);
                skip_quoted(&mut chars);
                found.push(Token::Quoted);
            }
            '=' => {
                flush(&mut word, &mut found);
                found.push(Token::Equals);
            }
            ';' => {
                flush(&mut word, &mut found);
                found.push(Token::Semicolon);
            }
            c if c.is_whitespace() => flush(&mut word, &mut found),
            c => word.push(c),
        }
    }
    flush(&mut word, &mut found);
    found
}

fn skip_quoted(chars: &mut std::str::Chars<'_>) {
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '"' => return,
            _ => {}
        }
    }
}
