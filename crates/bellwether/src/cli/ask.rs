//! Asking a running server through its API, for commands that show what it says or hand something
//! in. What they ask is theirs.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use bellwether_connectors::http::{HttpClient, Policy, Private};
use bellwether_model::http::{Http as _, HttpRequest, HttpResponse};
use bellwether_model::secret::Secret;
use serde_json::Value;

/// The most entries of a list that a command reads.
const ENTRIES_MAX: usize = 1_000_000;
/// The most bytes of an answer: a page of a list.
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// Where a server answers, and the token that it wants.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: String,
    pub(super) token: Secret,
}

/// Arguments that say which server.
#[derive(Debug, clap::Args)]
pub(super) struct Reach {
    /// The server's console address.
    #[arg(
        long,
        default_value = "http://127.0.0.1:8080",
        env = "BELLWETHER_URL",
        global = true
    )]
    url: String,
    /// The console's token, where one is set.
    #[arg(long, env = "BELLWETHER_TOKEN", hide_env_values = true, global = true)]
    token: Option<String>,
    /// A file with the token.
    #[arg(long, value_name = "FILE", conflicts_with = "token", global = true)]
    token_file: Option<PathBuf>,
}

impl Reach {
    /// The server.
    ///
    /// # Errors
    /// The token's file cannot be read.
    pub(super) fn server(&self) -> Result<Server, String> {
        let token = match &self.token_file {
            Some(file) => token_in(file)?,
            None => Secret::new(self.token.clone().unwrap_or_default()),
        };
        Ok(Server {
            url: self.url.clone(),
            token,
        })
    }
}

/// The token in a file.
///
/// # Errors
/// The file cannot be read.
pub(super) fn token_in(file: &std::path::Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Secret::new(text.trim()))
}

/// A path with the filters that are given.
pub(super) fn query(path: &str, filters: &[(&str, Option<String>)]) -> String {
    let mut out = format!("{path}?limit=1000");
    for (name, value) in filters {
        if let Some(value) = value {
            out.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    out
}

/// Percent-encodes everything but letters, digits and `-._~`.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl Server {
    /// The server that listens at an address of this machine.
    pub(super) fn at(listen: SocketAddr, token: Secret) -> Self {
        let mut near = listen;
        if listen.ip().is_unspecified() {
            near.set_ip(IpAddr::from([127, 0, 0, 1]));
        }
        let url = format!("http://{near}");
        Self { url, token }
    }

    /// What a GET (or a POST without a body) of a path of the API answers.
    ///
    /// # Errors
    /// Nobody answers, or not with what was asked for, in a sentence.
    pub(super) async fn ask(&self, method: &'static str, path: &str) -> Result<Value, String> {
        self.call(HttpRequest::new(method, self.at_path(path)))
            .await
    }

    /// What a POST of a JSON body answers.
    ///
    /// # Errors
    /// As for [`Server::ask`].
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let request = HttpRequest::new("POST", self.at_path(path));
        self.call(request.body("application/json", body.to_string()))
            .await
    }

    /// What a POST of a JSON body answers; also when it is refused with a list of reasons.
    ///
    /// # Errors
    /// As for [`Server::ask`].
    pub(super) async fn post_or_refused(&self, path: &str, body: &Value) -> Result<Value, String> {
        let request = HttpRequest::new("POST", self.at_path(path));
        let request = request.body("application/json", body.to_string());
        let answer = self.send(request).await?;
        let read = serde_json::from_slice::<Value>(&answer.body).ok();
        match read.filter(|body| answer.is_success() || body.get("refused").is_some()) {
            Some(body) => Ok(body),
            None => Err(unexpected(&answer)),
        }
    }

    /// Every entry of a list, page by page. The path has a query already.
    ///
    /// # Errors
    /// As for [`Server::ask`].
    pub(super) async fn all(&self, path: &str) -> Result<Vec<Value>, String> {
        let mut all = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = match &next {
                None => self.ask("GET", path).await?,
                Some(after) => self.ask("GET", &format!("{path}&after={after}")).await?,
            };
            let items = page.get("items").and_then(Value::as_array);
            all.extend(items.into_iter().flatten().cloned());
            next = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if next.is_none() || all.len() >= ENTRIES_MAX {
                return Ok(all);
            }
        }
    }

    fn at_path(&self, path: &str) -> String {
        format!("{}{path}", self.url.trim_end_matches('/'))
    }

    async fn call(&self, request: HttpRequest) -> Result<Value, String> {
        let answer = self.send(request).await?;
        if !answer.is_success() {
            return Err(unexpected(&answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| format!("the server's answer is not JSON: {error}"))
    }

    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, String> {
        let policy = Policy {
            allow_private: Private::Anywhere,
        };
        let client = HttpClient::new(policy).map_err(|failure| failure.to_string())?;
        request.answer_max = ANSWER_MAX;
        if !self.token.is_empty() {
            let bearer = format!("Bearer {}", self.token.expose());
            request = request.header("authorization", bearer);
        }
        client.send(request).await.map_err(|failure| {
            format!(
                "no server answers at {}: {failure}; is it running?",
                self.url
            )
        })
    }
}

fn unexpected(answer: &HttpResponse) -> String {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    format!("the server answered {}: {text}", answer.status)
}
