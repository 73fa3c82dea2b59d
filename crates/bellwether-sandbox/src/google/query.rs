//! Gmail's search language as `messages.list` takes it in `q`: parsing. As in Gmail nothing is an
//! error: an operator or value that is not understood matches no message. Matching is in
//! `matching`.

/// Longest query that is read; the rest is ignored.
const QUERY_LIMIT: usize = 4_096;
/// How deep brackets may be nested.
const DEPTH_LIMIT: usize = 20;

const DAY: i64 = 86_400_000;
/// Bare dates are midnight in Pacific Standard Time.
const PST: i64 = 8 * 3_600_000;

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Query {
    All(Vec<Query>),
    Any(Vec<Query>),
    Not(Box<Query>),
    /// Words next to each other in a header: `from`, `to`, ...
    Header(&'static str, Vec<String>),
    /// Words next to each other in any recipient.
    Recipient(Vec<String>),
    /// Words next to each other in sender, recipients, subject or text.
    Text(Vec<String>),
    /// A label by the name as written.
    Label(String),
    /// Has a label of Gmail's own.
    System(&'static str),
    /// In no particular place, spam and trash included.
    Anywhere,
    HasAttachment,
    HasUserLabels,
    Filename(String),
    MessageId(String),
    /// Milliseconds; from that time on.
    After(i64),
    Before(i64),
    Larger(u64),
    Smaller(u64),
    /// Matches nothing.
    Nothing,
}

/// Parses a query; `now` in milliseconds for the relative operators.
pub(crate) fn parse(text: &str, now: i64) -> Query {
    let text: String = text.chars().take(QUERY_LIMIT).collect();
    let tokens = tokens(&text);
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        now,
    };
    let mut all = Vec::new();
    while parser.at < parser.tokens.len() {
        let before = parser.at;
        all.push(parser.sequence(0));
        if parser.at == before {
            // A closing bracket without its opening one.
            parser.at += 1;
        }
    }
    if all.len() == 1 {
        all.remove(0)
    } else {
        Query::All(all)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open(char),
    Close,
    Minus,
    Or,
    /// An operator with its colon, in lower case.
    Operator(String),
    Word(String),
    Phrase(String),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '(' | '{' => tokens.push(Token::Open(c)),
            ')' | '}' => tokens.push(Token::Close),
            '-' => tokens.push(Token::Minus),
            '|' => tokens.push(Token::Or),
            '"' => {
                let phrase = chars.by_ref().take_while(|c| *c != '"').collect();
                tokens.push(Token::Phrase(phrase));
            }
            c => {
                let mut word = String::from(c);
                let mut operator = false;
                while let Some(next) = chars.peek().copied() {
                    if next.is_whitespace() || "(){}|\"".contains(next) {
                        break;
                    }
                    chars.next();
                    let name = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                    if next == ':' && name {
                        operator = true;
                        break;
                    }
                    word.push(next);
                }
                tokens.push(match (operator, word.as_str()) {
                    (true, _) => Token::Operator(word.to_ascii_lowercase()),
                    (false, "OR") => Token::Or,
                    (false, _) => Token::Word(word),
                });
            }
        }
    }
    tokens
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    now: i64,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    /// Terms next to each other must all match; `OR` binds two neighbours.
    fn sequence(&mut self, depth: usize) -> Query {
        let mut groups: Vec<Vec<Query>> = Vec::new();
        let mut or = false;
        while let Some(token) = self.peek() {
            match token {
                Token::Close => break,
                Token::Or => {
                    self.at += 1;
                    or = true;
                }
                _ => {
                    let term = self.term(depth);
                    match groups.last_mut().filter(|_| or) {
                        Some(group) => group.push(term),
                        None => groups.push(vec![term]),
                    }
                    or = false;
                }
            }
        }
        let mut all: Vec<Query> = groups
            .into_iter()
            .map(|mut g| {
                if g.len() == 1 {
                    g.remove(0)
                } else {
                    Query::Any(g)
                }
            })
            .collect();
        if all.len() == 1 {
            all.remove(0)
        } else {
            Query::All(all)
        }
    }

    fn term(&mut self, depth: usize) -> Query {
        let Some(token) = self.peek().cloned() else {
            return Query::All(Vec::new());
        };
        self.at += 1;
        match token {
            Token::Minus => Query::Not(Box::new(self.term(depth))),
            Token::Open(_) if depth >= DEPTH_LIMIT => Query::Nothing,
            Token::Open(kind) => {
                let inner = self.sequence(depth + 1);
                if self.peek() == Some(&Token::Close) {
                    self.at += 1;
                }
                match inner {
                    Query::All(terms) if kind == '{' => Query::Any(terms),
                    inner => inner,
                }
            }
            Token::Operator(name) => self.operator(&name, depth),
            Token::Word(word) => Query::Text(words(&word)),
            Token::Phrase(phrase) => Query::Text(words(&phrase)),
            Token::Close | Token::Or => Query::All(Vec::new()),
        }
    }

    /// The value of an operator: a word, a phrase, or words in brackets which must all match.
    fn operator(&mut self, name: &str, depth: usize) -> Query {
        match self.peek().cloned() {
            Some(Token::Open(kind)) if depth < DEPTH_LIMIT => {
                self.at += 1;
                let mut terms = Vec::new();
                while let Some(token) = self.peek().cloned() {
                    self.at += 1;
                    match token {
                        Token::Close => break,
                        Token::Word(value) | Token::Phrase(value) => {
                            terms.push(operator(name, &value, self.now));
                        }
                        _ => {}
                    }
                }
                if kind == '{' {
                    Query::Any(terms)
                } else {
                    Query::All(terms)
                }
            }
            Some(Token::Word(value) | Token::Phrase(value)) => {
                self.at += 1;
                operator(name, &value, self.now)
            }
            // `rfc822msgid:<a@b>` and `after:-1` come as several tokens or none: nothing matches.
            _ => Query::Nothing,
        }
    }
}

