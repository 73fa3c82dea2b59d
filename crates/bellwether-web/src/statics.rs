//! The few files that do not change while the server runs: one style, one script, one icon.

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bellwether_model::id::{hash, hex};
use std::sync::LazyLock;

use crate::web::Web;

/// The one style, for console and hosted pages.
pub(crate) const STYLE: &str = include_str!("assets/style.css");
/// The one script: the live road. Every page works without it.
const SCRIPT: &str = include_str!("assets/live.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Changes with the files, so that browsers may keep them for good.
pub(crate) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = hash(&[STYLE.as_bytes(), SCRIPT.as_bytes(), ICON.as_bytes()]);
    hex(&digest[..6])
});

pub(crate) fn routes() -> Router<Web> {
    let file = |media, text| get(move || async move { kept(media, text) });
    Router::new()
        .route("/static/style.css", file("text/css; charset=utf-8", STYLE))
        .route(
            "/static/live.js",
            file("text/javascript; charset=utf-8", SCRIPT),
        )
        .route("/static/icon.svg", file("image/svg+xml", ICON))
}

fn kept(media: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
