//! Amounts of money: whole minor units with a currency, one parser that refuses what is not clear,
//! and how an amount prints itself for a reader.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use minijinja::value::{DynObject, Object, ObjectRepr};

use super::unseen::is_hidden;
use super::words::Language;

/// An amount: minor units (cents) of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: [u8; 3],
}

/// Currencies that have another number of decimals than two.
const DECIMALS: [(&str, u32); 12] = [
    ("JPY", 0),
    ("KRW", 0),
    ("VND", 0),
    ("CLP", 0),
    ("ISK", 0),
    ("HUF", 2),
    ("BHD", 3),
    ("JOD", 3),
    ("KWD", 3),
    ("OMR", 3),
    ("TND", 3),
    ("IQD", 3),
];

/// Currency codes that are read in a text. A closed list: `PO 4711` must not become an amount.
const CODES: [&str; 45] = [
    "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "ISK",
    "PLN", "CZK", "HUF", "RON", "BGN", "TRY", "RUB", "UAH", "INR", "BRL", "MXN", "CLP", "ARS",
    "COP", "ZAR", "EGP", "ILS", "AED", "SAR", "QAR", "KWD", "BHD", "OMR", "JOD", "TND", "IQD",
    "SGD", "HKD", "KRW", "THB", "VND", "MYR",
];

/// Signs that mean one currency. `¥` and `kr` mean several, so they are not here.
const SIGNS: [(&str, &str); 7] = [
    ("US$", "USD"),
    ("CA$", "CAD"),
    ("AU$", "AUD"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("$", "USD"),
    ("Euro", "EUR"),
];

/// The longest text in which an amount is looked for.
const TEXT_MAX: usize = 4 * 1024;

/// Words and signs after which, or before which, an amount is not the whole of what is asked for:
/// a price for one of many, or a number in thousands and millions.
const BEFORE: [&str; 9] = ["x", "×", "*", "@", "à", "je", "mal", "times", "minus"];
const AFTER: [&str; 36] = [
    "x",
    "×",
    "*",
    "/",
    "per",
    "pro",
    "je",
    "each",
    "apiece",
    "à",
    "pp",
    "ea",
    "stück",
    "stk",
    "k",
    "t",
    "m",
    "mn",
    "bn",
    "tsd",
    "tausend",
    "thousand",
    "hundred",
    "hundert",
    "mio",
    "mill",
    "million",
    "millions",
    "millionen",
    "mrd",
    "milliarde",
    "milliarden",
    "billion",
    "lakh",
    "crore",
    "mal",
];
/// Within how many signs a further digit makes a number unclear.
const NEIGHBOURS: usize = 3;

static AMOUNT: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
    let mut units: Vec<String> = SIGNS.iter().map(|(sign, _)| regex::escape(sign)).collect();
    units.extend(CODES.iter().map(|code| (*code).to_owned()));
    let unit = units.join("|");
    // The number is taken with everything that could belong to it, so that a form which is not
    // clear is refused as a whole instead of being read in part.
    let number = r"\d[\d.,'’]*(?: \d{3}\b[\d.,]*)*";
    let before = format!("(?P<before>{unit}) ?(?P<right>{number})");
    let after = format!("(?P<left>{number}) ?(?P<after>{unit})");
    let pattern = format!("(?i)(?:{before})|(?:{after})");
    regex::Regex::new(&pattern).ok()
});

