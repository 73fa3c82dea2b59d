//! A case as a file to keep or to hand on: what happened in sentences, every message, what came in,
//! the whole journal, and what the seals of the record say.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use bellwether_engine::seam::{Flaw, Sealed};
use bellwether_engine::store::RunDetail;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::frame::Visit;
use super::{case, journal};
use crate::api::shape;
use crate::pieces::{Pill, fact};
use crate::problem::Problem;
use crate::query::id_of;
use crate::text::clean;
use crate::web::Web;

/// The most characters of a matter in a file's name.
const NAME_MAX: usize = 40;

pub(crate) async fn download(
    State(web): State<Web>,
    visit: Visit,
    Path(id): Path<String>,
) -> Response {
    let read = async {
        let run = id_of("case", &id)?;
        let detail = web.app.views.run(run).await?;
        let detail = detail.ok_or_else(|| Problem::unknown("case", &id))?;
        let sealed = web.app.seals.checked(run).await?.unwrap_or_default();
        Ok::<_, Problem>((detail, sealed))
    };
    match read.await {
        Ok((detail, sealed)) => {
            let name = format!(
                "attachment; filename=\"case-{}.json\"",
                plain(&detail.run.key)
            );
            let body = serde_json::to_string_pretty(&file(&visit, &detail, &sealed));
            let headers = [
                (header::CONTENT_TYPE, "application/json".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            (headers, body.unwrap_or_default()).into_response()
        }
        Err(problem) => visit.problem(&problem),
    }
}

/// What may stand in a file's name on every machine.
fn plain(key: &str) -> String {
    let fine = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = key.chars().take(NAME_MAX).map(fine).collect();
    name.trim_matches('-').to_owned()
}

fn file(visit: &Visit, detail: &RunDetail, sealed: &Sealed) -> Value {
    let entries = detail.journal.iter().map(|turn| {
        let told = journal::turn(&turn.body, &visit.names);
        let at = turn.body.get("at").and_then(case::when);
        json!({
            "entry": turn.version,
            "at": at.map(|at| at.to_string()),
            "because": told.input,
            "what": told.output,
        })
    });
    let words: Vec<String> = sealed.flaws.iter().map(in_words).collect();
    json!({
        "case": case::headline(detail),
        "written_at": visit.transport_now.to_string(),
        "what_happened": entries.collect::<Vec<_>>(),
        "seals": { "found": words, "checked": sealed },
        "record": shape::run_detail(detail),
    })
}

fn in_words((entry, flaw): &(u64, Flaw)) -> String {
    let what = match flaw {
        Flaw::Changed => "the entry was changed",
        Flaw::KeyGone => {
            "the key of its seal is no longer in the key file, so it cannot be checked"
        }
        Flaw::Missing => "an entry before it, or the latest one, is missing",
        Flaw::Unsealed => "the entry has no seal",
        Flaw::EventChanged => "what came in was changed afterwards",
        Flaw::MessageChanged => "what was sent was changed afterwards",
        Flaw::MessageMissing => "what was sent is no longer there",
    };
    format!("Entry {entry}: {what}")
}

/// What the seals say, as a fact of the case; nothing where nobody is asked.
pub(crate) fn seals(sealed: &Sealed) -> Markup {
    if sealed.entries == 0 {
        return html! {};
    }
    let entries = sealed.entries;
    let value = html! {
        @if sealed.flaws.is_empty() {
            (Pill::new("ok", "check", "sealed").show())
            " " (entries) @if entries == 1 { " entry" } @else { " entries" }
            ", unchanged since written"
        } @else {
            (Pill::new("bad", "alert", "changed afterwards").show())
            ul.noted { @for flaw in &sealed.flaws { li { (clean(&in_words(flaw))) } } }
        }
        @if sealed.amended > 0 {
            span.meta { " · " (sealed.amended) " sent once more in other words, by hand" }
        }
        @if sealed.gone > 0 {
            span.meta { " · the content of " (sealed.gone) " is no longer kept" }
        }
    };
    fact("Record", &value)
}
