//! Draws one mailbox: the list of threads, one thread as text, and forms to write and to answer.
//! Mail is shown as text only; nobody's HTML is ever rendered here.

use super::control::Control;
use super::frame::{Icon, Tone, icon, pill, time};
use crate::people::Person;
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

/// Threads that a list shows.
const THREADS: usize = 8;
/// Threads that the list on a person's own page shows.
const THREADS_ALONE: usize = 100;
/// Messages to nobody here that are listed.
const OUTSIDE: usize = 10;
/// Longest text of one message that is shown.
const MAX_SHOWN_CHARS: usize = 20_000;

/// How much of a mail its list shows, in letters.
const FIRST_LINE_MAX: usize = 120;

/// One message, as the control surface gives it.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) thread: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) labels: Vec<String>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Letter {
    fn read(value: &Value) -> Self {
        let text = |name: &str| words(value.get(name));
        let labels = value.get("labels").and_then(Value::as_array);
        let headers = value.get("headers").and_then(Value::as_object);
        Self {
            thread: text("thread_id"),
            from: text("from"),
            to: text("to"),
            subject: text("subject"),
            text: text("text"),
            labels: labels
                .into_iter()
                .flatten()
                .map(|l| words(Some(l)))
                .collect(),
            at: text("received_at").parse().ok(),
            headers: headers
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), words(Some(value))))
                .collect(),
        }
    }

    fn unread(&self) -> bool {
        self.labels.iter().any(|l| l == "UNREAD")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A text, or a list of texts joined by commas.
fn words(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list
            .iter()
            .map(|v| words(Some(v)))
            .collect::<Vec<_>>()
            .join(", "),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// A mailbox, newest message first.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Vec<Letter>);

impl Mailbox {
    /// Reads it over the control surface; none when there is no such mailbox.
    pub(crate) async fn read(control: &Control, address: &str) -> Option<Self> {
        let answer = control.get(&format!("/admin/mailboxes/{address}")).await?;
        let messages = answer.get("messages").and_then(Value::as_array);
        Some(Self(
            messages.into_iter().flatten().map(Letter::read).collect(),
        ))
    }

    /// The messages of one thread, oldest first.
    fn thread(&self, id: &str) -> Vec<&Letter> {
        self.0
            .iter()
            .rev()
            .filter(|letter| letter.thread == id)
            .collect()
    }

    /// The newest message of each thread, with how many there are and how many are unread.
    fn threads(&self) -> Vec<(&Letter, usize, usize)> {
        let mut threads: Vec<(&Letter, usize, usize)> = Vec::new();
        for letter in &self.0 {
            let unread = usize::from(letter.unread());
            match threads
                .iter_mut()
                .find(|(newest, ..)| newest.thread == letter.thread)
            {
                Some((_, count, unseen)) => {
                    *count += 1;
                    *unseen += unread;
                }
                None => threads.push((letter, 1, unread)),
            }
        }
        threads
    }
}

/// Mail that was sent to addresses without a mailbox here; it went nowhere.
pub(crate) async fn outside(control: &Control) -> Markup {
    let answer = control.get("/admin/outside").await.unwrap_or_default();
    let messages = answer.get("messages").and_then(Value::as_array);
    let letters: Vec<Letter> = messages
        .into_iter()
        .flatten()
        .take(OUTSIDE)
        .map(Letter::read)
        .collect();
    html! {
        @if letters.is_empty() { p class="empty" { "None." } }
        @for letter in &letters {
            details class="behind" {
                summary { "to " (letter.to) " · " (subject(letter)) }
                div class="text" { (letter.text) }
            }
        }
    }
}

/// What surrounds a mailbox on the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) person: &'a Person,
    pub(crate) zone: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) back: &'a str,
    /// The mailbox has the page to itself.
    pub(crate) alone: bool,
}

