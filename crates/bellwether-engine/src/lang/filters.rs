//! What the filters do. Each takes the value before the bar; absent values pass through most of
//! them, so that `text | labelled('Amount') | money` needs no test in between.

use minijinja::Value;

use super::ast::{Arguments, Filter};
use super::eval::{Fault, Worked, absent, is_absent, work_out};
use super::fingerprint;
use super::moment::moment;
use super::money::Money;
use super::scope::Scope;
use super::select;
use super::unseen::is_hidden;
use super::values::{Sort, as_instant, instant_value};
use super::who;

/// The most lines of a text in which labels are looked for.
const LINES_MAX: usize = 2000;
/// The most bytes that a labelled value may have.
const VALUE_MAX: usize = 1000;

pub(crate) fn apply(
    filter: Filter,
    value: Value,
    arguments: &Arguments,
    at: usize,
    scope: &Scope,
) -> Worked {
    match filter {
        Filter::Default => {
            if is_absent(&value) || value.as_str() == Some("") {
                return argument(arguments, 0, scope);
            }
            return Ok(value);
        }
        Filter::FirstRow => return select::first_row(&value, arguments, at, scope),
        Filter::Where => return select::fitting(&value, arguments, at, scope),
        Filter::Known => return Ok(select::known(&value, scope)),
        Filter::Names => {
            let names = who::names(&value, scope);
            return Ok(Value::from(scope.language().and(&names)));
        }
        Filter::Count => return count(&value, at),
        _ if is_absent(&value) => return Ok(absent()),
        _ => {}
    }
    match filter {
        Filter::Money if Sort::of(&value) == Sort::Money => Ok(value),
        Filter::Money => {
            let found = Money::parse(text(&value, "money", at)?);
            Ok(found.map_or_else(absent, Value::from_object))
        }
        Filter::Labelled => labelled_value(&value, arguments, at, scope),
        Filter::Find => find(text(&value, "find", at)?, arguments),
        Filter::InWords => Ok(in_words(&value, scope)),
        Filter::Ago => {
            let time = instant(&value, "ago", at)?;
            let words = scope.language().ago(time, scope.world().now);
            Ok(Value::from(words))
        }
        Filter::InZone => in_zone(&value, arguments, at, scope),
        Filter::FirstLines => first_lines(&value, arguments, at, scope),
        Filter::Lower => Ok(Value::from(text(&value, "lower", at)?.to_lowercase())),
        Filter::Upper => Ok(Value::from(text(&value, "upper", at)?.to_uppercase())),
        Filter::Fingerprint => {
            let text = text(&value, "fingerprint", at)?;
            Ok(Value::from(fingerprint::fingerprint(text)))
        }
        Filter::Moment => read_moment(&value, arguments, at, scope),
        Filter::Replace => replace(text(&value, "replace", at)?, arguments, at, scope),
        Filter::Trim => Ok(Value::from(text(&value, "trim", at)?.trim())),
        Filter::Join => join(&value, arguments, at, scope),
        Filter::First => Ok(value
            .try_iter()
            .ok()
            .and_then(|mut all| all.next())
            .unwrap_or_else(absent)),
        Filter::Without => {
            let others = argument(arguments, 0, scope)?;
            Ok(who::without(&value, &others, scope))
        }
        Filter::Column => select::column(&value, &argument(arguments, 0, scope)?, at),
        Filter::OneOf => {
            let list = argument(arguments, 0, scope)?;
            let text = text(&value, "one_of", at)?;
            Ok(Value::from(select::is_one_of(text, &list)))
        }
        Filter::Default
        | Filter::FirstRow
        | Filter::Where
        | Filter::Known
        | Filter::Names
        | Filter::Count => Ok(value),
    }
}

fn argument(arguments: &Arguments, index: usize, scope: &Scope) -> Worked {
    match arguments.plain.get(index) {
        Some(ast) => work_out(ast, scope),
        None => Ok(absent()),
    }
}

fn text<'a>(value: &'a Value, filter: &str, at: usize) -> Result<&'a str, Box<Fault>> {
    value.as_str().ok_or_else(|| {
        let sort = Sort::of(value).words();
        Fault::new(at, format!("{filter} needs a text, but this is {sort}"))
    })
}

