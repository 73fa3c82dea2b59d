//! Tenants on the control surface: listing, adding, showing, settings, tokens, and the one address
//! under which every deed is done. The deeds themselves are in the files that are named here.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ledger::SEEDED_LIMIT;
use super::tenant::{EndCursor, Paths, Tenant};
use super::{hooks, life, pusher, requests, shelf, trouble, week, wire};
use crate::admin::refuse;
use crate::clock::real_now;
use crate::world::World;

/// Transactions of a tenant that are shown.
const SHOWN: usize = 50;
/// Longest lifetime of a token that can be set: a year.
const MAX_SECONDS: i64 = 366 * 24 * 3_600;
/// Path segments that are no tenants.
const TAKEN: [&str; 3] = ["app", "Error", "admin"];

pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/admin/smintio", get(list).post(add))
        .route("/admin/smintio/{tenant}", get(show))
        .route("/admin/smintio/{tenant}/week", get(script).post(play))
        .route("/admin/smintio/{tenant}/{deed}", post(deed))
        .with_state(Arc::clone(world))
}

async fn list(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!({"tenants": world.smintio.names()}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    id: String,
    /// Same seed, same transactions.
    #[serde(default)]
    seed: u32,
    /// Transactions that are in the feed from the start; they cost no memory.
    #[serde(default)]
    transactions: u64,
    /// Makes all of them licences that are held, with one term that ends within so many days.
    ahead_days: Option<u32>,
}

async fn add(State(world): State<Arc<World>>, Json(add): Json<Add>) -> Response {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let good = (1..=63).contains(&add.id.len()) && add.id.bytes().all(plain);
    if !good || TAKEN.contains(&add.id.as_str()) || add.transactions > SEEDED_LIMIT {
        let words = format!(
            "id is made of small letters, digits and dashes; transactions are at most {SEEDED_LIMIT}"
        );
        return refuse(StatusCode::BAD_REQUEST, words);
    }
    let now = world.clock.now();
    let seed = u64::from(add.seed);
    let mut tenant = Tenant::new(&add.id, seed, add.transactions, &world.people, now);
    if let Some(days) = add.ahead_days {
        tenant.ledger.hold(days);
    }
    let info = tenant.info(&world.addresses.url("smintio"), real_now());
    match world.smintio.add(tenant) {
        Ok(()) => Json(info).into_response(),
        Err(words) => refuse(StatusCode::BAD_REQUEST, words),
    }
}

fn nobody(tenant: &str) -> Response {
    let words = format!("there is no tenant {tenant:?} here");
    refuse(StatusCode::NOT_FOUND, words)
}

async fn show(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    let url = world.addresses.url("smintio");
    let shown = world.smintio.with(&id, |t| {
        let info = t.info(&url, real_now());
        let around = t.around(&url);
        let newest = t.ledger.newest(0, SHOWN);
        let newest: Vec<Value> = newest
            .iter()
            .map(|l| wire::transaction(l, &around))
            .collect();
        let requests = t.requests.all.iter().rev().take(SHOWN);
        let requests: Vec<Value> = requests.map(requests::Request::shown).collect();
        let buyers = t.buyers.iter();
        let buyers = buyers.map(|b| json!({"person": b.person, "uuid": b.uuid, "name": b.name}));
        json!({"info": info, "settings": t.knobs, "count": t.ledger.count(),
            "transactions": newest, "requests": requests, "buyers": buyers.collect::<Vec<_>>(),
            "hints": t.hints.sent, "subscribers": world.smintio.hub.subscribers(&t.channel()),
            "hasty_polls": t.tasks.hasty, "executions": t.tasks.executed, "looks": t.tasks.looks,
            "troubles": trouble::going_on(&world, t)})
    });
    shown.map_or_else(|| nobody(&id), |shown| Json(shown).into_response())
}

async fn deed(
    State(world): State<Arc<World>>,
    Path((tenant, deed)): Path<(String, String)>,
    body: axum::body::Bytes,
) -> Response {
    let body = match body.is_empty() {
        true => Ok(json!({})),
        false => serde_json::from_slice(&body),
    };
    let Ok(body) = body else {
        return refuse(StatusCode::BAD_REQUEST, "the body is no JSON");
    };
    if world.smintio.with(&tenant, |_| ()).is_none() {
        return nobody(&tenant);
    }
    match perform(&world, &tenant, &deed, body).await {
        Ok(answer) => Json(answer).into_response(),
        Err(words) => refuse(StatusCode::BAD_REQUEST, words),
    }
}

/// Does one deed of whatever kind; the error is a sentence.
pub(crate) async fn perform(
    world: &Arc<World>,
    tenant: &str,
    deed: &str,
    body: Value,
) -> Result<Value, String> {
    match deed {
        "outage" => trouble::outage(world, tenant, body),
        "recover" => Ok(trouble::recover(world, tenant)),
        "hint" => pusher::hint_by_hand(world, tenant, body),
        "pusher" => pusher::turn(world, tenant, body),
        "webhook" => hooks::send(world, tenant, body).await,
        "settings" => settings(world, tenant, body),
        "portal" => shelf::set(world, tenant, body),
        "tokens" => tokens(world, tenant, body),
        "expire_cursors" => {
            world.smintio.with(tenant, |t| t.ledger.expire_cursors());
            Ok(json!({"ok": true}))
        }
        "rotate_webhook_secret" => {
            let secret = world.smintio.with(tenant, Tenant::turn_webhook_secret);
            Ok(json!({"webhook_secret": secret}))
        }
        _ if requests::DEEDS.contains(&deed) || body.get("task").is_some() => {
            requests::perform(world, tenant, deed, body)
        }
        _ => life::perform(world, tenant, deed, body),
    }
}

/// What is missing stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    paths: Option<Paths>,
    auto_consent: Option<bool>,
    client_credentials: Option<bool>,
    issuer: Option<String>,
    silent_counters: Option<bool>,
    end_cursor: Option<EndCursor>,
    no_mails: Option<bool>,
    webhook_url: Option<String>,
    task_polls: Option<u32>,
    task_search: Option<bool>,
}

