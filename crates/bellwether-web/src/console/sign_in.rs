//! Signing in to the console with the server's token: a small form, a cookie of twelve hours.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::frame::{back, own};
use crate::guard::{self, Null, Posted, SESSION_COOKIE, SESSION_TIME, cookie, same_origin};
use crate::pieces::{THEME_COOKIE, head, icon, set_cookie, theme};
use crate::problem::Problem;
use crate::query::Fields;
use crate::text::clean;
use crate::web::Web;

pub(crate) async fn page(State(web): State<Web>, headers: HeaderMap) -> Response {
    ask(&web, &headers, StatusCode::OK, false, "/")
}

/// The form; with the sentence that the token was wrong.
pub(crate) fn ask(
    web: &Web,
    headers: &HeaderMap,
    status: StatusCode,
    wrong: bool,
    to: &str,
) -> Response {
    if web.app.web.token.is_empty() {
        return back("/", None);
    }
    let shown = html! {
        h1 { "Sign in" }
        p.lead { "The token stands in this server's configuration: " code { "web.token" } "." }
        @if wrong {
            p.banner.bad role="alert" {
                (icon("cross")) span { "This token is not the right one." }
            }
        }
        form.stack method="post" action="/sign-in" {
            input type="hidden" name="back" value=(own(to));
            label for="token" { "Token" }
            input #token name="token" type="password" required autocomplete="current-password"
                aria-invalid=[wrong.then_some("true")];
            button.primary type="submit" { "Sign in" }
        }
    };
    alone(headers, status, "Sign in", &shown)
}

/// Says that the console is not open from where the caller is.
pub(crate) fn not_here(headers: &HeaderMap, problem: &Problem) -> Response {
    let shown = html! {
        h1 { "Not from here" }
        p.lead { (clean(&problem.message)) "." }
    };
    alone(headers, problem.status, "Not from here", &shown)
}

pub(crate) async fn enter(
    State(web): State<Web>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let limits = request.extensions().clone();
    let may = same_origin(&headers, Null::Allowed).and_then(|()| guard::may_guess(&web, &limits));
    if let Err(problem) = may {
        return problem.into_response();
    }
    let fields = match Fields::of_form(request).await {
        Ok(fields) => fields,
        Err(problem) => return problem.into_response(),
    };
    let to = own(fields.get("back").unwrap_or("/"));
    if !guard::is_token(&web, fields.get("token").unwrap_or_default()) {
        web.counters.turned_away.inc();
        guard::note_wrong(&web, &limits);
        return ask(&web, &headers, StatusCode::UNAUTHORIZED, true, &to);
    }
    let mut answer = back(&to, None);
    let session = guard::new_session(&web, web.app.transport_clock.now());
    let secure = if web.app.web.console_url.starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    let seconds = SESSION_TIME.0 / 1000;
    let cookie = format!(
        "{SESSION_COOKIE}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    );
    set_cookie(&mut answer, &cookie);
    answer
}

pub(crate) async fn leave(State(web): State<Web>, headers: HeaderMap, _: Posted) -> Response {
    guard::end_session(&web, &headers);
    let mut answer = back("/sign-in", None);
    let cookie = format!("{SESSION_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    set_cookie(&mut answer, &cookie);
    answer
}

fn alone(headers: &HeaderMap, status: StatusCode, title: &str, content: &Markup) -> Response {
    let shown = html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme(cookie(headers, THEME_COOKIE))] {
            (head(title))
            body.hosted {
                main.sheet id="main" { p.brand { (icon("road")) "Bellwether" } (content) }
            }
        }
    };
    (status, Html(shown.into_string())).into_response()
}
