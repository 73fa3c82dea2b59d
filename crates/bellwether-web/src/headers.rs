//! The headers of every page: nothing is cached, nothing is told to others, nothing foreign is
//! loaded, nobody may frame us. The console may run its own script; hosted pages run none.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::web::Web;

/// No script, no inline style, no third party. `connect-src` is for the live feed of the console.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Puts the headers of pages on an answer.
pub(crate) async fn of_pages(State(web): State<Web>, request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    let mut put = |name, text: &'static str| {
        headers.insert(name, HeaderValue::from_static(text));
    };
    put(header::CACHE_CONTROL, "no-store");
    put(header::REFERRER_POLICY, "no-referrer");
    put(header::CONTENT_SECURITY_POLICY, POLICY);
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::X_FRAME_OPTIONS, "DENY");
    if web.app.web.public_url.starts_with("https:") {
        put(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    answer
}
