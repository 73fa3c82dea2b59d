//! Plain values for HTTP and WebSockets, and the trait behind which the one client sits.
//! No client and no server are implemented here.

use std::fmt;

use crate::BoxFuture;
use crate::failure::Failure;
use crate::time::Millis;

/// Whom a request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    /// The address comes from a connection that an operator set up: private ranges only where the
    /// file configuration allows them.
    Operator,
    /// The address comes from a flow, an event or a subscription: https only, public addresses
    /// only (checked at connect), no redirects, no proxy.
    Public,
}

/// A request that a connector makes. Debug shows neither headers nor body.
#[derive(Clone)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// The absolute address. Secrets never belong here.
    pub url: String,
    /// Header names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How long the whole exchange may take.
    pub deadline: Millis,
    /// The most bytes that are read of the answer; more is an error, never a cut.
    pub answer_max: usize,
    /// Whom the request may reach.
    pub egress: Egress,
}

impl HttpRequest {
    /// A request with the usual limits: 30 s, 1 MB, operator's address.
    pub fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            deadline: Millis::seconds(30),
            answer_max: 1 << 20,
            egress: Egress::Operator,
        }
    }

    /// The same request with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// The same request with a body of the given media type.
    #[must_use]
    pub fn body(self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("content-type", media);
        request.body = body.into();
        request
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} ({} bytes)",
            self.method,
            self.url,
            self.body.len()
        )
    }
}

/// A provider's answer.
#[derive(Clone)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Header names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {} ({} bytes)", self.status, self.body.len())
    }
}

/// The one way out. Implemented once, in the connectors crate.
pub trait Http: Send + Sync + fmt::Debug {
    /// Sends one request and reads the whole answer; any status is an answer, not an error.
    ///
    /// # Errors
    /// `Retry` when nothing can have reached the other side (name, connect, TLS), and when a `GET`
    /// or `HEAD` broke off or took longer than its deadline: a read changes nothing, so it may
    /// always be asked again. `MaybeDone` when any other method broke off or took too long after
    /// the request may have been read: a `POST` is never sent twice by guess. `Misconfigured` when
    /// the egress policy forbids the address; `Reject` when the answer is larger than `answer_max`.
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, Failure>>;

    /// Opens a WebSocket at an http or https address, under the same policy; `answer_max` bounds
    /// each message, `deadline` the opening.
    ///
    /// # Errors
    /// As for a read; `Retry` also when the other side does not speak WebSocket there.
    fn open(&self, request: HttpRequest) -> BoxFuture<'_, Result<Box<dyn Socket>, Failure>>;
}

/// An open WebSocket. Dropping it closes it. Its own pings are answered while it is read.
pub trait Socket: Send {
    /// The next message. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// `Retry` when the connection broke or the other side sent what no text is.
    fn next(&mut self) -> BoxFuture<'_, Result<Heard, Failure>>;

    /// Sends a text.
    ///
    /// # Errors
    /// `Retry` when the connection broke.
    fn say(&mut self, text: String) -> BoxFuture<'_, Result<(), Failure>>;
}

/// What came over a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A text.
    Text(String),
    /// The end, with the other side's code if it gave one.
    Closed(Option<u16>),
}

/// A request that came in at `/hooks/{connection}[/{inlet}]`.
#[derive(Clone)]
pub struct RawRequest {
    /// The part of the path after the connection's name; empty for the plain webhook.
    pub inlet: String,
    /// Header names in lower case with their values.
    pub headers: Vec<(String, String)>,
    /// The whole body, at most [`RAW_MAX`] bytes.
    pub body: Vec<u8>,
}

/// The most bytes that an inbound body may have.
pub const RAW_MAX: usize = 64 * 1024;

impl RawRequest {
    /// The first header of that name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inbound /{} ({} bytes)", self.inlet, self.body.len())
    }
}

/// The answer to an inbound request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawAnswer {
    /// The status code.
    pub status: u16,
    /// A JSON text.
    pub body: String,
}

impl RawAnswer {
    /// An error answer: `{"error": code, "message": …}`.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "error": code, "message": message });
        Self {
            status,
            body: body.to_string(),
        }
    }
}
