//! The stand-in for OpenText: the messaging API's push call, the token addresses, the AppWorks
//! Gateway's notifications, and Firebase behind them. Written from public material only.
//!
//! Public: the outer envelope of `/mra/v1/utils/parser`, both ways to prove who calls, the token
//! calls, the gateway's bodies and rules. **Ours**, because nobody outside has read it: the inner
//! payload (we take Firebase's v1 message), error bodies of the parser call, the status route, the
//! revocation path. Nothing here was tried against the live service.
//!
//! On the control surface: `GET /admin/pushes?after=N` lists every push call in order with what
//! became of it; `GET|POST /admin/opentext` reads and turns the knobs `hold` (nothing leaves for
//! Firebase), `delay_ms`, `token_seconds`, `revoke_tokens`, `purge_seconds` and `status_route`.

mod admin;
mod auth;
mod calls;
mod fcm;
mod jobs;
mod mra;
mod otag;
mod pipeline;
mod tokens;

pub(crate) use calls::Call;
pub(crate) use tokens::Account;

use crate::phones::Fate;
use crate::world::World;
use crate::{Door, StandIn, clock, faults};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use calls::Calls;
use jiff::Timestamp;
use jobs::Jobs;
use otag::Gateway;
use pipeline::Queue;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokens::Tokens;

/// Largest body the stand-in reads; far above what a push needs.
const MAX_BODY_BYTES: usize = 64 * 1024;

pub(crate) const STAND_IN: StandIn = StandIn {
    name: "opentext",
    door: Door::Http(2, router),
    targets: &["opentext.mra", "opentext.token", "opentext.otag"],
    admin: admin::routes,
    info,
    reset: |world| world.opentext.reset(),
};

fn router(world: &Arc<World>) -> Router {
    let group = |routes: Router<Arc<World>>, target: &'static str| {
        let routes = routes.layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
        faults::guard(routes.with_state(Arc::clone(world)), world, target)
    };
    group(mra::router(), "opentext.mra")
        .merge(group(auth::router(), "opentext.token"))
        .merge(group(otag::router(), "opentext.otag"))
}

fn info(world: &World) -> Map<String, Value> {
    let url = world.addresses.url("opentext");
    let account = &world.opentext.account;
    let mut info = Map::new();
    info.insert(
        "opentext".to_owned(),
        json!({
            "url": url,
            "token_url": format!("{url}/tenants/{}/oauth2/token", account.tenant),
            "user": account.user, "password": account.password,
            "client_id": account.client_id, "client_secret": account.client_secret,
            "otag_app_key": account.otag_app_key, "otag_app": account.otag_app,
            "tenant": account.tenant, "otag_groups": otag::groups(),
        }),
    );
    info
}

/// State of the stand-in.
#[derive(Debug)]
pub(crate) struct OpenText {
    pub(crate) account: Account,
    state: Mutex<State>,
}

/// What changes while it runs.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) tokens: Tokens,
    pub(crate) calls: Calls,
    pub(crate) jobs: Jobs,
    pub(crate) gateway: Gateway,
    pub(crate) queue: Queue,
    pub(crate) knobs: Knobs,
}

/// What can be turned by `POST /admin/opentext`.
#[derive(Debug, Clone)]
pub(crate) struct Knobs {
    /// Firebase does not take anything; jobs are held until this ends.
    pub(crate) hold: bool,
    /// Whether the invented status route exists.
    pub(crate) status_route: bool,
    /// Real time between acceptance and the phone.
    pub(crate) delay_ms: u64,
    /// Flow time after which a complete job is forgotten.
    pub(crate) purge_seconds: i64,
}

impl Default for Knobs {
    fn default() -> Self {
        let purge_seconds = jobs::DEFAULT_PURGE_SECONDS;
        Self {
            hold: false,
            status_route: true,
            delay_ms: 20,
            purge_seconds,
        }
    }
}

impl State {
    fn new() -> Self {
        Self {
            tokens: Tokens::new(clock::real_now().as_nanosecond().to_string()),
            calls: Calls::default(),
            jobs: Jobs::default(),
            gateway: Gateway::default(),
            queue: Queue::default(),
            knobs: Knobs::default(),
        }
    }
}

impl OpenText {
    pub(crate) fn new() -> Self {
        Self {
            account: Account::default(),
            state: Mutex::new(State::new()),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reset(&self) {
        let mut state = self.state();
        // A delivery that runs on must find its own queue, else two would run at once.
        let queue = std::mem::take(&mut state.queue).emptied();
        *state = State {
            queue,
            ..State::new()
        };
    }

    /// The newest push calls first, for the page.
    pub(crate) fn newest_calls(&self, most: usize) -> Vec<Call> {
        self.state().calls.newest(most)
    }

    /// Firebase learns what became of a push on a phone, maybe long after the job was complete.
    pub(crate) fn receipt(&self, call: u64, person: &str, fate: &Fate, now: Timestamp) {
        let mut state = self.state();
        state.calls.fate(call, person, fate.word(), now);
        match fate {
            Fate::Shown | Fate::Repeated => {
                state
                    .jobs
                    .event(call, "Confirmed", "The phone has it.", now);
            }
            Fate::Waiting => {}
            Fate::Expired => state
                .jobs
                .event(call, "Expired", "The phone was off-line.", now),
            Fate::Superseded => state.jobs.event(call, "Replaced", "A newer one came.", now),
            Fate::Lost => state
                .jobs
                .event(call, "Failed", "Too many waited for the phone.", now),
        }
    }
}