fn settings(world: &World, tenant: &str, body: Value) -> Result<Value, String> {
    let set: Set = serde_json::from_value(body).map_err(|error| error.to_string())?;
    let shown = world.smintio.with(tenant, |t| {
        let knobs = &mut t.knobs;
        if let Some(paths) = set.paths {
            knobs.paths = paths;
        }
        let turn = |to: &mut bool, from: Option<bool>| *to = from.unwrap_or(*to);
        turn(&mut knobs.auto_consent, set.auto_consent);
        turn(&mut knobs.client_credentials, set.client_credentials);
        turn(&mut knobs.silent_counters, set.silent_counters);
        turn(&mut knobs.no_mails, set.no_mails);
        turn(&mut knobs.task_search, set.task_search);
        knobs.end_cursor = set.end_cursor.unwrap_or(knobs.end_cursor);
        knobs.task_polls = set.task_polls.unwrap_or(knobs.task_polls);
        // An empty text takes the setting back.
        let text = |to: &mut Option<String>, from: Option<String>| {
            if let Some(from) = from {
                *to = Some(from).filter(|text| !text.is_empty());
            }
        };
        text(&mut knobs.issuer, set.issuer);
        text(&mut knobs.webhook_url, set.webhook_url);
        json!(knobs)
    });
    Ok(shown.unwrap_or_default())
}

/// What is to become of tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tokens {
    access_seconds: Option<i64>,
    refresh_seconds: Option<i64>,
    code_seconds: Option<i64>,
    /// 0 = none is given: signing one costs more than all else that a short life calls for.
    id_seconds: Option<i64>,
    reuse_ends_all: Option<bool>,
    /// Ends the access tokens now.
    #[serde(default)]
    expire_access: bool,
    /// Withdraws the consent: every token is dead, and somebody must consent again.
    #[serde(default)]
    lose_consent: bool,
}

