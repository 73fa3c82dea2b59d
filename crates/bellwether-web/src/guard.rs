//! Who may call the internal listener: the actor behind a request, the Host check against DNS
//! rebinding, the same-origin check and the form token of everything that changes something.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bellwether_engine::seam::{Actor, ActorRole};
use bellwether_model::id::{hash, hex};
use bellwether_model::time::{Millis, Time};
use subtle::ConstantTimeEq;

use crate::console::sign_in;
use crate::problem::Problem;
use crate::query::Fields;
use crate::rows;
use crate::serve::Peer;
use crate::web::{Web, nonce};

/// The cookie of a signed-in console.
pub(crate) const SESSION_COOKIE: &str = "bw_console";
/// How long a console stays signed in.
pub(crate) const SESSION_TIME: Millis = Millis::hours(12);
/// The most bytes of an API call.
const CALL_MAX: usize = 64 * 1024;
/// The field of every form of the console.
pub(crate) const FORM_TOKEN: &str = "form_token";

/// The proven actor of a request, for handlers that only read.
#[derive(Debug)]
pub(crate) struct By(pub(crate) Actor);

/// The proven actor and the fields of a form, for pages that change something.
#[derive(Debug)]
pub(crate) struct Posted {
    pub(crate) actor: Actor,
    pub(crate) fields: Fields,
}

/// The proven actor and the JSON body, for API calls that change something. Rows of CSV, whose
/// first line names the columns, are read as a list of objects.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) actor: Actor,
    pub(crate) body: serde_json::Value,
}

impl FromRequestParts<Web> for By {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        match actor(parts, web) {
            Ok(actor) => Ok(Self(actor)),
            Err(problem) => {
                web.counters.turned_away.inc();
                Err(turn_away(parts, web, problem))
            }
        }
    }
}

impl FromRequest<Web> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let By(actor) = By::from_request_parts(&mut parts, web).await?;
        // Our own pages say `no-referrer`, and then browsers send `Origin: null`; the form's token
        // proves it.
        may_change(&actor, &parts.headers, Null::Allowed).map_err(IntoResponse::into_response)?;
        let token = form_token(web, &parts.headers);
        let request = Request::from_parts(parts, body);
        let fields = Fields::of_form(request)
            .await
            .map_err(IntoResponse::into_response)?;
        if same(fields.get(FORM_TOKEN).unwrap_or_default(), &token) {
            Ok(Self { actor, fields })
        } else {
            let message = "this form is from before the last start; go back, reload and try again";
            Err(Problem::forbidden("stale_form", message).into_response())
        }
    }
}

impl FromRequest<Web> for Called {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        Self::read(request, web, CALL_MAX).await
    }
}

/// The same with a body that may be a whole directory.
#[derive(Debug)]
pub(crate) struct CalledLarge(pub(crate) Called);

impl FromRequest<Web> for CalledLarge {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        Called::read(request, web, crate::body::DIRECTORY_MAX)
            .await
            .map(Self)
    }
}

impl Called {
    async fn read(request: Request, web: &Web, max: usize) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let By(actor) = By::from_request_parts(&mut parts, web).await?;
        let read = async {
            may_change(&actor, &parts.headers, Null::Refused)?;
            let is_json = is_media(&parts.headers, "application/json");
            let is_csv = is_media(&parts.headers, "text/csv");
            // No form can send these: whatever carries them was written by a program of the caller.
            if !is_json && !is_csv && parts.headers.contains_key(header::ORIGIN) {
                return Err(not_json());
            }
            let bytes = crate::body::read(body, max).await?;
            if bytes.is_empty() {
                return Ok(serde_json::Value::Null);
            }
            if is_csv {
                return rows::read(&bytes);
            }
            if !is_json {
                return Err(not_json());
            }
            serde_json::from_slice(&bytes)
                .map_err(|error| Problem::bad(format!("the body is not JSON: {error}")))
        };
        match read.await {
            Ok(body) => Ok(Self { actor, body }),
            Err(problem) => Err(problem.into_response()),
        }
    }
}

