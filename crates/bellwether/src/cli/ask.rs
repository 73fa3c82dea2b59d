//! Asking a running server through its API, for commands that show what it says. What they ask is
//! theirs.

use std::net::{IpAddr, SocketAddr};

use bellwether_connectors::http::{HttpClient, Policy, Private};
use bellwether_model::http::{Http as _, HttpRequest};
use bellwether_model::secret::Secret;
use serde_json::Value;

/// Where a server answers, and the token that it wants.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: String,
    pub(super) token: Secret,
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
        let policy = Policy {
            allow_private: Private::Anywhere,
        };
        let client = HttpClient::new(policy).map_err(|failure| failure.to_string())?;
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let mut request = HttpRequest::new(method, &url);
        if !self.token.is_empty() {
            let bearer = format!("Bearer {}", self.token.expose());
            request = request.header("authorization", bearer);
        }
        let answer = client.send(request).await.map_err(|failure| {
            format!(
                "no server answers at {}: {failure}; is it running?",
                self.url
            )
        })?;
        if !answer.is_success() {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(format!("the server answered {}: {text}", answer.status));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| format!("the server's answer is not JSON: {error}"))
    }
}
