//! The choice between light, dark and what the system prefers, kept in a cookie.

use axum::response::Response;

use super::frame::back;
use crate::guard::Posted;
use crate::pieces::{THEME_COOKIE, set_cookie, theme};

/// How long the choice holds: a year.
const SECONDS: u32 = 365 * 86_400;

pub(crate) async fn choose(posted: Posted) -> Response {
    let mut answer = back(posted.fields.get("back").unwrap_or("/"), None);
    let chosen = theme(posted.fields.get("theme"));
    let age = if chosen.is_some() { SECONDS } else { 0 };
    let chosen = chosen.unwrap_or("auto");
    let cookie = format!("{THEME_COOKIE}={chosen}; Path=/; Max-Age={age}; SameSite=Lax; HttpOnly");
    set_cookie(&mut answer, &cookie);
    answer
}
