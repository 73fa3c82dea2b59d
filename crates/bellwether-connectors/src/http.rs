//! The one implementation of `Http`: a pooled client for each egress policy, with a deadline, an
//! answer cap and the classification of what a broken exchange means. Which addresses are allowed
//! is decided in `egress`; what an answer means is decided by each connector.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bellwether_model::BoxFuture;
use bellwether_model::failure::Failure;
use bellwether_model::http::{Egress, Http, HttpRequest, HttpResponse, Socket};
use bellwether_model::time::{Millis, Time};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, Method, Url};

use crate::egress::{Forbidden, Resolver, refuse};
pub use crate::egress::{Policy, Private, Range};
use crate::websocket;

/// A name, a connection and its TLS handshake must be done within this time; after it, nothing was
/// sent for sure. It is short so that it ends before any usual deadline does.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Idle connections are closed before common servers (Node and Apache: 5 s) close them: a request
/// that meets a closing connection may have been read, and that must stay rare.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// Idle connections kept for one host: several full lanes, so that none is made and closed in turn.
const IDLE_PER_HOST: usize = 256;
/// The longest wait that we let a provider impose with `Retry-After`.
const RETRY_AFTER_MAX: Millis = Millis::hours(24);

/// The way out. Made once; clones of the handle share its pools.
#[derive(Clone, Debug)]
pub struct HttpClient {
    policy: Arc<Policy>,
    operator: Client,
    public: Client,
}

impl HttpClient {
    /// A client under the given policy.
    ///
    /// # Errors
    /// `Misconfigured` when TLS cannot be set up on this machine.
    pub fn new(policy: Policy) -> Result<Self, Failure> {
        let policy = Arc::new(policy);
        Ok(Self {
            operator: build(&policy, Egress::Operator)?,
            public: build(&policy, Egress::Public)?,
            policy,
        })
    }

    fn prepare(&self, request: HttpRequest) -> Result<Prepared, Failure> {
        let url = Url::parse(&request.url).map_err(|error| {
            Failure::misconfigured("bad_address", format!("an address is not valid: {error}"))
        })?;
        let host = url.host_str().unwrap_or_default().to_owned();
        if let Some(reason) = refuse(&self.policy, request.egress, &url) {
            return Err(forbidden(&host, reason));
        }
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Failure::bug("bad_method", "a request has no valid method"))?;
        let mut out = reqwest::Request::new(method, url);
        let headers = out.headers_mut();
        headers.reserve(request.headers.len());
        for (name, value) in request.headers {
            let bad = |_| {
                let message = format!("the header `{name}` for {host} holds a forbidden character");
                Failure::reject("bad_header", message)
            };
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(()))?;
            let value = HeaderValue::try_from(value).map_err(|_| bad(()))?;
            headers.append(key, value);
        }
        if !request.body.is_empty() {
            *out.body_mut() = Some(request.body.into());
        }
        Ok(Prepared { request: out, host })
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let deadline = request.deadline;
        let answer_max = request.answer_max;
        // A read changes nothing, so one that broke may always be asked again.
        let reads = matches!(request.method, "GET" | "HEAD");
        let client = match request.egress {
            Egress::Operator => &self.operator,
            Egress::Public => &self.public,
        };
        let prepared = self.prepare(request)?;
        let host = prepared.host;
        let whole = async {
            let answer = client
                .execute(prepared.request)
                .await
                .map_err(|error| classify(&host, reads, &error))?;
            read(&host, reads, answer, answer_max).await
        };
        match tokio::time::timeout(deadline.into(), whole).await {
            Ok(result) => result,
            Err(_) => {
                let seconds = deadline.0.div_ceil(1000);
                let message = format!("{host} gave no whole answer within {seconds} s");
                Err(broken(reads, "no_answer_in_time", message))
            }
        }
    }
}

impl Http for HttpClient {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>> {
        Box::pin(self.exchange(request))
    }

