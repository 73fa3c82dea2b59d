//! What the API answers when it cannot do what was asked: a status, a stable word, a sentence.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bellwether_engine::seam::{IntakeError, NotChanged, NotMapped};
use bellwether_engine::store::{RegistryError, StoreError};
use bellwether_model::failure::Failure;
use serde_json::json;

/// An answer that is not what was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    retry_after_s: Option<u32>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after_s: None,
        }
    }

    /// 400: what was asked makes no sense.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 404: there is no such thing.
    pub(crate) fn unknown(what: &str, id: &str) -> Self {
        let message = format!("there is no {what} {id}");
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 403: it may not be done from there.
    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 502: a provider refused or could not be asked.
    pub(crate) fn provider(failure: &Failure) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "provider", failure.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a list could not be read");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "store",
            error.to_string(),
        )
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let status = match error {
            RegistryError::Conflict { .. } => StatusCode::CONFLICT,
            RegistryError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, "registry", error.to_string())
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        let message = error.to_string();
        match error {
            IntakeError::TooLarge(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
            }
            IntakeError::Malformed(_) => Self::bad(message),
            IntakeError::Busy { retry_after_s } => Self {
                retry_after_s: Some(retry_after_s),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
            },
            IntakeError::Store(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store", message),
        }
    }
}

impl From<NotMapped> for Problem {
    fn from(error: NotMapped) -> Self {
        let message = error.to_string();
        match error {
            NotMapped::Wrong(_) => Self::bad(message),
            NotMapped::Store(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store", message),
        }
    }
}

impl From<NotChanged> for Problem {
    fn from(error: NotChanged) -> Self {
        let message = error.to_string();
        match error {
            NotChanged::Wrong(_) => Self::bad(message),
            NotChanged::Conflict => Self::new(StatusCode::CONFLICT, "conflict", message),
            NotChanged::Store(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store", message),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.code, "message": self.message }));
        let mut answer = (self.status, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        if matches!(
            self.status,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT
        ) {
            // The rest of the body is never read: a caller must not send its next call after it.
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(header::CONNECTION, close);
        }
        if let Some(seconds) = self.retry_after_s {
            let headers = answer.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}
