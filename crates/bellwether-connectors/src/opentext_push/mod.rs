//! OpenText Push Notifications for Cloud Messaging: pushes to a company's own app, through the
//! messaging API (`mra-push`) or an AppWorks Gateway (`otag-fcm`), and what the app reports back.
//!
//! Written from public material: the envelope of the push call, the ways to authenticate and the
//! gateway's bodies are public. The inner payload, status and event formats of the messaging API
//! are not: they are configurable here and follow conventions that are marked as such. None of it
//! was tried against the live service.

mod answer;
mod inlets;
mod payload;
mod settings;
mod template;

use std::fmt;
use std::sync::Arc;

use bellwether_model::BoxFuture;
use bellwether_model::clock::Clock;
use bellwether_model::connector::{
    Action, ActionDef, AuthSpec, Checked, Connection, ConnectorDef, Host, Inbound, InletDef,
    Outcome, Role,
};
use bellwether_model::failure::Failure;
use bellwether_model::http::{Http, HttpRequest, HttpResponse, RawAnswer, RawRequest};
use bellwether_model::secret::Secret;
use bellwether_model::spec::Settings;

use crate::oauth::{TokenSource, redacted};
use inlets::Inlets;
use payload::Push;
use template::Template;

pub(crate) const CONNECTOR: ConnectorDef = ConnectorDef {
    name: "opentext_push",
    title: "OpenText",
    summary: "Pushes through OpenText Push Notifications for Cloud Messaging or an AppWorks \
              Gateway, and takes in what the companion app reports.",
    needs: "A messaging account with a push application, or an app at a gateway; and for what people do \
            with a push, the company's own app.",
    basis: "Written from public material: the envelope of the push call, the ways to authenticate and \
            the gateway's bodies. The inner payload and the reports of the messaging API are not \
            public; they are settings here and follow our conventions. None of it was tried against \
            the live service.",
    settings: settings::spec,
    auth: AuthSpec::ClientCredentials,
    triggers: &[],
    thresholds: &[],
    actions: &[ActionDef {
        name: "push",
        role: Role::Push,
        summary: "Sends one notification to one person's device; a later one with the same \
                  collapse key replaces it.",
        input: settings::input,
        sample: settings::sample,
        reconciles: false,
        verified: false,
    }],
    inlets: &[
        InletDef {
            name: "engagement",
            summary: "The companion app reports what a person did with a notification, with the \
                      app's key as bearer token. The form is ours, for the company's own app.",
            verified: true,
        },
        InletDef {
            name: "status",
            summary: "Delivery states in the status schema of the messaging API, with the status \
                      secret as bearer token or `x-status-signature: sha256=<hex HMAC of the \
                      body>`. Our convention: how the provider reports states of pushes is not \
                      public.",
            verified: false,
        },
    ],
    reduce: None,
    connect,
};

/// Where the push call of the messaging API is.
const PARSER: &str = "/mra/v1/utils/parser";

/// A live connection.
struct OpenText {
    route: Route,
    /// The address of the push call, which failures also name.
    url: String,
    ttl_seconds: u64,
    inlets: Inlets,
    http: Arc<dyn Http>,
    clock: Arc<dyn Clock>,
    /// Texts that no failure may repeat.
    confidential: Vec<Secret>,
}

/// The two products through which a push can go.
enum Route {
    Mra(Mra),
    Otag(Otag),
}

struct Mra {
    auth: Auth,
    domain: String,
    filename: Template,
    payload: Template,
    submit_id: bool,
}

struct Otag {
    app: String,
    app_key: Secret,
    /// The gateway's harmless call, which proves app and key.
    probe: String,
}

enum Auth {
    /// The whole value of the `authorization` header, and the user for people.
    Basic {
        header: Secret,
        user: String,
    },
    Tokens {
        source: TokenSource,
        client: String,
    },
}

fn connect(settings: Settings, host: Host) -> Result<Arc<dyn Connection>, Failure> {
    let (route, url) = settings::route(&settings, &host)?;
    let mut confidential = ["password", "client_secret", "otag_app_key"]
        .map(|name| settings.secret(name))
        .to_vec();
    if let Route::Mra(Mra {
        auth: Auth::Basic { header, .. },
        ..
    }) = &route
    {
        confidential.push(header.clone());
    }
    Ok(Arc::new(OpenText {
        route,
        url,
        ttl_seconds: u64::try_from(settings.integer("ttl_seconds", settings::TTL_SECONDS))
            .unwrap_or(0),
        inlets: Inlets::new(
            &settings.secret("engagement_key"),
            &settings.secret("status_secret"),
        ),
        http: host.http,
        clock: host.clock,
        confidential,
    }))
}