fn tokens(world: &World, tenant: &str, body: Value) -> Result<Value, String> {
    let set: Tokens = serde_json::from_value(body).map_err(|error| error.to_string())?;
    let all = [
        set.access_seconds,
        set.refresh_seconds,
        set.code_seconds,
        set.id_seconds,
    ];
    if all.iter().flatten().any(|s| !(0..=MAX_SECONDS).contains(s)) {
        return Err(format!("seconds are 0 to {MAX_SECONDS}"));
    }
    let shown = world.smintio.with(tenant, |t| {
        let grants = &mut t.grants;
        let lifetimes = &mut grants.lifetimes;
        lifetimes.access = set.access_seconds.unwrap_or(lifetimes.access);
        lifetimes.refresh = set.refresh_seconds.unwrap_or(lifetimes.refresh);
        lifetimes.code = set.code_seconds.unwrap_or(lifetimes.code);
        lifetimes.id = set.id_seconds.unwrap_or(lifetimes.id);
        let lifetimes = *lifetimes;
        grants.reuse_ends_all = set.reuse_ends_all.unwrap_or(grants.reuse_ends_all);
        if set.expire_access {
            grants.expire_access(real_now());
        }
        if set.lose_consent {
            grants.end_all();
        }
        json!({"access_seconds": lifetimes.access, "refresh_seconds": lifetimes.refresh,
            "code_seconds": lifetimes.code, "id_seconds": lifetimes.id,
            "reuse_ends_all": grants.reuse_ends_all})
    });
    if set.lose_consent {
        world.tell(
            "smintio",
            "",
            format!("{tenant} withdrew its consent."),
            Value::Null,
        );
    }
    Ok(shown.unwrap_or_default())
}

#[derive(Debug, Deserialize)]
struct Seed {
    #[serde(default)]
    seed: u64,
}

async fn script(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    Query(asked): Query<Seed>,
) -> Response {
    let script = world
        .smintio
        .with(&tenant, |t| week::script_for(t, asked.seed));
    let Some(script) = script else {
        return nobody(&tenant);
    };
    let steps: Vec<Value> = script.iter().map(week::Step::shown).collect();
    Json(json!({"seed": asked.seed, "steps": steps})).into_response()
}

async fn play(
    State(world): State<Arc<World>>,
    Path(tenant): Path<String>,
    Json(asked): Json<week::Asked>,
) -> Response {
    match play_week(&world, &tenant, &asked).await {
        Some(played) => Json(played).into_response(),
        None => nobody(&tenant),
    }
}

/// Plays the next steps of a week; none when there is no such tenant. A step that is refused is
/// told and passed over, because somebody may have changed the tenant by hand meanwhile.
pub(crate) async fn play_week(
    world: &Arc<World>,
    tenant: &str,
    asked: &week::Asked,
) -> Option<Value> {
    let script = world.smintio.with(tenant, |t| {
        t.week.begin(asked.seed, asked.again);
        week::script_for(t, asked.seed)
    })?;
    let mut played = Vec::new();
    while asked.steps.is_none_or(|most| played.len() < most) {
        let Some(step) = world.smintio.with(tenant, |t| t.week.take(&script))? else {
            break;
        };
        let mut shown = step.shown();
        match perform(world, tenant, step.deed, step.body.clone()).await {
            Ok(answer) => {
                world.smintio.with(tenant, |t| t.week.keep(&step, &answer));
                shown["answer"] = answer;
            }
            Err(error) => shown["error"] = json!(error),
        }
        played.push(shown);
    }
    let left = world.smintio.with(tenant, |t| t.week.left(&script))?;
    Some(json!({"played": played, "left": left}))
}
