//! The headers of every page: nothing is cached, nothing is told to others, nothing foreign is
//! loaded, nobody may frame us. The console may run its own script; hosted pages run none.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::web::Web;

/// Hosted pages: no script at all, no inline style, no third party.
const HOSTED: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
/// The console also has its one script, which reads the live feed.
const CONSOLE: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'; script-src 'self'; connect-src 'self'";

/// Puts the headers of hosted pages on an answer.
pub(crate) async fn of_hosted(State(web): State<Web>, request: Request, next: Next) -> Response {
    with_headers(&web, HOSTED, next.run(request).await)
}

/// Puts the headers of the console and the API on an answer.
pub(crate) async fn of_console(State(web): State<Web>, request: Request, next: Next) -> Response {
    with_headers(&web, CONSOLE, next.run(request).await)
}

fn with_headers(web: &Web, policy: &'static str, mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    let mut put = |name, text: &'static str| {
        headers.insert(name, HeaderValue::from_static(text));
    };
    put(header::CACHE_CONTROL, "no-store");
    put(header::REFERRER_POLICY, "no-referrer");
    put(header::CONTENT_SECURITY_POLICY, policy);
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::X_FRAME_OPTIONS, "DENY");
    if web.app.web.public_url.starts_with("https:") {
        put(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    answer
}
