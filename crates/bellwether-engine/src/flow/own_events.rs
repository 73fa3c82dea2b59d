//! The events that the server itself says of its pushes, so that flows can start with them. When
//! they are said is the rim's business.

use bellwether_model::connector::TriggerDef;
use serde_json::{Value as Json, json};

/// A provider took a push.
pub(crate) const SENT: &str = "push.sent";
/// A push was given up.
pub(crate) const FAILED: &str = "push.failed";
/// A push was too late to be sent.
pub(crate) const EXPIRED: &str = "push.expired";
/// Nobody can say whether a push was sent.
pub(crate) const MAYBE: &str = "push.maybe_sent";

/// All of them. Those of opening and acting come from people; they have the same noun.
pub(crate) static TRIGGERS: [TriggerDef; 6] = [
    trigger(
        SENT,
        "A provider took a push; whether a device showed it is another matter.",
    ),
    trigger(FAILED, "A push was given up."),
    trigger(EXPIRED, "A push was not sent, because its time had passed."),
    trigger(MAYBE, "Nobody can say whether a push was sent."),
    trigger(crate::decide::OPENED, "Somebody opened the page of a push."),
    trigger(crate::decide::ACTED, "Somebody pressed a button of a push."),
];

const fn trigger(event: &'static str, summary: &'static str) -> TriggerDef {
    TriggerDef {
        event,
        summary,
        nouns: &["push"],
        schema,
        sample,
        sentence: "{{ push.title }} to {{ push.person }}",
        verified: true,
    }
}

fn schema() -> Json {
    let text = |about: &str| json!({ "type": "string", "description": about });
    json!({
        "type": "object",
        "properties": { "push": {
            "type": "object",
            "properties": {
                "notification": text("The one message to one person over one channel."),
                "person": text("Whom it addresses."),
                "customer": text("The address, for a customer of the register."),
                "title": text("Its title, as that person reads it."),
                "text": text("Its text."),
                "case": text("The matter that it is about."),
                "flow": text("The flow that sent it."),
                "importance": text("`normal` or `high`."),
                "question": { "type": "boolean", "description": "Whether it asks for a decision." },
                "reason": text("Why it was not sent."),
                "code": text("The same as a stable word."),
                "what": text("What was done with it."),
                "choice": text("The button that was pressed."),
                "comment": text("What was said with it."),
                "means": text("How: `phone`, `page`, `mail`, `console`."),
            },
        } },
    })
}

fn sample() -> Json {
    json!({ "push": {
        "notification": "5f2c1e0a9b7d4c3e8f6a1b2c3d4e5f60", "person": "alice",
        "title": "\u{20ac}4,200.00 \u{b7} Huber", "text": "Purchase order PO-4711. Approve?",
        "case": "PO-4711", "flow": "approval-mail", "importance": "normal", "question": true,
        "means": "phone", "choice": "approve",
    } })
}
