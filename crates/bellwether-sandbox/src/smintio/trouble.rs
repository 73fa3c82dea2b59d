//! What goes wrong for one tenant: named troubles with the vendor's status, code and body, set with
//! `POST /admin/smintio/{tenant}/outage` and ended with `../recover`. They are faults of the common
//! registry that hit this tenant's addresses only; redirects to a page are kept with the tenant.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::tenant::Tenant;
use super::{error_body, refuse};
use crate::faults::{Fault, FaultKind};
use crate::world::World;

/// Where an installation under maintenance sends everybody.
const MAINTENANCE: &str = "/Error?errorCode=maintenance_mode";
/// Where an unknown tenant may be sent.
const SELECTOR: &str = "/Error?errorCode=tenant_not_found";

/// Troubles that are an answer in JSON: name, status, code, message.
const ANSWERS: [(&str, u16, &str, &str); 14] = [
    (
        "unauthorized",
        401,
        "access_token_expired",
        "The access token has expired.",
    ),
    (
        "locked_out",
        401,
        "account_locked_out",
        "The account is locked.",
    ),
    (
        "bad_argument",
        400,
        "argument_invalid",
        "An argument is invalid.",
    ),
    (
        "forbidden",
        403,
        "permission_denied",
        "The user may not do this.",
    ),
    (
        "tenant_not_found",
        404,
        "tenant_not_found",
        "The tenant was not found.",
    ),
    ("not_found", 404, "not_found", "There is nothing here."),
    (
        "locked",
        409,
        "optimistic_lock_violated",
        "Somebody else changed it.",
    ),
    (
        "file_missing",
        424,
        "cloud_storage_file_not_found",
        "The file is not in the storage.",
    ),
    (
        "precondition",
        428,
        "precondition_required",
        "Something else must be done first.",
    ),
    ("too_many", 429, "too_many_requests", "Too many requests."),
    (
        "internal",
        500,
        "internal_server_error",
        "An unexpected error occurred.",
    ),
    (
        "not_implemented",
        501,
        "not_implemented",
        "This is not implemented.",
    ),
    (
        "unavailable",
        503,
        "backend_service_not_available",
        "The service is not available.",
    ),
    (
        "no_authority",
        503,
        "authorization_authority_not_available",
        "Sign-in is not available.",
    ),
];

/// Every call of the tenant is sent to a page instead.
#[derive(Debug, Clone)]
pub(crate) struct Redirect {
    to: &'static str,
    /// How many calls are left; none = until it is ended.
    left: Option<u64>,
}

/// What is to go wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outage {
    /// One of the names in [`ANSWERS`], or `maintenance`, `tenant_selector`, `html`, `slow`,
    /// `truncated`, `reset`, `reset_after`, `duplicate`.
    kind: String,
    /// `clapi`, `oidc`, `pusher`, `portals` or `files`.
    #[serde(default = "feed")]
    area: String,
    /// 0 = until it is ended.
    #[serde(default = "once")]
    times: u64,
    retry_after: Option<u64>,
    #[serde(default)]
    delay_ms: u64,
}

fn feed() -> String {
    "clapi".to_owned()
}

fn once() -> u64 {
    1
}

fn ours(tenant: &str) -> String {
    format!("/{tenant}/")
}

