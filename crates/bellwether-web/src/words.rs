//! What states are called on the screen. The API keeps its own words; people read sentences.

use bellwether_engine::seam::ConnectionHealth;
use bellwether_engine::store::{EffectRow, EffectState};
use bellwether_model::notification::{Delivery, Engagement};
use bellwether_model::time::Time;

use crate::pieces::Pill;
use crate::when::{Language, span};

/// How far an effect has come: the effect's state first, then what is known of its delivery.
pub(crate) fn delivery(state: &str, delivery: Delivery, provider: &str) -> Pill {
    match state {
        "queued" => Pill::new("info", "clock", "waiting to be sent"),
        "started" => Pill::new("info", "clock", "being sent"),
        "held" => Pill::new("warn", "hold", "held back"),
        "cancelled" => Pill::new("plain", "back", "taken back, not sent"),
        "suppressed" => Pill::new("plain", "stop", "not sent"),
        "expired" => Pill::new("warn", "clock", "too late, not sent"),
        "failed" => Pill::new("bad", "cross", "not delivered"),
        "maybe_sent" => Pill::new("warn", "alert", "may have been sent, we cannot know"),
        _ => done(delivery, provider),
    }
}

/// What became of a message, where it is known why it was not sent.
pub(crate) fn outcome(effect: &EffectRow, provider: &str) -> Pill {
    match (effect.state, effect.reason.as_deref()) {
        (EffectState::Suppressed, Some("shadow")) => {
            Pill::new("info", "eye", "would have been sent")
        }
        (EffectState::Suppressed, Some("on_list")) => Pill::new("plain", "list", "on a list"),
        _ => delivery(effect.state.word(), effect.delivery, provider),
    }
}

/// Why a message waits or was not sent, to be read after "Because".
pub(crate) fn because(reason: &str) -> &str {
    match reason {
        "shadow" => "its flow is in shadow, which decides and sends nothing",
        "on_list" => "it leaves with the list that it stands on",
        "nothing to replace" => "the push that it was to replace never left",
        "no app or no consent" => "the customer has no app, or takes no pushes any more",
        "quiet hours" => "these are quiet hours where its reader is",
        other => other,
    }
}

fn done(delivery: Delivery, provider: &str) -> Pill {
    match delivery {
        Delivery::Delivered => Pill::new("ok", "check", "delivered"),
        Delivery::Accepted | Delivery::HandedOff => {
            Pill::new("ok", "check", format!("given to {provider}"))
        }
        Delivery::Unconfirmed => {
            Pill::new("info", "info", format!("given to {provider}, no receipt"))
        }
        Delivery::MaybeSent => Pill::new("warn", "alert", "may have been sent, we cannot know"),
        Delivery::Withdrawn => Pill::new("plain", "back", "taken back"),
        Delivery::Expired => Pill::new("warn", "clock", "too late, not shown"),
        Delivery::Failed => Pill::new("bad", "cross", format!("refused by {provider}")),
        Delivery::Queued => Pill::new("ok", "check", "done"),
    }
}

/// What the reader did; None while nothing is known.
pub(crate) fn engagement(engagement: Engagement) -> Option<Pill> {
    match engagement {
        Engagement::None => None,
        Engagement::Fetched => Some(Pill::new("info", "eye", "fetched, perhaps by a scanner")),
        Engagement::Opened => Some(Pill::new("info", "eye", "opened")),
        Engagement::Dismissed => Some(Pill::new("plain", "cross", "put aside")),
        Engagement::Acted => Some(Pill::new("ok", "check", "answered")),
    }
}

/// A state word as it stands in live lines, which know no axis.
pub(crate) fn state_word(word: &str, provider: &str) -> String {
    let axis = match word {
        "accepted" => Delivery::Accepted,
        "handed_off" => Delivery::HandedOff,
        "unconfirmed" => Delivery::Unconfirmed,
        "delivered" => Delivery::Delivered,
        "withdrawn" => Delivery::Withdrawn,
        _ => Delivery::Queued,
    };
    delivery(word, axis, provider).text
}

/// An actor as people read it: `admin(local)` becomes "admin (local)".
pub(crate) fn actor(name: &str) -> String {
    name.replacen('(', " (", 1)
}

/// A run in a word.
pub(crate) fn run(status: &str) -> Pill {
    if status == "open" {
        Pill::new("warn", "clock", "open")
    } else {
        Pill::new("plain", "dot", "closed")
    }
}

/// A connection in a word and a sentence.
pub(crate) fn health(health: &ConnectionHealth, now: Time) -> (Pill, String) {
    let ago = |at: Time| span(now.seconds() - at.seconds(), Language::En);
    match health {
        ConnectionHealth::Unknown => (
            Pill::new("plain", "dot", "not used yet"),
            "Nothing went through it since the start. Press Test to find out.".to_owned(),
        ),
        ConnectionHealth::Ok { at } => (
            Pill::new("ok", "check", "works"),
            format!("The latest use worked, {} ago.", ago(*at)),
        ),
        ConnectionHealth::Failing { since, reason } => (
            Pill::new("bad", "alert", "fails"),
            format!(
                "For {}: {} It is tried again by itself.",
                ago(*since),
                sentence(reason)
            ),
        ),
        ConnectionHealth::NeedsYou { since, reason } => (
            Pill::new("bad", "person", "needs you"),
            format!(
                "For {}: {} What is to be sent waits until then.",
                ago(*since),
                sentence(reason)
            ),
        ),
    }
}

/// A part of a connection that has a health of its own, in a word and a sentence.
pub(crate) fn part(health: &ConnectionHealth, now: Time) -> (Pill, String) {
    let ago = |at: Time| span(now.seconds() - at.seconds(), Language::En);
    let (tone, glyph, word, told) = match health {
        ConnectionHealth::Unknown => ("plain", "dot", "not known yet", String::new()),
        ConnectionHealth::Ok { at } => ("ok", "check", "works", format!("For {}.", ago(*at))),
        ConnectionHealth::Failing { since, reason } => {
            let told = format!("For {}: {}", ago(*since), sentence(reason));
            ("bad", "alert", "fails", told)
        }
        ConnectionHealth::NeedsYou { since, reason } => {
            let told = format!("For {}: {}", ago(*since), sentence(reason));
            ("bad", "person", "needs you", told)
        }
    };
    (Pill::new(tone, glyph, word), told)
}

/// A part that does not work, for a list of connections.
pub(crate) fn part_trouble(name: &str, health: &ConnectionHealth) -> Option<Pill> {
    match health {
        ConnectionHealth::Unknown | ConnectionHealth::Ok { .. } => None,
        ConnectionHealth::Failing { .. } => {
            Some(Pill::new("bad", "alert", format!("{} fails", plain(name))))
        }
        ConnectionHealth::NeedsYou { .. } => {
            let text = format!("{} needs you", plain(name));
            Some(Pill::new("bad", "person", text))
        }
    }
}

/// The text with a full stop at its end.
fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '?', '!']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// A name as a heading: `approval-mail` is "Approval mail".
pub(crate) fn title(name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A stable word of the API as people read it: `quiet_hours` becomes "quiet hours".
pub(crate) fn plain(word: &str) -> String {
    word.replace(['_', '-'], " ")
}