impl Money {
    /// An amount of whole minor units, such as cents, in a currency code of three letters.
    pub fn new(minor: i64, currency: &str) -> Option<Self> {
        let bytes: [u8; 3] = currency.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphabetic).then(|| Self {
            minor,
            currency: bytes.map(|byte| byte.to_ascii_uppercase()),
        })
    }

    /// Whole minor units.
    pub fn minor(&self) -> i64 {
        self.minor
    }

    /// The currency's three letters.
    pub fn currency(&self) -> &str {
        std::str::from_utf8(&self.currency).unwrap_or("XXX")
    }

    fn decimals(&self) -> u32 {
        decimals(self.currency())
    }

    /// The one amount in a text: `4.200,00 EUR`, `€4,200.00`, `EUR 4200`. None when there is no
    /// amount, when there are several different ones, or when it is not surely the whole of what
    /// is written (`1.234 EUR`, `99·999 EUR`, `1 EUR per unit`, `-5 EUR`): who reads a part of a
    /// number asks the wrong person.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let text = &plain(text);
        let all: Vec<_> = AMOUNT.as_ref()?.captures_iter(text).collect();
        let places: Vec<_> = all.iter().filter_map(|found| found.get(0)).collect();
        let mut found: Option<Self> = None;
        for (captures, place) in all.iter().zip(&places) {
            let number = captures.name("right").or(captures.name("left"))?;
            let unit = captures.name("before").or(captures.name("after"))?;
            if !is_unit(text, unit.range()) {
                continue;
            }
            let elsewhere = |at: usize| places.iter().any(|place| place.range().contains(&at));
            if !is_whole(text, place.range(), number.range(), elsewhere) {
                return None;
            }
            let money = amount(number.as_str(), code(unit.as_str())?)?;
            if found.is_some_and(|known| known != money) {
                return None;
            }
            found = Some(money);
        }
        found
    }

    /// Whether a text writes an amount somewhere, clear or not.
    pub(crate) fn is_written(text: &str) -> bool {
        let text = plain(text);
        AMOUNT.as_ref().is_some_and(|amount| amount.is_match(&text))
    }

    /// The comparison; None for two currencies.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        (self.currency == other.currency).then(|| self.minor.cmp(&other.minor))
    }

    /// How a reader of that language sees it: `€4,200.00` or `4.200,00 €`.
    pub(crate) fn words(&self, language: Language) -> String {
        let (group, point) = match language {
            Language::En => (',', '.'),
            Language::De => ('.', ','),
        };
        let number = self.digits(Some(group), point);
        let sign = if self.minor < 0 { "-" } else { "" };
        let symbol = match self.currency() {
            "EUR" => "€",
            "USD" => "$",
            "GBP" => "£",
            _ => "",
        };
        match (language, symbol) {
            (Language::En, "") => format!("{} {sign}{number}", self.currency()),
            (Language::En, symbol) => format!("{sign}{symbol}{number}"),
            (Language::De, "") => format!("{sign}{number} {}", self.currency()),
            (Language::De, symbol) => format!("{sign}{number} {symbol}"),
        }
    }

    fn digits(&self, group: Option<char>, point: char) -> String {
        let scale = 10_u64.pow(self.decimals());
        let whole = (self.minor.unsigned_abs() / scale).to_string();
        let mut out = String::new();
        for (index, digit) in whole.chars().enumerate() {
            let left = whole.len() - index;
            if index > 0 && left.is_multiple_of(3) {
                out.extend(group);
            }
            out.push(digit);
        }
        if self.decimals() > 0 {
            let rest = self.minor.unsigned_abs() % scale;
            let width = self.decimals() as usize;
            out.push(point);
            out.push_str(&format!("{rest:0width$}"));
        }
        out
    }
}

/// The plain form, which [`Money::parse`] reads back: `4200.00 EUR`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor < 0 { "-" } else { "" };
        write!(f, "{sign}{} {}", self.digits(None, '.'), self.currency())
    }
}

impl Object for Money {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        self.compare(other.downcast_ref::<Self>()?)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn decimals(currency: &str) -> u32 {
    DECIMALS
        .iter()
        .find(|(code, _)| *code == currency)
        .map_or(2, |(_, decimals)| *decimals)
}

fn code(unit: &str) -> Option<&'static str> {
    let signs = SIGNS.iter().map(|(sign, code)| (*sign, *code));
    let codes = CODES.iter().map(|code| (*code, *code));
    signs
        .chain(codes)
        .find(|(written, _)| written.eq_ignore_ascii_case(unit))
        .map(|(_, code)| code)
}

/// The text without signs that nobody sees, and with one kind of space: those that group digits in
/// print are no others.
fn plain(text: &str) -> String {
    let shown = text.chars().filter(|c| !is_hidden(*c));
    let one = |c: char| match c {
        '\u{a0}' | '\u{2007}' | '\u{2008}' | '\u{2009}' | '\u{200a}' | '\u{202f}' => ' ',
        other => other,
    };
    shown.map(one).collect()
}

/// Whether the currency stands for itself and is not a part of a word (`SEUR`, `Europaletten`).
fn is_unit(text: &str, unit: Range<usize>) -> bool {
    let before = text[..unit.start].chars().next_back();
    let after = text[unit.end..].chars().next();
    !before.is_some_and(char::is_alphabetic) && !after.is_some_and(char::is_alphabetic)
}

