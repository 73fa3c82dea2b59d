//! What the forms of the page do: each changes one thing through the stand-ins and goes back to
//! where it was pressed, with a sentence about what happened.

use super::panel::{KNOBS, PRESETS, Preset};
use super::{Desk, phone as drawing};
use crate::phones::{self, Doing, Verb};
use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A form that is sent from another site's page is refused: the page has no sign-in that would.
pub(crate) fn foreign(headers: &HeaderMap) -> Option<Response> {
    let site = headers.get("sec-fetch-site").and_then(|v| v.to_str().ok());
    (site == Some("cross-site")).then(|| {
        (
            StatusCode::FORBIDDEN,
            "This form was sent from another site's page.",
        )
            .into_response()
    })
}

/// Goes back with a sentence; only to a place on this page.
pub(crate) fn back(to: &str, words: &str) -> Response {
    let local = to.starts_with('/') && !to.starts_with("//") && to.bytes().all(|b| b > b' ');
    let to = if local { to } else { "/" };
    let (path, anchor) = to.split_once('#').map_or((to, None), |(p, a)| (p, Some(a)));
    let mut place = path.to_owned();
    if !words.is_empty() {
        place.push(if path.contains('?') { '&' } else { '?' });
        place.push_str("said=");
        place.push_str(&escaped(words));
    }
    if let Some(anchor) = anchor {
        place.push('#');
        place.push_str(anchor);
    }
    see_other(&place)
}

