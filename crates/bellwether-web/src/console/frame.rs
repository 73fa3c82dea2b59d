//! The frame around every page of the console: navigation, title, note, theme, sign-out. A page is
//! given a [`Visit`], which knows the actor and the names; it renders only its own content.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use bellwether_engine::seam::{Actor, ConnectionHealth};
use bellwether_engine::store::Overview;
use bellwether_model::time::Time;
use maud::{DOCTYPE, Markup, html};

use crate::guard::{By, FORM_TOKEN, cookie, form_token};
use crate::note::{self, Note};
use crate::people::Names;
use crate::pieces::{self, THEME_COOKIE, head, icon, set_cookie, theme};
use crate::problem::Problem;
use crate::text::clean;
use crate::web::Web;
use crate::words;

/// The pages in the navigation. Only what exists.
const PLACES: [(&str, &str, &str); 9] = [
    ("/", "Overview", "home"),
    ("/cases", "Cases", "list"),
    ("/notifications", "Notifications", "phone"),
    ("/not-delivered", "Not delivered", "alert"),
    ("/recipes", "Recipes", "cards"),
    ("/flows", "Flows", "flow"),
    ("/people", "People", "person"),
    ("/connections", "Connections", "plug"),
    ("/events", "What came in", "in"),
];

/// What a button did: the words of notes that the console may show.
const NOTES: [(&str, &str, &str, &str); 13] = [
    ("retried", "ok", "check", "It is tried again."),
    (
        "not_retried",
        "warn",
        "info",
        "It was settled before; nothing was tried again.",
    ),
    ("works", "ok", "check", "It works. Connected as"),
    ("fails", "bad", "cross", "The test failed."),
    ("reading", "ok", "check", "It is read now."),
    (
        "not_reading",
        "warn",
        "info",
        "It brings nothing in by itself, so there is nothing to read.",
    ),
    ("counted", "ok", "check", "Counted. Missing:"),
    ("swept", "ok", "check", "Taken in from what was missing:"),
    ("mapped", "ok", "check", "From now on this is"),
    ("proposed", "ok", "check", "Proposals found:"),
    ("refused", "bad", "cross", "This was not done."),
    ("said", "ok", "check", ""),
    ("unsaid", "warn", "info", ""),
];

/// One visit of a page: who, and everything that the frame needs.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) actor: Actor,
    pub(crate) names: Names,
    pub(crate) now: Time,
    pub(crate) transport_now: Time,
    pub(crate) overview: Overview,
    pub(crate) needing: usize,
    token: String,
    theme: Option<String>,
    path: String,
    note: Option<Note>,
    web: Web,
}

impl FromRequestParts<Web> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let By(actor) = By::from_request_parts(parts, web).await?;
        // A page whose numbers cannot be read still shows that, in its own words.
        let overview = web.app.views.overview().await.unwrap_or_default();
        let connections = web.app.connections.list().await;
        let needing = connections
            .iter()
            .filter(|view| matches!(view.health, ConnectionHealth::NeedsYou { .. }))
            .count();
        Ok(Self {
            actor,
            names: web.names().await,
            now: web.app.flow_clock.now(),
            transport_now: web.app.transport_clock.now(),
            overview,
            needing,
            token: form_token(web, &parts.headers),
            theme: cookie(&parts.headers, THEME_COOKIE).map(str::to_owned),
            path: parts.uri.path().to_owned(),
            note: Note::read(&parts.headers, "console"),
            web: web.clone(),
        })
    }
}

impl Visit {
    /// The page with its frame.
    pub(crate) fn page(&self, title: &str, content: &Markup) -> Response {
        self.answer(StatusCode::OK, title, content)
    }

    /// A page that says why there is nothing to show.
    pub(crate) fn sorry(&self, status: StatusCode, title: &str, content: Markup) -> Response {
        self.answer(status, title, &content)
    }

    /// A page for a problem.
    pub(crate) fn problem(&self, problem: &Problem) -> Response {
        let said = html! {
            p.lead { (clean(&problem.message)) }
            p { a href="/" { "Back to the overview" } }
        };
        let title = if problem.status == StatusCode::NOT_FOUND {
            "There is no such thing"
        } else {
            "This cannot be shown"
        };
        self.answer(problem.status, title, &said)
    }