fn operator(name: &str, value: &str, now: i64) -> Query {
    let found = match name {
        "from" => Some(Query::Header("From", words(value))),
        "to" => Some(Query::Recipient(words(value))),
        "cc" => Some(Query::Header("Cc", words(value))),
        "bcc" => Some(Query::Header("Bcc", words(value))),
        "subject" => Some(Query::Header("Subject", words(value))),
        "deliveredto" => Some(Query::Header("Delivered-To", words(value))),
        "list" => Some(Query::Header("List-Id", words(value))),
        "label" | "category" => Some(Query::Label(match name {
            "category" if value.eq_ignore_ascii_case("primary") => "category_personal".to_owned(),
            "category" => format!("category_{value}"),
            _ => value.to_owned(),
        })),
        "in" => Some(place(value)),
        "is" => state(value),
        "has" => match value.to_ascii_lowercase().as_str() {
            "attachment" => Some(Query::HasAttachment),
            "userlabels" => Some(Query::HasUserLabels),
            "nouserlabels" => Some(Query::Not(Box::new(Query::HasUserLabels))),
            _ => None,
        },
        "filename" => Some(Query::Filename(value.to_lowercase())),
        "rfc822msgid" => {
            let id = value.trim().trim_start_matches('<').trim_end_matches('>');
            Some(Query::MessageId(id.to_owned()))
        }
        "after" | "newer" => date(value).map(Query::After),
        "before" | "older" => date(value).map(Query::Before),
        "newer_than" => age(value).map(|age| Query::After(now - age)),
        "older_than" => age(value).map(|age| Query::Before(now - age)),
        "larger" | "size" => bytes(value).map(Query::Larger),
        "smaller" => bytes(value).map(Query::Smaller),
        _ => None,
    };
    found.unwrap_or(Query::Nothing)
}