fn instant(
    value: &Value,
    filter: &str,
    at: usize,
) -> Result<bellwether_model::time::Time, Box<Fault>> {
    as_instant(value).ok_or_else(|| {
        let sort = Sort::of(value).words();
        Fault::new(at, format!("{filter} needs a time, but this is {sort}"))
    })
}

fn count(value: &Value, at: usize) -> Worked {
    if is_absent(value) {
        return Ok(Value::from(0));
    }
    match value.len() {
        Some(count) => Ok(Value::from(count)),
        None => Err(Fault::new(
            at,
            format!(
                "count needs a list, but this is {}",
                Sort::of(value).words()
            ),
        )),
    }
}

fn find(text: &str, arguments: &Arguments) -> Worked {
    let Some(captures) = arguments.pattern.as_ref().and_then(|p| p.captures(text)) else {
        return Ok(absent());
    };
    // With brackets in the pattern their content is meant, not what stands around it.
    let found = captures.get(1).or_else(|| captures.get(0));
    Ok(found.map_or_else(absent, |found| Value::from(found.as_str())))
}

fn labelled_value(value: &Value, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    // A label with signs in it that nobody sees is the label to everybody who reads it.
    let text: String = text(value, "labelled", at)?
        .chars()
        .filter(|c| !is_hidden(*c))
        .collect();
    let mut first: Option<String> = None;
    for ast in &arguments.plain {
        let label = work_out(ast, scope)?;
        let Some(label) = label.as_str() else {
            return Err(Fault::new(ast.at, "a label is a text in quotes"));
        };
        match (labelled(&text, label), &first) {
            (Labelled::Unclear, _) => return Ok(absent()),
            (Labelled::Nothing, _) => {}
            (Labelled::Value(found), None) => first = Some(found),
            // Two labels with two amounts: nobody can say which of them is asked for.
            (Labelled::Value(found), Some(first)) => {
                let digits = found.chars().any(char::is_numeric);
                if digits && Money::is_written(first) && !same(first, &found) {
                    return Ok(absent());
                }
            }
        }
    }
    Ok(first.map_or_else(absent, Value::from))
}

/// What the lines with a label say.
enum Labelled {
    /// There is no such line, or nothing after the label.
    Nothing,
    /// This.
    Value(String),
    /// Several lines say different things.
    Unclear,
}

/// The value of the lines `Label: value`. A value may stand on the line below its label, as in
/// mails that were tables.
fn labelled(text: &str, label: &str) -> Labelled {
    let mut lines = text.lines().take(LINES_MAX).peekable();
    let mut first: Option<String> = None;
    while let Some(line) = lines.next() {
        let Some(found) = after_label(line, label) else {
            continue;
        };
        let below = lines.peek().map(|next| next.trim());
        let found = match below.filter(|next| !next.contains(':')) {
            Some(below) if found.is_empty() => below,
            _ => found,
        };
        let found: String = tidy(found).chars().take(VALUE_MAX).collect();
        match &first {
            _ if found.is_empty() => {}
            None => first = Some(found),
            Some(first) if same(first, &found) => {}
            Some(_) => return Labelled::Unclear,
        }
    }
    first.map_or(Labelled::Nothing, Labelled::Value)
}

/// Whether two values say the same, as texts or as amounts.
fn same(one: &str, other: &str) -> bool {
    let amount = || Some(Money::parse(one)? == Money::parse(other)?);
    one.to_lowercase() == other.to_lowercase() || amount() == Some(true)
}

fn tidy(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '|'))
}

/// What follows the label in this line, if the line begins with it. Quoted lines do not count: what
/// an earlier mail said is not what this one says.
fn after_label<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    let line = line.trim_start_matches(|c: char| {
        c.is_whitespace() || matches!(c, '*' | '_' | '|' | '-' | '•' | '·')
    });
    let start = line.char_indices().nth(label.chars().count());
    let (head, rest) = line.split_at(start.map_or(line.len(), |(index, _)| index));
    if head.to_lowercase() != label.to_lowercase() {
        return None;
    }
    let rest = rest.trim_start_matches(['*', '_', ' ', '\u{a0}']);
    let rest = match rest.strip_prefix('(') {
        Some(inner) => inner.split_once(')')?.1.trim_start(),
        None => rest,
    };
    let signs = [':', '=', '|', '\t'];
    rest.strip_prefix(signs).map(|value| tidy(value).trim())
}

