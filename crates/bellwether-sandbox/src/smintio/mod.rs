//! The stand-in for Smint.io: sign-in, licence feed, push channel, portals and what a tenant's life
//! brings. Written from public material only, and never compared with the live service.
//!
//! **Public:** base addresses and their shape, sign-in calls, scopes and lifetimes of the vendor's
//! base library, operations, parameters and field names of the feed, the push channel's event, the
//! frontend executor, error codes. **Inferred:** spelling of all states but `completed`, dates as
//! RFC 3339, paging limits for the feed. **Ours**, because nobody outside has read it: the paths of
//! the three feed operations and of the portal payload (all can be set), opaque access tokens, what
//! files look like, senders and words of task mails, webhooks (the vendor documents none; the
//! signature follows its recipe for callbacks), task search (off until it is switched on).
//!
//! One port serves every tenant by path: `/{tenant}/connect/..`, `/{tenant}/consumer/v1/..`,
//! `/{tenant}/frontend/v1/..`; the push channel is at `/app/{key}`. On the control surface:
//! `GET|POST /admin/smintio` lists and adds tenants, `GET /admin/smintio/{tenant}` shows one,
//! `POST /admin/smintio/{tenant}/{deed}` does what `life.rs`, `requests.rs`, `trouble.rs`,
//! `shelf.rs` and `admin.rs` say, and `/smintio` is its page.

mod admin;
mod clapi;
mod grants;
mod hooks;
mod ids;
mod ledger;
mod life;
mod oidc;
mod page;
mod portals;
mod pusher;
mod record;
mod requests;
mod shelf;
mod signing;
mod socket;
mod tenant;
mod trouble;
mod websocket;
mod week;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, middleware};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::clock::real_now;
use crate::people::Person;
use crate::world::{World, lock};
use crate::{Door, StandIn, faults};
use grants::{Caller, Consent};
use pusher::Hub;
use tenant::Tenant;

/// Largest body the stand-in reads.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Tenants at one time.
const TENANTS_LIMIT: usize = 64;
/// The tenant that is there from the start.
const FIRST_TENANT: &str = "alpenwerk";
/// Transactions that it begins with, and its seed.
const FIRST_SEEDED: u64 = 12;
const FIRST_SEED: u64 = 1;

pub(crate) const STAND_IN: StandIn = StandIn {
    name: "smintio",
    door: Door::Http(3, router),
    targets: &[
        "smintio.oidc",
        "smintio.clapi",
        "smintio.pusher",
        "smintio.portals",
        "smintio.files",
    ],
    admin: |world| admin::routes(world).merge(page::routes(world)),
    info,
    reset: |world| world.smintio.reset(&world.people, world.clock.now()),
};

fn router(world: &Arc<World>) -> Router {
    let group = |routes: Router<Arc<World>>, target: &'static str| {
        let routes = routes.layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).layer(
            middleware::from_fn_with_state(Arc::clone(world), trouble::gate),
        );
        faults::guard(routes.with_state(Arc::clone(world)), world, target)
    };
    let socket = socket::router().with_state(Arc::clone(world));
    group(oidc::router(), "smintio.oidc")
        .merge(group(clapi::router(), "smintio.clapi"))
        .merge(group(pusher::auth_router(), "smintio.pusher"))
        .merge(group(portals::router(), "smintio.portals"))
        .merge(group(clapi::files_router(), "smintio.files"))
        .merge(faults::guard(socket, world, "smintio.pusher"))
        .merge(trouble::pages())
        .fallback(|| async { refuse(404, "not_found", "There is nothing at this address.") })
}

/// State of the stand-in.
#[derive(Debug)]
pub(crate) struct Smintio {
    tenants: Mutex<BTreeMap<String, Tenant>>,
    hub: Hub,
}

impl Smintio {
    pub(crate) fn new(people: &[Person], now: Timestamp) -> Self {
        Self {
            tenants: Mutex::new(first(people, now)),
            hub: Hub::default(),
        }
    }

    fn reset(&self, people: &[Person], now: Timestamp) {
        *lock(&self.tenants) = first(people, now);
    }

    /// Works on a tenant; none when there is no such tenant.
    fn with<R>(&self, tenant: &str, work: impl FnOnce(&mut Tenant) -> R) -> Option<R> {
        lock(&self.tenants).get_mut(tenant).map(work)
    }

    /// Ids of all tenants.
    fn names(&self) -> Vec<String> {
        lock(&self.tenants).keys().cloned().collect()
    }

    /// Adds a tenant or puts a fresh one in its place; the error is a sentence.
    fn add(&self, tenant: Tenant) -> Result<(), String> {
        let mut tenants = lock(&self.tenants);
        if tenants.len() >= TENANTS_LIMIT && !tenants.contains_key(&tenant.id) {
            return Err(format!("at most {TENANTS_LIMIT} tenants are served"));
        }
        tenants.insert(tenant.id.clone(), tenant);
        Ok(())
    }
}

fn first(people: &[Person], now: Timestamp) -> BTreeMap<String, Tenant> {
    let tenant = Tenant::new(FIRST_TENANT, FIRST_SEED, FIRST_SEEDED, people, now);
    BTreeMap::from([(FIRST_TENANT.to_owned(), tenant)])
}

fn info(world: &World) -> Map<String, Value> {
    let url = world.addresses.url("smintio");
    let shown = world
        .smintio
        .with(FIRST_TENANT, |tenant| tenant.info(&url, real_now()));
    let mut info = Map::new();
    info.insert("smintio".to_owned(), shown.unwrap_or_default());
    info
}

/// An error in the vendor's form.
fn refuse(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(error_body(code, message))).into_response()
}

fn error_body(code: &str, message: &str) -> Value {
    json!({"error_code": code, "error_message": message, "error_details": null})
}

/// Who calls with a bearer token that covers `scope`; the error is the answer to give.
fn caller(
    world: &World,
    tenant: &str,
    headers: &HeaderMap,
    scope: &str,
) -> Result<Consent, Box<Response>> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let known = given.and_then(|token| {
        let check = |t: &mut Tenant| t.grants.caller(token, real_now());
        world.smintio.with(tenant, check)
    });
    let refused = |code, message| {
        let mut answer = refuse(401, code, message);
        let ask = header::HeaderValue::from_static("Bearer error=\"invalid_token\"");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
        Err(Box::new(answer))
    };
    match known {
        Some(Caller::Known(consent)) if consent.scope.split(' ').any(|s| s == scope) => Ok(consent),
        Some(Caller::Known(_)) => {
            let words = format!("The token does not cover {scope}.");
            Err(Box::new(refuse(403, "permission_denied", &words)))
        }
        Some(Caller::Expired) => refused("access_token_expired", "The access token has expired."),
        Some(Caller::Unknown) | None => {
            refused("token_invalid_or_expired", "The access token is not valid.")
        }
    }
}
