//! Errors in the shape in which Google's APIs give them: code, message, `errors[].reason` and
//! `status`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An error of Gmail or Pub/Sub.
#[derive(Debug)]
pub(crate) struct GoogleError {
    code: u16,
    reason: &'static str,
    status: &'static str,
    message: String,
}

/// What a handler of a Google API gives.
pub(crate) type Answer = Result<Response, GoogleError>;

impl GoogleError {
    fn new(code: u16, reason: &'static str, status: &'static str, message: &str) -> Self {
        Self {
            code,
            reason,
            status,
            message: message.to_owned(),
        }
    }

    pub(crate) fn invalid(message: impl AsRef<str>) -> Self {
        Self::new(400, "invalidArgument", "INVALID_ARGUMENT", message.as_ref())
    }

    pub(crate) fn precondition(message: &str) -> Self {
        Self::new(400, "failedPrecondition", "FAILED_PRECONDITION", message)
    }

    pub(crate) fn not_found() -> Self {
        Self::missing("Requested entity was not found.")
    }

    pub(crate) fn missing(message: impl AsRef<str>) -> Self {
        Self::new(404, "notFound", "NOT_FOUND", message.as_ref())
    }

    pub(crate) fn unauthenticated() -> Self {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access \
            token, login cookie or other valid authentication credential. See \
            https://developers.google.com/identity/sign-in/web/devconsole-project.";
        Self::new(401, "authError", "UNAUTHENTICATED", message)
    }

    pub(crate) fn scope() -> Self {
        let message = "Request had insufficient authentication scopes.";
        Self::new(403, "insufficientPermissions", "PERMISSION_DENIED", message)
    }

    pub(crate) fn forbidden(message: impl AsRef<str>) -> Self {
        Self::new(403, "forbidden", "PERMISSION_DENIED", message.as_ref())
    }

    pub(crate) fn conflict(message: &str) -> Self {
        Self::new(409, "aborted", "ABORTED", message)
    }

    pub(crate) fn exists(message: impl AsRef<str>) -> Self {
        Self::new(409, "alreadyExists", "ALREADY_EXISTS", message.as_ref())
    }

    pub(crate) fn too_large() -> Self {
        Self::new(
            413,
            "uploadTooLarge",
            "INVALID_ARGUMENT",
            "Request Entity Too Large",
        )
    }

    pub(crate) fn over_quota() -> Self {
        let message = "The mailbox of the sandbox is full; reset the sandbox.";
        Self::new(403, "quotaExceeded", "RESOURCE_EXHAUSTED", message)
    }

    /// Too many units in a minute, with the status that Google happened to choose.
    pub(crate) fn quota(code: u16) -> Self {
        let message = "Quota exceeded for quota metric 'Total Query Cost' and limit 'Units per \
            minute per user' of service 'gmail.googleapis.com' for consumer 'project_number:1'.";
        let status = if code == 403 {
            "PERMISSION_DENIED"
        } else {
            "RESOURCE_EXHAUSTED"
        };
        Self::new(code, "rateLimitExceeded", status, message)
    }

    pub(crate) fn body(&self) -> Value {
        let mut one = json!({"message": self.message, "domain": "global", "reason": self.reason});
        if self.code == 401 {
            one["message"] = json!("Invalid Credentials");
            one["location"] = json!("Authorization");
            one["locationType"] = json!("header");
        }
        let mut error = json!({"code": self.code, "message": self.message, "errors": [one],
            "status": self.status});
        let detail = match self.reason {
            "insufficientPermissions" => Some("ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
            "rateLimitExceeded" => Some("RATE_LIMIT_EXCEEDED"),
            _ => None,
        };
        if let Some(reason) = detail {
            error["details"] = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason, "domain": "googleapis.com",
                "metadata": {"service": "gmail.googleapis.com"}}]);
        }
        if self.reason == "rateLimitExceeded" {
            error["errors"][0]["domain"] = json!("usageLimits");
        }
        json!({"error": error})
    }
}

impl IntoResponse for GoogleError {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = (code, Json(self.body())).into_response();
        if self.code == 401 {
            let value = "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"";
            let value = HeaderValue::from_static(value);
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        answer
    }
}
