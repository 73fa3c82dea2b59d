//! The live road: one line in words for each thing that happened, in the lane where it belongs.
//! The same sentences serve the rendered page and the live feed.

use bellwether_engine::seam::{LiveKind, LiveLine};
use bellwether_engine::store::{DeadLetterRow, EventQuery, ListQuery, NotificationRow, RunRow};
use bellwether_model::event::Event;
use bellwether_model::notification::Engagement;
use bellwether_model::time::Time;
use maud::{Markup, html};

use super::frame::Visit;
use super::story;
use crate::api::Told;
use crate::people::Names;
use crate::pieces::icon;
use crate::problem::Problem;
use crate::text::{clean, short};
use crate::web::Web;
use crate::words;

/// How many lines the page begins with; the script keeps as many.
const LINES_MAX: usize = 40;
/// The longest text of a line.
const TEXT_MAX: usize = 140;
/// The lanes, in the order in which things happen.
pub(crate) const LANES: [&str; 4] = ["What came in", "Runs", "Notifications", "Decisions"];

/// The icons that a live line may need: the script takes them from the page.
const ICONS_LIVE: [&str; 10] = [
    "in", "flow", "dot", "phone", "mail", "eye", "check", "alert", "list", "plug",
];

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) at: Time,
    pub(crate) lane: usize,
    pub(crate) icon: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) text: String,
    pub(crate) link: Option<String>,
}

/// The line of something that happened just now.
pub(crate) fn line_of(told: &Told, names: &Names) -> Line {
    let line = &told.line;
    let word = |n: usize| line.words.get(n).map_or("", String::as_str);
    let run = line.run.map(|id| format!("/cases/{id}"));
    let event = line.event.map(|position| format!("/events/{position}"));
    let (lane, icon, tone, text, link) = match line.kind {
        LiveKind::Event => {
            let lane = told.event.as_ref().map_or(0, story::lane);
            (
                lane,
                lane_icon(lane),
                "plain",
                arrived(told, lane, names),
                event,
            )
        }
        LiveKind::RunBegan => (
            1,
            "flow",
            "plain",
            format!("{} began: {}", word(0), word(1)),
            run,
        ),
        LiveKind::RunEnded => (
            1,
            "dot",
            "plain",
            format!("{} ended: {}", word(0), word(1)),
            run,
        ),
        LiveKind::Notification | LiveKind::Delivery => {
            let (tone, text) = sent(line, names);
            (2, channel_icon(word(0)), tone, text, run)
        }
        LiveKind::Opened => {
            let text = format!("{} opened it", names.first(word(0)));
            (2, "eye", "info", text, run)
        }
        LiveKind::Decision => {
            let decided = story::past(word(1));
            let text = format!("{} {decided}: {}", names.first(word(0)), word(2));
            (
                3,
                "check",
                "ok",
                text.trim_end_matches([':', ' ']).to_owned(),
                run,
            )
        }
        LiveKind::DeadLetter => {
            let text = format!("Not delivered: {}", words::plain(word(0)));
            (2, "alert", "bad", text, Some("/not-delivered".to_owned()))
        }
    };
    Line {
        at: line.at,
        lane,
        icon,
        tone,
        text: short(&clean(&text), TEXT_MAX).into_owned(),
        link,
    }
}

/// How far a notification has come.
fn sent(line: &LiveLine, names: &Names) -> (&'static str, String) {
    let word = |n: usize| line.words.get(n).map_or("", String::as_str);
    let to = to_whom(word(0), Some(word(1)), names);
    match (line.kind, word(2)) {
        (LiveKind::Notification, "held") => ("info", format!("{to}, held back")),
        (LiveKind::Notification, "suppressed") => ("info", format!("{to}, not sent")),
        (LiveKind::Notification, _) => ("info", format!("{to}, on its way")),
        (_, state) => {
            let tone = match state {
                "failed" => "bad",
                "maybe_sent" => "warn",
                _ => "plain",
            };
            let provider = names.provider_of(word(0));
            (
                tone,
                format!("{to}: {}", words::state_word(state, provider)),
            )
        }
    }
}

/// What came in, and whether anybody took it.
fn arrived(told: &Told, lane: usize, names: &Names) -> String {
    let word = |n: usize| told.line.words.get(n).map_or("", String::as_str);
    let said = match &told.event {
        Some(event) => story::came_in(event, names),
        None => format!("{} from {}", words::plain(word(0)), word(1)),
    };
    if lane == 0 && word(2) == "0" {
        format!("{said}, no flow took it")
    } else {
        said
    }
}

/// Whether another line of the road says the same as this event's.
pub(crate) fn is_said_otherwise(event: &Event) -> bool {
    event.envelope.kind == "push.opened"
}

/// "Alice's phone", "mail to Alice".
pub(crate) fn to_whom(channel: &str, person: Option<&str>, names: &Names) -> String {
    let name = person.filter(|id| !id.is_empty()).map(|id| names.first(id));
    match (channel, name) {
        ("push", Some(name)) => format!("{name}’s phone"),
        ("push", None) => "a phone".to_owned(),
        ("reply", Some(name)) => format!("answer to {name}"),
        ("reply", None) => "answer in the thread".to_owned(),
        ("label", _) => "labels in the mailbox".to_owned(),
        ("http", _) => "a request to another system".to_owned(),
        (_, Some(name)) => format!("mail to {name}"),
        (_, None) => "a mail".to_owned(),
    }
}