    /// The hidden field of every form.
    pub(crate) fn token(&self) -> Markup {
        html! { input type="hidden" name=(FORM_TOKEN) value=(self.token); }
    }

    /// An instant of flow time.
    pub(crate) fn time(&self, at: Time) -> Markup {
        pieces::time(at, self.now, self.names.zone())
    }

    fn answer(&self, status: StatusCode, title: &str, content: &Markup) -> Response {
        let shown = self.frame(title, content).into_string();
        let mut answer = (status, Html(shown)).into_response();
        if self.note.is_some() {
            set_cookie(&mut answer, &note::forget("/"));
        }
        answer
    }

    fn frame(&self, title: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-theme=[theme(self.theme.as_deref())] {
                (head(title))
                body.console {
                    a.skip href="#main" { "Skip to the content" }
                    header.side {
                        a.brand href="/" { (icon("road")) "Bellwether" }
                        nav aria-label="Pages" {
                            @for (path, name, sign) in PLACES { (self.place(path, name, sign)) }
                            @if let Some(url) = &self.web.app.web.sandbox_url {
                                a href=(url) { (icon("mail")) span { "Phones and mail" } }
                                (self.place("/tour", "First ten minutes", "road"))
                            }
                        }
                        (self.foot())
                    }
                    main id="main" tabindex="-1" {
                        (self.shown_note())
                        h1 { (clean(title)) }
                        (content)
                        p.zone.meta {
                            "Times in " (self.names.zone().replace('_', " "))
                            " · you are " (clean(&words::actor(&self.actor.name)))
                        }
                    }
                }
            }
        }
    }

    fn place(&self, path: &str, name: &str, sign: &str) -> Markup {
        let here = if path == "/" {
            self.path == "/"
        } else {
            self.path.starts_with(path)
        };
        let badge = match path {
            "/not-delivered" => self.overview.dead_letters,
            "/connections" => self.needing as u64,
            _ => 0,
        };
        html! {
            a href=(path) aria-current=[here.then_some("page")] {
                (icon(sign)) span { (name) }
                @if badge > 0 { span.badge { (badge) span.hidden { " need you" } } }
            }
        }
    }

    fn foot(&self) -> Markup {
        let chosen = theme(self.theme.as_deref()).unwrap_or("auto");
        html! {
            div.side-foot {
                form.themes method="post" action="/theme" aria-label="Theme" {
                    (self.token())
                    input type="hidden" name="back" value=(self.path);
                    @for (value, name) in [("auto", "Auto"), ("light", "Light"), ("dark", "Dark")] {
                        button type="submit" name="theme" value=(value)
                            aria-pressed=(if value == chosen { "true" } else { "false" }) { (name) }
                    }
                }
                @if self.actor.means == "signed_in" {
                    form method="post" action="/sign-out" {
                        (self.token()) button.link type="submit" { "Sign out" }
                    }
                }
            }
        }
    }

    fn shown_note(&self) -> Markup {
        let found = self.note.as_ref().and_then(|note| {
            let line = NOTES.iter().find(|(word, ..)| *word == note.word)?;
            Some((note, line))
        });
        html! {
            @if let Some((note, (_, tone, sign, text))) = found {
                p.banner.(*tone) role="status" {
                    (icon(sign)) span { (text) " " (clean(&note.text)) }
                }
            }
        }
    }
}

/// Back to a page of the console, which then says what happened.
pub(crate) fn back(path: &str, note: Option<&Note>) -> Response {
    let mut answer = (StatusCode::SEE_OTHER, [(header::LOCATION, own(path))]).into_response();
    if let Some(note) = note {
        set_cookie(&mut answer, &note.cookie("console", "/"));
    }
    answer
}

/// A path of our own: what a form gave as `back` may lead nowhere else.
pub(crate) fn own(path: &str) -> String {
    let fine = path.starts_with('/')
        && !path.starts_with("//")
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if fine {
        path.to_owned()
    } else {
        "/".to_owned()
    }
}
