//! Compares what was sent with what was expected, in any order, and says in words what was not.

use bellwether_model::time::Time;

use super::people::ZONE;
use super::steps::{Expectation, Moment, Wanted};
use super::world::{Sent, What};
use crate::yaml::Problem;

/// The most letters of a text that a message repeats.
const QUOTE_MAX: usize = 160;

/// Which kind of thing an expectation of this kind matches.
fn sort(wanted: Wanted) -> Option<What> {
    Some(match wanted {
        Wanted::Push => What::Push,
        Wanted::Mail => What::Mail,
        Wanted::Reply => What::Reply,
        Wanted::Label => What::Label,
        Wanted::Http => What::Request,
        Wanted::DeadLetter => What::DeadLetter,
        Wanted::Emit => What::Emit,
        Wanted::Withdrawn => What::Update,
        Wanted::Page | Wanted::Told | Wanted::Noted => return None,
    })
}

/// Whether the expectation is about something that was sent.
pub(super) fn is_sent(expectation: &Expectation) -> bool {
    sort(expectation.wanted).is_some()
}

fn has(whole: &str, part: Option<&String>) -> bool {
    part.is_none_or(|part| whole.contains(part.as_str()))
}

/// Whether a thing is what is expected.
fn fits(expectation: &Expectation, sent: &Sent) -> bool {
    if sort(expectation.wanted) != Some(sent.what) {
        return false;
    }
    let object = expectation.object.as_str();
    let named = match sent.what {
        What::DeadLetter | What::Label => sent.text.contains(object) || sent.title == object,
        What::Emit => sent.title == object,
        What::Request => sent.title == object || sent.who == object,
        _ => sent.who == object || sent.address.eq_ignore_ascii_case(object),
    };
    let at = expectation.at.as_ref();
    let text = format!("{}\n{}", sent.title, sent.text);
    named
        && has(&sent.title, expectation.title.as_ref())
        && has(&text, expectation.text.as_ref())
        && at.is_none_or(|moment| is_at(moment, sent.at))
}

fn is_at(moment: &Moment, at: Time) -> bool {
    let zone = moment.zone.as_deref().unwrap_or(ZONE);
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let local = at.timestamp().to_zoned(zone);
    let time = local.time();
    moment.date.is_none_or(|date| date == local.date())
        && (moment.time.hour(), moment.time.minute()) == (time.hour(), time.minute())
}

/// Finds for every expectation a thing of its own, if that is possible at all; marks what was found
/// and says what was not.
pub(super) fn compare(wanted: &[Expectation], sent: &mut [Sent]) -> Vec<Problem> {
    let open: Vec<usize> = (0..sent.len()).filter(|i| !sent[*i].expected).collect();
    let mut taken: Vec<Option<usize>> = vec![None; open.len()];
    let mut missing = Vec::new();
    for index in 0..wanted.len() {
        let mut tried = vec![false; open.len()];
        if !assign(index, wanted, sent, &open, &mut taken, &mut tried) {
            missing.push(index);
        }
    }
    for (slot, owner) in open.iter().zip(&taken) {
        sent[*slot].expected = owner.is_some();
    }
    let rest: Vec<String> = open
        .iter()
        .filter(|slot| !sent[**slot].expected)
        .map(|slot| describe(&sent[*slot]))
        .collect();
    let instead = match rest.as_slice() {
        [] => "nothing else was sent".to_owned(),
        all => format!("sent instead: {}", all.join("; ")),
    };
    missing
        .into_iter()
        .map(|index| {
            let expectation = &wanted[index];
            let message = format!("{} did not come", wish(expectation));
            Problem::error(expectation.place, message).hint(instead.clone())
        })
        .collect()
}

/// One step of bipartite matching: a thing for this expectation, moving others where needed.
fn assign(
    index: usize,
    wanted: &[Expectation],
    sent: &[Sent],
    open: &[usize],
    taken: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for slot in 0..open.len() {
        if tried[slot] || !fits(&wanted[index], &sent[open[slot]]) {
            continue;
        }
        tried[slot] = true;
        let free = match taken[slot] {
            None => true,
            Some(other) => assign(other, wanted, sent, open, taken, tried),
        };
        if free {
            taken[slot] = Some(index);
            return true;
        }
    }
    false
}

/// What was sent and nobody expected: each once.
pub(super) fn surprises(place: (usize, usize), sent: &mut [Sent]) -> Vec<Problem> {
    let mut out = Vec::new();
    for thing in sent {
        if thing.expected || thing.what == What::Update {
            continue;
        }
        thing.expected = true;
        let message = format!("nobody expected {}", describe(thing));
        out.push(Problem::error(place, message));
    }
    out
}

fn word(what: What) -> &'static str {
    match what {
        What::Push => "push",
        What::Update => "silent update",
        What::Mail => "mail",
        What::Reply => "reply",
        What::Label => "label",
        What::Request => "request",
        What::DeadLetter => "dead letter",
        What::Emit => "event",
    }
}

fn quote(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= QUOTE_MAX {
        return format!("\"{flat}\"");
    }
    let cut: String = flat.chars().take(QUOTE_MAX).collect();
    format!("\"{cut}…\"")
}

/// A thing in words: `push to alice at Mon 10:00 "€4,200.00 · Huber" "…"`.
fn describe(sent: &Sent) -> String {
    let zone = jiff::tz::TimeZone::get(ZONE).unwrap_or(jiff::tz::TimeZone::UTC);
    let local = sent.at.timestamp().to_zoned(zone);
    let at = local.strftime("%a %Y-%m-%d %H:%M");
    let to = if sent.who.is_empty() {
        String::new()
    } else {
        format!(" to {}", sent.who)
    };
    let mut out = format!("the {}{to} at {at} {}", word(sent.what), quote(&sent.title));
    if !sent.text.is_empty() {
        out.push_str(&format!(" {}", quote(&sent.text)));
    }
    out
}

fn wish(expectation: &Expectation) -> String {
    let (what, object) = (
        sort(expectation.wanted).map_or("this", word),
        &expectation.object,
    );
    let mut out = format!("the {what} {object}");
    if let Some(title) = &expectation.title {
        out.push_str(&format!(" with the title {}", quote(title)));
    }
    if let Some(text) = &expectation.text {
        out.push_str(&format!(" with the text {}", quote(text)));
    }
    if let Some(at) = &expectation.at {
        let date = at.date.map(|date| format!("{date} ")).unwrap_or_default();
        out.push_str(&format!(" at {date}{}", at.time.strftime("%H:%M")));
    }
    out
}
