//! The messaging API: the one public push call, `POST /mra/v1/utils/parser`, and our status route.
//!
//! The call takes a file and says that it took it: 200 is never delivery. `X-MRA-SubmitId` comes
//! back in the answer and does nothing else; the same id twice sends twice, like the real thing.

use super::calls::Call;
use super::jobs::{Destination, job_id};
use super::pipeline::{self, What, Work};
use super::tokens::Caller;
use crate::phones::Channel;
use crate::world::World;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PARSER: &str = "/mra/v1/utils/parser";
const SUBMIT_ID: HeaderName = HeaderName::from_static("x-mra-submitid");

/// Routes under the root of the OpenText port.
pub(crate) fn router() -> Router<Arc<World>> {
    Router::new()
        .route(PARSER, post(parser))
        .route("/mra/v1/outbound/push/status", get(status))
}

/// A refusal before it is dressed as a response.
struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    fn body(&self) -> Value {
        json!({"error": {"code": self.code, "message": self.message,
            "sandbox_convention": "The real error body is not public."}})
    }
}

async fn parser(State(world): State<Arc<World>>, headers: HeaderMap, body: Bytes) -> Response {
    let call = submit(&world, &headers, &body);
    pipeline::start(&world);
    let text = match call.status {
        200 => "OpenText took a push.".to_owned(),
        status => format!("OpenText refused a push with {status}."),
    };
    world.tell(
        "call",
        "",
        text,
        json!({"status": call.status, "job_id": call.job_id}),
    );
    respond(&call, headers.get(SUBMIT_ID).cloned())
}

/// Checks one call, queues it when it holds, and writes it down either way.
fn submit(world: &World, headers: &HeaderMap, body: &[u8]) -> Call {
    let now = world.clock.now();
    let submit_id = headers.get(SUBMIT_ID).and_then(|id| id.to_str().ok());
    let mut call = Call {
        number: 0,
        at: now,
        channel: Channel::Mra,
        path: PARSER.to_owned(),
        caller: None,
        submit_id: submit_id.map(str::to_owned),
        inner: Value::Null,
        status: 200,
        answer: Value::Null,
        job_id: None,
        fates: Vec::new(),
    };
    let mut state = world.opentext.state();
    let caller = authorization(headers);
    let caller = state
        .tokens
        .caller(caller, &world.opentext.account, Instant::now());
    let read = known(caller).and_then(|who| {
        call.caller = Some(who);
        call.inner = inner(body)?;
        if state.queue.full() {
            return Err(Refusal::new(
                503,
                "busy",
                "Too many files wait; try again later.",
            ));
        }
        Ok(())
    });
    match read {
        Ok(()) => {
            let id = enqueue(&mut state, &call);
            call.answer = json!({ "job_id": id });
            call.job_id = Some(id);
        }
        Err(refusal) => {
            call.status = refusal.status;
            call.answer = refusal.body();
        }
    }
    state.calls.add(call.clone());
    call
}

/// Opens a job for the call that comes next in the log.
fn enqueue(state: &mut super::State, call: &Call) -> String {
    let number = state.calls.next();
    state.jobs.begin(number, call.at);
    if state.knobs.hold {
        state.jobs.step(number, Destination::Held, 0, call.at);
    }
    let due = Instant::now() + Duration::from_millis(state.knobs.delay_ms);
    state.queue.add(
        due,
        Work {
            number,
            what: What::Inner(call.inner.clone()),
        },
    );
    job_id(number)
}

fn respond(call: &Call, submit_id: Option<HeaderValue>) -> Response {
    let status = StatusCode::from_u16(call.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(&call.answer)).into_response();
    let headers = response.headers_mut();
    if let Some(id) = submit_id {
        headers.insert(SUBMIT_ID, id);
    }
    if status == StatusCode::UNAUTHORIZED {
        let realm = HeaderValue::from_static("Basic realm=\"mra\"");
        headers.insert(header::WWW_AUTHENTICATE, realm);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
}

fn known(caller: Caller) -> Result<String, Refusal> {
    match caller {
        Caller::Basic(who) | Caller::Bearer(who) => Ok(who),
        Caller::Missing => Err(Refusal::new(
            401,
            "unauthorized",
            "Authorization is missing.",
        )),
        Caller::Wrong(words) => Err(Refusal::new(401, "unauthorized", words)),
    }
}

/// Unpacks the envelope: three fields, the domain, base64, JSON inside.
fn inner(body: &[u8]) -> Result<Value, Refusal> {
    let bad = |message: String| Refusal::new(400, "bad_request", message);
    let outer: Value = serde_json::from_slice(body).map_err(|e| bad(format!("not JSON: {e}")))?;
    let outer = outer
        .as_object()
        .ok_or_else(|| bad("The body is not an object.".to_owned()))?;
    let field = |name: &str| match outer.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.as_str()),
        Some(_) => Err(bad(format!("{name} must be a text that is not empty."))),
        None => Err(bad(format!("{name} is missing."))),
    };
    let (domain, _filename, data) = (field("domain")?, field("filename")?, field("data")?);
    if let Some(other) = outer
        .keys()
        .find(|k| !["domain", "filename", "data"].contains(&k.as_str()))
    {
        return Err(bad(format!("{other} is not a field of this call.")));
    }
    if domain != "MR" {
        return Err(bad(format!(
            "domain {domain:?} is not known; pushes use MR."
        )));
    }
    let raw = BASE64_STANDARD
        .decode(data)
        .map_err(|e| bad(format!("data is not base64: {e}")))?;
    serde_json::from_slice(&raw).map_err(|e| bad(format!("data holds no JSON: {e}")))
}

#[derive(Debug, Deserialize)]
struct Asked {
    job_id: String,
}

async fn status(
    State(world): State<Arc<World>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    let now = world.clock.now();
    let mut state = world.opentext.state();
    let caller = authorization(&headers);
    let caller = state
        .tokens
        .caller(caller, &world.opentext.account, Instant::now());
    let purge = state.knobs.purge_seconds;
    let found = known(caller).and_then(|_| {
        let exists = state.knobs.status_route;
        let status = if exists {
            state.jobs.status(&asked.job_id, purge, now)
        } else {
            None
        };
        status.ok_or_else(|| Refusal::new(404, "not_found", "There is no such job (any more)."))
    });
    match found {
        Ok(status) => Json(status).into_response(),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::NOT_FOUND);
            (status, Json(refusal.body())).into_response()
        }
    }
}
