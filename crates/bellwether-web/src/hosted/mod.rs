//! The page behind a push's link: `/n/{token}`. Looking is GET, deciding is POST with the form's
//! own token, and every POST ends in a redirect, so that a reload never decides twice.

mod agent;
mod page;
mod rows;
mod words;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bellwether_engine::seam::{
    CardState, CodeChecked, CodeSent, HostedError, OpenGrade, Press, Pressed, TurnSaid, Visitor,
};

use bellwether_model::id::{hash, hex};

use crate::guard::{Null, cookie, same_origin};
use crate::note::{self, Note};
use crate::pieces::{encode, set_cookie};
use crate::query::Fields;
use crate::web::Web;
use crate::when::Language;

/// The cookie that proves an enrolled device.
const PERSON_COOKIE: &str = "bw_person";
/// How long it holds: 30 days.
const PERSON_SECONDS: u32 = 30 * 86_400;

pub(crate) fn routes() -> Router<Web> {
    Router::new()
        .route("/n/{token}", get(show))
        .route("/n/{token}/act", post(act))
        .route("/n/{token}/code", post(code))
        .route("/n/{token}/verify", post(verify))
        .fallback(nowhere)
}

async fn show(
    State(web): State<Web>,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let grade = agent::grade(&method, &headers);
    let card = match web.app.hosted.open(&token, grade, &visitor(&headers)).await {
        Ok(card) => card,
        Err(error) => return sorry(&error, &headers),
    };
    if matches!(card.state, CardState::Waiting(_)) && spent(&web, &card.notification.to_string()) {
        return too_many(&headers);
    }
    web.counters.pages.inc();
    let note = Note::read(&headers, &token);
    let shown = page::card(&page::Shown {
        card: &card,
        token: &token,
        note: note.as_ref(),
        now: web.app.flow_clock.now(),
        theme: cookie(&headers, crate::pieces::THEME_COOKIE),
    });
    let mut answer = Html(shown.into_string()).into_response();
    // A scanner must not eat the words that its person should read.
    if note.is_some() && grade == OpenGrade::Rendered {
        set_cookie(&mut answer, &note::forget("/n"));
    }
    answer
}