/// Turns away requests whose Host header is not ours: a page of somebody else whose name was
/// pointed at this machine.
pub(crate) async fn host(State(web): State<Web>, request: Request, next: Next) -> Response {
    let name = host_name(request.headers()).unwrap_or_default();
    let web_settings = &web.app.web;
    let ours = is_loopback_name(&name)
        || web_settings
            .hosts
            .iter()
            .any(|host| host.eq_ignore_ascii_case(&name))
        || (!web_settings.token.is_empty() && url_host(&web_settings.console_url) == Some(&name));
    if ours {
        return next.run(request).await;
    }
    web.counters.turned_away.inc();
    let message = "the Host of this request is not one of this server's; name it under hosts";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", message).into_response()
}

fn actor(parts: &Parts, web: &Web) -> Result<Actor, Problem> {
    let token = &web.app.web.token;
    let admin = |name: &str, means| Actor {
        name: name.to_owned(),
        role: ActorRole::Admin,
        means,
    };
    if token.is_empty() {
        let peer = parts.extensions.get::<Peer>();
        let near = peer.is_some_and(|peer| peer.address.ip().to_canonical().is_loopback());
        let name = host_name(&parts.headers).unwrap_or_default();
        if near && is_loopback_name(&name) {
            return Ok(admin("admin(local)", "loopback"));
        }
        let message = "without a token only this machine itself may call; set web.token";
        return Err(Problem::forbidden("not_local", message));
    }
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        let given = value
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("Bearer "));
        may_guess(web, &parts.extensions)?;
        if given.is_some_and(|given| same(given.trim(), token.expose())) {
            return Ok(admin("token:console", "token"));
        }
        note_wrong(web, &parts.extensions);
        let message = "this token is not the one of this server";
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong_token",
            message,
        ));
    }
    let now = web.app.transport_clock.now();
    if session(&parts.headers).is_some_and(|value| session_holds(web, value, now)) {
        return Ok(admin("token:console", "signed_in"));
    }
    let message = "send Authorization: Bearer with the token of this server";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "no_token", message))
}

fn turn_away(parts: &Parts, web: &Web, problem: Problem) -> Response {
    let path = parts.uri.path();
    let wants_page = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if path.starts_with("/api/") || path == "/metrics" || !wants_page {
        return problem.into_response();
    }
    if problem.status == StatusCode::UNAUTHORIZED {
        return sign_in::ask(web, &parts.headers, StatusCode::UNAUTHORIZED, false, path);
    }
    sign_in::not_here(&parts.headers, &problem)
}

fn may_change(actor: &Actor, headers: &HeaderMap, null: Null) -> Result<(), Problem> {
    if actor.role < ActorRole::Operator {
        let message = "you may look but not change; ask an operator";
        return Err(Problem::forbidden("viewer", message));
    }
    // A bearer token is never sent by a browser on its own, so no other site can borrow it.
    if actor.means == "token" {
        return Ok(());
    }
    same_origin(headers, null)
}

/// What `Origin: null` means: our own pages, which send no referrer, and any page in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Null {
    /// Something else proves the form.
    Allowed,
    /// Nothing else would.
    Refused,
}

/// Refuses a post that another site's page caused; another port is another site.
pub(crate) fn same_origin(headers: &HeaderMap, null: Null) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, None) => false,
        (None, Some("null")) => null == Null::Refused,
        (None, Some(origin)) => !is_origin_of(origin, text("host").unwrap_or_default()),
    };
    if foreign {
        let message =
            "this was asked for by a page of another site; open our own page and try there";
        return Err(Problem::forbidden("other_site", message));
    }
    Ok(())
}

/// Whether an origin is that of the Host: name and port, where the scheme's own port may be left
/// out.
fn is_origin_of(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let port = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    let bare = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_suffix(port).map(str::to_owned).unwrap_or(text)
    };
    bare(authority) == bare(host)
}

fn is_media(headers: &HeaderMap, wanted: &str) -> bool {
    let media = headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|value| value.to_str().ok());
    let media = media.and_then(|text| text.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case(wanted))
}

fn not_json() -> Problem {
    let message = "send the body with `Content-Type: application/json`, a table with `text/csv`";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message)
}

