//! The directory in the API: as a whole, changed by saying what is to be different, absences, and
//! who is on duty. Everything is taken or nothing.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bellwether_engine::seam::{Actor, NotChanged};
use bellwether_model::directory::{Away, AwaySource, Directory, Refused, Rota, Slot};
use bellwether_model::time::Time;
use serde_json::{Value, json};

use crate::guard::{By, Called, CalledLarge};
use crate::problem::Problem;
use crate::query::Fields;
use crate::web::Web;

/// How often a change is made again when somebody else was faster.
const TRIES_MAX: usize = 5;
/// The most absences that are kept of one person.
const AWAY_MAX: usize = 200;

/// The directory with what is wrong with it.
pub(crate) async fn show(State(web): State<Web>, _: By) -> Json<Value> {
    let directory = web.app.directory.current();
    let findings = directory.findings().into_iter().map(|finding| {
        json!({ "about": finding.about, "message": finding.message, "error": finding.is_error })
    });
    let findings: Value = findings.collect();
    let mut out = json!(*directory);
    out["findings"] = findings;
    Json(out)
}

/// Body: `{people: {alice: {team: brand}}, groups: {old: null}}`; with `?dry_run=true` it is only
/// said what would change.
pub(crate) async fn put(
    State(web): State<Web>,
    fields: Fields,
    CalledLarge(called): CalledLarge,
) -> Response {
    if let Err(problem) = fields.only(&["dry_run"]) {
        return problem.into_response();
    }
    let dry = fields.get("dry_run") == Some("true");
    let before = web.app.directory.current();
    let changed = if dry {
        let next = before.changed(&called.body);
        next.map(|next| (before.version, next))
            .map_err(NotChanged::Wrong)
    } else {
        change(&web, &called.actor, |now| now.changed(&called.body)).await
    };
    match changed {
        Ok((version, next)) => {
            let differences = before.differences(&next);
            let said: Vec<String> = differences.iter().map(ToString::to_string).collect();
            let body = json!({
                "version": version, "dry_run": dry, "changed": differences.len(), "said": said,
            });
            Json(body).into_response()
        }
        Err(NotChanged::Wrong(wrong)) => refused(&wrong),
        Err(error) => Problem::from(error).into_response(),
    }
}

fn refused(wrong: &[Refused]) -> Response {
    let all = wrong.iter();
    let all = all.map(|one| json!({ "about": one.about, "message": one.message }));
    let body = json!({
        "error": "refused",
        "message": format!("{} things cannot be; nothing was changed", wrong.len()),
        "refused": all.collect::<Value>(),
    });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// Changes the directory; when somebody else was faster, the change is made to what he left.
/// Returns the new version and the directory.
pub(crate) async fn change(
    web: &Web,
    actor: &Actor,
    how: impl Fn(&Directory) -> Result<Directory, Vec<Refused>>,
) -> Result<(u64, Directory), NotChanged> {
    let mut last = NotChanged::Conflict;
    for _ in 0..TRIES_MAX {
        let now = web.app.directory.current();
        let next = how(&now).map_err(NotChanged::Wrong)?;
        if next == *now {
            return Ok((now.version, next));
        }
        match web.app.directory.replace(next.clone(), actor).await {
            Ok(version) => return Ok((version, next)),
            Err(NotChanged::Conflict) => last = NotChanged::Conflict,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// The directory with an absence of somebody put in or, with `remove`, taken out. What overlaps
/// with it from the same source makes place for it.
pub(crate) fn away(
    directory: &Directory,
    id: &str,
    new: Away,
    remove: bool,
) -> Result<Directory, Vec<Refused>> {
    let wrong = |message: String| {
        let about = id.to_owned();
        vec![Refused { about, message }]
    };
    let mut next = directory.clone();
    let person = next.people.get_mut(id);
    let person = person.ok_or_else(|| wrong(format!("the directory does not know {id}")))?;
    let apart = |old: &Away| old.until < new.from || new.until < old.from;
    person.away.retain(|old| {
        let replaced = if remove {
            (old.from, old.until) == (new.from, new.until)
        } else {
            old.source == new.source && !apart(old)
        };
        !replaced
    });
    if !remove {
        if person.away.len() >= AWAY_MAX {
            return Err(wrong(format!(
                "{id} has {AWAY_MAX} absences already; take old ones out"
            )));
        }
        person.away.push(new);
        person.away.sort_by_key(|away| (away.from, away.until));
    }
    Ok(next)
}

/// Body: `{from: 2026-03-02, until: 2026-03-06, source?: self, remove?: true}`.
pub(crate) async fn put_away(
    State(web): State<Web>,
    Path(id): Path<String>,
    called: Called,
) -> Result<Json<Value>, Problem> {
    let text = |key: &str| {
        let found = called.body.get(key).and_then(Value::as_str);
        found.unwrap_or_default()
    };
    let source = match called.body.get("source").and_then(Value::as_str) {
        None => AwaySource::Console,
        Some(word) => AwaySource::of_word(word).ok_or_else(|| {
            let words: Vec<&str> = AwaySource::ALL.iter().map(|(_, word)| *word).collect();
            Problem::bad(format!("`source` must be one of {}", words.join(", ")))
        })?,
    };
    if !web.app.directory.current().people.contains_key(&id) {
        return Err(Problem::unknown("person", &id));
    }
    let remove = called.body.get("remove") == Some(&Value::Bool(true));
    let new = Away::of_words(text("from"), text("until"), source).map_err(Problem::bad)?;
    let (version, next) = change(&web, &called.actor, |now| away(now, &id, new, remove)).await?;
    let kept = next.people.get(&id).map(|person| json!(person.away));
    Ok(Json(json!({ "version": version, "away": kept })))
}

/// Who is on duty in a rota at an instant, and when that changes.
pub(crate) struct Duty {
    /// By turns.
    pub(crate) slot: Slot,
    /// Who really is: himself, his deputy, or the next one who is there.
    pub(crate) person: Option<String>,
    /// The next stretch with somebody else.
    pub(crate) next: Option<Slot>,
}

/// Who is on duty. None for a rota that has nobody.
pub(crate) fn duty(directory: &Directory, name: &str, rota: &Rota, at: Time) -> Option<Duty> {
    Some(Duty {
        slot: rota.slot(at)?,
        person: directory.on_duty(name, at).map(|person| person.id.clone()),
        next: rota.next(at),
    })
}

/// `?at=` takes an instant; without it, it is now (flow time).
pub(crate) async fn on_duty(
    State(web): State<Web>,
    _: By,
    Path(name): Path<String>,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    fields.only(&["at"])?;
    let at = match fields.get("at") {
        None => web.app.flow_clock.now(),
        Some(text) => Time::parse(text)
            .map_err(|_| Problem::bad("`at` must be an instant such as 2026-03-02T09:00:00Z"))?,
    };
    let directory = web.app.directory.current();
    let unknown = || Problem::unknown("rota", &name);
    let rota = directory.rotas.get(&name).ok_or_else(unknown)?;
    let duty = duty(&directory, &name, rota, at);
    let duty = duty.ok_or_else(|| Problem::bad(format!("the rota {name} has no members")))?;
    let slot = |slot: &Slot| {
        json!({
            "person": slot.person, "from": slot.from.to_string(), "until": slot.until.to_string(),
            "override": slot.is_override,
        })
    };
    Ok(Json(json!({
        "rota": name, "at": at.to_string(), "person": duty.person, "by_turns": slot(&duty.slot),
        "next": duty.next.as_ref().map(slot),
    })))
}