async fn act(
    State(web): State<Web>,
    Path(token): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let fields = match posted(&headers, request).await {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    let text = |key: &str| fields.text(key).unwrap_or_default();
    let press = Press {
        act_token: text("act_token"),
        choice: text("choice"),
        comment: text("comment").trim().to_owned(),
        shown: text("shown"),
    };
    if press.act_token.is_empty() || press.choice.is_empty() {
        return no_form(&headers, StatusCode::BAD_REQUEST);
    }
    let wanted = text("needs_comment");
    if press.comment.is_empty() && wanted.split(' ').any(|choice| choice == press.choice) {
        return back(&token, Note::new("comment_missing"));
    }
    // Each press is an event in the record, so whoever holds a link has only so many.
    let form = hex(&hash(&[press.act_token.as_bytes()]));
    if spent(&web, &form) {
        return too_many(&headers);
    }
    web.counters.presses.inc();
    match web.app.hosted.press(&press, &visitor(&headers)).await {
        Ok(pressed) => {
            let now = web.app.transport_clock.now();
            web.presses.count(&form, now);
            web.presses
                .count(&pressed.card.notification.to_string(), now);
            back(&token, after(&pressed))
        }
        Err(HostedError::BadToken) => no_form(&headers, StatusCode::FORBIDDEN),
        Err(error) => sorry(&error, &headers),
    }
}

/// Whether a form or a notification was pressed too often.
fn spent(web: &Web, key: &str) -> bool {
    web.presses.is_spent(key, web.app.transport_clock.now())
}

fn too_many(headers: &HeaderMap) -> Response {
    let words = words::of(language(headers));
    let status = StatusCode::TOO_MANY_REQUESTS;
    page::sorry(headers, status, words.too_often, words.too_often_next)
}

/// What the next page says about the press.
fn after(pressed: &Pressed) -> Note {
    match &pressed.said {
        None => Note::new("recorded"),
        Some(TurnSaid::Began { .. } | TurnSaid::Noted) => Note::new("noted"),
        Some(TurnSaid::Decided { .. }) => Note::new("decided"),
        Some(TurnSaid::AlreadyDecided { .. }) => Note::new("late"),
        Some(TurnSaid::PassedOn { .. }) => Note::new("passed_on"),
        Some(TurnSaid::Changed) => Note::new("changed"),
        Some(TurnSaid::SignInRequired) => Note::new("sign_in"),
        Some(TurnSaid::Over { .. }) => Note::new("over"),
        Some(TurnSaid::Refused { reason, .. }) => Note::with("refused", reason),
    }
}

async fn code(
    State(web): State<Web>,
    Path(token): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    if let Err(refusal) = posted(&headers, request).await {
        return refusal;
    }
    match web.app.hosted.send_code(&token).await {
        Ok(CodeSent::To(address)) => back(&token, Note::with("code_sent", &address)),
        Ok(CodeSent::NoChannel) => back(&token, Note::new("no_channel")),
        Ok(CodeSent::TooMany) => back(&token, Note::new("too_many")),
        Err(error) => sorry(&error, &headers),
    }
}

async fn verify(
    State(web): State<Web>,
    Path(token): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let fields = match posted(&headers, request).await {
        Ok(fields) => fields,
        Err(refusal) => return refusal,
    };
    // People type codes with the spaces that the mail shows.
    let given: String = fields.text("code").unwrap_or_default();
    let given: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    match web.app.hosted.check_code(&token, &given).await {
        Ok(CodeChecked::Right(session)) => {
            let mut answer = back(&token, Note::new("verified"));
            let secure = secure(&web);
            // A person's id may hold characters that a cookie may not.
            let session = URL_SAFE_NO_PAD.encode(session);
            set_cookie(
                &mut answer,
                &format!(
                    "{PERSON_COOKIE}={session}; Path=/; Max-Age={PERSON_SECONDS}; HttpOnly; \
                     SameSite=Lax{secure}"
                ),
            );
            answer
        }
        Ok(CodeChecked::Wrong) => back(&token, Note::new("wrong_code")),
        Ok(CodeChecked::NotAsked) => back(&token, Note::new("no_code")),
        Ok(CodeChecked::TooMany) => back(&token, Note::new("code_void")),
        Err(error) => sorry(&error, &headers),
    }
}

async fn nowhere(headers: HeaderMap) -> Response {
    let words = words::of(language(&headers));
    page::sorry(
        &headers,
        StatusCode::NOT_FOUND,
        words.bad_link,
        words.bad_link_next,
    )
}

/// The fields of a post, unless another site's page caused it.
async fn posted(headers: &HeaderMap, request: Request) -> Result<Fields, Response> {
    same_origin(headers, Null::Allowed).map_err(|_| no_form(headers, StatusCode::FORBIDDEN))?;
    let fields = Fields::of_form(request).await;
    fields.map_err(|_| no_form(headers, StatusCode::BAD_REQUEST))
}

/// What was posted is not the form that we gave out.
fn no_form(headers: &HeaderMap, status: StatusCode) -> Response {
    let words = words::of(language(headers));
    page::sorry(headers, status, words.no_form, words.open_again)
}

/// Back to the card, which then says what happened.
fn back(token: &str, note: Note) -> Response {
    let place = format!("/n/{}", encode(token));
    let mut answer = (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response();
    set_cookie(&mut answer, &note.cookie(token, "/n"));
    answer
}

fn sorry(error: &HostedError, headers: &HeaderMap) -> Response {
    let words = words::of(language(headers));
    let (status, said, next) = match error {
        HostedError::BadToken => (StatusCode::NOT_FOUND, words.bad_link, words.bad_link_next),
        HostedError::Expired => (StatusCode::GONE, words.old_link, words.old_link_next),
        HostedError::Gone => (StatusCode::GONE, words.gone, words.gone_next),
        HostedError::Store(reason) => {
            tracing::error!(reason, "a hosted page could not be read");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                words.broken,
                words.broken_next,
            )
        }
    };
    page::sorry(headers, status, said, next)
}

fn visitor(headers: &HeaderMap) -> Visitor {
    Visitor {
        session: cookie(headers, PERSON_COOKIE)
            .and_then(|value| URL_SAFE_NO_PAD.decode(value).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok()),
        device: agent::device(headers),
    }
}

/// The browser's language, for pages that know no person.
fn language(headers: &HeaderMap) -> Language {
    let accepts = headers.get(header::ACCEPT_LANGUAGE);
    Language::of(accepts.and_then(|tag| tag.to_str().ok()).unwrap_or("en"))
}

fn secure(web: &Web) -> &'static str {
    if web.app.web.public_url.starts_with("https:") {
        "; Secure"
    } else {
        ""
    }
}
