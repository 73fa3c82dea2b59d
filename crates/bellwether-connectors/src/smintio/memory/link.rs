//! The memory of one part of our own link: a failure is told when it lasts and when it needs a
//! person, its end when that lasts too. What flaps in between is not told.

use bellwether_model::reduce::{Cause, Derived, Memory, Reduced};
use bellwether_model::time::{Millis, Time};
use serde::{Deserialize, Serialize};

use super::super::{SYNC_FAILED, SYNC_RECOVERED};
use super::payload::{Severity, known, of};

/// A failure that lasts so long is told.
const DOWN: Millis = Millis::minutes(5);
/// So long it must be well again until that is told.
const UP: Millis = Millis::minutes(5);
/// After a week without success the consent is in danger: a refresh token lives 15 days.
const WEEK: Millis = Millis::days(7);
const TIMERS: [&str; 3] = ["down", "up", "week"];

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    since: Option<Time>,
    /// It answers well again, not yet for long enough.
    recovering: bool,
    said: bool,
    /// It was said that a person is needed.
    asked: bool,
    code: String,
    message: String,
    needs_person: bool,
    changes: u64,
}

#[derive(Debug, Deserialize)]
struct Told {
    ok: bool,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    needs_person: bool,
}

pub(super) fn turn(memory: &Memory<'_>) -> Reduced {
    let mut kept: Kept = memory
        .kept
        .and_then(|(_, kept)| serde_json::from_value(kept.clone()).ok())
        .unwrap_or_default();
    let mut reduced = Reduced::default();
    let now = memory.now;
    match memory.cause {
        Cause::Event(event) => {
            let told = event.envelope.data.get("link").cloned();
            if let Some(told) = told.and_then(|told| serde_json::from_value(told).ok()) {
                heard(memory, &mut kept, told, &mut reduced);
            }
        }
        Cause::Timer("down") if kept.since.is_some() && !kept.recovering && !kept.said => {
            say_failed(memory, &mut kept, "failed", &mut reduced);
        }
        Cause::Timer("up") if kept.recovering => {
            reduced
                .emits
                .push(about(memory, &kept, SYNC_RECOVERED, "recovered"));
            kept = Kept::default();
            set(&mut reduced, "week", None);
        }
        Cause::Timer("week") if kept.since.is_some() && !kept.recovering => {
            let mut derived = about(memory, &kept, SYNC_FAILED, "week");
            derived.time = now;
            reduced.emits.push(derived);
        }
        Cause::Timer(_) => {}
    }
    reduced.keep = serde_json::to_value(&kept).unwrap_or_default();
    reduced
}

fn set(reduced: &mut Reduced, name: &str, due: Option<Time>) {
    reduced.timers.push((name.to_owned(), due));
}

fn heard(memory: &Memory<'_>, kept: &mut Kept, told: Told, reduced: &mut Reduced) {
    let now = memory.now;
    kept.changes += 1;
    if told.ok {
        if kept.since.is_none() || kept.recovering {
            return;
        }
        set(reduced, "down", None);
        if kept.said {
            kept.recovering = true;
            set(reduced, "up", Some(now + UP));
        } else {
            *kept = Kept::default();
            TIMERS.iter().for_each(|name| set(reduced, name, None));
        }
        return;
    }
    kept.code = told.code;
    kept.message = told.message;
    kept.needs_person = told.needs_person;
    if kept.since.is_none() {
        kept.since = Some(now);
        set(reduced, "down", Some(now + DOWN));
        set(reduced, "week", Some(now + WEEK));
    }
    if kept.recovering {
        kept.recovering = false;
        set(reduced, "up", None);
    }
    // What only a person can mend does not pass by itself, also if it was told as an outage before.
    if kept.needs_person && !kept.asked {
        let word = if kept.said { "person" } else { "failed" };
        say_failed(memory, kept, word, reduced);
        set(reduced, "down", None);
    }
}

fn say_failed(memory: &Memory<'_>, kept: &mut Kept, word: &str, reduced: &mut Reduced) {
    kept.said = true;
    kept.asked |= kept.needs_person;
    reduced.emits.push(about(memory, kept, SYNC_FAILED, word));
}

fn about(memory: &Memory<'_>, kept: &Kept, kind: &'static str, word: &str) -> Derived {
    let since = kept.since.unwrap_or(memory.now);
    let part = memory.key.strip_prefix("link/").unwrap_or(memory.key);
    let auth = [
        "invalid_grant",
        "invalid_client",
        "not_connected",
        "access_refused",
    ];
    let component = match part {
        "feed" if auth.contains(&kept.code.as_str()) => "smintio_auth",
        "feed" => "smintio_api",
        part => part,
    };
    let grave = kept.needs_person || word == "week";
    let severity = match (kind, grave) {
        (SYNC_RECOVERED, _) => Severity::Info,
        (_, true) => Severity::Critical,
        (_, false) => Severity::Warning,
    };
    let matter = known(vec![
        ("component", component.into()),
        ("code", kept.code.as_str().into()),
        ("message", kept.message.as_str().into()),
        ("since", since.to_string().into()),
        (
            "lasted_minutes",
            (memory.now.since(since).0 / 60_000).into(),
        ),
        ("needs_person", kept.needs_person.into()),
    ]);
    let id = format!("{}/{}/{word}", memory.key, since.millis());
    of(kind, id, memory.now, severity, "sync", matter)
}
