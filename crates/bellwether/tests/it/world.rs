//! The approval recipe on a stage, with the doors that people use, for tests of decisions. Mails
//! are written here by hand, as the mail connector makes them.

use std::sync::Arc;

use bellwether_engine::flow::Flow;
use bellwether_engine::run::{Keyring, Purpose};
use bellwether_engine::seam::{
    Actor, ActorRole, CardState, Hosted as _, Inlets as _, Intake as _, OpenGrade, Press, TurnSaid,
    Visitor,
};
use bellwether_engine::story::{self, OWNER_KEY, PHONES, Scene, Sent, Stage, Stored, What};
use bellwether_model::directory::Directory;
use bellwether_model::event::{Alias, NewEvent};
use bellwether_model::http::RawRequest;
use bellwether_model::id::EffectId;
use bellwether_model::time::Time;
use serde_json::{Value as Json, json};

use crate::story::{catalog, file, flow};

/// What a stage is made of.
pub(crate) struct Play {
    pub(crate) flow: Arc<Flow>,
    pub(crate) people: Directory,
    pub(crate) inputs: Json,
}

impl Play {
    pub(crate) fn approval() -> Self {
        Self {
            flow: flow("approval-mail.yaml", &file("approval-mail.yaml").unwrap()),
            people: story::directory(),
            inputs: json!({}),
        }
    }

    /// Any flow, whose name is `f`.
    pub(crate) fn of(text: &str) -> Self {
        Self {
            flow: flow("f.yaml", text),
            people: story::directory(),
            inputs: json!({}),
        }
    }

    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            flow: &self.flow,
            inputs: &self.inputs,
            file: &file,
            catalog: catalog(),
            people: &self.people,
            position: bellwether_engine::flow::Position::On,
        }
    }

    pub(crate) fn stage(&self, stored: Stored) -> Stage {
        Stage::new(self.scene(), stored).unwrap()
    }
}

/// A mail with these fields on top of what every mail has.
pub(crate) fn mail(now: Time, id: &str, fields: &Json) -> NewEvent {
    let mut mail = json!({
        "id": id, "thread_id": format!("t-{id}"), "rfc_message_id": format!("{id}@mail.example"),
        "from": { "address": "ariba@example.com" }, "to": [{ "address": "approvals@example.com" }],
        "subject": "", "text": "", "html_only": false, "at": now.to_string(),
        "mailbox": "approvals@example.com", "auto_submitted": "no", "auto_reply": false,
        "bulk": false, "dsn": false, "own": false, "link": "https://mail.example/",
        "auth": { "authserv": "mx.example.com", "dmarc": "pass" },
    });
    for (name, value) in fields.as_object().unwrap() {
        mail[name.as_str()] = value.clone();
    }
    if let Json::Object(fields) = &mut mail {
        fields.retain(|_, value| !value.is_null());
    }
    let text = |name: &str| mail.get(name).and_then(Json::as_str).unwrap_or_default();
    let mut aliases = vec![Alias::new(
        "thread",
        format!("mailbox/{}", text("thread_id")),
    )];
    for name in ["rfc_message_id", "in_reply_to"] {
        if !text(name).is_empty() {
            aliases.push(Alias::new("message-id", text(name)));
        }
    }
    let data = json!({ "mail": mail });
    let mut event = NewEvent::new(
        "mailbox",
        format!("m:{id}"),
        "gmail.message.received",
        now,
        data,
    );
    event.aliases = aliases;
    event
}

/// A purchase order by mail.
pub(crate) fn order(now: Time, number: &str, amount: &str) -> NewEvent {
    let fields = json!({
        "subject": format!("Purchase order {number}"), "text": format!("Amount: {amount}"),
    });
    mail(now, number, &fields)
}

/// An answer to a mail of ours, with these fields on top.
pub(crate) fn answer(now: Time, id: &str, ours: &Sent, text: &str, fields: &Json) -> NewEvent {
    let mut all = json!({
        "from": { "address": ours.address }, "in_reply_to": ours.message_id,
        "subject": format!("Re: {}", ours.title), "new_text": text,
        "text": format!("{text}\n\n> {}", ours.text.replace('\n', "\n> ")),
        "reply_token": ours.args.get("reply_token"),
    });
    for (name, value) in fields.as_object().unwrap() {
        all[name.as_str()] = value.clone();
    }
    mail(now, id, &all)
}

pub(crate) fn keys() -> Keyring {
    Keyring::new(vec![(1, OWNER_KEY)])
}

/// Everything of a kind that was sent to somebody, oldest first.
pub(crate) fn sent(stage: &Stage, what: What, who: &str) -> Vec<Sent> {
    let all = stage.record.sent();
    let his = |sent: &&Sent| sent.what == what && (sent.who == who || sent.address == who);
    all.iter().filter(his).cloned().collect()
}

/// The link's token of a push.
pub(crate) fn view_token(effect: EffectId, now: Time) -> String {
    let expires = now + bellwether_engine::run::LINK_LIFE;
    keys().make(Purpose::View, effect, expires, "")
}

/// A tap on the phone. What the phone is told.
pub(crate) async fn tap(stage: &Stage, push: &Sent, id: &str, choice: &str) -> String {
    let body = json!({
        "id": id, "what": "acted", "choice": choice, "comment": "by phone",
        "token": push.args["token"], "shown": push.args["shown"],
    });
    let request = RawRequest {
        inlet: "engagement".to_owned(),
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    };
    let answer = stage.engine.receive(PHONES, request).await;
    let body: Json = serde_json::from_str(&answer.body).unwrap();
    body["result"].as_str().unwrap_or_default().to_owned()
}

/// Opens the page; the form, ready to be sent.
pub(crate) async fn form(stage: &Stage, push: &Sent, choice: &str) -> Press {
    let token = view_token(push.effect.unwrap(), stage.now());
    let visitor = Visitor::default();
    let opened = stage.engine.open(&token, OpenGrade::Rendered, &visitor);
    let CardState::Waiting(ask) = opened.await.unwrap().state else {
        panic!("the page asks nothing");
    };
    Press {
        act_token: ask.act_token,
        choice: choice.to_owned(),
        comment: "by page".to_owned(),
        shown: ask.shown,
    }
}

/// Sends a form.
pub(crate) async fn press(stage: &Stage, form: &Press) -> Option<TurnSaid> {
    let pressed = stage.engine.press(form, &Visitor::default()).await;
    pressed.unwrap().said
}

/// An operator decides for somebody.
pub(crate) async fn console(stage: &Stage, of: &Sent, person: &str, choice: &str) -> TurnSaid {
    let card = stage
        .engine
        .open(
            &view_token(of.effect.unwrap(), stage.now()),
            OpenGrade::Fetched,
            &Visitor::default(),
        )
        .await;
    let actor = Actor {
        name: "operator".to_owned(),
        role: ActorRole::Operator,
        means: "loopback",
    };
    let run = card.unwrap().run;
    let decided = stage
        .engine
        .decide_for(run, person, choice, "by console", &actor);
    decided.await.unwrap()
}

/// Numbers without a pattern, the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for index in (1..all.len()).rev() {
            all.swap(index, self.below(index + 1));
        }
    }
}