/// The list of threads and the form to write.
pub(crate) fn draw(place: Place<'_>, mailbox: Option<&Mailbox>) -> Markup {
    let person = place.person;
    let Some(mailbox) = mailbox else {
        return html! {
            section class="mail" { p class="empty" { "There is no mailbox for this address." } }
        };
    };
    let threads = mailbox.threads();
    let unread: usize = threads.iter().map(|(.., unread)| unread).sum();
    let most = if place.alone { THREADS_ALONE } else { THREADS };
    html! {
        section class="mail" aria-label={ "Mailbox of " (person.name) } {
            header class="box" {
                p { (icon(Icon::Mail)) (person.address) }
                @if unread > 0 {
                    (pill(Tone::Info, Icon::Dot, &format!("{unread} unread")))
                } @else {
                    (pill(Tone::Plain, Icon::Check, "all read"))
                }
            }
            @if threads.is_empty() {
                p class="empty" { "No mail yet." }
            }
            ul class="threads" {
                @for (newest, count, unread) in threads.iter().take(most) {
                    li { (row(place, newest, *count, *unread)) }
                }
            }
            @if threads.len() > most {
                p class="meta pad" {
                    a href={ "/people/" (person.id) } { "All " (threads.len()) " threads" }
                }
            }
            (compose(place))
        }
    }
}

fn row(place: Place<'_>, newest: &Letter, count: usize, unread: usize) -> Markup {
    let sent = newest.labels.iter().any(|l| l == "SENT");
    let spam = newest.labels.iter().any(|l| l == "SPAM");
    let href = format!(
        "/people/{}?thread={}#thread",
        place.person.id, newest.thread
    );
    html! {
        a href=(href) class=(if unread > 0 { "thread unread" } else { "thread" }) {
            span class="who" {
                @if sent { "to " (name_of(&newest.to)) } @else { (name_of(&newest.from)) }
                @if count > 1 { span class="meta" { " " (count) } }
                @if unread > 0 { span class="sr" { " unread" } }
            }
            span class="when" { (when(place, newest.at)) }
            span class="what" {
                @if spam { (pill(Tone::Warn, Icon::Warn, "spam")) " " }
                (subject(newest))
            }
            @if let Some(line) = first_line(&newest.text) { span class="first" { (line) } }
        }
    }
}

/// What a mail begins with: its first line that is not a quotation.
fn first_line(text: &str) -> Option<String> {
    let lines = text.lines().map(str::trim);
    let line = lines
        .into_iter()
        .find(|line| !line.is_empty() && !line.starts_with('>'))?;
    Some(line.chars().take(FIRST_LINE_MAX).collect())
}

fn when(place: Place<'_>, at: Option<Timestamp>) -> String {
    let Some(at) = at else { return String::new() };
    let day = |at| time(at, place.zone, "%Y-%m-%d");
    let pattern = if day(at) == day(place.now) {
        "%H:%M"
    } else {
        "%a %-d %b"
    };
    time(at, place.zone, pattern)
}

fn subject(letter: &Letter) -> &str {
    if letter.subject.is_empty() {
        "(no subject)"
    } else {
        &letter.subject
    }
}

/// `Alice Arnold` of `Alice Arnold <approver@example.com>`, else the whole text.
fn name_of(from: &str) -> &str {
    let name = from
        .split('<')
        .next()
        .unwrap_or(from)
        .trim()
        .trim_matches('"');
    if name.is_empty() {
        address_of(from)
    } else {
        name
    }
}

/// `approver@example.com` of `Alice Arnold <approver@example.com>`, else the whole text.
fn address_of(from: &str) -> &str {
    let inside = from
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or(from.trim(), |(address, _)| address.trim())
}

/// One thread, oldest message first, with a form to answer; none when there is no such thread.
pub(crate) fn thread(place: Place<'_>, mailbox: &Mailbox, id: &str) -> Option<Markup> {
    let letters = mailbox.thread(id);
    let last = *letters.last()?;
    let unread = letters.iter().any(|l| l.unread());
    Some(html! {
        section class="reading card" id="thread" aria-label="Thread" {
            header class="box" {
                h2 { (subject(last)) }
                a href={ "/people/" (place.person.id) } { "Close" }
            }
            @for letter in &letters { (message(place, letter)) }
            @if unread {
                form method="post" action={ "/people/" (place.person.id) "/read" } class="pad" {
                    input type="hidden" name="back" value=(place.back);
                    input type="hidden" name="thread" value=(id);
                    button { "Mark as read" }
                }
            }
            (answer(place, last))
        }
    })
}

