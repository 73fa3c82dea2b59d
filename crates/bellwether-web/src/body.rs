//! Reading bodies with a limit in bytes and in time, for the hooks and for everything else.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

/// How long a caller may take to send a body.
const BODY_TIME: Duration = Duration::from_secs(15);
/// How long a page or an API call may take to begin its answer.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// The most bytes that a form or an API body may have.
const FORM_MAX: usize = 64 * 1024;

/// The most bytes of a whole directory, as JSON: 20 000 people with 400 bytes each.
pub(crate) const DIRECTORY_MAX: usize = 8 * 1024 * 1024;

/// Reads a whole body of at most `max` bytes.
pub(crate) async fn read(body: Body, max: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > max as u64 {
        return Err(too_large(max));
    }
    match tokio::time::timeout(BODY_TIME, to_bytes(body, max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_long(&error) => Err(too_large(max)),
        Ok(Err(_)) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "broken_body",
            "the body ended before it was complete; send it again",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow_body",
            "the body took too long to arrive; send it again",
        )),
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    std::error::Error::source(error)
        .is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

fn too_large(max: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!(
            "the body is larger than {} KB; nothing was stored",
            max / 1024
        ),
    )
}

/// The most bytes of a form that holds a whole flow: its text may have 256 KB, and a form writes
/// some signs as three.
const FLOW_MAX: usize = 800 * 1024;

/// Limits the body of everything that is posted, and the time until an answer begins.
pub(crate) async fn limited(request: Request, next: Next) -> Response {
    within(FORM_MAX, request, next).await
}

/// The same for forms that hold a whole flow or its tables.
pub(crate) async fn limited_flow(request: Request, next: Next) -> Response {
    within(FLOW_MAX, request, next).await
}

async fn within(max: usize, request: Request, next: Next) -> Response {
    let request = if request.method() == Method::POST {
        let (parts, body) = request.into_parts();
        match read(body, max).await {
            Ok(bytes) => Request::from_parts(parts, Body::from(bytes)),
            Err(problem) => return problem.into_response(),
        }
    } else {
        request
    };
    match tokio::time::timeout(ANSWER_TIME, next.run(request)).await {
        Ok(answer) => answer,
        Err(_) => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "slow",
            "this took longer than a minute; look at the list before you repeat it",
        )
        .into_response(),
    }
}
