//! Backtests in the API: begun, looked at, ended. One at a time.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bellwether_engine::seam::{Backtest, FlowDocument, NotBegun};
use bellwether_model::time::{Millis, Time};
use serde_json::{Value, json};

use crate::guard::{By, Called, CalledLarge};
use crate::problem::Problem;
use crate::web::Web;

/// The period, where nobody says another: so many days until now.
pub(crate) const DAYS: u64 = 30;

/// Body: `{flow?, text?, file?, files?, inputs?, days?, from?, until?, mailbox?}`. What is not
/// given is as it is kept under `flow`.
pub(crate) async fn begin(
    State(web): State<Web>,
    CalledLarge(called): CalledLarge,
) -> Result<Response, Problem> {
    let body = &called.body;
    let mut document = match body.get("flow").and_then(Value::as_str) {
        Some(name) => kept(&web, name).await?,
        None => FlowDocument::default(),
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    document.text = text("text").unwrap_or(document.text);
    document.file = text("file").unwrap_or(document.file);
    if document.text.is_empty() {
        let message = "say which flow: `flow` with the name of one that is kept, or `text`";
        return Err(Problem::bad(message));
    }
    if let Some(files) = body.get("files") {
        document.files = serde_json::from_value(files.clone())
            .map_err(|error| Problem::bad(format!("files: {error}")))?;
    }
    if let Some(inputs) = body.get("inputs").and_then(Value::as_object) {
        let mut given = document.inputs.as_object().cloned().unwrap_or_default();
        given.extend(inputs.clone());
        document.inputs = Value::Object(given);
    }
    let period = period(&web, body)?;
    begun(
        web.app
            .backtests
            .begin(document, period, text("mailbox"))
            .await,
    )?;
    let latest = web.app.backtests.latest().map(|latest| shape(&latest));
    Ok((StatusCode::ACCEPTED, Json(latest)).into_response())
}

/// The flow that is kept under a name; an empty one under a name that is new.
async fn kept(web: &Web, name: &str) -> Result<FlowDocument, Problem> {
    let found = web.app.registry.get("flow", name).await?;
    let body = found.map(|found| found.body).filter(|body| !body.is_null());
    let document = body.map(serde_json::from_value).transpose();
    let document =
        document.map_err(|error| Problem::bad(format!("{name} cannot be read: {error}")))?;
    Ok(document.unwrap_or_default())
}

fn period(web: &Web, body: &Value) -> Result<(Time, Time), Problem> {
    let instant = |name: &str| {
        let read = body.get(name).map(|text| {
            text.as_str()
                .unwrap_or_default()
                .parse::<Time>()
                .map_err(|_| {
                    let message = format!("{name} must be an instant such as 2026-03-02T09:00:00Z");
                    Problem::bad(message)
                })
        });
        read.transpose()
    };
    // Events of this very instant belong to the period.
    let until = instant("until")?.unwrap_or(web.app.flow_clock.now() + Millis(1));
    let days = body.get("days").and_then(Value::as_u64).unwrap_or(DAYS);
    let before = Time(until.0.saturating_sub(days_in_micros(days)));
    let from = instant("from")?.unwrap_or(before);
    if from >= until {
        return Err(Problem::bad("the period ends before it begins"));
    }
    Ok((from, until))
}

/// Days as the clock counts.
pub(crate) fn days_in_micros(days: u64) -> i64 {
    let micros = Millis::days(days.min(36_500)).0.saturating_mul(1_000);
    i64::try_from(micros).unwrap_or(i64::MAX)
}

/// What was said to the wish to begin.
pub(crate) fn begun(said: Result<(), NotBegun>) -> Result<(), Problem> {
    said.map_err(|error| match &error {
        NotBegun::Wrong(_) => Problem::bad(error.to_string()),
        NotBegun::Busy(_) => Problem::new(StatusCode::CONFLICT, "busy", error.to_string()),
    })
}

fn shape(latest: &Backtest) -> Value {
    let (state, failure) = match &latest.end {
        None => ("running", None),
        Some(Ok(_)) => ("done", None),
        Some(Err(why)) => ("failed", Some(why)),
    };
    let report = latest.end.as_ref().and_then(|end| end.as_ref().ok());
    json!({
        "flow": latest.flow,
        "from": latest.from.to_string(), "until": latest.until.to_string(),
        "state": state, "read": latest.read, "all": latest.all, "failure": failure,
        "words": report.map(|report| report.words()),
        "report": report.map(|report| &**report),
    })
}

pub(crate) async fn latest(State(web): State<Web>, _: By) -> Result<Json<Value>, Problem> {
    match web.app.backtests.latest() {
        Some(latest) => Ok(Json(shape(&latest))),
        None => {
            let message = "no backtest was begun yet; POST one here";
            Err(Problem::new(StatusCode::NOT_FOUND, "not_found", message))
        }
    }
}

/// Ends the one that runs.
pub(crate) async fn cancel(State(web): State<Web>, _: Called) -> StatusCode {
    web.app.backtests.cancel();
    StatusCode::NO_CONTENT
}