fn replace(text: &str, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    let (old, new) = (
        argument(arguments, 0, scope)?,
        argument(arguments, 1, scope)?,
    );
    let (Some(old), Some(new)) = (old.as_str(), new.as_str()) else {
        return Err(Fault::new(at, "replace needs two texts in quotes"));
    };
    let out = text.replace(old, new);
    if out.len() > super::scope::TEXT_MAX {
        return Err(Fault::new(at, "the text is too long"));
    }
    Ok(Value::from(out))
}

fn first_lines(value: &Value, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    let text = text(value, "first_lines", at)?;
    let count = argument(arguments, 0, scope)?;
    let count = count
        .as_usize()
        .ok_or_else(|| Fault::new(at, "first_lines needs a number"))?;
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(count.min(LINES_MAX))
        .collect();
    Ok(Value::from(lines.join("\n")))
}

fn join(value: &Value, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    if Sort::of(value) != Sort::List {
        let sort = Sort::of(value).words();
        return Err(Fault::new(
            at,
            format!("join needs a list, but this is {sort}"),
        ));
    }
    let between = argument(arguments, 0, scope)?;
    let between = between.as_str().unwrap_or(", ").to_owned();
    let mut out = String::new();
    for (index, element) in value.try_iter().into_iter().flatten().enumerate() {
        if index > 0 {
            out.push_str(&between);
        }
        scope.print(&element, &mut out);
        if out.len() > super::scope::TEXT_MAX {
            return Err(Fault::new(at, "the joined text is too long"));
        }
    }
    Ok(Value::from(out))
}

/// A time in the reader's language; anything else as it prints itself.
fn in_words(value: &Value, scope: &Scope) -> Value {
    let words = match as_instant(value) {
        Some(time) => scope.language().date_time(time, &scope.zone()),
        None => scope.display(value),
    };
    Value::from(words)
}

fn in_zone(value: &Value, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    let time = instant(value, "in_zone", at)?;
    let zone = zone(arguments, at, scope)?;
    Ok(Value::from(scope.language().date_time(time, &zone)))
}

/// The moment in a text, in the zone that is given.
fn read_moment(value: &Value, arguments: &Arguments, at: usize, scope: &Scope) -> Worked {
    let zone = zone(arguments, at, scope)?;
    let found = moment(text(value, "moment", at)?, &zone, scope.world().now);
    Ok(found.map_or_else(absent, instant_value))
}

fn zone(arguments: &Arguments, at: usize, scope: &Scope) -> Result<jiff::tz::TimeZone, Box<Fault>> {
    let name = argument(arguments, 0, scope)?;
    let name = name.as_str().unwrap_or_default();
    jiff::tz::TimeZone::get(name)
        .map_err(|_| Fault::new(at, format!("there is no time zone {name}")))
}

/// Whether a cell of a table fits a value.
pub(super) fn fits(cell: &Value, value: &Value, lower: Option<&str>) -> bool {
    if is_absent(cell) || cell.as_str().is_some_and(|text| text.trim().is_empty()) {
        return true;
    }
    if let Some(limit) = cell.downcast_object_ref::<Money>() {
        // An unknown amount, or one in another currency, is above every limit.
        return value
            .downcast_object_ref::<Money>()
            .and_then(|amount| amount.compare(limit))
            .is_some_and(std::cmp::Ordering::is_le);
    }
    if let (Some(words), Some(text)) = (cell.as_str(), lower) {
        return words
            .split(',')
            .map(|word| word.trim().to_lowercase())
            .any(|word| !word.is_empty() && has_word(text, &word));
    }
    Sort::of(cell) == Sort::of(value) && cell == value
}

/// Whether a text has a word, at the beginning of a word; a short one (`PO`) must stand alone, else
/// it would be found in half of all texts.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let short = word.chars().count() <= 3;
    text.match_indices(word).any(|(index, found)| {
        let before = text[..index].chars().next_back();
        let after = text[index + found.len()..].chars().next();
        let begins = before.is_none_or(|c| !c.is_alphanumeric());
        let ends = after.is_none_or(|c| !c.is_alphanumeric());
        begins && (ends || !short)
    })
}