fn place(value: &str) -> Query {
    match value.to_ascii_lowercase().as_str() {
        "anywhere" => Query::Anywhere,
        "inbox" => Query::System("INBOX"),
        "sent" => Query::System("SENT"),
        "draft" | "drafts" => Query::System("DRAFT"),
        "trash" | "bin" => Query::System("TRASH"),
        "spam" => Query::System("SPAM"),
        _ => Query::Label(value.to_owned()),
    }
}

fn state(value: &str) -> Option<Query> {
    match value.to_ascii_lowercase().as_str() {
        "unread" => Some(Query::System("UNREAD")),
        "read" => Some(Query::Not(Box::new(Query::System("UNREAD")))),
        "starred" => Some(Query::System("STARRED")),
        "important" => Some(Query::System("IMPORTANT")),
        "sent" => Some(Query::System("SENT")),
        "chat" => Some(Query::System("CHAT")),
        _ => None,
    }
}

/// The words that text is compared by: letters and digits, in lower case.
pub(crate) fn words(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !c.is_alphanumeric());
    split
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// Epoch seconds, `2026/11/22`, `2026-11-22` or `11/22/2026`, in milliseconds.
fn date(value: &str) -> Option<i64> {
    let parts: Vec<&str> = value.split(['/', '-']).collect();
    if let [seconds] = parts[..] {
        return seconds
            .parse::<i64>()
            .ok()
            .filter(|s| *s >= 0)?
            .checked_mul(1_000);
    }
    let [a, b, c] = parts[..] else { return None };
    let (year, month, day) = if a.len() == 4 { (a, b, c) } else { (c, a, b) };
    let date = jiff::civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let midnight = date
        .ok()?
        .at(0, 0, 0, 0)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .ok()?;
    Some(midnight.timestamp().as_millisecond() + PST)
}

/// `3d`, `24h`, `2m`, `1y`; weeks and bare numbers match nothing, as measured.
fn age(value: &str) -> Option<i64> {
    let unit = value.chars().last()?.to_ascii_lowercase();
    let number: i64 = value.get(..value.len() - unit.len_utf8())?.parse().ok()?;
    let unit = match unit {
        'h' => DAY / 24,
        'd' => DAY,
        'm' => 30 * DAY,
        'y' => 365 * DAY,
        _ => return None,
    };
    number.checked_mul(unit).filter(|age| *age >= 0)
}

fn bytes(value: &str) -> Option<u64> {
    let (number, unit) = match value.chars().last()?.to_ascii_lowercase() {
        'k' => (&value[..value.len() - 1], 1_024),
        'm' => (&value[..value.len() - 1], 1_024 * 1_024),
        _ => (value, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

impl Query {
    /// Whether the query itself asks for spam or trash.
    pub(crate) fn asks_for_spam_or_trash(&self) -> bool {
        match self {
            Self::All(terms) | Self::Any(terms) => terms.iter().any(Self::asks_for_spam_or_trash),
            Self::System("TRASH" | "SPAM") | Self::Anywhere => true,
            Self::Label(name) => ["trash", "spam"].contains(&name.to_lowercase().as_str()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_query(text in "[-a-z:(){}|\"0-9/ OR\u{e9}]{0,60}") {
            parse(&text, 0);
        }

        #[test]
        fn deep_brackets_are_bounded(depth in 0usize..3_000) {
            parse(&"(".repeat(depth), 0);
            parse(&"-".repeat(depth), 0);
            parse(&"from:(".repeat(depth), 0);
        }
    }

    #[test]
    fn bare_dates_are_midnight_in_california_s_winter() {
        let wanted = Query::After(1_767_254_400_000);
        for text in [
            "after:2026/1/1",
            "after:2026-01-01",
            "newer:01/01/2026",
            "AFTER:1767254400",
        ] {
            assert_eq!(parse(text, 0), wanted, "{text}");
        }
    }
}