impl fmt::Debug for OpenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenText")
            .field("url", &self.url)
            .field("ttl_seconds", &self.ttl_seconds)
            .field("inlets", &self.inlets)
            .finish_non_exhaustive()
    }
}

impl Connection for OpenText {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Failure>> {
        Box::pin(self.probe())
    }

    fn perform<'a>(&'a self, action: &'a Action<'a>) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            if action.name != "push" {
                let message = format!("this connection cannot `{}`", action.name);
                return Err(Failure::bug("no_such_action", message));
            }
            self.push(action).await
        })
    }

    fn receive(&self, request: &RawRequest) -> Result<Vec<Inbound>, RawAnswer> {
        self.inlets.receive(request)
    }
}

impl OpenText {
    async fn push(&self, action: &Action<'_>) -> Result<Outcome, Failure> {
        let push = Push::read(action.args, action.effect.to_string(), self.ttl_seconds)?;
        let answer = match &self.route {
            Route::Mra(mra) => return self.push_mra(mra, &push, action).await,
            Route::Otag(otag) => {
                let request = HttpRequest::new("POST", self.url.as_str())
                    .header("otagappkey", otag.app_key.expose())
                    .body("application/json", push.otag(&otag.app, action.since)?);
                self.send(request).await?
            }
        };
        self.read(&answer, &push, "")
    }

    /// `sent` is what an answer would begin to repeat if it repeats the request.
    fn read(&self, answer: &HttpResponse, push: &Push<'_>, sent: &str) -> Result<Outcome, Failure> {
        answer::read(answer, &self.url, self.clock.now(), |words| {
            if !sent.is_empty() && words.contains(sent) {
                return "(the answer repeats the request)".to_owned();
            }
            let spoken = push.confidential().map(Secret::new);
            let all: Vec<&Secret> = self.confidential.iter().chain(&spoken).collect();
            redacted(words, &all)
        })
    }

    async fn push_mra(
        &self,
        mra: &Mra,
        push: &Push<'_>,
        action: &Action<'_>,
    ) -> Result<Outcome, Failure> {
        let inner = push.inner(&mra.payload)?;
        let body = match mra.filename.fixed() {
            Some(filename) => payload::outer(&mra.domain, filename, &inner),
            None => {
                let filename = push.filled(&mra.filename);
                let filename = filename.as_deref().unwrap_or(settings::FILENAME);
                payload::outer(&mra.domain, filename, &inner)
            }
        };
        let sent = payload::beginning(&inner);
        let request = |authorization: String, body: String| {
            let request = HttpRequest::new("POST", self.url.as_str())
                .header("authorization", authorization)
                .body("application/json", body);
            if mra.submit_id {
                request.header("x-mra-submitid", action.effect.to_string())
            } else {
                request
            }
        };
        let source = match &mra.auth {
            Auth::Basic { header, .. } => {
                let answer = self.send(request(header.expose().to_owned(), body)).await?;
                return self.read(&answer, push, &sent);
            }
            Auth::Tokens { source, .. } => source,
        };
        let token = source.token(self.clock.now()).await?;
        let bearer = format!("Bearer {}", token.expose());
        let answer = self.send(request(bearer, body.clone())).await?;
        if answer.status != 401 {
            return self.read(&answer, push, &sent);
        }
        // A token can end early (revoked, clocks apart). A refused push was surely not taken, so
        // it may go once more with a new token.
        source.forget(&token);
        let token = source.token(self.clock.now()).await?;
        let bearer = format!("Bearer {}", token.expose());
        let answer = self.send(request(bearer, body)).await?;
        self.read(&answer, push, &sent)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        self.http.send(request).await.map_err(answer::broken)
    }

    async fn probe(&self) -> Result<Checked, Failure> {
        let identity = match &self.route {
            Route::Mra(mra) => match &mra.auth {
                Auth::Basic { user, .. } => format!(
                    "{user} (there is no harmless call that proves a password here: credentials \
                     are first used with the first push)"
                ),
                Auth::Tokens { source, client } => {
                    source.token(self.clock.now()).await?;
                    format!("client {client}")
                }
            },
            Route::Otag(otag) => {
                let request = HttpRequest::new("GET", otag.probe.as_str())
                    .header("otagappkey", otag.app_key.expose());
                let answer = self.http.send(request).await?;
                let confidential: Vec<&Secret> = self.confidential.iter().collect();
                let redact = |words: &str| redacted(words, &confidential);
                answer::read(&answer, &otag.probe, self.clock.now(), redact)?;
                format!("app {}", otag.app)
            }
        };
        Ok(Checked { identity })
    }
}
