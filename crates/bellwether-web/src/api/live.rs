//! `/api/live`: what happens, as it happens, as server-sent events. Bursts are coalesced: a reader
//! gets at most so many lines per tick and a count of the rest, so a page never drowns.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::sse::{Event as Sse, KeepAlive};
use axum::response::{IntoResponse, Response};
use bellwether_engine::seam::LiveLine;
use bellwether_engine::store::EventQuery;
use bellwether_model::event::{Event, Position};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;

use crate::console::road;
use crate::guard::By;
use crate::limits::Place;
use crate::people::Names;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::web::Web;

/// How many lines a reader gets per tick.
const LINES_MAX: usize = 20;
/// How long lines are gathered before they are sent.
const TICK: Duration = Duration::from_millis(250);
/// How many events are looked up per tick, to say what came in.
const LOOKUP_MAX: usize = 200;

/// A line with its words: what the page shows and what the API sends.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) line: Arc<LiveLine>,
    pub(crate) event: Option<Event>,
}

struct Watcher {
    web: Web,
    lines: Receiver<Arc<LiveLine>>,
    draining: watch::Receiver<bool>,
    ready: VecDeque<Sse>,
    sent: u64,
    _place: Place,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.web.counters.watchers.dec();
    }
}

pub(crate) async fn stream(
    State(web): State<Web>,
    _: By,
    Extension(peer): Extension<Peer>,
) -> Response {
    let Some(place) = web.watchers.take(peer.address.ip()) else {
        let message = "too many people look on at the moment; reload the page instead";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).into_response();
    };
    web.counters.watchers.inc();
    let watcher = Watcher {
        lines: web.app.live.watch(),
        web,
        draining: peer.draining,
        // A first comment opens the stream at once, so that a page knows that it is live.
        ready: VecDeque::from([Sse::default().comment("live")]),
        sent: 0,
        _place: place,
    };
    let lines = stream::unfold(watcher, |mut watcher| async move {
        let next = watcher.next().await?;
        Some((Ok::<_, Infallible>(next), watcher))
    });
    let answer = axum::response::Sse::new(lines).keep_alive(KeepAlive::default());
    ([("x-accel-buffering", "no")], answer).into_response()
}

impl Watcher {
    /// The next message; None when the server drains.
    async fn next(&mut self) -> Option<Sse> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Some(ready);
            }
            let (lines, more) = self.gather().await?;
            self.web.counters.live_skipped.inc_by(more);
            let names = self.web.names().await;
            for told in tell(&self.web, lines).await {
                self.sent += 1;
                let body = body(&self.web, &told, &names).to_string();
                self.ready
                    .push_back(Sse::default().id(self.sent.to_string()).data(body));
            }
            if more > 0 {
                let body = self.more(more, &names).to_string();
                self.ready
                    .push_back(Sse::default().event("more").data(body));
            }
        }
    }

    fn more(&self, more: u64, names: &Names) -> Value {
        let now = self.web.app.flow_clock.now();
        let clock = crate::when::clock(now, now, names.zone());
        json!({ "more": more, "at": now.to_string(), "clock": clock })
    }

    /// Waits for a line, gathers for a tick, and returns the newest lines and how many were cut.
    async fn gather(&mut self) -> Option<(Vec<Arc<LiveLine>>, u64)> {
        let mut more = 0;
        let mut lines = Vec::new();
        let first = tokio::select! {
            biased;
            _ = self.draining.wait_for(|stop| *stop) => return None,
            first = self.lines.recv() => first,
        };
        match first {
            Ok(line) => lines.push(line),
            Err(RecvError::Lagged(missed)) => more += missed,
            Err(RecvError::Closed) => return None,
        }
        tokio::time::sleep(TICK).await;
        loop {
            match self.lines.try_recv() {
                Ok(line) => lines.push(line),
                Err(TryRecvError::Lagged(missed)) => more += missed,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        let cut = lines.len().saturating_sub(LINES_MAX);
        lines.drain(..cut);
        Some((lines, more + cut as u64))
    }
}

/// Adds the events that lines speak of, so that a page can say what came in.
async fn tell(web: &Web, lines: Vec<Arc<LiveLine>>) -> Vec<Told> {
    let wanted: Vec<Position> = lines.iter().filter_map(|line| line.event).collect();
    let mut found: HashMap<Position, Event> = HashMap::new();
    if let (Some(first), Some(last)) = (wanted.iter().min(), wanted.iter().max()) {
        let reach = usize::try_from(last - first).unwrap_or(LOOKUP_MAX);
        let query = EventQuery {
            after: Some(first - 1),
            limit: reach.saturating_add(1).min(LOOKUP_MAX),
            ..EventQuery::default()
        };
        // Without the events the lines are poorer, not wrong.
        if let Ok(page) = web.app.views.events(query).await {
            found.extend(page.items.into_iter().map(|event| (event.position, event)));
        }
    }
    let told = |line: Arc<LiveLine>| Told {
        event: line
            .event
            .and_then(|position| found.get(&position).cloned()),
        line,
    };
    lines.into_iter().map(told).collect()
}

fn body(web: &Web, told: &Told, names: &Names) -> Value {
    let shown = road::line_of(told, names);
    let line = &told.line;
    json!({
        "at": line.at.to_string(),
        "kind": line.kind,
        "words": line.words,
        "run": line.run,
        "event": line.event,
        "text": shown.text,
        "lane": shown.lane,
        "icon": shown.icon,
        "tone": shown.tone,
        "link": shown.link,
        // The opening has a line of its own: a page need not show its event as well.
        "quiet": told.event.as_ref().is_some_and(road::is_said_otherwise),
        "clock": crate::when::clock(line.at, web.app.flow_clock.now(), names.zone()),
    })
}
