//! "Why was I told, or not?" in sentences, from the record: what began with an event, what did not
//! and for which part of its condition, and what became of each message to one person.

use bellwether_engine::explain::{Began, Why};
use bellwether_engine::store::{EffectRow, EffectState, RunDetail};
use bellwether_model::connector::Role;
use bellwether_model::id::CellId;
use bellwether_model::notification::Engagement;
use serde_json::Value;

use crate::console::note_words;
use crate::people::Names;
use crate::problem::Problem;
use crate::web::Web;
use crate::words::{because, plain};

/// One sentence, with the case that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) case: Option<CellId>,
    pub(crate) text: String,
}

impl Line {
    fn of(text: impl Into<String>) -> Self {
        Self {
            case: None,
            text: text.into(),
        }
    }
}

/// Everything that can be said of an event and, if one is named, a person.
pub(crate) async fn lines(
    web: &Web,
    at: i64,
    person: Option<&str>,
    names: &Names,
) -> Result<Vec<Line>, Problem> {
    let person = person.map(|who| names.reader(who));
    let person = person.as_deref();
    let why = web.app.explains.why(at).await?;
    let why = why.ok_or_else(|| Problem::unknown("event", &at.to_string()))?;
    let mut out = Vec::new();
    for (cell, opened) in &why.runs {
        if let Some(run) = web.app.views.run(*cell).await? {
            of_run(&run, *opened, person, names, &mut out);
        }
    }
    let began = !out.is_empty();
    out.extend(of_flows(&why));
    if why.flows.is_empty() && !began {
        let kind = &why.event.envelope.kind;
        out.push(Line::of(format!("No flow begins with {kind}.")));
    }
    if why.flows_changed && !why.flows.is_empty() {
        let text = "The flows were others when it came; this is what they would do with it today.";
        out.push(Line::of(text));
    }
    Ok(out)
}

fn of_run(run: &RunDetail, opened: bool, person: Option<&str>, names: &Names, out: &mut Vec<Line>) {
    let case = Some(run.run.id);
    let mut say = |text: String| out.push(Line { case, text });
    let (flow, key) = (plain(&run.run.flow), &run.run.key);
    say(match opened {
        true => format!("It opened the case {key} of \"{flow}\"."),
        false => format!("It belongs to the case {key} of \"{flow}\"."),
    });
    let mut told: Vec<&str> = Vec::new();
    let mut found = false;
    for effect in run.effects.iter().filter(|effect| is_heard(effect)) {
        let who = effect.person.as_deref().unwrap_or_default();
        if person.is_none_or(|person| person == who) {
            found = true;
            say(message(effect, names));
        } else if !told.contains(&who) && !who.is_empty() {
            told.push(who);
        }
    }
    let Some(person) = person else { return };
    for turn in &run.journal {
        for note in turn.body["notes"].as_array().into_iter().flatten() {
            let about = note["person"] == person || note["why"] == format!("for {person}");
            if let Some(words) = note_words(note, names).filter(|_| about) {
                say(format!("{words}."));
            }
        }
    }
    if !found {
        let name = names.first(person);
        let others: Vec<&str> = told.iter().map(|id| names.first(id)).collect();
        say(match others.as_slice() {
            [] => format!("{name} was not told; nobody was."),
            some => format!("{name} was not told; {} was.", some.join(", ")),
        });
    }
}

/// No label, and no silent push that replaces another.
fn is_heard(effect: &EffectRow) -> bool {
    let args: Value = serde_json::from_str(&effect.args).unwrap_or_default();
    matches!(effect.role, Role::Push | Role::Mail | Role::Reply) && args["kind"] != "update"
}

/// What became of a message.
fn message(effect: &EffectRow, names: &Names) -> String {
    let args: Value = serde_json::from_str(&effect.args).unwrap_or_default();
    let text = |name: &str| args[name].as_str().unwrap_or_default();
    let title = match text("title") {
        "" => text("subject"),
        title => title,
    };
    let to = match effect.person.as_deref() {
        Some(id) => names.first(id).to_owned(),
        None => args["to"][0].as_str().unwrap_or("somebody").to_owned(),
    };
    let channel = effect.role_word();
    let why = effect
        .failure
        .as_ref()
        .map(|failure| failure.message.clone());
    let why = why.or_else(|| {
        effect
            .reason
            .as_deref()
            .map(|reason| plain(because(reason)))
    });
    let because_of = why.map_or_else(String::new, |why| format!(": {why}"));
    let became = match effect.state {
        EffectState::Queued | EffectState::Started => format!("is on its way{because_of}"),
        EffectState::Done => format!("was taken by the provider{}", engaged(effect.engagement)),
        EffectState::Failed => format!("could not be delivered{because_of}"),
        EffectState::Maybe => format!("may have been sent; nobody can say{because_of}"),
        EffectState::Held => format!("is held{because_of}"),
        EffectState::Cancelled => "was taken back before it left".to_owned(),
        EffectState::Suppressed => format!("was not sent{because_of}"),
        EffectState::Expired => "was not sent, because its time had passed".to_owned(),
    };
    format!("The {channel} \"{title}\" to {to} {became}.")
}

fn engaged(engagement: Engagement) -> &'static str {
    match engagement {
        Engagement::None => "; nothing is known of its being read",
        Engagement::Fetched => "; something fetched its page",
        Engagement::Opened => " and was opened",
        Engagement::Dismissed => " and was put away without an answer",
        Engagement::Acted => " and was answered",
    }
}

fn of_flows(why: &Why) -> impl Iterator<Item = Line> {
    why.flows.iter().filter_map(|(flow, began)| {
        let flow = plain(flow);
        let text = match began {
            Began::Yes(_) => return None,
            Began::Off => format!("\"{flow}\" is off."),
            Began::TakenBy(other) => {
                format!(
                    "\"{flow}\" would have begun, but \"{}\" took it.",
                    plain(other)
                )
            }
            Began::OtherSource(name) => {
                format!("\"{flow}\" listens to the connection {name} only.")
            }
            Began::Failed(error) => {
                format!("\"{flow}\" did not begin: its condition could not be worked out: {error}")
            }
            Began::NotSo { part, was } if was.is_empty() => {
                format!("\"{flow}\" did not begin: `{part}` is not so.")
            }
            Began::NotSo { part, was } => {
                format!(
                    "\"{flow}\" did not begin: `{part}` is not so; {}.",
                    was.join(", ")
                )
            }
        };
        Some(Line::of(text))
    })
}