fn see_other(place: &str) -> Response {
    match place.parse::<axum::http::HeaderValue>() {
        Ok(place) => (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response(),
        Err(_) => StatusCode::NO_CONTENT.into_response(),
    }
}

fn escaped(words: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    words
        .bytes()
        .map(|b| {
            if keep(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

#[derive(Debug, Deserialize)]
pub(crate) struct PhoneForm {
    #[serde(rename = "do")]
    verb: String,
    #[serde(default)]
    back: String,
    push: Option<String>,
    action: Option<String>,
    comment: Option<String>,
}

/// A person presses something on the phone.
pub(crate) async fn phone(
    State(desk): State<Arc<Desk>>,
    Path(person): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PhoneForm>,
) -> Response {
    if let Some(refusal) = foreign(&headers) {
        return refusal;
    }
    let verb = match form.verb.as_str() {
        "open" => Verb::Open,
        "act" => Verb::Act,
        "ignore" => Verb::Ignore,
        other => {
            let done = phones::set_online(&desk.world, &person, other == "online");
            let words = match (done, other) {
                (None, _) => "Nobody here has that phone.",
                (_, "online") => "The phone is on-line.",
                _ => "The phone is off-line.",
            };
            return back(&form.back, words);
        }
    };
    let comment = form.comment.as_deref().filter(|c| !c.trim().is_empty());
    let doing = Doing {
        which: form.push.as_deref(),
        action: form.action.as_deref(),
        comment,
        force: false,
    };
    match phones::do_it(&desk.world, &person, verb, doing).await {
        None => back(&form.back, "Nobody here has that phone."),
        Some(Err(error)) => back(&form.back, &error.to_string()),
        Some(Ok((push, answer))) => {
            let link = push.push.data.get("link").filter(|l| drawing::is_web(l));
            match (verb, link, answer) {
                (Verb::Open, Some(link), _) => see_other(link),
                (_, _, Some(answer)) => back(&form.back, &answer.message),
                _ => back(&form.back, ""),
            }
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct ReadForm {
    #[serde(default)]
    back: String,
    thread: String,
}

/// A person has read a thread.
pub(crate) async fn read(
    State(desk): State<Arc<Desk>>,
    Path(person): Path<String>,
    headers: HeaderMap,
    Form(form): Form<ReadForm>,
) -> Response {
    if let Some(refusal) = foreign(&headers) {
        return refusal;
    }
    let Some(address) = desk.world.person(&person).map(|p| p.address.clone()) else {
        return back(&form.back, "Nobody here has that mailbox.");
    };
    let mailbox = desk
        .control
        .get(&format!("/admin/mailboxes/{address}"))
        .await;
    let messages = mailbox
        .as_ref()
        .and_then(|m| m.get("messages"))
        .and_then(Value::as_array);
    for message in messages.into_iter().flatten() {
        let unread = message["labels"]
            .as_array()
            .is_some_and(|l| l.contains(&json!("UNREAD")));
        if unread && message["thread_id"] == form.thread.as_str() {
            let body = json!({"address": address, "id": message["id"]});
            if let Err(words) = desk.control.post("/admin/read", &body).await {
                return back(&form.back, &words);
            }
        }
    }
    back(&form.back, "Marked as read.")
}

#[derive(Debug, Deserialize)]
pub(crate) struct MailForm {
    #[serde(default)]
    back: String,
    from: String,
    to: String,
    #[serde(default)]
    subject: String,
    text: String,
    #[serde(default)]
    in_reply_to: String,
    #[serde(default)]
    references: String,
}

/// Somebody sends a mail, just as by SMTP.
pub(crate) async fn mail(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Form(form): Form<MailForm>,
) -> Response {
    if let Some(refusal) = foreign(&headers) {
        return refusal;
    }
    let to: Vec<&str> = form
        .to
        .split([',', ';'])
        .map(str::trim)
        .filter(|t| !t.is_empty())
        .collect();
    let mut extra = json!({});
    if !form.in_reply_to.is_empty() {
        extra["In-Reply-To"] = json!(form.in_reply_to);
        extra["References"] = json!(form.references);
    }
    let body = json!({"from": form.from.trim(), "to": to, "subject": form.subject,
        "text": form.text.replace("\r\n", "\n"), "headers": extra});
    match desk.control.post("/admin/mail", &body).await {
        Ok(_) => back(&form.back, "The mail is on its way."),
        Err(words) => back(&form.back, &words),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct FaultForm {
    preset: String,
}

/// Something shall go wrong.
pub(crate) async fn fault(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Form(form): Form<FaultForm>,
) -> Response {
    if let Some(refusal) = foreign(&headers) {
        return refusal;
    }
    let Some(preset) = PRESETS.iter().find(|p| p.name == form.preset) else {
        return back("/#stand-ins", "There is no such fault.");
    };
    match set(&desk, preset) {
        0 => back(
            "/#stand-ins",
            "It could not be set: the stand-in has no such door.",
        ),
        _ => back("/#stand-ins", &format!("Set: {}.", preset.words)),
    }
}

/// Sets a preset and says on how many doors.
fn set(desk: &Desk, preset: &'static Preset) -> usize {
    let mut ids = Vec::new();
    for target in preset
        .targets
        .iter()
        .filter(|t| crate::fault_targets().any(|k| k == **t))
    {
        let mut fault: Value = serde_json::from_str(preset.fault).unwrap_or_default();
        fault["target"] = json!(target);
        if let Ok(fault) = serde_json::from_value(fault) {
            ids.extend(desk.world.faults.add(fault));
        }
    }
    desk.world
        .tell("fault", "", format!("Set: {}.", preset.words), Value::Null);
    let set = ids.len();
    if preset.seconds > 0 && set > 0 {
        let world = Arc::clone(&desk.world);
        let words = preset.words;
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(preset.seconds)).await;
            let cleared = ids
                .into_iter()
                .filter(|id| world.faults.clear(Some(*id)))
                .count();
            if cleared > 0 {
                world.tell("fault", "", format!("Over: {words}."), Value::Null);
            }
        });
    }
    set
}

#[derive(Debug, Deserialize)]
pub(crate) struct ClearForm {
    id: Option<u64>,
}

/// One fault, or all, shall end.
pub(crate) async fn clear(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Form(form): Form<ClearForm>,
) -> Response {
    if let Some(refusal) = foreign(&headers) {
        return refusal;
    }
    desk.world.faults.clear(form.id);
    desk.world
        .tell("fault", "", "A fault was cleared.", Value::Null);
    back("/#stand-ins", "Cleared.")
}

#[derive(Debug, Deserialize)]
pub(crate) struct KnobForm {
    knob: String,
}

/// A knob is turned.
pub(crate) async fn knob(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Form(form): Form<KnobForm>,
) -> Response {
    if let Some(refusal) = foreign(&headers) {
        return refusal;
    }
    let Some((_, words, path, body)) = KNOBS.iter().find(|(name, ..)| *name == form.knob) else {
        return back("/#stand-ins", "There is no such knob.");
    };
    let body = serde_json::from_str(body).unwrap_or_default();
    match desk.control.post(path, &body).await {
        Ok(_) => back("/#stand-ins", &format!("{words}.")),
        Err(error) => back("/#stand-ins", &error),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct ThemeForm {
    #[serde(default)]
    back: String,
    theme: String,
}

/// Light, dark, or as the system says.
pub(crate) async fn theme(headers: HeaderMap, Form(form): Form<ThemeForm>) -> Response {
    if let Some(refusal) = foreign(&headers) {
        return refusal;
    }
    let known = ["light", "dark"].into_iter().find(|t| *t == form.theme);
    let cookie = match known {
        Some(theme) => format!("theme={theme}; Path=/; Max-Age=31536000; SameSite=Lax"),
        None => "theme=; Path=/; Max-Age=0; SameSite=Lax".to_owned(),
    };
    ([(header::SET_COOKIE, cookie)], back(&form.back, "")).into_response()
}