fn message(place: Place<'_>, letter: &Letter) -> Markup {
    let cut = letter
        .text
        .char_indices()
        .nth(MAX_SHOWN_CHARS)
        .map(|(at, _)| at);
    let text = cut.map_or(letter.text.as_str(), |at| &letter.text[..at]);
    html! {
        article class="letter" {
            header {
                p { b { (letter.from) } " to " (letter.to) }
                p class="meta" {
                    @if let Some(at) = letter.at {
                        time datetime=(at) { (time(at, place.zone, "%A %-d %B, %H:%M")) }
                    }
                    @for label in &letter.labels { " · " (label) }
                }
            }
            div class="text" { (linked(text)) }
            @if cut.is_some() { p class="meta" { "The rest is not shown." } }
            details class="behind" {
                summary { "All headers" }
                dl {
                    @for (name, value) in &letter.headers { dt { (name) } dd { (value) } }
                }
            }
        }
    }
}

/// What ends a web address in running text.
const AFTER_A_LINK: [char; 10] = [' ', '\n', '\t', '<', '>', '"', '\r', '.', ',', ')'];

/// The text with its web addresses made into links; everything is escaped.
fn linked(text: &str) -> Markup {
    html! {
        @for word in text.split_inclusive([' ', '\n', '\t', '<', '>', '"']) {
            @let bare = word.trim_end_matches(AFTER_A_LINK);
            @if super::phone::is_web(bare) && bare.len() > 8 {
                a href=(bare) rel="noreferrer" target="_blank" { (bare) }
                (&word[bare.len()..])
            } @else { (word) }
        }
    }
}

fn from_line(person: &Person) -> String {
    format!(
        "\"{}\" <{}>",
        person.name.replace(['"', '\\'], ""),
        person.address
    )
}

fn answer(place: Place<'_>, last: &Letter) -> Markup {
    let own = address_of(&last.from).eq_ignore_ascii_case(&place.person.address);
    let reply_to = last.header("Reply-To").map(address_of);
    let to = if own {
        address_of(&last.to)
    } else {
        reply_to.unwrap_or(address_of(&last.from))
    };
    let again = last.subject.to_lowercase().starts_with("re:");
    let subject = if again {
        last.subject.clone()
    } else {
        format!("Re: {}", last.subject)
    };
    let id = last.header("Message-ID").unwrap_or_default();
    let chain = match last.header("References") {
        Some(older) => format!("{older} {id}"),
        None => id.to_owned(),
    };
    html! {
        form method="post" action="/mail" class="write pad" {
            input type="hidden" name="back" value=(place.back);
            input type="hidden" name="in_reply_to" value=(id);
            input type="hidden" name="references" value=(chain);
            input type="hidden" name="from" value=(from_line(place.person));
            label { "To" input name="to" required value=(to); }
            label { "Subject" input name="subject" value=(subject); }
            label { "Answer" textarea name="text" rows="4" required {} }
            button { "Send the answer" }
        }
    }
}

fn compose(place: Place<'_>) -> Markup {
    html! {
        details class="compose" {
            summary { "Write a mail" }
            form method="post" action="/mail" class="write" data-live {
                input type="hidden" name="back" value=(place.back);
                label { "From" input name="from" required value=(from_line(place.person)); }
                label { "To" input name="to" required value="approvals@example.com"; }
                label { "Subject" input name="subject"; }
                label { "Text" textarea name="text" rows="4" required {} }
                button { "Send" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_only_web_addresses_become_links() {
        let shown = linked("<script>x</script> see http://a.example/n/1.\njavascript:alert(1)");
        let shown = shown.into_string();
        assert!(!shown.contains("<script>"), "{shown}");
        assert!(shown.contains("href=\"http://a.example/n/1\""), "{shown}");
        assert!(!shown.contains("href=\"javascript"), "{shown}");
    }

    #[test]
    fn names_and_addresses_are_read_from_a_from_line() {
        assert_eq!(name_of("\"Ada B\" <a@example.com>"), "Ada B");
        assert_eq!(address_of("Ada <a@example.com>"), "a@example.com");
        assert_eq!(name_of("<a@example.com>"), "a@example.com");
        assert_eq!(address_of("a@example.com"), "a@example.com");
    }
}