/// Who guesses, for counting.
fn guesser(extensions: &Extensions) -> String {
    let peer = extensions.get::<Peer>();
    peer.map_or_else(String::new, |peer| {
        peer.address.ip().to_canonical().to_string()
    })
}

/// Refuses an address that gave too many wrong tokens, before the next one is looked at.
pub(crate) fn may_guess(web: &Web, extensions: &Extensions) -> Result<(), Problem> {
    let now = web.app.transport_clock.now();
    if !web.wrong_tokens.is_spent(&guesser(extensions), now) {
        return Ok(());
    }
    web.counters.turned_away.inc();
    let message = "too many wrong tokens came from your address; wait ten minutes";
    let status = StatusCode::TOO_MANY_REQUESTS;
    Err(Problem::new(status, "too_many_tries", message))
}

/// Counts a wrong token.
pub(crate) fn note_wrong(web: &Web, extensions: &Extensions) {
    let now = web.app.transport_clock.now();
    web.wrong_tokens.count(&guesser(extensions), now);
}

/// The token that our own forms carry: bound to this start and to the session.
pub(crate) fn form_token(web: &Web, headers: &HeaderMap) -> String {
    let session = session(headers).unwrap_or_default();
    let digest = hash(&[b"form", &web.form_key, session.as_bytes()]);
    hex(&digest[..16])
}

/// The value of a new session cookie.
pub(crate) fn new_session(web: &Web, now: Time) -> String {
    let until = (now + SESSION_TIME).seconds();
    let nonce = nonce();
    let mac = session_mac(web, until, &nonce);
    format!("{until}.{nonce}.{mac}")
}

/// Whether a text is the token of the console.
pub(crate) fn is_token(web: &Web, given: &str) -> bool {
    !web.app.web.token.is_empty() && same(given, web.app.web.token.expose())
}

fn session_holds(web: &Web, value: &str, now: Time) -> bool {
    let Some((until, nonce, mac)) = parts_of(value) else {
        return false;
    };
    let ended = lock(&web.ended).contains_key(nonce);
    !ended && same(mac, &session_mac(web, until, nonce)) && now.seconds() < until
}

fn parts_of(session: &str) -> Option<(i64, &str, &str)> {
    let (until, rest) = session.split_once('.')?;
    let (nonce, mac) = rest.split_once('.')?;
    Some((until.parse().ok()?, nonce, mac))
}

/// Ends the session of a request for good, wherever its cookie was copied to.
pub(crate) fn end_session(web: &Web, headers: &HeaderMap) {
    let now = web.app.transport_clock.now();
    let Some(value) = session(headers).filter(|value| session_holds(web, value, now)) else {
        return;
    };
    let Some((until, nonce, _)) = parts_of(value) else {
        return;
    };
    let mut ended = lock(&web.ended);
    ended.retain(|_, until| *until > now.seconds());
    ended.insert(nonce.to_owned(), until);
}

fn lock<T>(cell: &Mutex<T>) -> MutexGuard<'_, T> {
    cell.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Derived from the token, so that a new token ends every session, and from this start, because a
/// sign-out is only remembered until the next.
fn session_mac(web: &Web, until: i64, nonce: &str) -> String {
    let token = web.app.web.token.expose().as_bytes();
    let (until, nonce) = (until.to_be_bytes(), nonce.as_bytes());
    let parts: [&[u8]; 6] = [
        token,
        b"console session",
        &web.form_key,
        &until,
        nonce,
        token,
    ];
    hex(&hash(&parts))
}

fn session(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION_COOKIE)
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Constant-time comparison; over hashes, so that the length does not show either.
fn same(left: &str, right: &str) -> bool {
    let (left, right) = (hash(&[left.as_bytes()]), hash(&[right.as_bytes()]));
    bool::from(left.ct_eq(&right))
}

/// The name in the Host header, without the port, in lower case.
fn host_name(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    Some(without_port(host).to_ascii_lowercase())
}

fn url_host(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(without_port(authority))
}

fn without_port(authority: &str) -> &str {
    match authority.rfind(':') {
        Some(at) if !authority[at..].contains(']') => &authority[..at],
        _ => authority,
    }
}

fn is_loopback_name(name: &str) -> bool {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