/// Lets something go wrong; the error is a sentence.
pub(crate) fn outage(world: &World, tenant: &str, body: Value) -> Result<Value, String> {
    let outage: Outage = serde_json::from_value(body).map_err(|error| error.to_string())?;
    let redirect = match outage.kind.as_str() {
        "maintenance" => Some(MAINTENANCE),
        "tenant_selector" => Some(SELECTOR),
        _ => None,
    };
    let said = json!({"kind": outage.kind, "area": outage.area});
    world.tell(
        "smintio",
        "",
        format!("Trouble at {tenant}: {}.", outage.kind),
        said,
    );
    if let Some(to) = redirect {
        let left = (outage.times > 0).then_some(outage.times);
        let set = |t: &mut Tenant| t.redirect = Some(Redirect { to, left });
        world.smintio.with(tenant, set);
        return Ok(json!({"redirect": to}));
    }
    let target = format!("smintio.{}", outage.area);
    if !super::STAND_IN.targets.contains(&target.as_str()) {
        return Err(format!(
            "{:?} is no area; use clapi, oidc, pusher, portals or files",
            outage.area
        ));
    }
    let answer = ANSWERS.iter().find(|(name, ..)| *name == outage.kind);
    let kind = match (answer, outage.kind.as_str()) {
        (Some(_), _) => FaultKind::Status,
        (_, "html") => FaultKind::Html,
        (_, "slow") => FaultKind::Slow,
        (_, "truncated") => FaultKind::Truncate,
        (_, "reset") => FaultKind::ResetBefore,
        (_, "reset_after") => FaultKind::ResetAfter,
        (_, "duplicate") => FaultKind::Duplicate,
        (_, other) => {
            let known: Vec<&str> = ANSWERS.iter().map(|(name, ..)| *name).collect();
            return Err(format!(
                "{other:?} is no trouble; use {}, maintenance, tenant_selector, html, slow, \
                 truncated, reset, reset_after or duplicate",
                known.join(", ")
            ));
        }
    };
    let sign_in = outage.area == "oidc";
    let fault = Fault {
        id: 0,
        target,
        matching: Some(ours(tenant)),
        kind,
        status: answer.map(|(_, status, ..)| *status),
        retry_after: outage.retry_after,
        body: answer.map(|(_, status, code, words)| body_of(sign_in, *status, code, words)),
        delay_ms: outage.delay_ms,
        times: outage.times,
        hits: 0,
    };
    match world.faults.add(fault) {
        Some(id) => Ok(json!({"fault": id})),
        None => Err("too many faults are set; end some first".to_owned()),
    }
}

fn body_of(sign_in: bool, status: u16, code: &str, words: &str) -> String {
    if sign_in {
        let error = if status < 500 {
            "invalid_client"
        } else {
            "server_error"
        };
        return json!({"error": error, "error_description": words}).to_string();
    }
    error_body(code, words).to_string()
}

/// Ends every trouble of the tenant and says how many there were.
pub(crate) fn recover(world: &World, tenant: &str) -> Value {
    let all = world.faults.list();
    let own: Vec<&Fault> = all
        .iter()
        .filter(|f| f.matching == Some(ours(tenant)))
        .collect();
    for fault in &own {
        world.faults.clear(Some(fault.id));
    }
    let ended = own.iter().filter(|f| is_due(f)).count();
    let redirected = world.smintio.with(tenant, |t| t.redirect.take().is_some());
    world.tell(
        "smintio",
        "",
        format!("{tenant} has recovered."),
        Value::Null,
    );
    json!({"ended": ended + usize::from(redirected == Some(true))})
}

/// Whether a fault will hit another call.
fn is_due(fault: &Fault) -> bool {
    fault.times == 0 || fault.hits < fault.times
}

/// The troubles that are still going on, in words.
pub(crate) fn going_on(world: &World, tenant: &Tenant) -> Vec<String> {
    let mut words: Vec<String> = world
        .faults
        .list()
        .iter()
        .filter(|f| f.matching == Some(ours(&tenant.id)))
        .filter(|f| is_due(f))
        .map(|f| match f.status {
            Some(status) => format!("{} answers {status}", f.target),
            None => format!("{} {:?}", f.target, f.kind).to_lowercase(),
        })
        .collect();
    words.extend(
        tenant
            .redirect
            .iter()
            .map(|r| format!("everything leads to {}", r.to)),
    );
    words
}

/// Refuses unknown tenants and redirects those that are away.
pub(crate) async fn gate(
    State(world): State<Arc<World>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let tenant = path.split('/').nth(1).unwrap_or_default();
    let redirect = world.smintio.with(tenant, |t| {
        let redirect = t.redirect.as_mut()?;
        if let Some(left) = redirect.left.as_mut() {
            *left = left.saturating_sub(1);
        }
        let to = redirect.to;
        if redirect.left == Some(0) {
            t.redirect = None;
        }
        Some(to)
    });
    match redirect {
        None => refuse(404, "tenant_not_found", "The tenant was not found."),
        Some(Some(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(None) => next.run(request).await,
    }
}

/// The page that redirects lead to: HTML, with a status as if all were well.
pub(crate) fn pages() -> Router {
    let page = "<!DOCTYPE html><html><head><title>Smint.io</title></head><body>\
        <h1>We will be back soon</h1><p>This is a page for people.</p></body></html>";
    Router::new().route("/Error", get(move || async move { Html(page) }))
}