/// Whether the number is surely all of the number that is written: no letter touches it, no other
/// digit stands near, no sign makes it negative, and nothing says that it is a part or a multiple.
fn is_whole(
    text: &str,
    amount: Range<usize>,
    number: Range<usize>,
    elsewhere: impl Fn(usize) -> bool,
) -> bool {
    let (before, after) = (&text[..amount.start], &text[amount.end..]);
    let digit_before = near(before.char_indices().rev());
    let digit_after = near(after.char_indices()).map(|at| amount.end + at);
    let near_digit = [digit_before, digit_after].into_iter().flatten();
    let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let touched = number.start == amount.start && touches(before.chars().next_back())
        || number.end == amount.end && touches(after.chars().next());
    let negative = before.ends_with(['-', '−', '–', '+']);
    let word_before: String = word(before.chars().rev()).chars().rev().collect();
    let word_after = word(after.chars());
    let listed = |words: &[&str], word: &str| words.contains(&word.to_lowercase().as_str());
    !touched
        && !negative
        && near_digit.into_iter().all(elsewhere)
        && !listed(&BEFORE, &word_before)
        && !listed(&AFTER, &word_after)
}

/// The next word beyond spaces, brackets and stops; a sign that is none of these is one by itself.
fn word(signs: impl Iterator<Item = char>) -> String {
    let between = |c: &char| c.is_whitespace() || matches!(c, '(' | ')' | '.' | ',' | ':' | ';');
    let mut signs = signs.skip_while(between).peekable();
    if signs.peek().is_some_and(|c| !c.is_alphabetic()) {
        return signs.take(1).collect();
    }
    signs.take_while(|c| c.is_alphabetic()).collect()
}

/// Where the first digit stands within a few signs that are no letters.
fn near(mut signs: impl Iterator<Item = (usize, char)>) -> Option<usize> {
    let ends = |c: char| c.is_alphabetic() || c.is_numeric();
    // One more than may lie between, because the digit itself is counted.
    let found = signs.by_ref().take(NEIGHBOURS + 1).find(|(_, c)| ends(*c));
    found.filter(|(_, c)| c.is_numeric()).map(|(at, _)| at)
}

/// Reads the number; None when the separators can be understood in two ways.
fn amount(number: &str, currency: &str) -> Option<Money> {
    // Digits of other scripts are read as digits by people, so they must not be separators here.
    if number
        .chars()
        .any(|c| c.is_numeric() && !c.is_ascii_digit())
    {
        return None;
    }
    let number = number.trim_end_matches(['.', ',', '\'', '’']);
    let places = decimals(currency);
    let (whole, fraction) = split(number, places)?;
    let whole: i64 = whole.parse().ok()?;
    let scale = 10_i64.pow(places);
    let mut minor = 0_i64;
    if !fraction.is_empty() {
        let missing = places.checked_sub(u32::try_from(fraction.len()).ok()?)?;
        minor = fraction.parse::<i64>().ok()? * 10_i64.pow(missing);
    }
    let total = whole.checked_mul(scale)?.checked_add(minor)?;
    Money::new(total, currency)
}

/// Whole digits and fraction digits.
fn split(number: &str, places: u32) -> Option<(String, String)> {
    let separators: Vec<(usize, char)> = number
        .char_indices()
        .filter(|(_, c)| !c.is_ascii_digit())
        .collect();
    let Some(&(last, point)) = separators.last() else {
        return Some((number.to_owned(), String::new()));
    };
    let tail = &number[last + point.len_utf8()..];
    let same = separators.iter().all(|(_, c)| *c == point);
    let may_be_point = matches!(point, '.' | ',')
        && separators.iter().filter(|(_, c)| *c == point).count() == 1
        && !tail.is_empty()
        && tail.len() <= places as usize;
    let grouped = same && groups(number, point);
    if may_be_point && grouped {
        return None;
    }
    if grouped {
        // One separator and three digits after it: `1.234 EUR` is 1234 to a German reader and
        // 1.234 to another. Space and apostrophe group everywhere; without decimals there is no
        // second reading either.
        if separators.len() == 1 && matches!(point, '.' | ',') && places != 0 {
            return None;
        }
        let digits = number.chars().filter(char::is_ascii_digit).collect();
        return Some((digits, String::new()));
    }
    if !may_be_point {
        return None;
    }
    let head = &number[..last];
    let whole: String = head.chars().filter(char::is_ascii_digit).collect();
    let group = head.chars().find(|c| !c.is_ascii_digit());
    if group.is_some_and(|group| !groups(head, group)) {
        return None;
    }
    Some((whole, tail.to_owned()))
}

/// Whether `number` is digits in groups of three with one and the same separator.
fn groups(number: &str, separator: char) -> bool {
    let mut parts = number.split(separator);
    let first = parts.next().unwrap_or_default();
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    (1..=3).contains(&first.len())
        && digits(first)
        && first != "0"
        && parts.all(|part| part.len() == 3 && digits(part))
}

#[cfg(test)]
#[path = "money_tests.rs"]
mod tests;
