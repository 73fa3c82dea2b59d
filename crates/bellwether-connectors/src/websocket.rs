//! The client's half of WebSockets (RFC 6455): asking for one in an HTTP request, and its messages
//! afterwards. Whom a request may reach is decided in `egress`, when one is opened by a connector.

use bellwether_model::BoxFuture;
use bellwether_model::failure::Failure;
use bellwether_model::http::{Heard, HttpRequest, Socket};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header::SEC_WEBSOCKET_ACCEPT;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// The status of an answer that agrees.
const SWITCHING: u16 = 101;

/// The request that asks for a WebSocket, and the key that the answer must prove to have read.
pub(crate) fn asking(request: HttpRequest) -> (HttpRequest, String) {
    let key = generate_key();
    let request = request
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", key.as_str());
    (request, key)
}

/// The WebSocket, if the answer agrees.
pub(crate) async fn agreed(
    answer: reqwest::Response,
    host: &str,
    key: &str,
    most: usize,
) -> Result<Box<dyn Socket>, Failure> {
    let status = answer.status().as_u16();
    let proof = answer.headers().get(SEC_WEBSOCKET_ACCEPT);
    let proven =
        proof.is_some_and(|proof| proof.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
    if status != SWITCHING || !proven {
        let message = format!("{host} speaks no WebSocket at this address (status {status})");
        return Err(Failure::retry("no_websocket", message, None));
    }
    let io = answer.upgrade().await.map_err(|error| {
        let message = format!("{host} broke off while a WebSocket was opened");
        Failure::retry("connection_broke", message, None).with_source(&error.to_string())
    })?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(most))
        .max_frame_size(Some(most));
    let stream = WebSocketStream::from_raw_socket(io, Role::Client, Some(limits)).await;
    Ok(Box::new(Open {
        stream,
        host: host.to_owned(),
    }))
}

struct Open {
    stream: WebSocketStream<reqwest::Upgraded>,
    host: String,
}

impl Open {
    fn broke(&self, why: &str) -> Failure {
        let message = format!("the WebSocket to {} broke", self.host);
        Failure::retry("connection_broke", message, None).with_source(why)
    }
}

impl Socket for Open {
    fn next(&mut self) -> BoxFuture<'_, Result<Heard, Failure>> {
        Box::pin(async move {
            loop {
                match self.stream.next().await {
                    None => return Ok(Heard::Closed(None)),
                    Some(Err(error)) => return Err(self.broke(&error.to_string())),
                    Some(Ok(Message::Text(text))) => {
                        return Ok(Heard::Text(text.as_str().to_owned()));
                    }
                    Some(Ok(Message::Close(frame))) => {
                        return Ok(Heard::Closed(frame.map(|frame| frame.code.into())));
                    }
                    Some(Ok(_)) => {}
                }
            }
        })
    }

    fn say(&mut self, text: String) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let sent = self.stream.send(Message::Text(text.into())).await;
            sent.map_err(|error| self.broke(&error.to_string()))
        })
    }
}
