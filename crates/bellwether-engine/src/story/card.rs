//! What a page says, as plain text for expectations. The web shows the same values in its own form.

use bellwether_model::time::Time;

use crate::seam::{Card, CardState, TurnSaid};

/// The text of a card, line by line.
pub(super) fn text(card: &Card) -> String {
    let mut lines = vec![card.title.clone(), card.text.clone()];
    if let Some(name) = &card.on_behalf_of {
        lines.push(format!("For {name}"));
    }
    for fact in &card.facts {
        lines.push(format!("{}: {}", fact.label, fact.value));
    }
    for (who, what) in &card.talk {
        lines.push(format!("{who}: {what}"));
    }
    for row in &card.rows {
        lines.push(row.title.clone());
        let facts = row.facts.iter();
        lines.extend(facts.map(|fact| format!("{}: {}", fact.label, fact.value)));
        state(&row.state, card, &mut lines);
    }
    if card.rows.is_empty() {
        state(&card.state, card, &mut lines);
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// Where a card or one of its rows stands.
fn state(state: &CardState, card: &Card, lines: &mut Vec<String>) {
    match state {
        CardState::Waiting(ask) => {
            lines.push("Waits for you".to_owned());
            for choice in &ask.choices {
                lines.push(format!("[{}]", choice.label));
            }
            if ask.needs_sign_in {
                lines.push("This needs a check that it is really you".to_owned());
            }
        }
        CardState::Decided {
            said,
            by,
            by_reader,
            at,
            comment,
        } => {
            let time = clock(*at, &card.zone);
            if *by_reader && !card.language.starts_with("de") {
                lines.push(format!("You {} this at {time}", said.to_lowercase()));
            }
            lines.push(format!("{said} by {by}, {time}"));
            if !comment.is_empty() {
                lines.push(format!("With the comment {comment}"));
            }
        }
        CardState::Over { how, at } => {
            let time = clock(*at, &card.zone);
            let sentence = match how.as_str() {
                "expired" => "Too late: this ended without a decision",
                "withdrawn" => "Taken back by the sender",
                "replaced" => "A newer message shows this as it is now",
                _ => "Closed",
            };
            lines.push(format!("{sentence}, {time}"));
        }
        CardState::Notice => lines.push("For your information".to_owned()),
        CardState::NotAllowed(why) => lines.push(why.clone()),
    }
}

/// What a press came to, in words.
pub(super) fn said(said: &TurnSaid) -> String {
    match said {
        TurnSaid::Began { .. } | TurnSaid::Noted => "Noted".to_owned(),
        TurnSaid::Decided { .. } => "Your decision is recorded".to_owned(),
        TurnSaid::AlreadyDecided { .. } => "Somebody had decided before".to_owned(),
        TurnSaid::PassedOn { .. } => "Passed on, the matter stays open".to_owned(),
        TurnSaid::Changed => "The matter has changed, look again".to_owned(),
        TurnSaid::SignInRequired => "Please confirm first that it is you".to_owned(),
        TurnSaid::Over { how, .. } => format!("It was over before you pressed ({how})"),
        TurnSaid::Refused { reason, .. } => reason.clone(),
    }
}

/// `10:42` in a zone.
fn clock(at: Time, zone: &str) -> String {
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let local = at.timestamp().to_zoned(zone);
    format!("{:02}:{:02}", local.hour(), local.minute())
}
