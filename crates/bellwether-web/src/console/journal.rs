//! Journal entries in sentences. An entry has an input, notes with a stable word each, and what was
//! said; words that are not known here are shown as they are, and raw JSON stands beside them.

use serde_json::Value;

use super::story::{capital, field, kind_words, past};
use crate::people::Names;
use crate::words::plain;

/// What each note says. `{who}` is the person; the reason, if
/// there is one, follows after a colon.
const NOTES: [(&str, &str); 31] = [
    ("asked", "Asked {who}"),
    ("opened", "{who} opened it"),
    ("reminded", "Reminded {who}"),
    ("escalated", "Passed to {who}"),
    (
        "passed_to_owner",
        "Passed to {who}, who is told when nobody else can be found",
    ),
    ("not_reachable", "{who} has no app, or takes no pushes"),
    ("on_leave", "{who} is away"),
    ("no_deputy", "{who} has no deputy who is there"),
    (
        "own_request",
        "Not to {who}: nobody approves an own request",
    ),
    ("unknown_decider", "Nobody in the directory fits"),
    ("late", "{who} pressed too late: it was decided before"),
    ("too_late", "{who} pressed too late: it was over"),
    ("refused", "The press of {who} was not accepted"),
    ("sign_in_required", "{who} must prove the identity first"),
    ("changed", "The matter changed"),
    ("came_again", "It came again"),
    ("seen_before", "Seen before"),
    ("withdrawn", "The sender took it back"),
    ("expired", "Nobody decided in time"),
    ("question", "{who} asked a question"),
    ("answered", "The question was answered"),
    ("requester_wrote", "The requester wrote"),
    ("mail_after_the_end", "A mail came after the end"),
    ("reply_decides_nothing", "The mail of {who} decides nothing"),
    ("code_sent", "A code was sent to {who}"),
    ("push_failed", "The push to {who} could not be delivered"),
    ("meanwhile", "Something came meanwhile, and was seen to"),
    ("on_error", "A step failed, and the flow took its other way"),
    ("called", "Another flow does a part"),
    ("stopped", "The flow ended here"),
    ("dropped", "Left aside"),
];

/// What each result of a turn told whoever caused it; the usual ones need no words.
const SAID: [(&str, &str); 4] = [
    ("already_decided", "Told: it was decided before"),
    ("changed", "Told: look again"),
    ("sign_in_required", "Told: confirm first who you are"),
    ("over", "Told: it is over"),
];

/// One turn of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// What the turn was given.
    pub(crate) input: String,
    /// The event that it was given, if it was one.
    pub(crate) event: Option<i64>,
    /// What it noted and did, a sentence each.
    pub(crate) output: Vec<String>,
}

/// A journal entry in words.
pub(crate) fn turn(body: &Value, names: &Names) -> Told {
    let given = body.get("in").unwrap_or(&Value::Null);
    let notes = body.get("notes").and_then(Value::as_array);
    let mut output: Vec<String> = notes
        .into_iter()
        .flatten()
        .filter_map(|one| note(one, names))
        .collect();
    let result = body.pointer("/said/result").and_then(Value::as_str);
    let told = SAID.iter().find(|(word, _)| Some(*word) == result);
    output.extend(told.map(|(_, said)| (*said).to_owned()));
    output.extend(count(
        body.get("effects"),
        "thing to send or change",
        "things to send or change",
    ));
    output.extend(count(
        body.get("emits"),
        "event for other flows",
        "events for other flows",
    ));
    Told {
        input: input(given),
        event: given.get("event").and_then(Value::as_i64),
        output,
    }
}

fn count(list: Option<&Value>, one: &str, many: &str) -> Option<String> {
    let n = list?.as_array()?.len();
    (n > 0).then(|| format!("{n} {}", if n == 1 { one } else { many }))
}

fn input(given: &Value) -> String {
    let text = |key: &str| given.get(key).and_then(Value::as_str);
    if let Some(name) = text("timer") {
        return format!("The time came: {}", timer(name));
    }
    if given.get("failed").is_some() {
        let code = text("code").map_or_else(String::new, |code| format!(": {}", plain(code)));
        return format!("Something could not be sent{code}");
    }
    match (text("type"), given.as_str()) {
        (Some("push.acted"), _) => "A button was pressed".to_owned(),
        (Some("push.opened"), _) => "The notification was opened".to_owned(),
        (Some("push.reported"), _) => "The device reported".to_owned(),
        (Some("push.code_requested"), _) => "A code was asked for".to_owned(),
        (Some(kind), _) => capital(&kind_words(kind)),
        (None, Some(said)) => capital(said),
        (None, None) => "It took a turn".to_owned(),
    }
}

/// A timer as people understand it: `rung/approval` is the next rung of the ladder of that step.
fn timer(name: &str) -> String {
    let (what, step) = timer_of(name);
    match step {
        Some(step) => format!("{what}, {}", plain(step)),
        None => what,
    }
}

/// What a timer does, and for which step of the flow.
pub(crate) fn timer_of(name: &str) -> (String, Option<&str>) {
    match name.split_once('/') {
        Some(("rung", step)) => ("remind or pass on".to_owned(), Some(step)),
        Some(("wait", step)) => ("the wait ends".to_owned(), Some(step)),
        Some((kind, step)) => (plain(kind), Some(step)),
        None => (plain(name), None),
    }
}

/// A note in a sentence, without its full stop.
pub(crate) fn note(note: &Value, names: &Names) -> Option<String> {
    if let Some(text) = note.as_str() {
        return Some(text.to_owned());
    }
    let what = field(note, "what")?;
    let who = field(note, "person").map(|id| names.first(id));
    let why = field(note, "why").map(|why| match why.strip_prefix("for ") {
        Some(id) => format!("for {}", names.first(id)),
        None => plain(why),
    });
    if what == "decided" {
        let who = who.unwrap_or("Somebody");
        return Some(format!(
            "{who} {}",
            past(why.as_deref().unwrap_or("decided"))
        ));
    }
    let known = NOTES.iter().find(|(word, _)| *word == what);
    let sentence = match known {
        Some((_, template)) => template.replace("{who}", who.unwrap_or("somebody")),
        None => match who {
            Some(who) => format!("{}, {who}", plain(what)),
            None => plain(what),
        },
    };
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    Some(capital(&format!("{sentence}{why}")))
}