    fn open(&self, request: HttpRequest) -> BoxFuture<'_, Result<Box<dyn Socket>, Failure>> {
        Box::pin(async move {
            let (deadline, most) = (request.deadline, request.answer_max);
            let client = match request.egress {
                Egress::Operator => &self.operator,
                Egress::Public => &self.public,
            };
            let (request, key) = websocket::asking(request);
            let Prepared { request, host } = self.prepare(request)?;
            let opening = async {
                let answer = client
                    .execute(request)
                    .await
                    .map_err(|error| classify(&host, true, &error))?;
                websocket::agreed(answer, &host, &key, most).await
            };
            let late = || {
                let message = format!("{host} opened no WebSocket in time");
                Failure::retry("no_answer_in_time", message, None)
            };
            let opened = tokio::time::timeout(deadline.into(), opening).await;
            opened.map_err(|_| late())?
        })
    }
}

struct Prepared {
    request: reqwest::Request,
    host: String,
}

fn build(policy: &Arc<Policy>, egress: Egress) -> Result<Client, Failure> {
    let builder = || {
        Client::builder()
            .user_agent(concat!("Bellwether/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Resolver::new(Arc::clone(policy), egress))
            // A redirect could lead past the policy or carry a secret elsewhere: it is an answer.
            .redirect(reqwest::redirect::Policy::none())
            // Otherwise the environment decides where secrets travel.
            .no_proxy()
            .referer(false)
            // Each attempt is recorded before it is made, so nothing is repeated out of sight.
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_MAX)
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .tcp_nodelay(true)
            .https_only(egress == Egress::Public)
    };
    builder()
        .build()
        .or_else(|error| {
            tracing::warn!(%error, "no root certificates of this machine; https calls will fail");
            builder().tls_certs_only([]).build()
        })
        .map_err(|error| {
            Failure::misconfigured("no_tls", "outbound TLS could not be set up on this machine")
                .with_source(&innermost(&error))
        })
}

async fn read(
    host: &str,
    reads: bool,
    mut answer: reqwest::Response,
    answer_max: usize,
) -> Result<HttpResponse, Failure> {
    let too_large = || {
        let message = format!("the answer of {host} is larger than {answer_max} bytes");
        Failure::reject("answer_too_large", message)
    };
    let announced = answer.content_length().unwrap_or(0);
    if announced > answer_max as u64 {
        return Err(too_large());
    }
    let status = answer.status().as_u16();
    let headers = answer
        .headers()
        .iter()
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), text)
        })
        .collect();
    let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or(0));
    loop {
        let chunk = answer
            .chunk()
            .await
            .map_err(|error| classify(host, reads, &error))?;
        let Some(chunk) = chunk else { break };
        if body.len() + chunk.len() > answer_max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse {
        status,
        headers,
        body,
    })
}

/// What a broken exchange means for the engine.
fn classify(host: &str, reads: bool, error: &reqwest::Error) -> Failure {
    let cause = innermost(error);
    if is_forbidden(error) {
        return forbidden(host, &cause);
    }
    if error.is_builder() {
        let message = format!("the request for {host} could not be built");
        return Failure::misconfigured("bad_address", message).with_source(&cause);
    }
    if error.is_connect() {
        let message = format!("{host} could not be reached; nothing was sent");
        return Failure::retry("unreachable", message, None).with_source(&cause);
    }
    let message = format!("the connection to {host} broke before its answer was complete");
    broken(reads, "connection_broke", message).with_source(&cause)
}

fn broken(reads: bool, code: &str, message: String) -> Failure {
    if reads {
        Failure::retry(code, message, None)
    } else {
        Failure::maybe(code, message)
    }
}

fn forbidden(host: &str, reason: &str) -> Failure {
    let message = format!(
        "{host} may not be called: {reason}; an operator allows private ranges in the file \
         configuration"
    );
    Failure::misconfigured("egress_forbidden", message)
}

fn is_forbidden(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| cause.is::<Forbidden>())
}

/// The last cause, which names no address and no query.
fn innermost(error: &reqwest::Error) -> String {
    chain(error).last().map_or_else(
        || "the request could not be made".to_owned(),
        ToString::to_string,
    )
}

fn chain<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let next = |cause: &&'a (dyn Error + 'static)| -> Option<&'a (dyn Error + 'static)> {
        (*cause).source()
    };
    std::iter::successors(error.source(), next)
}

/// How long an answer asks us to wait: `Retry-After` in seconds or as a date, at most a day.
pub(crate) fn retry_after(answer: &HttpResponse, now: Time) -> Option<Millis> {
    let text = answer.header("retry-after")?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Millis(seconds.saturating_mul(1000)),
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            Time::from(date.timestamp()).since(now)
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}