/// The icon of an event by its lane.
fn lane_icon(lane: usize) -> &'static str {
    ["in", "flow", "eye", "check"]
        .get(lane)
        .copied()
        .unwrap_or("in")
}

pub(crate) fn channel_icon(channel: &str) -> &'static str {
    match channel {
        "push" => "phone",
        "http" => "plug",
        _ => "mail",
    }
}

/// The newest lines from the record, for the page as it is first shown.
pub(crate) async fn recent(web: &Web, names: &Names) -> Result<Vec<Line>, Problem> {
    let views = &web.app.views;
    let newest = EventQuery {
        newest: true,
        limit: LINES_MAX,
        ..EventQuery::default()
    };
    let list = || ListQuery {
        limit: LINES_MAX,
        ..ListQuery::default()
    };
    let mut lines = Vec::new();
    let events = views.events(newest).await?;
    let shown = events
        .items
        .iter()
        .filter(|event| !is_said_otherwise(event));
    lines.extend(shown.map(|event| event_line(event, names)));
    lines.extend(views.runs(list()).await?.items.iter().flat_map(run_lines));
    let notifications = views.notifications(list()).await?;
    lines.extend(
        notifications
            .items
            .iter()
            .map(|row| notification_line(row, names)),
    );
    let dead = views.dead_letters(list()).await?;
    let open = dead.items.iter().filter(|row| row.settled_at.is_none());
    lines.extend(open.map(dead_line));
    // Where one moment has several lines, the later lane happened later.
    lines.sort_by_key(|line| std::cmp::Reverse((line.at, line.lane)));
    lines.truncate(LINES_MAX);
    Ok(lines)
}

fn event_line(event: &Event, names: &Names) -> Line {
    let lane = story::lane(event);
    Line {
        at: event.received_at,
        lane,
        icon: lane_icon(lane),
        tone: "plain",
        text: short(&clean(&story::came_in(event, names)), TEXT_MAX).into_owned(),
        link: Some(format!("/events/{}", event.position)),
    }
}

fn run_lines(row: &RunRow) -> Vec<Line> {
    let line = |at, icon, text: String| Line {
        at,
        lane: 1,
        icon,
        tone: "plain",
        text: short(&clean(&text), TEXT_MAX).into_owned(),
        link: Some(format!("/cases/{}", row.id)),
    };
    let mut lines = vec![line(
        row.opened_at,
        "flow",
        format!("{} began: {}", row.flow, row.key),
    )];
    if row.status == "closed" {
        lines.push(line(
            row.last_turn_at,
            "dot",
            format!("{} ended: {}", row.flow, row.key),
        ));
    }
    lines
}

fn notification_line(row: &NotificationRow, names: &Names) -> Line {
    let to = to_whom(row.channel, row.person.as_deref(), names);
    let state = match words::engagement(row.engagement) {
        Some(seen) if row.engagement > Engagement::Fetched => seen,
        _ => words::delivery(row.state, row.delivery, names.provider(&row.connection)),
    };
    let text = format!("{} → {to}, {}", short(&row.title, 60), state.text);
    Line {
        at: row.made_at,
        lane: 2,
        icon: channel_icon(row.channel),
        tone: state.tone,
        text: short(&clean(&text), TEXT_MAX).into_owned(),
        link: Some(format!("/cases/{}", row.run)),
    }
}

fn dead_line(row: &DeadLetterRow) -> Line {
    Line {
        at: row.at,
        lane: 2,
        icon: "alert",
        tone: "bad",
        text: short(&clean(&format!("Not delivered: {}", row.reason)), TEXT_MAX).into_owned(),
        link: Some("/not-delivered".to_owned()),
    }
}

/// The road on the page. The script adds lines at the top of the list; without it a reload does.
pub(crate) fn show(visit: &Visit, lines: &[Line]) -> Markup {
    html! {
        section.road aria-labelledby="road-title" {
            div.road-head {
                h2 #road-title { "What happens" }
                span.live #live hidden { span.live-dot {} span #live-word { "live" } }
                button.plain #pause type="button" hidden aria-pressed="false" { "Pause" }
            }
            div.lanes aria-hidden="true" { @for lane in LANES { span { (lane) } } }
            ol #road aria-live="off" data-max=(LINES_MAX) {
                @for line in lines { (one(visit, line)) }
            }
            @if lines.is_empty() {
                p.empty #road-empty {
                    "Nothing has happened yet. Send a mail to the watched mailbox and look here."
                }
            }
        }
        template #road-icons { @for name in ICONS_LIVE { (icon(name)) } }
        script type="module" src={ "/static/live.js?v=" (crate::statics::VERSION.as_str()) } {}
    }
}

fn one(visit: &Visit, line: &Line) -> Markup {
    let inner = html! { (icon(line.icon)) span { (line.text) } };
    html! {
        li class=(format!("lane-{} tone-{}", line.lane, line.tone)) {
            (visit.time(line.at))
            @match &line.link {
                Some(link) => a href=(link) { (inner) },
                None => span.still { (inner) },
            }
        }
    }
}
